//! The request in progress on a connection, or on one of its children: which it is, whether its client is there, and what
//! few requests have.

use std::sync::{
    Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{
        AtomicBool, AtomicU32,
        Ordering::{AcqRel, Relaxed},
    },
};

use tokio::sync::Notify;

use crate::Tick;

/// How long a note may be, in bytes.
const MAX_NOTE_BYTES: usize = 1024;
/// How much of interim replies may wait to be taken, in bytes.
const MAX_INTERIM_BYTES: usize = 16 * 1024;

/// Why an interim reply was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InterimError {
    /// Too much is waiting to be sent already: 16 KiB, with this one.
    #[error("too many interim replies are waiting to be sent")]
    Full,
    /// The final reply has begun, the request is over, or its client knows no interim replies (HTTP/1.0).
    #[error("no interim reply can be sent for this request any more")]
    Over,
}

/// The request in progress. A handle of an earlier one has another number, and does nothing.
pub(super) struct Current {
    /// The number of the request, times two, plus one once its reply has begun. Only the task that serves changes it.
    number: AtomicU32,
    gone: AtomicBool,
    /// Made when it is first needed: most requests have none of it, and no waiting connection does.
    rare: OnceLock<Box<Rare>>,
}

/// What few requests have.
#[derive(Default)]
struct Rare {
    /// Waited for by those who asked whether the client has gone.
    gone_notify: Notify,
    kept: Mutex<Kept>,
}

/// What was kept for the request of this number. For any other there is nothing, so that the end of a request need not
/// clear it.
#[derive(Default)]
struct Kept {
    number: u32,
    read_by: Option<Tick>,
    write_by: Option<Tick>,
    note: Option<String>,
    outbox: Vec<u8>,
}

/// Which of the two deadlines.
#[derive(Clone, Copy)]
pub(super) enum Deadline {
    Read,
    Write,
}

impl Current {
    pub(super) fn new() -> Self {
        Current { number: AtomicU32::new(0), gone: AtomicBool::new(false), rare: OnceLock::new() }
    }

    /// The number of the request in progress.
    #[inline]
    pub(super) fn number(&self) -> u32 {
        self.number.load(Relaxed) >> 1
    }

    /// The request is over: its handles do nothing from now on, and those who wait for its client are told.
    #[inline]
    pub(super) fn end(&self) {
        // Only this task changes the number; an exchange and no store, for the same reason as in `disconnected`.
        self.number.fetch_add(2 - (self.number.load(Relaxed) & 1), AcqRel);
        if let Some(rare) = self.rare.get() {
            rare.gone_notify.notify_waiters();
        }
    }

    /// The final reply begins: no interim reply comes after what is returned.
    #[inline(always)]
    pub(super) fn begin_reply(&self) -> Option<Vec<u8>> {
        self.number.store(self.number.load(Relaxed) | 1, Relaxed);
        if self.rare.get().is_none() { None } else { self.take_interim() }
    }

    /// The client has gone away.
    pub(super) fn cancel(&self) {
        if !self.gone.swap(true, AcqRel) {
            if let Some(rare) = self.rare.get() {
                rare.gone_notify.notify_waiters();
            }
        }
    }

    /// Whether the client of this request has gone away, or the request is over.
    pub(super) fn is_disconnected(&self, number: u32) -> bool {
        self.gone.load(Relaxed) || self.number() != number
    }

    /// Resolves when that is so.
    pub(super) async fn disconnected(&self, number: u32) {
        let notified = self.rare().gone_notify.notified();
        // These change nothing, and yet are exchanges and no loads. An exchange sees what came before the other side's,
        // whichever comes second: either this one sees the flag or the new number, or `cancel` and `end` see the box that
        // was made above, and notify.
        let is_gone = self.gone.fetch_or(false, AcqRel);
        if !is_gone && self.number.fetch_add(0, AcqRel) >> 1 == number {
            notified.await;
        }
    }

    /// Moves a deadline; whether the request is still in progress.
    pub(super) fn move_deadline(&self, number: u32, which: Deadline, at: Tick) -> bool {
        self.keep(number, |kept| match which {
            Deadline::Read => kept.read_by = Some(at),
            Deadline::Write => kept.write_by = Some(at),
        })
        .is_some()
    }

    /// When reading and when writing end, if the handler moved it for the request in progress. `None` if no handler of
    /// this connection ever did.
    #[inline]
    pub(super) fn moved(&self) -> Option<(Option<Tick>, Option<Tick>)> {
        let rare = self.rare.get()?;
        Some(self.kept(rare).map_or((None, None), |kept| (kept.read_by, kept.write_by)))
    }

    /// Leaves a note of at most [`MAX_NOTE_BYTES`].
    pub(super) fn note(&self, number: u32, text: &str) {
        let mut end = text.len().min(MAX_NOTE_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.keep(number, |kept| kept.note = Some(text[..end].to_owned()));
    }

    /// Takes the note of the request of this number, unless it is over.
    pub(super) fn take_note(&self, number: u32) -> Option<String> {
        self.kept(self.rare.get()?).filter(|kept| kept.number == number)?.note.take()
    }

    /// Appends to what is to be sent before the final reply.
    pub(super) fn push_interim(&self, number: u32, bytes: &[u8]) -> Result<(), InterimError> {
        self.keep(number, |kept| {
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

    /// Takes what is to be sent before the final reply of the request in progress; `None` if that is nothing.
    #[inline(never)]
    pub(super) fn take_interim(&self) -> Option<Vec<u8>> {
        let bytes = std::mem::take(&mut self.kept(self.rare.get()?)?.outbox);
        (!bytes.is_empty()).then_some(bytes)
    }

    /// What is kept for the request in progress, if anything is.
    fn kept<'a>(&self, rare: &'a Rare) -> Option<MutexGuard<'a, Kept>> {
        let kept = rare.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.number == self.number()).then_some(kept)
    }

    /// Keeps something for the request of this number, unless it is over.
    ///
    /// It may come to its end meanwhile, in another thread: then what is written here has its number, and nobody reads it
    /// for the next one. What is kept for the next one is not overwritten: it has been written under the lock with the
    /// next number, and then this one is not the present one any more.
    fn keep<T>(&self, number: u32, write: impl FnOnce(&mut Kept) -> T) -> Option<T> {
        if self.number() != number {
            return None;
        }
        let mut kept = self.rare().kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.number != number {
            if self.number() != number {
                return None;
            }
            *kept = Kept { number, ..Kept::default() };
        }
        Some(write(&mut kept))
    }

    fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }
}
