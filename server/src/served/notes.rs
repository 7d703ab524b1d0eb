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
use super::{note::Note, outcome::Outcome, refusal::Refusal, served::Served};
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
    queue: VecDeque<Entry>,
    /// Bytes that the stream took.
    taken: u64,
    /// Bytes that it has sent.
    sent: u64,
    /// The value of `sent` at which a note has to be told; `u64::MAX` if there is none.
    next: u64,
    /// When the first byte of the next request arrived, if it has.
    began: Option<Instant>,
    /// Whether the last note of the queue is that of a request in progress.
    is_open: bool,
    /// Both clocks, as they were read last, and until when that is good enough.
    clocks: Option<(Instant, SystemTime)>,
    clocks_until: Instant,
    /// Bytes of memory that the queue holds.
    bytes: usize,
}

/// A note, and the places of its reply in the bytes of the connection.
#[derive(Debug)]
struct Entry {
    note: Box<Note>,
    /// The first byte of the reply.
    begin: u64,
    /// The byte after the reply; `u64::MAX` if that is not known yet.
    end: u64,
    /// The byte after the last part of the body that is in the output, and how many bytes of the body come before it.
    put: (u64, u64),
    /// Whether the whole reply is in the output or sent.
    is_put: bool,
    /// Whether the request is over.
    is_finished: bool,
}

impl Entry {
    /// How many bytes of the body the stream has sent. What is missing of the framing counts as body, if the body is
    /// chunked, so that it is never too much.
    fn body_sent(&self, sent: u64) -> u64 {
        self.put.1.saturating_sub(self.put.0.saturating_sub(sent))
    }

    /// The value of `sent` at which there is something to be told.
    fn next(&self, sent: u64) -> u64 {
        if sent <= self.begin && self.begin < self.end {
            self.begin.saturating_add(1)
        } else if sent < self.end {
            self.end
        } else {
            u64::MAX
        }
    }

    fn is_over(&self, sent: u64) -> bool {
        self.is_finished && sent >= self.end
    }
}

impl Notes {
    pub(crate) fn new(observer: Arc<Observer>, connection: Arc<Connection>) -> Self {
        Self {
            observer,
            connection,
            queue: VecDeque::new(),
            taken: 0,
            sent: 0,
            next: u64::MAX,
            began: None,
            is_open: false,
            clocks: None,
            clocks_until: Instant::now(),
            bytes: 0,
        }
    }

    /// Bytes have arrived. If no request is in progress, the next one begins.
    #[inline]
    pub(super) fn arrived(&mut self, bytes: &[u8]) {
        // Not an empty line: the client may send one after a body, long before its next request.
        if !self.is_open && self.began.is_none() && bytes.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
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
    pub(crate) fn begin(&mut self, request: &Request) {
        self.open().set_request(request.head(), request.body().as_bytes());
    }

    /// A request begins, whose head is refused.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.open().outcome = Outcome::Refused(refusal);
    }

    /// A request of HTTP/2 begins.
    #[cfg(feature = "http2")]
    pub(crate) fn stream(&mut self, request: &Request) -> Box<StreamNote> {
        let mut note = self.note(Instant::now());
        note.set_request(request.head(), request.body().as_bytes());
        Box::new(StreamNote::new(note))
    }

    /// A request of HTTP/2 begins, whose head is refused.
    #[cfg(feature = "http2")]
    pub(crate) fn refuse_stream(&mut self, refusal: Refusal, method: &Method) -> Box<StreamNote> {
        let mut note = self.note(Instant::now());
        (note.outcome, note.method) = (Outcome::Refused(refusal), Some(method.clone()));
        Box::new(StreamNote::new(note))
    }

    /// The last frame of a stream is in the output, which has `unsent` bytes; `None` if it will not be sent.
    #[cfg(feature = "http2")]
    pub(crate) fn end_stream(&mut self, stream: StreamNote, unsent: Option<usize>) {
        let StreamNote { mut note, is_put, .. } = stream;
        let end = unsent.map_or(u64::MAX, |unsent| self.taken + unsent as u64);
        note.close = self.connection.close_reason();
        self.bytes += note.memory();
        let put = (0, note.sent);
        let entry = Entry { note, begin: end.saturating_sub(1), end, put, is_put, is_finished: true };
        let is_over = entry.is_over(self.sent);
        self.queue.push_back(entry);
        if is_over {
            self.advance();
        } else {
            self.find_next();
        }
    }

    /// The request in progress is refused before its handler.
    pub(crate) fn refuse_open(&mut self, refusal: Refusal) {
        if let Some(entry) = self.in_progress() {
            entry.note.outcome = Outcome::Refused(refusal);
        }
    }

    fn open(&mut self) -> &mut Note {
        let began = self.began.take().unwrap_or_else(Instant::now);
        let note = self.note(began);
        self.is_open = true;
        let entry = Entry { note, begin: u64::MAX, end: u64::MAX, put: (0, 0), is_put: false, is_finished: false };
        self.queue.push_back(entry);
        &mut self.queue.back_mut().expect("it was pushed").note
    }

    fn note(&mut self, began: Instant) -> Box<Note> {
        let clocks = match self.clocks {
            Some(clocks) if began < self.clocks_until => clocks,
            _ => self.read_clocks(),
        };
        Note::take(began, clocks)
    }

    #[cold]
    fn read_clocks(&mut self) -> (Instant, SystemTime) {
        let now = Instant::now();
        self.clocks_until = now + MAX_WALL_AGE;
        *self.clocks.insert((now, SystemTime::now()))
    }

    fn in_progress(&mut self) -> Option<&mut Entry> {
        if self.is_open { self.queue.back_mut() } else { None }
    }

    /// The reply begins behind the `unsent` bytes of the output. It may begin anew, if none of it was sent.
    pub(crate) fn begin_reply(&mut self, status: StatusCode, unsent: usize) {
        let at = self.taken + unsent as u64;
        if let Some(entry) = self.in_progress() {
            entry.note.status = Some(status);
            (entry.begin, entry.end, entry.put, entry.is_put) = (at, u64::MAX, (at, 0), false);
        }
        self.find_next();
    }

    /// The whole reply is in the output, behind the first `before` of its `unsent` bytes; its body has `len` bytes.
    pub(crate) fn put_reply(&mut self, status: StatusCode, before: usize, len: usize, unsent: usize) {
        let (begin, end) = (self.taken + before as u64, self.taken + unsent as u64);
        if let Some(entry) = self.in_progress() {
            entry.note.status = Some(status);
            (entry.begin, entry.end, entry.put, entry.is_put) = (begin, end, (end, len as u64), true);
        }
        self.find_next();
    }

    /// A part of the body of `len` bytes is at the end of the output, which has now `unsent` bytes.
    pub(crate) fn put_body(&mut self, len: usize, unsent: usize) {
        let at = self.taken + unsent as u64;
        if let Some(entry) = self.in_progress() {
            entry.put = (at, entry.put.1 + len as u64);
        }
    }

    /// The reply will end `left` bytes behind the output, which has `unsent` bytes now.
    pub(crate) fn will_end(&mut self, left: u64, unsent: usize) {
        let at = (self.taken + unsent as u64).saturating_add(left);
        if let Some(entry) = self.in_progress() {
            entry.end = at;
        }
        self.find_next();
    }

    /// The end of the reply is at the end of the output, which has `unsent` bytes.
    pub(crate) fn end_reply(&mut self, unsent: usize) {
        let at = self.taken + unsent as u64;
        if let Some(entry) = self.in_progress() {
            entry.is_put = true;
            entry.end = at.min(entry.end);
        }
        self.find_next();
    }

    /// The values that handlers left for the request in progress are to be moved here.
    pub(crate) fn values(&mut self) -> Option<&mut RequestValues> {
        self.in_progress().map(|entry| &mut entry.note.values)
    }

    /// The request in progress is over; `reason` is why the connection ends with it. The output has `unsent` bytes.
    pub(crate) fn finish(&mut self, next: Next, reason: Option<CloseReason>, unsent: usize) {
        let (at, sent) = (self.taken + unsent as u64, self.sent);
        // A connection that goes on has no close reason.
        let panicked = next != Next::Continue
            && (reason == Some(CloseReason::Panic) || self.connection.close_reason() == Some(CloseReason::Panic));
        let Some(entry) = self.in_progress() else { return };
        entry.is_finished = true;
        entry.note.take_received();
        entry.note.close = if panicked { Some(CloseReason::Panic) } else { reason };
        entry.note.outcome = match (entry.note.outcome, next) {
            (_, Next::TakeOver) => Outcome::TakenOver,
            _ if panicked => Outcome::Panicked,
            (refused @ Outcome::Refused(_), _) => refused,
            _ if entry.is_put => Outcome::Complete,
            (_, Next::Linger | Next::Reset) => Outcome::Broken,
            _ if reason == Some(CloseReason::HandlerAsked) => Outcome::Broken,
            (cut, _) => cut,
        };
        if !entry.is_put {
            entry.end = at;
        }
        let (is_over, bytes) = (entry.is_over(sent), entry.note.memory());
        self.bytes += bytes;
        (self.is_open, self.began) = (false, None);
        if is_over {
            self.advance();
        } else {
            self.find_next();
        }
    }

    /// Whether the notes hold so much memory that the replies before them have to be sent first. A client that pipelines
    /// and does not read could otherwise make them grow.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes > MAX_NOTES_BYTES
    }

    /// Notes the times of what was sent, and fires the events of the requests that are over.
    fn advance(&mut self) {
        let (now, sent) = (Instant::now(), self.sent);
        for entry in &mut self.queue {
            if sent > entry.begin {
                entry.note.first.get_or_insert(now);
            }
            if sent < entry.end {
                break;
            }
            entry.note.last.get_or_insert(now);
        }
        while self.queue.front().is_some_and(|entry| entry.is_over(sent)) {
            let Some(entry) = self.queue.pop_front() else { break };
            self.fire(entry, now);
        }
        self.find_next();
    }

    /// Finds the position at which there is something to be told: only the first note can have one, as every note before
    /// the last is over when its reply is sent.
    fn find_next(&mut self) {
        self.next = self.queue.front().map_or(u64::MAX, |entry| entry.next(self.sent));
    }

    /// Fires the events of all requests that are left: the connection has ended.
    pub(super) fn end(&mut self) {
        let reason = self.connection.close_reason();
        while let Some(mut entry) = self.queue.pop_front() {
            let note = &mut entry.note;
            note.close = reason.or(note.close);
            if !entry.is_finished {
                // The task panicked where no panic is caught, or was dropped with its runtime.
                let (outcome, reason) = match panicking() {
                    true => (Outcome::Panicked, CloseReason::Panic),
                    false => (Outcome::Cut, CloseReason::Aborted),
                };
                (note.outcome, note.close) = (outcome, note.close.or(Some(reason)));
            }
            self.fire(entry, Instant::now());
        }
    }

    /// Fires the event of a request.
    fn fire(&mut self, entry: Entry, now: Instant) {
        let (body, is_sent) = (entry.body_sent(self.sent), self.sent >= entry.end);
        let mut note = entry.note;
        self.bytes = self.bytes.saturating_sub(note.memory());
        note.sent = body;
        note.is_whole = entry.is_put && is_sent;
        note.last.get_or_insert(now);
        if !note.is_whole {
            note.cut(None);
        }
        self.observer.served(&Served::new(&note, &self.connection));
        note.give();
    }
}
