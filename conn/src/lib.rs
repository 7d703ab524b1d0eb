#![cfg_attr(feature = "tokio", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "tokio"),
    doc = "One client connection, without a runtime: its bytes ([`Buffer`], [`Output`]), its time limits \
           ([`Deadlines`], [`Pace`]) and its states ([`State`])."
)]
#![deny(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod buffer;
mod deadlines;
mod output;
mod pool;
mod state;

pub use buffer::Buffer;
pub use deadlines::{Deadlines, Pace, Phase};
pub use output::Output;
pub use pool::BLOCK;
pub use state::{IllegalMove, State};

#[cfg(feature = "tokio")]
mod io;

#[cfg(feature = "tokio")]
pub use io::{Conn, Conns, Counts, Filled, Link, StateHook, Sweeper, Tracked, Wire, WireError};
