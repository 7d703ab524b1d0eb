//! The code that the examples share. The examples are the files beside this folder, in the order of their numbers.

#![deny(clippy::print_stdout, clippy::print_stderr)]

use clap::{CommandFactory, FromArgMatches};

/// Prints a line as `println!` does, but ignores an error where `println!` panics: a server must go on if its output is
/// closed (`08_hello | head -1`).
#[macro_export]
macro_rules! outln {
    ($($text:tt)*) => {{
        use ::std::io::Write as _;
        let _ = ::std::writeln!(::std::io::stdout(), $($text)*);
    }};
}

/// Prints a line to standard error as `eprintln!` does, but ignores an error.
#[macro_export]
macro_rules! errln {
    ($($text:tt)*) => {{
        use ::std::io::Write as _;
        let _ = ::std::writeln!(::std::io::stderr(), $($text)*);
    }};
}

/// The command line, with the first lines of the example's file as its help.
///
/// For `--help` it prints the help and exits with 0. For a wrong argument it prints the error and exits with 2.
pub fn arguments<A: CommandFactory + FromArgMatches>(source: &'static str) -> A {
    let header: Vec<&str> = source.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let header = header.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n");
    let command = A::command().before_help(header).help_template("{before-help}{usage-heading} {usage}\n\n{all-args}");
    let matches = command.get_matches();
    A::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The command line of an example without arguments of its own.
#[derive(Clone, Copy, Debug, clap::Parser)]
pub struct NoArguments {}
