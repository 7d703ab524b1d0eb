//! Connections that a handler takes over: after the head of the last reply another protocol follows.

mod support;

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use http::StatusCode;
use quintet_server::{
    Body, BodyError, Request, Response, ServeMux, Server, ShutdownReport, conn::Counts, mux::Upgraded,
};
use support::{Dial, bounded, dial, eventually, in_memory, on_loopback};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

const SECOND: Duration = Duration::from_secs(1);

/// The other protocol: it sends the leftover bytes, then an echo in capitals, until the client closes.
async fn shout(mut upgraded: Upgraded) {
    let mut heard = std::mem::take(&mut upgraded.leftover);
    loop {
        heard.make_ascii_uppercase();
        if upgraded.io.write_all(&heard).await.is_err() {
            return;
        }
        heard.clear();
        match upgraded.io.read_buf(&mut heard).await {
            Ok(n) if n > 0 => {}
            _ => return,
        }
    }
}

fn switch(request: &Request) -> Response {
    assert_eq!(request.header("upgrade"), Some("shout"));
    Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, shout).with_header("upgrade", "shout")
}

const UPGRADE: &str = "GET /shout HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n";

fn start() -> (Server<ServeMux>, Dial) {
    let mux = ServeMux::new();
    mux.handle("/{$}", async |_| "hello\n");
    mux.handle("/shout", async |request: Request| switch(&request));
    mux.handle("/raw", async |_| Response::upgrade(StatusCode::OK, shout));
    mux.handle("CONNECT a.example:443/", async |_| Response::upgrade(StatusCode::OK, shout));
    let server = support::server(mux);
    let (dial, _) = in_memory(&server);
    (server, dial)
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_sends_101_and_the_other_protocol_follows() {
    bounded(async {
        let (server, dial) = start();
        let mut client = dial.connect();
        client.send(UPGRADE).await;
        let (status, head) = client.head().await.unwrap();
        assert_eq!(status, 101);
        let head = head.to_ascii_lowercase();
        assert!(head.contains("\r\nconnection: upgrade") && head.contains("\r\nupgrade: shout"), "{head}");
        assert!(!head.contains("content-length") && !head.contains("transfer-encoding"), "{head}");
        client.send("one").await;
        assert_eq!(client.exactly(3).await.unwrap(), b"ONE");
        assert_eq!(server.counts(), Counts { hijacked: 1, ..Counts::default() });
        client.send("GET / HTTP/1.1\r\n\r\n").await;
        assert_eq!(client.exactly(18).await.unwrap(), b"GET / HTTP/1.1\r\n\r\n", "the server reads no more requests");
        client.finish().await;
        assert!(client.ends().await);
        eventually("no connection is counted", || server.counts() == Counts::default()).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn bytes_sent_ahead_of_an_upgrade_are_handed_over() {
    bounded(async {
        let (_server, dial) = start();
        for len in [1, 100, 60_000, 300_000] {
            let mut client = dial.connect_sized(1 << 20);
            client.send(format!("{UPGRADE}{}", "x".repeat(len))).await;
            assert_eq!(client.head().await.unwrap().0, 101);
            assert!(client.exactly(len).await.unwrap().iter().all(|byte| *byte == b'X'), "{len}");
            client.send("y").await;
            assert_eq!(client.exactly(1).await.unwrap(), b"Y", "{len}");
        }
        // The same byte by byte.
        let mut client = dial.connect();
        for byte in UPGRADE.bytes().chain(*b"abc") {
            client.send([byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(client.head().await.unwrap().0, 101);
        assert_eq!(client.exactly(3).await.unwrap(), b"ABC");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pipelined_replies_come_before_an_upgrade() {
    bounded(async {
        let (_server, dial) = start();
        let mut client = dial.connect();
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n\r\n{UPGRADE}abc")).await;
        assert_eq!(client.reply().await.text(), "hello\n");
        assert_eq!(client.head().await.unwrap().0, 101);
        assert_eq!(client.exactly(3).await.unwrap(), b"ABC");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connect_tunnel_has_no_length() {
    bounded(async {
        let server = support::server(async |_| Response::upgrade(StatusCode::OK, shout));
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        client.send("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\nabc").await;
        let (status, head) = client.head().await.unwrap();
        assert_eq!(status, 200);
        let head = head.to_ascii_lowercase();
        for field in ["content-length", "transfer-encoding", "connection"] {
            assert!(!head.contains(field), "{head}");
        }
        assert_eq!(client.exactly(3).await.unwrap(), b"ABC");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_with_another_status_is_close_delimited() {
    bounded(async {
        let (_server, dial) = start();
        let mut client = dial.connect();
        client.get("/raw").await;
        let (status, head) = client.head().await.unwrap();
        assert_eq!(status, 200);
        assert!(head.contains("Connection: close") && !head.contains("Content-Length"), "{head}");
        client.send("abc").await;
        assert_eq!(client.exactly(3).await.unwrap(), b"ABC");
        client.finish().await;
        assert!(client.ends().await);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_upgraded_connection_has_no_timeouts_and_no_wakeups() {
    bounded(async {
        let polls = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&polls);
        let server = support::server(move |_| {
            let count = Arc::clone(&count);
            async move {
                Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, move |upgraded| async move {
                    let mut shouting = pin!(shout(upgraded));
                    poll_fn(|cx| {
                        count.fetch_add(1, SeqCst);
                        shouting.as_mut().poll(cx)
                    })
                    .await;
                })
                .with_header("upgrade", "x")
            }
        });
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        sleep(SECOND).await;
        client.get_upgrade("/").await;
        assert_eq!(client.head().await.unwrap().0, 101);
        sleep(3600 * SECOND).await;
        client.send("abc").await;
        assert_eq!(client.exactly(3).await.unwrap(), b"ABC");
        let polls = polls.load(SeqCst);
        assert!(polls < 10, "it was woken {polls} times for nothing");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_before_the_body_was_read_is_refused() {
    bounded(async {
        let (give, mut given) = mpsc::unbounded_channel::<Body>();
        let server = support::server(move |mut request: Request| {
            give.send(request.take_body()).expect("the test listens");
            async { Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, shout).with_header("upgrade", "shout") }
        });
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        let fields = "Host: a\r\nConnection: upgrade\r\nUpgrade: shout\r\nContent-Length: 100\r\n";
        client.send(format!("POST / HTTP/1.1\r\n{fields}\r\n")).await;
        assert_eq!(client.head().await.unwrap().0, 400);
        let mut body = given.recv().await.unwrap();
        assert!(matches!(body.chunk().await, Err(BodyError::AfterReply | BodyError::UnexpectedEof)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_an_upgrade_and_close_aborts_it() {
    bounded(async {
        for grace_period in [Duration::ZERO, 3 * SECOND] {
            let (server, dial) = start();
            let mut client = dial.connect();
            client.send(UPGRADE).await;
            assert_eq!(client.head().await.unwrap().0, 101);
            let since = Instant::now();
            assert_eq!(server.shutdown(grace_period).await, ShutdownReport { drained: 0, aborted: 1 });
            let took = since.elapsed();
            assert!((grace_period..=grace_period + SECOND / 10).contains(&took), "{took:?}");
            assert!(client.ends().await);
            assert_eq!(server.counts(), Counts::default());
        }
    })
    .await;
}

#[tokio::test]
async fn an_upgrade_works_on_a_real_socket() {
    bounded(async {
        let server = support::server(async |request: Request| switch(&request));
        let (addr, _) = on_loopback(&server);
        let mut client = dial(&addr).await;
        client.send(format!("{UPGRADE}abc")).await;
        assert_eq!(client.head().await.unwrap().0, 101);
        assert_eq!(client.exactly(3).await.unwrap(), b"ABC");
        for n in 0..100 {
            client.send(format!("{n:03}x")).await;
            assert_eq!(client.exactly(4).await.unwrap(), format!("{n:03}X").into_bytes());
        }
        drop(client);
        eventually("no connection is counted", || server.counts() == Counts::default()).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_gone_before_the_101_is_never_handed_over() {
    if support::over_tls() {
        return; // that the client is gone altogether is known later
    }
    bounded(async {
        let (tell, mut told) = mpsc::unbounded_channel();
        let server = support::server(move |_| {
            let tell = tell.clone();
            async move {
                sleep(SECOND).await;
                Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, move |_| async move {
                    tell.send(()).expect("the test listens");
                })
                .with_header("upgrade", "x")
            }
        });
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        client.get_upgrade("/").await;
        drop(client);
        assert!(timeout(5 * SECOND, told.recv()).await.is_err());
        eventually("no connection is counted", || server.counts() == Counts::default()).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connect_pattern_grants_a_tunnel() {
    bounded(async {
        let (_server, dial) = start();
        let mut client = dial.connect();
        client.send("CONNECT A.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\nhello").await;
        assert_eq!(client.head().await.unwrap().0, 200);
        assert_eq!(client.exactly(5).await.unwrap(), b"HELLO");
        let mut other = dial.connect();
        other.send("CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n").await;
        assert_eq!(other.head().await.unwrap().0, 404);
    })
    .await;
}

/// A protocol that another task reads, and that ends when it is told that its client has gone or that the server stops.
async fn told(upgraded: Upgraded, tell: mpsc::UnboundedSender<&'static str>) {
    let active = upgraded.active().expect("a connection").clone();
    let (mut from, mut to) = tokio::io::split(upgraded.io);
    let reading = tokio::spawn(async move { from.read_to_end(&mut Vec::new()).await });
    tokio::select! {
        () = active.disconnected() => tell.send("disconnected").expect("the test listens"),
        () = active.connection().stopping() => tell.send("stopping").expect("the test listens"),
    }
    reading.abort();
    let _ = to.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_upgraded_connection_is_told_of_its_client_and_of_a_shutdown() {
    bounded(async {
        for what in ["disconnected", "stopping"] {
            let (tell, mut hears) = mpsc::unbounded_channel();
            let server = support::server(move |_: Request| {
                let tell = tell.clone();
                async {
                    let then = |upgraded| told(upgraded, tell);
                    Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, then).with_header("upgrade", "x")
                }
            });
            let (dial, _) = in_memory(&server);
            let mut client = dial.connect();
            client.get_upgrade("/").await;
            assert_eq!(client.head().await.unwrap().0, 101);
            client.send("abc").await;
            assert!(timeout(60 * SECOND, hears.recv()).await.is_err(), "too early");
            let since = Instant::now();
            if what == "stopping" {
                assert_eq!(server.shutdown(10 * SECOND).await, ShutdownReport { drained: 1, aborted: 0 });
            } else {
                client.finish().await;
            }
            assert_eq!(hears.recv().await, Some(what));
            assert!(since.elapsed() < SECOND, "{what}: {:?}", since.elapsed());
            assert!(client.ends().await);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_handle_kept_after_an_upgrade_is_told_of_its_end() {
    bounded(async {
        let (give, mut given) = mpsc::unbounded_channel();
        let server = support::server(move |_: Request| {
            let give = give.clone();
            async {
                let then = async move |upgraded: Upgraded| {
                    give.send(upgraded.active().expect("a connection").clone()).expect("the test listens");
                };
                Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, then).with_header("upgrade", "x")
            }
        });
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        client.get_upgrade("/").await;
        let active = given.recv().await.expect("an upgrade");
        timeout(SECOND, active.disconnected()).await.expect("the session has ended");
    })
    .await;
}
