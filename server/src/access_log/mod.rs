//! The access log: a line for each request, in one of three formats, and the thread that writes it.
//!
//! [`AccessLog`] is a log, and [`Config::access_log`](crate::Config::access_log) switches it on. The functions here are its
//! lines, for programs that write them by other means.
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

#[expect(clippy::module_inception, reason = "a file is named after the type in it")]
mod access_log;
mod access_log_counts;
mod access_log_options;
#[cfg(test)]
mod access_log_tests;
mod decimal;
mod destination;
mod escape;
mod line;
mod line_clock;
#[cfg(test)]
mod line_tests;
mod queue;
mod reopen_on_signals;
mod time_stamp;
mod whole_lines;

pub use access_log::AccessLog;
pub use access_log_counts::AccessLogCounts;
pub use access_log_options::{AccessLogOptions, LogFormat};
#[cfg(feature = "live")]
pub(crate) use decimal::push_decimal;
pub use line::{combined, common, json};
pub(crate) use reopen_on_signals::ReopenOnSignals;
