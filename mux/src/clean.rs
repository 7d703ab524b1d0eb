//! The one path that means the same without `//`, `.` and `..`, and where its slashes are.
//!
//! Escapes are left alone: `%2e%2e` is a segment of its own name. Go: `cleanPath` (server.go:2665).

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

/// Whether [`clean_path`] would change nothing.
pub(crate) fn is_clean(path: &str) -> bool {
    Scan::new(path).clean
}

/// What one pass over a path tells.
pub(crate) struct Scan {
    /// Where the first slashes are.
    first: [u32; MAX_NOTED_SEGMENTS],
    /// How many there are.
    pub(crate) slashes: usize,
    /// Whether the path is in its clean form.
    pub(crate) clean: bool,
    /// Whether each segment is its own canonical form.
    pub(crate) plain: bool,
}

impl Scan {
    /// Reads a path of less than 4 GiB, eight bytes at a time: every request is scanned, and a loop over bytes costs
    /// several times as much.
    ///
    /// Each test of a byte leaves that byte's highest bit, so that a word's findings are the bits of one number. A slash
    /// or dot *behind a slash* is what can make a path unclean (`//`, `/.`): the slashes, moved up by one byte, meet
    /// the slashes and dots. Most such paths are clean all the same (`/.well-known`), so a hit is only a doubt, and the
    /// definition decides. Likewise a `%`, a brace, or anything above `z` is only a doubt that a segment is plain.
    pub(crate) fn new(path: &str) -> Self {
        let bytes = path.as_bytes();
        let mut first = [0; MAX_NOTED_SEGMENTS];
        let (mut slashes, mut at, mut after_slash, mut doubts, mut escapes) = (0, 0, 0, 0, 0);
        let mut read = |word: u64| {
            let dots = slashes_and_dots(word);
            let mut found = slashes_of(dots, word);
            // Little-endian: the byte behind another is the next higher one. The first byte of a word is behind the
            // last of the word before, whose slash is carried over.
            doubts |= ((found << 8) | after_slash) & dots;
            after_slash = found >> 56;
            escapes |= escapes_and_more(word);
            while found != 0 {
                if let Some(slot) = first.get_mut(slashes) {
                    *slot = at + found.trailing_zeros() / 8;
                }
                slashes += 1;
                found &= found - 1; // the lowest bit that is set, taken away
            }
            at += 8;
        };
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            read(u64::from_le_bytes(word.try_into().expect("a chunk of eight bytes")));
        }
        read(last_word(bytes, words.remainder()));
        let clean = path.starts_with('/') && (doubts == 0 || !has_dots_or_gaps(path));
        let plain = escapes == 0 || !needs_canonical(bytes);
        Self { first, slashes, clean, plain }
    }

    /// Where slash number `n` is in `path`, counted from 0; its length if there are not so many.
    pub(crate) fn slash(&self, path: &str, n: usize) -> usize {
        if n >= self.slashes {
            return path.len();
        }
        match self.first.get(n) {
            Some(&at) => at as usize,
            None => path.bytes().enumerate().filter(|(_, b)| *b == b'/').nth(n).map_or(path.len(), |(at, _)| at),
        }
    }

    /// From where to where segment number `n` of `path` goes.
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

/// Whether there is an empty segment before the end, or a `.` or `..` anywhere.
#[cold]
fn has_dots_or_gaps(path: &str) -> bool {
    let mut segments = path.split('/').skip(1).peekable();
    std::iter::from_fn(|| segments.next().map(|segment| (segment, segments.peek().is_none())))
        .any(|(segment, last)| matches!(segment, "." | "..") || (segment.is_empty() && !last))
}

/// The last bytes, which are `rest`, as a word filled up with zeros. Where the text has eight bytes they are read at
/// once and moved down, without a loop over `rest`; zeros are no slashes, dots or escapes.
pub(crate) fn last_word(bytes: &[u8], rest: &[u8]) -> u64 {
    match bytes.last_chunk() {
        Some(_) if rest.is_empty() => 0,
        Some(last) => u64::from_le_bytes(*last) >> (64 - 8 * rest.len()),
        None => rest.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte)),
    }
}

/// The highest bit of every byte that is zero.
///
/// Adding 0x7f to the lower seven bits sets the highest unless they are all zero, and carries nothing into the next
/// byte; the shorter `(word - 0x01…) & !word` borrows, and takes a 1 behind a 0 for another 0.
fn zeros(word: u64) -> u64 {
    !(((word & LOW_BITS) + LOW_BITS) | word) & HIGH_BITS
}

/// `/` is `.` with the lowest bit set, so one comparison finds both.
fn slashes_and_dots(word: u64) -> u64 {
    zeros((word | each(1)) ^ each(b'/'))
}

/// Of those, the ones whose lowest bit is set: moved up by seven it is the highest bit of the same byte.
fn slashes_of(slashes_and_dots: u64, word: u64) -> u64 {
    slashes_and_dots & (word << 7)
}

/// Every `%`, and all that is not below `{`: both braces, and letters that are not ASCII. Adding `0x80 - '{'` carries
/// into the highest bit of every byte from `{` on, as in [`zeros`] not beyond it.
fn escapes_and_more(word: u64) -> u64 {
    zeros(word ^ each(b'%')) | (((word & LOW_BITS) + each(0x80 - b'{')) | word) & HIGH_BITS
}

const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

const LOW_BITS: u64 = each(0x7f);
const HIGH_BITS: u64 = each(0x80);

/// How many slashes are remembered; those of longer paths are searched for.
const MAX_NOTED_SEGMENTS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// All texts of up to five of these, behind up to nine letters, so that they lie across words in every way.
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
    fn one_pass_tells_what_several_would() {
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
    fn slashes_that_are_not_remembered_are_searched_for() {
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
