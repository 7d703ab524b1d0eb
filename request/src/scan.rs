//! When it is worth parsing a head again: so that one that drips in byte by byte costs no more than its length.

use crate::Limits;

/// How far a growing buffer was searched, and when it was parsed last.
///
/// A parser that starts over at every read needs time in the square of the head: 64 KiB in single bytes are two
/// billion steps, the cheapest way to keep a server busy. This searches each byte once, and says "parse" only if the
/// answer can be another one than last time:
///
/// * at the first look: the usual head is all there, and searching it beforehand would be wasted;
/// * when an empty line came, which ends a head;
/// * when a LF without CR came, which is refused at once;
/// * when the buffer doubled since it was parsed: rubbish is refused early, and the sum of all parses stays linear;
/// * when the limit of a head is reached.
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
    limit: usize,
    searched: usize,
    parsed: usize,
}

impl Scan {
    /// Nothing searched yet.
    pub fn new(limits: &Limits) -> Self {
        Self { limit: limits.head, searched: 0, parsed: 0 }
    }

    /// Whether to parse `bytes` now, which start as they did at the last look and may have grown. If so, and the
    /// parser says "not yet", look again when more came; after a head, [`reset`](Self::reset).
    #[inline]
    pub fn look(&mut self, bytes: &[u8]) -> bool {
        let due = self.parsed == 0 || self.is_due(bytes);
        self.searched = bytes.len();
        if due {
            self.parsed = bytes.len();
        }
        due && !bytes.is_empty()
    }

    /// Starts over for the next head.
    #[inline]
    pub fn reset(&mut self) {
        self.searched = 0;
        self.parsed = 0;
    }

    #[cold]
    fn is_due(&self, bytes: &[u8]) -> bool {
        if bytes.len() <= self.searched {
            return false;
        }
        if bytes.len() >= 2 * self.parsed || bytes.len() >= self.limit {
            return true;
        }
        // A line feed among the new bytes needs a CR before it, and must not end an empty line.
        let new = self.searched.min(bytes.len());
        bytes[new..].iter().enumerate().filter(|(_, byte)| **byte == b'\n').any(|(i, _)| {
            let before = &bytes[..new + i];
            !before.ends_with(b"\r") || before.ends_with(b"\r\n\r")
        })
    }
}

impl Default for Scan {
    fn default() -> Self {
        Self::new(&Limits::default())
    }
}
