//! What the viewers of one server's live figure are told, between two ticks: counts, samples, refusals.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

use bytes::Bytes;
use quintet_request::Index;
use tokio::{sync::watch::Sender, time::Instant};

use super::{refusals::Refusals, sample::Sample};
use crate::served::Refusal;

/// The most samples that wait for the next tick. A sample that finds no room is not shown.
const MAX_SAMPLES: usize = 64;

/// What the viewers of one server's live figure are told, between two ticks.
///
/// While no viewer watches, a request costs a load and a branch here, and nothing is stored but refusals. Each atomic is a
/// value by itself and publishes nothing else, so all loads and stores are relaxed.
#[derive(Debug)]
pub(crate) struct Watch {
    /// When the server began.
    pub(super) began: Instant,
    /// How many viewers there are.
    viewers: AtomicU32,
    /// The requests that began while there was a viewer.
    served: AtomicU64,
    /// Those of them that became a sample.
    sampled: AtomicU64,
    /// How many samples may still begin in this tick.
    budget: AtomicU32,
    samples: Mutex<Vec<Sample>>,
    /// An index that heads are read into a second time, with its memory.
    pub(super) index: Mutex<Index>,
    refusals: Mutex<Refusals>,
    room: Mutex<Room>,
}

/// The viewers, and the task that makes their ticks.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// The sender of the task; dead if there is no task.
    pub(super) sender: Weak<Sender<Frame>>,
    /// The connections of the viewers that are connections of the server watched, one for each viewer.
    pub(super) own: Vec<u64>,
}

/// What is sent to each viewer: whole events, which all of them share.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    pub(super) bytes: Bytes,
    /// Whether nothing follows: the server has drained.
    pub(super) is_last: bool,
}

impl Watch {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            viewers: AtomicU32::new(0),
            served: AtomicU64::new(0),
            sampled: AtomicU64::new(0),
            budget: AtomicU32::new(0),
            samples: Mutex::default(),
            index: Mutex::default(),
            refusals: Mutex::default(),
            room: Mutex::default(),
        })
    }

    /// Whether there is a viewer. All that a request costs if there is none.
    #[inline(always)]
    pub(crate) fn is_watched(&self) -> bool {
        self.viewers.load(Relaxed) != 0
    }

    /// A viewer comes.
    pub(super) fn enter(&self) {
        self.viewers.fetch_add(1, Relaxed);
    }

    /// A viewer leaves.
    pub(super) fn leave(&self) {
        if self.viewers.fetch_sub(1, Relaxed) == 1 {
            self.budget.store(0, Relaxed);
            lock(&self.samples).clear();
        }
    }

    /// Counts a request that begins. Returns whether it becomes a sample.
    #[inline(always)]
    pub(crate) fn begin(&self) -> bool {
        self.served.fetch_add(1, Relaxed);
        // Without the load, each request of a busy server would write to this word.
        self.budget.load(Relaxed) != 0 && self.begin_sample()
    }

    /// Takes one sample of the budget, if another thread has not taken the last one.
    #[cold]
    fn begin_sample(&self) -> bool {
        let is_sample = self.budget.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        self.sampled.fetch_add(is_sample.into(), Relaxed);
        is_sample
    }

    /// A sample has ended.
    pub(super) fn end(&self, sample: Sample) {
        let mut samples = lock(&self.samples);
        if self.is_watched() && samples.len() < MAX_SAMPLES {
            samples.push(sample);
        }
    }

    /// Takes the first `n` samples that have ended, and allows `budget` others to begin.
    pub(super) fn take_samples(&self, n: usize, budget: u32) -> Vec<Sample> {
        self.budget.store(budget, Relaxed);
        let mut samples = lock(&self.samples);
        let n = n.min(samples.len());
        samples.drain(..n).collect()
    }

    /// How many requests have begun while there was a viewer, and how many of them became a sample.
    pub(super) fn served(&self) -> (u64, u64) {
        let sampled = self.sampled.load(Relaxed);
        (self.served.load(Relaxed), sampled)
    }

    /// A request was refused.
    #[cold]
    pub(crate) fn refuse(&self, refusal: Refusal) {
        lock(&self.refusals).push(refusal, Instant::now());
    }

    pub(super) fn refusals(&self) -> MutexGuard<'_, Refusals> {
        lock(&self.refusals)
    }

    pub(super) fn room(&self) -> MutexGuard<'_, Room> {
        lock(&self.room)
    }
}

/// No thread panics with one of these locks and leaves a half-written value: a poisoned lock is used like any other.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
