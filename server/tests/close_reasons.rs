//! The close reasons that the state hook is told: raw bytes of a client, and the reason.

mod support;

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::Duration,
};

use http_body::Frame;
use quintet_server::{
    Body, Bytes, Config, Request, Response, ServeMux, Server, StatusCode, conn::State, listener::Limit,
    request::CloseReason,
};
use support::{bounded, in_memory, memory};
use tokio::time::{Sleep, sleep};

/// The behaviour of the client after it has sent its bytes.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// It reads to the end.
    Reads,
    /// It half-closes (FIN), and reads to the end.
    Finishes,
    /// It closes.
    Drops,
    /// It neither reads nor closes.
    Waits,
}

/// A server, and the reasons that its state hook was told.
struct Told {
    server: Server<ServeMux>,
    reasons: Arc<Mutex<Vec<Option<CloseReason>>>>,
}

impl Told {
    fn new(mut config: Config) -> Self {
        let reasons = Arc::<Mutex<Vec<_>>>::default();
        let told = Arc::clone(&reasons);
        config.hooks.state = Some(Arc::new(move |connection, _, to| {
            if matches!(to, State::Closed | State::Hijacked) {
                told.lock().expect("no panic").push(connection.close_reason());
            }
        }));
        config.hooks.panicked = Some(Arc::new(|_| {}));
        Self { server: Server::with_config(mux(), config), reasons }
    }

    /// Waits for the end of the only connection; returns its reason.
    async fn reason(&self) -> Option<CloseReason> {
        for _ in 0..10_000 {
            if let Some(reason) = self.reasons.lock().expect("no panic").first() {
                return *reason;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("it does not end")
    }
}

fn mux() -> ServeMux {
    let mux = ServeMux::new();
    mux.handle("/", async |_: Request| "hello");
    mux.handle("/read", async |mut request: Request| match request.to_bytes(1 << 20).await {
        Ok(_) => StatusCode::OK,
        Err(error) => error.status(),
    });
    mux.handle("/close", async |_: Request| Response::new("x").with_header("connection", "close"));
    mux.handle("/abort", async |_: Request| Response::abort());
    mux.handle("/panic", async |_: Request| -> &'static str { panic!("as asked") });
    mux.handle("/wait", async |_: Request| sleep(Duration::from_secs(3600)).await);
    mux.handle("/big", async |_: Request| vec![b'x'; 1 << 20]);
    // More than the client's buffer holds, and less than what is waited for before the connection is closed.
    mux.handle("/some", async |_: Request| vec![b'x'; 80 << 10]);
    mux.handle("/bomb", async |_: Request| Response::new(Body::new(Bomb)));
    mux.handle("/held-bomb", async |_: Request| {
        let _bomb = Bomb;
        sleep(Duration::from_secs(3600)).await;
    });
    mux.handle("/stream", async |_: Request| Response::new(Body::new(Pieces::new(false))));
    mux.handle("/broken", async |_: Request| Response::new(Body::new(Pieces::new(true))));
    mux.handle("/echo", async |mut request: Request| Response::new(std::mem::take(request.body_mut())));
    mux.handle("/upgrade", async |_: Request| {
        Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, |_| async {}).with_header("upgrade", "x")
    });
    mux
}

/// A body of unknown length; a part of it is sent before it ends or breaks.
struct Pieces {
    sent: bool,
    breaks: bool,
    pause: Pin<Box<Sleep>>,
}

impl Pieces {
    fn new(breaks: bool) -> Self {
        Self { sent: false, breaks, pause: Box::pin(sleep(Duration::from_secs(1))) }
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        if !std::mem::replace(&mut self.sent, true) {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"piece")))));
        }
        ready!(self.pause.as_mut().poll(cx));
        Poll::Ready(if self.breaks { Some(Err("broken")) } else { None })
    }
}

/// An empty body that panics when it is dropped.
struct Bomb;

impl http_body::Body for Bomb {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        Poll::Ready(None)
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("as asked")
    }
}

/// Requests by their first line and what follows it, without `Host`.
fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn post(path: &str, rest: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\n{rest}")
}

/// The reason for the end of a connection whose client sends these bytes.
async fn reason(config: Config, bytes: &str, then: Then) -> Option<CloseReason> {
    let told = Told::new(config);
    let (dial, _) = in_memory(&told.server);
    let mut client = dial.connect();
    client.send(bytes).await;
    match then {
        Then::Reads => drop(client.rest().await),
        Then::Finishes => {
            client.finish().await;
            client.rest().await;
        }
        Then::Drops => drop(client),
        Then::Waits => {
            let reason = told.reason().await;
            drop(client);
            return reason;
        }
    }
    told.reason().await
}

#[tokio::test(start_paused = true)]
async fn the_state_hook_is_told_why_a_connection_ends() {
    use CloseReason::*;
    use Then::{Drops, Finishes, Reads, Waits};
    let old = |rest: &str| format!("GET {rest}\r\n\r\n");
    let upgrade = "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n".to_owned();
    let close = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned();
    let rows: Vec<(String, Then, CloseReason)> = vec![
        // Before a request.
        (String::new(), Finishes, ClientClosed),
        (String::new(), Drops, ClientClosed),
        (String::new(), Waits, HeadTimeout),
        ("\r\n".to_owned(), Waits, IdleTimeout),
        ("GET / HT".to_owned(), Finishes, UnexpectedEof),
        ("GET / HT".to_owned(), Waits, HeadTimeout),
        ("GET / HTTP/5.6\r\n\r\n".to_owned(), Reads, HeadRefused),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), Drops, HeadRefused),
        // After one.
        (get("/"), Finishes, ClientClosed),
        (get("/"), Waits, IdleTimeout),
        (get("/") + "GET", Finishes, UnexpectedEof),
        (get("/") + &close, Reads, ClientAsked),
        (old("/ HTTP/1.0"), Reads, ClientAsked),
        (old("/stream HTTP/1.0\r\nConnection: keep-alive"), Reads, CloseDelimited),
        (get("/close"), Reads, HandlerAsked),
        (get("/abort"), Reads, HandlerAsked),
        (get("/panic"), Reads, Panic),
        // Bodies of requests.
        (post("/", "Content-Length: 10000000\r\n\r\nx"), Reads, RequestBodyUnread),
        (post("/", "Content-Length: 10\r\n\r\nx"), Reads, RequestBodyUnread),
        (post("/", "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n"), Reads, RequestBodyUnread),
        (post("/", "Content-Length: 10\r\n\r\nx"), Finishes, RequestBodyBroken),
        (post("/", "Transfer-Encoding: chunked\r\n\r\nxyz\r\n"), Reads, RequestBodyBroken),
        (post("/read", "Transfer-Encoding: chunked\r\n\r\nxyz\r\n"), Reads, RequestBodyBroken),
        (post("/read", "Content-Length: 10\r\n\r\nx"), Finishes, RequestBodyBroken),
        (post("/read", "Content-Length: 10\r\n\r\nx"), Reads, RequestBodyTimeout),
        (post("/echo", "Content-Length: 10\r\n\r\nx"), Finishes, RequestBodyBroken),
        // Replies that are not made, or not read.
        (get("/broken"), Reads, ReplyBroken),
        (old("/broken HTTP/1.0"), Reads, ReplyBroken),
        (get("/big"), Waits, ReplyTimeout),
        (old("/big HTTP/1.0"), Waits, ReplyTimeout),
        (get("/big"), Drops, Io),
        (get("/some"), Waits, ReplyTimeout),
        (old("/some HTTP/1.0"), Waits, ReplyTimeout),
        (get("/some") + &close, Waits, ReplyTimeout),
        (get("/bomb"), Reads, Panic),
        // Other protocols.
        (upgrade.clone(), Reads, Takeover),
        (upgrade, Drops, Io),
        (get("/upgrade"), Reads, TakeoverRefused),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n".to_owned(), Reads, TakeoverRefused),
    ];
    bounded(async {
        let mut wrong = Vec::new();
        for (bytes, then, expected) in rows {
            let seen = reason(Config::default(), &bytes, then).await;
            if seen != Some(expected) {
                wrong.push(format!("{bytes:?}, then it {then:?}: {seen:?}, not {expected:?}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_state_hook_is_told_of_a_limit_that_ended_a_connection() {
    bounded(async {
        let two = Config { max_requests: 2, ..Config::default() };
        assert_eq!(reason(two, &get("/").repeat(3), Then::Reads).await, Some(CloseReason::MaxRequests));
        let young = Config { max_age: Duration::ZERO, ..Config::default() };
        assert_eq!(reason(young, &get("/"), Then::Reads).await, Some(CloseReason::MaxAge));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_state_hook_is_told_of_a_shutdown_and_an_abort() {
    bounded(async {
        for (path, expected) in [
            ("/", CloseReason::Stopping),
            ("/wait", CloseReason::Aborted),
            ("/some", CloseReason::Aborted),
            ("/held-bomb", CloseReason::Panic),
        ] {
            let told = Told::new(Config::default());
            let (dial, _) = in_memory(&told.server);
            let mut client = dial.connect();
            client.get(path).await;
            sleep(Duration::from_secs(1)).await;
            told.server.shutdown(Duration::from_secs(5)).await;
            assert_eq!(told.reason().await, Some(expected), "{path}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_state_hook_is_told_of_a_retired_connection() {
    bounded(async {
        let told = Told::new(Config::default());
        let (listener, dial) = memory();
        let server = told.server.clone();
        tokio::spawn(async move { server.serve(Limit::new(listener, 1)).await });
        let mut first = dial.connect();
        assert_eq!(first.fetch("/").await.text(), "hello");
        sleep(Duration::from_secs(1)).await;
        assert_eq!(dial.connect().fetch("/").await.text(), "hello");
        assert_eq!(told.reason().await, Some(CloseReason::Retired));
    })
    .await;
}
