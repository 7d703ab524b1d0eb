//! Tests of requests: routes, credentials, incomplete heads.

use super::*;
use crate::route::{self, MatchedPattern};

fn request(target: &str) -> Request {
    Request::parse(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap()
}

fn pattern(pattern: &str, names: &[&str]) -> Arc<MatchedPattern> {
    Arc::new(MatchedPattern { pattern: pattern.into(), names: names.iter().map(|name| (*name).into()).collect() })
}

#[test]
fn a_request_does_not_see_the_pattern_of_the_one_before_it() {
    let mut first = request("/admin/x");
    route::set(&mut first, Some(&pattern("/admin/{x}", &["x"])));
    assert_eq!(first.pattern(), "/admin/{x}");
    drop(first);
    let second = request("/");
    assert_eq!((second.pattern(), second.path_value("x")), ("", None));
}

#[test]
fn wildcard_of_an_inner_route_replaces_a_value_set_before() {
    let mut request = request("/files/x");
    request.set_path_value("rest", "files/x");
    request.set_path_value("other", "kept");
    route::find(&mut request, |_, _, spans| spans.push((7, 1)));
    route::set(&mut request, Some(&pattern("/files/{rest...}", &["rest"])));
    assert_eq!(request.path_value("rest").unwrap(), "x");
    assert_eq!(request.path_value("other").unwrap(), "kept");
    request.set_path_value("rest", "mine");
    assert_eq!(request.path_value("rest").unwrap(), "mine");
    let all: Vec<_> = request.path_values().map(|(name, value)| (name, value.into_owned())).collect();
    assert_eq!(all, [("rest", "mine".to_owned()), ("other", "kept".to_owned())]);
}

#[test]
fn parse_of_an_incomplete_head_is_head_error_incomplete() {
    let whole = b"POST /a HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n\r\n";
    for at in 0..whole.len() {
        let error = Request::parse(&whole[..at]).unwrap_err();
        assert_eq!(error, HeadError::Incomplete { at: u32::try_from(at).unwrap() });
        assert_eq!((error.status().as_u16(), error.at() as usize), (400, at));
        assert_eq!(error.to_string(), format!("head is incomplete after {at} bytes"));
    }
    assert!(Request::parse(whole).is_ok());
    // A malformed head is refused for its error, not as incomplete.
    for bytes in [&b"GET / HTTP/2.0"[..], b"GET / HTTP/1.1\r\nX : 1"] {
        assert!(!matches!(Request::parse(bytes).unwrap_err(), HeadError::Incomplete { .. }));
    }
}

#[test]
fn basic_auth_of_a_request_is_that_of_its_head() {
    for (fields, user) in [
        ("Authorization: Basic YTpi\r\n", Some("a")),
        ("authorization: basic YTpi\r\n", Some("a")),
        ("Authorization: Bearer YTpi\r\n", None),
        ("X-Authorization: Basic YTpi\r\n", None),
        ("Authorization: Bearer YTpi\r\nAuthorization: Basic YTpi\r\n", None),
        ("", None),
    ] {
        let request = Request::parse(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes()).unwrap();
        assert_eq!(request.basic_auth().map(|auth| auth.user).as_deref(), user, "{fields:?}");
        assert_eq!(request.basic_auth(), request.head().basic_auth());
    }
}
