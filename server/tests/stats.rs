//! `Stats` and the probes: what they say while connections come and go. Time is paused.

mod support;

use std::{sync::Arc, time::Duration};

use quintet_listener::testing::{AcceptStep, ScriptedListener};
use quintet_server::{
    AccessLog, Config, Handler, ReadyOptions, Request, ServeMux, Server, Stats, conn::Counts, listener::Limit, live,
    ready,
};
use support::{bounded, eventually, in_memory, memory};
use tokio::{sync::Notify, time::sleep};

/// The error of a process that is out of descriptors.
const EMFILE: i32 = 24;

fn get(path: &str) -> Request {
    Request::parse(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).expect("a request")
}

/// The answer of a probe that came by no server, as an admin server would give it.
async fn asked(handler: &impl Handler) -> (u16, String) {
    let reply = handler.call(get("/readyz")).await;
    assert_eq!(reply.header("cache-control").expect("a field"), "no-store");
    let body = reply.body().as_bytes().expect("a body in memory").to_vec();
    (reply.status().as_u16(), String::from_utf8(body).expect("text"))
}

/// A server whose handler waits, except for that of `/`.
fn waiting() -> (Server<ServeMux>, Arc<Notify>) {
    let answer = Arc::<Notify>::default();
    let waits = Arc::clone(&answer);
    let mux = ServeMux::new();
    mux.handle("/wait", move |_| {
        let waits = Arc::clone(&waits);
        async move { waits.notified().await }
    });
    mux.handle("/{$}", async |_| "hello\n");
    mux.handle("/requests", async |request: Request| {
        Stats::of(&request).expect("it came by a server").requests().to_string()
    });
    (support::server(mux), answer)
}

#[tokio::test(start_paused = true)]
async fn stats_count_connections_and_requests() {
    bounded(async {
        let (server, answer) = waiting();
        let stats = server.stats();
        assert!(!stats.is_accepting());
        let (dial, _) = in_memory(&server);
        let mut clients: Vec<_> = (0..5).map(|_| dial.connect()).collect();
        assert_eq!(clients[0].fetch("/").await.status, 200);
        assert_eq!(clients[1].fetch("/requests").await.text(), "1");
        clients[2].get("/wait").await;
        clients[3].send("GET /").await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(stats.counts(), Counts { new: 1, active: 2, idle: 2, ..Counts::default() });
        assert_eq!(stats.requests(), 2, "one of them with half a head");
        assert!(stats.is_accepting() && !stats.is_retiring() && !stats.is_full() && !stats.is_accept_failing());
        assert_eq!(stats.health()[0].snapshot().accepted, 5);
        assert!(stats.listeners()[0].limit.is_none());
        answer.notify_waiters();
        clients.remove(2).reply().await;
        drop(clients);
        eventually("all have left", || stats.counts() == Counts::default()).await;
        server.close().await;
        assert!(!stats.is_accepting() && stats.is_stopping());
    })
    .await;
}

#[cfg(feature = "http2")]
#[tokio::test(start_paused = true)]
async fn stats_count_the_requests_of_http2() {
    use h2::client;
    bounded(async {
        let (answer, mut config) = (Arc::<Notify>::default(), support::config());
        let waits = Arc::clone(&answer);
        config.protocols.unencrypted_http2 = true;
        let handler = move |_| {
            let waits = Arc::clone(&waits);
            async move { waits.notified().await }
        };
        let server = Server::with_config(handler, config);
        let (dial, _) = in_memory(&server);
        let (mut send, connection) = client::handshake(dial.connect().io).await.unwrap();
        tokio::spawn(connection);
        let request = || http::Request::get("http://a.example/").body(()).unwrap();
        let mut replies = Vec::new();
        for _ in 0..3 {
            send = send.ready().await.unwrap();
            replies.push(send.send_request(request(), true).unwrap().0);
        }
        let stats = server.stats();
        eventually("three requests", || stats.requests() == 3).await;
        assert_eq!(stats.counts().active, 1);
        answer.notify_waiters();
        for reply in replies {
            assert_eq!(reply.await.unwrap().status(), 200);
        }
        eventually("no request", || stats.requests() == 0).await;
        assert_eq!(stats.counts().idle, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn ready_asks_the_server_that_the_probe_came_by() {
    bounded(async {
        let mux = ServeMux::new();
        mux.handle("GET /readyz", ready(ReadyOptions::default()));
        mux.handle("GET /livez", live);
        let server = support::server(mux);
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        for (path, text) in [("/readyz", "ready\n"), ("/livez", "alive\n")] {
            let reply = client.fetch(path).await;
            assert_eq!((reply.status, reply.text(), reply.field("cache-control")), (200, text, Some("no-store")));
            assert_eq!(reply.field("content-type"), Some("text/plain; charset=utf-8"));
        }
        let none = asked(&ready(ReadyOptions::default())).await;
        assert_eq!(none, (503, "not ready: the request came by no server\n".to_owned()));
        assert_eq!(asked(&live).await, (200, "alive\n".to_owned()));
    })
    .await;
}

/// As an admin server asks, which is another server.
#[tokio::test(start_paused = true)]
async fn ready_is_503_before_and_after_serving() {
    bounded(async {
        let server = support::server(async |_| "hello\n");
        let probe = ready(ReadyOptions { stats: Some(server.stats()), ..ReadyOptions::default() });
        assert_eq!(asked(&probe).await, (503, "not ready: not accepting\n".to_owned()));
        let (_dial, serving) = in_memory(&server);
        tokio::task::yield_now().await;
        assert_eq!(asked(&probe).await, (200, "ready\n".to_owned()));
        server.close().await;
        serving.await.unwrap().unwrap();
        assert_eq!(asked(&probe).await, (503, "not ready: shutting down\n".to_owned()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn ready_is_503_while_accept_fails_with_emfile() {
    bounded(async {
        let mut config = support::config();
        config.hooks.accept_error = Some(Arc::new(|_| {}));
        let server = Server::with_config(async |_| "hello\n", config);
        let options = ReadyOptions { stats: Some(server.stats()), ..ReadyOptions::default() };
        let (probe, deaf) = (ready(options.clone()), ready(ReadyOptions { accept_failing: false, ..options }));
        let listener = ScriptedListener::new([AcceptStep::Fail(EMFILE); 8]);
        let serves = server.clone();
        tokio::spawn(async move { serves.serve(listener).await });
        // The pauses are 5, 10, 20 … 640 ms.
        sleep(Duration::from_millis(200)).await;
        assert_eq!(asked(&probe).await, (503, "not ready: accepting fails\n".to_owned()));
        assert_eq!(asked(&deaf).await.0, 200);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(asked(&probe).await, (200, "ready\n".to_owned()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn ready_is_503_when_permits_are_out_if_it_is_told_so() {
    bounded(async {
        let (server, answer) = waiting();
        let options = ReadyOptions { stats: Some(server.stats()), full: true, ..ReadyOptions::default() };
        let (probe, default) = (ready(options.clone()), ready(ReadyOptions { full: false, ..options }));
        let (listener, dial) = memory();
        let serves = server.clone();
        tokio::spawn(async move { serves.serve(Limit::new(listener, 2)).await });
        let (mut idle, mut busy) = (dial.connect(), dial.connect());
        assert_eq!(idle.fetch("/").await.status, 200);
        busy.get("/wait").await;
        eventually("one is at work, one idle", || server.counts().idle == 1 && server.counts().active == 1).await;
        assert_eq!(server.stats().listeners()[0].limit.as_ref().unwrap().snapshot().available, 0);
        assert_eq!(asked(&probe).await.0, 200, "the idle one would make room");
        idle.get("/wait").await;
        eventually("both are at work", || server.counts().active == 2).await;
        assert_eq!(asked(&probe).await, (503, "not ready: no permit is free\n".to_owned()));
        assert_eq!(asked(&default).await.0, 200);
        answer.notify_waiters();
        busy.reply().await;
        idle.reply().await;
        eventually("none is at work", || server.counts().active == 0).await;
        assert_eq!(asked(&probe).await.0, 200);
    })
    .await;
}

#[tokio::test]
async fn stats_have_the_counts_of_the_access_log() {
    bounded(async {
        assert!(support::server(async |_| "hello\n").stats().access_log().is_none());
        let path = std::env::temp_dir().join(format!("quintet-stats-{}.log", std::process::id()));
        let config = Config { access_log: Some(AccessLog::open(&path).unwrap()), ..support::config() };
        let server = Server::with_config(async |_| "hello\n", config);
        let (dial, _) = in_memory(&server);
        assert_eq!(dial.connect().fetch("/").await.status, 200);
        server.close().await;
        std::fs::remove_file(&path).unwrap();
        let counts = server.stats().access_log().unwrap();
        assert_eq!((counts.written, counts.dropped, counts.failed), (1, 0, 0));
    })
    .await;
}

/// The connections of a server have its stats, and its stats its connections: neither keeps the other alive.
#[tokio::test(start_paused = true)]
async fn a_server_is_freed_with_its_last_handle() {
    bounded(async {
        let alive = Arc::new(());
        let (held, weak) = (Arc::clone(&alive), Arc::downgrade(&alive));
        drop(alive);
        let mut config = support::config();
        config.hooks.state = Some(Arc::new(move |_, _, _| _ = &held));
        let server = Server::with_config(async |_| "hello\n", config);
        let (dial, serving) = in_memory(&server);
        assert_eq!(dial.connect().fetch("/").await.status, 200);
        server.close().await;
        serving.await.unwrap().unwrap();
        assert!(weak.upgrade().is_some());
        drop((server, dial));
        eventually("the hook is dropped", || weak.upgrade().is_none()).await;
    })
    .await;
}
