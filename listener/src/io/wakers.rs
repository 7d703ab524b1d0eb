//! The tasks that wait for one stream to open.

use std::{
    sync::{Arc, Mutex, PoisonError},
    task::{Wake, Waker},
};

/// Wakes every task that waits for one stream to open.
///
/// A socket remembers one task for reading and one for writing. Opening a stream (a PROXY header, a handshake) reads
/// and writes for whichever task calls, and the halves of a stream may be in two: each of them must hear of what the
/// opening waits for, also if the one that asked last has given up by then.
#[derive(Debug, Default)]
pub(super) struct Wakers([Mutex<Option<Waker>>; 3]);

/// What a task that waits wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    Open,
    Read,
    Write,
}

impl Wakers {
    /// Remembers the task instead of the one that wanted the same before.
    pub(super) fn register(&self, caller: Caller, waker: &Waker) {
        let mut slot = self.0[caller as usize].lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *slot {
            Some(known) => known.clone_from(waker),
            None => *slot = Some(waker.clone()),
        }
    }

    /// Wakes all but the task that is running.
    pub(super) fn wake_others(&self, running: Caller) {
        for (nth, slot) in self.0.iter().enumerate() {
            if nth != running as usize {
                wake(slot);
            }
        }
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.iter().for_each(wake);
    }
}

fn wake(slot: &Mutex<Option<Waker>>) {
    // Not under the lock: what a waker does is not ours.
    let waker = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(waker) = waker {
        waker.wake();
    }
}
