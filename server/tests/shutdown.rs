//! Shutdown: every request that was sent before it is answered, and no connection holds up the exit.

mod support;

use std::{
    io::{Read, Write},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use quintet_server::{
    Body, Config, Listener, Request, Response, ServeError, ServeMux, Server, ShutdownReport, Timeouts, conn::Counts,
    listen,
};
use support::{Client, Dial, bounded, dial, eventually, in_memory, memory, on_loopback};
use tokio::{
    net::{TcpStream, UnixStream},
    sync::{Notify, mpsc},
    task::JoinHandle,
    time::{Instant, sleep},
};

const SECOND: Duration = Duration::from_secs(1);

/// Long enough for every client.
const GRACE_PERIOD: Duration = Duration::from_secs(60);

struct Started {
    server: Server<ServeMux>,
    dial: Dial,
    serving: JoinHandle<Result<(), ServeError>>,
    /// Lets the handler of `/wait` finish.
    answer: Arc<Notify>,
}

impl Started {
    fn shutdown(&self, grace_period: Duration) -> JoinHandle<ShutdownReport> {
        let server = self.server.clone();
        tokio::spawn(async move { server.shutdown(grace_period).await })
    }
}

fn routes(answer: &Arc<Notify>) -> ServeMux {
    let mux = ServeMux::new();
    mux.handle("/{$}", async |_| "hello\n");
    let waits = Arc::clone(answer);
    mux.handle("/wait", move |_| {
        let waits = Arc::clone(&waits);
        async move {
            waits.notified().await;
            "waited\n"
        }
    });
    mux.handle("/for-ever", async |_| std::future::pending::<()>().await);
    mux.handle("/endless", async |_| {
        Response::new(Body::writer(|mut w| async move {
            loop {
                w.write("tick\n").await?;
                w.flush().await?;
                sleep(SECOND / 10).await;
            }
        }))
    });
    mux.handle("/events", async |request: Request| {
        Response::new(Body::writer(move |mut w| async move {
            w.write("open\n").await?;
            w.flush().await?;
            request.stopping().await;
            w.write("bye\n").await
        }))
    });
    mux.handle("/count", async |mut request: Request| {
        request.to_bytes(1 << 20).await.map(|body| format!("{}\n", body.len()))
    });
    mux.handle("/hijack", async |request: Request| {
        let connection = Arc::clone(request.connection().expect("a connection"));
        Response::upgrade(http::StatusCode::SWITCHING_PROTOCOLS, move |_io| async move { connection.stopping().await })
            .with_header("upgrade", "x")
    });
    mux
}

fn start() -> Started {
    let answer = Arc::new(Notify::new());
    let server = support::server(routes(&answer));
    let (dial, serving) = in_memory(&server);
    Started { server, dial, serving, answer }
}

/// Waits until the server has read everything that was sent.
async fn settle() {
    sleep(SECOND / 20).await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_closes_the_listener_at_once() {
    bounded(async {
        let started = start();
        let mut busy = started.dial.connect();
        busy.get("/wait").await;
        settle().await;
        let shutdown = started.shutdown(GRACE_PERIOD);
        tokio::task::yield_now().await;
        eventually("closed", || started.dial.is_shut()).await;
        assert!(started.serving.await.unwrap().is_ok());
        assert!(!shutdown.is_finished(), "one is still being served");
        started.answer.notify_one();
        assert!(busy.reply().await.is_last());
        assert_eq!(shutdown.await.unwrap(), ShutdownReport { drained: 1, aborted: 0 });
    })
    .await;
}

#[tokio::test]
async fn a_client_cannot_connect_after_a_shutdown() {
    bounded(async {
        let server = support::server(async |_| "hello\n");
        let (addr, serving) = on_loopback(&server);
        let mut idle = dial(&addr).await;
        assert_eq!(idle.fetch("/").await.status, 200);
        let stopping = server.clone();
        let shutdown = tokio::spawn(async move { stopping.shutdown(GRACE_PERIOD).await });
        assert!(serving.await.unwrap().is_ok());
        assert!(TcpStream::connect(&addr).await.is_err());
        assert_eq!(shutdown.await.unwrap(), ShutdownReport { drained: 1, aborted: 0 });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_closes_an_idle_connection_after_its_drain() {
    bounded(async {
        let started = start();
        let (mut idle, mut silent) = (started.dial.connect(), started.dial.connect());
        assert_eq!(idle.fetch("/").await.status, 200);
        settle().await;
        let since = Instant::now();
        let shutdown = started.shutdown(GRACE_PERIOD);
        assert!(idle.ends().await && silent.ends().await);
        let took = since.elapsed();
        assert!((SECOND / 2..SECOND * 5 / 4).contains(&took), "{took:?}");
        assert_eq!(shutdown.await.unwrap(), ShutdownReport { drained: 2, aborted: 0 });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_in_flight_at_a_shutdown_is_answered() {
    bounded(async {
        let started = start();
        let (mut before, mut during) = (started.dial.connect(), started.dial.connect());
        for client in [&mut before, &mut during] {
            assert_eq!(client.fetch("/").await.status, 200);
        }
        settle().await;
        before.get("/").await;
        let shutdown = started.shutdown(GRACE_PERIOD);
        sleep(SECOND * 2 / 5).await;
        during.get("/").await;
        // The request that was sent before the shutdown may have been answered before it.
        assert_eq!(before.reply().await.text(), "hello\n");
        assert!(before.ends().await);
        let reply = during.reply().await;
        assert_eq!((reply.text(), reply.is_last()), ("hello\n", true));
        assert!(during.ends().await);
        assert_eq!(shutdown.await.unwrap(), ShutdownReport { drained: 2, aborted: 0 });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_all_answered_at_a_shutdown() {
    bounded(async {
        let started = start();
        let mut client = started.dial.connect();
        client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(5)).await;
        settle().await;
        let shutdown = started.shutdown(GRACE_PERIOD);
        settle().await;
        started.answer.notify_one();
        assert_eq!(client.reply().await.text(), "waited\n");
        for n in 1..=5 {
            let reply = client.reply().await;
            assert_eq!((reply.text(), reply.is_last()), ("hello\n", n == 5), "reply {n}");
        }
        assert!(client.ends().await);
        assert_eq!(shutdown.await.unwrap(), ShutdownReport { drained: 1, aborted: 0 });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_half_read_head_is_served_at_a_shutdown() {
    bounded(async {
        let started = start();
        let (mut fresh, mut used) = (started.dial.connect(), started.dial.connect());
        assert_eq!(used.fetch("/").await.status, 200);
        for client in [&mut fresh, &mut used] {
            client.send("GET / HTTP/1.1\r\nHo").await;
        }
        settle().await;
        let shutdown = started.shutdown(GRACE_PERIOD);
        sleep(5 * SECOND).await;
        for client in [&mut fresh, &mut used] {
            client.send("st: a\r\n\r\n").await;
            let reply = client.reply().await;
            assert_eq!((reply.text(), reply.is_last()), ("hello\n", true));
            assert!(client.ends().await);
        }
        assert_eq!(shutdown.await.unwrap(), ShutdownReport { drained: 2, aborted: 0 });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_half_read_body_is_served_at_a_shutdown() {
    bounded(async {
        let started = start();
        let mut client = started.dial.connect();
        client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc").await;
        settle().await;
        let shutdown = started.shutdown(GRACE_PERIOD);
        sleep(2 * SECOND).await;
        client.send(vec![b'x'; 99_997]).await;
        let reply = client.reply().await;
        assert_eq!((reply.text(), reply.is_last()), ("100000\n", true));
        assert_eq!(shutdown.await.unwrap(), ShutdownReport { drained: 1, aborted: 0 });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_running_handler_finishes_at_a_shutdown() {
    bounded(async {
        let started = start();
        let mut client = started.dial.connect();
        client.get("/wait").await;
        settle().await;
        let shutdown = started.shutdown(GRACE_PERIOD);
        sleep(30 * SECOND).await;
        started.answer.notify_one();
        let reply = client.reply().await;
        assert_eq!((reply.text(), reply.is_last()), ("waited\n", true));
        assert!(client.ends().await);
        assert_eq!(shutdown.await.unwrap(), ShutdownReport { drained: 1, aborted: 0 });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_awaits_stopping_ends_its_endless_reply() {
    bounded(async {
        let started = start();
        let (mut events, mut hijacked) = (started.dial.connect(), started.dial.connect());
        events.get("/events").await;
        hijacked.get_upgrade("/hijack").await;
        assert_eq!(hijacked.head().await.unwrap().0, 101);
        settle().await;
        assert_eq!(started.server.counts(), Counts { active: 1, hijacked: 1, ..Counts::default() });
        let since = Instant::now();
        let shutdown = started.shutdown(GRACE_PERIOD);
        assert_eq!(events.reply().await.text(), "open\nbye\n");
        assert!(hijacked.ends().await);
        assert!(events.ends().await);
        assert_eq!(shutdown.await.unwrap(), ShutdownReport { drained: 2, aborted: 0 });
        assert!(since.elapsed() < 2 * SECOND, "{:?}", since.elapsed());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_open_connection_is_aborted_at_the_shutdown_deadline() {
    bounded(async {
        let started = start();
        let (mut endless, mut stuck) = (started.dial.connect(), started.dial.connect());
        let (mut idle, mut unread) = (started.dial.connect(), started.dial.connect_sized(10));
        endless.get("/endless").await;
        stuck.get("/for-ever").await;
        assert_eq!(idle.fetch("/").await.status, 200);
        unread.get("/endless").await;
        settle().await;
        let since = Instant::now();
        let shutdown = started.shutdown(5 * SECOND);
        let report = shutdown.await.unwrap();
        let took = since.elapsed();
        assert!((5 * SECOND..=5 * SECOND + SECOND / 10).contains(&took), "{took:?}");
        assert_eq!(report, ShutdownReport { drained: 1, aborted: 3 });
        assert_eq!(started.server.counts(), Counts::default());
        assert!(endless.try_reply().await.is_none(), "it is not taken for whole");
        assert!(stuck.ends().await && idle.ends().await);
    })
    .await;
}

#[tokio::test]
async fn a_real_connection_is_aborted_at_the_shutdown_deadline() {
    bounded(async {
        let server = support::server(routes(&Arc::default()));
        let (addr, _) = on_loopback(&server);
        let (mut endless, mut stuck, mut body) = (dial(&addr).await, dial(&addr).await, dial(&addr).await);
        endless.get("/endless").await;
        stuck.get("/for-ever").await;
        body.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").await;
        assert_eq!(endless.head().await.unwrap().0, 200);
        eventually("all are at work", || server.counts().active == 3).await;
        let since = std::time::Instant::now();
        let report = server.shutdown(SECOND / 2).await;
        let took = since.elapsed();
        assert!((SECOND / 2..SECOND * 7 / 10).contains(&took), "{took:?}");
        assert_eq!(report, ShutdownReport { drained: 0, aborted: 3 });
        assert_eq!(server.counts(), Counts::default());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn close_aborts_every_connection_at_once() {
    bounded(async {
        /// Counts the handlers that were dropped before their end.
        struct Dropped(Arc<AtomicUsize>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.fetch_add(1, SeqCst);
            }
        }
        let dropped = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&dropped);
        let server = support::server(move |_| {
            let dropped = Dropped(Arc::clone(&count));
            async move {
                let _dropped = dropped;
                std::future::pending::<()>().await;
            }
        });
        let (dial, serving) = in_memory(&server);
        let mut clients: Vec<_> = (0..5).map(|_| dial.connect()).collect();
        for client in &mut clients {
            client.get("/").await;
        }
        let mut half = dial.connect();
        half.send("GET /").await;
        settle().await;
        let since = Instant::now();
        assert_eq!(server.close().await, ShutdownReport { drained: 0, aborted: 6 });
        assert!(since.elapsed() <= SECOND / 10, "{:?}", since.elapsed());
        assert_eq!((dropped.load(SeqCst), server.counts()), (5, Counts::default()));
        for client in &mut clients {
            assert!(client.ends().await);
        }
        assert!(half.ends().await);
        assert!(serving.await.unwrap().is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn serve_after_a_shutdown_returns_closed() {
    bounded(async {
        let started = start();
        assert_eq!(started.server.shutdown(GRACE_PERIOD).await, ShutdownReport::default());
        let (listener, dial) = memory();
        assert!(matches!(started.server.serve(listener).await, Err(ServeError::Closed)));
        assert!(dial.is_shut(), "the listener is closed");
        assert_eq!(started.server.shutdown(GRACE_PERIOD).await, ShutdownReport::default());
    })
    .await;
}

#[tokio::test]
async fn a_shutdown_ends_tcp_and_unix_listeners_together() {
    bounded(async {
        let path = std::env::temp_dir().join(format!("quintet-shutdown-{}.sock", std::process::id()));
        let server = support::server(async |request: Request| format!("{}\n", request.connection().is_some()));
        let (tcp, unix) = (listen("127.0.0.1:0").unwrap(), listen(&format!("unix:{}", path.display())).unwrap());
        let addr = tcp.local_addr().unwrap().to_string();
        let (one, two) = (server.clone(), server.clone());
        let serving =
            [tokio::spawn(async move { one.serve(tcp).await }), tokio::spawn(async move { two.serve(unix).await })];
        let mut by_tcp = dial(&addr).await;
        let mut by_unix = Client::new(UnixStream::connect(&path).await.unwrap());
        assert_eq!(by_tcp.fetch("/").await.text(), "true\n");
        assert_eq!(by_unix.fetch("/").await.text(), "true\n");
        eventually("both are counted", || server.counts() == Counts { idle: 2, ..Counts::default() }).await;
        assert_eq!(server.health().len(), 2);
        assert_eq!(server.shutdown(GRACE_PERIOD).await, ShutdownReport { drained: 2, aborted: 0 });
        for serving in serving {
            assert!(serving.await.unwrap().is_ok());
        }
        assert!(by_tcp.ends().await && by_unix.ends().await);
        assert!(TcpStream::connect(&addr).await.is_err());
        assert!(UnixStream::connect(&path).await.is_err());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_shut_down_its_own_server() {
    type Stop = Box<dyn Fn() + Send + Sync>;
    bounded(async {
        let stop = Arc::<OnceLock<Stop>>::default();
        let known = Arc::clone(&stop);
        let server = support::server(move |_| {
            known.get().expect("set before it is served")();
            async { "stopping\n" }
        });
        let (tell, mut told) = mpsc::unbounded_channel();
        let own = server.clone();
        let _ = stop.set(Box::new(move || {
            let (own, tell) = (own.clone(), tell.clone());
            tokio::spawn(async move { tell.send(own.shutdown(GRACE_PERIOD).await) });
        }));
        let (dial, serving) = in_memory(&server);
        let mut client = dial.connect();
        assert_eq!(client.fetch("/").await.text(), "stopping\n");
        assert!(client.ends().await);
        assert!(serving.await.unwrap().is_ok());
        server.drained().await;
        assert_eq!(told.recv().await, Some(ShutdownReport { drained: 1, aborted: 0 }));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn idle_connections_close_at_once_without_a_drain_timeout() {
    bounded(async {
        let timeouts = Timeouts { drain: Duration::ZERO, ..Timeouts::default() };
        let server = Server::with_config(async |_| "hello\n", Config { timeouts, ..support::config() });
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        assert_eq!(client.fetch("/").await.status, 200);
        settle().await;
        let since = Instant::now();
        assert_eq!(server.shutdown(GRACE_PERIOD).await, ShutdownReport { drained: 1, aborted: 0 });
        assert!(since.elapsed() < SECOND * 3 / 4, "{:?}", since.elapsed());
    })
    .await;
}

#[tokio::test]
async fn a_client_in_the_backlog_is_served_at_a_shutdown() {
    bounded(async {
        let server = support::server(async |_| "hello\n");
        let (addr, serving) = on_loopback(&server);
        tokio::task::yield_now().await;
        // This thread does not await, so the accept loop does not run meanwhile.
        let mut clients: Vec<_> = (0..200).map(|_| std::net::TcpStream::connect(&addr).unwrap()).collect();
        for client in &mut clients {
            client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        }
        let report = server.shutdown(GRACE_PERIOD).await;
        assert!(serving.await.unwrap().is_ok());
        for (n, client) in clients.iter_mut().enumerate() {
            let mut reply = String::new();
            client.read_to_string(&mut reply).unwrap_or_else(|error| panic!("client {n}: {error}"));
            assert!(reply.ends_with("hello\n"), "client {n}: {reply:?}");
        }
        assert_eq!(report, ShutdownReport { drained: 200, aborted: 0 });
    })
    .await;
}
