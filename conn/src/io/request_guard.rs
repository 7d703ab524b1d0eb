//! The guard of one of many requests on a connection, owned by the task that serves the request.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Waker,
};

use super::{
    active_request::ActiveRequest, child::Child, connection::Connection, request_values::RequestValues,
    wire_error::WireError,
};
use crate::{Tick, WaitLimits, WaitState};

/// The guard of one of many requests on a connection, owned by the task that serves the request: a child of the
/// connection ([`ConnGuard::child`](super::ConnGuard::child)) with a clock and a deadline of its own. The sweeper checks
/// it, and [`Connections::counts`](super::Connections::counts) does not count it.
///
/// Dropping it ends the request, and removes the child from the connection.
pub struct RequestGuard {
    connection: Arc<Connection>,
    child: Arc<Child>,
}

impl RequestGuard {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self { child: connection.add_child(), connection }
    }

    /// The same as a child that is no request: it has a clock and a deadline, and
    /// [`Connections::requests`](super::Connections::requests) does not count it.
    #[must_use]
    pub fn uncounted(self) -> Self {
        self.child.is_request.store(false, Relaxed);
        self
    }

    /// The handle of this request.
    pub fn active(&self) -> ActiveRequest {
        ActiveRequest::of_child(Arc::clone(&self.connection), Arc::clone(&self.child))
    }

    /// The number of this request among those in progress on its connection: small, and reused after the request ended.
    pub fn slot(&self) -> usize {
        self.child.slot as usize
    }

    /// The connection of the request.
    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Registers the task to wake when the deadline passed, the server stops, or it aborts.
    pub fn register_waker(&self, task: &Waker) {
        self.child.entry.register_waker(task);
    }

    /// Says that the client disconnected from this request (a reset stream of HTTP/2). Other requests go on.
    pub fn set_disconnected(&self) {
        self.child.current.set_disconnected();
    }

    /// The time of this request's clock, for a wait that goes on.
    pub fn now(&self) -> Tick {
        self.child.entry.now()
    }

    /// The time of this request's clock, for a wait that begins.
    pub fn begin(&self) -> Tick {
        self.child.entry.begin()
    }

    /// The timeouts by this clock.
    pub fn limits(&self) -> &WaitLimits {
        self.connection.limits()
    }

    /// Adopts the deadlines that a handler moved, and stores the deadline of these waits, at which the task is woken.
    ///
    /// # Errors
    /// [`WireError::TimedOut`] if the deadline has passed, [`WireError::Aborted`] if the server aborted the connection.
    pub fn wait(&self, waits: &mut WaitState) -> Result<(), WireError> {
        if let Some((read, write)) = self.child.current.moved() {
            waits.set_moved(read, write);
        }
        self.child.entry.wait(waits, self.connection.stops(), self.limits()).map_err(WireError::TimedOut)?;
        if self.connection.shared.is_aborted() { Err(WireError::Aborted) } else { Ok(()) }
    }

    /// Moves the [values](ActiveRequest::set_value) of the request into these.
    pub fn take_values(&self, into: &mut RequestValues) {
        self.child.current.take_values(into);
    }

    /// Takes the interim replies to be sent; `None` if there are none.
    pub fn take_interim(&self) -> Option<Vec<u8>> {
        self.child.current.take_interim()
    }

    /// Begins the final reply. Returns the interim replies to be sent before it; from now on none is accepted.
    pub fn end_interim(&self) -> Option<Vec<u8>> {
        self.child.current.end_interim()
    }
}

impl fmt::Debug for RequestGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestGuard").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.child.current.end();
        self.child.entry.dismiss();
        self.connection.remove_child(self.child.slot);
    }
}
