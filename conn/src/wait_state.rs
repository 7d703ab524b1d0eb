//! The timeouts of one connection as a state machine without a clock and without a socket.
//!
//! Each event is a method with the time as an argument. [`WaitState::poll`] returns until when to wait; the caller waits,
//! and calls it again at that time.

use crate::{MinRate, Phase, Tick, WaitLimits};

/// How much of the gap between two sweeps a wait is charged with that began in the gap, at most, in milliseconds.
pub(crate) const STEP: u64 = 250;

/// Whether a connection ends where no request has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopping {
    /// The connection goes on.
    No,
    /// The connection waits at most [`Timeouts::drain`](crate::Timeouts::drain) for a request that may be on its way.
    Drain,
    /// The connection ends at once.
    Now,
}

/// The timeouts of one connection: how long it waits for bytes, for room to send into, or for both.
///
/// # Example
/// ```
/// use quintet_conn::{Phase, Stopping, Tick, Timeouts, WaitLimits, WaitState};
/// use std::time::Duration;
///
/// let limits = WaitLimits::new(&Timeouts::default(), Duration::ZERO);
/// let mut waits = WaitState::new();
/// waits.enter(Phase::Head);
/// waits.wait_for_bytes(true, Tick::START, &limits);
/// let end = Tick::from_millis(10_000);
/// assert_eq!(waits.poll(Tick::START, Stopping::No, &limits), Ok(Some(end)));
/// assert_eq!(waits.poll(end, Stopping::No, &limits), Err(Phase::Head));
/// assert_eq!(waits.poll(end, Stopping::No, &limits), Ok(None), "it is reported once");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitState {
    phase: Option<Phase>,
    /// Whether a wait has begun in this phase; `phase_end` counts only then.
    begun: bool,
    /// Whether the wait in progress is for the first byte of something: only such a wait drains.
    silent: bool,
    phase_end: Option<Tick>,
    /// The deadline of the wait for bytes in progress. `None`: no such wait, or no deadline.
    read_by: Option<Tick>,
    /// The deadline of the wait for room in progress.
    write_by: Option<Tick>,
    /// The deadlines that a handler moved. They replace the rules for a slow body and a slow reply.
    moved_read: Option<Tick>,
    moved_write: Option<Tick>,
    read_meter: MinRate,
    write_meter: MinRate,
}

impl WaitState {
    /// A state without a phase and without a wait.
    pub fn new() -> Self {
        Self::default()
    }

    /// The phase. `None` between two phases.
    #[inline]
    pub fn phase(&self) -> Option<Phase> {
        self.phase
    }

    /// Sets the phase. Entering the current phase again changes nothing, so that the bytes of a head do not prolong its
    /// time. The time of the phase starts at the first wait.
    #[inline]
    pub fn enter(&mut self, phase: Phase) {
        if self.phase != Some(phase) {
            self.phase = Some(phase);
            self.begun = false;
            self.wait_no_longer_for_bytes();
            // Each body has a grace period of its own.
            if phase == Phase::Body {
                self.read_meter = MinRate::default();
            }
        }
    }

    /// Ends the phase: no read is late.
    #[inline]
    pub fn clear_phase(&mut self) {
        self.phase = None;
        self.wait_no_longer_for_bytes();
    }

    /// Interrupts the wait for a body: the meter of its rate stands still until the next wait. The time of the other
    /// phases runs on.
    pub fn pause(&mut self, now: Tick) {
        self.read_meter.pause(now);
        self.wait_no_longer_for_bytes();
    }

    /// The phase of the wait whose deadline comes first: what [`poll`](Self::poll) would report. Without a deadline, the
    /// [`phase`](Self::phase).
    #[inline]
    pub fn phase_of_wait(&self) -> Option<Phase> {
        match self.write_by {
            Some(write_by) if self.read_by.is_none_or(|read_by| write_by < read_by) => Some(Phase::Reply),
            _ => self.phase,
        }
    }

    /// Whether no reply is in progress: the wait is for a request, or for the client to close.
    pub fn is_between_replies(&self) -> bool {
        matches!(self.phase, Some(Phase::Idle | Phase::Head | Phase::Drain | Phase::Linger))
    }

    /// Ends the wait for bytes, if one is in progress. The phase stays.
    #[inline]
    pub fn wait_no_longer_for_bytes(&mut self) {
        self.read_by = None;
        self.silent = false;
    }

    /// `n` bytes arrived: ends the wait for bytes, if one is in progress.
    ///
    /// A body's wait is charged with the time until `now`, but at most until 250 ms after its deadline: if the deadline
    /// passed longer ago and was not reported, this process was blocked and not the client. (Until the deadline itself
    /// would be too little: a client that moves a byte between each deadline and the next sweep would never be late.)
    #[inline]
    pub fn arrived(&mut self, n: usize, now: Tick) {
        if self.phase == Some(Phase::Body) {
            self.read_meter.moved(n, charged(now, self.read_by));
        }
        self.wait_no_longer_for_bytes();
    }

    /// The client took `n` bytes: ends the wait for room, if one is in progress. `now` counts only then.
    #[inline]
    pub fn taken(&mut self, n: usize, now: Tick) {
        if self.write_meter.is_waiting() {
            self.write_meter.moved(n, charged(now, self.write_by));
        } else {
            self.write_meter.count(n);
        }
        // A wait until a moved deadline has no meter, and is over as well.
        self.write_by = None;
    }

    /// Whether a wait for room is in progress: only then the time of [`taken`](Self::taken) counts.
    #[inline]
    pub fn is_waiting_for_room(&self) -> bool {
        self.write_meter.is_waiting()
    }

    /// Moves the deadlines of the current request. They replace the rules for a slow body and a slow reply, also for a
    /// wait in progress; with `None` the rules count again.
    #[inline]
    pub fn set_moved(&mut self, read: Option<Tick>, write: Option<Tick>) {
        (self.moved_read, self.moved_write) = (read, write);
        if self.phase == Some(Phase::Body) && self.read_by.is_some() && read.is_some() {
            self.read_by = read;
        }
        if self.write_by.is_some() && write.is_some() {
            self.write_by = write;
        }
    }

    /// Whether [`wait_for_bytes`](Self::wait_for_bytes) would continue a wait and not begin one. A caller whose clock
    /// distinguishes the two asks this first.
    #[inline]
    pub fn goes_on_for_bytes(&self) -> bool {
        match self.phase {
            None => true,
            Some(Phase::Body) => self.moved_read.is_some() || self.read_meter.is_waiting(),
            Some(_) => self.begun,
        }
    }

    /// As [`goes_on_for_bytes`](Self::goes_on_for_bytes), for [`wait_for_room`](Self::wait_for_room).
    #[inline]
    pub fn goes_on_for_room(&self) -> bool {
        self.moved_write.is_some() || self.write_meter.is_waiting()
    }

    /// Begins or continues a wait for bytes. `silent` says that no byte is buffered: the wait is for the first one.
    #[inline]
    pub fn wait_for_bytes(&mut self, silent: bool, now: Tick, limits: &WaitLimits) {
        self.silent = silent;
        self.read_by = match self.phase {
            None => None,
            Some(Phase::Body) => match self.moved_read {
                Some(read_by) => Some(read_by),
                None => self.read_meter.wait(now, Phase::Body, limits.timeouts()),
            },
            Some(phase) => {
                if !self.begun {
                    self.begin(limits.end(phase, now));
                    // Here every earlier reply was sent, and the next one has a meter of its own. Unless a wait for room
                    // is still in progress: then its reply is not finished.
                    if !self.write_meter.is_waiting() {
                        self.write_meter = MinRate::default();
                    }
                }
                self.phase_end
            }
        };
    }

    /// Begins or continues a wait for room to send into.
    ///
    /// A client that still has bytes of a reply to read is not silent: until it is waited for bytes again, a stop does
    /// not begin the wait of [`Phase::Drain`].
    pub fn wait_for_room(&mut self, now: Tick, limits: &WaitLimits) {
        self.silent = false;
        self.write_by = match self.moved_write {
            Some(write_by) => Some(write_by),
            None => self.write_meter.wait(now, Phase::Reply, limits.timeouts()),
        };
    }

    /// Begins or continues the half-closed timeout: the client sent FIN and may still read, a handler works on the reply,
    /// and there is nothing to send. Its limit is [`Timeouts::stall`](crate::Timeouts::stall).
    pub fn wait_half_closed(&mut self, now: Tick, limits: &WaitLimits) {
        if self.phase != Some(Phase::Reply) || !self.begun {
            self.phase = Some(Phase::Reply);
            // The stall timeout of a body and not that of a reply: no byte is on its way to the client that it could take.
            self.begin(limits.end(Phase::Body, now));
        }
        self.silent = false;
        self.read_by = self.moved_write.or(self.phase_end);
    }

    /// Whether [`wait_half_closed`](Self::wait_half_closed) would continue a wait and not begin one.
    pub fn goes_on_half_closed(&self) -> bool {
        self.phase == Some(Phase::Reply) && self.begun
    }

    /// Ends the [half-closed timeout](Self::wait_half_closed): there is something to send.
    #[inline]
    pub fn clear_half_closed(&mut self) {
        if self.phase == Some(Phase::Reply) {
            self.clear_phase();
        }
    }

    /// Whether a [`poll`](Self::poll) with this value would begin [`Phase::Drain`].
    #[inline]
    pub fn begins_to_drain(&self, stopping: Stopping) -> bool {
        stopping != Stopping::No && self.silent && matches!(self.phase, Some(Phase::Idle | Phase::Head))
    }

    /// The time until which to wait; `None` is for ever.
    ///
    /// If the connection is stopping and waits for the first byte of a request, this is the end of [`Phase::Drain`], or
    /// `now`.
    ///
    /// # Errors
    /// The phase whose deadline has passed. It is reported once; the reply that reports it (408) has its own deadline.
    #[inline(always)]
    pub fn poll(&mut self, now: Tick, stopping: Stopping, limits: &WaitLimits) -> Result<Option<Tick>, Phase> {
        if stopping != Stopping::No && self.silent {
            self.stop(now, stopping, limits);
        }
        let deadline = Tick::earlier(self.read_by, self.write_by);
        match deadline {
            Some(end) if end <= now => Err(self.late(end)),
            _ => Ok(deadline),
        }
    }

    #[cold]
    fn stop(&mut self, now: Tick, stopping: Stopping, limits: &WaitLimits) {
        if self.begins_to_drain(stopping) {
            self.phase = Some(Phase::Drain);
            self.begin(limits.end(Phase::Drain, now));
            self.read_by = self.phase_end;
        }
        if stopping == Stopping::Now && self.phase == Some(Phase::Drain) {
            self.read_by = Some(now);
        }
    }

    fn begin(&mut self, end: Option<Tick>) {
        (self.begun, self.phase_end) = (true, end);
    }

    #[cold]
    fn late(&mut self, end: Tick) -> Phase {
        // If both deadlines have passed, the earlier one is reported; at the same time, that of the phase.
        // Its wait ends with the report, so that the next poll does not report it again.
        let phase = self.phase_of_wait().unwrap_or(Phase::Head);
        if self.read_by.is_none_or(|read_by| end < read_by) {
            self.write_by = None;
        } else {
            self.wait_no_longer_for_bytes();
        }
        phase
    }
}

/// The time until which a wait with this deadline is charged: `now`, but at most a step after the deadline.
#[inline]
fn charged(now: Tick, by: Option<Tick>) -> Tick {
    by.map_or(now, |by| now.min(by.saturating_after_millis(STEP)))
}
