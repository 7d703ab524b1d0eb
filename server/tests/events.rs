//! Streams that wait for something to send, over HTTP/1.1: they end at a shutdown, and as soon as their clients have gone.
//! Time is paused.

mod support;

use std::{sync::Arc, time::Duration};

use quintet_server::{
    Body, Request, Response, ServeMux, Server, ShutdownReport,
    mux::{Event, events},
};
use support::{Dial, bounded, eventually, in_memory};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, timeout},
};

const SECOND: Duration = Duration::from_secs(1);

/// Tells the test when it is dropped.
struct Bell(Arc<Notify>);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// `/events` sends one event, `/stream` one line. Both wait for ever then, and ring when they are dropped. `/last` sends two
/// events when the server stops.
fn start() -> (Server<ServeMux>, Dial, Arc<Notify>) {
    let dropped = Arc::<Notify>::default();
    let mux = ServeMux::new();
    let rung = Arc::clone(&dropped);
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
    let rung = Arc::clone(&dropped);
    mux.handle("/stream", move |_: Request| {
        let bell = Bell(Arc::clone(&rung));
        async {
            let body = Body::writer(async move |mut w| {
                let _bell = bell;
                w.write("one\n").await?;
                w.flush().await?;
                w.disconnected().await;
                w.write("told\n").await
            });
            Response::new(body).with_content_type("text/plain")
        }
    });
    mux.handle("/last", async |_: Request| {
        events(async move |mut out| {
            out.send(&Event::new("one")).await?;
            out.stopping().await;
            out.send(&Event::new("two")).await?;
            out.send(&Event::new("three")).await?;
            std::future::pending().await
        })
    });
    let server = support::server(mux);
    let (dial, _) = in_memory(&server);
    (server, dial, dropped)
}

/// The future of a stream is dropped within a second.
async fn drops_at_once(dropped: &Notify) {
    let since = Instant::now();
    timeout(60 * SECOND, dropped.notified()).await.expect("it is dropped");
    assert!(since.elapsed() < SECOND, "after {:?}", since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_at_once_when_its_client_disconnects() {
    bounded(async {
        for path in ["/events", "/stream"] {
            let (server, dial, dropped) = start();
            let mut client = dial.connect();
            client.get(path).await;
            assert_eq!(client.head().await.unwrap().0, 200);
            client.some().await;
            tokio::time::sleep(5 * SECOND).await;
            drop(client);
            drops_at_once(&dropped).await;
            eventually("no connection is left", || server.counts().total() == 0).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_half_closed_client_gets_the_end_of_its_stream() {
    bounded(async {
        for (path, body) in [("/events", "data: one\n\n"), ("/stream", "one\ntold\n")] {
            let (_server, dial, dropped) = start();
            let mut client = dial.connect();
            client.get(path).await;
            client.finish().await;
            drops_at_once(&dropped).await;
            assert_eq!(client.reply().await.text(), body, "{path}");
            assert!(client.ends().await);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn events_end_at_a_shutdown_after_their_last_ones() {
    bounded(async {
        for (path, body) in [("/events", "data: one\n\n"), ("/last", "data: one\n\ndata: two\n\ndata: three\n\n")] {
            let (server, dial, _) = start();
            let mut client = dial.connect();
            client.get(path).await;
            tokio::time::sleep(SECOND).await;
            let reply = tokio::spawn(async move { client.reply().await });
            let since = Instant::now();
            assert_eq!(server.shutdown(60 * SECOND).await, ShutdownReport { drained: 1, aborted: 0 }, "{path}");
            assert!(since.elapsed() < 2 * SECOND, "{path}: {:?}", since.elapsed());
            assert_eq!(reply.await.unwrap().text(), body);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn events_to_a_silent_client_are_heartbeats_and_never_time_out() {
    bounded(async {
        let (_server, dial, _) = start();
        let mut client = dial.connect();
        client.get("/events").await;
        assert_eq!(client.head().await.unwrap().0, 200);
        client.exactly(16).await.unwrap();
        let since = Instant::now();
        for n in 1..100 {
            assert_eq!(client.exactly(8).await.unwrap(), b"3\r\n:\n\n\r\n");
            let waited = since.elapsed();
            assert!(waited >= n * 15 * SECOND && waited < n * 15 * SECOND + SECOND, "heartbeat {n} after {waited:?}");
        }
    })
    .await;
}

/// The handle of the request crosses a conversion to an `http::Response` and back.
#[tokio::test(start_paused = true)]
async fn a_writer_knows_its_request_also_in_an_http_response() {
    bounded(async {
        let (tell, mut told) = mpsc::unbounded_channel();
        let server = support::server(move |request: Request| {
            let tell = tell.clone();
            async move {
                let body = Body::writer(async move |mut w| {
                    tell.send(w.active().map(|active| active.is_disconnected())).expect("the test listens");
                    w.write("x").await
                });
                match request.path() {
                    "/converted" => http::Response::new(body).into(),
                    _ => Response::new(body.limited(5)),
                }
            }
        });
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        for path in ["/converted", "/limited"] {
            assert_eq!(client.fetch(path).await.text(), "x");
            assert_eq!(told.recv().await, Some(Some(false)), "{path}");
        }
    })
    .await;
}
