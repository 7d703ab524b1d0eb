//! Why serving ended.

/// Why serving ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}")]
    Listen {
        /// The address.
        addr: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Nothing can be accepted any more.
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
