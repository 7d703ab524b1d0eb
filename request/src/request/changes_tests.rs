//! Tests of changes of a head: what can be changed, what is refused, and what sees the change.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::{Framing, HeadError};

const POST: &str =
    "POST /a?b HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";

fn request(bytes: &str) -> Request {
    Request::parse(bytes.as_bytes()).unwrap()
}

/// The head as it would be sent.
fn text(request: &Request) -> String {
    String::from_utf8(request.head().as_bytes().to_vec()).unwrap()
}

#[test]
fn a_field_is_set_appended_and_removed_in_its_place() {
    type Change = fn(&mut Request) -> Result<(), ChangeError>;
    let rest = "Content-Length: 3\r\nConnection: close\r\n";
    let cases: [(Change, String); 7] = [
        (|request| request.set_header("X-a", "3"), format!("X-a: 3\r\n{rest}")),
        (|request| request.set_header("X-B", b"\xc3\xa9"), format!("X-A: 1\r\nx-a: 2\r\n{rest}X-B: é\r\n")),
        (|request| request.set_header("X-B", ""), format!("X-A: 1\r\nx-a: 2\r\n{rest}X-B: \r\n")),
        (|request| request.append_header("X-A", "3"), format!("X-A: 1\r\nx-a: 2\r\n{rest}X-A: 3\r\n")),
        (|request| request.remove_header("x-A").map(|was| assert!(was)), rest.to_owned()),
        (|request| request.remove_header("X-B").map(|was| assert!(!was)), format!("X-A: 1\r\nx-a: 2\r\n{rest}")),
        (|request| request.set_host("b:1"), format!("X-A: 1\r\nx-a: 2\r\n{rest}")),
    ];
    for (at, (change, fields)) in cases.into_iter().enumerate() {
        let mut request = request(POST);
        change(&mut request).unwrap();
        let host = if at == 6 { "b:1" } else { "a" };
        assert_eq!(text(&request), format!("POST /a?b HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n"), "{at}");
        assert_eq!((request.head().framing(), request.head().keep_alive()), (Framing::Length(3), false));
        assert_eq!((request.host(), request.body().as_bytes()), (Some(host), Some(&b"abc"[..])));
    }
}

#[test]
fn fields_are_retained_in_one_change_but_for_those_that_steer() {
    let mut request = request(POST);
    assert!(!request.retain_headers(|_, _| true).unwrap());
    assert!(request.retain_headers(|name, value| (name, value) != ("x-a", b"2")).unwrap());
    let rest = "Content-Length: 3\r\nConnection: close\r\n";
    assert_eq!(text(&request), format!("POST /a?b HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n{rest}\r\n"));
    let mut asked = Vec::new();
    let keep_none = |name: &str, _: &[u8]| {
        asked.push(name.to_owned());
        false
    };
    assert!(request.retain_headers(keep_none).unwrap());
    assert_eq!(text(&request), format!("POST /a?b HTTP/1.1\r\nHost: a\r\n{rest}\r\n"));
    assert_eq!(asked, ["X-A"]);
    assert_eq!((request.head().framing(), request.body().as_bytes()), (Framing::Length(3), Some(&b"abc"[..])));
}

#[test]
fn a_change_of_a_malformed_or_framing_field_is_refused() {
    let mut request = request(POST);
    for (name, value, error) in [
        ("", "", ChangeError::FieldName),
        ("A B", "", ChangeError::FieldName),
        ("A:", "", ChangeError::FieldName),
        ("A\r\nB", "", ChangeError::FieldName),
        ("é", "", ChangeError::FieldName),
        ("A", "1\r\nB: 2", ChangeError::FieldValue),
        ("A", "1\n", ChangeError::FieldValue),
        ("A", "\0", ChangeError::FieldValue),
        ("A", "\x7f", ChangeError::FieldValue),
        ("content-length", "3", ChangeError::Framing),
        ("Transfer-Encoding", "chunked", ChangeError::Framing),
        ("CONNECTION", "keep-alive", ChangeError::Framing),
        ("Expect", "100-continue", ChangeError::Framing),
        ("Upgrade", "x", ChangeError::Framing),
        ("Trailer", "x", ChangeError::Framing),
        ("Host", "b", ChangeError::Framing),
    ] {
        assert_eq!(request.set_header(name, value), Err(error), "{name:?} {value:?}");
        assert_eq!(request.append_header(name, value), Err(error), "{name:?} {value:?}");
        let removed = request.remove_header(name);
        assert_eq!(removed.err(), Some(error).filter(|error| *error != ChangeError::FieldValue), "{name:?}");
        assert_eq!(error.status(), 500);
    }
    for method in ["", "A B", "GET /x HTTP/1.1\r\nX:", "GÉT", "G(T)"] {
        assert_eq!(request.set_method(method), Err(ChangeError::Method), "{method:?}");
    }
    for host in ["a b", "a/b", "u@a", "a\r\nX: 1", ":80", "a:99999", "%41", "é"] {
        assert_eq!(request.set_host(host), Err(ChangeError::Host), "{host:?}");
    }
    assert!(matches!(request.set_method("CONNECT"), Err(ChangeError::Head(HeadError::Target(_)))));
    assert_eq!(text(&request), POST.strip_suffix("abc").unwrap(), "it is as it was");
}

#[test]
fn each_framing_field_is_one_that_the_parser_decides_by() {
    for name in FRAMING_FIELDS {
        assert!(crate::head::may_decide(name), "{name}");
    }
}

#[test]
fn a_method_is_changed_and_the_rest_stays() {
    for (line, method, error) in [
        ("POST /a?b", "DELETE", false),
        ("HEAD /a", "GET", false),
        ("POST http://a/x", "BREW", false),
        ("OPTIONS *", "OPTIONS", false),
        ("OPTIONS *", "GET", true),
        ("GET /a", "CONNECT", true),
        ("CONNECT a:1", "GET", true),
    ] {
        let mut request = request(&format!("{line} HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n"));
        let (sent, path) = (request.target().raw().to_owned(), request.path().to_owned());
        assert_eq!(request.set_method(method).is_err(), error, "{line} {method}");
        let expected = if error { line.split(' ').next().unwrap() } else { method };
        assert_eq!((request.method(), request.target().raw(), request.path()), (expected, &*sent, &*path));
        assert_eq!(request.header("x"), Some("1"));
        assert_eq!(request.into_http().unwrap().method(), expected);
    }
}

#[test]
fn a_host_is_changed_in_every_form_of_target_but_connect() {
    for (target, path, query, uri) in [
        ("/a?b", "/a", Some("b"), "/a?b"),
        ("http://a/x?y", "/x", Some("y"), "/x?y"),
        ("http://a", "/", None, "/"),
        ("http://a?q", "/", Some("q"), "/?q"),
    ] {
        let mut request = request(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        for host in ["b.example:8080", "c"] {
            request.set_host(host).unwrap();
            assert_eq!((request.host(), request.header("host")), (Some(host), Some(host)));
        }
        assert_eq!((request.target().raw(), request.path(), request.query()), (target, path, query));
        let http = request.into_http().unwrap();
        assert_eq!((http.uri().to_string(), http.headers()["host"].to_str().unwrap()), (uri.to_owned(), "c"));
        let back = Request::try_from(http).unwrap();
        assert_eq!((back.target().raw(), back.path(), back.host()), (target, path, Some("c")));
    }
    let mut old = request("GET / HTTP/1.0\r\n\r\n");
    old.set_host("a").unwrap();
    assert_eq!((old.host(), text(&old)), (Some("a"), "GET / HTTP/1.0\r\nHost: a\r\n\r\n".to_owned()));
    let mut tunnel = request("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    assert!(matches!(tunnel.set_host("b:1"), Err(ChangeError::Head(HeadError::HostDisagrees { .. }))));
    assert_eq!(tunnel.host(), Some("a:1"));
}

#[test]
fn set_path_survives_a_change_of_the_head() {
    let mut request = request("GET http://a/api/x?q HTTP/1.1\r\nHost: a\r\n\r\n");
    request.set_path("/x");
    request.set_host("b").unwrap();
    request.set_header("X-A", "1").unwrap();
    assert_eq!((request.path(), request.query(), request.target().raw()), ("/x", Some("q"), "http://a/api/x?q"));
    assert_eq!(request.into_http().unwrap().uri(), "/x?q");
}

#[test]
fn a_change_is_not_seen_by_the_next_request_of_the_connection() {
    for _ in 0..3 {
        let mut request = request("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!((request.method(), request.host(), request.header("x-user")), ("GET", Some("a"), None));
        request.set_method("PUT").unwrap();
        request.set_host("b").unwrap();
        request.set_header("X-User", "root").unwrap();
    }
}

proptest! {
    /// Texts of which some are valid, some would split the head, and some would steer the connection.
    #[test]
    fn no_changed_text_moves_the_framing_or_adds_a_line(
        name in "X-A|[A-Z-]{1,3}|Content-Length|host|.{0,6}",
        value in prop_oneof![vec(any::<u8>(), 0..8), "[ -~\\r\\n:]{0,8}".prop_map(String::into_bytes)],
        method in "GET|CONNECT|OPTIONS|.{0,4}",
        host in "[a-c.:0-9]{0,4}|.{0,6}",
        line in select(&["POST /a?b", "POST http://a/x", "OPTIONS *", "CONNECT a:1"][..]),
    ) {
        let changes: [&dyn Fn(&mut Request) -> bool; 5] = [
            &|request| request.set_header(&name, &value).is_ok(),
            &|request| request.append_header(&name, &value).is_ok(),
            &|request| request.remove_header(&name).is_ok(),
            &|request| request.set_method(&method).is_ok(),
            &|request| request.set_host(&host).is_ok(),
        ];
        for change in changes {
            let mut request = request(&POST.replace("POST /a?b", line));
            let (before, sent) = (request.head().as_bytes().to_vec(), request.target().raw().to_owned());
            let done = change(&mut request);
            let head = request.head();
            prop_assert!(done || head.as_bytes() == before, "refused and changed");
            prop_assert_eq!((head.framing(), head.keep_alive()), (Framing::Length(3), false));
            prop_assert!(head.headers().len() <= 6);
            prop_assert_eq!(request.target().raw(), sent);
            let again = Request::parse(head.as_bytes()).expect("a proper head");
            prop_assert!(again.headers().eq(request.headers()) && again.body().is_empty());
        }
    }
}
