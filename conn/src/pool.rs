//! The thread's spare memory: blocks to read into and vectors to write from.
//!
//! A connection that waits holds no memory of its own; whichever connection of this thread is running borrows from
//! here. The same block is used again and again, so it is in the cache when it is needed.

use std::cell::RefCell;

/// The size of a block to read into, in bytes: a body of 64 KiB and its head arrive in one read.
pub const BLOCK: usize = 72 * 1024;
/// A vector that grew larger than this, in bytes, is not kept.
const MAX_POOLED_VECTOR_BYTES: usize = 128 * 1024;
/// How many blocks and vectors a thread keeps; more than that goes back to the allocator.
const MAX_POOLED_PER_THREAD: usize = 8;

thread_local! {
    static BLOCKS: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
    static VECTORS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A block of [`BLOCK`] initialised bytes.
pub(crate) fn take_block() -> Box<[u8]> {
    let kept = BLOCKS.try_with(|blocks| blocks.borrow_mut().pop()).ok().flatten();
    kept.unwrap_or_else(|| vec![0; BLOCK].into_boxed_slice())
}

/// Gives a block back. Any other size is simply freed.
pub(crate) fn give_block(block: Box<[u8]>) {
    if block.len() != BLOCK {
        return;
    }
    // A thread that is being torn down has no pool any more: the block is then freed like any other.
    let _ = BLOCKS.try_with(|blocks| {
        let mut blocks = blocks.borrow_mut();
        if blocks.len() < MAX_POOLED_PER_THREAD {
            blocks.push(block);
        }
    });
}

/// A block that somebody reads from; it goes back to a pool when nobody does.
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

/// An empty vector, with capacity if the thread has one to spare.
pub(crate) fn take_vector() -> Vec<u8> {
    let kept = VECTORS.try_with(|vectors| vectors.borrow_mut().pop()).ok().flatten();
    kept.unwrap_or_else(|| Vec::with_capacity(4 * 1024))
}

/// Gives a vector back; one that grew past [`MAX_POOLED_VECTOR_BYTES`] is freed instead.
pub(crate) fn give_vector(mut vector: Vec<u8>) {
    if vector.capacity() == 0 || vector.capacity() > MAX_POOLED_VECTOR_BYTES {
        return;
    }
    vector.clear();
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
