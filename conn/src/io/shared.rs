//! What the connections of one accept loop share: their clock, their limits, who they are, and whether they are to end.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{
            AtomicBool,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use quintet_listener::Addr;
use tokio::sync::Notify;

use super::{clock::Clock, slots::Slots};
use crate::{State, Timeouts, WaitLimits, wait_state::STEP};

/// Added to every limit: a clock that was right a step ago must not make a deadline early.
///
/// It is then late by at most this and a tick, less than half a second, if the sweeper looks in time.
pub(super) const SLACK: Duration = Duration::from_millis(STEP + 1);

/// Called at every move of a state, with where the connection stood and where it stands.
pub(super) type Hook<C> = Box<dyn Fn(&C, State, State) + Send + Sync>;

/// What the connections `C` of one accept loop share. Each holds it, and it holds those that live: what a connection
/// needs of its kin is here, below it, and what is done to all of them is in [`Connections`](super::Connections), above.
pub(super) struct Shared<C> {
    pub(super) clock: Clock,
    pub(super) timeouts: Timeouts,
    /// The timeouts by the clocks of the connections.
    pub(super) limits: WaitLimits,
    pub(super) local: Option<Addr>,
    pub(super) hook: Option<Hook<C>>,
    pub(super) value: OnceLock<Arc<dyn Any + Send + Sync>>,
    register: Mutex<Register<C>>,
    stopping: AtomicBool,
    aborted: AtomicBool,
    stop_notify: Notify,
    /// Notified at every departure, for those who wait for the last one.
    departure_notify: Notify,
    /// Wakes the sweeper when there is something to sweep again, or never will be.
    pub(super) sweeper_notify: Arc<Notify>,
}

/// The connections that live.
pub(super) struct Register<C> {
    pub(super) connections: Slots<C>,
    /// When the sweeper looked last, in milliseconds since the beginning.
    pub(super) swept: u64,
}

impl<C> Shared<C> {
    pub(super) fn new(timeouts: Timeouts, local: Option<Addr>, hook: Option<Hook<C>>) -> Self {
        Shared {
            clock: Clock::new(),
            limits: WaitLimits::new(&timeouts, SLACK),
            timeouts,
            local,
            hook,
            value: OnceLock::new(),
            register: Mutex::new(Register { connections: Slots::default(), swept: 0 }),
            stopping: AtomicBool::new(false),
            aborted: AtomicBool::new(false),
            stop_notify: Notify::new(),
            departure_notify: Notify::new(),
            sweeper_notify: Arc::default(),
        }
    }

    pub(super) fn register(&self) -> MutexGuard<'_, Register<C>> {
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last of a connection.
    pub(super) fn leave(&self, slot: u32) {
        let left = self.register().connections.remove(slot);
        drop(left);
        self.departure_notify.notify_waiters();
    }

    pub(super) fn set_stopping(&self) {
        self.stopping.store(true, SeqCst);
        self.stop_notify.notify_waiters();
    }

    pub(super) fn set_aborted(&self) {
        self.aborted.store(true, SeqCst);
    }

    #[inline]
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    #[inline]
    pub(super) fn is_aborted(&self) -> bool {
        self.aborted.load(Relaxed)
    }

    pub(super) async fn stopping(&self) {
        let notified = self.stop_notify.notified();
        if !self.stopping.load(SeqCst) {
            notified.await;
        }
    }

    pub(super) async fn drained(&self) {
        loop {
            let notified = self.departure_notify.notified();
            if self.register().connections.len() == 0 {
                return;
            }
            notified.await;
        }
    }

    /// Tells the hook. It only looks on: if it panics, neither the connection nor the accept loop ends with it.
    #[inline]
    pub(super) fn tell(&self, connection: &C, from: State, to: State) {
        if let Some(hook) = &self.hook {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook(connection, from, to))) {
                // What was thrown may panic as well when it is dropped.
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
