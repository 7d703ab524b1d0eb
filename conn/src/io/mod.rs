//! What waits: the wire, and the connections under one clock.

mod conns;
mod link;
mod patience;
mod wire;

pub use conns::{Conn, Conns, Counts, StateHook, Sweeper, Tracked};
pub use link::Link;
pub use wire::{Filled, Wire, WireError};
