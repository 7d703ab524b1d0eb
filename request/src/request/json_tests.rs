//! Tests of the typed parameters of requests: JSON, query and form.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::{Body, BodyError, DataError, Form, FormError};

/// A POST with this content type.
fn posted(content_type: &str, body: impl Into<Body>) -> Request {
    let head = format!("POST /?q=query HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\n\r\n");
    let mut request = Request::parse(head.as_bytes()).unwrap();
    *request.body_mut() = body.into();
    request
}

const JSON: &str = "application/json";
const URLENCODED: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn json_of_exactly_its_limit_is_read_and_more_is_413() {
    for (limit, status) in [(0, Some(413)), (6, Some(413)), (7, None), (u64::MAX, None)] {
        let mut request = posted(JSON, "[1,2,3]");
        let read = request.json::<Vec<u8>>(limit).await;
        assert_eq!(read.as_ref().err().map(|error| error.status().as_u16()), status, "{limit}");
        assert!(status.is_some() || read.unwrap() == [1, 2, 3]);
    }
}

#[tokio::test]
async fn json_is_not_read_if_its_type_or_coding_is_refused() {
    let mut request = posted("text/plain", "{}");
    assert!(matches!(request.json::<Value>(10).await, Err(JsonError::ContentType)));
    assert_eq!(request.body().as_bytes(), Some(&b"{}"[..]), "another reader can have the body");
    let mut request = posted(JSON, "{}");
    request.set_header("content-encoding", "gzip").unwrap();
    assert!(matches!(request.json::<Value>(10).await, Err(JsonError::ContentEncoding)));
    assert_eq!(request.body().as_bytes(), Some(&b"{}"[..]));
}

#[tokio::test]
async fn json_is_read_once_and_empty_afterwards() {
    let mut request = posted(JSON, "{}");
    assert!(request.json::<Value>(10).await.is_ok());
    assert!(matches!(request.json::<Value>(10).await, Err(JsonError::Empty)));
}

#[tokio::test]
async fn json_of_a_broken_body_has_the_status_of_the_body() {
    let broken = Body::writer(|mut w| async move {
        w.write("{").await?;
        Err(std::io::Error::other("gone"))
    });
    let error = posted(JSON, broken).json::<Value>(10).await.unwrap_err();
    assert!(matches!(error, JsonError::Body(BodyError::Source(_))) && error.status() == 500);
}

#[derive(Debug, PartialEq, Deserialize)]
struct Search {
    q: String,
    page: Option<u32>,
    #[serde(default)]
    tag: Vec<String>,
    #[serde(default)]
    exact: bool,
}

fn search(form: &str) -> Result<Search, DataError> {
    Form::parse(form.as_bytes()).unwrap().decode()
}

#[test]
fn form_decodes_lists_options_and_checkboxes() {
    let plain = |q: &str| Search { q: q.into(), page: None, tag: vec![], exact: false };
    assert_eq!(search("q=a").unwrap(), plain("a"));
    assert_eq!(search("q=").unwrap(), plain(""));
    assert_eq!(search("q=a&unknown=1").unwrap(), plain("a"));
    assert_eq!(search("q=a&page=").unwrap(), plain("a"), "an empty field of numbers");
    let tags = vec!["é".to_owned(), "a b".to_owned()];
    assert_eq!(search("tag=%C3%A9&q=%26%3B%2B&tag=a+b").unwrap(), Search { tag: tags, ..plain("&;+") });
    assert_eq!(search("q=a&exact=on&page=3").unwrap(), Search { page: Some(3), exact: true, ..plain("a") });
}

#[test]
fn form_of_another_shape_is_an_error_with_the_path() {
    for (form, path, text) in [
        ("", "q", "field q is missing"),
        ("q=a&q=b", "q", "q: expected one value"),
        ("q=a&page=two", "page", "page: expected a number"),
        ("q=a&page=-1", "page", "page: expected a number"),
        ("q=a&page=4294967296", "page", "page: expected a number"),
        ("q=a&exact=perhaps", "exact", "exact: expected \"true\", \"on\" or \"false\""),
    ] {
        let error = search(form).unwrap_err();
        assert_eq!((error.path(), &*error.to_string()), (path, text), "{form}");
    }
}

#[test]
fn query_as_refuses_malformed_pairs_and_another_shape_by_400() {
    let request = |query: &str| Request::parse(format!("GET /{query} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
    assert_eq!(request("?q=x+y").query_as::<Search>().unwrap().q, "x y");
    assert_eq!(request("?q=a;b").query_as::<Search>(), Err(QueryError::Form(FormError::Semicolon { at: 3 })));
    assert_eq!(request("?q=%zz").query_as::<Search>(), Err(QueryError::Form(FormError::Escape { at: 2 })));
    assert_eq!(request("?q=%ff").query_as::<Search>(), Err(QueryError::Form(FormError::Utf8 { at: 0 })));
    let (mut many, most) = (request(""), Form::MAX_PAIRS);
    many.set_query(Some(&format!("q=a{}", "&".repeat(most))));
    assert_eq!(many.query_as::<Search>(), Err(QueryError::Form(FormError::TooMany { most })));
    for query in ["", "?", "?page=1"] {
        let error = request(query).query_as::<Search>().unwrap_err();
        assert_eq!((error.status().as_u16(), &*error.to_string()), (400, "query: field q is missing"), "{query}");
    }
    let mut changed = request("?q=a");
    changed.set_query(Some("q=b"));
    assert_eq!(changed.query_as::<Search>().unwrap().q, "b");
}

#[tokio::test]
async fn form_as_reads_the_body_alone_and_leaves_it_to_form() {
    let mut request = posted(URLENCODED, "q=body&tag=1&tag=2");
    let search: Search = request.form_as(100).await.unwrap();
    assert_eq!((&*search.q, search.tag.len()), ("body", 2));
    assert_eq!(request.form_as::<Search>(100).await.unwrap(), search, "as often as one asks");
    assert_eq!(request.form().await.unwrap().all("q").collect::<Vec<_>>(), ["body", "query"]);
}

#[tokio::test]
async fn form_as_has_a_status_for_each_refusal() {
    for (method, content_type, coding, body, status) in [
        ("POST", URLENCODED, "identity", "q=a", None),
        ("PUT", "Application/X-WWW-form-urlencoded; charset=utf-8", "", "q=a", None),
        ("POST", URLENCODED, "", "q=aaaaaaaaaa", Some(413)),
        ("POST", URLENCODED, "gzip", "q=a", Some(415)),
        ("POST", JSON, "", "q=a", Some(415)),
        ("GET", URLENCODED, "", "q=a", Some(415)),
        ("POST", URLENCODED, "", "q=%zz", Some(400)),
        ("POST", URLENCODED, "", "page=1", Some(422)),
        ("POST", URLENCODED, "", "", Some(422)),
    ] {
        let mut request = posted(content_type, body);
        request.set_method(method).unwrap();
        request.set_header("content-encoding", coding).unwrap();
        let error = request.form_as::<Search>(10).await.err();
        assert_eq!(error.map(|error| error.status().as_u16()), status, "{method} {content_type} {coding} {body}");
    }
}

proptest! {
    /// What the strict reader accepts is read alike by the reader of serde.
    #[test]
    fn a_form_decoded_as_pairs_is_the_form(bytes in "[a-c=&+%0-9A-F;é]{0,40}") {
        let (form, error) = Form::parse_lossy(bytes.as_bytes());
        let pairs: Vec<(String, String)> = form.decode().unwrap();
        prop_assert_eq!(&pairs, &form.clone().into_iter().collect::<Vec<_>>());
        if error.is_none() {
            let of_bytes: Vec<(String, String)> = decode(bytes.as_bytes()).unwrap();
            prop_assert_eq!(of_bytes, pairs);
        }
    }

    #[test]
    fn a_form_decoded_as_a_map_has_every_value(pairs in prop::collection::vec(("[a-c]", ".*"), 0..10)) {
        let form: Form = pairs.iter().cloned().collect();
        let map: BTreeMap<String, Vec<String>> = form.decode().unwrap();
        for name in ["a", "b", "c"] {
            let values: Vec<_> = form.all(name).collect();
            prop_assert_eq!(map.get(name).map(|all| all.iter().map(String::as_str).collect()).unwrap_or(vec![]), values);
        }
    }
}
