//! The delays between attempts after accept errors that are waited for.
//!
//! A server out of file descriptors must neither spin nor stop. It waits 5 ms, then twice that, up to one
//! second, and starts again at 5 ms after the first success. Go does this inside `Server.Serve` (server.go:3579-3589).

use std::time::Duration;

/// The delay after the n-th error in a row: 5, 10, 20 … 640 ms, 1 s, 1 s …
///
/// A plain value without a clock or a socket; the caller waits.
///
/// ```
/// # use quintet_listener::Backoff;
/// # use std::time::Duration;
/// let mut backoff = Backoff::new();
/// assert_eq!(backoff.next(), Duration::from_millis(5));
/// assert_eq!(backoff.next(), Duration::from_millis(10));
/// backoff.reset(); // an accept succeeded
/// assert_eq!(backoff.next(), Duration::from_millis(5));
/// ```
///
/// # Spec
/// Go: `tempDelay` in `(*Server).Serve`.
#[doc(alias = "tempDelay")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    /// The last delay given out; zero when the last accept succeeded.
    delay: Duration,
}

impl Backoff {
    /// The delay after the first error: 5 ms.
    pub const FIRST: Duration = Duration::from_millis(5);
    /// No delay is longer: 1 s.
    pub const MAX_DELAY: Duration = Duration::from_secs(1);

    /// No error yet.
    pub const fn new() -> Self {
        Self { delay: Duration::ZERO }
    }

    /// One more error in a row: how long to wait before the next attempt.
    #[expect(clippy::should_implement_trait, reason = "as an endless iterator it would make every caller unwrap")]
    pub fn next(&mut self) -> Duration {
        self.delay = if self.delay.is_zero() { Self::FIRST } else { (self.delay * 2).min(Self::MAX_DELAY) };
        self.delay
    }

    /// An accept succeeded: the next error starts at [`FIRST`](Self::FIRST) again.
    pub const fn reset(&mut self) {
        self.delay = Duration::ZERO;
    }

    /// The last delay given out, zero if there was none since the last success.
    pub const fn delay(&self) -> Duration {
        self.delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn delays_are_5_10_20_to_640_ms_then_1_s_for_ever() {
        let mut backoff = Backoff::new();
        let delays: Vec<Duration> = (0..11).map(|_| backoff.next()).collect();
        assert_eq!(delays, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000].map(millis));
    }

    #[test]
    fn a_success_forgets_every_error() {
        let mut backoff = Backoff::new();
        for _ in 0..5 {
            backoff.next();
        }
        assert_eq!(backoff.delay(), millis(80));
        backoff.reset();
        assert_eq!((backoff, backoff.delay()), (Backoff::new(), Duration::ZERO));
        assert_eq!(backoff.next(), millis(5));
    }

    proptest! {
        #[test]
        fn a_delay_depends_only_on_the_errors_since_the_last_success(events in prop::collection::vec(any::<bool>(), 0..200)) {
            let mut backoff = Backoff::new();
            let mut errors = 0_u32;
            for success in events {
                if success {
                    backoff.reset();
                    errors = 0;
                } else {
                    let expected = millis((5_u64 << errors.min(60).min(20)).min(1000));
                    prop_assert_eq!(backoff.next(), expected);
                    errors += 1;
                }
            }
        }
    }
}
