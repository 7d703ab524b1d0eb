//! The buffer of a connection: bytes received and not yet consumed.
//!
//! A buffer has memory only while it holds bytes or a read is in progress. It borrows a block from the thread's pool to
//! read into ([`Buffer::spare`]), and gives the block back when no byte is left ([`Buffer::release_memory`]). A
//! leftover (the first half of a head) moves into memory of its own that is at most 4 KiB larger than its bytes.
//!
//! ```text
//!        ┌───────────┬──────────────────┬───────────────┐
//!  mem   │ consumed  │      filled      │     spare     │
//!        └───────────┴──────────────────┴───────────────┘
//!        0         start               end            len
//! ```

use bytes::Bytes;

use crate::pool::{self, BLOCK};

/// By how much a buffer's own memory grows at a time, in bytes.
const STEP: usize = 4 * 1024;
/// The size from which bytes that are [taken out](Buffer::split_to) are not copied. A third of a block: the bytes keep
/// their whole block, so that they hold at most three times their size.
const MIN_SHARED_BLOCK_BYTES: usize = 24 * 1024;

/// The bytes received and not yet consumed: filled at one end, consumed at the other.
///
/// # Example
/// ```
/// use quintet_conn::Buffer;
///
/// let mut buffer = Buffer::new();
/// buffer.spare(usize::MAX)[..5].copy_from_slice(b"hello");
/// buffer.commit(5);
/// buffer.consume(1);
/// assert_eq!(buffer.filled(), b"ello");
/// ```
#[derive(Debug, Default)]
pub struct Buffer {
    mem: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// An empty buffer without memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes received and not yet consumed.
    #[inline]
    pub fn filled(&self) -> &[u8] {
        &self.mem[self.start..self.end]
    }

    /// How many bytes [`filled`](Self::filled) has.
    #[inline]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether [`filled`](Self::filled) has no byte.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Bytes of memory held, used or not.
    pub fn capacity(&self) -> usize {
        self.mem.len()
    }

    /// Room to read into: at least one byte, or none if the buffer already holds `limit` bytes.
    ///
    /// An empty buffer borrows a block from the thread's pool. A buffer with a leftover grows by steps of 4 KiB: a head
    /// that arrives byte by byte is not copied for each byte, and has at most 4 KiB more memory than it needs.
    pub fn spare(&mut self, limit: usize) -> &mut [u8] {
        let most = limit.saturating_sub(self.len());
        if most == 0 {
            return &mut [];
        }
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
            if self.mem.is_empty() {
                self.mem = pool::take_block();
            }
        } else if self.end == self.mem.len() {
            if self.start > 0 {
                self.compact();
            } else {
                self.grow();
            }
        }
        let room = most.min(self.mem.len() - self.end);
        &mut self.mem[self.end..self.end + room]
    }

    /// Adds the first `n` bytes of [`spare`](Self::spare), which a read has filled.
    ///
    /// # Panics
    /// If there is less room than that.
    #[inline]
    pub fn commit(&mut self, n: usize) {
        assert!(n <= self.mem.len() - self.end, "committed more than there was room for");
        self.end += n;
    }

    /// Removes the first `n` bytes.
    ///
    /// # Panics
    /// If the buffer holds fewer.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        assert!(n <= self.len(), "consumed more than there was");
        self.start += n;
    }

    /// Removes the first `n` bytes and returns them. 24 KiB and more are not copied: their block goes with them, and
    /// back to a pool when the last of them is dropped. The returned bytes hold at most three times their size.
    ///
    /// # Panics
    /// If the buffer holds fewer.
    pub fn split_to(&mut self, n: usize) -> Bytes {
        assert!(n <= self.len(), "took out more than there was");
        if n < MIN_SHARED_BLOCK_BYTES || 2 * n < self.mem.len() && self.mem.len() > BLOCK {
            let bytes = Bytes::copy_from_slice(&self.filled()[..n]);
            self.consume(n);
            return bytes;
        }
        let start = self.start;
        let block = Bytes::from_owner(pool::PooledBlock(std::mem::take(&mut self.mem)));
        let behind = block.slice(start + n..self.end);
        (self.start, self.end) = (0, 0);
        self.extend(&behind);
        block.slice(start..start + n)
    }

    /// Appends a copy of these bytes, growing as needed. For tests and for returning bytes; a read uses
    /// [`spare`](Self::spare).
    pub fn extend(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let spare = self.spare(usize::MAX);
            let n = spare.len().min(bytes.len());
            spare[..n].copy_from_slice(&bytes[..n]);
            self.commit(n);
            bytes = &bytes[n..];
        }
    }

    /// Gives back memory before a wait. Afterwards an empty buffer holds none, and a leftover holds its bytes and at
    /// most 4 KiB more.
    pub fn release_memory(&mut self) {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
            pool::give_block(std::mem::take(&mut self.mem));
        } else if self.mem.len() > self.len() + STEP {
            let mut own = vec![0; self.len().next_multiple_of(STEP)].into_boxed_slice();
            own[..self.len()].copy_from_slice(self.filled());
            (self.start, self.end) = (0, self.len());
            pool::give_block(std::mem::replace(&mut self.mem, own));
        }
    }

    /// Removes all bytes and returns them as a vector.
    pub fn take(&mut self) -> Vec<u8> {
        let bytes = self.filled().to_vec();
        self.consume(bytes.len());
        self.release_memory();
        bytes
    }

    fn compact(&mut self) {
        self.mem.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.len());
    }

    fn grow(&mut self) {
        // A full block means a fast client, and doubling saves copies. Memory of its own means a slow one: it grows by
        // steps, so that it never holds more than 4 KiB that it does not need.
        let size = if self.mem.len() >= BLOCK { self.mem.len() * 2 } else { self.mem.len() + STEP };
        let mut larger = vec![0; size].into_boxed_slice();
        larger[..self.end].copy_from_slice(&self.mem[..self.end]);
        pool::give_block(std::mem::replace(&mut self.mem, larger));
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        pool::give_block(std::mem::take(&mut self.mem));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_buffer_holds_no_memory() {
        let mut buffer = Buffer::new();
        assert_eq!(buffer.capacity(), 0);
        buffer.extend(b"GET");
        assert_eq!(buffer.capacity(), BLOCK);
        buffer.consume(3);
        buffer.release_memory();
        assert_eq!(buffer.capacity(), 0);
    }

    #[test]
    fn a_leftover_holds_at_most_4_kib_more_than_its_bytes() {
        for len in [1, 4095, 4096, 4097, 30_000] {
            let mut buffer = Buffer::new();
            buffer.extend(&vec![b'x'; len]);
            buffer.release_memory();
            assert_eq!(buffer.len(), len);
            assert!(buffer.capacity() <= len + STEP, "{len} bytes hold {}", buffer.capacity());
        }
    }

    #[test]
    fn a_dribble_is_not_copied_for_each_byte() {
        let mut buffer = Buffer::new();
        let mut moves = 0;
        for byte in std::iter::repeat_n(b'x', 60_000) {
            let before = buffer.capacity();
            buffer.extend(&[byte]);
            buffer.release_memory();
            moves += usize::from(buffer.capacity() != before);
            assert!(buffer.capacity() <= buffer.len() + STEP);
        }
        assert!(moves <= 60_000 / STEP + 2, "moved {moves} times");
    }

    #[test]
    fn spare_has_no_room_past_the_limit() {
        let mut buffer = Buffer::new();
        buffer.extend(b"12345");
        assert_eq!(buffer.spare(5).len(), 0);
        assert_eq!(buffer.spare(7).len(), 2);
    }

    #[test]
    fn split_to_shares_a_large_block_that_returns_to_the_pool() {
        let mut buffer = Buffer::new();
        buffer.extend(b"head");
        buffer.extend(&vec![b'x'; BLOCK - 8]);
        buffer.extend(b"tail");
        buffer.consume(4);
        let (body, block) = (buffer.filled().as_ptr(), buffer.mem.as_ptr());
        let taken = buffer.split_to(BLOCK - 8);
        assert_eq!((taken.as_ptr(), buffer.filled()), (body, &b"tail"[..]));
        drop(taken);
        let next = pool::take_block();
        assert_eq!(next.as_ptr(), block);
    }

    #[test]
    fn split_to_holds_at_most_three_times_its_bytes() {
        for len in [1, MIN_SHARED_BLOCK_BYTES - 1, MIN_SHARED_BLOCK_BYTES, BLOCK, 3 * BLOCK] {
            let mut buffer = Buffer::new();
            buffer.extend(&vec![b'x'; len]);
            let held = buffer.capacity();
            let shared = buffer.filled().as_ptr() == buffer.split_to(len).as_ptr();
            assert_eq!(shared, len >= MIN_SHARED_BLOCK_BYTES, "{len}");
            assert!(!shared || held <= 3 * len, "{held} for {len}");
        }
    }

    #[test]
    fn spare_of_zero_bytes_takes_no_memory() {
        let mut buffer = Buffer::new();
        assert_eq!(buffer.spare(0).len(), 0);
        assert_eq!(buffer.capacity(), 0);
    }

    #[derive(Clone, Debug)]
    enum Op {
        Extend(Vec<u8>),
        Consume(usize),
        Split(usize),
        Relax,
        Take,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..6000).prop_map(Op::Extend),
            (any::<u8>(), 0..80_000_usize).prop_map(|(byte, n)| Op::Extend(vec![byte; n])),
            (0..9000_usize).prop_map(Op::Consume),
            (0..90_000_usize).prop_map(Op::Split),
            Just(Op::Relax),
            Just(Op::Take),
        ]
    }

    proptest! {
        #[test]
        fn a_buffer_behaves_as_a_vector(ops in proptest::collection::vec(op(), 0..60)) {
            let (mut buffer, mut model) = (Buffer::new(), Vec::new());
            for op in ops {
                match op {
                    Op::Extend(bytes) => {
                        buffer.extend(&bytes);
                        model.extend(bytes);
                    }
                    Op::Consume(n) => {
                        let n = n.min(model.len());
                        buffer.consume(n);
                        model.drain(..n);
                    }
                    Op::Split(n) => {
                        let n = n.min(model.len());
                        prop_assert_eq!(&buffer.split_to(n)[..], &model.drain(..n).collect::<Vec<_>>()[..]);
                    }
                    Op::Relax => buffer.release_memory(),
                    Op::Take => prop_assert_eq!(buffer.take(), std::mem::take(&mut model)),
                }
                prop_assert_eq!(buffer.filled(), &model[..]);
                prop_assert_eq!(buffer.len(), model.len());
            }
        }
    }
}
