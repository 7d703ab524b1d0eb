//! The timeouts of a connection, made ready for its waits.

use std::time::Duration;

use crate::{Phase, Tick, Timeouts, tick::millis};

/// The timeouts of a connection, made ready for its waits: each as the clock needs it, which may be behind.
///
/// # Example
/// ```
/// use quintet_conn::{Phase, Tick, Timeouts, WaitLimits};
/// use std::time::Duration;
///
/// // The clock was right 250 ms ago at the latest: every limit is so much longer, and none is early.
/// let limits = WaitLimits::new(&Timeouts::default(), Duration::from_millis(250));
/// assert_eq!(limits.end(Phase::Head, Tick::START), Some(Tick::from_millis(10_250)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitLimits {
    timeouts: Timeouts,
    /// How long each phase may last, in milliseconds: a duration costs a division, and a request has several phases.
    phases: [u64; Phase::ALL.len()],
}

impl WaitLimits {
    /// These limits, each longer by `slack` (rates stay): by how much the clock may be behind.
    ///
    /// It is added to the limits and not to the end of each wait: a client that sends a byte in every wait would never
    /// come to its end.
    pub fn new(timeouts: &Timeouts, slack: Duration) -> Self {
        let timeouts = timeouts.longer(slack);
        WaitLimits { phases: Phase::ALL.map(|phase| millis(timeouts.limit(phase))), timeouts }
    }

    /// As [`Timeouts::end`].
    #[inline]
    pub fn end(&self, phase: Phase, now: Tick) -> Option<Tick> {
        now.after_millis(self.phases[phase as usize])
    }

    /// The longer limits.
    #[inline]
    pub fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }
}
