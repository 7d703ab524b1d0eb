//! The clock of the connections of one accept loop, and the time of day: both as of the last sweep, so that reading
//! either is one load.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::SystemTime,
};

use tokio::time::Instant;

use crate::Tick;

/// How often the time of day is exact between two sweeps. After that many reads only every 64th of a thread is exact.
const EXACT: u32 = 64;

thread_local! {
    /// How often this thread read the time of day. A count per thread, because one counter of all threads would be a
    /// contended write for each reply.
    static ASKED: Cell<u32> = const { Cell::new(0) };
}

/// The clock of the connections of one accept loop, and the time of day.
pub(super) struct Clock {
    /// When the clock began.
    epoch: Instant,
    /// Milliseconds since the clock began, as of the last sweep or admission. All loads and stores of the atomics here are
    /// relaxed: each is a value by itself and publishes nothing else.
    now: AtomicU64,
    /// Seconds of Unix time when the system's clock was last read.
    unix: AtomicU64,
    /// How often the time of day was read since the last sweep, up to about [`EXACT`].
    asked: AtomicU32,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { epoch: Instant::now(), now: AtomicU64::new(0), unix: AtomicU64::new(0), asked: AtomicU32::new(0) }
    }

    /// The time of the last sweep or admission.
    #[inline]
    pub(super) fn now(&self) -> Tick {
        Tick::from_millis(self.now.load(Relaxed))
    }

    /// See [`Connections::unix`](crate::Connections::unix).
    #[inline]
    pub(super) fn unix(&self) -> u64 {
        // A thread may be blocked between two sweeps and the cached time grow old. So each thread still reads the system's
        // clock at every 64th call, however late the sweeper is.
        let nth = ASKED.get().wrapping_add(1);
        ASKED.set(nth);
        if self.asked.load(Relaxed) < EXACT || nth % EXACT == 0 { self.exact_unix() } else { self.unix.load(Relaxed) }
    }

    #[cold]
    fn exact_unix(&self) -> u64 {
        // A load and a store instead of an exchange: two threads may count as one, which only makes a few more times exact.
        self.asked.store(self.asked.load(Relaxed).saturating_add(1), Relaxed);
        self.read_wall_clock()
    }

    /// Reads both clocks of the system, and returns the milliseconds since the clock began.
    pub(super) fn read(&self) -> u64 {
        // A quarter of the range (146 million years), so that an entry can double the number.
        let elapsed = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX).min(u64::MAX / 4);
        self.now.store(elapsed, Relaxed);
        self.read_wall_clock();
        elapsed
    }

    /// As [`read`](Self::read), for a sweep: the next [`EXACT`] reads of the time of day are exact.
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
