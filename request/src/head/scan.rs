//! When it is worth parsing a head again: so that one that drips in byte by byte costs no more than its length.

use crate::Limits;

/// How far a growing buffer was searched, and when it was parsed last.
///
/// A parser that starts over at every read needs time in the square of the head: 64 KiB in single bytes are two
/// billion steps, the cheapest way to keep a server busy. This searches each byte once, and says "parse" only if the
/// answer can be another one than last time:
///
/// * at the first look: the usual head is all there, and searching it beforehand would be wasted;
/// * when the request line ended: most of what is no head at all is refused there;
/// * when an empty line came, which ends a head;
/// * when a LF without CR came, which is refused at once;
/// * when the buffer doubled since it was parsed: rubbish is refused early, and the sum of all parses stays linear;
/// * when the limit of a head is reached;
/// * when nothing more will come ([`look_last`](Self::look_last)): a head that is wrong is refused with the same error
///   in however many pieces it came, and is not merely called unfinished.
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
    // In four bytes each, as there is one for each connection. A head is no longer than 4 GiB.
    limit: u32,
    searched: u32,
    parsed: u32,
    /// Whether the end of the request line was seen among the searched bytes.
    line: bool,
}

impl Scan {
    /// Nothing searched yet.
    pub fn new(limits: &Limits) -> Self {
        Self { limit: length(limits.head), searched: 0, parsed: 0, line: false }
    }

    /// Whether to parse `bytes` now, which start as they did at the last look and may have grown. If so, and the
    /// parser says "not yet", look again when more came; after a head, [`reset`](Self::reset).
    #[inline]
    pub fn look(&mut self, bytes: &[u8]) -> bool {
        let due = self.parsed == 0 || self.is_due(bytes);
        self.searched = length(bytes.len());
        if due {
            self.parsed = self.searched;
        }
        due && !bytes.is_empty()
    }

    /// Whether to parse `bytes` once more when none will follow: the client sent FIN, or is out of time. It is if some
    /// came after the last parse. Only if the parser says "not yet" again, the head is unfinished and nothing worse.
    #[inline]
    pub fn look_last(&self, bytes: &[u8]) -> bool {
        bytes.len() > self.parsed as usize
    }

    /// Starts over for the next head.
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
        // A line feed among the new bytes needs a CR before it, must not end an empty line, and is worth a look if it
        // is the first one, but for that of the empty line that may come before a request.
        let mut ends =
            bytes[new..].iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(i, _)| &bytes[..new + i]);
        ends.any(|before| {
            let first = before.len() > 1 && !std::mem::replace(&mut self.line, true);
            first || !before.ends_with(b"\r") || before.ends_with(b"\r\n\r")
        })
    }
}

/// A number of bytes; more than 4 GiB are as many.
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

    /// Feeds `bytes` one by one: the bytes that were parsed in sum, and what came of it.
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
            // Doubling looks sum to twice the last of them, which is shorter than the head; then the head itself.
            assert!(parsed <= 4 * head.len(), "{parsed} bytes parsed of {}", head.len());
        }
    }

    #[test]
    fn a_head_that_never_ends_costs_as_little_and_is_refused_at_its_limit() {
        let limits = Limits { fields: 1_000_000, ..Limits::default() };
        let (parsed, outcome) = dribble(&head(10_000), &limits);
        assert_eq!(outcome, Err(HeadError::TooLong { at: 65_536 }));
        assert!(parsed <= 4 * 65_536, "{parsed}");
    }

    #[test]
    fn it_is_worth_a_look_when_something_can_be_decided() {
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
