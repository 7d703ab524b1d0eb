//! The handle of one request in progress: whether its client disconnected, its deadlines, its note and its interim replies.

use std::{any::Any, fmt, sync::Arc, time::Duration};

use super::{
    child::Child,
    connection::Connection,
    current::{Current, Deadline, InterimError},
    entry::Entry,
    shared::SLACK,
};
use crate::tick::millis;

/// The handle of one request in progress: whether its client disconnected, its deadlines, a note for logs and panics, and
/// interim replies (1xx) to be sent. Cheap to clone.
///
/// After the end of its request a handle does nothing: it moves no deadline of a later request, and it says that the
/// client disconnected.
#[doc(alias = "ResponseController")]
#[derive(Clone)]
pub struct ActiveRequest {
    connection: Arc<Connection>,
    /// The child of the connection, where many requests are in progress at once. `None`: the connection's only request.
    child: Option<Arc<Child>>,
    /// The number of the request: a handle of an earlier request has another one.
    number: u32,
}

impl ActiveRequest {
    /// The request in progress on a connection that has one at a time.
    #[inline]
    pub(super) fn of_connection(connection: Arc<Connection>) -> Self {
        Self { number: connection.current.number(), connection, child: None }
    }

    /// One of many requests in progress at once.
    pub(super) fn of_child(connection: Arc<Connection>, child: Arc<Child>) -> Self {
        Self { number: child.current.number(), connection, child: Some(child) }
    }

    /// The connection of the request.
    #[inline]
    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// The number of the request among those in progress on its connection: small, and reused after the request ended.
    /// `None` where there is one at a time.
    #[cfg(feature = "live")]
    pub fn slot(&self) -> Option<usize> {
        self.child.as_ref().map(|child| child.slot as usize)
    }

    fn current(&self) -> &Current {
        self.child.as_ref().map_or(&self.connection.current, |child| &child.current)
    }

    fn entry(&self) -> &Entry {
        self.child.as_ref().map_or(&self.connection.entry, |child| &child.entry)
    }

    /// Whether the client disconnected, or the request has ended.
    pub fn is_disconnected(&self) -> bool {
        self.current().is_disconnected(self.number)
    }

    /// Resolves when the client disconnected or the request has ended. A client is disconnected when it closed or
    /// half-closed the connection (FIN), reset the connection or this request, timed out, or when the server aborted the
    /// connection. A half-closed client may still read.
    ///
    /// # Cancel safety
    /// Cancel safe: it can be called again, and resolves at once if the client has disconnected meanwhile.
    pub async fn disconnected(&self) {
        self.current().disconnected(self.number).await;
    }

    /// Moves the read deadline of this request to `after` from now. It replaces the minimum rate and the stall timeout of
    /// a body, also for a read in progress. [`Duration::MAX`] is never. Go: `ResponseController.SetReadDeadline`.
    pub fn set_read_deadline(&self, after: Duration) {
        self.move_deadline(Deadline::Read, after);
    }

    /// Moves the write deadline of this request's reply to `after` from now. It replaces the minimum rate and the stall
    /// timeout of a reply, also for a write in progress. [`Duration::MAX`] is never. Go:
    /// `ResponseController.SetWriteDeadline`.
    pub fn set_write_deadline(&self, after: Duration) {
        self.move_deadline(Deadline::Write, after);
    }

    fn move_deadline(&self, which: Deadline, after: Duration) {
        let end = self.entry().begin().saturating_after_millis(millis(after.saturating_add(SLACK)));
        if self.current().move_deadline(self.number, which, end) {
            // The task of a wait in progress wakes and stores the new deadline in place of the old one.
            self.entry().wake();
        }
    }

    /// Sets the note of this request, for logs and reports of panics. At most 1 KiB is kept; a later note replaces an
    /// earlier one. A request that a panic drops sets its method and target.
    pub fn note(&self, text: &str) {
        self.current().note(self.number, text);
    }

    /// Takes the note. `None` if there is no note, or the request has ended.
    pub fn take_note(&self) -> Option<String> {
        self.current().take_note(self.number)
    }

    /// Leaves a value for the observers of this request, such as an access log: the route, the client behind a proxy, the
    /// name of the user. One value of each type is kept, the last one. Without an observer
    /// ([`keep_values`](Self::keep_values)), and after the end of the request, it does nothing.
    ///
    /// Handlers of the same request find a value by [`value`](Self::value); to give one to the next handler, rather attach
    /// it to the request.
    pub fn set_value(&self, value: Arc<dyn Any + Send + Sync>) {
        self.current().set_value(self.number, value);
    }

    /// The value of this type that a handler [left](Self::set_value). `None` if there is none, or if the request has ended.
    pub fn value<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.current().value(self.number)
    }

    /// Keeps the values that handlers [leave](Self::set_value) from now on: the caller observes this request.
    pub fn keep_values(&self) {
        self.current().keep_values();
    }

    /// Sends an interim reply (1xx) before the final reply. `bytes` are one or more whole heads as they go on the wire.
    ///
    /// The serving task is woken to send them, always before the final reply. If the final reply begins at the same moment,
    /// in another thread, they may be discarded.
    ///
    /// Units: bytes; at most 16 KiB may be unsent.
    ///
    /// # Errors
    /// [`InterimError::Full`] if more would be unsent. [`InterimError::Over`] if the final reply has begun, the request
    /// has ended, or the client does not know interim replies (HTTP/1.0).
    ///
    /// # Spec
    /// RFC 9110 §15.2. Go: `ResponseWriter.WriteHeader` of 1xx.
    #[doc(alias = "early hints")]
    pub fn push_interim(&self, bytes: &[u8]) -> Result<(), InterimError> {
        self.current().push_interim(self.number, bytes)?;
        self.entry().wake();
        Ok(())
    }
}

impl fmt::Debug for ActiveRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActiveRequest")
            .field("connection", &self.connection)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
