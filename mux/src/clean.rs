//! The clean form of a path, without `//`, `.` and `..`, and the offsets of a path's slashes.
//!
//! Escapes stay as they are: `%2e%2e` is a segment like any other. Go: `cleanPath` (server.go:2665).

use crate::escape::needs_canonical;

/// The clean form of a path: no empty, `.` or `..` segment, a leading slash, and the trailing slash it had.
#[must_use]
pub fn clean_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 1);
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => out.truncate(out.rfind('/').unwrap_or(0)),
            segment => {
                out.push('/');
                out.push_str(segment);
            }
        }
    }
    if path.ends_with('/') || out.is_empty() {
        out.push('/');
    }
    out
}

/// Whether [`clean_path`] would return the path unchanged.
pub(crate) fn is_clean(path: &str) -> bool {
    Scan::new(path).clean
}

/// The result of one pass over a path: where its slashes are, and whether it is clean and plain.
pub(crate) struct Scan {
    /// The offsets of the first slashes, in bytes.
    first: [u32; MAX_NOTED_SEGMENTS],
    /// The number of slashes.
    pub(crate) slashes: usize,
    /// Whether the path is in its clean form.
    pub(crate) clean: bool,
    /// Whether each segment is its own canonical form.
    pub(crate) plain: bool,
}

impl Scan {
    /// Reads a path of less than 4 GiB, eight bytes at a time. Every request is scanned, and a loop over single bytes
    /// costs several times as much.
    ///
    /// A test of a word sets the highest bit of each byte that passes. A path can only be unclean if a slash or dot
    /// follows a slash (`//`, `/.`). To find those bytes, the bits of the slashes are shifted up by one byte and
    /// compared with the bits of slashes and dots. Most of such paths are clean all the same (`/.well-known`), so after
    /// a hit the slow check `has_dots_or_gaps` decides. Likewise a `%`, or any byte above `z`, only means that the slow
    /// check `needs_canonical` decides whether the path is plain.
    pub(crate) fn new(path: &str) -> Self {
        let bytes = path.as_bytes();
        let mut first = [0; MAX_NOTED_SEGMENTS];
        let (mut slashes, mut at, mut after_slash, mut doubts, mut escapes) = (0, 0, 0, 0, 0);
        let mut read = |word: u64| {
            let dots = slashes_and_dots(word);
            let mut found = slashes_of(dots, word);
            // The words are little-endian, so the next byte of the path is the next higher byte of the word. The first
            // byte of a word follows the last byte of the word before: `after_slash` carries that byte's bit over.
            doubts |= ((found << 8) | after_slash) & dots;
            after_slash = found >> 56;
            escapes |= escapes_and_more(word);
            while found != 0 {
                if let Some(slot) = first.get_mut(slashes) {
                    *slot = at + found.trailing_zeros() / 8;
                }
                slashes += 1;
                found &= found - 1; // clears the lowest bit that is set
            }
            at += 8;
        };
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            read(u64::from_le_bytes(word.try_into().expect("a chunk of eight bytes")));
        }
        read(last_word(bytes, words.remainder()));
        // The slow checks run only where the bits leave a doubt: most paths pay for neither.
        let clean = path.starts_with('/') && (doubts == 0 || !has_dots_or_gaps(path));
        let plain = escapes == 0 || !needs_canonical(bytes);
        Self { first, slashes, clean, plain }
    }

    /// The offset of slash number `n` in `path`, counted from 0; the path's length if it has not so many slashes.
    pub(crate) fn slash(&self, path: &str, n: usize) -> usize {
        if n >= self.slashes {
            return path.len();
        }
        match self.first.get(n) {
            Some(&at) => at as usize,
            // The scan keeps no list on the heap, so the slashes of a longer path are searched for again.
            None => path.bytes().enumerate().filter(|(_, b)| *b == b'/').nth(n).map_or(path.len(), |(at, _)| at),
        }
    }

    /// The start and the end of segment number `n` of `path`, as offsets in bytes.
    pub(crate) fn span(&self, path: &str, n: usize) -> (u32, u32) {
        match self.first.get(n..n + 2) {
            Some(&[from, to]) if n + 1 < self.slashes => (from + 1, to),
            _ => (to_u32(self.slash(path, n)) + 1, to_u32(self.slash(path, n + 1))),
        }
    }

    /// Segment number `n` of `path`.
    pub(crate) fn segment<'a>(&self, path: &'a str, n: usize) -> &'a [u8] {
        let (from, to) = self.span(path, n);
        path.as_bytes().get(from as usize..to as usize).unwrap_or_default()
    }
}

/// An offset in a path of less than 4 GiB.
pub(crate) fn to_u32(at: usize) -> u32 {
    u32::try_from(at).expect("a path shorter than 4 GiB")
}

/// Whether a path has an empty segment before its end, or a segment `.` or `..` anywhere.
#[cold]
fn has_dots_or_gaps(path: &str) -> bool {
    let mut segments = path.split('/').skip(1).peekable();
    std::iter::from_fn(|| segments.next().map(|segment| (segment, segments.peek().is_none())))
        .any(|(segment, last)| matches!(segment, "." | "..") || (segment.is_empty() && !last))
}

/// The bytes of `rest`, which are the last ones of `bytes`, as a word padded with zeros.
///
/// If the text has eight bytes, its last eight are read at once and shifted down, without a loop over `rest`. The zeros
/// do no harm: a zero byte is no slash, dot or escape.
pub(crate) fn last_word(bytes: &[u8], rest: &[u8]) -> u64 {
    match bytes.last_chunk() {
        Some(_) if rest.is_empty() => 0,
        Some(last) => u64::from_le_bytes(*last) >> (64 - 8 * rest.len()),
        None => rest.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte)),
    }
}

/// A word with the highest bit set of each byte that is zero in `word`.
///
/// Adding 0x7f to the lower seven bits of a byte sets its highest bit unless they are all zero, and never carries into
/// the next byte. The shorter `(word - 0x01…) & !word` borrows from the next byte: it reports a 1 that follows a 0 as
/// another 0.
fn zeros(word: u64) -> u64 {
    !(((word & LOW_BITS) + LOW_BITS) | word) & HIGH_BITS
}

/// The slashes and dots of a word. `/` (0x2f) is `.` (0x2e) with the lowest bit set, so one comparison finds both.
fn slashes_and_dots(word: u64) -> u64 {
    zeros((word | each(1)) ^ each(b'/'))
}

/// The slashes among the slashes and dots: those with the lowest bit set, which a shift by seven makes the highest bit
/// of the same byte.
fn slashes_of(slashes_and_dots: u64, word: u64) -> u64 {
    slashes_and_dots & (word << 7)
}

/// Each `%`, and each byte from `{` on: both braces, and bytes that are not ASCII. Adding `0x80 - '{'` sets the highest
/// bit of each byte from `{` on; as in [`zeros`], nothing is carried into the next byte.
fn escapes_and_more(word: u64) -> u64 {
    zeros(word ^ each(b'%')) | (((word & LOW_BITS) + each(0x80 - b'{')) | word) & HIGH_BITS
}

const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

const LOW_BITS: u64 = each(0x7f);
const HIGH_BITS: u64 = each(0x80);

/// How many slashes a [`Scan`] records; the others of a longer path are searched for.
const MAX_NOTED_SEGMENTS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// All texts of up to five of these pieces, behind up to nine letters, so that each piece lies at every place of a
    /// word and across two words.
    fn texts() -> impl Iterator<Item = String> {
        let mut texts = vec![String::new()];
        let mut from = 0;
        for _ in 0..5 {
            let to = texts.len();
            for text in from..to {
                texts.extend(["/", ".", "a", "%", "}", "é"].map(|c| texts[text].clone() + c));
            }
            from = to;
        }
        (0..10).flat_map(move |before| {
            texts.clone().into_iter().map(move |text| format!("/{}{text}", &"aaaaaaaaa"[..before]))
        })
    }

    #[test]
    fn a_scan_agrees_with_the_definitions_of_clean_and_slashes() {
        for text in texts() {
            let scan = Scan::new(&text);
            let slashes: Vec<usize> = text.match_indices('/').map(|(at, _)| at).collect();
            assert_eq!(scan.slashes, slashes.len(), "{text:?}");
            for (n, at) in slashes.iter().enumerate() {
                assert_eq!(scan.slash(&text, n), *at, "{text:?}");
                let end = slashes.get(n + 1).copied().unwrap_or(text.len());
                assert_eq!(scan.segment(&text, n), &text.as_bytes()[at + 1..end], "{text:?}");
            }
            assert_eq!(scan.clean, clean_path(&text) == text, "{text:?}");
            assert_eq!(scan.plain, !text.contains(['%', '{', '}']), "{text:?}");
        }
    }

    #[test]
    fn slashes_beyond_the_sixteenth_are_found() {
        let path = "/abc".repeat(40) + "/";
        let scan = Scan::new(&path);
        assert!((scan.clean, scan.plain, scan.slashes) == (true, true, 41));
        for n in 0..40 {
            assert_eq!(scan.span(&path, n), (to_u32(4 * n + 1), to_u32(4 * n + 4)));
        }
        assert_eq!(scan.slash(&path, 40), 160);
        assert_eq!(scan.slash(&path, 41), path.len());
    }

    #[test]
    fn a_path_without_a_leading_slash_is_not_clean() {
        for path in ["", "a", "*", "a/b"] {
            assert!(!Scan::new(path).clean, "{path:?}");
        }
    }
}
