//! What the task that serves one of many requests on a connection owns of it.

use std::{fmt, sync::Arc, task::Waker};

use super::{active_request::ActiveRequest, child::Child, connection::Connection, wire_error::WireError};
use crate::{Tick, WaitLimits, WaitState};

/// What the task that serves one of many requests on a connection owns of it: a child of the connection
/// ([`ConnGuard::child`](super::ConnGuard::child)) with a clock, a deadline and a client of its own, which the sweeper
/// looks at and which no count of connections has.
///
/// Dropping it is the end of the request, and leaves nothing of it with the connection.
pub struct RequestGuard {
    connection: Arc<Connection>,
    child: Arc<Child>,
}

impl RequestGuard {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        RequestGuard { child: connection.add_child(), connection }
    }

    /// The handle of this request.
    pub fn active(&self) -> ActiveRequest {
        ActiveRequest::of_child(Arc::clone(&self.connection), Arc::clone(&self.child))
    }

    /// The connection that it came by.
    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// The task to wake when the deadline passed, when stopping or when aborted.
    pub fn register_waker(&self, task: &Waker) {
        self.child.entry.register_waker(task);
    }

    /// The client of this request has gone away; those of other requests have not.
    pub fn cancel(&self) {
        self.child.current.cancel();
    }

    /// The time of this request's clock, for a wait that goes on.
    pub fn now(&self) -> Tick {
        self.child.entry.now()
    }

    /// The time of this request's clock, for a wait that begins.
    pub fn begin(&self) -> Tick {
        self.child.entry.begin()
    }

    /// The limits by that clock.
    pub fn limits(&self) -> &WaitLimits {
        self.connection.limits()
    }

    /// Takes over the deadlines that a handler moved, and stores until when these waits last: the task is woken then.
    ///
    /// # Errors
    /// [`WireError::TimedOut`] if they are over, [`WireError::Aborted`].
    pub fn wait(&self, waits: &mut WaitState) -> Result<(), WireError> {
        if let Some((read, write)) = self.child.current.moved() {
            waits.set_moved(read, write);
        }
        self.child.entry.wait(waits, self.connection.stops(), self.limits()).map_err(WireError::TimedOut)?;
        if self.connection.shared.is_aborted() { Err(WireError::Aborted) } else { Ok(()) }
    }

    /// Takes the interim replies that wait to be sent; `None` if there are none.
    pub fn take_interim(&self) -> Option<Vec<u8>> {
        self.child.current.take_interim()
    }

    /// The final reply begins: what is returned goes before it, and no interim reply comes after it.
    pub fn begin_reply(&self) -> Option<Vec<u8>> {
        self.child.current.begin_reply()
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
