//! What waits: the wire, and the connections under one clock.

mod clock;
mod conn_guard;
mod connection;
mod connections;
mod counts;
mod entry;
mod entry_wait;
#[cfg(doctest)]
mod owner_only;
mod rare;
mod shared;
mod slots;
mod sweeper;
mod wire;
mod wire_error;

pub use conn_guard::ConnGuard;
pub use connection::{Connection, StateHook};
pub use connections::Connections;
pub use counts::Counts;
pub use sweeper::Sweeper;
pub use wire::{Filled, Wire};
pub use wire_error::WireError;
