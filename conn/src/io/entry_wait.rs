//! The waits of one wire, told to its connection's entry.
//!
//! Nothing here waits: a wait that begins stores its end in the entry, where the sweeper looks, and a wait that is over
//! takes it back. Without an entry nobody is ever late.

use std::{sync::Arc, task::Context};

use super::{active_request::ActiveRequest, conn_guard::ConnGuard, connection::Connection, wire_error::WireError};
use crate::{Phase, Tick, WaitState};

/// The waits of one wire, told to its connection's entry.
#[derive(Debug)]
pub(super) struct EntryWait {
    connection: Option<ConnGuard>,
    state: WaitState,
    /// The task that is woken when the client is late, by the address of its waker.
    task: usize,
}

/// The address of no waker.
const NO_TASK: usize = usize::MAX;

impl EntryWait {
    pub(super) fn new(connection: Option<ConnGuard>) -> Self {
        EntryWait { connection, state: WaitState::new(), task: NO_TASK }
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

    /// See [`Wire::register_waker`](super::Wire::register_waker).
    ///
    /// Comparing an address is cheaper than the lock around the entry's waker, and it is enough: while the entry keeps a
    /// clone of a waker its data is not freed, so no other task's has the same address. (Two wakers of one address wake
    /// one task.) Before the first there is none, and no data lies at the last address there is.
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
        // The time counts for a body alone, and asking for it costs as much as the rest.
        let now = if self.state.phase() == Some(Phase::Body) { self.now() } else { Tick::START };
        self.state.arrived(n, now);
    }

    #[inline]
    pub(super) fn taken(&mut self, n: usize) {
        // The same: it counts at the end of a wait.
        let now = if self.state.is_waiting_for_room() { self.now() } else { Tick::START };
        self.state.taken(n, now);
    }

    /// Begins, or goes on, to wait for bytes. `silent` says that nothing is here that was not understood.
    #[inline]
    pub(super) fn wait_for_bytes(&mut self, silent: bool) -> Result<(), WireError> {
        self.adopt_moved();
        let Some(connection) = &self.connection else { return Ok(()) };
        let now = clock(connection, self.state.goes_on_for_bytes());
        self.state.wait_for_bytes(silent, now, connection.limits());
        self.wait()
    }

    /// Begins, or goes on, to wait for room.
    pub(super) fn wait_for_room(&mut self) -> Result<(), WireError> {
        self.adopt_moved();
        let Some(connection) = &self.connection else { return Ok(()) };
        let now = clock(connection, self.state.goes_on_for_room());
        self.state.wait_for_room(now, connection.limits());
        self.wait()
    }

    /// See [`Wire::start_half_closed_timeout`](super::Wire::start_half_closed_timeout), of a client that sent FIN.
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

    /// Takes over the deadlines that a handler moved, also for a wait that is under way.
    #[inline]
    pub(super) fn adopt_moved(&mut self) {
        if let Some(connection) = &self.connection {
            if let Some((read, write)) = connection.current.moved() {
                self.state.set_moved(read, write);
            }
        }
    }

    /// Stores until when this wait may last; an error if that is over already, or the connection was aborted.
    // Always, and what it calls: it is asked once for each request, from one place.
    #[inline(always)]
    pub(super) fn wait(&mut self) -> Result<(), WireError> {
        let Some(connection) = &self.connection else { return Ok(()) };
        let waits = connection.entry.wait(&mut self.state, connection.stops(), connection.limits());
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
        // The entry may live on, and nobody waits for this client any more.
        if let Some(connection) = &self.connection {
            connection.entry.set_deadline(None);
        }
    }
}

/// The time at which a wait goes on, or begins.
#[inline]
fn clock(connection: &Connection, goes_on: bool) -> Tick {
    if goes_on { connection.entry.now() } else { connection.entry.begin() }
}
