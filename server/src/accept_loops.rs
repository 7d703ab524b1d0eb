//! The accept loops of a server: each with its connections, its health, and whether it still accepts.

use std::sync::Arc;

use quintet_conn::Connections;
use quintet_listener::{Health, ListenerHealth};
use tokio::time::Instant;

/// The accept loops of a server, open or draining, behind one lock.
#[derive(Default)]
pub(crate) struct AcceptLoops {
    /// Whether the server was told to shut down.
    pub(crate) stopping: bool,
    /// When the delay before the shutdown began.
    pub(crate) retiring_since: Option<Instant>,
    /// How many connections were accepted after the shutdown began; they had connected before it.
    pub(crate) late: usize,
    pub(crate) loops: Vec<Loop>,
}

/// One accept loop.
pub(crate) struct Loop {
    pub(crate) connections: Arc<Connections>,
    pub(crate) health: Health,
    pub(crate) listener: ListenerHealth,
    /// Whether the loop still accepts.
    pub(crate) open: bool,
}

impl AcceptLoops {
    /// The connections of every loop.
    pub(crate) fn connections(&self) -> Vec<Arc<Connections>> {
        self.loops.iter().map(|one| Arc::clone(&one.connections)).collect()
    }
}
