//! Compressed replies on a connection: by `quintet_mux::compress`, and by tower-http's layer behind the bridge.

#![cfg(feature = "compress")]

mod support;

use std::{io::Read, io::Write, time::Duration};

use quintet_server::{Body, Request, Response, ServeMux, httptest::ReplyChunk, mux::compress};
use support::{Dial, bounded, in_memory};
use tokio::time::{Instant, sleep};

/// 120,000 bytes of text.
fn page() -> String {
    "a line of a long page\n".repeat(6_000)
}

/// An event at once, one each minute, and the end.
async fn events(_: Request) -> Response {
    let body = Body::writer(|mut w| async move {
        for n in 0..3 {
            w.write(format!("data: {n}\n\n")).await?;
            w.flush().await?;
            sleep(Duration::from_secs(60)).await;
        }
        Ok(())
    });
    Response::new(body).with_content_type("text/event-stream")
}

async fn broken(_: Request) -> Response {
    let body = Body::writer(|mut w| async move {
        w.write(page()).await?;
        w.flush().await?;
        sleep(Duration::from_secs(1)).await;
        Err(std::io::Error::other("the disk is gone"))
    });
    Response::new(body).with_content_type("text/plain")
}

fn mux() -> ServeMux {
    let mux = ServeMux::new();
    mux.handle("/page", async |_: Request| page());
    mux.handle("/short", async |_: Request| "short\n");
    mux.handle("/events", events);
    mux.handle("/broken", broken);
    mux
}

fn start() -> Dial {
    in_memory(&support::server(compress(mux()))).0
}

fn get(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
}

fn gunzip(bytes: &[u8]) -> String {
    let mut plain = String::new();
    flate2::read::GzDecoder::new(bytes).read_to_string(&mut plain).expect("whole gzip");
    plain
}

/// Takes the data of the whole chunks out of some bytes.
fn take_chunks(bytes: &mut Vec<u8>) -> Vec<u8> {
    let mut data = Vec::new();
    while let Some(chunk) = ReplyChunk::read(bytes).expect("well-formed chunks") {
        data.extend_from_slice(chunk.data);
        let len = chunk.len;
        bytes.drain(..len);
    }
    data
}

#[tokio::test(start_paused = true)]
async fn compressed_events_reach_the_client_while_the_handler_waits() {
    bounded(async {
        let mut client = start().connect();
        let started = Instant::now();
        client.send(get("GET", "/events")).await;
        let (status, head) = client.head().await.expect("a head");
        assert!(status == 200 && head.contains("Content-Encoding: gzip"), "{head}");
        assert!(head.contains("Content-Type: text/event-stream") && head.contains("Vary: Accept-Encoding"), "{head}");
        let mut decoder = flate2::write::GzDecoder::new(Vec::new());
        let mut seen = Vec::new();
        for n in 0..3 {
            let expected = format!("data: {n}\n\n");
            while decoder.get_ref().len() < expected.len() {
                seen.extend_from_slice(&client.some().await);
                decoder.write_all(&take_chunks(&mut seen)).expect("gzip");
                decoder.flush().expect("gzip");
            }
            assert_eq!(std::mem::take(decoder.get_mut()), expected.as_bytes());
            assert_eq!(started.elapsed().as_secs(), n * 60, "an event is seen when it was written");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pipelined_compressed_replies_are_in_step() {
    bounded(async {
        let mut client = start().connect();
        let sent: String =
            [get("GET", "/page"), get("HEAD", "/page"), get("GET", "/short"), get("GET", "/page")].concat();
        client.send(sent).await;
        for (method, coded) in [("GET", true), ("HEAD", true), ("GET", false), ("GET", true)] {
            let reply = client.try_reply_to(method).await.expect("a reply");
            assert_eq!(reply.field("content-encoding").is_some(), coded, "{}", reply.head);
            match (method, coded) {
                ("HEAD", _) => assert!(reply.body.is_empty()),
                (_, true) => assert!(reply.body.len() < 3_000 && gunzip(&reply.body) == page()),
                _ => assert_eq!(reply.text(), "short\n"),
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_compressed_reply_whose_source_fails_is_cut() {
    bounded(async {
        let mut client = start().connect();
        client.send(get("GET", "/broken")).await;
        let (_, head) = client.head().await.expect("a head");
        assert!(head.contains("Content-Encoding: gzip") && head.contains("Transfer-Encoding: chunked"), "{head}");
        let mut rest = client.rest().await;
        assert!(!rest.ends_with(b"0\r\n\r\n"), "no last chunk: the client must not take it for whole");
        let mut plain = String::new();
        flate2::read::GzDecoder::new(&take_chunks(&mut rest)[..])
            .read_to_string(&mut plain)
            .expect_err("without its end");
        assert!(page().starts_with(&plain) && plain.len() > 100_000, "{} bytes", plain.len());
    })
    .await;
}

/// A client that does not read holds the encoder back: what the handler makes is not compressed ahead of it.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_stops_the_compression() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static WRITTEN: AtomicUsize = AtomicUsize::new(0);
    bounded(async {
        let endless = async |_: Request| {
            let body = Body::writer(|mut w| async move {
                let mut state = 1_u32;
                loop {
                    let mut next = || {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        state.to_be_bytes()[0]
                    };
                    w.write((0..4096).map(|_| next()).collect::<Vec<u8>>()).await?;
                    WRITTEN.fetch_add(4096, Ordering::Relaxed);
                }
            });
            Response::new(body).with_content_type("text/plain")
        };
        let (dial, _) = in_memory(&support::server(compress(endless)));
        let mut client = dial.connect_sized(1024);
        client.send(get("GET", "/")).await;
        sleep(Duration::from_secs(2)).await;
        let written = WRITTEN.load(Ordering::Relaxed);
        assert!((1024..400_000).contains(&written), "{written} bytes were made for a client that reads none");
    })
    .await;
}

#[cfg(feature = "tower")]
#[tokio::test(start_paused = true)]
async fn the_compression_layer_of_tower_http_works_behind_the_bridge() {
    use quintet_server::{HandlerService, TowerHandler};

    bounded(async {
        let layered = tower_http::compression::Compression::new(HandlerService::new(mux()));
        let mut client = in_memory(&support::server(TowerHandler(layered))).0.connect();
        for path in ["/page", "/short", "/page"] {
            client.send(get("GET", path)).await;
            let reply = client.reply().await;
            let is_long = path == "/page";
            assert_eq!(reply.field("content-encoding"), is_long.then_some("gzip"), "{}", reply.head);
            let text = if is_long { gunzip(&reply.body) } else { reply.text().to_owned() };
            assert_eq!(text, if is_long { page() } else { "short\n".to_owned() });
        }
    })
    .await;
}
