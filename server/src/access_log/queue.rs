//! The queue between the tasks of the server and the thread that writes lines.
//!
//! What waits in it are the notes of requests: a task moves its note here and formats nothing, and the thread makes lines of
//! them. The memory of a note goes the other way when its line is written. The lock is held while a note is added or a batch
//! is swapped, and never while something is formatted or written. A note that finds the queue full is dropped and counted.

use std::{
    io,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::access_log_counts::AccessLogCounts;
use crate::served::{BoxedNotes, Note};

/// So long notes are gathered, so that a busy server is not woken for each: an idle server's thread sleeps.
const GATHER: Duration = Duration::from_millis(10);
/// So many bytes of notes are taken at once, before that time is over.
const BATCH_BYTES: usize = 128 * 1024;
/// The most notes whose memory is kept for later ones.
const MAX_SPARE_NOTES: usize = 2048;
/// The most notes whose memory a thread takes at once.
const SPARE_BATCH: usize = 32;
/// The memory is freed after so long a time without a line.
const SPARE_TIME: Duration = Duration::from_secs(1);

/// The notes that wait for their lines to be written, and what the handles ask of the thread that writes them.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// The writer waits here for notes, and for wishes.
    work: Condvar,
    /// [`Queue::flush`] waits here for the writer.
    settled: Condvar,
    max_bytes: usize,
    max_lines: usize,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which the requests ended; a line for each.
    notes: BoxedNotes,
    /// How many bytes of memory they hold.
    bytes: usize,
    /// The memory of notes whose lines were written.
    spare: BoxedNotes,
    /// How many batches the writer has taken, and how many of them are settled: at most one less.
    taken: u64,
    settled: u64,
    counts: AccessLogCounts,
    last_error: Option<String>,
    wishes: Wishes,
}

/// What the writer is asked for, besides the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    /// To open the file again, after the lines that wait.
    pub(super) reopen: bool,
    /// To end, after the lines that wait: there is no handle any more.
    pub(super) end: bool,
    /// To gather no longer.
    flush: bool,
}

/// What became of a batch of lines.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The lines of the batch.
    pub(super) lines: usize,
    /// Those of them that could not be written.
    pub(super) failed: usize,
    pub(super) reopen_failed: bool,
    pub(super) error: Option<String>,
}

impl Written {
    /// Adds what became of some of the lines.
    pub(super) fn note(&mut self, written: Result<(), (usize, io::Error)>) {
        if let Err((failed, error)) = written {
            self.failed += failed;
            self.error = Some(error.to_string());
        }
    }
}

impl Queue {
    pub(super) fn new(max_bytes: usize, max_lines: usize) -> Self {
        let (state, work, settled) = Default::default();
        Self { state, work, settled, max_bytes, max_lines }
    }

    /// Adds a note. Returns it if there is no room: its line is dropped. Never waits for the writer.
    #[inline]
    pub(super) fn push(&self, note: Box<Note>) -> Option<Box<Note>> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let (before, after) = (state.bytes, state.bytes + note.memory());
        if after > self.max_bytes || state.notes.len() >= self.max_lines {
            state.counts.dropped += 1;
            return Some(note);
        }
        state.bytes = after;
        state.notes.push(note);
        // The first note ends the writer's sleep, and the one that fills a batch its gathering. At other times it needs no
        // call of the system.
        if before == 0 || (before < BATCH_BYTES && after >= BATCH_BYTES) {
            self.work.notify_one();
        }
        None
    }

    /// Memory for notes, of lines that were written. None if there is none.
    pub(super) fn take_spare(&self) -> BoxedNotes {
        let mut state = self.lock();
        let keep = state.spare.len().saturating_sub(SPARE_BATCH);
        state.spare.split_off(keep)
    }

    /// Waits for notes or a wish. The notes are swapped into `batch`, which is empty.
    pub(super) fn take(&self, batch: &mut BoxedNotes) -> Wishes {
        let mut state = self.wait();
        let until = Instant::now() + GATHER;
        while state.wishes == Wishes::default() && state.bytes < BATCH_BYTES {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::swap(&mut state.notes, batch);
        state.bytes = 0;
        state.taken += 1;
        let wishes = state.wishes;
        // `end` stays: it is asked for once.
        state.wishes = Wishes { end: wishes.end, ..Wishes::default() };
        wishes
    }

    /// Waits for notes or a wish. If that takes long, the spare memory is freed.
    fn wait(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while state.notes.is_empty() && state.wishes == Wishes::default() {
            if state.spare.capacity() == 0 {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (waited, timeout) = self.work.wait_timeout(state, SPARE_TIME).unwrap_or_else(PoisonError::into_inner);
            state = waited;
            if timeout.timed_out() && state.notes.is_empty() {
                let spare = (std::mem::take(&mut state.spare), std::mem::take(&mut state.notes));
                drop(state);
                drop(spare);
                state = self.lock();
            }
        }
        state
    }

    /// Notes what became of a batch, whose notes leave their memory here for later ones.
    pub(super) fn settle(&self, written: Written, notes: &mut BoxedNotes) {
        notes.retain_mut(|note| note.clear());
        let mut state = self.lock();
        let room = MAX_SPARE_NOTES.saturating_sub(state.spare.len());
        state.spare.extend(notes.drain(..room.min(notes.len())));
        state.settled = state.taken;
        state.counts.written += (written.lines - written.failed) as u64;
        state.counts.failed += written.failed as u64;
        state.counts.reopen_errors += u64::from(written.reopen_failed);
        if written.error.is_some() {
            state.last_error = written.error;
        }
        drop(state);
        self.settled.notify_all();
        notes.clear();
        notes.shrink_to(MAX_SPARE_NOTES);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().notes.is_empty()
    }

    /// Asks for the file to be opened again, after the lines that wait.
    pub(super) fn reopen(&self) {
        self.lock().wishes.reopen = true;
        self.work.notify_one();
    }

    /// Asks the writer to end, after the lines that wait.
    pub(super) fn end(&self) {
        self.lock().wishes.end = true;
        self.work.notify_one();
    }

    /// Waits until all lines that were pushed before are written or could not be, and the file was opened again if that was
    /// asked for; `false` if `at_most` is over before.
    pub(super) fn flush(&self, at_most: Duration) -> bool {
        let until = Instant::now().checked_add(at_most);
        let mut state = self.lock();
        let waits = !state.notes.is_empty() || state.wishes.reopen;
        let last = state.taken + u64::from(waits);
        while state.settled < last {
            // To be taken at once. If it is taken already, there is nothing to ask for.
            state.wishes.flush = state.taken < last;
            self.work.notify_one();
            // A time that cannot be said is waited for in steps.
            let left = until.map_or(GATHER, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            state = self.settled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    pub(super) fn counts(&self) -> AccessLogCounts {
        self.lock().counts
    }

    pub(super) fn last_error(&self) -> Option<String> {
        self.lock().last_error.clone()
    }

    /// A thread that panicked with the lock has left whole notes, or was about to add one: its poison is ignored.
    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::served::ServedExample;

    /// The note of a request for this target. All notes of these tests have as much memory.
    fn note(target: &str) -> Box<Note> {
        ServedExample::new(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).into_note()
    }

    fn push(queue: &Queue, target: &str) {
        if let Some(dropped) = queue.push(note(target)) {
            assert_eq!(dropped.target(), Some(target.as_bytes()));
        }
    }

    /// The targets of a batch, and its notes.
    fn take(queue: &Queue) -> (String, BoxedNotes, Wishes) {
        let mut batch = Vec::new();
        let wishes = queue.take(&mut batch);
        let targets = batch.iter().map(|note| String::from_utf8_lossy(note.target().unwrap_or_default())).collect();
        (targets, batch, wishes)
    }

    #[test]
    fn notes_are_taken_together_in_order() {
        let queue = Queue::new(10_000, 10);
        push(&queue, "/a");
        push(&queue, "/b");
        let (targets, notes, wishes) = take(&queue);
        assert_eq!((&*targets, notes.len(), wishes), ("/a/b", 2, Wishes::default()));
        assert!(queue.is_empty());
    }

    #[test]
    fn a_full_queue_drops_the_line_and_counts_it() {
        let one = note("/a").memory();
        for (max_bytes, max_lines, kept) in [
            (2 * one, 10, "/a/b"),
            (3 * one - 1, 10, "/a/b"),
            (100 * one, 2, "/a/b"),
            (one - 1, 10, ""),
            (0, 0, ""),
            (100 * one, 0, ""),
        ] {
            let queue = Queue::new(max_bytes, max_lines);
            ["/a", "/b", "/c", "/d"].iter().for_each(|target| push(&queue, target));
            let lines = kept.len() / 2;
            assert_eq!(queue.counts().dropped, 4 - lines as u64, "{max_bytes} bytes, {max_lines} lines");
            queue.reopen(); // so that there is something to take
            assert_eq!(take(&queue).0, kept);
        }
        let queue = Queue::new(2 * one, 10);
        push(&queue, "/a");
        push(&queue, &format!("/{}", "longer".repeat(100)));
        push(&queue, "/b");
        assert_eq!(take(&queue).0, "/a/b", "a short line still has its place");
    }

    #[test]
    fn a_flush_ends_when_its_lines_are_settled() {
        let queue = Queue::new(10_000, 10);
        assert!(queue.flush(Duration::ZERO), "there is nothing to wait for");
        push(&queue, "/a");
        assert!(!queue.flush(Duration::ZERO));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (_, mut notes, _) = take(&queue);
                assert!(!queue.flush(Duration::ZERO), "it is taken, but not written");
                let mut written = Written { lines: notes.len(), ..Written::default() };
                written.note(Err((1, io::Error::other("full"))));
                queue.settle(written, &mut notes);
            });
            assert!(queue.flush(Duration::MAX));
        });
        assert_eq!(queue.counts(), AccessLogCounts { failed: 1, ..AccessLogCounts::default() });
        assert_eq!(queue.last_error().as_deref(), Some("full"));
    }

    #[test]
    fn a_wish_is_taken_once_and_the_end_for_ever() {
        let queue = Queue::new(10_000, 10);
        queue.reopen();
        assert!(!queue.flush(Duration::ZERO), "it was not opened again yet");
        let (_, mut notes, wishes) = take(&queue);
        assert!(wishes.reopen && !wishes.end);
        assert!(!queue.flush(Duration::ZERO), "it is about to be");
        queue.settle(Written::default(), &mut notes);
        assert!(queue.flush(Duration::ZERO));
        queue.end();
        for _ in 0..2 {
            let (_, _, wishes) = take(&queue);
            assert!(!wishes.reopen && wishes.end);
        }
    }

    #[test]
    fn the_memory_of_written_notes_is_used_again_in_batches() {
        let queue = Queue::new(usize::MAX, usize::MAX);
        assert!(queue.take_spare().is_empty());
        for count in [SPARE_BATCH + 8, MAX_SPARE_NOTES + 8] {
            (0..count).for_each(|_| push(&queue, "/a"));
            let (_, mut notes, _) = take(&queue);
            assert_eq!(notes.len(), count);
            queue.settle(Written { lines: count, ..Written::default() }, &mut notes);
            assert!(notes.is_empty());
            let spare: Vec<usize> = std::iter::repeat_with(|| queue.take_spare())
                .map(|spare| {
                    assert!(spare.iter().all(|note| note.target().is_none()), "it has no request any more");
                    spare.len()
                })
                .take_while(|len| *len > 0)
                .collect();
            assert_eq!(spare.iter().sum::<usize>(), count.min(MAX_SPARE_NOTES), "what is too much is freed");
            assert!(spare.iter().all(|len| *len <= SPARE_BATCH));
        }
        assert_eq!(queue.counts().written, (SPARE_BATCH + MAX_SPARE_NOTES + 16) as u64);
    }
}
