//! The errors that end serving.

/// An error that ended serving.
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
    /// The certificate or its key cannot be used.
    #[cfg(feature = "tls")]
    #[error("cannot use TLS")]
    Tls(#[source] quintet_listener::TlsError),
    /// The server was shut down before. Go: `http.ErrServerClosed`.
    #[error("server closed")]
    Closed,
}
