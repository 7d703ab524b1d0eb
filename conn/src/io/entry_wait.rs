//! The waits of one wire, with their deadlines stored in the entry of its connection.
//!
//! This type does not wait: a wait that begins stores its deadline in the entry, and the sweeper compares it with the
//! clock. A wire without an entry has no timeouts.

use std::{sync::Arc, task::Context};

use super::{
    active_request::ActiveRequest, conn_guard::ConnGuard, connection::Connection, request_guard::RequestGuard,
    wire_error::WireError,
};
use crate::{Phase, Tick, WaitState};

/// The waits of one wire, with their deadlines stored in the entry of its connection.
#[derive(Debug)]
pub(super) struct EntryWait {
    connection: Option<ConnGuard>,
    state: WaitState,
    /// The address of the waker of the task to wake, which identifies the task.
    task: usize,
}

/// The address of no waker.
const NO_TASK: usize = usize::MAX;

impl EntryWait {
    pub(super) fn new(connection: Option<ConnGuard>) -> Self {
        Self { connection, state: WaitState::new(), task: NO_TASK }
    }

    #[inline]
    pub(super) fn connection(&self) -> Option<&Arc<Connection>> {
        self.connection.as_deref()
    }

    /// The request in progress, if the connection has an entry.
    #[inline]
    pub(super) fn active(&self) -> Option<ActiveRequest> {
        self.connection.as_ref().map(ConnGuard::active)
    }

    /// See [`Wire::child`](super::Wire::child).
    pub(super) fn child(&self) -> Option<RequestGuard> {
        self.connection.as_ref().map(ConnGuard::child)
    }

    /// See [`Wire::register_waker`](super::Wire::register_waker).
    ///
    /// Comparing an address is cheaper than locking the entry's waker, and it is enough: the entry keeps a clone of the
    /// waker, so its data is not freed, and no other task's waker has the same address. Two wakers of one address wake the
    /// same task. Before the first call the address is [`NO_TASK`], the last address, at which no data lies.
    #[inline]
    pub(super) fn register_waker(&mut self, cx: &Context<'_>) {
        let task = cx.waker().data().addr();
        if self.task != task {
            self.task = task;
            if let Some(connection) = &self.connection {
                connection.register_waker(cx.waker());
            }
        }
    }

    #[inline]
    pub(super) fn enter(&mut self, phase: Phase) {
        self.state.enter(phase);
    }

    #[inline]
    pub(super) fn clear_phase(&mut self) {
        self.state.clear_phase();
    }

    pub(super) fn pause(&mut self) {
        self.state.pause(self.now());
    }

    pub(super) fn is_between_replies(&self) -> bool {
        self.state.is_between_replies()
    }

    #[inline]
    pub(super) fn wait_no_longer_for_bytes(&mut self) {
        self.state.wait_no_longer_for_bytes();
    }

    #[inline]
    pub(super) fn arrived(&mut self, n: usize) {
        // The time counts only for a body, and reading it costs as much as the rest of this function.
        let now = if self.state.phase() == Some(Phase::Body) { self.now() } else { Tick::START };
        self.state.arrived(n, now);
    }

    #[inline]
    pub(super) fn taken(&mut self, n: usize) {
        // The time counts only at the end of a wait.
        let now = if self.state.is_waiting_for_room() { self.now() } else { Tick::START };
        self.state.taken(n, now);
    }

    /// Whether a wait for room is in progress.
    pub(super) fn is_waiting_for_room(&self) -> bool {
        self.state.is_waiting_for_room()
    }

    /// Begins or continues a wait for bytes. `silent` says that no byte is buffered: the wait is for the first one.
    // Always: a program that serves two kinds of streams has two connection loops, and a call for each costs more.
    #[inline(always)]
    pub(super) fn wait_for_bytes(&mut self, silent: bool) -> Result<(), WireError> {
        self.adopt_moved();
        let Some(connection) = &self.connection else { return Ok(()) };
        let now = clock(connection, self.state.goes_on_for_bytes());
        self.state.wait_for_bytes(silent, now, connection.limits());
        self.wait()
    }

    /// Begins or continues a wait for room to send into.
    pub(super) fn wait_for_room(&mut self) -> Result<(), WireError> {
        self.adopt_moved();
        let Some(connection) = &self.connection else { return Ok(()) };
        let now = clock(connection, self.state.goes_on_for_room());
        self.state.wait_for_room(now, connection.limits());
        self.wait()
    }

    /// See [`Wire::start_half_closed_timeout`](super::Wire::start_half_closed_timeout). The client sent FIN.
    pub(super) fn start_half_closed_timeout(&mut self) -> Result<(), WireError> {
        self.adopt_moved();
        let Some(connection) = &self.connection else { return Ok(()) };
        let now = clock(connection, self.state.goes_on_half_closed());
        self.state.wait_half_closed(now, connection.limits());
        self.wait()
    }

    #[inline]
    pub(super) fn clear_half_closed_timeout(&mut self) {
        self.state.clear_half_closed();
    }

    /// Adopts the deadlines that a handler moved, also for a wait in progress.
    #[inline]
    pub(super) fn adopt_moved(&mut self) {
        if let Some(connection) = &self.connection {
            if let Some((read, write)) = connection.current.moved() {
                self.state.set_moved(read, write);
            }
        }
    }

    /// Stores the deadline of the wait in progress. Fails if it has passed already, or if the server aborted.
    // Always inlined, with what it calls: one place calls it once for each request.
    #[inline(always)]
    pub(super) fn wait(&mut self) -> Result<(), WireError> {
        let Some(connection) = &self.connection else { return Ok(()) };
        let waits = connection.entry.wait(&mut self.state, connection.stops(), connection.limits());
        // `abort` sets its flag before it wakes the tasks. If this load misses the flag, the wake is still to come, and
        // the task polls this wait again.
        if connection.shared.is_aborted() {
            return Err(WireError::Aborted);
        }
        waits.map_err(WireError::TimedOut)
    }

    #[inline]
    fn now(&self) -> Tick {
        self.connection.as_ref().map_or(Tick::START, |connection| connection.entry.now())
    }
}

impl Drop for EntryWait {
    fn drop(&mut self) {
        // A kept handle may hold the entry for longer, and this wire no longer waits: no sweep shall wake its task.
        if let Some(connection) = &self.connection {
            connection.entry.set_deadline(None);
        }
    }
}

/// The time of the connection's clock for a wait that continues (`goes_on`) or begins.
#[inline]
fn clock(connection: &Connection, goes_on: bool) -> Tick {
    if goes_on { connection.entry.now() } else { connection.entry.begin() }
}
