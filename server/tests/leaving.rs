//! Leaving politely: in the shutdown delay the server still accepts, is not ready, and no request is lost. Time is paused.

mod support;

use std::{sync::Arc, time::Duration};

use quintet_server::{
    Body, Config, Request, Response, ServeMux, Server, ShutdownReport, Timeouts, conn::State, live, ready,
    request::CloseReason,
};
use support::{Client, Dial, bounded, eventually, in_memory};
use tokio::{
    io::DuplexStream,
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until, timeout},
};

const SECOND: Duration = Duration::from_secs(1);
const DELAY: Duration = Duration::from_secs(10);
/// Long enough for every client.
const GRACE_PERIOD: Duration = Duration::from_secs(60);

struct Started {
    server: Server<ServeMux>,
    dial: Dial,
    /// Lets the handlers of `/wait` finish.
    answer: Arc<Notify>,
}

impl Started {
    fn shutdown(&self) -> JoinHandle<ShutdownReport> {
        let server = self.server.clone();
        tokio::spawn(async move { server.shutdown(GRACE_PERIOD).await })
    }
}

fn start() -> Started {
    start_with(Config { shutdown_delay: DELAY, ..support::config() })
}

fn start_with(config: Config) -> Started {
    let answer = Arc::<Notify>::default();
    let waits = Arc::clone(&answer);
    let mux = ServeMux::new();
    mux.handle("/{$}", async |_| "hello\n");
    mux.handle("POST /count", async |mut request: Request| {
        request.to_bytes(1 << 20).await.map(|body| format!("{}\n", body.len()))
    });
    mux.handle("/wait", move |_| {
        let waits = Arc::clone(&waits);
        async move {
            waits.notified().await;
            "waited\n"
        }
    });
    mux.handle("/until-stopping", async |request: Request| {
        Response::new(Body::writer(move |mut w| async move {
            w.write("open\n").await?;
            w.flush().await?;
            request.stopping().await;
            w.write("bye\n").await
        }))
    });
    mux.handle("GET /readyz", ready(Default::default()));
    mux.handle("GET /livez", live);
    let server = Server::with_config(mux, config);
    let (dial, _) = in_memory(&server);
    Started { server, dial, answer }
}

/// Waits until the server has read everything that was sent.
async fn settle() {
    sleep(SECOND / 20).await;
}

/// The status of a probe by a connection of its own.
async fn probe(dial: &Dial, path: &str) -> (u16, String) {
    let reply = dial.connect().fetch(path).await;
    assert_eq!(reply.field("cache-control"), Some("no-store"), "{path}");
    (reply.status, reply.text().to_owned())
}

#[tokio::test(start_paused = true)]
async fn ready_is_503_and_accept_goes_on_in_the_shutdown_delay() {
    bounded(async {
        let started = start();
        let not_ready = (503, "not ready: shutting down\n".to_owned());
        assert_eq!(probe(&started.dial, "/readyz").await, (200, "ready\n".to_owned()));
        let (since, shutdown) = (Instant::now(), started.shutdown());
        for at in [0, 1, 5, 9] {
            sleep_until(since + at * SECOND + SECOND / 2).await;
            assert_eq!(probe(&started.dial, "/readyz").await, not_ready, "at {at} s");
            assert_eq!(probe(&started.dial, "/livez").await, (200, "alive\n".to_owned()), "at {at} s");
            let reply = started.dial.connect().fetch("/").await;
            assert_eq!((reply.text(), reply.is_last()), ("hello\n", true), "at {at} s");
            assert!(started.server.stats().is_retiring() && !started.server.stats().is_stopping());
        }
        started.server.stopping().await;
        assert!((DELAY..DELAY + SECOND).contains(&since.elapsed()), "{:?}", since.elapsed());
        eventually("the listener is closed", || started.dial.is_shut()).await;
        assert_eq!(shutdown.await.unwrap(), ShutdownReport { drained: 0, aborted: 0 });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_stays_open_in_the_shutdown_delay() {
    bounded(async {
        let started = start();
        let mut clients: Vec<Client<DuplexStream>> = (0..12).map(|_| started.dial.connect()).collect();
        for client in &mut clients {
            assert!(!client.fetch("/").await.is_last());
        }
        settle().await;
        let (since, shutdown) = (Instant::now(), started.shutdown());
        // A client sends on its kept connection each second: in the delay, and in the drain after it.
        for (n, mut client) in (0_u32..).zip(clients) {
            let at = if n < 10 { n * SECOND } else { DELAY + n % 10 * SECOND / 5 };
            sleep_until(since + at).await;
            let reply = client.fetch("/").await;
            assert_eq!((reply.text(), reply.is_last()), ("hello\n", true), "client {n}");
            assert!(client.ends().await, "client {n}");
        }
        assert_eq!(shutdown.await.unwrap(), ShutdownReport { drained: 2, aborted: 0 });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_the_shutdown_delay() {
    bounded(async {
        let started = start();
        let (mut idle, mut silent) = (started.dial.connect(), started.dial.connect());
        assert!(!idle.fetch("/").await.is_last());
        settle().await;
        let (since, shutdown) = (Instant::now(), started.shutdown());
        assert!(idle.ends().await && silent.ends().await);
        let took = since.elapsed();
        assert!((DELAY + SECOND / 2..DELAY + SECOND * 5 / 4).contains(&took), "{took:?}");
        assert_eq!(shutdown.await.unwrap(), ShutdownReport { drained: 2, aborted: 0 });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_all_answered_in_the_shutdown_delay() {
    bounded(async {
        let started = start();
        let mut client = started.dial.connect();
        client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(5)).await;
        settle().await;
        let shutdown = started.shutdown();
        settle().await;
        started.answer.notify_one();
        assert_eq!(client.reply().await.text(), "waited\n");
        for n in 1..=5 {
            let reply = client.reply().await;
            assert_eq!((reply.text(), reply.is_last()), ("hello\n", n == 5), "reply {n}");
        }
        assert!(client.ends().await);
        assert_eq!(shutdown.await.unwrap().aborted, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_in_pieces_is_answered_in_the_shutdown_delay() {
    bounded(async {
        let started = start();
        let request = b"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345";
        let mut clients: Vec<Client<DuplexStream>> = (0..=request.len()).map(|_| started.dial.connect()).collect();
        for (at, client) in clients.iter_mut().enumerate() {
            client.send(&request[..at]).await;
        }
        settle().await;
        let shutdown = started.shutdown();
        sleep(SECOND).await;
        for (at, client) in clients.iter_mut().enumerate() {
            client.send(&request[at..]).await;
            let reply = client.reply().await;
            // The last one was answered before the delay.
            assert_eq!((reply.text(), reply.is_last()), ("5\n", at < request.len()), "split at {at}");
        }
        drop(clients);
        assert_eq!(shutdown.await.unwrap(), ShutdownReport { drained: 0, aborted: 0 });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn retiring_resolves_at_the_beginning_of_the_shutdown_delay() {
    bounded(async {
        let started = start();
        timeout(SECOND, started.server.retiring()).await.expect_err("it serves");
        let (since, shutdown) = (Instant::now(), started.shutdown());
        started.server.retiring().await;
        assert!(since.elapsed() < SECOND, "{:?}", since.elapsed());
        started.server.stopping().await;
        assert!(since.elapsed() >= DELAY, "{:?}", since.elapsed());
        shutdown.await.unwrap();
        let without = Server::new(async |_| "hello\n");
        without.close().await;
        without.retiring().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn request_stopping_resolves_after_the_shutdown_delay() {
    bounded(async {
        let started = start();
        let mut events = started.dial.connect();
        events.get("/until-stopping").await;
        settle().await;
        let (since, shutdown) = (Instant::now(), started.shutdown());
        assert_eq!(events.reply().await.text(), "open\nbye\n");
        assert!(since.elapsed() >= DELAY, "{:?}", since.elapsed());
        assert_eq!(shutdown.await.unwrap(), ShutdownReport { drained: 1, aborted: 0 });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_second_shutdown_in_the_delay_does_not_prolong_it() {
    bounded(async {
        let started = start();
        let (since, first) = (Instant::now(), started.shutdown());
        sleep(7 * SECOND).await;
        let second = started.shutdown();
        let (first, second) = tokio::join!(first, second);
        assert_eq!((first.unwrap(), second.unwrap()), Default::default());
        assert!((DELAY..DELAY + SECOND).contains(&since.elapsed()), "{:?}", since.elapsed());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn close_ends_the_shutdown_delay() {
    bounded(async {
        let started = start();
        let mut busy = started.dial.connect();
        busy.get("/wait").await;
        settle().await;
        let shutdown = started.shutdown();
        sleep(3 * SECOND).await;
        let since = Instant::now();
        assert_eq!(started.server.close().await, ShutdownReport { drained: 0, aborted: 1 });
        assert!(since.elapsed() < SECOND, "{:?}", since.elapsed());
        assert!(busy.ends().await);
        shutdown.await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_shutdown_leaves_the_server_in_its_delay() {
    bounded(async {
        let started = start();
        let shutdown = started.shutdown();
        sleep(SECOND).await;
        shutdown.abort();
        sleep(10 * DELAY).await;
        assert!(started.dial.connect().fetch("/").await.is_last());
        // What is left of the delay is over.
        let since = Instant::now();
        started.server.shutdown(GRACE_PERIOD).await;
        assert!(since.elapsed() < SECOND, "{:?}", since.elapsed());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_opens_in_the_shutdown_delay_retires_too() {
    bounded(async {
        let started = start();
        let shutdown = started.shutdown();
        sleep(SECOND).await;
        let (late, serving) = in_memory(&started.server);
        assert!(late.connect().fetch("/").await.is_last());
        shutdown.await.unwrap();
        assert!(serving.await.unwrap().is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_close_reason_in_the_shutdown_delay_is_stopping() {
    bounded(async {
        let (tell, told) = std::sync::mpsc::channel();
        let mut config = Config { shutdown_delay: DELAY, ..Config::default() };
        config.timeouts = Timeouts { read_header: 5 * SECOND, ..Timeouts::default() };
        config.hooks.state = Some(Arc::new(move |connection, _, to| {
            if to == State::Closed {
                tell.send(connection.close_reason::<CloseReason>()).unwrap();
            }
        }));
        let started = start_with(config);
        let (mut first, mut idle) = (started.dial.connect(), started.dial.connect());
        assert_eq!(first.fetch("/").await.status, 200);
        let shutdown = started.shutdown();
        settle().await;
        assert!(first.fetch("/").await.is_last() && first.ends().await);
        drop(first);
        eventually("the first is closed", || started.server.counts().total() == 1).await;
        assert_eq!(told.try_recv(), Ok(Some(CloseReason::Stopping)));
        // The delay does not change why a connection ends that would have ended anyway.
        assert!(idle.ends().await);
        drop(idle);
        eventually("the other is closed", || started.server.counts().total() == 0).await;
        assert_eq!(told.try_recv(), Ok(Some(CloseReason::HeadTimeout)));
        let mut late = started.dial.connect();
        sleep(SECOND).await;
        assert!(late.ends().await);
        shutdown.await.unwrap();
    })
    .await;
}

/// Clients of a balancer: each keeps its connection, opens another one when it was told to close, and turns away when the
/// probe says 503. They send at all times of a shutdown, and count what is not answered.
#[tokio::test(start_paused = true)]
async fn no_request_is_lost_in_a_shutdown_with_a_delay() {
    /// Sends requests, this long apart, until the server is seen not to be ready. Returns how many were answered.
    async fn client(dial: Dial, pause: Duration) -> usize {
        let (mut answered, mut connection) = (0, dial.connect());
        let mut probed = Instant::now();
        loop {
            if probed.elapsed() >= 2 * SECOND {
                probed = Instant::now();
                if dial.connect().fetch("/readyz").await.status == 503 {
                    return answered;
                }
            }
            let body = if answered % 2 == 0 { "12345" } else { "" };
            let length = body.len();
            connection.send(format!("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")).await;
            let reply = connection.try_reply().await.expect("an answer to each request");
            assert_eq!((reply.status, reply.text()), (200, format!("{length}\n").as_str()));
            answered += 1;
            if reply.is_last() {
                connection = dial.connect();
            }
            sleep(pause).await;
        }
    }
    bounded(async {
        let started = start();
        let pauses = [1, 7, 13, 50, 99, 170, 333, 500, 1_000, 1_999].map(Duration::from_millis);
        let clients: Vec<_> = pauses.map(|pause| tokio::spawn(client(started.dial.clone(), pause))).into();
        sleep(5 * SECOND).await;
        let report = started.server.shutdown(GRACE_PERIOD).await;
        for client in clients {
            assert!(client.await.expect("no request is lost") > 0);
        }
        assert_eq!(report.aborted, 0);
    })
    .await;
}
