//! The request in progress on a connection or a child: its number, whether its client disconnected, and its rare fields.

use std::{
    any::Any,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{
            AtomicBool, AtomicU32,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
};

use tokio::sync::Notify;

use super::request_values::RequestValues;
use crate::Tick;

/// The most bytes of a note.
const MAX_NOTE_BYTES: usize = 1024;
/// The most bytes of unsent interim replies.
const MAX_INTERIM_BYTES: usize = 16 * 1024;

/// The error of an interim reply that cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InterimError {
    /// More than 16 KiB of interim replies would be unsent.
    #[error("too many interim replies are waiting to be sent")]
    Full,
    /// The final reply has begun, the request has ended, or the client does not know interim replies (HTTP/1.0).
    #[error("no interim reply can be sent for this request any more")]
    Over,
}

/// The request in progress. A handle of an earlier request has another number, and does nothing.
pub(super) struct Current {
    /// The number of the request, times two, plus one after its reply has begun. Only the serving task changes it.
    number: AtomicU32,
    /// Whether the client disconnected.
    gone: AtomicBool,
    /// Whether values are kept; see [`keep_values`](Self::keep_values).
    keeps_values: AtomicBool,
    /// Whether anything of `rare` but the values was ever used. Values alone, which every request of an observed connection
    /// has, so cost only those who set and take them.
    uses_rare: AtomicBool,
    /// Allocated at the first use: most requests use none of it.
    rare: OnceLock<Box<Rare>>,
}

/// The fields that few requests use.
#[derive(Default)]
struct Rare {
    /// Notified when the client disconnects and when a request ends.
    gone_notify: Notify,
    kept: Mutex<Kept>,
    values: Mutex<KeptValues>,
}

/// The values kept for the request of this number. They count for no other number, so that the end of a request need not
/// take the lock to clear them.
#[derive(Default)]
struct Kept {
    number: u32,
    read_by: Option<Tick>,
    write_by: Option<Tick>,
    note: Option<String>,
    outbox: Vec<u8>,
}

impl Kept {
    /// Begins to keep fields for the request of this number. The memory is used again.
    fn begin(&mut self, number: u32) {
        self.number = number;
        (self.read_by, self.write_by, self.note) = (None, None, None);
        self.outbox.clear();
    }
}

/// What handlers left for the observers of the request of this number.
#[derive(Default)]
struct KeptValues {
    number: u32,
    values: RequestValues,
}

/// Which of the two deadlines.
#[derive(Clone, Copy)]
pub(super) enum Deadline {
    Read,
    Write,
}

impl Current {
    pub(super) fn new() -> Self {
        Self {
            number: AtomicU32::new(0),
            gone: AtomicBool::new(false),
            keeps_values: AtomicBool::new(false),
            uses_rare: AtomicBool::new(false),
            rare: OnceLock::new(),
        }
    }

    /// The number of the request in progress.
    #[inline]
    pub(super) fn number(&self) -> u32 {
        self.number.load(Relaxed) >> 1
    }

    /// Ends the request: its handles do nothing from now on, and `disconnected` resolves.
    #[inline]
    pub(super) fn end(&self) {
        // The next even number. Only this task changes it; it is an exchange and not a store for the reason given in
        // `disconnected`.
        self.number.fetch_add(2 - (self.number.load(Relaxed) & 1), AcqRel);
        if let Some(rare) = self.used_rare() {
            rare.gone_notify.notify_waiters();
        }
    }

    /// Begins the final reply, and returns the interim replies to be sent before it.
    #[inline(always)]
    pub(super) fn end_interim(&self) -> Option<Vec<u8>> {
        self.number.store(self.number.load(Relaxed) | 1, Relaxed);
        if self.used_rare().is_none() { None } else { self.take_interim() }
    }

    /// Says that the client disconnected.
    pub(super) fn set_disconnected(&self) {
        if !self.gone.swap(true, AcqRel) {
            if let Some(rare) = self.used_rare() {
                rare.gone_notify.notify_waiters();
            }
        }
    }

    /// Whether the client disconnected, with the ordering of [`disconnected`](Self::disconnected): either this sees the
    /// flag, or [`set_disconnected`](Self::set_disconnected) sees what was done before.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.fetch_or(false, AcqRel)
    }

    /// Whether the client of this request disconnected, or the request has ended.
    pub(super) fn is_disconnected(&self, number: u32) -> bool {
        self.gone.load(Relaxed) || self.number() != number
    }

    /// Resolves when [`is_disconnected`](Self::is_disconnected) is true.
    pub(super) async fn disconnected(&self, number: u32) {
        let notified = self.rare().gone_notify.notified();
        // These change no value, and yet they are exchanges and not loads. Of two exchanges of one word the second sees
        // everything before the first. If it is the one here, it sees the flag or the new number. If it is the one in
        // `set_disconnected` or `end`, that function sees the box allocated and the flag set above, and notifies. A load could miss both.
        let is_gone = self.gone.fetch_or(false, AcqRel);
        if !is_gone && self.number.fetch_add(0, AcqRel) >> 1 == number {
            notified.await;
        }
    }

    /// Moves a deadline. Returns whether the request is still in progress.
    pub(super) fn move_deadline(&self, number: u32, which: Deadline, at: Tick) -> bool {
        self.keep(number, |kept| match which {
            Deadline::Read => kept.read_by = Some(at),
            Deadline::Write => kept.write_by = Some(at),
        })
        .is_some()
    }

    /// The moved deadlines (read, write) of the request in progress. `None` if no handler of this connection ever moved
    /// one, or set anything else that is kept.
    #[inline]
    pub(super) fn moved(&self) -> Option<(Option<Tick>, Option<Tick>)> {
        let rare = self.used_rare()?;
        Some(self.kept(rare).map_or((None, None), |kept| (kept.read_by, kept.write_by)))
    }

    /// Sets the note, cut off after [`MAX_NOTE_BYTES`].
    pub(super) fn note(&self, number: u32, text: &str) {
        // Not in the middle of a character.
        let mut end = text.len().min(MAX_NOTE_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.keep(number, |kept| kept.note = Some(text[..end].to_owned()));
    }

    /// Takes the note of the request of this number, unless the request has ended.
    pub(super) fn take_note(&self, number: u32) -> Option<String> {
        self.kept(self.used_rare()?).filter(|kept| kept.number == number)?.note.take()
    }

    /// Keeps the values that handlers leave from now on, for all requests: something observes them.
    pub(super) fn keep_values(&self) {
        self.keeps_values.store(true, Relaxed);
    }

    /// Keeps a value for the observers of the request, in place of the last one of its type.
    #[inline]
    pub(super) fn set_value(&self, number: u32, value: Arc<dyn Any + Send + Sync>) {
        if !self.keeps_values.load(Relaxed) || self.number() != number {
            return;
        }
        let mut kept = lock(&self.rare.get_or_init(Box::default).values);
        if kept.values.is_empty() {
            // If the request has ended meanwhile, no later one reads the value: it has the old number.
            kept.number = number;
            kept.values.set(value);
        } else {
            self.add_value(kept, number, value);
        }
    }

    /// As [`set_value`](Self::set_value), if there are values already: those of this request, or of another one.
    #[inline(never)]
    fn add_value(&self, mut kept: MutexGuard<'_, KeptValues>, number: u32, value: Arc<dyn Any + Send + Sync>) {
        if kept.number == number {
            let replaced = kept.values.set(value);
            // Dropped after the lock was released: the destructor of a value may be any code.
            drop(kept);
            drop(replaced);
        // As in `keep`.
        } else if self.number() == number {
            kept.number = number;
            // Those of an earlier request, which were not taken.
            let earlier = std::mem::take(&mut kept.values);
            kept.values.set(value);
            drop(kept);
            drop(earlier);
        } else {
            drop(kept);
            drop(value);
        }
    }

    /// As [`set_value`](Self::set_value), for the request in progress. The value is made only if it is kept.
    pub(super) fn leave_value(&self, value: impl FnOnce() -> Arc<dyn Any + Send + Sync>) {
        if self.keeps_values.load(Relaxed) {
            self.set_value(self.number(), value());
        }
    }

    /// The value of this type of the request of this number.
    pub(super) fn value<T: Any + Send + Sync>(&self, number: u32) -> Option<Arc<T>> {
        let kept = lock(&self.rare.get()?.values);
        if kept.number != number || self.number() != number {
            return None;
        }
        let value = kept.values.iter().find(|value| value.is::<T>())?;
        Arc::clone(value).downcast().ok()
    }

    /// Moves the values of the request in progress into these.
    #[inline]
    pub(super) fn take_values(&self, into: &mut RequestValues) {
        if let Some(rare) = self.rare.get() {
            let mut kept = lock(&rare.values);
            if kept.number == self.number() {
                into.append(&mut kept.values);
            }
        }
    }

    /// Appends an interim reply.
    pub(super) fn push_interim(&self, number: u32, bytes: &[u8]) -> Result<(), InterimError> {
        self.keep(number, |kept| {
            // Under the lock that `end_interim` takes after it set this bit: either the bit is seen here, or `end_interim`
            // takes what is appended here. Only the very first use of the box can race with a `end_interim` that finds no
            // box yet, and no lock to take; what is appended then is not sent before the final reply.
            if self.number.load(Relaxed) & 1 == 1 {
                Err(InterimError::Over)
            } else if bytes.len() > MAX_INTERIM_BYTES - kept.outbox.len() {
                Err(InterimError::Full)
            } else {
                kept.outbox.extend_from_slice(bytes);
                Ok(())
            }
        })
        .unwrap_or(Err(InterimError::Over))
    }

    /// Takes the interim replies of the request in progress; `None` if there are none.
    #[inline(never)]
    pub(super) fn take_interim(&self) -> Option<Vec<u8>> {
        let bytes = std::mem::take(&mut self.kept(self.used_rare()?)?.outbox);
        (!bytes.is_empty()).then_some(bytes)
    }

    /// The fields kept for the request in progress, if there are any.
    fn kept<'a>(&self, rare: &'a Rare) -> Option<MutexGuard<'a, Kept>> {
        let kept = lock(&rare.kept);
        (kept.number == self.number()).then_some(kept)
    }

    /// Writes a field kept for the request of this number, unless the request has ended.
    ///
    /// The request may end meanwhile, in another thread. What is written here then has the old number, and no later request
    /// reads it. Fields of a later request are not overwritten: they were written under the lock with a later number, and
    /// the second comparison, under the same lock, sees that this request has ended.
    fn keep<T>(&self, number: u32, write: impl FnOnce(&mut Kept) -> T) -> Option<T> {
        if self.number() != number {
            return None;
        }
        let mut kept = lock(&self.rare().kept);
        if kept.number != number {
            if self.number() != number {
                return None;
            }
            kept.begin(number);
        }
        Some(write(&mut kept))
    }

    /// The fields that few requests use, from now on used.
    fn rare(&self) -> &Rare {
        let rare = self.rare.get_or_init(Box::default);
        self.uses_rare.store(true, Release);
        rare
    }

    /// The fields that few requests use, if more than the values was ever used.
    #[inline]
    fn used_rare(&self) -> Option<&Rare> {
        if self.uses_rare.load(Acquire) { self.rare.get().map(|rare| &**rare) } else { None }
    }
}

/// Locks a mutex. What a thread that panicked has left in it is whole.
#[inline]
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
