//! The lines of an access log: functions of an event, in three formats.
//!
//! A line has no newline, neither at its end nor anywhere else, whatever a client sends: only printable ASCII is written as it
//! is, and the rest is escaped. A line is of a whole request: its event comes when the last byte of the reply was sent, or
//! the connection was cut.
//!
//! ```
//! use quintet_server::{Config, Hooks, Server, access_log};
//! use std::{io::Write, sync::Arc};
//!
//! let hooks = Hooks {
//!     served: Some(Arc::new(|served| {
//!         let line = format!("{}\n", access_log::combined(served));
//!         let _ = std::io::stdout().write_all(line.as_bytes());
//!     })),
//!     ..Hooks::default()
//! };
//! let server = Server::with_config(async |_| "hello\n", Config { hooks, ..Config::default() });
//! ```

mod decimal;
mod escape;
mod line;
mod line_clock;
#[cfg(test)]
mod line_tests;
mod time_stamp;

pub use line::{combined, common, json};
