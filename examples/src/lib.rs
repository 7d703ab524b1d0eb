//! The code that the examples share. The examples are the files beside this folder, in the order of their numbers.

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod calls;
pub mod rate_limit;
pub mod scenarios;

use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches};
use quintet_listener::{ClientAuth, TlsConfig, TlsError, TlsOptions, TlsProvider};
use rustls::crypto::ring;

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

/// The command line of an example that speaks TLS if it is given a certificate.
#[derive(Clone, Debug, clap::Parser)]
pub struct MaybeTls {
    /// A chain of certificates in PEM: to speak TLS
    #[arg(long, requires = "key")]
    pub cert: Option<PathBuf>,
    /// The key of the first certificate, in PEM
    #[arg(long, requires = "cert")]
    pub key: Option<PathBuf>,
}

impl MaybeTls {
    /// A configuration with ring as provider of cryptography, whose server fills in ALPN; `None` without a certificate.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub fn config(&self) -> Result<Option<TlsConfig>, TlsError> {
        self.config_with(None)
    }

    /// The same, with a rule about certificates of clients.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub fn config_with(&self, client_auth: Option<ClientAuth>) -> Result<Option<TlsConfig>, TlsError> {
        let (Some(cert), Some(key)) = (&self.cert, &self.key) else { return Ok(None) };
        let provider = TlsProvider { crypto: ring::default_provider().into(), ticketer: Some(ring::Ticketer::new) };
        let options = TlsOptions { provider: Some(provider), client_auth, ..TlsOptions::default() };
        TlsConfig::load_with(cert, key, options).map(Some)
    }
}
