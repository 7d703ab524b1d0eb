//! A time of the connections' clock: whole milliseconds since the clock began.

use std::{num::NonZeroU64, time::Duration};

/// A time of the connections' clock: whole milliseconds since the clock began. The clock only goes forward.
///
/// No function of this type reads a clock: the time is an argument. A deadline that never comes is `None`;
/// `Option<Tick>` is no larger than `Tick`.
///
/// # Example
/// ```
/// use quintet_conn::Tick;
/// use std::time::Duration;
///
/// let now = Tick::from_millis(1_000);
/// assert_eq!(now.after(Duration::from_secs(2)), Some(Tick::from_millis(3_000)));
/// assert_eq!(now.after(Duration::MAX), None, "never");
/// assert_eq!(size_of::<Option<Tick>>(), 8);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
// One more than the milliseconds: zero is then free to stand for `None`, and an `Option<Tick>` has eight bytes.
pub struct Tick(NonZeroU64);

impl Tick {
    /// The time at which the clock began.
    pub const START: Self = Self(NonZeroU64::MIN);
    /// The last time, 584 million years after the clock began.
    pub const MAX: Self = Self(NonZeroU64::MAX);

    /// The time `millis` milliseconds after the clock began. [`MAX`](Self::MAX) for the two largest numbers.
    #[inline]
    pub const fn from_millis(millis: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(millis))
    }

    /// Milliseconds since the clock began.
    #[inline]
    pub const fn as_millis(self) -> u64 {
        self.0.get() - 1
    }

    /// The time `wait` after this one, rounded up to a whole millisecond so that no deadline is early. `None`, which is
    /// never, if that is past [`MAX`](Self::MAX).
    #[inline]
    pub fn after(self, wait: Duration) -> Option<Self> {
        self.after_millis(millis(wait))
    }

    /// As [`after`](Self::after), in milliseconds.
    #[inline]
    pub fn after_millis(self, millis: u64) -> Option<Self> {
        self.0.checked_add(millis).map(Tick)
    }

    /// As [`after_millis`](Self::after_millis), and [`MAX`](Self::MAX) at the most.
    #[inline]
    pub(crate) fn saturating_after_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` until this time; zero if `earlier` is later.
    #[inline]
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.get().saturating_sub(earlier.0.get())
    }

    /// The earlier of two deadlines. `None` is never.
    #[inline]
    pub fn earlier(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}

/// A duration in milliseconds, rounded up; [`u64::MAX`] if it has more, which no clock reaches.
///
/// In 64 bits: [`Duration::as_millis`] has 128, and a division of 128 bits costs a hundred instructions.
#[inline]
pub(crate) fn millis(d: Duration) -> u64 {
    d.as_secs().saturating_mul(1000).saturating_add(u64::from(d.subsec_nanos().div_ceil(1_000_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_rounded_up_and_never_early() {
        for (wait, end) in [
            (Duration::ZERO, 5),
            (Duration::from_nanos(1), 6),
            (Duration::from_millis(1), 6),
            (Duration::from_micros(1_001), 7),
            (Duration::from_secs(3), 3_005),
        ] {
            assert_eq!(Tick::from_millis(5).after(wait), Some(Tick::from_millis(end)), "{wait:?}");
        }
    }

    #[test]
    fn a_tick_that_no_clock_reaches_is_none() {
        assert_eq!(Tick::START.after(Duration::MAX), None);
        assert_eq!(Tick::MAX.after_millis(1), None);
        assert_eq!(Tick::START.after_millis(u64::MAX), None);
        assert_eq!(Tick::from_millis(7).saturating_after_millis(u64::MAX), Tick::MAX);
        assert_eq!(Tick::from_millis(u64::MAX), Tick::MAX);
    }

    #[test]
    fn the_earlier_of_two_ends_is_never_the_none() {
        let (soon, late) = (Some(Tick::START), Some(Tick::from_millis(9)));
        for (one, other, earlier) in
            [(soon, late, soon), (late, soon, soon), (None, late, late), (late, None, late), (None, None, None)]
        {
            assert_eq!(Tick::earlier(one, other), earlier);
        }
    }

    #[test]
    fn the_milliseconds_since_a_later_tick_are_none() {
        assert_eq!(Tick::from_millis(9).millis_since(Tick::from_millis(2)), 7);
        assert_eq!(Tick::from_millis(2).millis_since(Tick::from_millis(9)), 0);
    }
}
