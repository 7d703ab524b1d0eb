//! The timeouts of a connection as its waits use them: longer by what the clock may be behind, and in milliseconds.

use std::time::Duration;

use crate::{Phase, Tick, Timeouts, tick::millis};

/// The timeouts of a connection as its waits use them: longer by what the clock may be behind, and in milliseconds.
///
/// # Example
/// ```
/// use quintet_conn::{Phase, Tick, Timeouts, WaitLimits};
/// use std::time::Duration;
///
/// // The clock is at most 250 ms behind: with limits longer by 250 ms, no timeout is early.
/// let limits = WaitLimits::new(&Timeouts::default(), Duration::from_millis(250));
/// assert_eq!(limits.end(Phase::Head, Tick::START), Some(Tick::from_millis(10_250)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitLimits {
    timeouts: Timeouts,
    /// The limit of each phase, in milliseconds: converting a [`Duration`] costs a division, and a request has several
    /// phases.
    phases: [u64; Phase::ALL.len()],
}

impl WaitLimits {
    /// These timeouts, each longer by `slack`, the time by which the clock may be behind. Rates are unchanged.
    ///
    /// The slack is added to the limits and not to the deadline of each wait: there a client that sends a byte in every
    /// wait would get it again and again, and never time out.
    pub fn new(timeouts: &Timeouts, slack: Duration) -> Self {
        let timeouts = timeouts.longer(slack);
        Self { phases: Phase::ALL.map(|phase| millis(timeouts.limit(phase))), timeouts }
    }

    /// As [`Timeouts::end`].
    #[inline]
    pub fn end(&self, phase: Phase, now: Tick) -> Option<Tick> {
        now.after_millis(self.phases[phase as usize])
    }

    /// The longer timeouts.
    #[inline]
    pub fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }
}
