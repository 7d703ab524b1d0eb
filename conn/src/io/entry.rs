//! The entry of a connection or a child in the sweep: its clock, its deadline, and the task to wake.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::Waker,
};

use crate::{Phase, Stopping, Tick, WaitLimits, WaitState, wait_state::STEP};

/// The bit of a clock that says that a wait has begun since the last sweep.
const FRESH: u64 = 1;
/// The word for a deadline that never comes. No clock reaches it.
const NEVER: u64 = u64::MAX;
/// The low bits of a deadline's word: the phase of the wait. Without the feature `live` there are none, and storing a
/// deadline costs nothing more.
const PHASE_BITS: u32 = if cfg!(feature = "live") { 3 } else { 0 };

/// The entry of a connection or a child in the sweep.
pub(super) struct Entry {
    /// The milliseconds charged so far, times two, plus [`FRESH`]. Both are in one word, so that a wait begins either before
    /// a sweep or after it, and never with the time of one and the charge of the other.
    clock: AtomicU64,
    /// The deadline of the wait in progress, in milliseconds of `clock` above [`PHASE_BITS`], or [`NEVER`].
    deadline: AtomicU64,
    task: Mutex<Option<Waker>>,
}

impl Entry {
    pub(super) fn new() -> Self {
        Self { clock: AtomicU64::new(0), deadline: AtomicU64::new(NEVER), task: Mutex::new(None) }
    }

    /// The clock: the milliseconds charged until the last sweep.
    ///
    /// All loads and stores of both words are relaxed, because they publish nothing else. A deadline stored during a sweep
    /// is seen by this sweep or by the next. The task that stores it also compares it with the clock before it waits, so a
    /// deadline that has passed already is not missed.
    #[inline]
    pub(super) fn now(&self) -> Tick {
        Tick::from_millis(self.clock.load(Relaxed) / 2)
    }

    /// The clock, for a wait that begins now. The next sweep charges it with at most [`STEP`] of the time since the last
    /// sweep, for most of which the wait was not in progress.
    #[inline]
    pub(super) fn begin(&self) -> Tick {
        let mut clock = self.clock.load(Relaxed);
        // On a busy connection many waits begin between two sweeps, and only the first costs more than a load. If a sweep
        // comes between the load and the end of this function, it finds the bit set by the earlier wait and charges little.
        if clock & FRESH == 0 {
            clock = self.clock.fetch_or(FRESH, Relaxed);
        }
        Tick::from_millis(clock / 2)
    }

    #[inline]
    pub(super) fn set_deadline(&self, at: Option<Tick>) {
        self.store(at, None);
    }

    #[inline(always)]
    fn store(&self, at: Option<Tick>, phase: Option<Phase>) {
        let word = at.map_or(NEVER, |at| word(at, phase));
        self.deadline.store(word, Relaxed);
    }

    /// The wait in progress: its phase, and the time until its deadline. `None` if there is no wait, or it has no deadline.
    #[cfg(feature = "live")]
    #[inline]
    pub(super) fn wait_left(&self) -> Option<(Phase, u64)> {
        let word = self.deadline.load(Relaxed);
        let phase = *Phase::ALL.get((word & ((1 << PHASE_BITS) - 1)) as usize)?;
        Some((phase, (word >> PHASE_BITS).saturating_sub(self.now().as_millis())))
    }

    /// Stores the deadline of these waits. The error is the phase whose deadline has passed already.
    #[inline(always)]
    pub(super) fn wait(&self, waits: &mut WaitState, stopping: Stopping, limits: &WaitLimits) -> Result<(), Phase> {
        let now = if waits.begins_to_drain(stopping) { self.begin() } else { self.now() };
        let end = waits.poll(now, stopping, limits);
        self.store(end.unwrap_or(None), waits.phase_of_wait());
        match end {
            // A sweep may have come between the poll and the store, and compared the deadline of the wait before.
            Ok(Some(end)) if end <= self.now() => {
                self.set_deadline(None);
                waits.poll(end, stopping, limits).map(drop)
            }
            end => end.map(drop),
        }
    }

    /// Sweeps this entry, `gap` milliseconds after the last sweep. Returns whether the deadline has passed. Only one sweep
    /// runs at a time: it holds the lock of the register.
    pub(super) fn advance(&self, gap: u64) -> bool {
        let clock = if gap <= STEP {
            // This store may erase the bit of a wait that begins between the load and the store. That wait is charged with
            // the whole gap to the next sweep, which is right: it began before this one. An exchange would cost every
            // connection of the server a locked instruction five times a second.
            let clock = (self.clock.load(Relaxed) / 2 + gap) * 2;
            self.clock.store(clock, Relaxed);
            clock
        } else {
            let charged = |clock: u64| (clock / 2 + if clock & FRESH == 0 { gap } else { STEP }) * 2;
            charged(
                self.clock.fetch_update(Relaxed, Relaxed, |clock| Some(charged(clock))).unwrap_or_else(|clock| clock),
            )
        };
        self.deadline.load(Relaxed) >> PHASE_BITS <= clock / 2
    }

    /// Registers the task to wake.
    pub(super) fn register_waker(&self, task: &Waker) {
        let mut slot = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !slot.as_ref().is_some_and(|known| known.will_wake(task)) {
            *slot = Some(task.clone());
        }
    }

    /// Drops the task to wake: the connection or the child has ended.
    pub(super) fn dismiss(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(task); // not under the lock: the last reference to a task drops its future, which may run any code
    }

    pub(super) fn wake(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(task) = task {
            task.wake(); // not under the lock, as above
        }
    }
}

/// The word for a deadline in this phase.
#[cfg(feature = "live")]
#[inline(always)]
fn word(at: Tick, phase: Option<Phase>) -> u64 {
    let phase = phase.map_or(Phase::ALL.len(), |phase| phase as usize) as u64;
    at.as_millis().min(NEVER >> PHASE_BITS) << PHASE_BITS | phase
}

#[cfg(not(feature = "live"))]
#[inline(always)]
fn word(at: Tick, _: Option<Phase>) -> u64 {
    at.as_millis()
}
