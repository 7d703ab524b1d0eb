//! The `Location` of a redirect.

use std::fmt::Write as _;

use crate::{clean::clean_path, escape::is_escaped_well};

/// The value of `Location` for a redirect to `url` from a request for `path`, both escaped.
///
/// A `url` with a scheme or a host keeps its path. Any other `url` is resolved against the directory of `path` and
/// cleaned; its query and fragment stay. Controls, spaces, backslashes and bytes that are not ASCII are escaped.
///
/// A redirect to a `url` without a host stays on the site in every browser. Browsers read `\` as `/`, remove tabs and
/// line ends, and skip slashes before a host; none of these bytes can turn a path into a host here.
///
/// # Spec
/// RFC 9110 §10.2.2 allows a relative `Location`; the URL Standard says how browsers read one. Go: `http.Redirect`
/// (server.go:2439). Go also cleans a fragment that has no query before it, sends backslashes and spaces as they are,
/// and does not clean a path with a malformed escape: there `/\evil.example` and `///evil.example/%zz` lead to another
/// site.
#[must_use]
pub fn redirect_location(path: &str, url: &str) -> String {
    let (target, rest) = url.split_at(url.find(['?', '#']).unwrap_or(url.len()));
    if has_scheme(target) || has_host(target) {
        return sendable(url);
    }
    if target.starts_with('/') {
        return sendable(&(clean_path(target) + rest));
    }
    // A malformed `url` is sent unresolved. It has neither a slash at its start nor a scheme, so it stays on the site.
    if !is_escaped_well(target) || !rest.split_once('#').is_none_or(|(_, fragment)| is_escaped_well(fragment)) {
        return sendable(url);
    }
    let directory = path.rfind('/').map_or("/", |slash| &path[..=slash]);
    sendable(&(clean_path(&(directory.to_owned() + target)) + rest))
}

/// Whether the first segment has a colon. The text before the colon is a scheme, or the reference cannot be resolved.
fn has_scheme(target: &str) -> bool {
    target.split('/').next().is_some_and(|first| first.contains(':'))
}

/// Whether a reference begins with `//host`. In `///` the host is empty, which is no host.
fn has_host(target: &str) -> bool {
    let Some(authority) = target.strip_prefix("//").and_then(|rest| rest.split('/').next()) else { return false };
    !authority.rsplit('@').next().unwrap_or("").is_empty()
}

/// A reference as it is sent: visible ASCII without backslashes, all other bytes escaped. Go escapes only bytes that
/// are not ASCII, also with lower-case digits.
pub(crate) fn sendable(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for byte in url.bytes() {
        match byte {
            b'\\' => out.push_str("%5C"),
            b'!'..=b'~' => out.push(char::from(byte)),
            byte => write!(out, "%{byte:02x}").expect("a string takes any text"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::redirect_location;

    #[test]
    fn a_location_is_resolved_against_the_requests_directory() {
        for (path, url, location) in [
            ("/qux/", "/", "/"),
            ("/qux/", "", "/qux/"),
            ("/qux/", ".", "/qux"),
            ("/qux/x", "", "/qux/"),
            ("/qux/x", "foo", "/qux/foo"),
            ("/qux/x", "./foo/", "/qux/foo/"),
            ("/qux/x", "../foo", "/foo"),
            ("/qux/x", "../../..", "/"),
            ("/qux/x", "/foo//bar/../", "/foo/"),
            ("/qux/x", "?a=b/../c", "/qux/?a=b/../c"),
            ("/qux/x", "/foo?x=http://y/", "/foo?x=http://y/"),
            ("/qux/x", "#a/../b", "/qux/#a/../b"),
            ("/q%2Fx/y", "z", "/q%2Fx/z"),
            ("", "z", "/z"),
            ("*", "z", "/z"),
            ("/x", "/%2e%2e/é", "/%2e%2e/%c3%a9"),
        ] {
            assert_eq!(redirect_location(path, url), location, "from {path:?} to {url:?}");
        }
    }

    #[test]
    fn a_location_with_a_host_or_a_malformed_escape_stays() {
        for url in [
            "http://h.example/a/../b",
            "//h.example/a/../b",
            "//u@h/../",
            "mailto:a@b",
            "a:b/../c",
            "a%zz/../b",
            "#%zz",
            "h:80",
        ] {
            assert_eq!(redirect_location("/x/y", url), url);
        }
        for (url, location) in
            [("///h/a", "/h/a"), ("//", "/"), ("//u@/a", "/u@/a"), ("/a:b", "/a:b"), ("./a:b", "/x/a:b")]
        {
            assert_eq!(redirect_location("/x/y", url), location);
        }
    }

    #[test]
    fn a_location_is_always_a_field_value() {
        assert_eq!(redirect_location("/", "/a\r\nset-cookie: x"), "/a%0d%0aset-cookie:%20x");
        assert_eq!(redirect_location("/", "http://h/é\0"), "http://h/%c3%a9%00");
    }

    #[test]
    fn a_location_with_backslashes_never_leaves_the_site() {
        for (url, location) in [
            ("\\\\evil.example", "/x/%5C%5Cevil.example"),
            ("/\\evil.example", "/%5Cevil.example"),
            ("\\/evil.example", "/x/%5C/evil.example"),
            ("/\\/evil.example/%zz", "/%5C/evil.example/%zz"),
            ("\\\\evil.example:80/%zz", "%5C%5Cevil.example:80/%zz"),
            ("///evil.example", "/evil.example"),
            ("///evil.example/%zz", "/evil.example/%zz"),
            ("////evil.example/%zz?q", "/evil.example/%zz?q"),
            ("/.//evil.example/%zz", "/evil.example/%zz"),
            ("/\t/evil.example", "/%09/evil.example"),
            ("/\n/evil.example", "/%0a/evil.example"),
            ("\t//evil.example", "/x/%09/evil.example"),
            (" //evil.example", "/x/%20/evil.example"),
            (" http://evil.example", "%20http://evil.example"),
            ("\x01javascript:a", "%01javascript:a"),
            ("/a?b=\\c#\\d", "/a?b=%5Cc#%5Cd"),
            ("http://h\\@evil.example", "http://h%5C@evil.example"),
        ] {
            assert_eq!(redirect_location("/x/y", url), location, "{url:?}");
        }
    }
}
