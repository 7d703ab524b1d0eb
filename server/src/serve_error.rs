//! The errors that end serving.

use std::{error::Error, fmt, io};

/// An error that ended serving.
///
/// Its text says what failed, and its [source](Error::source) why. `Debug` is both, because that is what a `main` that
/// returns it prints: `Error: cannot use TLS: the key in key.pem does not belong to the first certificate in cert.pem`.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}")]
    Listen {
        /// The address.
        addr: String,
        /// The error of the system.
        source: io::Error,
    },
    /// Accepting failed with an error that retrying cannot mend.
    #[error("cannot accept")]
    Accept(#[source] io::Error),
    /// The certificate or its key cannot be used, or there is no provider of cryptography.
    #[cfg(feature = "tls")]
    #[error("cannot use TLS")]
    Tls(#[from] quintet_listener::TlsError),
    /// The server was shut down before. Go: `http.ErrServerClosed`.
    #[error("server closed")]
    Closed,
}

/// Its text and its causes, which is what a `main` that returns it prints.
impl fmt::Debug for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        let mut causes = std::iter::successors(self.source(), |&cause| cause.source());
        causes.try_for_each(|cause| write!(f, ": {cause}"))
    }
}
