//! What waits: everything that needs a runtime.

mod abortable;
#[cfg(feature = "axum")]
mod axum;
#[cfg(test)]
mod errnos;
mod freed;
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
mod socket;
mod stream;
mod tcp;
#[cfg(unix)]
mod unix;

pub use abortable::{AbortHandle, Abortable};
pub use freed::{Freed, FreesOnDrop};
pub use health::{Failure, Health, Report};
pub use limit::{Limit, Permit, Permits, Permitted};
pub use listener::Listener;
pub use pressure::{Pressure, PressureGuard};
pub use retry::{AcceptError, Retry};
pub use socket::{Socket, SocketStream, listen};
pub use stream::Stream;
pub use tcp::{KeepAlive, Tcp, TcpOptions, reuse_port};
#[cfg(unix)]
pub use unix::{Unix, UnixOptions};
