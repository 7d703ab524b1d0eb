#![cfg_attr(feature = "io", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "io"),
    doc = "One client connection, without a runtime: its bytes ([`Buffer`], [`Output`]), its time limits \
           ([`Timeouts`], [`MinRate`]) and its states ([`State`])."
)]
#![deny(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod buffer;
mod close_code;
mod output;
mod pool;
mod state;
mod timeouts;

pub use buffer::Buffer;
pub use close_code::CloseCode;
pub use output::Output;
pub use pool::BLOCK;
pub use state::{IllegalMove, State};
pub use timeouts::{MinRate, Phase, Timeouts};

#[cfg(feature = "io")]
mod io;

#[cfg(feature = "io")]
pub use io::{ConnGuard, Connection, Connections, Counts, Filled, StateHook, Sweeper, Wire, WireError};
