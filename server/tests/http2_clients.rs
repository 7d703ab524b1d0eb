//! Clients of HTTP/2 that reset, are slow, or are silent: what it costs them, and what it costs the others.

#![cfg(feature = "http2")]

mod http2_kit;
mod support;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::{Reason, client::Builder};
use http2_kit::{config, connect, connect_with, read, read_body, request, start, start_with};
use quintet_server::{
    Body, BodyError, Config, Request, Response, Server,
    conn::{State, Timeouts},
    request::{CloseReason, Http2Config},
};
use support::{bounded, eventually, in_memory};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::Notify,
    time::{Instant, sleep, timeout},
};

const SECOND: Duration = Duration::from_secs(1);

/// The close reasons of a server's connections, by a hook.
type Reasons = Arc<Mutex<Vec<Option<CloseReason>>>>;

fn with_reasons(mut config: Config) -> (Config, Reasons) {
    let reasons = Reasons::default();
    let seen = Arc::clone(&reasons);
    config.hooks.state = Some(Arc::new(move |connection, _, to| {
        if to == State::Closed {
            seen.lock().expect("no panic").push(connection.close_reason());
        }
    }));
    (config, reasons)
}

async fn closed(reasons: &Reasons, reason: CloseReason) {
    eventually("a connection closes", || !reasons.lock().expect("no panic").is_empty()).await;
    assert_eq!(*reasons.lock().expect("no panic"), [Some(reason)]);
}

/// Handlers that say when they begin, when they are told that their clients are gone, and when they are done.
#[derive(Clone, Default)]
struct Handlers {
    begun: Arc<AtomicUsize>,
    told: Arc<AtomicUsize>,
    done: Arc<AtomicUsize>,
    go_on: Arc<Notify>,
}

impl Handlers {
    async fn wait(self, request: Request) -> &'static str {
        self.begun.fetch_add(1, SeqCst);
        if request.path() == "/told" {
            request.disconnected().await;
            self.told.fetch_add(1, SeqCst);
        }
        self.go_on.notified().await;
        self.done.fetch_add(1, SeqCst);
        "done\n"
    }

    fn counts(&self) -> (usize, usize, usize) {
        (self.begun.load(SeqCst), self.told.load(SeqCst), self.done.load(SeqCst))
    }

    fn start(&self, config: Config) -> (Server<impl quintet_server::Handler>, support::Dial) {
        let handlers = self.clone();
        start_with(move |request: Request| handlers.clone().wait(request), config)
    }
}

/// Cancellation is told and does not kill (as on HTTP/1.1): a handler that has begun to change something goes on.
#[tokio::test(start_paused = true)]
async fn a_reset_is_told_to_the_handler_which_goes_on() {
    bounded(async {
        let handlers = Handlers::default();
        let (_server, dial) = handlers.start(config());
        let mut client = connect(&dial).await;
        let (other, _) = client.open(request("GET", "/"), true).await;
        let (reply, mut stream) = client.open(request("GET", "/told"), true).await;
        eventually("both begin", || handlers.counts() == (2, 0, 0)).await;
        stream.send_reset(Reason::CANCEL);
        drop(reply);
        eventually("one is told", || handlers.counts() == (2, 1, 0)).await;
        handlers.go_on.notify_waiters();
        assert_eq!(read(other).await.unwrap().text(), "done\n");
        eventually("both are done", || handlers.counts() == (2, 1, 2)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_breaks_the_body_of_its_request_alone() {
    bounded(async {
        let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
        let handler = move |request: Request| {
            let told = told.clone();
            async move {
                if let Err(error) = request.into_body().to_bytes(u64::MAX).await {
                    told.send(error).unwrap();
                }
            }
        };
        let (_server, dial) = start(handler);
        let mut client = connect(&dial).await;
        let (_reply, mut stream) = client.open(request("POST", "/"), false).await;
        stream.send_data(Bytes::from_static(b"half"), false).unwrap();
        sleep(SECOND).await;
        stream.send_reset(Reason::CANCEL);
        assert!(matches!(tells.recv().await, Some(BodyError::UnexpectedEof)));
        assert_eq!(client.post("/", "whole").await.status, 200);
    })
    .await;
}

/// A client that resets its requests gets no more handlers at work: handlers are counted, and not streams.
#[tokio::test(start_paused = true)]
async fn a_client_that_resets_has_no_more_handlers_at_work() {
    bounded(async {
        let handlers = Handlers::default();
        let mut config = config();
        config.http2.max_concurrent_streams = 5;
        let (_server, dial) = handlers.start(config);
        let mut client = connect(&dial).await;
        for _ in 0..20 {
            let (_reply, mut stream) = client.open(request("GET", "/"), true).await;
            sleep(Duration::from_millis(10)).await;
            stream.send_reset(Reason::CANCEL);
        }
        sleep(SECOND).await;
        assert_eq!(handlers.counts(), (5, 0, 0));
        handlers.go_on.notify_waiters();
        sleep(SECOND).await;
        // The one that waited for a place was reset, and so were those behind it.
        assert!(handlers.counts().0 <= 6, "{:?}", handlers.counts());
        let (reply, _) = client.open(request("GET", "/"), true).await;
        let reads = tokio::spawn(read(reply));
        sleep(SECOND).await;
        handlers.go_on.notify_waiters();
        assert_eq!(reads.await.unwrap().unwrap().text(), "done\n");
    })
    .await;
}

/// Handlers that go on after a reset keep their places. A request that waits for one is refused in the end, and may be
/// sent again elsewhere.
#[tokio::test(start_paused = true)]
async fn a_request_without_a_place_is_refused_after_the_time_of_a_head() {
    if support::without_timeouts() {
        return;
    }
    bounded(async {
        let handlers = Handlers::default();
        let mut config = config();
        config.http2.max_concurrent_streams = 3;
        let (server, dial) = handlers.start(config);
        let mut client = connect(&dial).await;
        for _ in 0..3 {
            let (_reply, mut stream) = client.open(request("GET", "/"), true).await;
            sleep(Duration::from_millis(10)).await;
            stream.send_reset(Reason::CANCEL);
        }
        let began = Instant::now();
        let (one, _) = client.open(request("GET", "/"), true).await;
        let (two, _) = client.open(request("GET", "/"), true).await;
        for reply in [one, two] {
            assert_eq!(read(reply).await.unwrap_err().reason(), Some(Reason::REFUSED_STREAM));
        }
        let waited = began.elapsed();
        assert!(waited >= 10 * SECOND && waited < 11 * SECOND, "{waited:?}");
        assert_eq!((handlers.counts().0, server.streams_refused()), (3, 2));
        handlers.go_on.notify_waiters();
        let (reply, _) = client.open(request("GET", "/"), true).await;
        let reads = tokio::spawn(read(reply));
        eventually("a place is free", || handlers.counts().0 == 4).await;
        handlers.go_on.notify_waiters();
        assert_eq!(reads.await.unwrap().unwrap().status, 200);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_too_many_resets_ends() {
    bounded(async {
        let (mut config, reasons) = with_reasons(config());
        config.http2 = Http2Config { max_resets: 10, resets_per_second: 2, ..config.http2 };
        let (_server, dial) = start_with(async |_| sleep(SECOND).await, config);
        let mut client = connect(&dial).await;
        let reset = async |client: &mut http2_kit::Client| {
            let (_reply, mut stream) = client.open(request("GET", "/"), true).await;
            sleep(Duration::from_millis(10)).await;
            stream.send_reset(Reason::CANCEL);
            sleep(Duration::from_millis(10)).await;
        };
        for _ in 0..10 {
            reset(&mut client).await;
        }
        // A rate and not a count: after ten seconds twenty more would be allowed, but a burst has ten.
        sleep(10 * SECOND).await;
        for _ in 0..10 {
            reset(&mut client).await;
        }
        assert!(reasons.lock().unwrap().is_empty());
        let mut more = 0;
        while let Ok(mut send) = client.send.clone().ready().await {
            let (_reply, mut stream) = send.send_request(request("GET", "/"), true).unwrap();
            sleep(Duration::from_millis(10)).await;
            stream.send_reset(Reason::CANCEL);
            sleep(Duration::from_millis(10)).await;
            more += 1;
        }
        assert!(more <= 3, "{more} resets more");
        let error = client.connection.await.unwrap().unwrap_err();
        assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM));
        closed(&reasons, CloseReason::ExcessiveLoad).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_times_out_and_others_go_on() {
    if support::without_timeouts() {
        return;
    }
    bounded(async {
        let handler = async |mut request: Request| {
            if request.method() == "GET" {
                return Response::new("hello\n");
            }
            loop {
                match request.body_mut().chunk().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return Response::new("whole\n"),
                    Err(error) => return Response::text(error.status(), error),
                }
            }
        };
        let (_server, dial) = start(handler);
        let mut client = connect(&dial).await;
        let began = Instant::now();
        let (reply, mut stream) = client.open(request("POST", "/"), false).await;
        let reads = tokio::spawn(async move { (read(reply).await, Instant::now()) });
        // A byte a second is below the minimum rate.
        while !reads.is_finished() {
            let _ = stream.send_data(Bytes::from_static(b"x"), false);
            sleep(SECOND).await;
            assert_eq!(client.get("/").await.text(), "hello\n");
        }
        let (reply, at) = reads.await.unwrap();
        let (reply, waited) = (reply.unwrap(), at - began);
        assert_eq!(reply.status, 408);
        assert!(waited >= 5 * SECOND && waited < 7 * SECOND, "{waited:?}");
        assert_eq!(client.get("/").await.text(), "hello\n");
    })
    .await;
}

/// A client that opens no window for one reply loses that reply, and not the connection.
#[tokio::test(start_paused = true)]
async fn a_reply_without_a_window_is_cancelled_and_others_go_on() {
    if support::without_timeouts() {
        return;
    }
    bounded(async {
        for streamed in [false, true] {
            let handler = move |request: Request| async move {
                let body = vec![b'x'; 200_000];
                match request.path() {
                    "/small" => Response::new("small\n"),
                    _ if streamed => Response::new(Body::writer(|mut w| async move { w.write(body).await })),
                    _ => Response::new(body),
                }
            };
            let (server, dial) = start(handler);
            let mut client = connect_with(&dial, Builder::new().initial_connection_window_size(1 << 20)).await;
            let began = Instant::now();
            let (reply, _) = client.open(request("GET", "/"), true).await;
            let mut stream = reply.await.unwrap().into_body();
            let mut received = 0;
            let error = loop {
                // The window is not given back.
                match timeout(SECOND, stream.data()).await {
                    Ok(Some(Ok(data))) => received += data.len(),
                    Ok(Some(Err(error))) => break error,
                    Ok(None) => panic!("the reply ends"),
                    Err(_) => assert_eq!(client.get("/small").await.text(), "small\n"),
                }
            };
            let waited = began.elapsed();
            assert_eq!((received, error.reason()), (65_535, Some(Reason::CANCEL)));
            assert!(waited >= 60 * SECOND && waited < 62 * SECOND, "{waited:?}");
            assert_eq!(client.get("/small").await.text(), "small\n");
            drop(server);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_moves_the_deadlines_of_its_own_request() {
    if support::without_timeouts() {
        return;
    }
    bounded(async {
        let handler = async |mut request: Request| {
            request.set_read_deadline(2 * SECOND);
            match request.body_mut().chunk().await {
                Ok(_) => Response::new("read\n"),
                Err(error) => Response::text(error.status(), error),
            }
        };
        let (_server, dial) = start(handler);
        let mut client = connect(&dial).await;
        let began = Instant::now();
        let (reply, _stream) = client.open(request("POST", "/"), false).await;
        assert_eq!(read(reply).await.unwrap().status, 408);
        assert!(began.elapsed() >= 2 * SECOND && began.elapsed() < 3 * SECOND, "{:?}", began.elapsed());
    })
    .await;
}

/// The bytes of a client that opens a connection.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// HEADERS of stream 1 with END_STREAM and END_HEADERS: `GET http://a/`.
const GET: &[u8] = b"\0\0\x06\x01\x05\0\0\0\x01\x82\x84\x86\x41\x01a";
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0quintet!";

/// A client that writes bytes as they are.
fn raw(dial: &support::Dial) -> DuplexStream {
    dial.connect().io
}

/// Reads until the server closes; returns when that was, and the last frame of GOAWAY, its code.
async fn goaway(mut io: DuplexStream) -> (Instant, Option<u32>) {
    let mut seen = Vec::new();
    let _ = io.read_to_end(&mut seen).await;
    let at = Instant::now();
    let (mut rest, mut code) = (&seen[..], None);
    while rest.len() >= 9 {
        let len = usize::from(rest[0]) << 16 | usize::from(rest[1]) << 8 | usize::from(rest[2]);
        if rest[3] == 7 {
            code = Some(u32::from_be_bytes(rest[13..17].try_into().expect("four bytes")));
        }
        // What is no frame is a reply of HTTP/1.1: the preface was not whole.
        rest = rest.get(9 + len..).unwrap_or_default();
    }
    (at, code)
}

#[tokio::test(start_paused = true)]
async fn a_slow_preface_ends_the_connection_in_the_time_of_a_head() {
    if support::without_timeouts() {
        return;
    }
    bounded(async {
        // Before the end of the preface it is a head of HTTP/1.1, in a version that is refused.
        use CloseReason::{HeadRefused, HeadTimeout};
        for (sent, reason) in [
            (&PREFACE[..0], HeadTimeout),
            (&PREFACE[..3], HeadTimeout),
            (&PREFACE[..23], HeadRefused),
            (&PREFACE[..24], HeadTimeout),
            (&PREFACE[..30], HeadTimeout),
        ] {
            let (config, reasons) = with_reasons(config());
            let (_server, dial) = start_with(async |_| "hello\n", config);
            let began = Instant::now();
            let mut client = raw(&dial);
            client.write_all(sent).await.unwrap();
            let (at, _) = goaway(client).await;
            let waited = at - began;
            assert!(waited >= 10 * SECOND && waited < 11 * SECOND, "{waited:?} after {} bytes", sent.len());
            closed(&reasons, reason).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_ends_with_a_goaway_also_if_it_sends_pings() {
    if support::without_timeouts() {
        return;
    }
    bounded(async {
        for pings in [false, true] {
            let (config, reasons) = with_reasons(config());
            let (_server, dial) = start_with(async |_| "hello\n", config);
            let mut client = raw(&dial);
            client.write_all(PREFACE).await.unwrap();
            client.write_all(GET).await.unwrap();
            let began = Instant::now();
            let (mut reads, mut writes) = tokio::io::split(client);
            if pings {
                tokio::spawn(async move {
                    while writes.write_all(PING).await.is_ok() {
                        sleep(SECOND).await;
                    }
                });
            }
            let mut seen = Vec::new();
            reads.read_to_end(&mut seen).await.unwrap();
            let waited = began.elapsed();
            assert!(waited >= 75 * SECOND && waited < 76 * SECOND + SECOND, "{waited:?}");
            closed(&reasons, CloseReason::IdleTimeout).await;
        }
    })
    .await;
}

/// A client that is gone without a word would hold its handlers' connection for ever: it does not answer a PING.
#[tokio::test(start_paused = true)]
async fn a_silent_client_with_a_request_in_progress_is_pinged() {
    bounded(async {
        for answers in [false, true] {
            let (mut config, reasons) = with_reasons(config());
            config.http2.send_ping_timeout = 20 * SECOND;
            config.http2.ping_timeout = 5 * SECOND;
            let handlers = Handlers::default();
            let (_server, dial) = handlers.start(config);
            if answers {
                let mut client = connect(&dial).await;
                let (reply, _) = client.open(request("GET", "/"), true).await;
                let reads = tokio::spawn(read(reply));
                sleep(200 * SECOND).await;
                handlers.go_on.notify_waiters();
                assert_eq!(reads.await.unwrap().unwrap().text(), "done\n");
                continue;
            }
            let mut client = raw(&dial);
            client.write_all(PREFACE).await.unwrap();
            client.write_all(GET).await.unwrap();
            let began = Instant::now();
            let (at, code) = goaway(client).await;
            let waited = at - began;
            assert!(waited >= 25 * SECOND && waited < 27 * SECOND, "{waited:?}");
            assert_eq!(code, Some(0));
            handlers.go_on.notify_waiters();
            closed(&reasons, CloseReason::PingTimeout).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_ping_without_a_timeout_may_stay_unanswered() {
    bounded(async {
        let mut config = config();
        config.http2.send_ping_timeout = 5 * SECOND;
        config.http2.ping_timeout = Duration::MAX;
        let handler = async |_| {
            sleep(50 * SECOND).await;
            "done"
        };
        let (server, dial) = start_with(handler, config);
        let mut client = raw(&dial);
        client.write_all(PREFACE).await.unwrap();
        client.write_all(GET).await.unwrap();
        sleep(45 * SECOND).await;
        assert_eq!(server.counts().active, 1);
        sleep(10 * SECOND).await;
        let mut said = vec![0; 4096];
        let n = client.read(&mut said).await.unwrap();
        let count = |part: &[u8]| said[..n].windows(part.len()).filter(|seen| *seen == part).count();
        assert_eq!(count(b"done"), 1, "the reply");
        assert_eq!(count(&[0, 0, 8, 6, 0, 0, 0, 0, 0]), 1, "one PING, and no other before an answer");
    })
    .await;
}

/// A client that reads slowly, and says nothing, answers a PING only after all that it has not read yet.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_not_silent_although_its_answers_are_late() {
    bounded(async {
        let (mut config, reasons) = with_reasons(config());
        config.http2.send_ping_timeout = 5 * SECOND;
        config.http2.ping_timeout = 5 * SECOND;
        let server = Server::with_config(async |_| vec![b'x'; 300_000], config);
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect_sized(4096).io;
        client.write_all(PREFACE).await.unwrap();
        // Windows of more than the reply, so that it need not say anything.
        client.write_all(b"\0\0\x06\x04\0\0\0\0\0\0\x04\x40\0\0\0").await.unwrap();
        client.write_all(b"\0\0\x04\x08\0\0\0\0\0\x3f\0\0\0").await.unwrap();
        client.write_all(GET).await.unwrap();
        let (mut received, mut piece) = (0, [0; 4096]);
        while received < 300_000 {
            sleep(SECOND).await;
            received += client.read(&mut piece).await.unwrap();
            assert_eq!(server.counts().total(), 1, "after {received} bytes");
        }
        assert!(reasons.lock().unwrap().is_empty());
    })
    .await;
}

/// The GOAWAY of a client that takes no bytes waits for the time of a reply, and the task does not run meanwhile.
#[tokio::test(start_paused = true)]
async fn a_goaway_after_a_ping_waits_for_a_client_without_a_loop() {
    bounded(async {
        let (mut config, reasons) = with_reasons(config());
        config.timeouts = Timeouts { reply_stall: 120 * SECOND, ..Timeouts::none() };
        let calls = AtomicUsize::new(0);
        let handler = move |_: Request| {
            let is_first = calls.fetch_add(1, SeqCst) == 0;
            async move {
                if !is_first {
                    sleep(500 * SECOND).await;
                }
                vec![b'x'; 60_000]
            }
        };
        let server = Server::with_config(handler, config);
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect_sized(1024).io;
        let began = Instant::now();
        client.write_all(PREFACE).await.unwrap();
        client.write_all(&[support::frames::get(1), support::frames::get(3)].concat()).await.unwrap();
        sleep(100 * SECOND).await;
        assert_eq!(server.counts().total(), 1, "the GOAWAY waits");
        while server.counts().total() > 0 {
            sleep(SECOND).await;
        }
        assert!(began.elapsed() < 510 * SECOND, "{:?}", began.elapsed());
        closed(&reasons, CloseReason::PingTimeout).await;
        drop(client);
    })
    .await;
}

/// A client that takes no byte of the connection at all ends all its requests.
#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_bytes_ends_its_connection() {
    if support::without_timeouts() {
        return;
    }
    bounded(async {
        let (mut config, reasons) = with_reasons(config());
        config.http2.send_ping_timeout = Duration::MAX;
        let server = Server::with_config(async |_| vec![b'x'; 60_000], config);
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect_sized(1024).io;
        let began = Instant::now();
        client.write_all(PREFACE).await.unwrap();
        client.write_all(GET).await.unwrap();
        eventually("a request", || server.counts().active + server.counts().idle == 1).await;
        while server.counts().total() > 0 {
            sleep(SECOND).await;
        }
        let waited = began.elapsed();
        assert!(waited >= 5 * SECOND && waited < 70 * SECOND, "{waited:?}");
        closed(&reasons, CloseReason::ReplyTimeout).await;
        drop(client);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_http2_end_the_connection() {
    bounded(async {
        let (config, reasons) = with_reasons(config());
        let (_server, dial) = start_with(async |_| "hello\n", config);
        let mut client = raw(&dial);
        client.write_all(PREFACE).await.unwrap();
        // DATA on a stream that was never opened.
        client.write_all(b"\0\0\x01\0\0\0\0\0\x01x").await.unwrap();
        assert_eq!(goaway(client).await.1, Some(1), "PROTOCOL_ERROR");
        closed(&reasons, CloseReason::ProtocolError).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_state_is_active_while_requests_are_in_progress() {
    bounded(async {
        let states = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&states);
        let mut config = config();
        config.hooks.state = Some(Arc::new(move |_, _, to| seen.lock().unwrap().push(to)));
        let handlers = Handlers::default();
        let (_server, dial) = handlers.start(config);
        let mut client = connect(&dial).await;
        for _ in 0..2 {
            let (one, _) = client.open(request("GET", "/"), true).await;
            let (two, _) = client.open(request("GET", "/"), true).await;
            sleep(SECOND).await;
            handlers.go_on.notify_waiters();
            for reply in [one, two] {
                assert_eq!(read(reply).await.unwrap().status, 200);
            }
            sleep(SECOND).await;
        }
        client.connection.abort();
        drop(client);
        use State::{Active, Closed, Idle, New};
        eventually("it closes", || states.lock().unwrap().last() == Some(&Closed)).await;
        assert_eq!(*states.lock().unwrap(), [New, Active, Idle, Active, Idle, Closed]);
    })
    .await;
}

/// A reply that is streamed while the client reads it slowly, in pieces.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_above_the_minimum_rate_gets_all_of_its_reply() {
    bounded(async {
        let (_server, dial) = start(async |_| vec![b'x'; 150_000]);
        let mut client = connect(&dial).await;
        let (reply, _) = client.open(request("GET", "/"), true).await;
        let mut stream = reply.await.unwrap().into_body();
        let mut received = 0;
        while let Some(data) = stream.data().await {
            let data = data.unwrap();
            received += data.len();
            sleep(20 * SECOND).await;
            stream.flow_control().release_capacity(data.len()).unwrap();
        }
        assert_eq!(received, 150_000);
        assert!(read_body(&mut stream).await.unwrap().0.is_empty());
    })
    .await;
}
