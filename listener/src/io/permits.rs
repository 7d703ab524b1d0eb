//! The right to have so many connections at once, which listeners may share.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::pressure::{Pressure, PressureGuard};

/// A number of connections that may be open at once. Clones share the number: their listeners are limited together.
#[derive(Clone, Debug)]
pub struct Permits {
    permits: Arc<Semaphore>,
    /// How many listeners were ever limited by them. A count that is too high because one of them has gone raises the
    /// pressure for all listeners, which is the safe side.
    listeners: Arc<AtomicUsize>,
}

/// The right to have one connection, given back when dropped.
#[derive(Debug)]
pub struct Permit(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Permits {
    /// `n` permits; at least 1, because a server with none could never accept.
    pub fn new(n: usize) -> Self {
        let permits = Arc::new(Semaphore::new(n.clamp(1, Semaphore::MAX_PERMITS)));
        Self { permits, listeners: Arc::default() }
    }

    /// How many permits are free.
    pub fn available(&self) -> usize {
        self.permits.available_permits()
    }

    /// Waits for a permit, first come, first served.
    ///
    /// # Cancel safety
    /// Only the place in the queue is lost.
    pub async fn acquire(&self) -> Permit {
        match self.try_acquire() {
            Some(permit) => permit,
            None => Permit(Arc::clone(&self.permits).acquire_owned().await.expect("nothing closes this semaphore")),
        }
    }

    /// A permit, if one is free and no task waits for it.
    pub fn try_acquire(&self) -> Option<Permit> {
        Arc::clone(&self.permits).try_acquire_owned().ok().map(Permit)
    }

    /// Counts a listener that is limited by these permits.
    pub(super) fn add_listener(&self) {
        self.listeners.fetch_add(1, Relaxed);
    }

    /// Raises the pressure for a client that waits for a permit. If all permits belong to one listener, the end of
    /// another listener's connections would give none, so only its own are asked for.
    pub(super) fn raise(&self, pressure: &Pressure) -> PressureGuard {
        if self.listeners.load(Relaxed) > 1 { pressure.raise() } else { pressure.raise_own() }
    }
}
