#![cfg_attr(feature = "io", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "io"),
    doc = "One client connection, without a runtime: its bytes ([`Buffer`], [`Output`]), its time limits \
           ([`Timeouts`], [`WaitState`]) and its states ([`State`])."
)]
#![deny(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod buffer;
mod close_code;
mod min_rate;
mod output;
mod phase;
mod pool;
mod state;
mod tick;
mod timeouts;
mod wait_limits;
mod wait_state;

pub use buffer::Buffer;
pub use close_code::CloseCode;
pub use min_rate::MinRate;
pub use output::Output;
pub use phase::Phase;
pub use pool::BLOCK;
pub use state::{IllegalMove, State};
pub use tick::Tick;
pub use timeouts::Timeouts;
pub use wait_limits::WaitLimits;
pub use wait_state::{Stopping, WaitState};

#[cfg(feature = "io")]
mod io;

#[cfg(feature = "io")]
pub use io::{
    ActiveRequest, ConnGuard, Connection, Connections, Counts, Filled, InterimError, Pipe, RequestGuard, RequestValues,
    Retirement, StateHook, Sweeper, Wire, WireError,
};

#[cfg(feature = "live")]
pub use io::{ConnectionSnapshot, Survey, WaitSnapshot};

#[cfg(feature = "sendfile")]
pub use io::FileSection;

#[cfg(feature = "testing")]
#[doc(hidden)]
pub use quintet_listener::testing;
