//! One request in progress on a connection: whether its client is still there, its deadlines, a note for logs and panics,
//! and interim replies that wait to be sent.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    child::Child,
    connection::Connection,
    current::{Current, Deadline, InterimError},
    entry::Entry,
    shared::SLACK,
};
use crate::tick::millis;

/// One request in progress on a connection: whether its client is still there, its deadlines, a note for logs and panics,
/// and interim replies that wait to be sent. Cheap to clone.
///
/// A handle whose request is over does nothing: it moves no deadline, least of all one of the connection's next request,
/// and its client counts as gone.
#[doc(alias = "ResponseController")]
#[derive(Clone)]
pub struct ActiveRequest {
    connection: Arc<Connection>,
    /// Where there are many requests at once; else it is the connection's only one.
    child: Option<Arc<Child>>,
    number: u32,
}

impl ActiveRequest {
    /// The request in progress on a connection that has one at a time.
    #[inline]
    pub(super) fn of_connection(connection: Arc<Connection>) -> Self {
        ActiveRequest { number: connection.current.number(), connection, child: None }
    }

    /// One of many.
    pub(super) fn of_child(connection: Arc<Connection>, child: Arc<Child>) -> Self {
        ActiveRequest { number: child.current.number(), connection, child: Some(child) }
    }

    /// The connection that the request came by.
    #[inline]
    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    fn current(&self) -> &Current {
        self.child.as_ref().map_or(&self.connection.current, |child| &child.current)
    }

    fn entry(&self) -> &Entry {
        self.child.as_ref().map_or(&self.connection.entry, |child| &child.entry)
    }

    /// Whether the client has gone away, or the request is over.
    pub fn is_disconnected(&self) -> bool {
        self.current().is_disconnected(self.number)
    }

    /// Resolves when the client has gone away: it closed the connection or its half of it (FIN), reset it or this request,
    /// was aborted, or is late; or when the request is over. A client that closed only its half may still read.
    ///
    /// # Cancel safety
    /// Nothing is lost: a client that is gone stays gone.
    pub async fn disconnected(&self) {
        self.current().disconnected(self.number).await;
    }

    /// Moves the read deadline of this request: instead of the server's rules for a slow body, reading fails
    /// `after` this long from now; [`Duration::MAX`] is never. It counts for a read that is already waiting, too. Go:
    /// `ResponseController.SetReadDeadline`.
    pub fn set_read_deadline(&self, after: Duration) {
        self.move_deadline(Deadline::Read, after);
    }

    /// Moves the write deadline of this request's reply, as [`set_read_deadline`](Self::set_read_deadline) does for
    /// reading. Go: `ResponseController.SetWriteDeadline`.
    pub fn set_write_deadline(&self, after: Duration) {
        self.move_deadline(Deadline::Write, after);
    }

    fn move_deadline(&self, which: Deadline, after: Duration) {
        let end = self.entry().begin().saturating_after_millis(millis(after.saturating_add(SLACK)));
        if self.current().move_deadline(self.number, which, end) {
            // A wait that is under way has stored an older one.
            self.entry().wake();
        }
    }

    /// Leaves a note for logs and panics: at most 1 KiB of it, the last one counts. A request that is dropped by a panic
    /// leaves its method and target.
    pub fn note(&self, text: &str) {
        self.current().note(self.number, text);
    }

    /// Takes the note, if there is one and the request is not over.
    pub fn take_note(&self) -> Option<String> {
        self.current().take_note(self.number)
    }

    /// Hands over an interim reply (1xx), whole heads in the form of the wire: it is sent as soon as the client takes it,
    /// if the final reply does not begin at the same moment, and always before that.
    ///
    /// Units: bytes; at most 16 KiB may wait to be sent.
    ///
    /// # Errors
    /// [`InterimError::Full`] if more would wait, [`InterimError::Over`] if it is too late, or the client knows no interim
    /// replies.
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
