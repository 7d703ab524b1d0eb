//! How long the client of one wire is still waited for.
//!
//! Nothing here waits: a wait that begins stores its end in the connection's entry, where the sweeper looks, and a wait
//! that is over takes it back. Without an entry nobody is ever late.

use std::{sync::Arc, task::Context};

use super::{
    connection::Connection,
    connections::{ConnGuard, STEP},
    wire::WireError,
};
use crate::{MinRate, Phase, timeouts::NEVER};

/// How long the client of one wire is still waited for.
#[derive(Debug)]
pub(super) struct WaitState {
    connection: Option<ConnGuard>,
    phase: Option<Phase>,
    /// [`UNBEGUN`] until the client was first waited for in this phase.
    phase_end: u64,
    /// When the present wait for bytes ends. Whatever ends the wait sets it back to [`NEVER`].
    read_by: u64,
    /// The same of the present wait for room.
    write_by: u64,
    read_meter: MinRate,
    write_meter: MinRate,
    /// The task that is woken when the client is late, by the address of its waker.
    task: usize,
}

/// The end of a phase in which nobody waited yet. (No other ends when the clock begins.)
const UNBEGUN: u64 = 0;
/// The address of no waker.
const NO_TASK: usize = usize::MAX;

impl WaitState {
    pub(super) fn new(connection: Option<ConnGuard>) -> Self {
        WaitState {
            connection,
            phase: None,
            phase_end: NEVER,
            read_by: NEVER,
            write_by: NEVER,
            read_meter: MinRate::default(),
            write_meter: MinRate::default(),
            task: NO_TASK,
        }
    }

    #[inline]
    pub(super) fn connection(&self) -> Option<&Arc<Connection>> {
        self.connection.as_deref()
    }

    /// See [`Wire::register_waker`](super::Wire::register_waker).
    #[inline]
    pub(super) fn register_waker(&mut self, cx: &Context<'_>) {
        // While the entry keeps a clone of a waker, no other has its address.
        let task = cx.waker().data().addr();
        if self.task != task {
            self.task = task;
            if let Some(connection) = &self.connection {
                connection.register_waker(cx.waker());
            }
        }
    }

    /// See [`Wire::enter`](super::Wire::enter).
    #[inline]
    pub(super) fn enter(&mut self, phase: Phase) {
        if self.phase != Some(phase) {
            self.phase = Some(phase);
            self.phase_end = UNBEGUN;
            self.read_by = NEVER;
            if phase == Phase::Body {
                self.read_meter = MinRate::default();
            }
        }
    }

    /// See [`Wire::clear_phase`](super::Wire::clear_phase).
    #[inline]
    pub(super) fn clear_phase(&mut self) {
        self.phase = None;
        self.read_by = NEVER;
    }

    /// See [`Wire::pause`](super::Wire::pause).
    pub(super) fn pause(&mut self) {
        self.read_meter.pause(self.now());
        self.read_by = NEVER;
    }

    /// Whether no handler is at work: a request is waited for, or the client's end.
    pub(super) fn is_between_replies(&self) -> bool {
        matches!(self.phase, Some(Phase::Idle | Phase::Head | Phase::Drain | Phase::Linger))
    }

    /// Bytes are no longer waited for, at least for now.
    #[inline]
    pub(super) fn wait_no_longer_for_bytes(&mut self) {
        self.read_by = NEVER;
    }

    /// This many bytes arrived: a wait for them, if there was one, is over.
    ///
    /// If its end has passed long ago and was not told, this process stood still and not the client, which has used up
    /// no more of its time than the wait could last. (Not if it has just passed: who moves a byte between the end of
    /// each wait and the sweeper's look would never be late.)
    #[inline]
    pub(super) fn arrived(&mut self, n: usize) {
        if self.phase == Some(Phase::Body) {
            self.read_meter.moved(n, self.now().min(self.read_by.saturating_add(STEP)));
        }
        self.read_by = NEVER;
    }

    /// The client took this many bytes: a wait for room, if there was one, is over.
    #[inline]
    pub(super) fn taken(&mut self, n: usize) {
        if self.write_meter.is_waiting() {
            self.write_meter.moved(n, self.now().min(self.write_by.saturating_add(STEP)));
            self.write_by = NEVER;
        } else {
            self.write_meter.count(n);
        }
    }

    /// Begins, or goes on, to wait for bytes. `silent` says that nothing is here that was not understood.
    #[inline]
    pub(super) fn wait_for_bytes(&mut self, silent: bool) -> Result<(), WireError> {
        let Some(connection) = &self.connection else { return Ok(()) };
        let connections = &connection.connections;
        self.read_by = match self.phase {
            None => NEVER,
            Some(Phase::Body) => match connection.moved_read() {
                Some(read_by) => read_by,
                None => self.read_meter.wait(clock(connection, &self.read_meter), Phase::Body, connections.coarse()),
            },
            Some(Phase::Idle | Phase::Head | Phase::Drain) if silent && connection.is_leaving() => {
                self.read_by = NEVER;
                connection.set_deadline(self.write_by);
                return Err(WireError::TimedOut(Phase::Drain));
            }
            Some(phase) => {
                if connections.is_stopping() && matches!(phase, Phase::Idle | Phase::Head) && silent {
                    self.phase = Some(Phase::Drain);
                    self.phase_end = connection.end(Phase::Drain);
                } else if self.phase_end == UNBEGUN {
                    self.phase_end = connection.end(phase);
                    // Whatever was replied is sent, unless somebody waits for it still: the next reply has a meter of
                    // its own.
                    if !self.write_meter.is_waiting() {
                        self.write_meter = MinRate::default();
                    }
                }
                self.phase_end
            }
        };
        self.wait()
    }

    /// Begins, or goes on, to wait for room.
    pub(super) fn wait_for_room(&mut self) -> Result<(), WireError> {
        let Some(connection) = &self.connection else { return Ok(()) };
        self.write_by = match connection.moved_write() {
            Some(write_by) => write_by,
            None => self.write_meter.wait(
                clock(connection, &self.write_meter),
                Phase::Reply,
                connection.connections.coarse(),
            ),
        };
        self.wait()
    }

    /// See [`Wire::start_half_closed_timeout`](super::Wire::start_half_closed_timeout), of a client that has said its
    /// last.
    pub(super) fn start_half_closed_timeout(&mut self) -> Result<(), WireError> {
        let Some(connection) = &self.connection else { return Ok(()) };
        if self.phase != Some(Phase::Reply) {
            self.phase = Some(Phase::Reply);
            // Nothing stands still on its way to the client: this is silence, as that of a body.
            self.phase_end = connection.end(Phase::Body);
        }
        self.read_by = connection.moved_write().unwrap_or(self.phase_end);
        self.wait()
    }

    /// See [`Wire::clear_half_closed_timeout`](super::Wire::clear_half_closed_timeout).
    #[inline]
    pub(super) fn clear_half_closed_timeout(&mut self) {
        if self.phase == Some(Phase::Reply) {
            self.clear_phase();
        }
    }

    /// A handler moved a deadline of a wait that is under way, and whoever waits has not looked since.
    pub(super) fn adopt_moved(&mut self) {
        let Some(connection) = &self.connection else { return };
        if let (Some(Phase::Body), Some(read_by)) =
            (self.phase, connection.moved_read().filter(|_| self.read_by != NEVER))
        {
            self.read_by = read_by;
        }
        if let Some(write_by) = connection.moved_write().filter(|_| self.write_by != NEVER) {
            self.write_by = write_by;
        }
    }

    /// Stores until when this wait may last; an error if that is over already, or the connection was aborted.
    #[inline]
    pub(super) fn wait(&mut self) -> Result<(), WireError> {
        let Some(connection) = &self.connection else { return Ok(()) };
        let deadline = self.read_by.min(self.write_by);
        connection.set_deadline(deadline);
        if connection.connections.is_aborted() {
            return Err(WireError::Aborted);
        }
        if deadline > connection.now() {
            return Ok(());
        }
        Err(self.late())
    }

    /// The wait that is over is told once; what follows (the answer that says so) has a time of its own.
    #[cold]
    fn late(&mut self) -> WireError {
        if let Some(connection) = &self.connection {
            connection.set_deadline(NEVER);
        }
        if self.write_by < self.read_by {
            self.write_by = NEVER;
            return WireError::TimedOut(Phase::Reply);
        }
        self.read_by = NEVER;
        WireError::TimedOut(self.phase.unwrap_or(Phase::Head))
    }

    fn now(&self) -> u64 {
        self.connection.as_ref().map_or(0, |connection| connection.now())
    }
}

impl Drop for WaitState {
    fn drop(&mut self) {
        // The entry may live on, and nobody waits for this client any more.
        if let Some(connection) = &self.connection {
            connection.set_deadline(NEVER);
        }
    }
}

/// The time at which a wait begins, or goes on.
fn clock(connection: &Connection, meter: &MinRate) -> u64 {
    if meter.is_waiting() { connection.now() } else { connection.begin() }
}
