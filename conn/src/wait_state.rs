//! How long the client of one connection is still waited for.
//!
//! A state machine without a clock and without a socket: it is told what happens and at what time, and says until when to
//! wait. Whoever uses it waits for whatever it waits for, and [asks](WaitState::poll) again when that time has come.

use crate::{MinRate, Phase, Tick, WaitLimits};

/// How much of the gap between two looks at the clock a wait is charged with that began in it, at most, in milliseconds.
pub(crate) const STEP: u64 = 250;

/// Whether a connection is to come to its end where no request has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopping {
    /// It goes on.
    No,
    /// It waits for a request that may be on its way, and no longer than [`Timeouts::drain`](crate::Timeouts::drain).
    Drain,
    /// It ends at once.
    Now,
}

/// How long the client of one connection is still waited for: for bytes, for room to send into, or for both.
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
/// assert_eq!(waits.poll(end, Stopping::No, &limits), Ok(None), "it is told once");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitState {
    phase: Option<Phase>,
    /// Whether the client was waited for in this phase; before that it has no end.
    begun: bool,
    /// Whether a wait for bytes is under way before any byte of what is waited for.
    silent: bool,
    phase_end: Option<Tick>,
    /// When the present wait for bytes ends. Whatever ends the wait takes it away.
    read_by: Option<Tick>,
    /// The same of the present wait for room.
    write_by: Option<Tick>,
    /// The deadlines that take the place of the rules for a slow body and a slow reply.
    moved_read: Option<Tick>,
    moved_write: Option<Tick>,
    read_meter: MinRate,
    write_meter: MinRate,
}

impl WaitState {
    /// Nothing is waited for.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the client is waited for.
    #[inline]
    pub fn phase(&self) -> Option<Phase> {
        self.phase
    }

    /// What the client is waited for from now on. Entering the phase it is in changes nothing: a head's time is not
    /// prolonged by each of its bytes. The time begins to run when the client is first waited for.
    #[inline]
    pub fn enter(&mut self, phase: Phase) {
        if self.phase != Some(phase) {
            self.phase = Some(phase);
            self.begun = false;
            self.wait_no_longer_for_bytes();
            if phase == Phase::Body {
                self.read_meter = MinRate::default();
            }
        }
    }

    /// The client is not waited for: no phase is under way, and no read is late.
    #[inline]
    pub fn clear_phase(&mut self) {
        self.phase = None;
        self.wait_no_longer_for_bytes();
    }

    /// As [`clear_phase`](Self::clear_phase) for the moment: a body goes on afterwards with what it has used up of its
    /// time. (The time of the other phases runs on.)
    pub fn pause(&mut self, now: Tick) {
        self.read_meter.pause(now);
        self.wait_no_longer_for_bytes();
    }

    /// Whether no handler is at work: a request is waited for, or the client's end.
    pub fn is_between_replies(&self) -> bool {
        matches!(self.phase, Some(Phase::Idle | Phase::Head | Phase::Drain | Phase::Linger))
    }

    /// Bytes are no longer waited for, at least for now.
    #[inline]
    pub fn wait_no_longer_for_bytes(&mut self) {
        self.read_by = None;
        self.silent = false;
    }

    /// This many bytes arrived: a wait for them, if there was one, is over.
    ///
    /// If its end has passed long ago and was not told, this process stood still and not the client, which has used up
    /// no more of its time than the wait could last. (Not if it has just passed: who moves a byte between the end of
    /// each wait and the next look at the clock would never be late.)
    #[inline]
    pub fn arrived(&mut self, n: usize, now: Tick) {
        if self.phase == Some(Phase::Body) {
            self.read_meter.moved(n, charged(now, self.read_by));
        }
        self.wait_no_longer_for_bytes();
    }

    /// The client took this many bytes: a wait for room, if there was one, is over. Time is only counted then.
    #[inline]
    pub fn taken(&mut self, n: usize, now: Tick) {
        if self.write_meter.is_waiting() {
            self.write_meter.moved(n, charged(now, self.write_by));
            self.write_by = None;
        } else {
            self.write_meter.count(n);
        }
    }

    /// Whether a wait for room is under way: only then [`taken`](Self::taken) counts time.
    #[inline]
    pub fn is_waiting_for_room(&self) -> bool {
        self.write_meter.is_waiting()
    }

    /// Moves the deadlines of the present request: from now on reading and writing fail then and not by the rules for a
    /// slow body and a slow reply, which `None` lets count again. They count for a wait that is under way, too.
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

    /// Whether a wait for bytes would go on with one that has begun, and not begin: whoever's clock must be told of
    /// beginnings asks this before [`wait_for_bytes`](Self::wait_for_bytes).
    #[inline]
    pub fn goes_on_for_bytes(&self) -> bool {
        match self.phase {
            None => true,
            Some(Phase::Body) => self.moved_read.is_some() || self.read_meter.is_waiting(),
            Some(_) => self.begun,
        }
    }

    /// The same for [`wait_for_room`](Self::wait_for_room).
    #[inline]
    pub fn goes_on_for_room(&self) -> bool {
        self.moved_write.is_some() || self.write_meter.is_waiting()
    }

    /// Begins, or goes on, to wait for bytes. `silent` says that nothing is here that was not understood.
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
                    // Whatever was replied is sent, unless it is still waited for: the next reply has a meter of its own.
                    if !self.write_meter.is_waiting() {
                        self.write_meter = MinRate::default();
                    }
                }
                self.phase_end
            }
        };
    }

    /// Begins, or goes on, to wait for room.
    pub fn wait_for_room(&mut self, now: Tick, limits: &WaitLimits) {
        self.write_by = match self.moved_write {
            Some(write_by) => Some(write_by),
            None => self.write_meter.wait(now, Phase::Reply, limits.timeouts()),
        };
    }

    /// Begins, or goes on, to wait for a half-closed client (it sent FIN and may still read) to show that it is there,
    /// while a reply is made and there is nothing to send: for [`Timeouts::stall`](crate::Timeouts::stall).
    pub fn wait_half_closed(&mut self, now: Tick, limits: &WaitLimits) {
        if self.phase != Some(Phase::Reply) || !self.begun {
            self.phase = Some(Phase::Reply);
            // Nothing stands still on its way to the client: this is silence, as that of a body.
            self.begin(limits.end(Phase::Body, now));
        }
        self.silent = false;
        self.read_by = self.moved_write.or(self.phase_end);
    }

    /// Whether [`wait_half_closed`](Self::wait_half_closed) would go on with a wait that has begun.
    pub fn goes_on_half_closed(&self) -> bool {
        self.phase == Some(Phase::Reply) && self.begun
    }

    /// Ends [that wait](Self::wait_half_closed): there is something to send.
    #[inline]
    pub fn clear_half_closed(&mut self) {
        if self.phase == Some(Phase::Reply) {
            self.clear_phase();
        }
    }

    /// Whether asking now, with this word on stopping, begins the wait of [`Phase::Drain`].
    #[inline]
    pub fn begins_to_drain(&self, stopping: Stopping) -> bool {
        stopping != Stopping::No && self.silent && matches!(self.phase, Some(Phase::Idle | Phase::Head))
    }

    /// Until when to wait, `None` for ever.
    ///
    /// Where the connection is stopping and the wait is for the first byte of a request, that is the end of
    /// [`Phase::Drain`], or now.
    ///
    /// # Errors
    /// The phase whose time is over. It is told once; what follows (the answer that says so) has a time of its own.
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
        // Of two that are over, the one that was over first; at the same time that of the phase.
        if self.read_by.is_none_or(|read_by| end < read_by) {
            self.write_by = None;
            return Phase::Reply;
        }
        self.wait_no_longer_for_bytes();
        self.phase.unwrap_or(Phase::Head)
    }
}

/// The time with which a wait that ended `by` at the latest is charged.
#[inline]
fn charged(now: Tick, by: Option<Tick>) -> Tick {
    by.map_or(now, |by| now.min(by.saturating_after_millis(STEP)))
}
