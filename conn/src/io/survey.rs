//! What is to be told of the connections of one accept loop: how many there are, and how long the slowest have waited.

use std::{sync::Arc, time::Duration};

use super::{connection::Connection, counts::Counts, shared::SLACK};
use crate::Phase;

/// What is to be told of the connections of one accept loop at one time. From
/// [`Connections::survey`](super::Connections::survey).
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Survey {
    /// The number of connections in each state.
    pub counts: Counts,
    /// The number of requests in progress.
    pub requests: usize,
    /// Some of the connections, the longest waits first.
    pub connections: Vec<ConnectionSnapshot>,
}

/// One connection of a [`Survey`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionSnapshot {
    /// The connection.
    pub connection: Arc<Connection>,
    /// The number of its requests in progress.
    pub requests: usize,
    /// What the server waits for its client to do. `None`: nothing, or without a deadline.
    pub wait: Option<WaitSnapshot>,
}

/// What the server waits for a client to do, and for how long. Of a connection with many requests at once, the wait whose
/// deadline comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitSnapshot {
    /// The phase.
    pub phase: Phase,
    /// The time until the deadline, to about a quarter of a second.
    pub left: Duration,
    /// The [timeout](crate::Timeouts) of the phase; of a body or a reply, the time without any byte. At least `left`.
    pub limit: Duration,
}

impl ConnectionSnapshot {
    pub(super) fn of(connection: &Arc<Connection>) -> Self {
        let wait = connection.wait().map(|(phase, left, limit)| {
            // The entry's deadline is later by what the clock may be behind.
            let left = Duration::from_millis(left).saturating_sub(SLACK);
            WaitSnapshot { phase, left, limit: Duration::from_millis(limit).max(left) }
        });
        Self { connection: Arc::clone(connection), requests: connection.requests(), wait }
    }
}
