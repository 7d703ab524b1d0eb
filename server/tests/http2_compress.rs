//! Compressed replies on the streams of an HTTP/2 connection. Time is paused.

#![cfg(all(feature = "compress", feature = "http2"))]

mod support;

use std::{io::Write, time::Duration};

use flate2::write::GzDecoder;
use quintet_server::{
    Body, Handler, Request, Response, ServeMux,
    httptest::{OpenReply, SendError, TestServer},
    mux::compress,
};
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

fn start() -> TestServer<impl Handler> {
    let mux = ServeMux::new();
    mux.handle("/page", async |_: Request| page());
    mux.handle("/events", events);
    TestServer::start(compress(mux))
}

#[tokio::test(start_paused = true)]
async fn a_compressed_reply_of_http2_is_the_page() {
    bounded(async {
        let server = start();
        let mut client = server.http2_client();
        let reply = client.request("GET", "/page").header("accept-encoding", "gzip").send().await;
        assert_eq!((reply.header("content-encoding"), reply.header("vary")), (Some("gzip"), Some("Accept-Encoding")));
        let mut plain = GzDecoder::new(Vec::new());
        plain.write_all(&reply.body).unwrap();
        assert_eq!(plain.finish().unwrap(), page().as_bytes());
        assert!(reply.body.len() < 5_000, "{} bytes", reply.body.len());
        // The same connection, without the field.
        assert_eq!(client.get("/page").await.text(), page());
        assert!(server.close().await.is_clean());
    })
    .await;
}

/// Reads until the decoder has this text.
async fn reads(reply: &mut OpenReply, plain: &mut GzDecoder<Vec<u8>>, text: &str) {
    while plain.get_ref() != text.as_bytes() {
        let data = reply.chunk().await.expect("more of the reply");
        plain.write_all(&data).expect("gzip");
        plain.flush().expect("gzip");
    }
}

#[tokio::test(start_paused = true)]
async fn compressed_events_of_http2_arrive_at_once_and_an_error_resets() {
    bounded(async {
        let server = start();
        let mut client = server.http2_client();
        client.set_timeout(2 * MINUTE);
        let start = Instant::now();
        let mut reply = client.request("GET", "/events").header("accept-encoding", "gzip").open().await;
        let (mut plain, mut text) = (GzDecoder::new(Vec::new()), String::new());
        for n in 0..3 {
            text += &format!("data: {n}\n\n");
            reads(&mut reply, &mut plain, &text).await;
            let waited = start.elapsed();
            assert!(waited >= n * MINUTE && waited < n * MINUTE + MINUTE / 2, "event {n} after {waited:?}");
        }
        let error = loop {
            match reply.try_chunk().await {
                Ok(chunk) => assert!(chunk.is_some(), "no orderly end"),
                Err(error) => break error,
            }
        };
        let SendError::Http2(error) = error else { panic!("{error}") };
        let error = error.get_ref().and_then(|error| error.downcast_ref::<h2::Error>()).expect("an error of HTTP/2");
        assert!(error.is_reset(), "{error}");
        assert_eq!(client.get("/page").await.status, 200, "the connection goes on");
        drop((reply, client));
        assert!(server.close().await.is_clean());
    })
    .await;
}
