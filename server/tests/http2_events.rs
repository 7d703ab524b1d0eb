//! Streams that wait for something to send, over HTTP/2: they end at a shutdown, and as soon as their clients have gone.
//! Time is paused.

#![cfg(all(feature = "compress", feature = "http2"))]

mod http2_kit;
mod support;

use std::{io::Write, sync::Arc, time::Duration};

use flate2::write::GzDecoder;
use h2::{Reason, RecvStream};
use http2_kit::{Client, connect, read_body, request, start};
use quintet_server::{
    Body, Request, Response, ServeMux, Server,
    mux::{Event, compress, events},
};
use support::{bounded, eventually};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

const SECOND: Duration = Duration::from_secs(1);

/// Tells the test when it is dropped.
struct Bell(Arc<Notify>);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// `/events` sends one event, `/stream` one line; both wait for ever then, and ring when they are dropped.
fn mux(dropped: &Arc<Notify>) -> ServeMux {
    let mux = ServeMux::new();
    let rung = Arc::clone(dropped);
    mux.handle("/events", move |_: Request| {
        let bell = Bell(Arc::clone(&rung));
        async {
            events(async move |mut out| {
                let _bell = bell;
                out.send(&Event::new("one")).await?;
                std::future::pending().await
            })
        }
    });
    let rung = Arc::clone(dropped);
    mux.handle("/stream", move |_: Request| {
        let bell = Bell(Arc::clone(&rung));
        async {
            let body = Body::writer(async move |mut w| {
                let _bell = bell;
                w.write("one\n").await?;
                w.flush().await?;
                w.disconnected().await;
                Ok(())
            });
            Response::new(body).with_content_type("text/plain")
        }
    });
    mux
}

async fn open(client: &mut Client, path: &str) -> RecvStream {
    let (reply, _) = client.open(request("GET", path), true).await;
    let mut body = reply.await.expect("a reply").into_body();
    assert!(body.data().await.expect("a frame").is_ok());
    body
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_http2_ends_at_once_when_its_client_is_gone() {
    bounded(async {
        for path in ["/events", "/stream"] {
            for resets in [true, false] {
                let dropped = Arc::<Notify>::default();
                let (server, dial) = start(mux(&dropped));
                let mut client = connect(&dial).await;
                let (reply, mut send) = client.open(request("GET", path), true).await;
                let mut body = reply.await.expect("a reply").into_body();
                assert!(body.data().await.expect("a frame").is_ok());
                sleep(5 * SECOND).await;
                let since = Instant::now();
                if resets {
                    send.send_reset(Reason::CANCEL);
                } else {
                    client.connection.abort();
                }
                timeout(60 * SECOND, dropped.notified()).await.expect("it is dropped");
                assert!(since.elapsed() < SECOND, "{path}, resets {resets}: after {:?}", since.elapsed());
                client.connection.abort();
                eventually("no connection is left", || server.counts().total() == 0).await;
            }
        }
    })
    .await;
}

async fn shuts_down_at_once(server: &Server<impl quintet_server::Handler>) {
    let since = Instant::now();
    let report = server.shutdown(60 * SECOND).await;
    assert_eq!((report.drained, report.aborted), (1, 0));
    assert!(since.elapsed() < 2 * SECOND, "{:?}", since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn events_of_http2_end_at_a_shutdown() {
    bounded(async {
        let (server, dial) = start(mux(&Arc::default()));
        let mut client = connect(&dial).await;
        let mut body = open(&mut client, "/events").await;
        let rest = tokio::spawn(async move { read_body(&mut body).await });
        shuts_down_at_once(&server).await;
        assert_eq!(rest.await.unwrap().expect("an orderly end").0, b"");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn compressed_events_have_heartbeats_and_end_at_a_shutdown() {
    bounded(async {
        let (server, dial) = start(compress(mux(&Arc::default())));
        let mut client = connect(&dial).await;
        let mut get = request("GET", "/events");
        get.headers_mut().insert("accept-encoding", http::HeaderValue::from_static("gzip"));
        let (reply, _) = client.open(get, true).await;
        let reply = reply.await.expect("a reply");
        assert_eq!(reply.headers()["content-encoding"], "gzip");
        let mut body = reply.into_body();
        let mut plain = GzDecoder::new(Vec::new());
        let since = Instant::now();
        for beats in 0..3 {
            let text = format!("data: one\n\n{}", ":\n\n".repeat(beats));
            while plain.get_ref() != text.as_bytes() {
                let data = body.data().await.expect("more").expect("no error");
                plain.write_all(&data).expect("gzip");
                plain.flush().expect("gzip");
            }
            assert_eq!(since.elapsed().as_secs(), 15 * beats as u64);
        }
        let rest = tokio::spawn(async move { read_body(&mut body).await });
        shuts_down_at_once(&server).await;
        plain.write_all(&rest.await.unwrap().expect("an orderly end").0).expect("gzip");
        assert_eq!(plain.finish().expect("the end of gzip"), b"data: one\n\n:\n\n:\n\n");
    })
    .await;
}
