//! How full a limit of connections is, and whom it kept out.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use super::{peer_limit::PeerCounts, permits::Permits};

/// A handle on the health of one [`Limit`](crate::Limit). Clones are the same handle; it outlives the listener.
#[derive(Clone, Debug)]
pub struct LimitHealth {
    permits: Permits,
    waiting: WaitingFlag,
    peers: PeerCounts,
}

/// The answer of [`LimitHealth::snapshot`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitHealthSnapshot {
    /// How many permits are free: so many connections may still come, together to all listeners that share them.
    pub available: usize,
    /// How many permits there are, free or not.
    pub max: usize,
    /// Whether a client is accepted and waits for a permit.
    pub waiting: bool,
    /// Connections closed because their peer had as many as it may ([`Limit::per_peer`](crate::Limit::per_peer)).
    pub per_peer: u64,
    /// How many peers are connected; 0 if they are not counted.
    pub peers: usize,
}

impl LimitHealth {
    pub(super) fn new(permits: &Permits, waiting: &WaitingFlag, peers: &PeerCounts) -> Self {
        Self { permits: permits.clone(), waiting: waiting.clone(), peers: peers.clone() }
    }

    /// Everything at once. The numbers are read one after another while connections come and go.
    pub fn snapshot(&self) -> LimitHealthSnapshot {
        LimitHealthSnapshot {
            available: self.permits.available(),
            max: self.permits.max(),
            waiting: self.waiting.0.load(Relaxed),
            per_peer: self.peers.refused(),
            peers: self.peers.peers(),
        }
    }
}

/// Whether a client waits. Clones are the same flag.
#[derive(Clone, Debug, Default)]
pub(super) struct WaitingFlag(Arc<AtomicBool>);

/// Raised while a client waits; lowered when dropped.
#[derive(Debug)]
pub(super) struct WaitingGuard(WaitingFlag);

impl WaitingFlag {
    pub(super) fn raise(&self) -> WaitingGuard {
        self.0.store(true, Relaxed);
        WaitingGuard(self.clone())
    }
}

impl Drop for WaitingGuard {
    fn drop(&mut self) {
        self.0.0.store(false, Relaxed);
    }
}
