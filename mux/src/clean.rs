//! The one path that means the same without `//`, `.` and `..`, and where its slashes are.
//!
//! Escapes are left alone: `%2e%2e` is a segment of its own name. Go: `cleanPath` (server.go:2665).

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
    first: [u32; KEPT],
    /// How many there are.
    pub(crate) slashes: usize,
    /// Whether the path is in its clean form.
    pub(crate) clean: bool,
    /// Whether each segment is its own canonical form.
    pub(crate) plain: bool,
}

impl Scan {
    pub(crate) fn new(path: &str) -> Self {
        let bytes = path.as_bytes();
        let mut scan = Self { first: [0; KEPT], slashes: 0, clean: bytes.first() == Some(&b'/'), plain: true };
        for (i, &byte) in bytes.iter().enumerate() {
            match byte {
                b'/' => {
                    if let Some(slot) = scan.first.get_mut(scan.slashes) {
                        *slot = u32::try_from(i).unwrap_or(u32::MAX);
                    }
                    scan.slashes += 1;
                    scan.clean &= is_clean_segment(&bytes[i + 1..]);
                }
                b'%' | b'{' | b'}' => scan.plain = false,
                _ => {}
            }
        }
        scan
    }

    /// Where slash number `n` is in `path`, counted from 0; its length if there are not so many.
    pub(crate) fn slash(&self, path: &str, n: usize) -> usize {
        if n >= self.slashes {
            return path.len();
        }
        match self.first.get(n) {
            Some(&at) if at != u32::MAX => at as usize,
            _ => path.bytes().enumerate().filter(|(_, b)| *b == b'/').nth(n).map_or(path.len(), |(at, _)| at),
        }
    }
}

/// Whether the segment at the start of these bytes may stand in a clean path.
fn is_clean_segment(bytes: &[u8]) -> bool {
    !matches!(bytes, [b'/', ..] | [b'.'] | [b'.', b'/', ..] | [b'.', b'.'] | [b'.', b'.', b'/', ..])
}

/// How many slashes are remembered; those of longer paths are searched for.
const KEPT: usize = 16;
