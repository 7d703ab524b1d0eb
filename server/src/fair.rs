//! Fairness: how much a connection does before it yields its thread to other connections.
//!
//! A client that pipelines, or that reads as fast as we write, never makes its task wait: the next request or the next
//! piece of a body is always ready. tokio makes such a task yield only after many socket operations, so with a handler of
//! 1 ms the other clients of the thread would wait for seconds. So a task counts its units (a request, or a piece of a
//! body). It yields after [`REQUESTS`] requests, [`PIECES`] pieces of a body, or [`SPAN`] of time.
//!
//! Reading the clock for each request would cost too much. The clock is read after [`FIRST`] units without a wait, which
//! few connections reach, and then after every [`STEP`] units. After a turn that lasted too long, each unit is timed.

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
/// The longest turn. It is exact only to the units between two readings of the clock.
const SPAN: Duration = Duration::from_millis(1);
/// Units of a turn before the first reading of the clock: a usual pipeline is no longer.
const FIRST: u8 = 16;
/// Units between two readings of the clock after that.
const STEP: u8 = 4;

/// The units that a connection's task has done since it last waited or yielded.
///
/// Eight bytes, because every connection has one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Units until the next decision. The usual unit only decrements it: no clock, one branch.
    left: u8,
    /// Units of this turn up to the last decision.
    done: u8,
    /// The most units of a turn.
    most: u8,
    /// Whether each unit is timed, because the last turn was over by its time.
    slow: bool,
    /// When the timing of this turn began, by [`clock`]; zero if it has not begun.
    since: u32,
}

impl Turn {
    /// A first turn. This one and each later one has at most `most` units.
    pub(crate) const fn of(most: u8) -> Self {
        Self { left: FIRST, done: 0, most, slow: false, since: 0 }
    }

    /// Begins a new turn: the task waited or yielded, so the other tasks of the thread could run.
    #[inline]
    pub(crate) fn begin(&mut self) {
        (self.left, self.done, self.since) = (if self.slow { 1 } else { FIRST }, 0, 0);
    }

    /// Counts a unit that was ready without a wait; `true` if the task must yield before doing it.
    #[inline]
    pub(crate) fn is_over(&mut self) -> bool {
        self.left -= 1;
        self.left == 0 && self.decide(clock())
    }

    /// Whether the turn is over, by its units or its time.
    #[cold]
    fn decide(&mut self, now: u32) -> bool {
        // The first decision of a turn only starts the timing: its first `FIRST` units have no start time. So a turn is
        // over by its time at the second decision at the earliest.
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
        // A turn that was over by its units took less than `SPAN`: its units are quick, and are counted again.
        let over = self.done >= self.most;
        self.slow &= !over;
        over
    }
}

/// The time in microseconds, wrapping after 71 minutes. Never zero, which means "not timed". Four bytes are enough, as
/// only differences within a turn count.
fn clock() -> u32 {
    static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
    #[expect(clippy::cast_possible_truncation, reason = "it goes round after 71 minutes; only differences count")]
    let micros = EPOCH.elapsed().as_micros() as u32;
    micros.max(1)
}

/// Yields to the other tasks of the thread, after sending what the client takes at once.
///
/// `yield_now` and not a plain wake-up of this task: after `yield_now` the runtime polls its sockets before this task
/// runs again. Otherwise it polls them after every 61st task only, and the other clients would still wait.
///
/// # Errors
/// [`WireError`] if the connection failed.
///
/// # Cancel safety
/// Cancel safe: unsent bytes stay in the output.
#[cold]
pub(crate) async fn give_way<S: Stream>(requests: &mut Requests<S>, turn: &mut Turn) -> Result<(), WireError> {
    poll_fn(|cx| match requests.poll_flush(cx, 0) {
        // The client does not take the rest now. Waiting for it is not the purpose: the rest is sent with the next flush.
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
    fn slow_units_are_timed_after_a_turn_that_was_too_long() {
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
            // The first request was waited for, so it does not count.
            assert!((1..16).all(|_| !turn.is_over()));
            assert_eq!(turn.since, 0);
        }
    }

    proptest! {
        #[test]
        fn a_turn_never_exceeds_its_units(
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
