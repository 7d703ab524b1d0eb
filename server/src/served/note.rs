//! The note of one request: what its event will tell.

use std::{cell::RefCell, time::SystemTime};

use http::{Method, StatusCode};
use quintet_conn::RequestValues;
use quintet_request::{CloseReason, Head, HeadRef, ReceivedBytes};
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
    /// The head, as it arrived; empty if it was refused.
    pub(super) head: Head,
    /// The method of a refused head of HTTP/2.
    pub(super) method: Option<Method>,
    /// What handlers left, with the route.
    pub(crate) values: RequestValues,
    pub(super) began: Instant,
    /// The same by the clock of the day.
    pub(super) began_at: SystemTime,
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
    pub(super) fn new(began: Instant, began_at: SystemTime) -> Self {
        Self {
            head: Head::default(),
            method: None,
            values: RequestValues::new(),
            began,
            began_at,
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
    pub(super) fn take(began: Instant, began_at: SystemTime) -> Box<Self> {
        let pooled = POOL.try_with(|pool| pool.borrow_mut().pop()).ok().flatten();
        let Some(mut note) = pooled else { return Box::new(Self::new(began, began_at)) };
        (note.began, note.began_at) = (began, began_at);
        note
    }

    /// Gives the memory to the thread's pool.
    pub(super) fn give(mut self: Box<Self>) {
        if self.bytes() > MAX_POOLED_NOTE_BYTES {
            return;
        }
        // Before the pool is borrowed: a value may run any code when it is dropped.
        self.values.clear();
        self.head.clear();
        let Self { head: _, values: _, began: _, began_at: _, method, first, last, status, received, sent, .. } =
            &mut *self;
        (*method, *first, *last, *status, *received, *sent) = (None, None, None, None, 0, 0);
        (self.outcome, self.is_whole, self.close) = (Outcome::Cut, false, None);
        // While a thread exits its pool may be gone already; the note is then freed.
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < MAX_POOLED_NOTES {
                pool.push(self);
            }
        });
    }

    /// Notes the head of a request, and its body if that has arrived as a whole.
    pub(super) fn set_request(&mut self, head: HeadRef<'_>, body: Option<&[u8]>) {
        head.copy_into(&mut self.head);
        self.received = body.map_or(0, |body| body.len() as u64);
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
        if let Some(at) = self.values.iter().position(|value| value.is::<ReceivedBytes>()) {
            let value = self.values.swap_remove(at);
            self.received = value.downcast_ref::<ReceivedBytes>().map_or(0, |bytes| bytes.0);
        }
    }

    /// Bytes of memory that it holds, used or not.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.head.capacity()
    }
}
