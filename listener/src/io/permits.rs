//! The right to have so many connections at once, which listeners may share.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    peer_limit::PeerPlace,
    pressure::{Pressure, PressureGuard},
};

/// A number of connections that may be open at once. Clones share the number: their listeners are limited together.
#[derive(Clone, Debug)]
pub struct Permits {
    permits: Arc<Semaphore>,
    max: usize,
    /// How many listeners were ever limited by them. A count that is too high because one of them has gone raises the
    /// pressure for all listeners, which is the safe side.
    listeners: Arc<AtomicUsize>,
}

/// The right to have one connection, given back when dropped.
#[derive(Debug)]
pub struct Permit(Held);

/// Two variants and a box, so that a connection whose peer is not counted is not a byte larger for it.
#[derive(Debug)]
#[expect(dead_code, reason = "held for its drop")]
enum Held {
    Alone(OwnedSemaphorePermit),
    WithPlace(Box<(Self, PeerPlace)>),
}

impl Permit {
    /// Holds its peer's place, too.
    pub(super) fn with(self, place: PeerPlace) -> Self {
        if place.is_counted() { Self(Held::WithPlace(Box::new((self.0, place)))) } else { self }
    }
}

impl Permits {
    /// `n` permits; at least 1, because a server with none could never accept.
    pub fn new(n: usize) -> Self {
        let max = n.clamp(1, Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(max)), max, listeners: Arc::default() }
    }

    /// How many permits there are, free or not.
    pub fn max(&self) -> usize {
        self.max
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
            None => {
                let permit = Arc::clone(&self.permits).acquire_owned().await;
                Permit(Held::Alone(permit.expect("nothing closes this semaphore")))
            }
        }
    }

    /// A permit, if one is free and no task waits for it.
    pub fn try_acquire(&self) -> Option<Permit> {
        Arc::clone(&self.permits).try_acquire_owned().ok().map(|permit| Permit(Held::Alone(permit)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_without_a_place_is_no_larger_than_the_semaphores() {
        assert_eq!(size_of::<Permit>(), size_of::<OwnedSemaphorePermit>());
    }
}
