//! What the task that serves a connection owns of it.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::Ordering::{AcqRel, Relaxed},
    },
    task::Waker,
};

use super::{active_request::ActiveRequest, connection::Connection, request_guard::RequestGuard};
use crate::{CloseCode, State};

/// What the task that serves a connection owns of it: it looks as the [`Connection`] does, and it alone changes where the
/// connection stands.
///
/// It keeps the connection counted, together with its [`Wire`](super::Wire): dropping the last of the two is the connection's end.
/// The state becomes [`State::Closed`] and whoever waits for the client is told. Go: the deferred block of `conn.serve`.
#[derive(Debug)]
pub struct ConnGuard(Arc<Connection>);

impl ConnGuard {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        connection.holders.fetch_add(1, Relaxed);
        ConnGuard(connection)
    }

    /// Moves the state; a move that the table does not allow is not made. Tells the hook.
    // Always: two moves for each request, and each caller knows where to.
    #[inline(always)]
    pub fn set_state(&self, to: State) {
        self.0.set_state(to);
    }

    /// The client has gone away; whoever waits in [`ActiveRequest::disconnected`] is told.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Says why the connection ends, before it does: a reason of the layer that decides it. The first one stays.
    /// See [`Connection::close_reason`].
    pub fn set_close_reason(&self, reason: impl Into<CloseCode>) {
        self.0.set_close_reason(reason.into());
    }

    /// Gives the connection a value of its own, to be set once, before it is served: what a handler finds by
    /// [`Connection::value`]. Go: `Server.ConnContext`.
    ///
    /// # Errors
    /// Gives the value back if there is one already.
    pub fn set_value(&self, value: Arc<dyn Any + Send + Sync>) -> Result<(), Arc<dyn Any + Send + Sync>> {
        self.0.set_value(value)
    }

    /// The request in progress, where there is one at a time.
    #[inline]
    pub fn active(&self) -> ActiveRequest {
        ActiveRequest::of_connection(Arc::clone(&self.0))
    }

    /// Another request in progress, where there are many at once: a child of this connection. How many there are is for
    /// the one who asks to limit; each is an entry of some hundred bytes.
    pub fn child(&self) -> RequestGuard {
        RequestGuard::new(Arc::clone(&self.0))
    }

    /// The request in progress is over: its handles do nothing from now on, and the next one has no moved deadlines.
    #[inline]
    pub fn end_request(&self) {
        self.0.current.end();
    }

    /// Takes the [note](ActiveRequest::note) of the request in progress.
    pub fn take_note(&self) -> Option<String> {
        self.0.current.take_note(self.0.current.number())
    }

    /// Takes the [interim replies](ActiveRequest::push_interim) that wait to be sent; `None` if there are none.
    #[inline]
    pub fn take_interim(&self) -> Option<Vec<u8>> {
        self.0.current.take_interim()
    }

    /// The final reply to the request in progress begins: what is returned goes before it, and no interim reply comes
    /// after it. A client that knows none (HTTP/1.0) has its final reply begun at once.
    #[inline(always)]
    pub fn begin_reply(&self) -> Option<Vec<u8>> {
        self.0.current.begin_reply()
    }

    /// The task to wake when the deadline passed, when stopping or when aborted: the one that serves the connection. A
    /// wire does so by itself ([`Wire::register_waker`](super::Wire::register_waker)).
    pub fn register_waker(&self, task: &Waker) {
        self.0.entry.register_waker(task);
    }

    /// Whether every connection was cut off ([`Connections::abort`](super::Connections::abort)).
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
        // The guard and the wire may be dropped by two threads at once, and exactly one of them is the last. As in `Arc`,
        // what the other one did (a state it set, the reason it gave) happened before the end that the last one tells:
        // its release pairs with this acquire.
        if self.0.holders.fetch_sub(1, AcqRel) > 1 {
            return;
        }
        // In this order: the hook hears of the end while the connection is still counted, those who wait for the client
        // learn of it next, and whoever waits for the last connection finds nothing of it left.
        self.0.set_state(State::Closed);
        self.0.cancel();
        self.0.entry.dismiss();
        self.0.shared.leave(self.0.slot);
    }
}
