//! The note of one request of HTTP/2, which is in the task of its stream.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread::panicking,
};

use http::StatusCode;
use quintet_request::{StreamReply, StreamWriter};
use tokio::time::Instant;

use super::{note::Note, outcome::Outcome, refusal::Refusal};

/// The note of one request of HTTP/2, which is in the task of its stream until that has ended.
#[derive(Debug)]
pub(crate) struct StreamNote {
    pub(super) note: Box<Note>,
    /// Whether the end of the reply was handed to the connection.
    pub(super) is_put: bool,
    has_panicked: AtomicBool,
}

impl StreamNote {
    pub(super) fn new(note: Box<Note>) -> Self {
        Self { note, is_put: false, has_panicked: AtomicBool::new(false) }
    }

    /// The request is refused.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.note.facts.outcome = Outcome::Refused(refusal);
    }

    /// The handler or the body of the reply panicked.
    pub(crate) fn panicked(&self) {
        self.has_panicked.store(true, Relaxed);
    }

    /// The handler is done.
    pub(crate) fn handled(&mut self, reply: &StreamReply) {
        reply.take_values(&mut self.note.values);
        self.note.facts.received = self.note.facts.received.max(reply.received());
    }

    pub(crate) fn set_status(&mut self, status: StatusCode) {
        self.note.facts.status = Some(status);
    }

    /// The head was handed to the connection, and more of the reply is being made.
    pub(crate) fn begin_body(&mut self) {
        self.note.facts.first = Some(Instant::now());
    }

    /// How much was received and sent so far.
    pub(crate) fn set_bytes(&mut self, writer: &StreamWriter) {
        self.note.facts.received = self.note.facts.received.max(writer.received());
        self.note.facts.sent = writer.sent();
    }

    /// The end of the reply, whose body has so many bytes, was handed to the connection; or the client has reset the
    /// request.
    pub(crate) fn end(&mut self, is_sent: bool, body: usize) {
        if is_sent {
            self.note.facts.sent += body as u64;
            self.whole();
        } else {
            self.fail(Outcome::Reset);
        }
    }

    /// The end of the reply was handed to the connection.
    pub(crate) fn whole(&mut self) {
        self.is_put = true;
    }

    /// The reply ended early.
    pub(crate) fn fail(&mut self, outcome: Outcome) {
        if self.note.facts.outcome == Outcome::Cut {
            self.note.facts.outcome = outcome;
        }
    }

    /// The task of the stream has ended.
    pub(super) fn finish(&mut self) {
        if self.has_panicked.load(Relaxed) || panicking() {
            self.note.facts.outcome = Outcome::Panicked;
        } else if self.is_put {
            self.fail(Outcome::Complete);
        }
    }
}
