//! How long one connection may keep its thread while others wait for it.
//!
//! A client that sends ahead, or reads as fast as it is written to, never makes its task wait: the next request or the
//! next piece of a body is always ready. The runtime interrupts such a task only after many socket operations, and a
//! handler of 1 ms makes the other clients of the thread wait for seconds. So a task counts what it does, and lets the
//! others run after [`REQUESTS`] requests, [`PIECES`] pieces of a body, or [`SPAN`] of time.
//!
//! Reading a clock for each request would cost more than the rule is worth. Time is therefore sampled: of every
//! [`SPARSE`] units one is timed, and as soon as one was slow, each is.

use std::{
    future::poll_fn,
    sync::LazyLock,
    task::Poll,
    time::{Duration, Instant},
};

use quintet_conn::WireError;
use quintet_listener::Stream;
use quintet_request::{Request, Requests, RequestsError};
use tokio::task::yield_now;

/// The most requests that are answered in a row without a wait.
pub(crate) const REQUESTS: u8 = 32;
/// The most pieces of a reply's body that are sent in a row without a wait.
pub(crate) const PIECES: u8 = 128;
/// The others run after this long, as far as units are timed.
const SPAN: Duration = Duration::from_millis(1);
/// A unit that takes this long is slow.
const SLOW: Duration = Duration::from_micros(200);
/// Of so many quick units one is timed.
const SPARSE: u8 = 16;
/// So many units in a row that take less than [`SLOW`] together end the timing of each.
const QUICK: u8 = 8;

/// What a connection's task has done since it last let others run: so many units, a request or a piece of a body each.
///
/// Eight bytes, as there is one for each connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    units: u8,
    most: u8,
    /// Units until the clock is read.
    unread: u8,
    /// Whether each unit is timed.
    timed: bool,
    /// When the timing began, by [`clock`]; zero if nothing is being timed.
    since: u32,
}

impl Turn {
    /// A turn of at most `most` units.
    pub(crate) const fn of(most: u8) -> Self {
        Turn { units: 0, most, unread: SPARSE, timed: false, since: 0 }
    }

    /// The others had their turn.
    #[inline]
    pub(crate) fn begin(&mut self) {
        self.units = 0;
        if self.since != 0 {
            (self.since, self.unread) = (0, if self.timed { 1 } else { SPARSE });
        }
    }

    /// One more unit is about to be done, and nothing was waited for: whether the others come first.
    #[inline]
    pub(crate) fn is_over(&mut self) -> bool {
        self.is_over_at(clock)
    }

    #[inline]
    fn is_over_at(&mut self, clock: impl FnOnce() -> u32) -> bool {
        self.units += 1;
        self.unread -= 1;
        if self.unread > 0 { self.units >= self.most } else { self.look(clock()) || self.units >= self.most }
    }

    /// Whether the time is over, too. Decides when the clock is read next.
    #[cold]
    fn look(&mut self, now: u32) -> bool {
        self.unread = 1;
        if self.since == 0 {
            self.since = now;
            return false;
        }
        let took = Duration::from_micros(now.wrapping_sub(self.since).into());
        if self.timed {
            if took < SLOW && self.units > QUICK {
                (self.timed, self.since, self.unread) = (false, 0, SPARSE);
            }
            return took >= SPAN;
        }
        self.timed = took >= SLOW;
        if !self.timed {
            (self.since, self.unread) = (0, SPARSE);
        }
        took >= SPAN
    }
}

/// Microseconds that go round, never zero.
fn clock() -> u32 {
    static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
    #[expect(clippy::cast_possible_truncation, reason = "it goes round after 71 minutes; only differences count")]
    let micros = EPOCH.elapsed().as_micros() as u32;
    micros.max(1)
}

/// [`Requests::next`], after the others had their turn if this connection has had its own.
///
/// # Errors
/// As [`Requests::next`].
#[inline]
pub(crate) async fn next<S: Stream>(
    requests: &mut Requests<S>,
    turn: &mut Turn,
) -> Result<Option<Request>, RequestsError> {
    let mut waited = false;
    loop {
        if let Some(request) = requests.try_next()? {
            if waited {
                turn.begin();
            } else if turn.is_over() {
                give_way(requests).await.map_err(RequestsError::Wire)?;
                turn.begin();
            }
            return Ok(Some(request));
        }
        let readable = poll_fn(|cx| {
            let polled = requests.poll_readable(cx);
            waited |= polled.is_pending();
            polled
        });
        if !readable.await? {
            return Ok(None);
        }
    }
}

/// Lets the other tasks of the thread run, and the runtime look at its sockets; what is to be sent goes before.
///
/// `yield_now`, and not merely waking this task: the runtime then looks at its sockets before this task runs again,
/// which it otherwise does after every 61st task only.
///
/// # Errors
/// [`WireError`] if the connection failed.
#[cold]
pub(crate) async fn give_way<S: Stream>(requests: &mut Requests<S>) -> Result<(), WireError> {
    poll_fn(|cx| match requests.poll_flush(cx, 0) {
        // What the client does not take now is sent later: it is the others' turn.
        Poll::Pending => Poll::Ready(Ok(())),
        flushed => flushed,
    })
    .await?;
    yield_now().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// How many units of this length each of a few turns has.
    fn turns(turn: &mut Turn, micros: u32) -> Vec<u8> {
        let mut now = 1_u32;
        (0..6)
            .map(|_| {
                turn.begin();
                let mut units = 0;
                loop {
                    units += 1;
                    now += micros;
                    if turn.is_over_at(|| now) {
                        return units;
                    }
                }
            })
            .collect()
    }

    #[test]
    fn quick_units_are_counted() {
        assert_eq!(turns(&mut Turn::of(REQUESTS), 1), [REQUESTS; 6]);
    }

    #[test]
    fn slow_units_are_timed_as_soon_as_one_was_noticed() {
        // The first is noticed by the sample, the 17th; from then on a turn is a millisecond, and the unit before it.
        assert_eq!(turns(&mut Turn::of(REQUESTS), 1_000), [17, 2, 2, 2, 2, 2]);
        assert_eq!(turns(&mut Turn::of(REQUESTS), 300), [20, 5, 5, 5, 5, 5]);
    }

    #[test]
    fn units_that_become_quick_are_counted_again() {
        let mut turn = Turn::of(REQUESTS);
        turns(&mut turn, 1_000);
        assert_eq!(turns(&mut turn, 1)[1..], [REQUESTS; 5]);
        assert!(!turn.timed);
    }

    #[test]
    fn a_client_that_is_waited_for_after_every_unit_is_timed_once_in_sixteen() {
        let (mut turn, mut looks) = (Turn::of(REQUESTS), 0);
        for _ in 0..1_600 {
            turn.begin();
            assert!(!turn.is_over_at(|| {
                looks += 1;
                looks
            }));
        }
        assert_eq!(looks, 100);
    }

    proptest! {
        #[test]
        fn no_turn_has_more_units_than_it_may(most in 1..=PIECES, steps in prop::collection::vec((any::<u16>(), any::<bool>()), 1..2_000)) {
            let (mut turn, mut now, mut units) = (Turn::of(most), 1_u32, 0_u8);
            for (micros, waits) in steps {
                now = now.wrapping_add(micros.into()).max(1);
                if waits {
                    turn.begin();
                    units = 0;
                }
                units += 1;
                if turn.is_over_at(|| now) {
                    turn.begin();
                    units = 0;
                }
                prop_assert!(units < most.max(2));
            }
        }
    }
}
