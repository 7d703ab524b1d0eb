//! The settings of a reply of server-sent events.

use std::time::Duration;

/// The settings of a reply of server-sent events.
///
/// Written with `..EventOptions::default()`: a new field is no breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventOptions {
    /// After this time without an event a comment is sent, which the client ignores. 15 seconds; `None`: never.
    ///
    /// Proxies close a connection on which nothing moves, nginx after 60 seconds. And only sending finds a client that has
    /// gone without a word (a laptop that was closed).
    pub heartbeat: Option<Duration>,
    /// How long the client waits before it connects again. It is sent before the first event. `None`: not sent, and the
    /// client decides (a browser waits a few seconds).
    pub retry: Option<Duration>,
}

impl Default for EventOptions {
    fn default() -> Self {
        Self { heartbeat: Some(Duration::from_secs(15)), retry: None }
    }
}
