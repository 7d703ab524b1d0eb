//! The meter of resets: how many requests a client may reset.

use quintet_conn::Tick;

/// The meter of resets: how many requests a client may reset, as a burst and a rate. It is a bucket of `burst` resets
/// that fills by `per_second`. nghttp2: `stream_reset_rate_limit`.
///
/// A count for the life of a connection would end an honest connection that is old enough: a browser resets a request
/// for each page that is left early.
#[derive(Debug)]
pub(super) struct ResetMeter {
    burst: u64,
    per_second: u64,
    /// What is left, in thousandths of a reset.
    left: u64,
    at: Tick,
}

impl ResetMeter {
    pub(super) fn new(burst: u32, per_second: u32) -> Self {
        let burst = u64::from(burst) * 1000;
        Self { burst, per_second: per_second.into(), left: burst, at: Tick::START }
    }

    /// Counts `n` resets. `false` if the client has reset more than it may.
    pub(super) fn count(&mut self, n: u32, now: Tick) -> bool {
        // A rate per second is as many thousandths per millisecond.
        let filled = now.millis_since(self.at).saturating_mul(self.per_second);
        self.at = now;
        self.left = self.left.saturating_add(filled).min(self.burst);
        match self.left.checked_sub(u64::from(n) * 1000) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Tick {
        Tick::from_millis(seconds * 1000)
    }

    #[test]
    fn a_burst_of_resets_is_allowed_and_one_more_is_not() {
        let mut meter = ResetMeter::new(1000, 33);
        assert!((0..1000).all(|_| meter.count(1, at(5))));
        assert!(!meter.count(1, at(5)));
        assert!(!meter.count(33, at(5)));
        assert!(meter.count(33, at(6)));
        assert!(!meter.count(1, at(6)));
    }

    #[test]
    fn resets_at_the_rate_are_allowed_for_ever() {
        let mut meter = ResetMeter::new(100, 33);
        assert!((0..100_000).all(|second| meter.count(33, at(second))));
        assert!(!meter.count(200, at(1_000_000)), "the bucket holds no more than a burst");
        assert!(meter.count(100, at(1_000_000)));
    }

    #[test]
    fn without_a_burst_no_reset_is_allowed() {
        let mut meter = ResetMeter::new(0, 33);
        assert!(meter.count(0, at(1)) && !meter.count(1, at(100)));
    }
}
