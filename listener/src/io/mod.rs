//! What waits: everything that needs a runtime.

mod abortable;
mod any_listener;
#[cfg(feature = "axum")]
mod axum;
#[cfg(test)]
mod errnos;
mod fd_released;
mod health;
mod lazy;
mod limit;
mod listener;
#[cfg(unix)]
mod path_lock;
mod pressure;
mod retry;
#[cfg(test)]
mod script;
mod stream;
mod tcp;
#[cfg(unix)]
mod unix;

pub use abortable::{AbortHandle, Abortable};
pub use any_listener::{AnyListener, AnyStream, listen};
pub use fd_released::{FdReleased, NotifyingStream};
pub use health::{Failure, Health, HealthSnapshot};
pub use limit::{Limit, LimitedStream, Permit, Permits};
pub use listener::Listener;
pub use pressure::{Pressure, PressureGuard};
pub use retry::{AcceptError, Retry};
pub use stream::Stream;
pub use tcp::{KeepAlive, TcpListener, TcpOptions, reuse_port};
#[cfg(unix)]
pub use unix::{UnixListener, UnixOptions};
