//! Clients that are refused before the handler is called: the status of the reply, and the `refused` hook.

mod support;

use std::sync::{Arc, Mutex};

use http::StatusCode;
use quintet_server::{Config, Hooks, Response, Server};
use support::{bounded, in_memory};

/// The bytes of a client, the status of the reply, and a word of its text.
const REFUSED: [(&str, u16, &str); 11] = [
    ("GET / HTTP/1.1\r\n\r\n", 400, "host is missing"),
    ("GET / HTTP/1.1\nHost: a\n\n", 400, "line ends without carriage return"),
    ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "byte"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "byte"),
    ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "byte"),
    ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 400, "does not end with chunked"),
    ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "byte"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: magic\r\n\r\n", 417, "expectation"),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "version"),
    ("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n", 414, "target is too long"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: {long}{long}{long}{long}\r\n\r\n", 431, "field line is too long"),
];

fn bytes(sent: &str) -> String {
    sent.replace("{long}", &"x".repeat(9000))
}

#[tokio::test(start_paused = true)]
async fn a_refusal_names_the_rule_and_closes_the_connection() {
    bounded(async {
        let server = support::server(async |_| "never");
        let (dial, _) = in_memory(&server);
        for (sent, status, why) in REFUSED {
            let mut client = dial.connect();
            client.send(bytes(sent)).await;
            let reply = client.reply().await;
            assert_eq!(reply.status, status, "{sent:?}");
            assert!(reply.text().contains(why), "{sent:?}: {}", reply.text());
            assert!(!reply.text().contains("xxx"), "nothing of the client's bytes is repeated");
            assert_eq!(reply.field("connection"), Some("close"));
            assert!(client.ends().await, "{sent:?}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_refused_hook_may_replace_every_refusal() {
    bounded(async {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&seen);
        let hooks = Hooks {
            refused: Some(Arc::new(move |refused| {
                let line = (refused.connection.peer_addr().to_string(), refused.status, refused.error.to_string());
                told.lock().unwrap().push(line);
                let teapot = Response::text(StatusCode::IM_A_TEAPOT, "no").with_header("x-own", "1");
                (refused.status == 505).then_some(teapot)
            })),
            ..Hooks::default()
        };
        let server = Server::with_config(async |_| "never", Config { hooks, ..support::config() });
        let (dial, _) = in_memory(&server);
        for (sent, status, _) in REFUSED {
            let mut client = dial.connect();
            client.send(bytes(sent)).await;
            let reply = client.reply().await;
            let expected = if status == 505 { (418, Some("1")) } else { (status, None) };
            assert_eq!((reply.status, reply.field("x-own")), expected, "{sent:?}");
            assert!(client.ends().await);
        }
        let seen = seen.lock().unwrap();
        let statuses: Vec<_> = seen.iter().map(|(_, status, _)| *status).collect();
        assert_eq!(statuses, REFUSED.map(|(_, status, _)| status));
        assert!(
            seen.iter().zip(REFUSED).all(|((peer, _, error), (_, _, why))| !peer.is_empty() && error.contains(why))
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_hook_that_panics_leaves_the_plain_refusal() {
    bounded(async {
        let hooks = Hooks { refused: Some(Arc::new(|_| panic!("as asked"))), ..Hooks::default() };
        let server = Server::with_config(async |_| "never", Config { hooks, ..support::config() });
        let (dial, _) = in_memory(&server);
        for (sent, status, why) in REFUSED {
            let mut client = dial.connect();
            client.send(bytes(sent)).await;
            let reply = client.reply().await;
            assert_eq!(reply.status, status, "{sent:?}");
            assert!(reply.text().contains(why), "{sent:?}: {}", reply.text());
            assert!(client.ends().await, "{sent:?}");
        }
        assert_eq!(server.hook_failures().panics, REFUSED.len() as u64);
    })
    .await;
}

/// How a head arrives.
#[derive(Clone, Copy, Debug)]
enum Pieces {
    Split(usize),
    Bytes,
}

/// The behaviour of the client after the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Fin,
    Nothing,
}

/// Heads that are malformed and unfinished, with the error of each.
const UNFINISHED: [(&str, u16, &str); 8] = [
    ("GET / HTTP/5.6", 505, "version is not http/1 at byte 6"),
    ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 501, "method is too long at byte 32"),
    ("GET / HTTP/1.1\r\n x", 400, "field line is folded at byte 16"),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n", 400, "host is repeated at byte 25"),
    ("GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n", 417, "expectation is not 100-continue at byte 33"),
    ("PUT / HTTP/1.1\r\nContent-Length : 3", 400, "whitespace before the colon at byte 30"),
    ("GET /a#", 400, "target has a byte that is not allowed at byte 6"),
    ("GET / HTTP/1.1\r\nHost: a\r\n", 0, ""),
];

#[tokio::test(start_paused = true)]
async fn a_refusal_is_the_same_for_any_split_after_fin_and_timeout() {
    if support::without_timeouts() {
        return; // only a timeout ends it
    }
    bounded(async {
        let server = support::server(async |_| "never");
        let (dial, _) = in_memory(&server);
        for (head, status, text) in UNFINISHED {
            let ways = (0..=head.len()).map(Pieces::Split).chain([Pieces::Bytes]);
            for (pieces, then) in ways.flat_map(|way| [(way, Then::Fin), (way, Then::Nothing)]) {
                let expected = match (status, then) {
                    (0, Then::Fin) => (400, "the head ended early"),
                    (0, Then::Nothing) => (408, "the head arrived too slowly"),
                    _ => (status, text),
                };
                let mut client = dial.connect();
                let parts = match pieces {
                    Pieces::Split(at) => vec![&head.as_bytes()[..at], &head.as_bytes()[at..]],
                    Pieces::Bytes => head.as_bytes().chunks(1).collect(),
                };
                for part in parts {
                    // The head is refused before its end, as soon as the error is certain.
                    let _ = client.try_send(part).await;
                    tokio::task::yield_now().await;
                }
                if then == Then::Fin {
                    client.finish().await;
                }
                let reply = client.reply().await;
                let text = reply.text().trim_end();
                let why = text.split_once(": ").map_or(text, |(_, why)| why);
                assert_eq!((reply.status, why), expected, "{head:?} {pieces:?} {then:?}");
            }
        }
    })
    .await;
}
