//! The decision when to parse a growing head again, which keeps the cost of a head in single bytes linear.

use crate::Limits;

/// Decides when a head that is still arriving is parsed again: how far the buffer was searched, and how much of it was
/// parsed last.
///
/// A parser that starts over at every read takes time quadratic in the length of the head: a client that sends 64 KiB
/// in single bytes would cost two billion steps. A `Scan` searches each byte once, and asks for a parse only if its
/// result can differ from the last one:
///
/// * at the first look: the usual head arrives whole, and a search before the parse would be wasted;
/// * at the end of the request line: most bytes that are not HTTP are refused there;
/// * at an empty line, which ends a head;
/// * at a LF without CR, which is refused at once;
/// * when the buffer has doubled since the last parse: malformed bytes are refused early, and the sum of all parses is
///   linear in the length;
/// * at the limit of a head;
/// * when no more bytes will come ([`look_last`](Self::look_last)): a malformed head is refused with the same error in
///   however many pieces it arrived.
///
/// ```
/// use quintet_request::{Limits, Scan, parse};
///
/// let limits = Limits::default();
/// let head = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
/// let mut scan = Scan::new(&limits);
/// let parses = (1..=head.len()).filter(|&n| scan.look(&head[..n])).map(|n| parse(&head[..n], &limits));
/// assert!(parses.last().unwrap().unwrap().is_some());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Scan {
    // Four bytes each, as every idle connection holds one `Scan`. A head is at most 4 GiB long.
    limit: u32,
    searched: u32,
    parsed: u32,
    /// Whether the end of the request line was seen among the searched bytes.
    line: bool,
}

impl Scan {
    /// A scan that has searched nothing.
    pub fn new(limits: &Limits) -> Self {
        Self { limit: length(limits.head), searched: 0, parsed: 0, line: false }
    }

    /// Whether to parse `bytes` now. They must start with the bytes of the last look. If the parser then needs more
    /// bytes, look again when more have arrived; after a whole head, call [`reset`](Self::reset).
    #[inline]
    pub fn look(&mut self, bytes: &[u8]) -> bool {
        let due = self.parsed == 0 || self.is_due(bytes);
        self.searched = length(bytes.len());
        if due {
            self.parsed = self.searched;
        }
        due && !bytes.is_empty()
    }

    /// Whether to parse `bytes` once more when no more will follow, because the client sent FIN or a timeout expired:
    /// true if some of them arrived after the last parse. If the parser still needs more bytes, the head is incomplete
    /// and nothing else is wrong with it.
    #[inline]
    pub fn look_last(&self, bytes: &[u8]) -> bool {
        bytes.len() > self.parsed as usize
    }

    /// Resets the scan for the next head.
    #[inline]
    pub fn reset(&mut self) {
        self.searched = 0;
        self.parsed = 0;
        self.line = false;
    }

    #[cold]
    fn is_due(&mut self, bytes: &[u8]) -> bool {
        let new = self.searched as usize;
        if bytes.len() <= new {
            return false;
        }
        if bytes.len() >= 2 * self.parsed as usize || bytes.len() >= self.limit as usize {
            return true;
        }
        // A LF among the new bytes asks for a parse if no CR precedes it, if it ends an empty line, or if it is the
        // first one. The LF of an empty line before the request line does not count.
        let mut ends =
            bytes[new..].iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(i, _)| &bytes[..new + i]);
        ends.any(|before| {
            let first = before.len() > 1 && !std::mem::replace(&mut self.line, true);
            first || !before.ends_with(b"\r") || before.ends_with(b"\r\n\r")
        })
    }
}

/// A number of bytes in 32 bits, at most `u32::MAX`.
#[inline]
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl Default for Scan {
    fn default() -> Self {
        Self::new(&Limits::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HeadError, Index};

    /// Feeds `bytes` one by one; returns the sum of the bytes parsed, and the result.
    fn dribble(bytes: &[u8], limits: &Limits) -> (usize, Result<Option<usize>, HeadError>) {
        let (mut scan, mut index) = (Scan::new(limits), Index::default());
        let mut parsed = 0;
        for end in 1..=bytes.len() {
            if scan.look(&bytes[..end]) {
                parsed += end;
                match index.parse(&bytes[..end], limits) {
                    Ok(None) => {}
                    outcome => return (parsed, outcome),
                }
            }
        }
        (parsed, Ok(None))
    }

    fn head(fields: usize) -> Vec<u8> {
        format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X-Name: some value\r\n".repeat(fields)).into_bytes()
    }

    #[test]
    fn a_head_in_single_bytes_costs_four_times_its_length() {
        let limits = Limits { fields: 1_000_000, head: 1 << 20, ..Limits::default() };
        for fields in [0, 1, 10, 100, 1_000, 10_000] {
            let head = head(fields);
            let (parsed, outcome) = dribble(&head, &limits);
            assert_eq!(outcome, Ok(Some(head.len())));
            // The parses at doublings sum to twice the last of them, which is shorter than the head; then comes the
            // head itself.
            assert!(parsed <= 4 * head.len(), "{parsed} bytes parsed of {}", head.len());
        }
    }

    #[test]
    fn an_endless_head_costs_linear_time_and_is_refused() {
        let limits = Limits { fields: 1_000_000, ..Limits::default() };
        let (parsed, outcome) = dribble(&head(10_000), &limits);
        assert_eq!(outcome, Err(HeadError::TooLong { at: 65_536 }));
        assert!(parsed <= 4 * 65_536, "{parsed}");
    }

    #[test]
    fn scan_asks_for_a_parse_only_when_it_can_decide() {
        let mut scan = Scan::default();
        assert!(!scan.look(b""), "nothing to look at");
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 1\n";
        assert!(scan.look(&bytes[..20]), "the first look");
        assert!(!scan.look(&bytes[..20]), "nothing new");
        assert!(scan.look(&bytes[..26]), "the first end of a line since the first look");
        assert!(!scan.look(&bytes[..35]), "no end, not doubled");
        assert!(scan.look_last(&bytes[..35]), "nothing more will come");
        assert!(scan.look(bytes), "a bare line feed");
        assert!(!scan.look_last(bytes), "it was parsed already");
        scan.reset();
        assert!(scan.look(b"GET"));
        assert!(!scan.look(b"GET /"));
        assert!(scan.look(b"GET / "), "doubled");
        scan.reset();
        let line = b"\r\nGET / HTTP/5.6\r\n";
        let due: Vec<_> = (1..=line.len()).filter(|&len| scan.look(&line[..len])).collect();
        assert_eq!(due, [1, 2, 4, 8, 16, 18], "doubled, and the end of the request line");
        let end = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        scan.reset();
        assert!(scan.look(&end[..24]));
        assert!(scan.look(&end[..25]), "the first end of a line since the first look");
        assert!(!scan.look(&end[..26]));
        assert!(scan.look(end), "an empty line, split before its last byte");
        let mut scan = Scan::new(&Limits { head: 10, ..Limits::default() });
        assert!(scan.look(b"GET /ab"));
        assert!(!scan.look(b"GET /abcd"));
        assert!(scan.look(b"GET /abcde"), "the limit");
    }
}
