//! Who the client is behind a proxy that speaks HTTP, through the façade, on both protocols.
#![cfg(feature = "http2")]

mod http2_kit;
mod support;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use quintet_server::{
    Config, Handler, Hooks, Request, Server,
    mux::{forwarded, request_id},
    request::{Client, ForwardedHeader},
};
use support::{bounded, in_memory};

/// A field of a request.
type Pair = (&'static str, &'static str);

/// The trusted networks, the fields of a request, and what a handler is told.
const ROWS: [(&str, &[Pair], &str); 4] = [
    (
        "unix",
        &[("x-forwarded-for", "9.9.9.9, 192.0.2.1"), ("x-forwarded-proto", "https"), ("forwarded", "for=8.8.8.8")],
        "Some(192.0.2.1) https 1, without forwarded",
    ),
    (
        "unix, 10.0.0.0/8",
        &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "10.0.0.2")],
        "Some(192.0.2.1) http 2, without forwarded",
    ),
    (
        "10.0.0.0/8",
        &[("x-forwarded-for", "10.0.0.2"), ("x-forwarded-proto", "https")],
        "None http 0, without x-forwarded-for, forwarded",
    ),
    ("unix", &[("x-forwarded-for", "somewhere")], ""),
];

async fn whoami(request: Request) -> String {
    let hops = request.client().map_or(0, Client::hops);
    let missing = ["x-forwarded-for", "forwarded"].into_iter().filter(|name| request.header_bytes(name).is_none());
    let missing = missing.collect::<Vec<_>>().join(", ");
    format!("{:?} {} {hops}, without {missing}", request.client_ip(), request.scheme())
}

#[tokio::test(start_paused = true)]
async fn the_client_behind_a_trusted_proxy_is_told_on_both_protocols() {
    bounded(async {
        for (trusted, fields, told) in ROWS {
            let status = if told.is_empty() { 400 } else { 200 };
            let handler = forwarded(trusted.parse().expect("networks"), ForwardedHeader::XForwardedForProto, whoami);
            let (_server, dial) = http2_kit::start(handler);

            let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let mut client = dial.connect();
            client.send(format!("GET / HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n")).await;
            let reply = client.reply().await;
            assert_eq!(reply.status, status, "{fields:?}");
            assert!(told.is_empty() || reply.text() == told, "{fields:?}: {}", reply.text());

            let mut request = http2_kit::request("GET", "/");
            for (name, value) in fields {
                request.headers_mut().append(*name, value.parse().expect("a value"));
            }
            let mut client = http2_kit::connect(&dial).await;
            let (reply, _) = client.open(request, true).await;
            let reply = http2_kit::read(reply).await.expect("a reply");
            assert_eq!(reply.status.as_u16(), status, "{fields:?}");
            assert!(told.is_empty() || reply.text() == told, "{fields:?}: {}", reply.text());
        }
    })
    .await;
}

/// The event of a request has the client that the proxy told and the id that it gave, on both protocols, and nothing that a
/// stranger wrote.
#[tokio::test(start_paused = true)]
async fn served_tells_the_client_and_the_id_of_a_trusted_proxy() {
    bounded(async {
        for (trusted, told) in [("unix", "Some(192.0.2.1) Some(\"7b0c\")"), ("10.0.0.0/8", "None None")] {
            let seen = Arc::new(Mutex::new(Vec::new()));
            let hook = Arc::clone(&seen);
            let hooks = Hooks {
                served: Some(Arc::new(move |served| {
                    let id = served.request_id().filter(|id| id.len() != 32);
                    let line = format!("{:?} {id:?}", served.client().and_then(Client::ip));
                    hook.lock().expect("no panic").push(line);
                })),
                ..Hooks::default()
            };
            let nets = trusted.parse().expect("networks");
            let handler = whoami
                .with(|handler| forwarded(trusted.parse().expect("networks"), ForwardedHeader::XForwardedFor, handler))
                .with(|handler| request_id(nets, handler));
            let server = Server::with_config(handler, Config { hooks, ..http2_kit::config() });
            let (dial, _serving) = in_memory(&server);
            let mut client = dial.connect();
            let fields = "X-Forwarded-For: 192.0.2.1\r\nX-Request-Id: 7b0c\r\n";
            client.send(format!("GET / HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n").repeat(2)).await;
            for _ in 0..2 {
                let reply = client.reply().await;
                assert_eq!(reply.field("X-Request-Id") == Some("7b0c"), trusted == "unix");
            }
            let mut client = http2_kit::connect(&dial).await;
            let mut request = http2_kit::request("GET", "/");
            for (name, value) in [("x-forwarded-for", "192.0.2.1"), ("x-request-id", "7b0c")] {
                request.headers_mut().append(name, value.parse().expect("a value"));
            }
            let (reply, _) = client.open(request, true).await;
            http2_kit::read(reply).await.expect("a reply");
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(*seen.lock().expect("no panic"), [told; 3], "{trusted}");
        }
    })
    .await;
}
