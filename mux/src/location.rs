//! Where a redirect leads, written so that it can be sent.

use std::fmt::Write as _;

use crate::{clean::clean_path, escape::is_escaped_well};

/// The `Location` for a redirect to `url` from a request for `path`, both escaped.
///
/// A `url` with a scheme or a host stays as it is. Any other is resolved against the directory of `path` and cleaned;
/// its query and fragment stay. Controls and bytes that are not ASCII are escaped.
///
/// # Spec
/// RFC 9110 §10.2.2 allows a relative `Location`. Go: `http.Redirect` (server.go:2439), which also cleans a fragment
/// that has no query before it.
#[must_use]
pub fn redirect_location(path: &str, url: &str) -> String {
    if !is_relative(url) {
        return sendable(url);
    }
    let (target, rest) = url.split_at(url.find(['?', '#']).unwrap_or(url.len()));
    let directory = path.rfind('/').map_or("/", |slash| &path[..=slash]);
    let target =
        if target.starts_with('/') { clean_path(target) } else { clean_path(&(directory.to_owned() + target)) };
    sendable(&(target + rest))
}

/// Whether this is a reference to a path, a query or a fragment of the same host, and well escaped.
fn is_relative(url: &str) -> bool {
    let (rest, fragment) = url.split_once('#').unwrap_or((url, ""));
    let path = rest.split('?').next().unwrap_or("");
    // What has a colon in its first segment is a scheme, or nothing that could be resolved.
    let has_scheme = path.split('/').next().is_some_and(|first| first.contains(':'));
    !has_scheme && !has_host(path) && is_escaped_well(path) && is_escaped_well(fragment)
}

/// Whether this begins with `//host`; the third of three slashes ends an empty host.
fn has_host(path: &str) -> bool {
    let Some(authority) = path.strip_prefix("//").and_then(|rest| rest.split('/').next()) else { return false };
    !authority.rsplit('@').next().unwrap_or("").is_empty()
}

fn sendable(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for byte in url.bytes() {
        match byte {
            b' '..=b'~' => out.push(char::from(byte)),
            byte => write!(out, "%{byte:02x}").expect("a string takes any text"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::redirect_location;

    #[test]
    fn a_redirect_is_resolved_against_the_directory_of_the_request() {
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
    fn what_names_a_host_or_cannot_be_resolved_stays() {
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
        assert_eq!(redirect_location("/", "/a\r\nset-cookie: x"), "/a%0d%0aset-cookie: x");
        assert_eq!(redirect_location("/", "http://h/é\0"), "http://h/%c3%a9%00");
    }
}
