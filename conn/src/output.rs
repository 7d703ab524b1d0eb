//! The bytes to be sent on a connection: small pieces are copied together, large pieces are sent without copying.
//!
//! Heads and small bodies are copied one behind the other, so that sixteen pipelined replies leave in one system call.
//! A large piece is kept as it is, with its position among the copied bytes. One gathered write (`writev`) sends both.
//!
//! ```text
//!  small   │ head 1 │ body 1 │ head 2 ▲│ CRLF … │
//!                                     └── large: 64 KiB that stay where they are
//! ```
//!
//! With the feature `sendfile` a large piece may also be a section of a file, which is not read at all if the stream can
//! send it.

use std::{collections::VecDeque, io::IoSlice};

use bytes::Bytes;

#[cfg(feature = "sendfile")]
use crate::io::FileSection;
use crate::pool;

/// The size from which a piece is not copied, in bytes: copying less costs less than an entry of its own in the write.
const MIN_SHARED_BYTES: usize = 8 * 1024;
/// The most pieces in one gathered write. They are an array on the stack.
const SLICES: usize = 16;
/// How many sent bytes may lie before the unsent bytes, at least.
const DEAD: usize = 4 * 1024;

/// The bytes to be sent on a connection, in order.
///
/// # Example
/// ```
/// use quintet_conn::Output;
///
/// let mut output = Output::new();
/// output.extend(b"HTTP/1.1 200 OK\r\n\r\n");
/// output.push("hello".into());
/// assert_eq!(output.len(), 24);
/// ```
#[derive(Debug, Default)]
pub struct Output {
    small: Vec<u8>,
    /// How many bytes of `small` were sent.
    sent: usize,
    /// Large pieces, each with its position: the length of `small` when it was pushed.
    large: VecDeque<(usize, Piece)>,
    /// How many bytes `large` has.
    uncopied: usize,
}

/// A piece that is not copied.
#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    #[cfg(feature = "sendfile")]
    File(Box<FileSection>),
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            #[cfg(feature = "sendfile")]
            Self::File(file) => usize::try_from(file.left()).unwrap_or(usize::MAX),
        }
    }

    /// The bytes, if they are in memory.
    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            #[cfg(feature = "sendfile")]
            Self::File(_) => None,
        }
    }

    /// Removes the first `n` bytes.
    fn skip(&mut self, n: usize) {
        match self {
            // Keeps the rest without copying; with n = 0 it changes nothing.
            Self::Bytes(bytes) => drop(bytes.split_to(n)),
            #[cfg(feature = "sendfile")]
            Self::File(file) => file.skip(n),
        }
    }

    fn truncate(&mut self, len: usize) {
        match self {
            Self::Bytes(bytes) => bytes.truncate(len),
            #[cfg(feature = "sendfile")]
            Self::File(file) => file.truncate(len as u64),
        }
    }
}

impl Output {
    /// An empty output without memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes are unsent.
    #[inline]
    pub fn len(&self) -> usize {
        self.small.len() - self.sent + self.uncopied
    }

    /// Whether everything was sent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.small.len() == self.sent && self.uncopied == 0
    }

    /// Bytes of memory held for small pieces, used or not.
    pub fn capacity(&self) -> usize {
        self.small.capacity()
    }

    /// The vector to append small pieces to. Only append: it also holds bytes of earlier replies, sent and unsent.
    #[inline]
    pub fn tail(&mut self) -> &mut Vec<u8> {
        if self.small.capacity() == 0 {
            self.small = pool::take_vector();
        }
        &mut self.small
    }

    /// Appends a copy of these bytes.
    #[inline]
    pub fn extend(&mut self, bytes: &[u8]) {
        self.tail().extend_from_slice(bytes);
    }

    /// Appends these bytes: a copy of less than 8 KiB, else the bytes themselves.
    pub fn push(&mut self, bytes: Bytes) {
        if bytes.len() < MIN_SHARED_BYTES {
            self.extend(&bytes);
        } else {
            self.uncopied += bytes.len();
            self.large.push_back((self.small.len(), Piece::Bytes(bytes)));
        }
    }

    /// Whether one plain write of [`first`](Self::first) sends everything: there is no large piece.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.large.is_empty()
    }

    /// The first unsent bytes that are contiguous; none if the next piece is a file.
    pub fn first(&self) -> &[u8] {
        match self.large.front() {
            Some((at, piece)) if *at == self.sent => piece.bytes().unwrap_or_default(),
            Some((at, _)) => &self.small[self.sent..*at],
            None => &self.small[self.sent..],
        }
    }

    /// Calls `write` with the first unsent pieces in order, at most sixteen, and none behind a file.
    pub fn gather<R>(&self, write: impl FnOnce(&[IoSlice<'_>]) -> R) -> R {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let (mut count, mut from, mut named) = (0, self.sent, 0);
        for (at, piece) in &self.large {
            // Room for the small bytes before this piece, the piece, and the small bytes behind the last piece.
            if count + 3 > SLICES {
                break;
            }
            if *at > from {
                slices[count] = IoSlice::new(&self.small[from..*at]);
                count += 1;
                from = *at;
            }
            let Some(bytes) = piece.bytes() else { break };
            slices[count] = IoSlice::new(bytes);
            count += 1;
            named += 1;
        }
        if named == self.large.len() && from < self.small.len() {
            slices[count] = IoSlice::new(&self.small[from..]);
            count += 1;
        }
        write(&slices[..count])
    }

    /// Removes the first `n` bytes: they were sent.
    ///
    /// # Panics
    /// If fewer bytes are unsent.
    // Always: a program that serves two kinds of streams has two connection loops, and a call for each costs more.
    #[inline(always)]
    pub fn advance(&mut self, mut n: usize) {
        assert!(n <= self.len(), "sent more than there was");
        // Small bytes up to the position of the first large piece, then that piece, and so on. Positions stay valid,
        // because `sent` moves and `small` does not.
        while let Some((at, piece)) = self.large.front_mut() {
            let before = (*at - self.sent).min(n);
            self.sent += before;
            n -= before;
            if n < piece.len() {
                self.uncopied -= n;
                piece.skip(n);
                self.compact();
                return;
            }
            n -= piece.len();
            self.uncopied -= piece.len();
            self.large.pop_front();
        }
        self.sent += n;
        if self.sent == self.small.len() {
            self.small.clear();
            self.sent = 0;
        } else {
            self.compact();
        }
    }

    /// Removes the bytes that were appended last, until `len` bytes are unsent. Sent bytes are not touched; if `len` or
    /// fewer bytes are unsent, nothing changes.
    pub fn truncate(&mut self, len: usize) {
        let mut extra = self.len().saturating_sub(len);
        // From the end: the small bytes behind the last large piece, then that piece, and so on.
        while extra > 0 {
            let from = self.large.back().map_or(self.sent, |(at, _)| *at);
            let small = (self.small.len() - from).min(extra);
            self.small.truncate(self.small.len() - small);
            extra -= small;
            let Some((_, piece)) = self.large.back_mut().filter(|_| extra > 0) else { return };
            let large = piece.len().min(extra);
            piece.truncate(piece.len() - large);
            self.uncopied -= large;
            extra -= large;
            if piece.len() == 0 {
                self.large.pop_back();
            }
        }
    }

    /// Removes the sent bytes before the unsent ones, if they are the larger part.
    ///
    /// With a client that is always a little behind there is no moment at which everything was sent, and the vector
    /// would grow for ever. Moving at most as many bytes as were sent since the last move costs less than appending
    /// them did, so the cost per byte is constant.
    fn compact(&mut self) {
        if self.sent >= DEAD && self.sent >= self.small.len() / 2 {
            self.small.drain(..self.sent);
            self.large.iter_mut().for_each(|(at, _)| *at -= self.sent);
            self.sent = 0;
        }
    }

    /// Gives back the memory of sent bytes, before a wait. Afterwards the capacity is at most twice the unsent small
    /// bytes and 4 KiB, and none if everything was sent.
    pub fn release_memory(&mut self) {
        let left = self.small.len() - self.sent;
        if self.is_empty() && self.small.capacity() > 0 {
            self.sent = 0;
            pool::give_vector(std::mem::take(&mut self.small));
        } else if self.small.capacity() > 2 * left + DEAD {
            let own = self.small[self.sent..].to_vec();
            self.large.iter_mut().for_each(|(at, _)| *at -= self.sent);
            self.sent = 0;
            pool::give_vector(std::mem::replace(&mut self.small, own));
        }
        // `pop_front` keeps the capacity; a connection that once sent a large piece would hold it while it is idle.
        if self.large.is_empty() && self.large.capacity() > 0 {
            self.large = VecDeque::new();
        }
    }
}

/// Files among the pieces.
#[cfg(feature = "sendfile")]
impl Output {
    /// Appends a section of a file. It is read or sent when it is its turn.
    ///
    /// # Panics
    /// If the unsent bytes are more than a `usize` counts. On a system of 32 bits, push a file of 4 GiB in parts.
    pub fn push_file(&mut self, file: Box<FileSection>) {
        let len = usize::try_from(file.left()).ok().filter(|len| self.len().checked_add(*len).is_some());
        self.uncopied += len.expect("the caller pushes no more than a usize counts");
        if file.left() > 0 {
            self.large.push_back((self.small.len(), Piece::File(file)));
        }
    }

    /// Whether there is a file among the unsent pieces.
    pub(crate) fn has_file(&self) -> bool {
        self.large.iter().any(|(_, piece)| matches!(piece, Piece::File(_)))
    }

    /// The file, if the next unsent byte is one of it.
    pub(crate) fn file(&mut self) -> Option<&mut FileSection> {
        match self.large.front_mut() {
            Some((at, Piece::File(file))) if *at == self.sent => Some(file),
            _ => None,
        }
    }

    /// Whether [`first`](Self::first) has bytes, and a file follows them.
    pub(crate) fn is_before_file(&self) -> bool {
        matches!(self.large.front(), Some((at, Piece::File(_))) if *at > self.sent)
    }

    /// Puts bytes before the file that is next: they were read from it.
    pub(crate) fn put_before_file(&mut self, bytes: Bytes) {
        self.large.push_front((self.sent, Piece::Bytes(bytes)));
        // A file that was read to its end has no bytes left to send, and closes here.
        self.large.retain(|(_, piece)| piece.len() > 0);
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        pool::give_vector(std::mem::take(&mut self.small));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn gathered(output: &Output) -> Vec<u8> {
        output.gather(|slices| slices.iter().flat_map(|slice| slice.to_vec()).collect())
    }

    #[test]
    fn small_pieces_are_contiguous() {
        let mut output = Output::new();
        output.extend(b"one ");
        output.push(Bytes::from_static(b"two"));
        assert!(output.is_plain());
        assert_eq!(output.first(), b"one two");
    }

    #[test]
    fn a_large_piece_keeps_its_place_and_its_memory() {
        let large = Bytes::from(vec![b'x'; MIN_SHARED_BYTES]);
        let mut output = Output::new();
        output.extend(b"head");
        output.push(large.clone());
        output.extend(b"tail");
        assert_eq!(output.first(), b"head");
        output.gather(|slices| {
            assert_eq!(slices.len(), 3);
            assert_eq!(slices[1].as_ptr(), large.as_ptr());
        });
        output.advance(4 + MIN_SHARED_BYTES + 1);
        assert_eq!(output.first(), b"ail");
    }

    #[test]
    fn an_empty_output_holds_no_memory() {
        let mut output = Output::new();
        output.extend(b"x");
        output.push(Bytes::from(vec![b'x'; MIN_SHARED_BYTES]));
        output.advance(1 + MIN_SHARED_BYTES);
        output.release_memory();
        assert_eq!(output.small.capacity() + output.large.capacity(), 0);
    }

    #[test]
    fn unsent_bytes_hold_at_most_twice_their_size_and_4_kib() {
        let large = Bytes::from(vec![b'x'; MIN_SHARED_BYTES]);
        for left in [1, 100, 5000, 50_000] {
            let mut output = Output::new();
            output.extend(&vec![b'x'; 100_000 - left]);
            output.push(large.clone());
            output.extend(&vec![b'y'; left]);
            output.advance(100_000 - left + MIN_SHARED_BYTES / 2);
            output.release_memory();
            assert!(output.capacity() <= 2 * left + DEAD, "{} for {left}", output.capacity());
            let expected = [&large[MIN_SHARED_BYTES / 2..], &vec![b'y'; left]].concat();
            assert_eq!(gathered(&output), expected);
        }
    }

    #[test]
    fn a_client_always_behind_does_not_grow_the_output() {
        let mut output = Output::new();
        let large = Bytes::from(vec![b'x'; MIN_SHARED_BYTES]);
        output.extend(b"head");
        for round in 0..10_000 {
            output.extend(&[b'x'; 100]);
            if round % 100 == 0 {
                output.push(large.clone());
            }
            output.advance(output.len() - 50);
            assert_eq!(output.len(), 50);
        }
        assert!(output.capacity() <= 16 * 1024, "{} bytes for 50", output.capacity());
    }

    #[test]
    fn truncate_removes_only_unsent_bytes() {
        let mut output = Output::new();
        output.extend(b"one two");
        output.advance(4);
        output.truncate(5);
        assert_eq!(gathered(&output), b"two", "there are no more");
        output.truncate(1);
        assert_eq!(gathered(&output), b"t");
        output.truncate(0);
        assert!(output.is_empty());
        output.extend(b"three");
        assert_eq!(gathered(&output), b"three");
    }

    proptest! {
        #[test]
        fn an_output_sends_its_bytes_in_order(
            pieces in proptest::collection::vec((any::<u8>(), prop_oneof![0..20_usize, MIN_SHARED_BYTES - 1..MIN_SHARED_BYTES + 2]), 0..40),
            steps in proptest::collection::vec(1..20_000_usize, 0..60),
        ) {
            let (mut output, mut model) = (Output::new(), Vec::new());
            let mut steps = steps.into_iter();
            for (byte, len) in pieces {
                output.push(Bytes::from(vec![byte; len]));
                model.extend(std::iter::repeat_n(byte, len));
                prop_assert_eq!(output.len(), model.len());
                let seen = gathered(&output);
                prop_assert!(model.starts_with(&seen) && (model.is_empty() || !seen.is_empty()));
                prop_assert!(model.starts_with(output.first()) && (model.is_empty() || !output.first().is_empty()));
                if let Some(step) = steps.next() {
                    let n = step.min(seen.len());
                    output.advance(n);
                    model.drain(..n);
                }
                if let Some(step) = steps.next().filter(|step| step % 4 == 0) {
                    output.truncate(step);
                    model.truncate(step);
                    prop_assert_eq!(output.len(), model.len());
                }
            }
            while !output.is_empty() {
                let n = steps.next().unwrap_or(usize::MAX).min(gathered(&output).len());
                prop_assert!(n > 0 && n <= model.len(), "{n} of {}", model.len());
                prop_assert!(model.starts_with(&gathered(&output)));
                output.advance(n);
                model.drain(..n);
            }
            prop_assert!(model.is_empty());
        }
    }
}
