//! Why a TLS configuration cannot be used.

use std::{io, path::PathBuf};

/// Why a TLS configuration cannot be loaded. What was used before stays in use.
///
/// The text names the file, never what is in it: it may be a private key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Neither was a provider given nor has the program installed one.
    #[error(
        "no provider of cryptography: set TlsOptions::provider, or call install_default on one of rustls::crypto first"
    )]
    NoProvider,
    /// A file that cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is not in PEM.
    #[error("{} is not in PEM", path.display())]
    Pem {
        /// Which.
        path: PathBuf,
    },
    /// A file without a certificate.
    #[error("{} has no certificate", path.display())]
    NoCertificate {
        /// Which.
        path: PathBuf,
    },
    /// A file without a private key, or with one in a form that is not known (an encrypted one, say).
    #[error("{} has no private key in the form PKCS #8, PKCS #1 or SEC 1", path.display())]
    NoKey {
        /// Which.
        path: PathBuf,
    },
    /// The key is not the one of the first certificate.
    #[error("the key in {} does not belong to the first certificate in {}", key.display(), certificate.display())]
    KeyMismatch {
        /// The file of the certificates.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// A certificate or key that the provider cannot use.
    #[error("cannot use the certificate in {} with the key in {}", certificate.display(), key.display())]
    Unusable {
        /// The file of the certificates.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
    /// A root of client certificates, or a revocation list, that cannot be used.
    #[error("cannot use the roots of client certificates or their revocation lists in {}", path.display())]
    ClientAuth {
        /// The file.
        path: PathBuf,
        /// What rustls says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The provider has no cipher suite for the protocol versions.
    #[error("the provider of cryptography cannot be used")]
    Provider {
        /// What rustls says.
        source: rustls::Error,
    },
    /// A reload of what was not loaded from files.
    #[error("this configuration was not loaded from files")]
    NoFiles,
}
