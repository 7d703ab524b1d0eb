//! Cross-origin resource sharing: `cors`.

#![allow(missing_docs)]
#![cfg(feature = "io")]

use std::time::Duration;

use http::StatusCode;
use quintet_mux::{Cors, Handler, Response, cors};
use quintet_request::Request;

const PAGE: &str = "Origin: https://app.example\r\n";

fn rules() -> Cors {
    let rules = Cors::of_origins(["https://app.example"]).expect("an origin").with_methods(["PUT"]).expect("a method");
    let rules = rules.with_headers(["content-type"]).expect("a name").with_credentials().expect("a list of origins");
    rules.with_max_age(Duration::from_secs(60))
}

/// As an upstream would answer that has rules of its own.
async fn answer(request: Request) -> Response {
    let reply = Response::new(format!("{} was called\n", request.method()));
    reply.with_header("access-control-allow-origin", "*").with_header("vary", "Accept-Encoding")
}

/// The status, the body, and the fields of the protocol.
async fn ask(rules: Cors, method: &str, fields: &str) -> String {
    let text = format!("{method} /a HTTP/1.1\r\nHost: api.example\r\n{fields}\r\n");
    let mut reply = cors(rules, answer).call(Request::parse(text.as_bytes()).expect("a request")).await;
    let body = reply.take_body().to_bytes(1000).await.expect("a short body");
    let mut shown = format!("{} {}", reply.status().as_u16(), String::from_utf8_lossy(&body).trim_end());
    for name in [
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "access-control-allow-methods",
        "access-control-allow-headers",
        "vary",
    ] {
        for value in reply.headers().into_iter().flat_map(|headers| headers.get_all(name)) {
            let name = name.trim_start_matches("access-control-");
            shown.push_str(&format!(" | {name}: {}", value.to_str().expect("text")));
        }
    }
    shown
}

#[tokio::test]
async fn cors_fields_replace_those_of_the_handler_and_vary_adds_up() {
    for (fields, expected) in [
        ("", "200 GET was called | allow-origin: * | vary: Accept-Encoding | vary: Origin"),
        (
            PAGE,
            "200 GET was called | allow-origin: https://app.example | allow-credentials: true | vary: Accept-Encoding \
             | vary: Origin",
        ),
    ] {
        assert_eq!(ask(rules(), "GET", fields).await, expected);
    }
    assert_eq!(
        ask(Cors::any_origin(), "GET", PAGE).await,
        "200 GET was called | allow-origin: * | vary: Accept-Encoding"
    );
}

#[tokio::test]
async fn a_cors_preflight_does_not_reach_the_handler() {
    let asked = format!("{PAGE}Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: content-type\r\n");
    let allowed = "204  | allow-origin: https://app.example | allow-credentials: true | allow-methods: PUT \
        | allow-headers: content-type | vary: Origin";
    assert_eq!(ask(rules(), "OPTIONS", &asked).await, allowed);
    for (fields, reason) in [
        (asked.replace("app.", "evil."), "the origin"),
        (asked.replace("PUT", "DELETE"), "the method"),
        (asked.replace("content-type", "x-own"), "a header field"),
        (format!("{asked}Access-Control-Request-Headers: x-own\r\n"), "a header field"),
        // Two origins are none.
        (format!("{PAGE}{asked}"), "the origin"),
        (format!("{asked}Access-Control-Request-Method: PUT\r\n"), "the method"),
    ] {
        let expected = format!("403 cross-origin request refused: {reason} is not allowed | vary: Origin");
        assert_eq!(ask(rules(), "OPTIONS", &fields).await, expected, "{fields}");
    }
}

#[tokio::test]
async fn an_options_request_that_is_no_preflight_reaches_the_handler() {
    for fields in ["Access-Control-Request-Method: PUT\r\n", PAGE] {
        assert!(ask(rules(), "OPTIONS", fields).await.starts_with("200 OPTIONS was called"), "{fields}");
    }
}

#[tokio::test]
async fn vary_that_names_origin_gets_no_second_origin() {
    for (vary, lines) in [("accept, ORIGIN", 1), ("*", 1), ("accept", 2), ("origins", 2)] {
        let inner = move |_: Request| std::future::ready((StatusCode::OK, [("vary", vary)], "x"));
        let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("a request");
        let reply = cors(rules(), inner).call(request).await;
        assert_eq!(reply.headers().expect("fields").get_all("vary").iter().count(), lines, "{vary}");
    }
}
