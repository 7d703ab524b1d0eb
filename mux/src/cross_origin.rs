//! Rules against cross-site request forgery (CSRF): which requests from other sites a server accepts.
//!
//! A browser adds a user's cookies to each request, also to one that a page of another site makes it send. The browser
//! names the site the request comes from: in `Sec-Fetch-Site` (all browsers since 2023) or at least in `Origin`. Go:
//! `http.CrossOriginProtection` (csrf.go).

use std::{collections::HashSet, fmt};

use crate::{Found, InsertError, Mux, host};

/// The rules that accept or refuse a request by the site it comes from, with the origins and patterns that are exempt.
///
/// GET, HEAD and OPTIONS pass, because they change nothing (RFC 9110 §9.2.1). Any other request passes in one of three
/// cases:
///
/// - `Sec-Fetch-Site` is `same-origin`, or `none` (the user typed the address).
/// - There is no `Sec-Fetch-Site`, and there is no `Origin` or one with the request's host. Hosts are compared without
///   case (RFC 9110 §4.2.3); Go compares bytes.
/// - The request is exempt: its origin is trusted, or a bypass pattern matches it.
///
/// # Example
/// ```
/// use quintet_mux::{CrossOrigin, Source};
///
/// let mut rules = CrossOrigin::new();
/// rules.add_trusted_origin("https://admin.example").unwrap();
/// let site = Some("cross-site");
/// let mut source = Source { method: "POST", host: "a.example", path: "/", site, ..Source::default() };
/// assert!(rules.check(&source).is_err());
/// source.origin = Some("https://admin.example");
/// assert!(rules.check(&source).is_ok());
/// ```
#[derive(Clone, Debug, Default)]
pub struct CrossOrigin {
    trusted: HashSet<Box<str>>,
    bypass: Mux<()>,
}

/// The parts of a request that [`CrossOrigin::check`] reads.
///
/// Written with `..Source::default()`: a new field is no breaking change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Source<'a> {
    /// The method.
    pub method: &'a str,
    /// The host of the request, with the port if it has one.
    pub host: &'a str,
    /// The path, escaped.
    pub path: &'a str,
    /// The value of the first `Sec-Fetch-Site` field.
    pub site: Option<&'a str>,
    /// The value of the first `Origin` field.
    pub origin: Option<&'a str>,
}

impl CrossOrigin {
    /// Rules without exemptions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the requests from this origin, `scheme://host[:port]`.
    ///
    /// The origin is stored as a browser writes it in `Origin`: in lower case and without the default port. So
    /// `https://Example.COM:443` trusts `https://example.com`. Go stores the text as given, and then
    /// `https://Example.COM:443` never matches.
    ///
    /// # Errors
    /// [`OriginError`] if the text is not of that form and so could never match. Go accepts a user before the host.
    pub fn add_trusted_origin(&mut self, origin: &str) -> Result<(), OriginError> {
        self.trusted.insert(read_origin(origin)?);
        Ok(())
    }

    /// Lets all requests pass that match this pattern. A request that is only redirected to a match does not pass.
    ///
    /// # Errors
    /// [`InsertError`] if the text is not a pattern, or conflicts with a pattern added before.
    #[track_caller]
    pub fn add_insecure_bypass_pattern(&mut self, pattern: &str) -> Result<(), InsertError> {
        self.bypass.insert(pattern, ())
    }

    /// Accepts a request or refuses it.
    ///
    /// # Errors
    /// [`CrossOriginError`] (403) if the request comes from another site and is not exempt.
    pub fn check(&self, source: &Source<'_>) -> Result<(), CrossOriginError> {
        if matches!(source.method, "GET" | "HEAD" | "OPTIONS") {
            return Ok(());
        }
        self.check_any_method(source)
    }

    /// As [`check`](Self::check), also for GET, HEAD and OPTIONS: for a request that begins something else than a reply. A
    /// handshake of WebSocket is a GET, and a browser lets the pages of every site make it.
    ///
    /// # Errors
    /// [`CrossOriginError`] (403) if the request comes from another site and is not exempt.
    pub fn check_any_method(&self, source: &Source<'_>) -> Result<(), CrossOriginError> {
        let refusal = match (source.site.unwrap_or(""), source.origin.unwrap_or("")) {
            ("same-origin" | "none", _) | ("", "") => return Ok(()),
            // The scheme of the server is unknown here, so a request from http://h to https://h passes. Only browsers
            // from before 2023 can send one without `Sec-Fetch-Site`.
            ("", origin) if split_origin(origin).is_some_and(|(_, host)| host.eq_ignore_ascii_case(source.host)) => {
                return Ok(());
            }
            ("", _) => CrossOriginError::Origin,
            _ => CrossOriginError::Site,
        };
        if self.is_exempt(source) { Ok(()) } else { Err(refusal) }
    }

    fn is_exempt(&self, source: &Source<'_>) -> bool {
        let Source { method, host, path, origin, .. } = *source;
        origin.is_some_and(|origin| self.trusted.contains(origin))
            || matches!(self.bypass.find_into(method, host, path, &mut Vec::new()), Found::Match(_))
    }
}

/// An origin, `scheme://host[:port]`, as a browser writes it in `Origin`.
pub(crate) fn read_origin(origin: &str) -> Result<Box<str>, OriginError> {
    let (scheme, host) = split_origin(origin).ok_or(OriginError::Scheme)?;
    if host.contains(['/', '?', '#']) {
        return Err(OriginError::Path);
    }
    let scheme = scheme.to_ascii_lowercase();
    let host = host::of_origin(&scheme, host).ok_or(OriginError::Host)?;
    Ok(format!("{scheme}://{host}").into())
}

/// The scheme of an origin, and the text after `://`.
fn split_origin(origin: &str) -> Option<(&str, &str)> {
    origin.split_once("://").filter(|(scheme, _)| {
        let mut bytes = scheme.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

/// The reason why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrossOriginError {
    /// `Sec-Fetch-Site` names another site.
    #[error("cross-origin request detected from Sec-Fetch-Site header")]
    Site,
    /// There is no `Sec-Fetch-Site`, and the host of `Origin` is not the host of the request.
    #[error(
        "cross-origin request detected, and/or browser is out of date: \
         Sec-Fetch-Site is missing, and Origin does not match Host"
    )]
    Origin,
}

impl CrossOriginError {
    /// The status to answer, 403. It is a number because the crate `http` is only there with the feature `io`.
    #[must_use]
    pub fn status(self) -> u16 {
        403
    }
}

/// The reason why a text is not an origin.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// The text does not begin with `scheme://`.
    #[error("an origin begins with a scheme and ://")]
    Scheme,
    /// The text after the scheme is not `host[:port]`: it is empty, has a user, or has bytes that a browser never sends
    /// in an `Origin`.
    #[error("an origin has a host, and at most a port after it")]
    Host,
    /// A path, a query or a fragment follows the host and port.
    #[error("an origin has no path, query or fragment")]
    Path,
}

/// Its text, which is what a `main` that returns it prints.
impl fmt::Debug for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(site: &'static str, origin: &'static str) -> Source<'static> {
        let some = |text: &'static str| Some(text).filter(|text| !text.is_empty());
        Source { method: "POST", host: "example.com", path: "/", site: some(site), origin: some(origin) }
    }

    #[test]
    fn sec_fetch_site_decides_and_then_origin() {
        for (site, origin, allowed) in [
            ("same-origin", "", Ok(())),
            ("none", "", Ok(())),
            ("same-origin", "https://attacker.example", Ok(())),
            ("cross-site", "", Err(CrossOriginError::Site)),
            ("same-site", "", Err(CrossOriginError::Site)),
            ("Same-Origin", "", Err(CrossOriginError::Site)),
            ("cross-site", "https://example.com", Err(CrossOriginError::Site)),
            ("", "", Ok(())),
            ("", "https://example.com", Ok(())),
            ("", "http://example.com", Ok(())),
            ("", "https://example.com:443", Err(CrossOriginError::Origin)),
            ("", "https://attacker.example", Err(CrossOriginError::Origin)),
            ("", "https://example.com.attacker.example", Err(CrossOriginError::Origin)),
            ("", "null", Err(CrossOriginError::Origin)),
            ("", "example.com", Err(CrossOriginError::Origin)),
        ] {
            assert_eq!(CrossOrigin::new().check(&post(site, origin)), allowed, "{site:?} {origin:?}");
        }
        // RFC 9110 §4.2.3: a browser writes `Origin` in lower case, while `Host` may be in any case.
        let shouted = Source { host: "Example.COM", ..post("", "https://example.com") };
        assert_eq!(CrossOrigin::new().check(&shouted), Ok(()));
        let nameless = Source { host: "", ..post("", "null") };
        assert_eq!(CrossOrigin::new().check(&nameless), Err(CrossOriginError::Origin));
    }

    #[test]
    fn safe_methods_pass_cross_origin_and_others_do_not() {
        for (method, passes) in [("GET", true), ("HEAD", true), ("OPTIONS", true), ("PUT", false), ("DELETE", false)] {
            let source = Source { method, ..post("cross-site", "") };
            assert_eq!(CrossOrigin::new().check(&source).is_ok(), passes, "{method}");
        }
    }

    #[test]
    fn check_any_method_refuses_a_get_of_another_site() {
        let mut rules = CrossOrigin::new();
        rules.add_trusted_origin("https://trusted.example").unwrap();
        for (site, origin, passes) in [
            ("cross-site", "https://attacker.example", false),
            ("", "https://attacker.example", false),
            ("", "null", false),
            ("", "https://example.com", true),
            ("same-origin", "", true),
            ("cross-site", "https://trusted.example", true),
            ("", "", true),
        ] {
            let get = Source { method: "GET", ..post(site, origin) };
            assert_eq!(rules.check_any_method(&get).is_ok(), passes, "{site:?} {origin:?}");
            assert_eq!(rules.check(&get), Ok(()));
        }
    }

    #[test]
    fn a_trusted_origin_is_compared_byte_by_byte() {
        let mut rules = CrossOrigin::new();
        rules.add_trusted_origin("https://trusted.example").unwrap();
        for (site, origin, passes) in [
            ("cross-site", "https://trusted.example", true),
            ("", "https://trusted.example", true),
            ("cross-site", "https://trusted.example:443", false),
            ("cross-site", "http://trusted.example", false),
            ("cross-site", "", false),
        ] {
            assert_eq!(rules.check(&post(site, origin)).is_ok(), passes, "{site:?} {origin:?}");
        }
    }

    #[test]
    fn a_trusted_origin_is_stored_as_browsers_write_it() {
        for (added, origin) in [
            ("https://Trusted.Example", "https://trusted.example"),
            ("HTTPS://trusted.example:443", "https://trusted.example"),
            ("http://trusted.example:080", "http://trusted.example"),
            ("http://trusted.example:443", "http://trusted.example:443"),
            ("https://trusted.example:8443", "https://trusted.example:8443"),
            ("https://trusted.example.", "https://trusted.example."),
            ("https://[2001:DB8:0::1]:443", "https://[2001:db8::1]"),
            ("https://[::FFFF:1.2.3.4]", "https://[::ffff:102:304]"),
            ("https://[::ffff:0:0]", "https://[::ffff:0:0]"),
            ("https://[::1.2.3.4]:8443", "https://[::102:304]:8443"),
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("http://1.2.example", "http://1.2.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ] {
            let mut rules = CrossOrigin::new();
            rules.add_trusted_origin(added).unwrap();
            assert_eq!(rules.check(&post("cross-site", origin)), Ok(()), "{added:?} {origin:?}");
            let other = origin.replace("://", "://not-");
            assert!(rules.check(&Source { origin: Some(&other), ..post("cross-site", "") }).is_err(), "{other:?}");
        }
    }

    /// Go's table of `TestCrossOriginProtectionAddTrustedOriginErrors` (csrf_test.go).
    #[test]
    fn an_origin_that_go_refuses_is_refused() {
        for (origin, refused) in [
            ("https://example.com", false),
            ("https://example.com:8080", false),
            ("http://example.com", false),
            ("example.com", true),
            ("https://", true),
            ("https://example.com/", true),
            ("https://example.com/path", true),
            ("https://example.com?query=value", true),
            ("https://example.com#fragment", true),
            ("https://ex ample.com", true),
            ("", true),
            ("null", true),
        ] {
            assert_eq!(CrossOrigin::new().add_trusted_origin(origin).is_err(), refused, "{origin:?}");
        }
    }

    #[test]
    fn a_malformed_origin_is_refused_with_its_reason() {
        for (origin, error) in [
            ("https://ex ample.com", OriginError::Host),
            ("https://example.com\t", OriginError::Host),
            ("https://u@example.com", OriginError::Host),
            ("https://u:p@example.com", OriginError::Host),
            ("https://*.example.com:x", OriginError::Host),
            ("https://example.com:", OriginError::Host),
            ("https://example.com:65536", OriginError::Host),
            ("https://:443", OriginError::Host),
            ("https://b\u{fc}cher.example", OriginError::Host),
            ("https://h%2e", OriginError::Host),
            ("https://[::1", OriginError::Host),
            // Browsers write 127.0.0.1 for all of these but the last two, which they refuse.
            ("http://127.1", OriginError::Host),
            ("http://127.0.0.1.", OriginError::Host),
            ("http://127.0.0.01", OriginError::Host),
            ("http://0x7f.1", OriginError::Host),
            ("http://127.0.0.0x1", OriginError::Host),
            ("http://2130706433:80", OriginError::Host),
            ("http://127.0.0.256", OriginError::Host),
            ("http://a.example.1", OriginError::Host),
            ("https://::1", OriginError::Host),
            ("https://a.example https://b.example", OriginError::Path),
            ("", OriginError::Scheme),
            ("example.com", OriginError::Scheme),
            ("://example.com", OriginError::Scheme),
            ("https://", OriginError::Host),
            ("https://example.com/", OriginError::Path),
            ("https://example.com?q", OriginError::Path),
            ("https://example.com#f", OriginError::Path),
        ] {
            assert_eq!(CrossOrigin::new().add_trusted_origin(origin), Err(error), "{origin:?}");
        }
    }

    #[test]
    fn a_bypass_pattern_exempts_matches_but_not_redirects() {
        let mut rules = CrossOrigin::new();
        rules.add_insecure_bypass_pattern("/bypass/").unwrap();
        rules.add_insecure_bypass_pattern("PUT /only-put").unwrap();
        for (method, path, passes) in [
            ("POST", "/bypass/", true),
            ("POST", "/bypass/sub", true),
            ("POST", "/bypass", false),
            ("POST", "/x/../bypass/", false),
            ("POST", "/only-put", false),
            ("PUT", "/only-put", true),
            ("POST", "/", false),
        ] {
            let source = Source { method, path, ..post("cross-site", "https://attacker.example") };
            assert_eq!(rules.check(&source).is_ok(), passes, "{method} {path}");
        }
    }
}
