//! A time at which the task of a connection is woken, beside the timeouts of its wire.

use std::task::Context;

use quintet_conn::{Phase, RequestGuard, Tick, WaitState};

/// A time at which the task of a connection is woken, beside the timeouts of its wire. It is kept by the clock of the
/// connections: nothing is registered with the runtime, and it is less than half a second late.
#[derive(Debug)]
pub(super) struct Alarm {
    guard: RequestGuard,
    waits: WaitState,
    at: Option<Tick>,
}

impl Alarm {
    /// `guard` is a child of the connection for this alarm alone.
    pub(super) fn new(guard: RequestGuard) -> Self {
        let mut waits = WaitState::new();
        // The phase whose deadline can be moved to any time.
        waits.enter(Phase::Body);
        Self { guard, waits, at: None }
    }

    /// The time of the alarm's clock.
    pub(super) fn now(&self) -> Tick {
        self.guard.now()
    }

    pub(super) fn guard(&self) -> &RequestGuard {
        &self.guard
    }

    pub(super) fn is_set(&self) -> bool {
        self.at.is_some()
    }

    /// Sets the time at which this task is woken.
    pub(super) fn set(&mut self, at: Option<Tick>, cx: &Context<'_>) {
        self.at = at;
        self.guard.register_waker(cx.waker());
        self.waits.set_moved(at, None);
        self.waits.wait_no_longer_for_bytes();
        if at.is_some() {
            self.waits.wait_for_bytes(false, self.guard.begin(), self.guard.limits());
        }
        // A time that has passed already is seen by the next `is_over`, for which the task is polled once more.
        if self.guard.wait(&mut self.waits).is_err() {
            cx.waker().wake_by_ref();
        }
    }

    /// Whether the time has come. It is then set no longer.
    pub(super) fn is_over(&mut self) -> bool {
        let over = self.at.is_some_and(|at| at <= self.guard.now());
        if over {
            self.at = None;
        }
        over
    }
}
