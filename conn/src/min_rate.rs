//! The meter of a minimum rate: how fast a body or a reply moves.

use crate::{Phase, Tick, Timeouts, tick::millis};

/// The meter of a minimum rate: how many bytes of a body or a reply moved, and how long the client was waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MinRate {
    /// Bytes.
    moved: u64,
    /// Milliseconds, without those of a wait in progress.
    waited: u64,
    /// When the wait in progress began.
    since: Option<Tick>,
}

impl MinRate {
    /// Begins or continues a wait for the client to send a body or to read a reply, and returns the deadline of the
    /// wait. `None` is never; at the deadline itself the client is late.
    ///
    /// The deadline is the earlier of two: no byte for [`Timeouts::stall`] (for [`Phase::Reply`]
    /// [`Timeouts::reply_stall`]), and fewer bytes than [`Timeouts::min_rate`] demands after
    /// [`Timeouts::min_rate_grace`].
    pub fn wait(&mut self, now: Tick, phase: Phase, limits: &Timeouts) -> Option<Tick> {
        let since = *self.since.get_or_insert(now);
        let still = limits.end(phase, since);
        if limits.min_rate == 0 {
            return still;
        }
        let earned = self.moved.saturating_mul(1000).div_ceil(u64::from(limits.min_rate));
        let allowed = millis(limits.min_rate_grace).saturating_add(earned);
        Tick::earlier(still, since.after_millis(allowed.saturating_sub(self.waited)))
    }

    /// Counts `n` bytes and ends the wait, if one is in progress.
    #[inline]
    pub fn moved(&mut self, n: usize, now: Tick) {
        self.count(n);
        self.pause(now);
    }

    /// Counts `n` bytes that moved while no wait was [in progress](Self::is_waiting).
    #[inline]
    pub fn count(&mut self, n: usize) {
        self.moved = self.moved.saturating_add(n as u64);
    }

    /// Whether a wait is in progress.
    #[inline]
    pub fn is_waiting(&self) -> bool {
        self.since.is_some()
    }

    /// Ends the wait in progress although no byte moved.
    #[inline]
    pub fn pause(&mut self, now: Tick) {
        if let Some(since) = self.since.take() {
            self.waited = self.waited.saturating_add(now.millis_since(since));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wait(meter: &mut MinRate, now: u64, limits: &Timeouts) -> Option<u64> {
        meter.wait(Tick::from_millis(now), Phase::Body, limits).map(Tick::as_millis)
    }

    #[test]
    fn without_timeouts_no_body_is_late() {
        assert_eq!(wait(&mut MinRate::default(), 5, &Timeouts::none()), None);
    }

    #[test]
    fn a_dribbled_body_falls_behind_the_min_rate() {
        // One byte a second against 240: the grace of 5 s is used up after five waits of a second.
        let limits = Timeouts::default();
        let (mut meter, mut now) = (MinRate::default(), 0);
        while now < 60_000 {
            let deadline = wait(&mut meter, now, &limits).unwrap();
            if deadline < now + 1000 {
                assert!((5_000..5_100).contains(&deadline), "{deadline}");
                return;
            }
            now += 1000;
            meter.moved(1, Tick::from_millis(now));
        }
        panic!("a minute is not late");
    }

    #[test]
    fn a_quick_beginning_earns_at_most_the_stall_timeout() {
        let limits = Timeouts::default();
        let mut meter = MinRate::default();
        meter.moved(10 << 20, Tick::START);
        assert_eq!(wait(&mut meter, 0, &limits), Some(30_000));
    }

    #[test]
    fn a_pause_does_not_count_for_the_min_rate() {
        let limits = Timeouts::default();
        let mut meter = MinRate::default();
        assert_eq!(wait(&mut meter, 0, &limits), Some(5_000));
        meter.pause(Tick::from_millis(1_000));
        assert_eq!(wait(&mut meter, 60_000, &limits), Some(64_000));
    }

    proptest! {
        #[test]
        fn only_a_client_below_the_min_rate_is_late(
            rate in 1..10_000_u32,
            gaps in proptest::collection::vec(1..20_000_u64, 1..50),
        ) {
            let limits = Timeouts { min_rate: rate, ..Timeouts::default() };
            let (mut meter, mut now) = (MinRate::default(), 0);
            for gap in gaps {
                let deadline = wait(&mut meter, now, &limits).unwrap();
                // The definition, computed another way: late at the first moment when waited > grace + moved / rate.
                let earned = (meter.moved * 1000).div_ceil(u64::from(rate));
                let by_rate = (now + 5_000 + earned).checked_sub(meter.waited).expect("was in time so far");
                prop_assert_eq!(deadline, by_rate.min(now + 30_000));
                if now + gap > deadline {
                    return Ok(());
                }
                now += gap;
                // Exactly the rate, rounded up.
                let due = (gap * u64::from(rate)).div_ceil(1000);
                meter.moved(usize::try_from(due).unwrap(), Tick::from_millis(now));
                prop_assert!(wait(&mut meter, now, &limits) >= Some(now + 4_999), "a client at the rate keeps its grace");
                meter.pause(Tick::from_millis(now));
            }
        }
    }
}
