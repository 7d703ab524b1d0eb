//! A fast hash, without protection against collisions, for maps whose keys come from registered patterns.
//!
//! A client cannot slow these maps down. Only the program that registers patterns adds keys, so a client cannot fill a
//! map with colliding ones. A request for a path that collides with a key costs one more comparison.

use std::hash::{BuildHasherDefault, Hasher};

use crate::clean::last_word;

pub(crate) type Map<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<PathHasher>>;

/// A hasher that multiplies eight bytes at a time and folds the product.
#[derive(Clone, Copy, Default)]
pub(crate) struct PathHasher(u64);

impl PathHasher {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a product")]
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ SEED) * u128::from(FACTOR);
        let [low, high] = [product as u64, (product >> 64) as u64];
        self.0 = low ^ high;
    }
}

impl Hasher for PathHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.mix(u64::from_le_bytes(word.try_into().expect("a chunk of eight bytes")));
        }
        // The padding of the last word is zeros, so the length tells "a" from "a\0".
        self.mix(last_word(bytes, words.remainder()).wrapping_add((bytes.len() as u64) << 56));
    }

    fn write_u8(&mut self, _end_of_str: u8) {
        // `str` writes 0xff after its bytes, to tell ("a", "b") from ("ab", ""). Here the length does that already.
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const FACTOR: u64 = 0xd6e8_feb8_6659_fd93;
