//! What waits: listeners, streams and their wrappers, which need a runtime.

mod abortable;
mod accept_error;
mod accept_event;
mod any_listener;
#[cfg(feature = "axum")]
mod axum;
#[cfg(test)]
mod errnos;
mod fd_released;
mod health;
#[cfg(all(feature = "activation", unix))]
mod inherited;
mod lazy;
mod limit;
mod limit_health;
#[cfg(test)]
mod limit_tests;
mod limited_stream;
mod listener;
mod listener_health;
#[cfg(unix)]
mod path_lock;
#[cfg(test)]
#[cfg(unix)]
mod path_lock_tests;
mod peer_limit;
mod permits;
mod pressure;
#[cfg(feature = "proxy")]
mod proxied;
mod retry;
#[cfg(test)]
mod retry_tests;
#[cfg(all(feature = "sendfile", target_os = "linux"))]
mod send_file;
mod stream;
mod tcp;
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(
    not(feature = "testing"),
    allow(dead_code, unused_imports, unreachable_pub, reason = "the rest is for the crates above")
)]
pub mod testing;
#[cfg(feature = "tls")]
mod tls;
#[cfg(unix)]
mod unix;
#[cfg(any(feature = "proxy", feature = "tls"))]
mod wakers;

pub use abortable::{AbortHandle, Abortable};
pub use accept_error::AcceptError;
pub use accept_event::{AcceptEvent, AcceptEventKind};
pub use any_listener::{AnyListener, AnyStream, listen};
pub use fd_released::{FdReleased, NotifyingStream};
pub use health::{Failure, Health, HealthSnapshot};
#[cfg(all(feature = "activation", unix))]
pub use inherited::inherited;
pub use limit::Limit;
pub use limit_health::{LimitHealth, LimitHealthSnapshot};
pub use limited_stream::LimitedStream;
pub use listener::Listener;
pub use listener_health::ListenerHealth;
pub use permits::{Permit, Permits};
pub use pressure::{Pressure, PressureGuard};
#[cfg(feature = "proxy")]
pub use proxied::{Proxied, ProxiedError, ProxiedHealth, ProxiedHealthSnapshot, ProxiedStream, UntrustedPolicy};
pub use retry::Retry;
pub use stream::Stream;
pub use tcp::{KeepAlive, TcpListener, TcpOptions, reuse_port};
#[cfg(feature = "tls")]
pub use tls::{
    CertificateExpired, ClientAuth, ClientAuthMode, ClientHello, FirstBytes, HandshakeError, HandshakeErrorKind,
    KeyLogging, Tls, TlsConfig, TlsError, TlsHealth, TlsHealthSnapshot, TlsOptions, TlsProvider, TlsStream, TlsVersion,
    Validity,
};
#[cfg(unix)]
pub use unix::{UnixListener, UnixOptions};
