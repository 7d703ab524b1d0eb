//! The part of the crate that needs tokio: the wire of a connection, and the connections of an accept loop.

mod active_request;
mod child;
mod clock;
mod conn_guard;
mod connection;
mod connections;
mod counts;
mod current;
mod entry;
mod entry_wait;
#[cfg(feature = "sendfile")]
mod file_section;
mod half_close;
mod open;
#[cfg(doctest)]
mod owner_only;
mod pipe;
mod request_guard;
mod request_values;
#[cfg(feature = "sendfile")]
mod send_files;
mod shared;
mod slots;
#[cfg(feature = "live")]
mod survey;
mod sweeper;
mod watch;
mod wire;
mod wire_error;

pub use active_request::ActiveRequest;
pub use conn_guard::ConnGuard;
pub use connection::{Connection, Retirement, StateHook};
pub use connections::Connections;
pub use counts::Counts;
pub use current::InterimError;
#[cfg(feature = "sendfile")]
pub use file_section::FileSection;
pub use pipe::Pipe;
pub use request_guard::RequestGuard;
pub use request_values::RequestValues;
#[cfg(feature = "live")]
pub use survey::{ConnectionSnapshot, Survey, WaitSnapshot};
pub use sweeper::Sweeper;
pub use wire::{Filled, Wire};
pub use wire_error::WireError;
