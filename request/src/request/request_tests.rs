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

/// A watched route is left for the observers of its request, also after the request was an `http::Request`.
#[test]
fn a_watched_route_is_a_value_of_its_active_request() {
    let (connections, _sweeper) = quintet_conn::Connections::new(quintet_conn::Timeouts::default(), None, None);
    let (connection, _wire) = connections.admit(tokio::io::duplex(1).0, "192.0.2.1:1".parse().unwrap());
    let told = || connection.active().value::<MatchedPattern>().map(|route| route.pattern.to_string());
    let (users, user) = (pattern("/users/", &[]), pattern("/users/{id}", &["id"]));
    let mut request = request("/users/7");
    route::watch(&mut request);
    request.set_active(Some(connection.active()));
    route::set(&mut request, Some(&users));
    assert_eq!(told(), None, "without a connection it was not watched");
    route::watch(&mut request);
    route::set(&mut request, None);
    assert_eq!(told(), None, "no router found one");
    for _ in 0..2 {
        route::set(&mut request, Some(&users));
        assert_eq!((request.pattern(), told().as_deref()), ("/users/", Some("/users/")));
    }
    let mut request = Request::try_from(request.into_http().unwrap()).unwrap();
    route::set(&mut request, Some(&user));
    assert_eq!(told().as_deref(), Some("/users/{id}"));
    route::set(&mut request, None);
    assert_eq!((request.pattern(), told().as_deref()), ("", Some("")));
    // The memory of the request is used for the next one, which is not watched.
    drop(request);
    connection.end_request();
    let mut request = self::request("/users/8");
    request.set_active(Some(connection.active()));
    route::set(&mut request, Some(&users));
    assert_eq!(told(), None);
}

#[test]
fn path_value_as_is_404_without_the_wildcard_and_400_for_another_type() {
    let mut request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    request.set_path_value("id", "42");
    request.set_path_value("secret", "x\r\n");
    assert_eq!(request.path_value_as::<u8>("id"), Ok(42));
    assert_eq!(request.path_value_as::<String>("secret").as_deref(), Ok("x\r\n"));
    let malformed = request.path_value_as::<u8>("secret").unwrap_err();
    assert_eq!((malformed.status().as_u16(), &*malformed.to_string()), (400, "value secret of the path is malformed"));
    let missing = request.path_value_as::<u8>("idd").unwrap_err();
    assert_eq!(missing, PathValueError::Missing { name: "idd".into() });
    assert_eq!((missing.status().as_u16(), &*missing.to_string()), (404, "path has no value idd"));
}
