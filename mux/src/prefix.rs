//! Removal of a prefix from a path.

use percent_encoding::percent_decode_str;

/// The part of `path` after `prefix`, or `None` if `path` does not begin with `prefix`.
///
/// Both are escaped paths. They are compared after decoding, except that `%2F` does not equal a slash. Go's
/// `StripPrefix` compares both the decoded and the raw path with the prefix. So it refuses `/%61/x` for the prefix
/// `/a`, although Go's mux matches that path with `/a/`.
#[must_use]
pub fn strip_path_prefix<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    if let Some(rest) = path.strip_prefix(prefix) {
        return Some(rest);
    }
    let mut units = units(path);
    for wanted in self::units(prefix) {
        if units.next()?.0 != wanted.0 {
            return None;
        }
    }
    // `get` and not an index: a prefix that ends in an escape may end within a character of `path`.
    path.get(units.next().map_or(path.len(), |(_, at)| at)..)
}

/// Whether the rest of a path begins with a segment `.` or `..`, decoded, also if only readers that take `%2F` or a backslash
/// for a slash see one.
#[cfg(any(feature = "io", test))]
pub(crate) fn begins_with_dots(rest: &str) -> bool {
    let segment = rest.split('/').next().unwrap_or_default();
    let decoded: Vec<u8> = percent_decode_str(segment).take_while(|byte| !matches!(byte, b'/' | b'\\')).collect();
    matches!(&*decoded, b"." | b"..")
}

/// The units of a path with their offsets: each byte, and each escape as the byte that it stands for.
fn units(path: &str) -> impl Iterator<Item = (u16, usize)> {
    // No byte has this value, so an escaped slash equals an escaped slash and nothing else.
    const ESCAPED_SLASH: u16 = 0x100;
    let mut at = 0;
    std::iter::from_fn(move || {
        let here = at;
        let escape = path.as_bytes().get(at..at + 3).filter(|escape| is_escape(escape));
        let (unit, len) = match escape {
            Some([b'%', b'2', b'F' | b'f']) => (ESCAPED_SLASH, 3),
            Some(_) => (percent_decode_str(&path[at..at + 3]).next()?.into(), 3),
            None => ((*path.as_bytes().get(at)?).into(), 1),
        };
        at += len;
        Some((unit, here))
    })
}

fn is_escape(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::{begins_with_dots, strip_path_prefix};

    #[test]
    fn a_prefix_is_compared_decoded_except_for_escaped_slashes() {
        for (path, prefix, rest) in [
            ("/a/b", "", Some("/a/b")),
            ("/a/b", "/a", Some("/b")),
            ("/a/b", "/a/", Some("b")),
            ("/a", "/a", Some("")),
            ("/ab", "/a", Some("b")),
            ("/b", "/a", None),
            ("/", "/a", None),
            ("/%61/b", "/a", Some("/b")),
            ("/a/%2Fb", "/a", Some("/%2Fb")),
            ("/a%20b/c", "/a%20b", Some("/c")),
            ("/a%20b/c", "/a b", Some("/c")),
            ("/a%2Fb/c", "/a/b", None),
            ("/a%2fb/c", "/a%2Fb", Some("/c")),
            ("/a/b/c", "/a%2Fb", None),
            ("/%c3%a9/c", "/é", Some("/c")),
            ("/%C3%A9/c", "/%c3", Some("%A9/c")),
            ("/%zz", "/%z", Some("z")),
        ] {
            assert_eq!(strip_path_prefix(path, prefix), rest, "{path} without {prefix}");
        }
    }

    #[test]
    fn dots_at_the_begin_of_a_rest_are_found_in_each_spelling() {
        for (rest, has_dots) in [
            ("..", true),
            (".", true),
            ("../x", true),
            ("./x", true),
            ("%2e%2E/x", true),
            (".%2e", true),
            ("..%2fx", true),
            ("..\\x", true),
            ("..%5cx", true),
            ("", false),
            ("/../x", false),
            ("...", false),
            ("..x", false),
            (".well-known/x", false),
            ("x/..", false),
            ("%252e%252e", false),
        ] {
            assert_eq!(begins_with_dots(rest), has_dots, "{rest}");
        }
    }

    #[test]
    fn a_prefix_that_ends_inside_a_character_does_not_split_it() {
        assert_eq!(strip_path_prefix("/é", "/%c3"), None);
    }
}
