//! How long one connection may keep its thread while others wait for it.
//!
//! A client that sends ahead, or reads as fast as it is written to, never makes its task wait: the next request or the
//! next piece of a body is always ready. The runtime interrupts such a task only after many socket operations, and a
//! handler of 1 ms makes the other clients of the thread wait for seconds. So a task counts what it does, and lets the
//! others run after [`REQUESTS`] requests, [`PIECES`] pieces of a body, or [`SPAN`] of time.
//!
//! Reading a clock for each request would cost more than the rule is worth: it is read after [`FIRST`] units without a
//! wait, which few connections ever have, and then after every [`STEP`]. Where a turn was over by its time, each unit
//! of the next ones is timed.

use std::{
    future::poll_fn,
    sync::LazyLock,
    task::Poll,
    time::{Duration, Instant},
};

use quintet_conn::WireError;
use quintet_listener::Stream;
use quintet_request::Requests;
use tokio::task::yield_now;

/// The most requests that are answered in a row without a wait.
pub(crate) const REQUESTS: u8 = 32;
/// The most pieces of a reply's body that are sent in a row without a wait.
pub(crate) const PIECES: u8 = 128;
/// The others run after this long, as far as units are timed.
const SPAN: Duration = Duration::from_millis(1);
/// Units of a turn before the clock is read: as many as are usually pipelined.
const FIRST: u8 = 16;
/// Units between two looks at the clock after that.
const STEP: u8 = 4;

/// What a connection's task has done since it last let others run: so many units, a request or a piece of a body each.
///
/// Eight bytes, as there is one for each connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Units until something is to be decided.
    left: u8,
    /// Units of this turn, as far as something was decided.
    done: u8,
    most: u8,
    /// Whether each unit is timed.
    slow: bool,
    /// When the timing of this turn began, by [`clock`]; zero if it has not.
    since: u32,
}

impl Turn {
    /// A turn of at most `most` units, and those after it.
    pub(crate) const fn of(most: u8) -> Self {
        Turn { left: FIRST, done: 0, most, slow: false, since: 0 }
    }

    /// The others had their turn.
    #[inline]
    pub(crate) fn begin(&mut self) {
        (self.left, self.done, self.since) = (if self.slow { 1 } else { FIRST }, 0, 0);
    }

    /// One more unit is about to be done, and nothing was waited for: whether the others come first.
    #[inline]
    pub(crate) fn is_over(&mut self) -> bool {
        self.left -= 1;
        self.left == 0 && self.decide(clock())
    }

    /// Whether the turn is over, by its units or its time.
    #[cold]
    fn decide(&mut self, now: u32) -> bool {
        let timed = self.since != 0;
        let step = if self.slow { 1 } else { STEP };
        self.done += if timed || self.slow { step } else { FIRST };
        self.left = step;
        if !timed {
            self.since = now;
        } else if Duration::from_micros(now.wrapping_sub(self.since).into()) >= SPAN {
            self.slow = true;
            return true;
        }
        let over = self.done >= self.most;
        self.slow &= !over;
        over
    }
}

/// Microseconds that go round, never zero.
fn clock() -> u32 {
    static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
    #[expect(clippy::cast_possible_truncation, reason = "it goes round after 71 minutes; only differences count")]
    let micros = EPOCH.elapsed().as_micros() as u32;
    micros.max(1)
}

/// Lets the other tasks of the thread run, and the runtime look at its sockets; what is to be sent goes before.
///
/// `yield_now`, and not merely waking this task: the runtime then looks at its sockets before this task runs again,
/// which it otherwise does after every 61st task only.
///
/// # Errors
/// [`WireError`] if the connection failed.
#[cold]
pub(crate) async fn give_way<S: Stream>(requests: &mut Requests<S>, turn: &mut Turn) -> Result<(), WireError> {
    poll_fn(|cx| match requests.poll_flush(cx, 0) {
        // What the client does not take now is sent later: it is the others' turn.
        Poll::Pending => Poll::Ready(Ok(())),
        flushed => flushed,
    })
    .await?;
    yield_now().await;
    turn.begin();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// How many units of this length each of a few turns has.
    fn turns(turn: &mut Turn, micros: u32) -> Vec<u8> {
        let mut now = 1_u32;
        (0..5)
            .map(|_| {
                turn.begin();
                let mut units = 0;
                loop {
                    units += 1;
                    now += micros;
                    turn.left -= 1;
                    if turn.left == 0 && turn.decide(now) {
                        return units;
                    }
                }
            })
            .collect()
    }

    #[test]
    fn quick_units_are_counted() {
        assert_eq!(turns(&mut Turn::of(REQUESTS), 1), [REQUESTS; 5]);
        assert_eq!(turns(&mut Turn::of(PIECES), 1), [PIECES; 5]);
    }

    #[test]
    fn slow_units_are_timed_as_soon_as_a_turn_was_too_long() {
        assert_eq!(turns(&mut Turn::of(REQUESTS), 1_000), [20, 2, 2, 2, 2]);
        assert_eq!(turns(&mut Turn::of(REQUESTS), 300), [20, 5, 5, 5, 5]);
        assert_eq!(turns(&mut Turn::of(PIECES), 100), [28, 11, 11, 11, 11]);
    }

    #[test]
    fn units_that_become_quick_are_counted_again() {
        let mut turn = Turn::of(REQUESTS);
        turns(&mut turn, 1_000);
        assert_eq!(turns(&mut turn, 1), [REQUESTS; 5]);
        assert!(!turn.slow);
    }

    #[test]
    fn sixteen_pipelined_requests_read_no_clock() {
        let mut turn = Turn::of(REQUESTS);
        for _ in 0..10 {
            turn.begin();
            // The first of them was waited for, and does not count.
            assert!((1..16).all(|_| !turn.is_over()));
            assert_eq!(turn.since, 0);
        }
    }

    proptest! {
        #[test]
        fn no_turn_has_more_units_than_it_may(
            most in prop::sample::select(vec![REQUESTS, PIECES]),
            steps in prop::collection::vec((any::<u16>(), any::<bool>()), 1..2_000),
        ) {
            let (mut turn, mut now, mut units) = (Turn::of(most), 1_u32, 0_u8);
            for (micros, waits) in steps {
                now = now.wrapping_add(micros.into()).max(1);
                if waits {
                    turn.begin();
                    units = 0;
                }
                units += 1;
                turn.left -= 1;
                if turn.left == 0 && turn.decide(now) {
                    turn.begin();
                    units = 0;
                }
                prop_assert!(units < most);
            }
        }
    }
}
