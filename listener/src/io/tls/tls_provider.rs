//! Whose cryptography is used.

use std::{fmt, sync::Arc};

use rustls::{Error, crypto::CryptoProvider, server::ProducesTickets};

/// The cryptography that TLS uses, and what makes its session tickets. This crate has none of its own.
///
/// With the feature `ring` of rustls it is
///
/// ```
/// use quintet_listener::TlsProvider;
/// use rustls::crypto::ring;
///
/// let provider = TlsProvider {
///     crypto: ring::default_provider().into(),
///     ticketer: Some(ring::Ticketer::new),
/// };
/// # let _ = provider;
/// ```
#[derive(Clone)]
pub struct TlsProvider {
    /// Ciphers, key exchange, signatures, random numbers.
    pub crypto: Arc<CryptoProvider>,
    /// Makes the keys of session tickets, anew for each configuration. `None`: no tickets, and every handshake is a
    /// full one.
    #[expect(clippy::type_complexity, reason = "it is the type of `Ticketer::new` in rustls")]
    pub ticketer: Option<fn() -> Result<Arc<dyn ProducesTickets>, Error>>,
}

impl TlsProvider {
    /// The provider that the program has installed, without tickets; `None` if it has installed none.
    ///
    /// rustls can also choose one by the features that it was built with. It panics if there are two, so it is never
    /// asked to.
    pub fn installed() -> Option<Self> {
        let crypto = Arc::clone(CryptoProvider::get_default()?);
        Some(Self { crypto, ticketer: None })
    }
}

impl fmt::Debug for TlsProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsProvider").field("tickets", &self.ticketer.is_some()).finish_non_exhaustive()
    }
}
