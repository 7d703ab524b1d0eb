//! One event of an accept loop in trouble: an error, a descriptor that came free, the recovery.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::AcceptErrorKind;

/// The most events that are kept.
const MAX_EVENTS: usize = 64;

/// One event of an accept loop in trouble. From [`Health::events`](crate::Health::events).
///
/// A back-off of 5 ms is shorter than the time between two looks at the [snapshot](crate::Health::snapshot), which shows
/// only the last error; the events show each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptEvent {
    /// The number of the event in its accept loop, from 1.
    pub seq: u64,
    /// When.
    pub at: Instant,
    /// What happened.
    pub kind: AcceptEventKind,
}

/// What happened to an accept loop in trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcceptEventKind {
    /// An accept error that is waited for, or that ends accepting.
    Failed {
        /// Its number, if it came from the system.
        errno: Option<i32>,
        /// How it was classified.
        kind: AcceptErrorKind,
        /// How long until the next attempt; zero after a fatal error.
        delay: Duration,
    },
    /// A descriptor of this process was released, and the back-off ended early.
    Released,
    /// An accept succeeded, or waits for a client: nothing is lacking any more.
    Recovered,
}

/// The last [`MAX_EVENTS`] events of one accept loop. Without any it holds no memory.
#[derive(Debug, Default)]
pub(super) struct AcceptEvents {
    seq: u64,
    last: VecDeque<AcceptEvent>,
}

impl AcceptEvents {
    pub(super) fn push(&mut self, at: Instant, kind: AcceptEventKind) {
        self.seq += 1;
        if self.last.len() == MAX_EVENTS {
            self.last.pop_front();
        }
        self.last.push_back(AcceptEvent { seq: self.seq, at, kind });
    }

    /// Those after number `seq`, in order.
    pub(super) fn after(&self, seq: u64) -> Vec<AcceptEvent> {
        self.last.iter().filter(|event| event.seq > seq).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_events_are_the_last_64_in_order() {
        let (mut events, now) = (AcceptEvents::default(), Instant::now());
        assert_eq!((events.after(0), events.last.capacity()), (vec![], 0));
        for n in 1..=200 {
            events.push(now, AcceptEventKind::Recovered);
            let kept: Vec<u64> = events.after(0).iter().map(|event| event.seq).collect();
            assert_eq!(kept, (n.max(64) - 63..=n).collect::<Vec<u64>>());
        }
        assert_eq!(events.after(198).iter().map(|event| event.seq).collect::<Vec<_>>(), [199, 200]);
        assert_eq!(events.after(200), []);
    }
}
