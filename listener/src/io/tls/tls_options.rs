//! What can be chosen when a TLS configuration is loaded from files.

use std::path::PathBuf;

use super::TlsProvider;

/// How a TLS configuration is made of a certificate and its key. See [`TlsConfig::load_with`](crate::TlsConfig::load_with).
///
/// Not here, because it cannot be on: data before the end of the handshake (0-RTT), which can be replayed.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// The cryptography; `None`: the one that the program has installed, and an error if it has installed none. By
    /// `quintet_server::load_tls_with` it is that of its features `ring` and `aws-lc-rs`.
    pub provider: Option<TlsProvider>,
    /// The oldest version of TLS that is spoken.
    pub min_version: TlsVersion,
    /// Whether clients are asked for a certificate, and which are accepted; `None`: they are not asked.
    pub client_auth: Option<ClientAuth>,
    /// The protocols that are offered by ALPN, the preferred one first; empty: what the server fills in. Go: `NextProtos`.
    pub alpn_protocols: Vec<Vec<u8>>,
    /// Whether the keys of the connections are written to the file that the environment variable `SSLKEYLOGFILE` names.
    /// Whoever has that file can read everything. Go: `KeyLogWriter`.
    pub key_log: KeyLogging,
}

/// The oldest version of TLS that is spoken. Older ones than these are not spoken at all (RFC 8996).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2, as in Go.
    #[default]
    V1_2,
    /// TLS 1.3 only.
    V1_3,
}

/// Whether the keys of connections are written where they can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyLogging {
    /// Never.
    #[default]
    Off,
    /// To the file that `SSLKEYLOGFILE` names, if it is set.
    FromEnvironment,
}

/// Which certificates of clients are accepted (mutual TLS). Go: `tls.Config.ClientCAs` and `ClientAuth`.
///
/// A client's certificate is one of X.509 version 3 that is not itself an authority's. `openssl x509 -req` writes version
/// 1 unless it is given extensions (`-extfile`, `-copy_extensions`); a client with that is refused with
/// `UnsupportedCertVersion`.
///
/// ```no_run
/// use quintet_listener::{ClientAuth, TlsConfig, TlsOptions, TlsProvider};
///
/// # fn main() -> Result<(), quintet_listener::TlsError> {
/// let options = TlsOptions {
///     provider: TlsProvider::installed(), // not needed with quintet_server::load_tls_with
///     client_auth: Some(ClientAuth::required("authority-of-clients.pem")),
///     ..TlsOptions::default()
/// };
/// let config = TlsConfig::load_with("cert.pem", "key.pem", options)?;
/// # drop(config);
/// # Ok(()) }
/// ```
#[doc(alias = "mTLS")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuth {
    /// A file in PEM with the certificates of the authorities that sign those of the clients.
    pub roots: PathBuf,
    /// Files in PEM with revocation lists of these authorities. If there are any, each authority in a chain needs one.
    /// One that is out of date is used all the same.
    pub revocation_lists: Vec<PathBuf>,
    /// What happens to a client without a certificate.
    pub mode: ClientAuthMode,
}

/// What happens to a client that gives no certificate. One that gives a wrong one is always refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuthMode {
    /// It is refused. Go: `RequireAndVerifyClientCert`.
    #[default]
    Required,
    /// It is served; the handler sees that there is none. Go: `VerifyClientCertIfGiven`.
    Optional,
}

impl ClientAuth {
    /// Every client must have a certificate that one of these authorities signed.
    pub fn required(roots: impl Into<PathBuf>) -> Self {
        Self { roots: roots.into(), revocation_lists: Vec::new(), mode: ClientAuthMode::Required }
    }

    /// A client may have a certificate that one of these authorities signed.
    pub fn optional(roots: impl Into<PathBuf>) -> Self {
        Self { mode: ClientAuthMode::Optional, ..Self::required(roots) }
    }
}
