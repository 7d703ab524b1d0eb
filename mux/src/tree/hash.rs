//! A fast hash for maps whose keys are registered patterns.
//!
//! Speed is safe here: only whoever registers patterns can put keys into these maps, and a lookup compares with
//! registered keys alone. A client that finds colliding paths gains one more comparison, not a slow map.

use std::hash::{BuildHasherDefault, Hasher};

use crate::clean::last_word;

pub(crate) type Map<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<PathHasher>>;

/// Multiplies and folds eight bytes at a time.
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
        self.mix(last_word(bytes, words.remainder()).wrapping_add((bytes.len() as u64) << 56));
    }

    fn write_u8(&mut self, _end_of_str: u8) {
        // `str` ends its bytes with 0xff, to tell ("a", "b") from ("ab", ""). The length is in the hash already.
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const FACTOR: u64 = 0xd6e8_feb8_6659_fd93;
