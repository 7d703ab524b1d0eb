//! Shutdown, GOAWAY and the limits of a connection of HTTP/2.

#![cfg(feature = "http2")]

mod http2_kit;
mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use h2::Reason;
use http2_kit::{config, connect, read, request, start, start_with};
use quintet_server::{Request, Response, ServeMux, Server, listener::Limit, request::CloseReason};
use support::{bounded, eventually};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

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
    mux.handle("/close", async |_| Response::new("bye\n").with_header("connection", "close"));
    mux.handle("/sleep", async |_| {
        sleep(Duration::from_secs(5)).await;
        "slept\n"
    });
    mux
}

#[tokio::test(start_paused = true)]
async fn requests_in_progress_are_answered_after_a_shutdown() {
    bounded(async {
        let answer = Arc::new(Notify::new());
        let (server, dial) = start(routes(&answer));
        let mut client = connect(&dial).await;
        let mut replies = Vec::new();
        for _ in 0..10 {
            replies.push(client.open(request("GET", "/wait"), true).await.0);
        }
        assert_eq!(client.get("/").await.text(), "hello\n");
        let stop = tokio::spawn({
            let server = server.clone();
            async move { server.shutdown(Duration::from_secs(60)).await }
        });
        sleep(Duration::from_secs(2)).await;
        answer.notify_waiters();
        for reply in replies {
            assert_eq!(read(reply).await.unwrap().text(), "waited\n");
        }
        let report = stop.await.unwrap();
        assert_eq!((report.drained, report.aborted), (1, 0));
        client.connection.await.unwrap().unwrap();
    })
    .await;
}

/// The GOAWAY says that the client may send what it has sent already: requests on their way are not lost.
#[tokio::test(start_paused = true)]
async fn a_request_on_its_way_during_a_shutdown_is_answered() {
    bounded(async {
        let answer = Arc::new(Notify::new());
        let (server, dial) = start(routes(&answer));
        let mut client = connect(&dial).await;
        assert_eq!(client.get("/").await.text(), "hello\n");
        let stop = tokio::spawn({
            let server = server.clone();
            async move { server.shutdown(Duration::from_secs(60)).await }
        });
        // Opened before the client's task reads the GOAWAY.
        let (reply, _) = client.open(request("GET", "/"), true).await;
        assert_eq!(read(reply).await.unwrap().text(), "hello\n");
        assert_eq!(stop.await.unwrap().drained, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_leaves_a_shutdown_at_once() {
    bounded(async {
        let (server, dial) = start(async |_| "hello\n");
        let mut client = connect(&dial).await;
        client.get("/").await;
        let began = Instant::now();
        let report = server.shutdown(Duration::from_secs(60)).await;
        assert_eq!((report.drained, report.aborted), (1, 0));
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        client.connection.await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_aborts_a_handler_that_never_ends() {
    bounded(async {
        let answer = Arc::new(Notify::new());
        let (server, dial) = start(routes(&answer));
        let mut client = connect(&dial).await;
        let (reply, _) = client.open(request("GET", "/for-ever"), true).await;
        let waits = tokio::spawn(read(reply));
        eventually("the handler runs", || server.counts().active == 1).await;
        let report = server.shutdown(Duration::from_secs(1)).await;
        assert_eq!((report.drained, report.aborted), (0, 1));
        assert!(waits.await.unwrap().is_err());
        server.drained().await;
    })
    .await;
}

/// A handler goes on after its client has disconnected, and its connection is counted until then.
#[tokio::test(start_paused = true)]
async fn a_connection_is_counted_until_its_last_handler_is_done() {
    bounded(async {
        let told = Arc::new(AtomicUsize::new(0));
        let tells = Arc::clone(&told);
        let handler = move |request: Request| {
            let tells = Arc::clone(&tells);
            async move {
                request.disconnected().await;
                tells.fetch_add(1, SeqCst);
                sleep(Duration::from_secs(5)).await;
                tells.fetch_add(10, SeqCst);
            }
        };
        let (server, dial) = start(handler);
        let mut client = connect(&dial).await;
        let (reply, _) = client.open(request("GET", "/"), true).await;
        eventually("the handler runs", || server.counts().active == 1).await;
        client.connection.abort();
        drop((client, reply));
        eventually("the handler is told", || told.load(SeqCst) == 1).await;
        assert_eq!(server.counts().total(), 1);
        let report = server.shutdown(Duration::from_secs(60)).await;
        assert_eq!((report.drained, told.load(SeqCst)), (1, 11));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_goaway_follows_max_requests() {
    bounded(async {
        let mut config = config();
        config.max_requests = 3;
        let (server, dial) = start_with(async |_| "hello\n", config);
        let mut client = connect(&dial).await;
        for _ in 0..3 {
            assert_eq!(client.get("/").await.text(), "hello\n");
        }
        // Time is paused: a connection without GOAWAY would end, too, after the time of an idle one.
        let replied = Instant::now();
        client.connection.await.unwrap().unwrap();
        assert!(replied.elapsed() < Duration::from_secs(1), "after {:?}", replied.elapsed());
        eventually("the connection ends", || server.counts().total() == 0).await;
        assert!(client.send.clone().ready().await.is_err());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_goaway_follows_max_age() {
    bounded(async {
        let mut config = config();
        config.max_age = Duration::from_secs(30);
        let (server, dial) = start_with(async |_| "hello\n", config);
        let mut client = connect(&dial).await;
        assert_eq!(client.get("/").await.text(), "hello\n");
        sleep(Duration::from_secs(20)).await;
        assert_eq!(client.get("/").await.text(), "hello\n", "younger than its greatest age");
        sleep(Duration::from_secs(20)).await;
        assert_eq!(client.get("/").await.text(), "hello\n", "the last request");
        let replied = Instant::now();
        client.connection.await.unwrap().unwrap();
        assert!(replied.elapsed() < Duration::from_secs(1), "after {:?}", replied.elapsed());
        eventually("the connection ends", || server.counts().total() == 0).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn requests_in_progress_are_answered_after_max_age() {
    bounded(async {
        let (answer, mut config) = (Arc::new(Notify::new()), config());
        config.max_age = Duration::from_secs(30);
        let (server, dial) = start_with(routes(&answer), config);
        let mut client = connect(&dial).await;
        let (slow, _) = client.open(request("GET", "/wait"), true).await;
        sleep(Duration::from_secs(40)).await;
        assert_eq!(client.get("/").await.text(), "hello\n", "the last request");
        sleep(Duration::from_secs(300)).await;
        answer.notify_waiters();
        assert_eq!(read(slow).await.unwrap().text(), "waited\n");
        client.connection.await.unwrap().unwrap();
        eventually("the connection ends", || server.counts().total() == 0).await;
    })
    .await;
}

/// The settings of the tests, with a delay before the shutdown.
fn with_delay() -> quintet_server::Config {
    let mut config = config();
    config.shutdown_delay = Duration::from_secs(10);
    config
}

#[tokio::test(start_paused = true)]
async fn a_goaway_is_sent_at_the_beginning_of_the_shutdown_delay() {
    bounded(async {
        let answer = Arc::new(Notify::new());
        let (server, dial) = start_with(routes(&answer), with_delay());
        let (mut idle, mut busy) = (connect(&dial).await, connect(&dial).await);
        assert_eq!(idle.get("/").await.text(), "hello\n");
        let (slow, _) = busy.open(request("GET", "/wait"), true).await;
        eventually("one is at work", || server.counts().active == 1).await;
        let began = Instant::now();
        let stop = tokio::spawn({
            let server = server.clone();
            async move { server.shutdown(Duration::from_secs(60)).await }
        });
        // The idle connection ends in order, and the client may send its next request elsewhere.
        idle.connection.await.unwrap().unwrap();
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        sleep(Duration::from_secs(5)).await;
        answer.notify_waiters();
        assert_eq!(read(slow).await.unwrap().text(), "waited\n", "a request in progress is answered");
        busy.connection.await.unwrap().unwrap();
        // A new connection is served, and told as well.
        let mut new = connect(&dial).await;
        assert_eq!(new.get("/").await.text(), "hello\n");
        new.connection.await.unwrap().unwrap();
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        let report = stop.await.unwrap();
        assert_eq!((report.drained, report.aborted), (0, 0));
    })
    .await;
}

/// A proxy that has a request for a connection while it connects would lose it to a GOAWAY that came first.
#[tokio::test(start_paused = true)]
async fn a_new_http2_connection_in_the_delay_answers_before_its_goaway() {
    bounded(async {
        let (server, dial) = start_with(async |_| "hello\n", with_delay());
        let stop = tokio::spawn({
            let server = server.clone();
            async move { server.shutdown(Duration::from_secs(60)).await }
        });
        sleep(Duration::from_secs(1)).await;
        let (mut slow, silent) = (connect(&dial).await, connect(&dial).await);
        sleep(Duration::from_secs(3)).await;
        assert!(!slow.connection.is_finished());
        assert_eq!(slow.get("/").await.text(), "hello\n", "long after it has connected");
        slow.connection.await.unwrap().unwrap();
        silent.connection.await.unwrap().unwrap();
        assert!(server.stats().is_stopping(), "one without a request is told at the end of the delay");
        assert_eq!(stop.await.unwrap().aborted, 0);
    })
    .await;
}

/// A client that keeps its connection until it has read a GOAWAY, as a balancer does, and then opens another one.
#[tokio::test(start_paused = true)]
async fn no_request_is_lost_in_a_shutdown_with_a_delay() {
    bounded(async {
        let (server, dial) = start_with(async |_| "hello\n", with_delay());
        let (mut connections, mut client) = (1, connect(&dial).await);
        let began = Instant::now();
        let stop = tokio::spawn({
            let server = server.clone();
            async move {
                sleep(Duration::from_secs(2)).await;
                server.shutdown(Duration::from_secs(60)).await
            }
        });
        for n in 0.. {
            if began.elapsed() > Duration::from_secs(11) {
                break;
            }
            if client.connection.is_finished() {
                (connections, client) = (connections + 1, connect(&dial).await);
            }
            assert_eq!(client.get("/").await.text(), "hello\n", "request {n}");
            sleep(Duration::from_millis(n * 7 % 90)).await;
        }
        assert!(connections > 1, "it was told to leave");
        client.connection.await.unwrap().unwrap();
        assert_eq!(stop.await.unwrap().aborted, 0);
    })
    .await;
}

/// Two permits, two idle connections of HTTP/2, and a new client.
#[tokio::test(start_paused = true)]
async fn the_longest_idle_connection_makes_room_for_a_new_client() {
    bounded(async {
        let (memory, dial) = support::memory();
        let server = Server::with_config(async |_| "hello\n", config());
        let serves = server.clone();
        tokio::spawn(async move { serves.serve(Limit::new(memory, 2)).await });
        let idle = async || {
            let mut client = connect(&dial).await;
            assert_eq!(client.get("/").await.text(), "hello\n");
            // The sweeper's clock orders idle connections. It moves five times a second.
            sleep(Duration::from_secs(1)).await;
            client
        };
        let (first, mut second) = (idle().await, idle().await);
        let mut new = connect(&dial).await;
        assert_eq!(new.get("/").await.text(), "hello\n");
        // By an orderly GOAWAY: the connection of the client ends without an error.
        first.connection.await.unwrap().unwrap();
        assert_eq!(second.get("/").await.text(), "hello\n", "the other one stays");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn connection_close_of_a_handler_is_a_goaway() {
    bounded(async {
        let answer = Arc::new(Notify::new());
        let reasons = Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = Arc::clone(&reasons);
        let mut config = config();
        config.hooks.state = Some(Arc::new(move |connection, _, to| {
            if to == quintet_server::conn::State::Closed {
                seen.lock().unwrap().push(connection.close_reason::<CloseReason>());
            }
        }));
        let (_server, dial) = start_with(routes(&answer), config);
        let mut client = connect(&dial).await;
        let (slow, _) = client.open(request("GET", "/sleep"), true).await;
        let reply = client.get("/close").await;
        assert_eq!((reply.text(), reply.field("connection")), ("bye\n", None));
        assert_eq!(read(slow).await.unwrap().text(), "slept\n", "a request in progress is answered");
        client.connection.await.unwrap().unwrap();
        eventually("the connection ends", || *reasons.lock().unwrap() == [Some(CloseReason::HandlerAsked)]).await;
    })
    .await;
}

/// A client that never answers the PING of a graceful shutdown is not waited for.
#[tokio::test(start_paused = true)]
async fn requests_long_after_a_goaway_are_refused() {
    bounded(async {
        let answer = Arc::new(Notify::new());
        let (server, dial) = start(routes(&answer));
        let mut client = connect(&dial).await;
        let (waits, _) = client.open(request("GET", "/wait"), true).await;
        eventually("the handler runs", || server.counts().active == 1).await;
        let stop = tokio::spawn({
            let server = server.clone();
            async move { server.shutdown(Duration::from_secs(60)).await }
        });
        // This client reads, so it learns of the shutdown, and asks no more.
        sleep(Duration::from_secs(2)).await;
        let error = match client.send.clone().ready().await {
            Err(error) => error,
            Ok(mut send) => send.send_request(request("GET", "/"), true).map(drop).unwrap_err(),
        };
        assert_eq!(error.reason(), Some(Reason::NO_ERROR));
        answer.notify_waiters();
        assert_eq!(read(waits).await.unwrap().text(), "waited\n");
        assert_eq!(stop.await.unwrap().drained, 1);
    })
    .await;
}
