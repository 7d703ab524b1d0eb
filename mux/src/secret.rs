//! A secret to compare with: a password or a token.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
};

/// A secret to compare with: a password or a token of the program's own.
///
/// It is kept as a hash with random keys, and so is what it is compared with. How long a comparison takes tells nothing
/// about the secret: the time of hashing depends on the other text alone, and which bytes of the two hashes are equal depends
/// on the keys, which no client knows. `Debug` does not show it.
///
/// It is for secrets with enough bits to resist guessing. Passwords of users are stored by a slow hash of a crate such as
/// `argon2`, and compared in `tokio::task::spawn_blocking`.
///
/// # Example
/// ```
/// use quintet_mux::Secret;
///
/// let secret = Secret::new("correct horse battery staple");
/// assert!(secret.is("correct horse battery staple"));
/// assert!(!secret.is("Tr0ub4dor&3"));
/// ```
///
/// # Spec
/// Go: `subtle.ConstantTimeCompare` of two SHA-256 sums, which programs write beside `Request.BasicAuth`.
#[doc(alias = "constant time")]
#[derive(Clone)]
pub struct Secret {
    keys: [RandomState; 2],
    hash: [u64; 2],
}

impl Secret {
    /// A secret.
    #[must_use]
    pub fn new(secret: impl AsRef<[u8]>) -> Self {
        let keys = [RandomState::new(), RandomState::new()];
        let hash = hash(&keys, secret.as_ref());
        Self { keys, hash }
    }

    /// Whether the text is the secret. Another text has the same 128 bits of hash once in 3 · 10³⁸.
    #[must_use]
    pub fn is(&self, text: impl AsRef<[u8]>) -> bool {
        hash(&self.keys, text.as_ref()) == self.hash
    }
}

fn hash(keys: &[RandomState; 2], text: &[u8]) -> [u64; 2] {
    keys.each_ref().map(|key| key.hash_one(text))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_only_itself() {
        let secret = Secret::new("abc");
        for (text, is_secret) in
            [("abc", true), ("", false), ("ab", false), ("abcd", false), ("abd", false), ("ABC", false)]
        {
            assert_eq!(secret.is(text), is_secret, "{text:?}");
            assert_eq!(secret.clone().is(text.as_bytes()), is_secret);
        }
        assert!(Secret::new("").is(""));
        assert_eq!(format!("{secret:?}"), "Secret");
    }

    #[test]
    fn a_secret_is_hashed_with_keys_of_its_own() {
        assert_ne!(Secret::new("abc").hash, Secret::new("abc").hash);
        let [one, other] = Secret::new("abc").hash;
        assert_ne!(one, other);
    }
}
