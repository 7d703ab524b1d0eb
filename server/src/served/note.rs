//! The note of one request: what its event will tell.

use std::{cell::RefCell, time::SystemTime};

use http::{Method, StatusCode};
use quintet_conn::RequestValues;
use quintet_request::{CloseReason, HeadRef, Index, ReceivedBytes};
use tokio::time::Instant;

use super::outcome::Outcome;

/// The most notes that a thread keeps for later requests.
const MAX_POOLED_NOTES: usize = 64;
/// A note with more memory than this, in bytes, is not kept.
const MAX_POOLED_NOTE_BYTES: usize = 16 * 1024;

thread_local! {
    /// The memory of finished notes, so that a request allocates none, and an idle connection holds none.
    #[expect(clippy::vec_box, reason = "a note is moved as a box from here to the queue and back")]
    static POOL: RefCell<Vec<Box<Note>>> = const { RefCell::new(Vec::new()) };
}

/// The note of one request: what its event will tell. Its memory is used again for later requests.
#[derive(Debug)]
pub(crate) struct Note {
    /// The bytes of the head, as it arrived, and its index, if the head was not refused; else those of any other request.
    pub(super) bytes: Vec<u8>,
    pub(super) index: Index,
    pub(super) has_head: bool,
    /// Whether the request has a body that was not in memory from the beginning.
    pub(super) has_body: bool,
    /// The method of a refused head of HTTP/2.
    pub(super) method: Option<Method>,
    /// What handlers left, with the route.
    pub(crate) values: RequestValues,
    pub(super) began: Instant,
    /// Both clocks at a time near the beginning.
    pub(super) clocks: (Instant, SystemTime),
    /// When the first byte of the reply was taken.
    pub(super) first: Option<Instant>,
    /// When the last byte of the reply was taken, or the request was cut.
    pub(super) last: Option<Instant>,
    pub(super) status: Option<StatusCode>,
    /// Bytes of the request's body.
    pub(super) received: u64,
    /// Bytes of the reply's body.
    pub(super) sent: u64,
    pub(super) outcome: Outcome,
    /// Whether the whole reply was sent.
    pub(super) is_whole: bool,
    pub(super) close: Option<CloseReason>,
}

impl Note {
    /// The note of a request that has begun, which is cut if nothing else is noted.
    pub(super) fn new(began: Instant, clocks: (Instant, SystemTime)) -> Self {
        Self {
            bytes: Vec::new(),
            index: Index::default(),
            has_head: false,
            has_body: false,
            method: None,
            values: RequestValues::default(),
            began,
            clocks,
            first: None,
            last: None,
            status: None,
            received: 0,
            sent: 0,
            outcome: Outcome::Cut,
            is_whole: false,
            close: None,
        }
    }

    /// As [`new`](Self::new), in memory of the thread's pool.
    pub(super) fn take(began: Instant, clocks: (Instant, SystemTime)) -> Box<Self> {
        let pooled = POOL.try_with(|pool| pool.borrow_mut().pop()).ok().flatten();
        let Some(mut note) = pooled else { return Box::new(Self::new(began, clocks)) };
        (note.began, note.clocks) = (began, clocks);
        note
    }

    /// Gives the memory to the thread's pool. The head stays in it until it is used again.
    pub(super) fn give(mut self: Box<Self>) {
        if self.memory() > MAX_POOLED_NOTE_BYTES {
            return;
        }
        // Before the pool is borrowed: a value may run any code when it is dropped.
        self.values.clear();
        (self.has_head, self.has_body, self.method) = (false, false, None);
        (self.first, self.last, self.status, self.close) = (None, None, None, None);
        (self.received, self.sent, self.outcome, self.is_whole) = (0, 0, Outcome::Cut, false);
        // While a thread exits its pool may be gone already; the note is then freed.
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < MAX_POOLED_NOTES {
                pool.push(self);
            }
        });
    }

    /// When the request began, by the clock of the day.
    pub(super) fn began_at(&self) -> SystemTime {
        let (instant, wall) = self.clocks;
        // The instant may be a little before the reading of both clocks.
        match self.began.checked_duration_since(instant) {
            Some(after) => wall + after,
            None => wall - instant.duration_since(self.began),
        }
    }

    /// The head; `None` if it was refused.
    pub(super) fn head(&self) -> Option<HeadRef<'_>> {
        self.has_head.then(|| HeadRef::new(&self.bytes, &self.index))
    }

    /// Notes the head of a request, and its body if that has arrived as a whole.
    pub(super) fn set_request(&mut self, head: HeadRef<'_>, body: Option<&[u8]>) {
        head.copy_into(&mut self.bytes, &mut self.index);
        self.has_head = true;
        (self.has_body, self.received) = body.map_or((true, 0), |body| (false, body.len() as u64));
    }

    /// The connection has ended, for this reason, before the whole reply was sent.
    pub(super) fn cut(&mut self, reason: Option<CloseReason>) {
        self.close = reason.or(self.close);
        self.last.get_or_insert_with(Instant::now);
        if matches!(self.outcome, Outcome::Complete | Outcome::TakenOver) {
            self.outcome = Outcome::Cut;
        }
    }

    /// Takes the number of the body's bytes out of the values.
    pub(super) fn take_received(&mut self) {
        if !self.has_body {
            return;
        }
        if let Some(value) = self.values.remove::<ReceivedBytes>() {
            self.received = value.downcast_ref::<ReceivedBytes>().map_or(0, |bytes| bytes.0);
        }
    }

    /// Bytes of memory that it holds, used or not.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.bytes.capacity() + size_of_val(self.index.fields())
    }
}
