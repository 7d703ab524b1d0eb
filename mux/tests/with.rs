//! Wrapping: `Handler::with`.

#![allow(missing_docs)]
#![cfg(feature = "io")]

use std::time::Duration;

use quintet_mux::{
    BoxHandler, Cors, CrossOrigin, CrossOriginProtection, Handler, Response, ServeMux, cors, max_bytes, request_id,
    strip_prefix, timeout,
};
use quintet_request::Request;

/// Adds a letter to what it passes on, in both directions.
fn letter(letter: &'static str) -> impl FnOnce(BoxHandler) -> BoxHandler {
    move |inner| {
        BoxHandler::new(move |mut request: Request| {
            let inner = inner.clone();
            async move {
                let path = format!("{}{letter}", request.path());
                request.set_path(path);
                let reply = inner.call(request).await;
                reply.with_header("x-letter", letter)
            }
        })
    }
}

#[tokio::test]
async fn the_last_wrapper_sees_the_request_first_and_the_reply_last() {
    let path = async |request: Request| request.path().to_owned();
    let handler = BoxHandler::new(path).with(letter("a")).with(letter("b")).with(letter("c"));
    let mut reply = handler.call(Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("a request")).await;
    assert_eq!(reply.take_body().to_bytes(10).await.expect("a body"), "/cba");
    let letters: Vec<_> = reply.headers().expect("fields").get_all("x-letter").iter().cloned().collect();
    assert_eq!(letters, ["a", "b", "c"]);
}

#[tokio::test]
async fn every_middleware_wraps_a_handler_in_one_line() {
    let mux = ServeMux::new();
    mux.handle("POST /a", async |request: Request| Response::new(request.path().to_owned()));
    let rules = Cors::of_origins(["https://app.example"]).expect("an origin");
    let handler = mux
        .with(|handler| strip_prefix("/api", handler))
        .with(|handler| timeout(handler, Duration::from_secs(1), "too slow\n"))
        .with(|handler| max_bytes(10, handler))
        .with(|handler| CrossOriginProtection::new(CrossOrigin::new()).handler(handler))
        .with(|handler| cors(rules, handler))
        .with(|handler| request_id("10.0.0.0/8".parse().expect("networks"), handler));
    let request = "POST /api/a HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 0\r\n\r\n";
    let mut reply = handler.call(Request::parse(request.as_bytes()).expect("a request")).await;
    assert_eq!(reply.take_body().to_bytes(10).await.expect("a body"), "/a");
    assert_eq!(reply.header("access-control-allow-origin").expect("cors"), "https://app.example");
    assert_eq!(reply.header("x-request-id").expect("an id").len(), 32);
}
