//! What waits: the wire, and the connections under one clock.

mod connection;
mod connections;
#[cfg(doctest)]
mod owner_only;
mod rare;
mod wait_state;
mod wire;

pub use connection::Connection;
pub use connections::{ConnGuard, Connections, Counts, StateHook, Sweeper};
pub use wire::{Filled, Wire, WireError};
