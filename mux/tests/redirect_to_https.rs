//! `redirect_to_https` and `require_https`: where each request is sent, that no request leads to another host, and that one
//! by https is not redirected.

#![allow(missing_docs)]
#![cfg(feature = "io")]

mod support;

use quintet_mux::{Handler, HttpsOptions, forwarded, redirect_to_https, require_https};
use quintet_request::{ForwardedHeader, Request};
use support::Admitted;

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

/// A proxy says how the client came to it. What a stranger says is not believed, and a proxy that says nothing is http.
#[tokio::test]
async fn a_request_by_https_at_the_proxy_is_not_redirected_again() {
    let header = ForwardedHeader::XForwardedForProto;
    for (peer, fields, by_https) in [
        ("10.0.0.1:80", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n", true),
        ("10.0.0.1:80", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: HTTPS\r\n", true),
        ("10.0.0.1:80", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n", false),
        ("10.0.0.1:80", "X-Forwarded-For: 192.0.2.1\r\n", false),
        ("192.0.2.9:80", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n", false),
    ] {
        let connection = Admitted::from(peer);
        let trusted: quintet_listener::Nets = "10.0.0.0/8".parse().expect("networks");
        let only = forwarded(trusted.clone(), header, redirect_to_https(HttpsOptions::default()));
        let reply = only.call(connection.request(fields)).await;
        let (status, location) = (reply.status().as_u16(), reply.header("location").is_some());
        assert_eq!((status, location), if by_https { (421, false) } else { (301, true) }, "{peer} {fields}");

        // The hosts are those that a redirect may lead to: a request by https is the handler's.
        let options = HttpsOptions { hosts: vec!["b.example".to_owned()], ..HttpsOptions::default() };
        let wrapped = forwarded(trusted, header, require_https(options, async |_: Request| "by https\n"));
        let reply = wrapped.call(connection.request(fields)).await;
        assert_eq!(reply.status().as_u16(), if by_https { 200 } else { 421 }, "{peer} {fields}");
    }
}

#[tokio::test]
async fn require_https_redirects_what_came_by_http() {
    let handler = require_https(HttpsOptions::default(), async |_: Request| "by https\n");
    for (head, status, location) in [
        ("GET /x?y HTTP/1.1\r\nHost: a.example", 301, "https://a.example/x?y"),
        ("POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0", 308, "https://a.example/x"),
        ("GET / HTTP/1.0", 400, ""),
        ("GET / HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-Proto: https", 301, "https://a.example/"),
    ] {
        let request = Request::parse(format!("{head}\r\n\r\n").as_bytes()).expect("a request");
        let reply = handler.call(request).await;
        let sent = reply.header("location").map(|location| location.to_str().expect("text").to_owned());
        assert_eq!((reply.status().as_u16(), sent.as_deref().unwrap_or_default()), (status, location), "{head}");
    }
}
