//! The errors that end serving.

/// An error that ended serving.
///
/// Its text says what failed, and its [source](std::error::Error::source) why: `cannot use TLS`, because `the key in key.pem
/// does not belong to the first certificate in cert.pem`. A `main` that returns it prints neither text but the `Debug` form,
/// `Tls(KeyMismatch { … })`; one that returns `anyhow::Result<()>` prints both.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}")]
    Listen {
        /// The address.
        addr: String,
        /// The error of the system.
        source: std::io::Error,
    },
    /// Accepting failed with an error that retrying cannot mend.
    #[error("cannot accept")]
    Accept(#[source] std::io::Error),
    /// The certificate or its key cannot be used, or there is no provider of cryptography.
    #[cfg(feature = "tls")]
    #[error("cannot use TLS")]
    Tls(#[source] quintet_listener::TlsError),
    /// The server was shut down before. Go: `http.ErrServerClosed`.
    #[error("server closed")]
    Closed,
}
