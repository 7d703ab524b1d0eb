//! The bytes of a client from its first one to the end of its ClientHello.
//!
//! rustls takes 4 KiB for the first byte it is given, and a connection of it more than that. A client that sends half a
//! ClientHello and then nothing must cost little, so its bytes are collected here, and nothing else is acquired before
//! the message is whole.

use super::FirstBytes;

/// Collects bytes until the ClientHello is whole. Whether it is a good one is for rustls to say.
#[derive(Debug, Default)]
pub(super) struct HelloReader {
    bytes: Vec<u8>,
    /// Where the record begins that is not whole yet. Kept, so that a client that sends its ClientHello in a thousand
    /// pieces does not make us look at the first of them a thousand times.
    record: usize,
    /// How many bytes of the message the whole records before it have.
    message: usize,
    /// The first four of them: the type of the message and its length.
    header: [u8; 4],
}

/// What the bytes that have come are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HelloProgress {
    /// The beginning of a ClientHello, or too little to tell.
    Partial,
    /// A whole ClientHello, or what rustls refuses: it can decide now.
    Whole,
    /// A request in plain HTTP.
    Http,
    /// Neither TLS nor HTTP.
    Other,
    /// A ClientHello that does not end within [`HelloReader::MAX_BYTES`].
    TooLarge,
}

impl HelloReader {
    /// How many bytes are read at most, with the framing of records: one record of the largest size. A ClientHello with a
    /// post-quantum key (X25519MLKEM768) has 1.9 KiB, and a ticket adds less than one. rustls would take 64 KiB.
    ///
    /// OpenSSL had the same limit until Encrypted Client Hello, Go has 64 KiB.
    pub(super) const MAX_BYTES: usize = (16 << 10) + 5;

    /// How many bytes may be pushed still; not zero while what has come is [`Partial`](HelloProgress::Partial).
    pub(super) fn room(&self) -> usize {
        Self::MAX_BYTES - self.bytes.len()
    }

    /// Adds what a client sent, at most as many bytes as there is [`room`](Self::room) for.
    pub(super) fn push(&mut self, bytes: &[u8]) -> HelloProgress {
        self.reserve(bytes.len());
        self.bytes.extend_from_slice(bytes);
        match FirstBytes::read(&self.bytes) {
            None => HelloProgress::Partial,
            Some(FirstBytes::Http) => HelloProgress::Http,
            Some(FirstBytes::Other) => HelloProgress::Other,
            Some(FirstBytes::Handshake) => self.progress(),
        }
    }

    /// Makes room, doubling as a vector does, but never for more than will come.
    fn reserve(&mut self, n: usize) {
        let (len, capacity) = (self.bytes.len(), self.bytes.capacity());
        if capacity - len < n {
            let doubled = (2 * capacity).min(Self::MAX_BYTES);
            self.bytes.reserve_exact(doubled.max(len + n) - len);
        }
    }

    /// Whether nothing has come yet.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Everything that was pushed.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Whether the records hold a whole message, something that is no ClientHello, or one that is too large.
    ///
    /// RFC 8446 §5.1: `22 version(2) length(2) fragment`. §4: a message is `type(1) length(3) body`, in one or more
    /// fragments; a ClientHello has type 1.
    fn progress(&mut self) -> HelloProgress {
        const MAX_FRAGMENT: usize = 1 << 14;
        while let Some([kind, _, _, high, low]) = self.bytes.get(self.record..self.record + 5) {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            if *kind != 22 || length == 0 || length > MAX_FRAGMENT {
                return HelloProgress::Whole;
            }
            let start = self.record + 5;
            let Some(fragment) = self.bytes.get(start..start + length) else { break };
            for (to, from) in self.header.iter_mut().skip(self.message).zip(fragment) {
                *to = *from;
            }
            self.message += length;
            self.record = start + length;
            let [kind, length @ ..] = self.header;
            let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            if kind != 1 || self.message >= 4 && self.message - 4 >= length {
                return HelloProgress::Whole;
            }
        }
        if self.room() == 0 { HelloProgress::TooLarge } else { HelloProgress::Partial }
    }
}

#[cfg(test)]
mod tests {
    use super::{HelloProgress::*, *};
    use proptest::prelude::*;

    /// A message of type 1 with a body of so many bytes, in fragments of at most so many bytes.
    fn client_hello(body: usize, fragment: usize) -> Vec<u8> {
        let length = u32::try_from(body).unwrap().to_be_bytes();
        let message: Vec<u8> =
            [1].into_iter().chain(length[1..].iter().copied()).chain((0..=u8::MAX).cycle().take(body)).collect();
        let record = |fragment: &[u8]| {
            let length = u16::try_from(fragment.len()).unwrap().to_be_bytes();
            [&[22, 3, 1, length[0], length[1]], fragment].concat()
        };
        message.chunks(fragment).flat_map(record).collect()
    }

    /// After how many bytes it is decided how, if they come one by one.
    fn decided(bytes: &[u8]) -> Option<(usize, HelloProgress)> {
        let mut reader = HelloReader::default();
        (1..=bytes.len()).find_map(|n| match reader.push(&bytes[n - 1..n]) {
            Partial => None,
            other => Some((n, other)),
        })
    }

    #[test]
    fn a_client_hello_is_whole_at_its_last_byte() {
        for (body, fragment) in [(1, 16384), (200, 16384), (200, 1), (200, 3), (1800, 100), (16_380, 16384), (9000, 10)]
        {
            let mut bytes = client_hello(body, fragment);
            let length = bytes.len();
            bytes.extend_from_slice(b"more");
            assert_eq!(decided(&bytes), Some((length, Whole)), "{body} bytes in fragments of {fragment}");
            assert_eq!(HelloReader::default().push(&bytes), Whole);
            assert_eq!(HelloReader::default().push(&bytes[..length - 1]), Partial);
        }
    }

    #[test]
    fn what_is_no_client_hello_is_given_to_rustls_at_once() {
        for (bytes, at) in [
            (&b"\x16\x03\x01\x00\x00"[..], 5),                         // an empty record
            (b"\x16\x03\x01\x40\x01", 5),                              // one too large
            (b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", 10),         // a ServerHello
            (b"\x16\x03\x01\x00\x01\x01\x17\x03\x01\x00\x01\x00", 11), // another record in the middle
            (b"\x16\x03\x01\x00\x01\x01\x16\x03\x01\x00\x01\x00GET / HTTP/1", 17), // no record in the middle
        ] {
            assert_eq!(decided(bytes), Some((at, Whole)), "{}", bytes.escape_ascii());
        }
        assert_eq!(decided(b"GET / HTTP/1.1\r\n"), Some((5, Http)));
        assert_eq!(decided(b"SSH-2.0"), Some((1, Other)));
    }

    #[test]
    fn a_client_hello_that_does_not_end_is_given_up_at_16_kib() {
        for (body, fragment) in [(16_381, 16384), (16_000, 50), (60_000, 1), (60_000, 16384)] {
            let bytes = client_hello(body, fragment);
            assert_eq!(
                decided(&bytes),
                Some((HelloReader::MAX_BYTES, TooLarge)),
                "{body} bytes in fragments of {fragment}"
            );
        }
    }

    #[test]
    fn a_client_hello_of_any_pieces_holds_at_most_16_kib_and_a_header() {
        let bytes = client_hello(60_000, 16384);
        for piece in [1, 2, 7, 1000, 4096, 5000, HelloReader::MAX_BYTES] {
            let mut reader = HelloReader::default();
            for piece in bytes[..HelloReader::MAX_BYTES].chunks(piece) {
                reader.push(piece);
                let (held, given) = (reader.bytes.capacity(), reader.bytes.len());
                assert!(held <= HelloReader::MAX_BYTES && held < 2 * given + 8, "{held} for {given}");
            }
            assert_eq!(reader.room(), 0);
        }
    }

    proptest! {
        #[test]
        fn splitting_changes_nothing(bytes in prop::collection::vec(any::<u8>(), 0..40), handshake: bool, at: prop::sample::Index) {
            let bytes = if handshake { [&b"\x16\x03\x01\x00\x04\x01\x00"[..], &bytes].concat() } else { bytes };
            let at = at.index(bytes.len() + 1);
            let mut split = HelloReader::default();
            let first = split.push(&bytes[..at]);
            let last = if first == Partial { split.push(&bytes[at..]) } else { first };
            let whole = HelloReader::default().push(&bytes);
            prop_assert_eq!(last, whole);
        }
    }
}
