//! Who the client is behind trusted proxies: `forwarded`, on requests that came by a connection.

#![allow(missing_docs)]
#![cfg(feature = "io")]

mod support;

use quintet_mux::{Handler, forwarded};
use quintet_request::{Client, ForwardedHeader, Request};
use support::Admitted;

const TRUSTED: &str = "10.0.0.0/8, fd00::/8, unix";

/// What the handler is told of the client, and the forwarding fields that it sees.
async fn told(request: Request) -> String {
    let ip = request.client_ip().map_or("-".to_owned(), |ip| ip.to_string());
    let client = request.client().expect("forwarded sets it");
    let host = client.host().unwrap_or("-");
    let fields: Vec<&str> =
        request.headers().map(|(name, _)| name).filter(|name| *name != "Host" && *name != "host").collect();
    format!("{ip} {} {host} {}", request.scheme(), fields.join(","))
}

async fn ask(peer: &str, header: ForwardedHeader, fields: &str) -> (u16, String) {
    let connection = Admitted::from(peer);
    let handler = forwarded(TRUSTED.parse().expect("networks"), header, told);
    let mut reply = handler.call(connection.request(fields)).await;
    let body = reply.take_body().to_bytes(1000).await.expect("a short body");
    (reply.status().as_u16(), String::from_utf8(body.to_vec()).expect("text"))
}

const SPOOF: &str = "X-Forwarded-For: 10.0.0.9\r\nForwarded: for=10.0.0.9;proto=https\r\nX-Forwarded-Proto: https\r\n\
    x-forwarded-host: evil.example\r\nX-Real-IP: 10.0.0.9\r\nX_Forwarded_For: 10.0.0.9\r\nX-Forwarded-User: root\r\nVia: x\r\n";

#[tokio::test]
async fn a_spoofed_x_forwarded_for_of_a_stranger_is_ignored_and_removed() {
    for header in [ForwardedHeader::Forwarded, ForwardedHeader::XForwardedForProtoHost] {
        for (peer, ip) in [("192.0.2.9:4711", "192.0.2.9"), ("[2001:db8::9]:1", "2001:db8::9")] {
            let told = (200, format!("{ip} http - via"));
            assert_eq!(ask(peer, header, SPOOF).await, told, "{header:?}");
        }
    }
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_by_the_named_forwarded_field() {
    let fields = "X-Forwarded-For: 9.9.9.9, 192.0.2.1\r\nX-Forwarded-For: 10.0.0.7\r\nX-Forwarded-Proto: https\r\n\
        X-Forwarded-Host: a.example\r\nForwarded: for=192.0.2.2;host=b.example\r\nX-Forwarded-User: ann\r\n";
    let x = "x-forwarded-for,x-forwarded-for";
    for (header, expected) in [
        (ForwardedHeader::XForwardedFor, format!("192.0.2.1 http - {x},x-forwarded-user")),
        (ForwardedHeader::XForwardedForProto, format!("192.0.2.1 https - {x},x-forwarded-proto,x-forwarded-user")),
        (
            ForwardedHeader::XForwardedForProtoHost,
            format!("192.0.2.1 https a.example {x},x-forwarded-proto,x-forwarded-host,x-forwarded-user"),
        ),
        (ForwardedHeader::Forwarded, "192.0.2.2 http b.example forwarded,x-forwarded-user".to_owned()),
    ] {
        for peer in ["10.0.0.1:80", "[fd00::1]:80", "unix", "[::ffff:10.0.0.1]:80"] {
            assert_eq!(ask(peer, header, fields).await, (200, expected.clone()), "{peer} {header:?}");
        }
    }
}

#[tokio::test]
async fn a_trusted_peer_without_a_forwarded_field_is_the_client() {
    for (peer, expected) in [("10.0.0.1:80", "10.0.0.1 http - "), ("unix", "- http - ")] {
        assert_eq!(ask(peer, ForwardedHeader::Forwarded, "").await, (200, expected.to_owned()));
    }
}

#[tokio::test]
async fn a_malformed_forwarded_field_of_a_trusted_proxy_is_a_400() {
    for (peer, fields, status) in [
        ("10.0.0.1:80", "X-Forwarded-For: 192.0.2.1, somewhere\r\n", 400),
        ("10.0.0.1:80", "X-Forwarded-For: somewhere, 192.0.2.1\r\n", 200),
        ("192.0.2.9:80", "X-Forwarded-For: 192.0.2.1, somewhere\r\n", 200),
    ] {
        let (got, body) = ask(peer, ForwardedHeader::XForwardedFor, fields).await;
        assert_eq!(got, status, "{peer} {fields}");
        assert!(!body.contains("somewhere"), "no bytes of the client: {body}");
    }
}

#[tokio::test]
async fn a_request_without_a_connection_is_not_trusted() {
    let handler = forwarded(TRUSTED.parse().expect("networks"), ForwardedHeader::XForwardedFor, told);
    let request =
        Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n").expect("a request");
    let mut reply = handler.call(request).await;
    assert_eq!(reply.take_body().to_bytes(100).await.expect("a body"), "- http - ");
}

#[tokio::test]
async fn observers_are_told_the_client_behind_a_proxy() {
    let connection = Admitted::from("unix");
    let active = connection.guard.active();
    active.keep_values();
    let handler = forwarded(TRUSTED.parse().expect("networks"), ForwardedHeader::XForwardedFor, told);
    handler.call(connection.request("X-Forwarded-For: 192.0.2.1\r\n")).await;
    assert_eq!(active.value::<Client>().expect("it is kept").to_string(), "192.0.2.1");
}
