//! The state that the connections of one accept loop share: clock, timeouts, register, and whether the server stops.

#[cfg(feature = "live")]
use std::sync::atomic::AtomicU32;
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{
            AtomicBool, AtomicU8,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use quintet_listener::Addr;
use tokio::sync::Notify;

use super::{clock::Clock, slots::Slots};
use crate::{State, Timeouts, WaitLimits, wait_state::STEP};

/// Added to every limit: the clock may be one step behind, and no deadline may be early.
///
/// A timeout is then late by at most this and the 200 ms between two sweeps, less than half a second.
pub(super) const SLACK: Duration = Duration::from_millis(STEP + 1);

/// The server serves.
const SERVING: u8 = 0;
/// The server is about to stop: every connection retires.
const RETIRING: u8 = 1;
/// The server stops the connections.
const STOPPING: u8 = 2;

/// The number of the next [`Shared`].
#[cfg(feature = "live")]
static NEXT_NUMBER: AtomicU32 = AtomicU32::new(0);

/// Called at every change of state, with the state before and the state after.
pub(super) type Hook<C> = Box<dyn Fn(&C, State, State) + Send + Sync>;

/// The state that the connections `C` of one accept loop share.
///
/// Each connection holds it, and its register holds each connection until it [leaves](Self::leave). It is generic so that
/// this file need not use `connection.rs`, which uses this file.
pub(super) struct Shared<C> {
    pub(super) clock: Clock,
    pub(super) timeouts: Timeouts,
    /// The timeouts as the waits use them: longer by [`SLACK`].
    pub(super) limits: WaitLimits,
    /// The address of the listener.
    pub(super) local: Option<Addr>,
    pub(super) hook: Option<Hook<C>>,
    /// See [`Connections::set_value`](super::Connections::set_value).
    pub(super) value: OnceLock<Arc<dyn Any + Send + Sync>>,
    /// See [`Connections::set_server_value`](super::Connections::set_server_value).
    pub(super) server_value: OnceLock<Arc<dyn Any + Send + Sync>>,
    register: Mutex<Register<C>>,
    /// [`SERVING`], [`RETIRING`] or [`STOPPING`]; it only grows. One byte for both, so that a request that looks whether its
    /// reply is the last reads one.
    leaving: AtomicU8,
    aborted: AtomicBool,
    stop_notify: Notify,
    /// Notified whenever a connection leaves, for tasks that wait in [`drained_to`](Self::drained_to).
    departure_notify: Notify,
    /// Wakes the sweeper at the first connection, and when this is dropped. In an `Arc` of its own: the sweeper waits for
    /// it without holding this.
    pub(super) sweeper_notify: Arc<Notify>,
    /// The number of these connections among all of the process.
    #[cfg(feature = "live")]
    pub(super) number: u32,
}

/// The connections that have not ended.
pub(super) struct Register<C> {
    pub(super) connections: Slots<C>,
    /// The time of the last sweep, in milliseconds since the clock began.
    pub(super) swept: u64,
}

impl<C> Shared<C> {
    pub(super) fn new(timeouts: Timeouts, local: Option<Addr>, hook: Option<Hook<C>>) -> Self {
        Self {
            clock: Clock::new(),
            limits: WaitLimits::new(&timeouts, SLACK),
            timeouts,
            local,
            hook,
            value: OnceLock::new(),
            server_value: OnceLock::new(),
            register: Mutex::new(Register { connections: Slots::default(), swept: 0 }),
            leaving: AtomicU8::new(SERVING),
            aborted: AtomicBool::new(false),
            stop_notify: Notify::new(),
            departure_notify: Notify::new(),
            sweeper_notify: Arc::default(),
            #[cfg(feature = "live")]
            number: NEXT_NUMBER.fetch_add(1, Relaxed),
        }
    }

    pub(super) fn register(&self) -> MutexGuard<'_, Register<C>> {
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes a connection that has ended.
    pub(super) fn leave(&self, slot: u32) {
        let left = self.register().connections.remove(slot);
        // Not under the lock: this may be the last reference, and a value of the connection may run any code when dropped.
        drop(left);
        // After the removal: a task in `drained_to` that this wakes counts the register again.
        self.departure_notify.notify_waiters();
    }

    pub(super) fn set_retiring(&self) {
        self.leaving.fetch_max(RETIRING, SeqCst);
    }

    pub(super) fn set_stopping(&self) {
        self.leaving.store(STOPPING, SeqCst);
        self.stop_notify.notify_waiters();
    }

    pub(super) fn set_aborted(&self) {
        self.aborted.store(true, SeqCst);
    }

    /// Whether the server is about to stop, or stops.
    #[inline]
    pub(super) fn is_retiring(&self) -> bool {
        self.leaving.load(Relaxed) != SERVING
    }

    #[inline]
    pub(super) fn is_stopping(&self) -> bool {
        self.leaving.load(Relaxed) == STOPPING
    }

    #[inline]
    pub(super) fn is_aborted(&self) -> bool {
        self.aborted.load(Relaxed)
    }

    pub(super) async fn stopping(&self) {
        // Created before the flag is read: `notify_waiters` wakes every `Notified` that exists, also one that was not
        // polled yet. So a `stop` between the read and the wait is not missed.
        let notified = self.stop_notify.notified();
        if self.leaving.load(SeqCst) != STOPPING {
            notified.await;
        }
    }

    /// Resolves when at most `left` connections are left.
    pub(super) async fn drained_to(&self, left: usize) {
        loop {
            // Before counting, for the same reason as in `stopping`.
            let notified = self.departure_notify.notified();
            if self.register().connections.len() <= left {
                return;
            }
            notified.await;
        }
    }

    /// Calls the state hook. A panic in the hook is caught: it ends neither the connection nor the accept loop.
    #[inline]
    pub(super) fn tell(&self, connection: &C, from: State, to: State) {
        if let Some(hook) = &self.hook {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook(connection, from, to))) {
                // The payload of a panic may itself panic when it is dropped. The payload of that panic is leaked.
                if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                    std::mem::forget(another);
                }
            }
        }
    }
}

impl<C> Drop for Shared<C> {
    fn drop(&mut self) {
        self.sweeper_notify.notify_one();
    }
}
