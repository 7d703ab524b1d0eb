//! The guard of a connection, owned by the task that serves it.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::Ordering::{AcqRel, Relaxed},
    },
    task::Waker,
};

use super::{
    active_request::ActiveRequest, connection::Connection, request_guard::RequestGuard, request_values::RequestValues,
};
use crate::{CloseCode, State};

/// The guard of a connection, owned by the task that serves it. It derefs to the [`Connection`], and it also changes the
/// connection's state.
///
/// The guard and the [`Wire`](super::Wire) keep the connection counted. The connection ends when the later of the two is
/// dropped: the state becomes [`State::Closed`], and [`ActiveRequest::disconnected`] resolves. Go: the deferred block of
/// `conn.serve`.
#[derive(Debug)]
pub struct ConnGuard(Arc<Connection>);

impl ConnGuard {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        connection.holders.fetch_add(1, Relaxed);
        Self(connection)
    }

    /// Changes the state and calls the state hook. A change that is not legal ([`State::moves`]) does nothing.
    // Always inlined: a request changes its state twice, and each caller passes a constant.
    #[inline(always)]
    pub fn set_state(&self, to: State) {
        self.0.set_state(to);
    }

    /// Says that the client disconnected: [`ActiveRequest::disconnected`] resolves for every request of the connection.
    pub fn set_disconnected(&self) {
        self.0.set_disconnected();
    }

    /// Sets the reason why the connection ends, before it ends. The reason is one of the layer that decides it. The first
    /// reason stays. See [`Connection::close_reason`].
    pub fn set_close_reason(&self, reason: impl Into<CloseCode>) {
        self.0.set_close_reason(reason.into());
    }

    /// Sets a value of this connection, which a handler reads by [`Connection::value`]. Set it once, before the connection
    /// is served. Go: `Server.ConnContext`.
    ///
    /// # Errors
    /// Returns the value if one is set already.
    pub fn set_value(&self, value: Arc<dyn Any + Send + Sync>) -> Result<(), Arc<dyn Any + Send + Sync>> {
        self.0.set_value(value)
    }

    /// The handle of the request in progress, where there is one at a time.
    #[inline]
    pub fn active(&self) -> ActiveRequest {
        ActiveRequest::of_connection(Arc::clone(&self.0))
    }

    /// Adds a child to this connection: a request in progress, where there are many at once. A child has some hundred
    /// bytes; the caller limits how many there are.
    pub fn child(&self) -> RequestGuard {
        RequestGuard::new(Arc::clone(&self.0))
    }

    /// Ends the request in progress: its handles do nothing from now on, and the next request has no moved deadlines.
    #[inline]
    pub fn end_request(&self) {
        self.0.current.end();
    }

    /// Takes the [note](ActiveRequest::note) of the request in progress.
    pub fn take_note(&self) -> Option<String> {
        self.0.current.take_note(self.0.current.number())
    }

    /// Moves the [values](ActiveRequest::set_value) of the request in progress into these.
    pub fn take_values(&self, into: &mut RequestValues) {
        self.0.current.take_values(into);
    }

    /// Takes the [interim replies](ActiveRequest::push_interim) to be sent; `None` if there are none.
    #[inline]
    pub fn take_interim(&self) -> Option<Vec<u8>> {
        self.0.current.take_interim()
    }

    /// Begins the final reply to the request in progress. Returns the interim replies to be sent before it; from now on
    /// none is accepted. For a client that does not know interim replies (HTTP/1.0) it is called when the request begins.
    #[inline(always)]
    pub fn end_interim(&self) -> Option<Vec<u8>> {
        self.0.current.end_interim()
    }

    /// Registers the task to wake when the deadline passed, the server stops, or it aborts: the task that serves the
    /// connection. A wire registers its task itself ([`Wire::register_waker`](super::Wire::register_waker)).
    pub fn register_waker(&self, task: &Waker) {
        self.0.entry.register_waker(task);
    }

    /// Wakes the [registered](Self::register_waker) task: another task of the connection has something for it.
    pub fn wake_task(&self) {
        self.0.entry.wake();
    }

    /// Whether the server aborted all connections ([`Connections::abort`](super::Connections::abort)).
    #[inline]
    pub fn is_aborted(&self) -> bool {
        self.0.shared.is_aborted()
    }

    /// The wall clock, in seconds of Unix time; see [`Connections::unix`](super::Connections::unix).
    #[inline]
    pub fn unix(&self) -> u64 {
        self.0.shared.clock.unix()
    }
}

impl std::ops::Deref for ConnGuard {
    type Target = Arc<Connection>;
    #[inline]
    fn deref(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for ConnGuard {
    fn drop(&mut self) {
        // Two threads may drop the guard and the wire at once, and exactly one of them is the last. As in `Arc`, the
        // release of the first pairs with the acquire of the last: what the first wrote (a state, a close reason) is
        // visible before the end below.
        if self.0.holders.fetch_sub(1, AcqRel) > 1 {
            return;
        }
        // In this order: the hook sees `Closed` while the connection is still counted; then the handlers are told, and the
        // handles of the last request have no effect any more; the connection leaves last, so that a task in `drained`
        // resumes only when nothing of it is left.
        self.0.set_state(State::Closed);
        self.0.set_disconnected();
        self.0.current.end();
        self.0.entry.dismiss();
        self.0.shared.leave(self.0.slot);
    }
}
