//! Loading a certificate and its key, with the cryptography that this crate was built with.

use std::path::Path;

use quintet_listener::{TlsConfig, TlsError, TlsOptions};

use crate::tls_provider::tls_provider;

/// Loads a chain of certificates, the server's own first, and the key of that one, from two files in PEM, which may be the
/// same file. The cryptography is [`tls_provider`]'s. Go: `tls.LoadX509KeyPair`.
///
/// Two hosts with a certificate each:
///
/// ```no_run
/// use quintet_server::{Server, listen, load_tls};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let config = load_tls("a.pem", "a-key.pem")?
///     .config_for_name("b.example", load_tls("b.pem", "b-key.pem")?);
/// Server::new(async |_| "hello\n").serve_tls(listen(":9443")?, config).await?;
/// # Ok(()) }
/// ```
///
/// Reads files: it blocks the thread, for microseconds where they are on a disk of this machine.
///
/// # Errors
/// [`TlsError`], of which `?` makes a [`ServeError`](crate::ServeError). It is [`TlsError::NoProvider`] if neither the feature
/// `ring` nor `aws-lc-rs` is on, and the program has installed no cryptography.
#[doc(alias = "certificate")]
#[doc(alias = "LoadX509KeyPair")]
pub fn load_tls(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<TlsConfig, TlsError> {
    load_tls_with(certificate, key, TlsOptions::default())
}

/// As [`load_tls`], with choices: client certificates, the oldest version of TLS. The cryptography is [`tls_provider`]'s
/// unless the options have one.
///
/// ```no_run
/// use quintet_server::{TlsOptions, load_tls_with};
/// use quintet_server::listener::TlsVersion;
///
/// # fn main() -> Result<(), quintet_server::listener::TlsError> {
/// let options = TlsOptions { min_version: TlsVersion::V1_3, ..TlsOptions::default() };
/// let config = load_tls_with("cert.pem", "key.pem", options)?;
/// # drop(config);
/// # Ok(()) }
/// ```
///
/// # Errors
/// As [`load_tls`], and what is wrong with the roots of client certificates.
pub fn load_tls_with(
    certificate: impl AsRef<Path>,
    key: impl AsRef<Path>,
    options: TlsOptions,
) -> Result<TlsConfig, TlsError> {
    let provider = options.provider.or_else(tls_provider);
    TlsConfig::load_with(certificate, key, TlsOptions { provider, ..options })
}
