//! Why a TLS configuration cannot be used.

use std::{error::Error, fmt, io, path::PathBuf};

/// Why a TLS configuration cannot be loaded. What was used before stays in use.
///
/// The text names the file, never what is in it: it may be a private key.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Neither was a provider given ([`TlsOptions::provider`](crate::TlsOptions::provider)) nor has the program installed
    /// one. A feature of `quintet-server` gives one to what its `load_tls` loads, and not to what is loaded here.
    #[error(
        "no provider of cryptography: with quintet-server, turn on its feature ring or aws-lc-rs, and load by its \
         load_tls; without it, set TlsOptions::provider, or call install_default on one of rustls::crypto first"
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
    /// A file with a section of PEM that is malformed or has no end.
    #[error("{} is malformed PEM", path.display())]
    Pem {
        /// Which.
        path: PathBuf,
    },
    /// A file without a certificate in PEM: it has no `-----BEGIN CERTIFICATE-----`, since it is in DER, for example.
    #[error("{} has no certificate in PEM", path.display())]
    NoCertificate {
        /// Which.
        path: PathBuf,
    },
    /// A file without a private key in PEM, or with one in a form that is not known or that needs a passphrase
    /// (`openssl pkey -in encrypted.pem -out key.pem` writes one that needs none).
    #[error("{} has no private key in PEM, of PKCS #8, PKCS #1 or SEC 1 and not encrypted", path.display())]
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
        source: Box<dyn Error + Send + Sync>,
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

/// Its text and its causes, which is what a `main` that returns it prints.
impl fmt::Debug for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        let mut causes = std::iter::successors(self.source(), |&cause| cause.source());
        causes.try_for_each(|cause| write!(f, ": {cause}"))
    }
}
