//! Clients that disconnect or half-close while a handler runs: the handler is told and not killed.

mod support;

use std::{sync::Arc, time::Duration};

use quintet_server::{Body, BodyError, Config, Request, Response, Server};
use support::{Client, bounded, dial, eventually, in_memory, on_loopback};
use tokio::{
    net::TcpStream,
    sync::{Notify, mpsc},
    time::{sleep, timeout},
};

const SECOND: Duration = Duration::from_secs(1);

/// Closes the connection of a client with a reset.
fn reset(client: Client<TcpStream>) {
    let socket = client.io.into_std().expect("a socket");
    socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).expect("a socket");
}

/// A handler that waits until its client disconnects, reports it, and finishes.
fn waits_for_the_end() -> (Server<impl quintet_server::Handler>, mpsc::UnboundedReceiver<&'static str>) {
    let (tell, told) = mpsc::unbounded_channel();
    let server = support::server(move |request: Request| {
        let tell = tell.clone();
        async move {
            let say = |what| tell.send(what).expect("the test listens");
            say("begun");
            request.disconnected().await;
            say("told");
            sleep(SECOND / 10).await;
            say("ended");
            "too late\n"
        }
    });
    (server, told)
}

async fn expect(told: &mut mpsc::UnboundedReceiver<&'static str>, what: &str) {
    let seen = timeout(5 * SECOND, told.recv()).await;
    assert_eq!(seen.unwrap_or_else(|_| panic!("never {what}")), Some(what));
}

const REQUESTS: [&str; 5] = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nab",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
];

#[tokio::test]
async fn a_handler_is_told_of_a_client_that_closes_and_finishes() {
    bounded(async {
        for request in REQUESTS {
            let (server, mut told) = waits_for_the_end();
            let (addr, _) = on_loopback(&server);
            let mut client = dial(&addr).await;
            client.send(request).await;
            expect(&mut told, "begun").await;
            assert!(timeout(SECOND / 20, told.recv()).await.is_err(), "too early: {request:?}");
            drop(client);
            expect(&mut told, "told").await;
            expect(&mut told, "ended").await;
            eventually("no connection is left", || server.counts().total() == 0).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_handler_is_told_of_a_client_that_resets() {
    bounded(async {
        for request in REQUESTS {
            let (server, mut told) = waits_for_the_end();
            let (addr, _) = on_loopback(&server);
            let mut client = dial(&addr).await;
            client.send(request).await;
            expect(&mut told, "begun").await;
            reset(client);
            expect(&mut told, "told").await;
            expect(&mut told, "ended").await;
            eventually("no connection is left", || server.counts().total() == 0).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_handler_is_told_of_a_half_closed_client() {
    bounded(async {
        for request in REQUESTS {
            let (server, mut told) = waits_for_the_end();
            let (addr, _) = on_loopback(&server);
            let mut client = dial(&addr).await;
            client.send(request).await;
            client.finish().await;
            for what in ["begun", "told", "ended"] {
                expect(&mut told, what).await;
            }
            let reply = client.reply().await;
            assert_eq!(reply.text(), "too late\n", "a half-closed client still gets its whole reply");
            assert!(client.ends().await);
        }
    })
    .await;
}

#[tokio::test]
async fn a_half_closed_client_gets_a_large_reply_whole() {
    bounded(async {
        let server = support::server(async |request: Request| match request.path() {
            "/whole" => Response::new(vec![b'x'; 8 << 20]),
            _ => Response::new(Body::writer(|mut w| async move {
                for _ in 0..256 {
                    w.write([b'x'; 32 * 1024]).await?;
                    tokio::task::yield_now().await;
                }
                Ok(())
            })),
        });
        let (addr, _) = on_loopback(&server);
        for path in ["/whole", "/stream"] {
            let mut client = dial(&addr).await;
            client.get(path).await;
            client.finish().await;
            assert_eq!(client.reply().await.body.len(), 8 << 20, "{path}");
            assert!(client.ends().await);
        }
    })
    .await;
}

#[tokio::test]
async fn every_pipelined_request_before_a_fin_is_answered() {
    bounded(async {
        let server = support::server(async |request: Request| {
            sleep(SECOND / 100).await;
            request.path().to_owned()
        });
        let (addr, _) = on_loopback(&server);
        let mut client = dial(&addr).await;
        let all: String = (0..10).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
        client.send(all).await;
        client.finish().await;
        for n in 0..10 {
            assert_eq!(client.reply().await.text(), format!("/{n}"));
        }
        assert!(client.ends().await);
    })
    .await;
}

/// Another task reads the body, so it is the task that reads the socket. The handler is still told.
#[tokio::test]
async fn a_handler_is_told_while_another_task_has_the_body() {
    bounded(async {
        for (body, read) in [("abc", true), ("ab", true), ("ab", false)] {
            let (tell, mut told) = mpsc::unbounded_channel();
            let server = support::server(move |mut request: Request| {
                let tell = tell.clone();
                async move {
                    let mut body = request.take_body();
                    let say = tell.clone();
                    let reading = tokio::spawn(async move {
                        if read {
                            while let Ok(Some(_)) = body.chunk().await {}
                            say.send("read").expect("the test listens");
                        }
                        body
                    });
                    request.disconnected().await;
                    tell.send("told").expect("the test listens");
                    drop(reading.await);
                }
            });
            let (addr, _) = on_loopback(&server);
            let mut client = dial(&addr).await;
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n").await;
            sleep(SECOND / 20).await;
            client.send(body).await;
            if body.len() == 3 {
                expect(&mut told, "read").await;
            }
            sleep(SECOND / 20).await;
            drop(client);
            let mut seen = Vec::new();
            while !seen.contains(&"told") {
                seen.push(timeout(5 * SECOND, told.recv()).await.expect("never told").expect("a handler"));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_gave_up_waiting_for_a_body_is_still_told() {
    bounded(async {
        let (tell, mut told) = mpsc::unbounded_channel();
        let server = support::server(move |mut request: Request| {
            let tell = tell.clone();
            async move {
                let waited = timeout(SECOND / 10, request.body_mut().chunk()).await;
                assert!(waited.is_err(), "nothing came");
                tell.send("begun").expect("the test listens");
                request.disconnected().await;
                tell.send("told").expect("the test listens");
            }
        });
        let (addr, _) = on_loopback(&server);
        let mut client = dial(&addr).await;
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n").await;
        expect(&mut told, "begun").await;
        drop(client);
        expect(&mut told, "told").await;
    })
    .await;
}

#[tokio::test]
async fn a_handler_whose_reader_task_was_aborted_is_still_told() {
    bounded(async {
        let (tell, mut told) = mpsc::unbounded_channel();
        let server = support::server(move |mut request: Request| {
            let tell = tell.clone();
            async move {
                let mut body = request.take_body();
                let reading = tokio::spawn(async move { body.chunk().await });
                sleep(SECOND / 10).await;
                reading.abort();
                let _ = reading.await;
                tell.send("begun").expect("the test listens");
                request.disconnected().await;
                tell.send("told").expect("the test listens");
            }
        });
        let (addr, _) = on_loopback(&server);
        let mut client = dial(&addr).await;
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n").await;
        expect(&mut told, "begun").await;
        drop(client);
        expect(&mut told, "told").await;
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_reads_a_body_sees_that_its_client_is_gone() {
    bounded(async {
        for with_reset in [false, true] {
            let (tell, mut told) = mpsc::unbounded_channel();
            let server = support::server(move |mut request: Request| {
                let tell = tell.clone();
                async move {
                    let outcome = request.to_bytes(u64::MAX).await;
                    let disconnected = request.active().expect("a connection").is_disconnected();
                    tell.send((outcome, disconnected)).expect("the test listens");
                }
            });
            let (addr, _) = on_loopback(&server);
            let mut client = dial(&addr).await;
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc").await;
            sleep(SECOND / 20).await;
            if with_reset {
                reset(client);
            } else {
                drop(client);
            }
            let (outcome, _) = timeout(5 * SECOND, told.recv()).await.expect("it ends").unwrap();
            match outcome {
                Err(BodyError::UnexpectedEof) => assert!(!with_reset),
                Err(BodyError::Io(error)) => {
                    assert!(with_reset);
                    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
                }
                other => panic!("{other:?}"),
            }
            eventually("no connection is left", || server.counts().total() == 0).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_streamed_reply_is_dropped_when_its_client_resets() {
    bounded(async {
        /// Tells the test when it is dropped.
        struct Bell(Arc<Notify>);
        impl Drop for Bell {
            fn drop(&mut self) {
                self.0.notify_one();
            }
        }
        for endless in [true, false] {
            let dropped = Arc::new(Notify::new());
            let bell = Arc::clone(&dropped);
            let server = support::server(move |_| {
                let bell = Bell(Arc::clone(&bell));
                async move {
                    Response::new(Body::writer(move |mut w| async move {
                        let _bell = bell;
                        w.write("begun\n").await?;
                        w.flush().await?;
                        if !endless {
                            std::future::pending::<()>().await;
                        }
                        loop {
                            w.write([b'x'; 1024]).await?;
                        }
                    }))
                }
            });
            let (addr, _) = on_loopback(&server);
            let mut client = dial(&addr).await;
            client.get("/").await;
            assert_eq!(client.head().await.unwrap().0, 200);
            reset(client);
            timeout(5 * SECOND, dropped.notified()).await.expect("it is never dropped");
            eventually("no connection is left", || server.counts().total() == 0).await;
        }
    })
    .await;
}

/// On a reset the system of the client throws away a reply that was not read yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_pipelined_past_max_requests_is_not_reset() {
    bounded(async {
        let server = Server::with_config(
            async |_| {
                // Blocks the thread, so that the second request is not read meanwhile.
                std::thread::sleep(SECOND / 20);
                "hello\n"
            },
            Config { max_requests: 1, ..support::config() },
        );
        let (addr, _) = on_loopback(&server);
        for _ in 0..5 {
            let mut client = dial(&addr).await;
            client.get("/").await;
            sleep(SECOND / 50).await;
            client.get("/").await;
            assert!(client.reply().await.is_last());
            let mut rest = [0; 1];
            let end = tokio::io::AsyncReadExt::read(&mut client.io, &mut rest).await;
            assert_eq!(end.expect("the end, not a reset"), 0);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_abort_ends_a_handler_whose_client_disconnects() {
    bounded(async {
        let server = support::server(async |request: Request| {
            if request.path() == "/for-ever" {
                std::future::pending::<()>().await;
            }
        });
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        eventually("accepted", || server.counts().new == 1).await;
        // One poll of the task finds all three: a reply that cannot be sent, a running handler, and the abort.
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /for-ever HTTP/1.1\r\nHost: a\r\n\r\n").await;
        drop(client);
        server.close().await;
        assert_eq!(server.counts().total(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_kept_handle_is_told_of_the_end_of_its_request() {
    bounded(async {
        let (tell, mut told) = mpsc::unbounded_channel();
        let server = support::server(move |request: Request| {
            tell.send(request.active().expect("a connection").clone()).expect("the test listens");
            async {}
        });
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        assert_eq!(client.fetch("/").await.status, 200);
        // The connection goes on; the kept handle does not observe its next request.
        let active = told.recv().await.unwrap();
        active.disconnected().await;
        assert!(active.is_disconnected());
        assert_eq!(client.fetch("/").await.status, 200);
        let connection = Arc::clone(active.connection());
        drop(client);
        while connection.state() != quintet_server::conn::State::Closed {
            tokio::task::yield_now().await;
        }
        told.recv().await.unwrap().disconnected().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stalled_stream_to_a_half_closed_client_is_dropped() {
    if support::without_timeouts() {
        return; // only a timeout ends it
    }
    bounded(async {
        let server = support::server(async |_| {
            Response::new(Body::writer(|mut w| async move {
                w.write("first\n").await?;
                w.flush().await?;
                std::future::pending().await
            }))
            .with_content_type("text/event-stream")
        });
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        client.get("/").await;
        assert_eq!(client.head().await.unwrap().0, 200);
        client.finish().await;
        sleep(25 * SECOND).await;
        assert_eq!(server.counts().total(), 1, "a client that has sent its last may still read");
        sleep(10 * SECOND).await;
        assert_eq!(server.counts().total(), 0);
    })
    .await;
}
