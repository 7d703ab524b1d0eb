#![cfg_attr(feature = "tokio", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "tokio"),
    doc = "Which accept errors pass by themselves, how long to wait for it, and where to listen: the rules, without a runtime."
)]
#![deny(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod addr;
mod backoff;
mod class;
mod endpoint;
#[cfg(feature = "tokio")]
mod io;
mod patience;
mod throttle;

pub use addr::{Addr, AddrError, UnixName};
pub use backoff::Backoff;
pub use class::{Class, classify};
pub use endpoint::{Endpoint, EndpointError};
#[cfg(feature = "tokio")]
pub use io::{
    AbortHandle, Abortable, AcceptError, Failure, Freed, FreesOnDrop, Health, KeepAlive, Limit, Listener, Permit,
    Permits, Permitted, Pressure, PressureGuard, Report, Retry, Socket, SocketStream, Stream, Tcp, TcpOptions, listen,
    reuse_port,
};
#[cfg(all(feature = "tokio", unix))]
pub use io::{Unix, UnixOptions};
pub use patience::{Patience, Verdict};
pub use throttle::Throttle;
