//! The note of one request: what its event will tell.

use std::{
    any::Any,
    cell::RefCell,
    time::{Duration, SystemTime},
};

use http::{Method, StatusCode};
use quintet_conn::{Connection, RequestValues};
use quintet_request::{
    Client, CloseReason, HeadRef, Index, ReceivedBytes, RequestId, Span, Version, route::MatchedPattern,
};

use tokio::time::Instant;

use super::{
    facts::{Facts, Peer},
    head_parts::HeadParts,
    outcome::Outcome,
};

/// The most notes that a thread keeps for later requests.
const MAX_POOLED_NOTES: usize = 64;
/// A note with more memory than this, in bytes, is not kept.
const MAX_POOLED_NOTE_BYTES: usize = 16 * 1024;
/// A head of at most so many bytes is copied as a whole: one copy costs less than one for each of its parts.
const MAX_WHOLE_BYTES: usize = 1024;

/// Notes on their way between a thread's pool and the queue of a log.
pub(crate) type BoxedNotes = Vec<Box<Note>>;

thread_local! {
    /// The memory of finished notes, so that a request allocates none, and an idle connection holds none.
    static POOL: RefCell<BoxedNotes> = const { RefCell::new(Vec::new()) };
}

/// The note of one request: what its event will tell. Its memory is used again for later requests.
#[derive(Debug)]
pub(crate) struct Note {
    /// The bytes of the head, or only its parts.
    bytes: Vec<u8>,
    /// Where the parts are; `None` if the head was refused.
    parts: Option<HeadParts>,
    /// The index of the whole head, if [`has_index`](Self::has_index); else that of any other one.
    index: Option<Box<Index>>,
    has_index: bool,
    /// The method of a refused head of HTTP/2.
    pub(super) method: Option<Method>,
    /// What handlers left, with the route.
    pub(super) values: RequestValues,
    pub(super) facts: Facts,
}

/// How much of a head is noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The whole head, for hooks.
    Whole,
    /// The parts that the line of a log names.
    Parts,
}

impl Note {
    /// An empty note of a request that has begun, which is cut if nothing else is noted.
    pub(super) fn new(facts: Facts) -> Self {
        Self {
            bytes: Vec::new(),
            parts: None,
            index: None,
            has_index: false,
            method: None,
            values: RequestValues::default(),
            facts,
        }
    }

    /// As [`new`](Self::new), in memory of the thread's pool, or else in what `spare` adds to that pool.
    #[inline]
    pub(super) fn take(began: Instant, clocks: (Instant, SystemTime), spare: impl FnOnce() -> BoxedNotes) -> Box<Self> {
        match POOL.try_with(|pool| pool.borrow_mut().pop()) {
            Ok(Some(mut note)) => {
                note.facts.begin(began, clocks);
                note
            }
            _ => Self::take_spare(Facts::new(began, clocks), spare()),
        }
    }

    #[cold]
    fn take_spare(facts: Facts, mut spare: BoxedNotes) -> Box<Self> {
        let Some(mut note) = spare.pop() else { return Box::new(Self::new(facts)) };
        note.facts = facts;
        // While a thread exits its pool may be gone already; the notes are then freed.
        let _ = POOL.try_with(|pool| pool.borrow_mut().append(&mut spare));
        note
    }

    /// Gives the memory to the thread's pool. The head stays in it until it is used again.
    pub(crate) fn give(mut self: Box<Self>) {
        // Before the pool is borrowed: a value may run any code when it is dropped.
        if self.clear() {
            let _ = POOL.try_with(|pool| {
                let mut pool = pool.borrow_mut();
                if pool.len() < MAX_POOLED_NOTES {
                    pool.push(self);
                }
            });
        }
    }

    /// Drops what handlers left, and makes the note ready for another request. Whether its memory is worth keeping.
    #[inline]
    pub(crate) fn clear(&mut self) -> bool {
        self.values.clear();
        (self.parts, self.has_index, self.method) = (None, false, None);
        self.memory() <= MAX_POOLED_NOTE_BYTES
    }

    /// Bytes of memory that it holds, used or not.
    #[inline]
    pub(crate) fn memory(&self) -> usize {
        let index = self.index.as_ref().map_or(0, |index| size_of::<Index>() + size_of_val(index.fields()));
        size_of::<Self>() + self.bytes.capacity() + index
    }

    /// Notes the head of a request, and its body if that has arrived as a whole.
    #[inline]
    pub(super) fn set_request(&mut self, head: HeadRef<'_>, body: Option<&[u8]>, keep: Keep) {
        (self.facts.has_body, self.facts.received) = body.map_or((true, 0), |body| (false, body.len() as u64));
        self.parts = Some(HeadParts::of(head));
        match keep {
            Keep::Whole => {
                head.copy_into(&mut self.bytes, self.index.get_or_insert_default());
                self.has_index = true;
            }
            Keep::Parts => self.copy_head(head.as_bytes()),
        }
    }

    /// Copies the bytes of the head, or only those of its parts.
    #[inline]
    fn copy_head(&mut self, head: &[u8]) {
        self.bytes.clear();
        if head.len() <= MAX_WHOLE_BYTES {
            self.bytes.extend_from_slice(head);
        } else {
            self.copy_parts(head);
        }
    }

    #[cold]
    fn copy_parts(&mut self, head: &[u8]) {
        self.parts = self.parts.map(|parts| parts.copy(head, &mut self.bytes));
    }

    /// A copy for a log, in memory of the thread's pool.
    pub(crate) fn copy(&self, peer: Peer, spare: impl FnOnce() -> BoxedNotes) -> Box<Self> {
        let mut copy = Self::take(self.facts.began, self.facts.clocks, spare);
        copy.facts = self.facts;
        (copy.parts, copy.method) = (self.parts, self.method.clone());
        copy.copy_head(&self.bytes);
        self.values.iter().filter(|value| is_logged(&***value)).for_each(|value| drop(copy.values.set(value.clone())));
        copy.facts.peer = peer;
        copy
    }

    /// Makes the note one for a log, which may hold it for long: drops the values that a line does not name, and notes the
    /// peer.
    #[inline]
    pub(crate) fn keep_for_log(&mut self, connection: &Connection) {
        self.values.retain(is_logged);
        // Field by field, in place.
        let Peer { addr, tls } = Peer::of(connection);
        (self.facts.peer.addr, self.facts.peer.tls) = (addr, tls);
    }

    /// Takes the number of the body's bytes out of the values.
    #[inline]
    pub(super) fn take_received(&mut self) {
        if self.facts.has_body {
            if let Some(value) = self.values.remove::<ReceivedBytes>() {
                self.facts.received = value.downcast_ref::<ReceivedBytes>().map_or(0, |bytes| bytes.0);
            }
        }
    }
}

/// What is noted, for events and lines.
impl Note {
    /// The whole head; `None` if it was refused, or only its parts are kept.
    pub(super) fn head(&self) -> Option<HeadRef<'_>> {
        let index = self.index.as_deref().filter(|_| self.has_index)?;
        Some(HeadRef::new(&self.bytes, index))
    }

    #[inline]
    fn part(&self, part: impl FnOnce(&HeadParts) -> Option<Span>) -> Option<&[u8]> {
        Some(part(self.parts.as_ref()?)?.of(&self.bytes))
    }

    #[inline]
    pub(crate) fn method(&self) -> Option<&[u8]> {
        match &self.method {
            Some(refused) => Some(refused.as_str().as_bytes()),
            None => self.part(|parts| Some(parts.method)),
        }
    }

    #[inline]
    pub(crate) fn target(&self) -> Option<&[u8]> {
        self.part(|parts| Some(parts.target))
    }

    #[inline]
    pub(crate) fn version(&self) -> Option<Version> {
        self.parts.map(|parts| parts.version)
    }

    #[inline]
    pub(crate) fn host(&self) -> Option<&[u8]> {
        self.part(|parts| parts.host)
    }

    #[inline]
    pub(crate) fn user_agent(&self) -> Option<&[u8]> {
        self.part(|parts| parts.user_agent)
    }

    #[inline]
    pub(crate) fn referer(&self) -> Option<&[u8]> {
        self.part(|parts| parts.referer)
    }

    pub(crate) fn pattern(&self) -> Option<&str> {
        let route: &MatchedPattern = self.values.get()?;
        (!route.pattern.is_empty()).then_some(&*route.pattern)
    }

    pub(crate) fn client(&self) -> Option<&Client> {
        self.values.get()
    }

    pub(crate) fn request_id(&self) -> Option<&str> {
        self.values.get().map(RequestId::as_str)
    }

    /// When the request began, by the clock of the day.
    pub(crate) fn began(&self) -> SystemTime {
        self.facts.began_at()
    }

    pub(crate) fn status(&self) -> Option<StatusCode> {
        self.facts.status
    }

    pub(crate) fn request_body_bytes(&self) -> u64 {
        self.facts.received
    }

    pub(crate) fn reply_body_bytes(&self) -> u64 {
        self.facts.sent
    }

    /// The time until the first byte of the reply was sent.
    pub(crate) fn time_to_first_byte(&self) -> Option<Duration> {
        self.facts.first.map(|first| first - self.facts.began)
    }

    /// The time until the last byte was sent, or the request was cut.
    pub(crate) fn duration(&self) -> Duration {
        self.facts.last.map_or(Duration::ZERO, |last| last - self.facts.began)
    }

    /// [`time_to_first_byte`](Self::time_to_first_byte) and [`duration`](Self::duration). A reply that was sent at once has
    /// one time, which is computed once.
    #[inline]
    pub(crate) fn times(&self) -> (Option<Duration>, Duration) {
        let (duration, Facts { first, last, .. }) = (self.duration(), &self.facts);
        let is_at_once = first.is_some() && first == last;
        (if is_at_once { Some(duration) } else { self.time_to_first_byte() }, duration)
    }

    pub(super) fn is_whole(&self) -> bool {
        self.facts.is_whole
    }

    pub(crate) fn outcome(&self) -> Outcome {
        self.facts.outcome
    }

    pub(crate) fn close_reason(&self) -> Option<CloseReason> {
        self.facts.close
    }

    /// The peer, after [`keep_for_log`](Self::keep_for_log).
    pub(crate) fn peer(&self) -> Peer {
        self.facts.peer
    }
}

/// Whether the line of a log names a value of this type. Each of them is text alone: it may be dropped late, and anywhere.
fn is_logged(value: &(dyn Any + Send + Sync)) -> bool {
    value.is::<MatchedPattern>() || value.is::<Client>() || value.is::<RequestId>()
}
