//! The queue of lines between the tasks of the server and the thread that writes.
//!
//! A line is formatted into the queue itself, under its lock: it is copied once, and no task has a buffer of its own. The
//! lock is held for the time of formatting a line, and never while something is written. A line that finds the queue full
//! is dropped and counted.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{access_log_counts::AccessLogCounts, line_clock::LineClock};

/// So long lines are gathered, so that a busy server is not woken for each: an idle server's thread sleeps.
const GATHER: Duration = Duration::from_millis(10);
/// So many bytes are written at once, before that time is over.
const WRITE_BYTES: usize = 64 * 1024;

/// The lines that wait to be written, and what the handles ask of the thread that writes them.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// The writer waits here for lines, and for wishes.
    work: Condvar,
    /// [`Queue::flush`] waits here for the writer.
    settled: Condvar,
    max_bytes: usize,
    max_lines: usize,
}

#[derive(Debug, Default)]
struct State {
    /// Whole lines, each with its newline.
    bytes: Vec<u8>,
    /// How many lines that is.
    lines: usize,
    clock: LineClock,
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

impl Queue {
    pub(super) fn new(max_bytes: usize, max_lines: usize) -> Self {
        let (state, work, settled) = Default::default();
        Self { state, work, settled, max_bytes, max_lines }
    }

    /// Formats a line into the queue, without its newline; drops it if there is no room. Never waits for the writer.
    #[inline]
    pub(super) fn push(&self, format: impl FnOnce(&mut Vec<u8>, &mut LineClock)) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let before = state.bytes.len();
        if before < self.max_bytes && state.lines < self.max_lines {
            format(&mut state.bytes, &mut state.clock);
            state.bytes.push(b'\n');
            let after = state.bytes.len();
            if after <= self.max_bytes {
                state.lines += 1;
                // The first line ends the writer's sleep, and the one that fills a batch its gathering. At other times it
                // needs no call of the system.
                if before == 0 || (before < WRITE_BYTES && after >= WRITE_BYTES) {
                    self.work.notify_one();
                }
                return;
            }
            state.bytes.truncate(before);
        }
        state.counts.dropped += 1;
    }

    /// Waits for lines or a wish. The lines are swapped into `batch`, which is empty; returns their number.
    pub(super) fn take(&self, batch: &mut Vec<u8>) -> (usize, Wishes) {
        let mut state = self.lock();
        while state.bytes.is_empty() && state.wishes == Wishes::default() {
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let until = Instant::now() + GATHER;
        while state.wishes == Wishes::default() && state.bytes.len() < WRITE_BYTES {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::swap(&mut state.bytes, batch);
        let lines = std::mem::take(&mut state.lines);
        state.taken += 1;
        let wishes = state.wishes;
        // `end` stays: it is asked for once.
        state.wishes = Wishes { end: wishes.end, ..Wishes::default() };
        (lines, wishes)
    }

    /// Notes what became of a batch.
    pub(super) fn settle(&self, written: Written) {
        let mut state = self.lock();
        state.settled = state.taken;
        state.counts.written += (written.lines - written.failed) as u64;
        state.counts.failed += written.failed as u64;
        state.counts.reopen_errors += u64::from(written.reopen_failed);
        if written.error.is_some() {
            state.last_error = written.error;
        }
        drop(state);
        self.settled.notify_all();
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().bytes.is_empty()
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
        let waits = !state.bytes.is_empty() || state.wishes.reopen;
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

    /// A thread that panicked with the lock has left whole lines, or was about to add one: its poison is ignored.
    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(queue: &Queue, text: &str) {
        queue.push(|out, _| out.extend_from_slice(text.as_bytes()));
    }

    fn take(queue: &Queue) -> (String, usize, Wishes) {
        let mut batch = Vec::new();
        let (lines, wishes) = queue.take(&mut batch);
        (String::from_utf8(batch).expect("text"), lines, wishes)
    }

    #[test]
    fn lines_are_taken_together_in_order() {
        let queue = Queue::new(100, 10);
        push(&queue, "a");
        push(&queue, "b");
        assert_eq!(take(&queue), ("a\nb\n".to_owned(), 2, Wishes::default()));
        assert!(queue.is_empty());
    }

    #[test]
    fn a_full_queue_drops_the_line_and_counts_it() {
        for (max_bytes, max_lines, kept) in
            [(4, 10, "a\nb\n"), (5, 10, "a\nb\n"), (100, 2, "a\nb\n"), (1, 10, ""), (0, 0, "")]
        {
            let queue = Queue::new(max_bytes, max_lines);
            ["a", "b", "c", "d"].iter().for_each(|text| push(&queue, text));
            let lines = kept.len() / 2;
            assert_eq!(queue.counts().dropped, 4 - lines as u64, "{max_bytes} bytes, {max_lines} lines");
            queue.reopen(); // so that there is something to take
            assert_eq!(take(&queue).0, kept);
        }
        let queue = Queue::new(4, 10);
        push(&queue, "a");
        push(&queue, "longer");
        push(&queue, "b");
        assert_eq!(take(&queue).0, "a\nb\n", "a short line still has its place");
    }

    #[test]
    fn a_flush_ends_when_its_lines_are_settled() {
        let queue = Queue::new(100, 10);
        assert!(queue.flush(Duration::ZERO), "there is nothing to wait for");
        push(&queue, "a");
        assert!(!queue.flush(Duration::ZERO));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (_, lines, _) = take(&queue);
                assert!(!queue.flush(Duration::ZERO), "it is taken, but not written");
                queue.settle(Written { lines, failed: 1, error: Some("full".to_owned()), ..Written::default() });
            });
            assert!(queue.flush(Duration::MAX));
        });
        assert_eq!(queue.counts(), AccessLogCounts { failed: 1, ..AccessLogCounts::default() });
        assert_eq!(queue.last_error().as_deref(), Some("full"));
    }

    #[test]
    fn a_wish_is_taken_once_and_the_end_for_ever() {
        let queue = Queue::new(100, 10);
        queue.reopen();
        assert!(!queue.flush(Duration::ZERO), "it was not opened again yet");
        let (_, _, wishes) = take(&queue);
        assert!(wishes.reopen && !wishes.end);
        assert!(!queue.flush(Duration::ZERO), "it is about to be");
        queue.settle(Written::default());
        assert!(queue.flush(Duration::ZERO));
        queue.end();
        for _ in 0..2 {
            let (_, _, wishes) = take(&queue);
            assert!(!wishes.reopen && wishes.end);
        }
    }
}
