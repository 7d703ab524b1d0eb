//! Tests of the forms of requests: which pairs they have, and when reading fails.

use super::*;
use crate::Body;

fn request(target: &str) -> Request {
    Request::parse(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap()
}

#[tokio::test]
async fn form_with_a_malformed_body_is_not_the_query_alone() {
    let head = "POST /?role=admin HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let mut request = Request::parse(format!("{head}Content-Length: 3\r\n\r\n%zz").as_bytes()).unwrap();
    assert!(matches!(request.form().await, Err(FormReadError::Form(_))));
    assert!(matches!(request.form().await, Err(FormReadError::Form(_))), "as often as one asks");
    assert_eq!(request.form_value("role").await, None);
    let (form, error) = request.form_lossy().await.unwrap();
    assert_eq!((form.get("role"), error), (Some("admin"), Some(FormError::Escape { at: 0 })));
}

#[tokio::test]
async fn form_with_an_unreadable_body_is_not_the_query_alone() {
    let head = "POST /?role=admin HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let mut request = Request::parse(format!("{head}\r\na=1").as_bytes()).unwrap();
    *request.body_mut() = Body::from(vec![b'x'; (10 << 20) + 1]);
    assert_eq!(request.form().await.unwrap_err().status(), 413);
    assert!(matches!(request.form().await, Err(FormReadError::Begun)));
    assert!(matches!(request.form_lossy().await, Err(FormReadError::Begun)));
    assert_eq!(request.form_value("role").await, None);
}

#[tokio::test]
async fn form_skips_a_malformed_query_pair_and_reports_it() {
    for target in ["/?q=100%&page=2", "/?page=2&q=%zz", "/?a=1;b=2&page=2", "/?%ff&page=2"] {
        let mut request = request(target);
        assert_eq!(request.form().await.unwrap_err().status(), 400, "{target}");
        assert_eq!(request.form_value("page").await.as_deref(), Some("2"), "{target}");
        assert_eq!(request.form_value("q").await, None);
        assert_eq!(request.form_value("b").await, None);
        let (form, error) = request.form_lossy().await.unwrap();
        assert_eq!((form.iter().collect::<Vec<_>>(), error.is_some()), (vec![("page", "2")], true), "{target}");
    }
}

#[tokio::test]
async fn form_has_the_pairs_of_the_body_before_the_query() {
    let urlencoded = "application/x-www-form-urlencoded";
    for (method, content_type, expected) in [
        ("POST", urlencoded, &[("a", "body"), ("b", "é"), ("a", "query")][..]),
        ("PUT", "Application/X-WWW-Form-URLencoded ; charset=utf-8", &[("a", "body"), ("b", "é"), ("a", "query")]),
        ("PATCH", urlencoded, &[("a", "body"), ("b", "é"), ("a", "query")]),
        ("DELETE", urlencoded, &[("a", "query")]),
        ("GET", urlencoded, &[("a", "query")]),
        ("POST", "text/plain", &[("a", "query")]),
        ("POST", "application/x-www-form-urlencodedx", &[("a", "query")]),
    ] {
        let head = format!("{method} /?a=query HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\n\r\n");
        let mut request = Request::parse(format!("{head}a=body&b=%C3%A9").as_bytes()).unwrap();
        assert_eq!(request.form().await.unwrap().iter().collect::<Vec<_>>(), expected, "{method} {content_type}");
        assert_eq!(request.form_value("a").await.as_deref(), Some(expected[0].1));
        assert_eq!(request.form_value("none").await, None);
    }
}

/// A POST of an urlencoded body.
fn posted(query: &str, body: &str) -> Request {
    let head = "HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n";
    Request::parse(format!("POST /?{query} {head}{body}").as_bytes()).unwrap()
}

#[tokio::test]
async fn post_form_has_the_pairs_of_the_body_alone() {
    for (query, body, pairs) in [
        ("a=query&q=1", "a=body&b=2", &[("a", "body"), ("b", "2")][..]),
        ("", "a=body", &[("a", "body")]),
        ("a=query", "", &[]),
        ("q=%zz", "a=1", &[("a", "1")]),
    ] {
        let mut request = posted(query, body);
        // In either order, and repeatedly.
        for all_first in [true, false] {
            if all_first {
                let _ = request.form().await;
            }
            assert_eq!(request.post_form().await.unwrap().iter().collect::<Vec<_>>(), pairs, "{query} {body}");
        }
        let all = request.form_lossy().await.unwrap().0;
        assert_eq!(all.len(), pairs.len() + Form::parse_lossy(query.as_bytes()).0.len());
        assert_eq!(request.post_form_value("a").await.as_deref(), pairs.first().map(|(_, value)| *value));
        assert_eq!(request.post_form_value("q").await, None);
    }
    let mut malformed = posted("a=1", "a=%zz&b=2");
    assert!(matches!(malformed.post_form().await, Err(FormReadError::Form(FormError::Escape { at: 2 }))));
    assert_eq!(malformed.post_form_value("b").await, None);
    assert_eq!(request("/?a=1").post_form_value("a").await, None, "a GET has no form in its body");
}

#[tokio::test]
async fn query_form_reads_the_query_and_not_the_body() {
    let mut request = posted("a=1&b=x+y&a=2", "a=body");
    assert_eq!(request.query_form().unwrap().iter().collect::<Vec<_>>(), [("a", "1"), ("b", "x y"), ("a", "2")]);
    let (a, b) = (request.query_value("a"), request.query_value("b"));
    assert_eq!((a.as_deref(), b.as_deref(), request.query_value("c")), (Some("1"), Some("x y"), None));
    assert_eq!(request.body().as_bytes(), Some(&b"a=body"[..]));
    request.set_query(Some("a=3"));
    assert_eq!(request.query_value("a").as_deref(), Some("3"));
    request.set_query(None);
    assert!(request.query_value("a").is_none() && request.query_form().unwrap().is_empty());
    let request = self::request("/?a=%zz&b=1");
    assert_eq!(request.query_form().unwrap_err(), FormError::Escape { at: 2 });
    assert_eq!((request.query_value("a"), request.query_value("b").as_deref()), (None, Some("1")));
}

#[tokio::test]
async fn a_form_beyond_its_limit_is_413() {
    for (limit, status) in [(0, Some(413)), (4, Some(413)), (5, None), (u64::MAX, None)] {
        let mut request = posted("q=1", "a=123");
        request.set_form_limit(limit);
        assert_eq!(request.form().await.err().map(|error| error.status().as_u16()), status, "{limit}");
    }
    let mut large = posted("", &format!("a={}", "x".repeat(11 << 20)));
    large.set_form_limit(12 << 20);
    assert_eq!(large.post_form_value("a").await.map(|value| value.len()), Some(11 << 20));
}

#[tokio::test]
async fn a_coded_form_is_415_for_every_reader_and_not_read() {
    let mut request = posted("q=query", "q=a");
    request.set_header("content-encoding", "gzip").unwrap();
    for _ in 0..2 {
        assert!(matches!(request.form().await, Err(FormReadError::ContentEncoding)));
        assert!(matches!(request.form_lossy().await, Err(FormReadError::ContentEncoding)));
        assert_eq!(request.post_form().await.unwrap_err().status(), 415);
        assert_eq!((request.form_value("q").await, request.post_form_value("q").await), (None, None));
    }
    assert_eq!(request.body().as_bytes(), Some(&b"q=a"[..]));
    assert_eq!(request.query_value("q").as_deref(), Some("query"), "the query is no part of the body");
}
