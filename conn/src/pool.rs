//! A thread's pool of memory: blocks to read into and vectors to write from.
//!
//! A connection that waits holds no buffer, and a connection that runs borrows one from here. The pool is of the thread
//! and not of the process: it needs no lock, and the last block given back is the next one taken, so that it is still
//! in the CPU's cache. A connection that moves to another thread gives its memory back there, which is why each pool
//! is bounded: a thread that only receives memory would otherwise keep all of it.

use std::cell::RefCell;

/// The size of a block to read into, in bytes: 72 KiB, so that a body of 64 KiB and its head fit into one read.
pub const BLOCK: usize = 72 * 1024;
/// The capacity up to which a vector is pooled, in bytes.
const MAX_POOLED_VECTOR_BYTES: usize = 128 * 1024;
/// How many blocks, and how many vectors, a thread keeps. More than that goes back to the allocator.
const MAX_POOLED_PER_THREAD: usize = 8;

thread_local! {
    static BLOCKS: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
    static VECTORS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Takes a block of [`BLOCK`] initialised bytes. A pooled block holds bytes of an earlier read: it is zeroed once, when it
/// is allocated, and not for each read.
pub(crate) fn take_block() -> Box<[u8]> {
    let kept = BLOCKS.try_with(|blocks| blocks.borrow_mut().pop()).ok().flatten();
    kept.unwrap_or_else(|| vec![0; BLOCK].into_boxed_slice())
}

/// Gives a block back to the pool. A block of any other size is freed.
pub(crate) fn give_block(block: Box<[u8]>) {
    if block.len() != BLOCK {
        return;
    }
    // `try_with` fails while the thread ends and its pool is gone. The block is then freed.
    let _ = BLOCKS.try_with(|blocks| {
        let mut blocks = blocks.borrow_mut();
        if blocks.len() < MAX_POOLED_PER_THREAD {
            blocks.push(block);
        }
    });
}

/// A block shared by `Bytes`. It goes back to the pool of the thread that drops the last of them.
pub(crate) struct PooledBlock(pub(crate) Box<[u8]>);

impl AsRef<[u8]> for PooledBlock {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for PooledBlock {
    fn drop(&mut self) {
        give_block(std::mem::take(&mut self.0));
    }
}

/// Takes an empty vector of some capacity: a pooled one, else a new one of 4 KiB.
pub(crate) fn take_vector() -> Vec<u8> {
    let kept = VECTORS.try_with(|vectors| vectors.borrow_mut().pop()).ok().flatten();
    kept.unwrap_or_else(|| Vec::with_capacity(4 * 1024))
}

/// Gives a vector back to the pool. A vector with more capacity than [`MAX_POOLED_VECTOR_BYTES`] is freed.
pub(crate) fn give_vector(mut vector: Vec<u8>) {
    if vector.capacity() == 0 || vector.capacity() > MAX_POOLED_VECTOR_BYTES {
        return;
    }
    vector.clear();
    // As in `give_block`: the vector is freed if the pool is gone.
    let _ = VECTORS.try_with(|vectors| {
        let mut vectors = vectors.borrow_mut();
        if vectors.len() < MAX_POOLED_PER_THREAD {
            vectors.push(vector);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_given_back_is_the_next_one_taken() {
        let block = take_block();
        let address = block.as_ptr();
        give_block(block);
        let next = take_block();
        assert_eq!(next.as_ptr(), address);
    }

    #[test]
    fn a_thread_keeps_only_a_few_blocks() {
        let blocks: Vec<_> = (0..2 * MAX_POOLED_PER_THREAD).map(|_| take_block()).collect();
        blocks.into_iter().for_each(give_block);
        assert_eq!(BLOCKS.with(|blocks| blocks.borrow().len()), MAX_POOLED_PER_THREAD);
    }

    #[test]
    fn a_large_vector_is_not_pooled() {
        while VECTORS.with(|vectors| !vectors.borrow().is_empty()) {
            take_vector();
        }
        give_vector(Vec::with_capacity(MAX_POOLED_VECTOR_BYTES + 1));
        assert!(VECTORS.with(|vectors| vectors.borrow().is_empty()));
    }
}
