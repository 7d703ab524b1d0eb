//! A limit of log lines about the same problem: one an interval, with a count of those left out.
//!
//! A server that retries a thousand times a minute must not write a thousand lines. One line an interval says as
//! much, if it also says how many it stands for. Go writes every one of them.

use std::time::{Duration, Instant};

/// Lets one event through per interval and counts the others.
///
/// ```
/// # use quintet_listener::Throttle;
/// # use std::time::{Duration, Instant};
/// let (mut throttle, now) = (Throttle::new(Duration::from_secs(1)), Instant::now());
/// assert_eq!(throttle.admit(now), Some(0)); // write it
/// assert_eq!(throttle.admit(now), None); // not yet again
/// assert_eq!(throttle.admit(now + Duration::from_secs(1)), Some(1)); // write it, and that one was left out
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Throttle {
    every: Duration,
    last: Option<Instant>,
    suppressed: u64,
}

impl Throttle {
    /// At most one event in any `every`.
    pub const fn new(every: Duration) -> Self {
        Self { every, last: None, suppressed: 0 }
    }

    /// An event at `now`: `None` if it is to be left out, else how many were left out since the last one let through.
    ///
    /// A `now` before the last one counts as the same moment.
    pub fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < self.every) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_event_is_never_held_back() {
        assert_eq!(Throttle::new(SECOND).admit(Instant::now()), Some(0));
    }

    #[test]
    fn one_line_a_second_says_how_many_it_stands_for() {
        let (mut throttle, start) = (Throttle::new(SECOND), Instant::now());
        let said: Vec<(u64, u64)> = (0..=2500)
            .step_by(100)
            .filter_map(|ms| Some((ms, throttle.admit(start + Duration::from_millis(ms))?)))
            .collect();
        assert_eq!(said, [(0, 0), (1000, 9), (2000, 9)]);
    }

    #[test]
    fn a_clock_that_steps_back_neither_panics_nor_floods() {
        let (mut throttle, start) = (Throttle::new(SECOND), Instant::now() + SECOND);
        assert_eq!(throttle.admit(start), Some(0));
        assert_eq!(throttle.admit(start - SECOND / 2), None);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_interval_is_too_short(steps in prop::collection::vec(0_u64..1500, 1..100)) {
            let (mut throttle, mut now) = (Throttle::new(SECOND), Instant::now());
            let (mut counted, mut last) = (0, None);
            for step in &steps {
                now += Duration::from_millis(*step);
                if let Some(suppressed) = throttle.admit(now) {
                    prop_assert!(last.is_none_or(|last| now - last >= SECOND));
                    last = Some(now);
                    counted += suppressed + 1;
                }
            }
            prop_assert_eq!(counted + throttle.suppressed, steps.len() as u64);
        }
    }
}
