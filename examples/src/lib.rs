//! The examples are the files beside this folder, in the order of their numbers. Here is what they share.

#![deny(clippy::print_stdout, clippy::print_stderr)]

use clap::{CommandFactory, FromArgMatches};

/// Prints a line, as `println!` does, but goes on where that panics: when nobody reads the output any more
/// (`08_hello | head -1`), a server has still requests to answer.
#[macro_export]
macro_rules! outln {
    ($($text:tt)*) => {{
        use ::std::io::Write as _;
        let _ = ::std::writeln!(::std::io::stdout(), $($text)*);
    }};
}

/// Prints a line to standard error, and goes on if that is gone.
#[macro_export]
macro_rules! errln {
    ($($text:tt)*) => {{
        use ::std::io::Write as _;
        let _ = ::std::writeln!(::std::io::stderr(), $($text)*);
    }};
}

/// The command line, with the first lines of the example's file as its help.
///
/// Prints the help for `--help` and exits with 0; says what is wrong with anything else and exits with 2.
pub fn arguments<A: CommandFactory + FromArgMatches>(source: &'static str) -> A {
    let header: Vec<&str> = source.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let header = header.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n");
    let command = A::command().before_help(header).help_template("{before-help}{usage-heading} {usage}\n\n{all-args}");
    let matches = command.get_matches();
    A::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The command line of an example that takes nothing but `--help`.
#[derive(Clone, Copy, Debug, clap::Parser)]
pub struct NoArguments {}
