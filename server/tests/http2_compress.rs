//! Compressed replies on the streams of an HTTP/2 connection. Time is paused.

#![cfg(all(feature = "compress", feature = "http2"))]

mod http2_kit;
mod support;

use std::{io::Write, time::Duration};

use flate2::write::GzDecoder;
use h2::RecvStream;
use http2_kit::{Client, config, connect, read, request, start_with};
use quintet_server::{Body, Request, Response, ServeMux, mux::compress};
use support::bounded;
use tokio::time::{Instant, sleep};

const MINUTE: Duration = Duration::from_secs(60);

/// 120,000 bytes of text.
fn page() -> String {
    "a line of a long page\n".repeat(6_000)
}

/// An event at once, then one each minute, and at last an error.
async fn events(_: Request) -> Response {
    let body = Body::writer(|mut w| async move {
        for n in 0..3 {
            w.write(format!("data: {n}\n\n")).await?;
            w.flush().await?;
            sleep(MINUTE).await;
        }
        Err(std::io::Error::other("the source is gone"))
    });
    Response::new(body).with_content_type("text/event-stream")
}

async fn client() -> (impl Sized, Client) {
    let mux = ServeMux::new();
    mux.handle("/page", async |_: Request| page());
    mux.handle("/events", events);
    let (server, dial) = start_with(compress(mux), config());
    let client = connect(&dial).await;
    ((server, dial), client)
}

fn get(path: &str) -> http::Request<()> {
    let mut get = request("GET", path);
    get.headers_mut().insert("accept-encoding", http::HeaderValue::from_static("gzip"));
    get
}

#[tokio::test(start_paused = true)]
async fn a_compressed_reply_of_http2_is_the_page() {
    bounded(async {
        let (_server, mut client) = client().await;
        let (reply, _) = client.open(get("/page"), true).await;
        let reply = read(reply).await.unwrap();
        assert_eq!((reply.field("content-encoding"), reply.field("vary")), (Some("gzip"), Some("Accept-Encoding")));
        let mut plain = GzDecoder::new(Vec::new());
        plain.write_all(&reply.body).unwrap();
        assert_eq!(plain.finish().unwrap(), page().as_bytes());
        assert!(reply.body.len() < 5_000, "{} bytes", reply.body.len());
        // The same connection, without the field.
        assert_eq!(client.get("/page").await.text(), page());
    })
    .await;
}

/// Reads until the decoder has this text.
async fn reads(stream: &mut RecvStream, plain: &mut GzDecoder<Vec<u8>>, text: &str) {
    while plain.get_ref() != text.as_bytes() {
        let data = stream.data().await.expect("more of the reply").expect("no error");
        plain.write_all(&data).expect("gzip");
        plain.flush().expect("gzip");
    }
}

#[tokio::test(start_paused = true)]
async fn compressed_events_of_http2_arrive_at_once_and_an_error_resets() {
    bounded(async {
        let (_server, mut client) = client().await;
        let start = Instant::now();
        let (reply, _) = client.open(get("/events"), true).await;
        let mut stream = reply.await.unwrap().into_body();
        let (mut plain, mut text) = (GzDecoder::new(Vec::new()), String::new());
        for n in 0..3 {
            text += &format!("data: {n}\n\n");
            reads(&mut stream, &mut plain, &text).await;
            let waited = start.elapsed();
            assert!(waited >= n * MINUTE && waited < n * MINUTE + MINUTE / 2, "event {n} after {waited:?}");
        }
        let error = loop {
            match stream.data().await.expect("no orderly end") {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(error.is_reset(), "{error}");
        assert_eq!(client.get("/page").await.status, 200, "the connection goes on");
    })
    .await;
}
