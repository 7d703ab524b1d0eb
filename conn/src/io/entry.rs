//! What the sweeper looks at: the clock of one that waits, the end of its wait, and the task to wake when it is late.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::Waker,
};

use crate::{Phase, Stopping, Tick, WaitLimits, WaitState, wait_state::STEP};

/// The bit of a clock that says that a wait has begun since the sweeper looked.
const FRESH: u64 = 1;
/// The deadline that never comes, in the word that the sweeper reads. (No clock comes near it, not even doubled.)
const NEVER: u64 = u64::MAX;

/// What the sweeper looks at of a connection, or of one request of many on a connection.
pub(super) struct Entry {
    /// Milliseconds that were charged to it, times two, and [`FRESH`]. In one word, so that a wait begins either before a
    /// look or after it, and never with the time of one and the charge of the other.
    clock: AtomicU64,
    /// When the present wait ends, in milliseconds of that clock.
    deadline: AtomicU64,
    task: Mutex<Option<Waker>>,
}

impl Entry {
    pub(super) fn new() -> Self {
        Entry { clock: AtomicU64::new(0), deadline: AtomicU64::new(NEVER), task: Mutex::new(None) }
    }

    /// The clock: what it was charged with until the sweeper's last look.
    ///
    /// All loads and stores of both words are relaxed, as nothing else is published by them. A deadline that is stored
    /// while the sweeper looks is seen at this look or at the next; and the task that stores it compares it with the clock
    /// itself before it waits, so that none is missed which was over already.
    #[inline]
    pub(super) fn now(&self) -> Tick {
        Tick::from_millis(self.clock.load(Relaxed) / 2)
    }

    /// The same, for a wait that begins now: it will be charged with little of the time since the last look, in which
    /// it was not under way yet.
    #[inline]
    pub(super) fn begin(&self) -> Tick {
        let mut clock = self.clock.load(Relaxed);
        // Many waits begin between two looks at a busy connection; only the first costs more than a load. If the next
        // look comes between that load and the end of this function, it finds the clock fresh, too, and charges little.
        if clock & FRESH == 0 {
            clock = self.clock.fetch_or(FRESH, Relaxed);
        }
        Tick::from_millis(clock / 2)
    }

    #[inline]
    pub(super) fn set_deadline(&self, at: Option<Tick>) {
        self.deadline.store(at.map_or(NEVER, Tick::as_millis), Relaxed);
    }

    /// Stores until when these waits may last; the phase if that is over already.
    #[inline(always)]
    pub(super) fn wait(&self, waits: &mut WaitState, stopping: Stopping, limits: &WaitLimits) -> Result<(), Phase> {
        let now = if waits.begins_to_drain(stopping) { self.begin() } else { self.now() };
        let end = waits.poll(now, stopping, limits);
        self.set_deadline(end.unwrap_or(None));
        match end {
            // The sweeper may have looked meanwhile, at the deadline that was there before.
            Ok(Some(end)) if end <= self.now() => {
                self.set_deadline(None);
                waits.poll(end, stopping, limits).map(drop)
            }
            end => end.map(drop),
        }
    }

    /// The sweeper looks, `gap` milliseconds after it did the last time; whether the wait is over. One at a time.
    pub(super) fn advance(&self, gap: u64) -> bool {
        let clock = if gap <= STEP {
            // A plain store may lose a wait that begins meanwhile and sets its bit. That wait is then charged with all of
            // the gap to the next look: rightly, as it did begin before this one.
            let clock = (self.clock.load(Relaxed) / 2 + gap) * 2;
            self.clock.store(clock, Relaxed);
            clock
        } else {
            let charged = |clock: u64| (clock / 2 + if clock & FRESH == 0 { gap } else { STEP }) * 2;
            charged(
                self.clock.fetch_update(Relaxed, Relaxed, |clock| Some(charged(clock))).unwrap_or_else(|clock| clock),
            )
        };
        self.deadline.load(Relaxed) <= clock / 2
    }

    pub(super) fn register_waker(&self, task: &Waker) {
        let mut slot = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !slot.as_ref().is_some_and(|known| known.will_wake(task)) {
            *slot = Some(task.clone());
        }
    }

    /// The wait has ended for good, and with it the task to wake.
    pub(super) fn dismiss(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(task); // not under the lock: nobody knows what the last reference to a task takes with it
    }

    pub(super) fn wake(&self) {
        let slot = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = slot.as_ref() {
            task.wake_by_ref();
        }
    }
}
