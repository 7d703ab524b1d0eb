//! The notes of the requests of one connection whose replies were not sent yet.

use std::{
    collections::VecDeque,
    sync::Arc,
    thread::panicking,
    time::{Duration, SystemTime},
};

#[cfg(feature = "http2")]
use http::Method;
use http::StatusCode;
use quintet_conn::{Connection, RequestValues};
use quintet_request::{CloseReason, Next, Request};
use tokio::time::Instant;

#[cfg(feature = "http2")]
use super::stream_note::StreamNote;
use super::{facts::Facts, note::Note, outcome::Outcome, refusal::Refusal, reply_place::ReplyPlace};
use crate::observe::Observer;

/// How long the monotonic clock counts on before the clock of the day is read again.
const MAX_WALL_AGE: Duration = Duration::from_secs(1);
/// The most bytes that the notes of one connection hold before its output is flushed.
const MAX_NOTES_BYTES: usize = 64 * 1024;

/// The notes of the requests of one connection whose replies were not sent yet, in order.
///
/// The reply to a pipelined request waits in the output while the next request is served. So a note has the position at
/// which its reply ends, counted in bytes of the connection, and its event is fired when the stream has taken that byte:
///
/// ```text
///  taken by the stream │ in the output
///  ────────────────────┼──────────────────────────────────────▶ bytes
///            reply 1   │   ┊ reply 2        ┊ reply 3 …
///                      │   ┊                ┊
///                    taken  note 1 ends      note 2 ends
/// ```
///
/// A stream that keeps what it is given (TLS) has sent it when it has flushed.
#[derive(Debug)]
pub(crate) struct Notes {
    observer: Arc<Observer>,
    connection: Arc<Connection>,
    /// The note of the request in progress.
    open: Option<Box<Note>>,
    /// The notes of the requests before it, which are over, in order.
    waiting: VecDeque<Box<Note>>,
    /// Bytes that the stream took.
    taken: u64,
    /// Bytes that it has sent.
    sent: u64,
    /// The value of `sent` at which a note has to be told; `u64::MAX` if there is none.
    next: u64,
    /// When the first byte of the next request arrived, if it has.
    began: Option<Instant>,
    /// Both clocks, as they were read last, and until when that is good enough.
    clocks: Option<(Instant, SystemTime)>,
    clocks_until: Instant,
    /// Bytes of memory that the waiting notes hold.
    bytes: usize,
}

impl Notes {
    pub(crate) fn new(observer: Arc<Observer>, connection: Arc<Connection>) -> Self {
        Self {
            observer,
            connection,
            open: None,
            waiting: VecDeque::new(),
            taken: 0,
            sent: 0,
            next: u64::MAX,
            began: None,
            clocks: None,
            clocks_until: Instant::now(),
            bytes: 0,
        }
    }

    /// Bytes have arrived. If no request is in progress, the next one begins.
    #[inline]
    pub(super) fn arrived(&mut self, bytes: &[u8]) {
        // Not an empty line: the client may send one after a body, long before its next request.
        if self.open.is_none() && self.began.is_none() && bytes.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
            self.began = Some(Instant::now());
        }
    }

    /// The stream took `n` bytes. `keeps`: it may keep them until it is flushed.
    #[inline]
    pub(super) fn took(&mut self, n: usize, keeps: bool) {
        self.taken += n as u64;
        if !keeps {
            self.flushed();
        }
    }

    /// The stream has sent all that it took.
    #[inline]
    pub(super) fn flushed(&mut self) {
        self.sent = self.taken;
        if self.sent >= self.next {
            self.advance();
        }
    }

    /// A request begins.
    #[inline]
    pub(crate) fn begin(&mut self, request: &Request) {
        let (keep, note) = (self.observer.keep(), self.open());
        note.set_request(request.head(), request.body().as_bytes(), keep);
    }

    /// A request begins, whose head is refused.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.open().facts.outcome = Outcome::Refused(refusal);
    }

    /// A request of HTTP/2 begins.
    #[cfg(feature = "http2")]
    pub(crate) fn stream(&mut self, request: &Request) -> Box<StreamNote> {
        let mut note = self.note(Instant::now());
        note.set_request(request.head(), request.body().as_bytes(), self.observer.keep());
        Box::new(StreamNote::new(note))
    }

    /// A request of HTTP/2 begins, whose head is refused.
    #[cfg(feature = "http2")]
    pub(crate) fn refuse_stream(&mut self, refusal: Refusal, method: &Method) -> Box<StreamNote> {
        let mut note = self.note(Instant::now());
        (note.facts.outcome, note.method) = (Outcome::Refused(refusal), Some(method.clone()));
        Box::new(StreamNote::new(note))
    }

    /// The last frame of a stream is in the output, which has `unsent` bytes; `None` if it will not be sent.
    #[cfg(feature = "http2")]
    pub(crate) fn end_stream(&mut self, stream: StreamNote, unsent: Option<usize>) {
        let StreamNote { mut note, is_put, .. } = stream;
        let end = unsent.map_or(u64::MAX, |unsent| self.taken + unsent as u64);
        note.facts.close = self.connection.close_reason();
        note.facts.place = ReplyPlace { begin: end.saturating_sub(1), end, put: (0, note.facts.sent), is_put };
        self.wait(note);
    }

    /// The request in progress is refused before its handler.
    pub(crate) fn refuse_open(&mut self, refusal: Refusal) {
        if let Some(note) = &mut self.open {
            note.facts.outcome = Outcome::Refused(refusal);
        }
    }

    #[inline]
    fn open(&mut self) -> &mut Note {
        let began = self.began.take().unwrap_or_else(Instant::now);
        let note = self.note(began);
        self.open.insert(note)
    }

    #[inline]
    fn note(&mut self, began: Instant) -> Box<Note> {
        let clocks = match self.clocks {
            Some(clocks) if began < self.clocks_until => clocks,
            _ => self.read_clocks(),
        };
        Note::take(began, clocks, || self.observer.spare_notes())
    }

    #[cold]
    fn read_clocks(&mut self) -> (Instant, SystemTime) {
        let now = Instant::now();
        self.clocks_until = now + MAX_WALL_AGE;
        *self.clocks.insert((now, SystemTime::now()))
    }

    /// Changes the place of the reply in progress.
    #[inline]
    fn place(&mut self, change: impl FnOnce(&mut ReplyPlace)) {
        if let Some(note) = &mut self.open {
            change(&mut note.facts.place);
            // The first of the notes has the next position, and those of a later one are not before it.
            self.next = self.next.min(note.facts.place.next(self.sent));
        }
    }

    /// The reply begins behind the `unsent` bytes of the output. It may begin anew, if none of it was sent.
    pub(crate) fn begin_reply(&mut self, status: StatusCode, unsent: usize) {
        let at = self.taken + unsent as u64;
        if let Some(note) = &mut self.open {
            note.facts.status = Some(status);
        }
        self.place(|place| *place = ReplyPlace { begin: at, end: u64::MAX, put: (at, 0), is_put: false });
    }

    /// The whole reply is in the output, behind the first `before` of its `unsent` bytes; its body has `len` bytes.
    #[inline]
    pub(crate) fn put_reply(&mut self, status: StatusCode, before: usize, len: usize, unsent: usize) {
        let (begin, end) = (self.taken + before as u64, self.taken + unsent as u64);
        if let Some(note) = &mut self.open {
            note.facts.status = Some(status);
            note.facts.place = ReplyPlace { begin, end, put: (end, len as u64), is_put: true };
            // As in `place`, for a reply of which nothing was sent and which has a head.
            self.next = self.next.min(begin + 1);
        }
    }

    /// A part of the body of `len` bytes is at the end of the output, which has now `unsent` bytes.
    pub(crate) fn put_body(&mut self, len: usize, unsent: usize) {
        let at = self.taken + unsent as u64;
        self.place(|place| place.put = (at, place.put.1 + len as u64));
    }

    /// The reply will end `left` bytes behind the output, which has `unsent` bytes now.
    pub(crate) fn will_end(&mut self, left: u64, unsent: usize) {
        let at = (self.taken + unsent as u64).saturating_add(left);
        self.place(|place| place.end = at);
    }

    /// The end of the reply is at the end of the output, which has `unsent` bytes.
    pub(crate) fn end_reply(&mut self, unsent: usize) {
        let at = self.taken + unsent as u64;
        self.place(|place| (place.is_put, place.end) = (true, at.min(place.end)));
    }

    /// The request in progress is over; `reason` is why the connection ends with it. The output has `unsent` bytes. `take`
    /// moves here what its handlers left.
    #[inline]
    pub(crate) fn finish(
        &mut self,
        next: Next,
        reason: Option<CloseReason>,
        unsent: usize,
        take: impl FnOnce(&mut RequestValues),
    ) {
        self.began = None;
        let Some(mut note) = self.open.take() else { return };
        take(&mut note.values);
        note.take_received();
        // The usual request. A connection that goes on has no close reason.
        if next == Next::Continue && note.facts.outcome == Outcome::Cut && note.facts.place.is_put {
            note.facts.outcome = Outcome::Complete;
        } else {
            self.judge(&mut note.facts, next, reason, unsent);
        }
        self.wait(note);
    }

    /// Notes how a request ended, unless its whole reply was put.
    #[cold]
    fn judge(&self, facts: &mut Facts, next: Next, reason: Option<CloseReason>, unsent: usize) {
        let panicked = next != Next::Continue
            && (reason == Some(CloseReason::Panic) || self.connection.close_reason() == Some(CloseReason::Panic));
        facts.close = if panicked { Some(CloseReason::Panic) } else { reason };
        facts.outcome = match (facts.outcome, next) {
            (_, Next::TakeOver) => Outcome::TakenOver,
            _ if panicked => Outcome::Panicked,
            (refused @ Outcome::Refused(_), _) => refused,
            _ if facts.place.is_put => Outcome::Complete,
            (_, Next::Linger | Next::Reset) => Outcome::Broken,
            _ if reason == Some(CloseReason::HandlerAsked) => Outcome::Broken,
            (cut, _) => cut,
        };
        if !facts.place.is_put {
            facts.place.end = self.taken + unsent as u64;
        }
    }

    /// Waits until the reply to a request that is over was sent.
    #[inline]
    fn wait(&mut self, note: Box<Note>) {
        let place = note.facts.place;
        self.bytes += note.memory();
        self.waiting.push_back(note);
        if self.sent >= place.end {
            self.advance();
        } else {
            self.next = self.next.min(place.next(self.sent));
        }
    }

    /// Whether the notes hold so much memory that the replies before them have to be sent first. A client that pipelines
    /// and does not read could otherwise make them grow.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.bytes > MAX_NOTES_BYTES
    }

    /// Notes the times of what was sent, and fires the events of the requests that are over.
    fn advance(&mut self) {
        let (now, sent) = (Instant::now(), self.sent);
        while let Some(mut note) = self.waiting.pop_front() {
            note.facts.sent_until(sent, now);
            if sent < note.facts.place.end {
                self.next = note.facts.place.next(sent);
                self.waiting.push_front(note);
                return;
            }
            self.fire(note, now);
        }
        self.next = self.open.as_mut().map_or(u64::MAX, |note| {
            note.facts.sent_until(sent, now);
            note.facts.place.next(sent)
        });
    }

    /// Fires the events of all requests that are left: the connection has ended.
    pub(super) fn end(&mut self) {
        let reason = self.connection.close_reason();
        while let Some(mut note) = self.waiting.pop_front() {
            note.facts.close = reason.or(note.facts.close);
            self.fire(note, Instant::now());
        }
        if let Some(mut note) = self.open.take() {
            // The task panicked where no panic is caught, or was dropped with its runtime.
            let (outcome, why) = match panicking() {
                true => (Outcome::Panicked, CloseReason::Panic),
                false => (Outcome::Cut, CloseReason::Aborted),
            };
            (note.facts.outcome, note.facts.close) = (outcome, reason.or(note.facts.close).or(Some(why)));
            self.fire(note, Instant::now());
        }
    }

    /// Fires the event of a request.
    #[inline]
    fn fire(&mut self, mut note: Box<Note>, now: Instant) {
        self.bytes = self.bytes.saturating_sub(note.memory());
        let facts = &mut note.facts;
        facts.sent = facts.place.body_sent(self.sent);
        facts.is_whole = facts.place.is_put && self.sent >= facts.place.end;
        facts.last.get_or_insert(now);
        if !facts.is_whole {
            facts.cut(None);
        }
        self.observer.served(note, &self.connection);
    }
}
