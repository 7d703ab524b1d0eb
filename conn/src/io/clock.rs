//! The clock of the connections of one accept loop, and the time of day: each as old as the sweeper's last look, so that
//! asking is one load.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::SystemTime,
};

use tokio::time::Instant;

use crate::Tick;

/// How many times the time of day is asked for between two looks before an answer may be older than the question.
const EXACT: u32 = 64;

thread_local! {
    /// How often this thread asked for the time of day.
    static ASKED: Cell<u32> = const { Cell::new(0) };
}

/// The clock of the connections of one accept loop, and the time of day.
pub(super) struct Clock {
    epoch: Instant,
    /// Milliseconds since the beginning, at the last look or admission.
    now: AtomicU64,
    /// The wall clock when it was last read, in seconds of Unix time.
    unix: AtomicU64,
    /// How many have asked for it since the sweeper did, up to [`EXACT`].
    asked: AtomicU32,
}

impl Clock {
    pub(super) fn new() -> Self {
        Clock { epoch: Instant::now(), now: AtomicU64::new(0), unix: AtomicU64::new(0), asked: AtomicU32::new(0) }
    }

    /// The time of the last look or admission.
    #[inline]
    pub(super) fn now(&self) -> Tick {
        Tick::from_millis(self.now.load(Relaxed))
    }

    /// See [`Connections::unix`](crate::Connections::unix).
    #[inline]
    pub(super) fn unix(&self) -> u64 {
        let nth = ASKED.get().wrapping_add(1);
        ASKED.set(nth);
        if self.asked.load(Relaxed) < EXACT || nth % EXACT == 0 { self.exact_unix() } else { self.unix.load(Relaxed) }
    }

    #[cold]
    fn exact_unix(&self) -> u64 {
        // Nobody needs to know exactly how many have asked.
        self.asked.store(self.asked.load(Relaxed).saturating_add(1), Relaxed);
        self.read_wall_clock()
    }

    /// Asks the system for both times; the milliseconds since the beginning.
    pub(super) fn read(&self) -> u64 {
        // No clock comes near the end of the numbers, not even doubled.
        let elapsed = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX).min(u64::MAX / 4);
        self.now.store(elapsed, Relaxed);
        self.read_wall_clock();
        elapsed
    }

    /// The same for a look of the sweeper: the time of day is exact again for a while.
    pub(super) fn look(&self) -> u64 {
        self.asked.store(0, Relaxed);
        self.read()
    }

    fn read_wall_clock(&self) -> u64 {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.unix.store(unix, Relaxed);
        unix
    }
}
