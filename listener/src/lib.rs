#![cfg_attr(feature = "io", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "io"),
    doc = "Which accept errors are transient, how long to wait after them, and addresses to listen on: the rules, without a runtime."
)]
#![deny(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept_error_kind;
#[cfg(test)]
mod accept_error_kind_tests;
mod addr;
mod backoff;
mod contain;
mod endpoint;
mod host_scope;
#[cfg(all(feature = "activation", unix))]
mod inherited_names;
#[cfg(feature = "io")]
mod io;
mod nets;
mod opened;
#[cfg(feature = "proxy")]
mod proxy_header;
mod retry_policy;
mod throttle;

pub use accept_error_kind::{AcceptErrorKind, classify};
pub use addr::{Addr, AddrError, UnixName};
pub use backoff::Backoff;
pub use endpoint::{Endpoint, EndpointError};
pub use host_scope::HostScope;
#[cfg(all(feature = "activation", unix))]
pub use inherited_names::InheritedError;
#[cfg(all(feature = "activation", unix))]
pub use io::inherited;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub use io::testing;
#[cfg(feature = "io")]
pub use io::{
    AbortHandle, Abortable, AcceptError, AcceptEvent, AcceptEventKind, AnyListener, AnyStream, Failure, FdReleased,
    Health, HealthSnapshot, KeepAlive, Limit, LimitHealth, LimitHealthSnapshot, LimitedStream, Listener,
    ListenerHealth, NotifyingStream, Permit, Permits, Pressure, PressureGuard, Retry, Stream, TcpListener, TcpOptions,
    listen, reuse_port,
};
#[cfg(feature = "tls")]
pub use io::{
    CertificateExpired, ClientAuth, ClientAuthMode, ClientHello, FirstBytes, HandshakeError, HandshakeErrorKind,
    KeyLogging, Tls, TlsConfig, TlsError, TlsHealth, TlsHealthSnapshot, TlsOptions, TlsProvider, TlsStream, TlsVersion,
    Validity,
};
#[cfg(all(feature = "io", feature = "proxy"))]
pub use io::{Proxied, ProxiedError, ProxiedHealth, ProxiedHealthSnapshot, ProxiedStream, UntrustedPolicy};
#[cfg(all(feature = "io", unix))]
pub use io::{UnixListener, UnixOptions};
pub use nets::{Nets, NetsError};
pub use opened::{Opened, TlsState};
#[cfg(feature = "proxy")]
pub use proxy_header::{ProxyHeader, ProxyHeaderError};
pub use retry_policy::{RetryDecision, RetryPolicy};
/// Of whose types a [`TlsConfig`] can be made.
#[cfg(feature = "tls")]
pub use rustls;
pub use throttle::Throttle;
