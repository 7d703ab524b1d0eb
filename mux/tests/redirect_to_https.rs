//! `redirect_to_https`: where each request is sent, and that no request leads to another host.

#![allow(missing_docs)]
#![cfg(feature = "io")]

use quintet_mux::{Handler, HttpsOptions, redirect_to_https};
use quintet_request::Request;

/// The status and the location of the reply to this request.
async fn ask(options: &HttpsOptions, head: &str) -> (u16, String) {
    let request = Request::parse(format!("{head}\r\n\r\n").as_bytes()).expect("a request");
    let reply = redirect_to_https(options.clone()).call(request).await;
    let location = reply.header("location").map(|location| location.to_str().expect("text").to_owned());
    (reply.status().as_u16(), location.unwrap_or_default())
}

#[tokio::test]
async fn a_redirect_to_https_keeps_host_path_and_query() {
    for (head, status, location) in [
        ("GET / HTTP/1.1\r\nHost: a.example", 301, "https://a.example/"),
        ("HEAD / HTTP/1.1\r\nHost: a.example", 301, "https://a.example/"),
        ("POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0", 308, "https://a.example/x"),
        ("PUT /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0", 308, "https://a.example/x"),
        ("OPTIONS /x HTTP/1.1\r\nHost: a.example", 308, "https://a.example/x"),
        ("GET /a%2Fb/../c?d=e&f=%zz HTTP/1.1\r\nHost: A.Example:80", 301, "https://a.example/a%2Fb/../c?d=e&f=%zz"),
        ("GET /? HTTP/1.1\r\nHost: a.example:8080", 301, "https://a.example/?"),
        ("GET / HTTP/1.1\r\nHost: 192.0.2.1:80", 301, "https://192.0.2.1/"),
        ("GET / HTTP/1.1\r\nHost: [2001:db8:0::1]:80", 301, "https://[2001:db8::1]/"),
        ("GET http://a.example/x HTTP/1.1\r\nHost: a.example", 301, "https://a.example/x"),
        // The host stays the one of the request.
        ("GET //evil.example/%2e%2e HTTP/1.1\r\nHost: a.example", 301, "https://a.example//evil.example/%2e%2e"),
        ("GET /@evil.example HTTP/1.1\r\nHost: a.example", 301, "https://a.example/@evil.example"),
        ("GET /https://evil.example HTTP/1.1\r\nHost: a.example", 301, "https://a.example/https://evil.example"),
    ] {
        assert_eq!(ask(&HttpsOptions::default(), head).await, (status, location.to_owned()), "{head}");
    }
}

#[tokio::test]
async fn a_request_without_a_plain_host_is_not_redirected() {
    for head in [
        "GET / HTTP/1.0",
        "GET / HTTP/1.1\r\nHost:",
        "GET / HTTP/1.1\r\nHost: a,b",
        "GET / HTTP/1.1\r\nHost: a;b",
        "OPTIONS * HTTP/1.1\r\nHost: a.example",
        "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443",
    ] {
        assert_eq!(ask(&HttpsOptions::default(), head).await, (400, String::new()), "{head}");
    }
}

#[tokio::test]
async fn a_redirect_to_https_writes_its_port_and_checks_its_hosts() {
    let options = HttpsOptions { hosts: vec!["A.example".to_owned(), "b.example".to_owned()], port: 8443 };
    for (host, status, location) in [
        ("a.example:8080", 301, "https://a.example:8443/x"),
        ("B.EXAMPLE.", 301, "https://b.example:8443/x"),
        ("c.example", 421, ""),
        ("a.example.evil", 421, ""),
        ("192.0.2.1", 421, ""),
    ] {
        let head = format!("GET /x HTTP/1.1\r\nHost: {host}");
        assert_eq!(ask(&options, &head).await, (status, location.to_owned()), "{host}");
    }
}
