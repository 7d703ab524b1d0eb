//! The path of a file beneath a root.

use std::fmt;

use http::StatusCode;
use quintet_request::percent_decode;

/// The most bytes of one part: what the file systems of Linux, macOS and Windows allow.
const MAX_PART_BYTES: usize = 255;

/// The most bytes of a path: one less than Linux's `PATH_MAX`, which counts a final NUL.
const MAX_PATH_BYTES: usize = 4095;

/// The path of a file or a directory beneath a root: parts of raw bytes, joined by `/`. Go: the argument of `fs.FS.Open`.
///
/// The root itself is the empty path. A part is never empty, `.` or `..`, and has neither a slash, a backslash nor a NUL,
/// so that a path means the same on every system and none leads out of the root.
///
/// # Example
/// ```
/// use quintet_mux::FilePath;
///
/// let path = FilePath::from_url("/img/../caf%C3%A9.txt")?;
/// assert_eq!(path.as_bytes(), "café.txt".as_bytes());
/// assert!(FilePath::from_url("/%2e%2e/etc%2Fpasswd").is_err());
/// # Ok::<(), quintet_mux::FilePathError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FilePath(Vec<u8>);

impl FilePath {
    /// The file that the path of a URL names. Each segment is percent-decoded by itself. Then empty segments and `.` are
    /// left out, and `..` takes back the segment before it, but never the root. Go: `path.Clean` in `FileServer`.
    ///
    /// # Errors
    /// [`FilePathError`] (404) if no file can have this name. An encoded slash is one reason: it is no separator.
    pub fn from_url(path: &str) -> Result<Self, FilePathError> {
        let mut bytes = Vec::with_capacity(path.len());
        for segment in path.split('/') {
            match &*percent_decode(segment.as_bytes()) {
                b"" | b"." => {}
                b".." => bytes.truncate(bytes.iter().rposition(|byte| *byte == b'/').unwrap_or(0)),
                part => push(&mut bytes, part)?,
            }
        }
        Ok(Self(bytes))
    }

    /// The file with this name, which has no percent escapes. Slashes separate its parts; those at its start and its end
    /// are left out.
    ///
    /// # Errors
    /// [`FilePathError`] if no file can have this name, or a part is `.`, `..` or empty. Go: `fs.ValidPath`.
    pub fn new(name: impl AsRef<[u8]>) -> Result<Self, FilePathError> {
        let mut name = name.as_ref();
        while let [b'/', rest @ ..] | [rest @ .., b'/'] = name {
            name = rest;
        }
        let mut bytes = Vec::with_capacity(name.len());
        if name.is_empty() {
            return Ok(Self(bytes));
        }
        for part in name.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." | b".." => return Err(FilePathError::Dots),
                part => push(&mut bytes, part)?,
            }
        }
        Ok(Self(bytes))
    }

    /// The parts, joined by `/`; empty for the root.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The last part: the name of the file in its directory; empty for the root. Go: `path.Base`.
    #[must_use]
    pub fn file_name(&self) -> &[u8] {
        self.0.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a part begins with a dot. `.well-known` as first part does not count: it is there to be served (RFC 8615).
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        let rest = match &*self.0 {
            b".well-known" => return false,
            all => all.strip_prefix(b".well-known/").unwrap_or(all),
        };
        rest.split(|byte| *byte == b'/').any(|part| part.starts_with(b"."))
    }

    /// The file of this name in this directory.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn join(&self, name: impl AsRef<[u8]>) -> Result<Self, FilePathError> {
        let mut joined = self.clone();
        for part in Self::new(name)?.0.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            push(&mut joined.0, part)?;
        }
        Ok(joined)
    }

    /// The file beside this one whose name is longer by this ending; `None` if no file can have that name.
    pub(super) fn with_ending(&self, ending: &str) -> Option<Self> {
        Self::new([&*self.0, ending.as_bytes()].concat()).ok().filter(|_| !self.is_root())
    }
}

/// Adds a part, with a slash before it if it is not the first.
fn push(bytes: &mut Vec<u8>, part: &[u8]) -> Result<(), FilePathError> {
    if part.iter().any(|byte| matches!(byte, 0 | b'/' | b'\\')) {
        return Err(FilePathError::Byte);
    }
    if part.len() > MAX_PART_BYTES || bytes.len() + part.len() >= MAX_PATH_BYTES {
        return Err(FilePathError::TooLong);
    }
    if !bytes.is_empty() {
        bytes.push(b'/');
    }
    bytes.extend_from_slice(part);
    Ok(())
}

impl fmt::Debug for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FilePath(\"{}\")", self.0.escape_ascii())
    }
}

/// The reason why no file can have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilePathError {
    /// It has a NUL, a backslash, or a slash inside a part.
    #[error("a file name with a NUL, a slash or a backslash")]
    Byte,
    /// A part is `.`, `..` or empty.
    #[error("a file name with an empty part, `.` or `..`")]
    Dots,
    /// A part has more than 255 bytes, or the whole more than 4,095.
    #[error("a file name is too long")]
    TooLong,
}

impl FilePathError {
    /// The status to answer: 404.
    #[must_use]
    pub fn status(self) -> StatusCode {
        StatusCode::NOT_FOUND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_path_is_decoded_by_segments_and_cleaned() {
        for (path, name) in [
            ("/", &b""[..]),
            ("", b""),
            ("/foo.txt", b"foo.txt"),
            ("foo.txt", b"foo.txt"),
            ("//foo.txt", b"foo.txt"),
            ("/../foo.txt", b"foo.txt"),
            ("/../../../etc/passwd", b"etc/passwd"),
            ("/a/./b//c/", b"a/b/c"),
            ("/a/b/../../c", b"c"),
            ("/ab/cd/..", b"ab"),
            ("/%2e%2e/%2E%2E/x", b"x"),
            ("/a%20b", b"a b"),
            ("/%ff%C3%28", b"\xff\xc3("),
            ("/...", b"..."),
            ("/100%25", b"100%"),
        ] {
            assert_eq!(FilePath::from_url(path).unwrap().as_bytes(), name, "{path}");
        }
    }

    #[test]
    fn a_name_that_no_file_can_have_is_an_error() {
        let part = |length| "x".repeat(length);
        for (path, error) in [
            ("/a%2Fb".to_owned(), FilePathError::Byte),
            ("/..%2fetc%2fpasswd".to_owned(), FilePathError::Byte),
            ("/a%00.txt".to_owned(), FilePathError::Byte),
            ("/..%5Cx".to_owned(), FilePathError::Byte),
            ("/a\\b".to_owned(), FilePathError::Byte),
            (format!("/{}", part(256)), FilePathError::TooLong),
            (format!("/{}", part(255) + "/").repeat(17), FilePathError::TooLong),
        ] {
            assert_eq!(FilePath::from_url(&path).unwrap_err(), error, "{path}");
            assert_eq!(error.status(), 404);
        }
        assert!(FilePath::from_url(&part(255)).is_ok());
        assert_eq!(FilePath::from_url(&(part(254) + "/").repeat(16)).unwrap().as_bytes().len(), 16 * 255 - 1);
    }

    #[test]
    fn a_file_name_without_escapes_has_no_dots() {
        for name in ["..", "../x", "a/../b", "a//b", "./a", "a/."] {
            assert_eq!(FilePath::new(name), Err(FilePathError::Dots), "{name}");
        }
        assert_eq!(FilePath::new("/a/b.txt/").unwrap().as_bytes(), b"a/b.txt");
        assert_eq!(FilePath::new("%2e").unwrap().as_bytes(), b"%2e");
        let path = FilePath::new("a/b").unwrap();
        assert_eq!(path.join("c.txt").unwrap().as_bytes(), b"a/b/c.txt");
        assert_eq!(path.join("..").unwrap_err(), FilePathError::Dots);
        assert_eq!(path.with_ending(".br").unwrap().as_bytes(), b"a/b.br");
        assert_eq!(FilePath::new("").unwrap().with_ending(".br"), None);
        assert_eq!(FilePath::new("").unwrap().join("a").unwrap().as_bytes(), b"a");
        assert_eq!(path.file_name(), b"b");
    }

    #[test]
    fn dotfiles_are_hidden_but_well_known_is_not() {
        for (name, hidden) in [
            ("", false),
            ("a.b", false),
            (".git", true),
            ("a/.env", true),
            (".git/config", true),
            (".well-known", false),
            (".well-known/acme-challenge/x", false),
            (".well-known/.x", true),
            (".well-known.txt", true),
            ("a/.well-known/x", true),
        ] {
            assert_eq!(FilePath::new(name).unwrap().is_hidden(), hidden, "{name}");
        }
    }
}
