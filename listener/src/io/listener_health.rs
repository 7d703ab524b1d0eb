//! The health of a listener and of those that it wraps: limit, TLS, PROXY headers.

use super::LimitHealth;
#[cfg(feature = "proxy")]
use super::ProxiedHealth;
#[cfg(feature = "tls")]
use super::TlsHealth;

/// The handles of a listener and of those that it wraps. Each is of the outermost wrapper of its kind; `None` if there is no
/// such wrapper. From [`Listener::add_health`](super::Listener::add_health).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use quintet_listener::{Limit, Listener, ListenerHealth, listen};
///
/// let listener = Limit::new(listen("127.0.0.1:0")?, 100);
/// let mut health = ListenerHealth::default();
/// listener.add_health(&mut health);
/// assert_eq!(health.limit.expect("it is a limit").snapshot().available, 100);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ListenerHealth {
    /// How full the limit of connections is.
    pub limit: Option<LimitHealth>,
    /// How TLS handshakes have been going.
    #[cfg(feature = "tls")]
    pub tls: Option<TlsHealth>,
    /// How PROXY headers have been read.
    #[cfg(feature = "proxy")]
    pub proxied: Option<ProxiedHealth>,
}
