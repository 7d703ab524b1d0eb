//! Ids of requests: `request_id`.

#![allow(missing_docs)]
#![cfg(feature = "io")]

mod support;

use std::collections::HashSet;

use http::HeaderMap;
use quintet_mux::{Handler, Response, request_id};
use quintet_request::{Request, RequestId};
use support::Admitted;

/// The id that the handler is told, and the one that an application behind it would read.
async fn told(request: Request) -> Response {
    let seen: Vec<_> = request.headers_named("x-request-id").map(String::from_utf8_lossy).collect();
    let id = request.id().expect("request_id sets it");
    let traceparent = request.header("traceparent").unwrap_or_default();
    Response::new(format!("{id} {} {traceparent}", seen.join(","))).with_header("x-request-id", "of an upstream")
}

/// The id in the reply, and the body.
async fn ask(peer: &str, fields: &str) -> (String, String) {
    let connection = Admitted::from(peer);
    let handler = request_id("10.0.0.0/8".parse().expect("networks"), told);
    let mut reply = handler.call(connection.request(fields)).await;
    let ids: Vec<_> = reply.headers().expect("the id").get_all("x-request-id").iter().cloned().collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let body = reply.take_body().to_bytes(1000).await.expect("a short body");
    (ids[0].to_str().expect("text").to_owned(), String::from_utf8(body.to_vec()).expect("text"))
}

#[tokio::test]
async fn a_trusted_request_id_is_kept_for_handlers_and_the_reply() {
    let (id, body) = ask("10.0.0.1:80", "X-Request-ID: 7b0c-2f4e\r\ntraceparent: 00-a-b-01\r\n").await;
    assert_eq!((id.as_str(), body.as_str()), ("7b0c-2f4e", "7b0c-2f4e 7b0c-2f4e 00-a-b-01"));
}

#[tokio::test]
async fn any_other_request_id_is_replaced_by_a_new_one() {
    let long = format!("X-Request-Id: {}\r\n", "a".repeat(129));
    for (peer, fields) in [
        ("192.0.2.9:80", "X-Request-Id: spoofed\r\n"),
        ("192.0.2.9:80", ""),
        ("unix", "X-Request-Id: spoofed\r\n"),
        ("10.0.0.1:80", ""),
        ("10.0.0.1:80", "X-Request-Id:\r\n"),
        ("10.0.0.1:80", "X-Request-Id: a b\r\n"),
        ("10.0.0.1:80", "X-Request-Id: a\"b\r\n"),
        ("10.0.0.1:80", "X-Request-Id: a%0d%0aSet-Cookie:%20b\r\n"),
        ("10.0.0.1:80", "X-Request-Id: a\r\nX-Request-Id: b\r\n"),
        ("10.0.0.1:80", &*long),
    ] {
        let (id, body) = ask(peer, fields).await;
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{fields:?}: {id}");
        assert_eq!(body, format!("{id} {id} "), "{fields:?}");
    }
}

#[tokio::test]
async fn new_request_ids_are_unique() {
    let handler = request_id("10.0.0.0/8".parse().expect("networks"), told);
    let mut ids = HashSet::new();
    for _ in 0..1000 {
        let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("a request");
        let reply = handler.call(request).await;
        ids.insert(reply.header("x-request-id").expect("an id"));
    }
    assert_eq!(ids.len(), 1000);
}

#[tokio::test]
async fn a_reply_without_room_for_a_request_id_is_sent_as_it_is() {
    let full = async |_: Request| {
        let mut reply = Response::new("full\n");
        let headers: &mut HeaderMap = reply.headers_mut();
        for nth in 0.. {
            let name = http::HeaderName::try_from(format!("x-{nth}")).expect("a name");
            if headers.try_insert(name, http::HeaderValue::from_static("")).is_err() {
                break;
            }
        }
        reply
    };
    let handler = request_id("10.0.0.0/8".parse().expect("networks"), full);
    let reply = handler.call(Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("a request")).await;
    assert_eq!((reply.status().as_u16(), reply.header("x-request-id")), (200, None));
}

#[tokio::test]
async fn observers_are_told_the_request_id() {
    let connection = Admitted::from("10.0.0.1:80");
    let active = connection.guard.active();
    active.keep_values();
    let handler = request_id("10.0.0.0/8".parse().expect("networks"), told);
    handler.call(connection.request("X-Request-Id: 7b0c\r\n")).await;
    assert_eq!(active.value::<RequestId>().expect("it is kept").as_str(), "7b0c");
}
