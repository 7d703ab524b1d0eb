//! The events of requests over HTTP/1.1: each request, refusal, panic and cut has one, which agrees with what the client
//! saw.

mod served_kit;
mod support;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use proptest::prelude::*;
use quintet_server::{
    AccessLog, Config, Hooks, Outcome, Refusal, Response, ServeMux, Served, Server, StatusCode,
    access_log::AccessLogOptions,
    request::{CloseReason, HeadError, RequestsError},
};
use served_kit::{Event, Events, Short, mux, observed};
use support::{bounded, eventually, in_memory};
use tokio::{task::yield_now, time::sleep};

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

const LAST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// What a client sends before it half-closes and reads to the end; the events, without their times.
fn rows() -> Vec<(String, Vec<Short>)> {
    use CloseReason::*;
    let ok = (200, "complete", true, None);
    let refused = |status| (status, "refused", true, Some(HeadRefused));
    vec![
        (String::new(), vec![]),
        ("\r\n".into(), vec![]),
        (get("/"), vec![ok]),
        (get("/").repeat(3), vec![ok; 3]),
        (get("/") + LAST, vec![ok, (200, "complete", true, Some(ClientAsked))]),
        ("GET / HTTP/1.0\r\n\r\n".into(), vec![(200, "complete", true, Some(ClientAsked))]),
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n".into(), vec![ok]),
        (
            get("/later") + &get("/empty") + &get("/nowhere"),
            vec![ok, (204, "complete", true, None), (404, "complete", true, None)],
        ),
        (get("/pieces") + &get("/"), vec![ok, ok]),
        ("GET /pieces HTTP/1.0\r\n\r\n".into(), vec![(200, "complete", true, Some(ClientAsked))]),
        (get("/fails"), vec![(200, "broken", false, Some(ReplyBroken))]),
        (get("/fails-at-once"), vec![(500, "complete", true, Some(ReplyBroken))]),
        (get("/bomb"), vec![(200, "panicked", false, Some(Panic))]),
        (get("/") + &get("/panic") + &get("/"), vec![ok, (500, "panicked", true, Some(Panic))]),
        (get("/") + &get("/abort"), vec![ok, (0, "broken", false, Some(HandlerAsked))]),
        (post("/read", "abc") + &get("/"), vec![ok, ok]),
        (post("/ignore", "abc") + &get("/"), vec![ok, ok]),
        (post("/read", "abc")[..50].to_owned(), vec![(400, "refused", true, Some(UnexpectedEof))]),
        (
            "POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc".into(),
            vec![(400, "complete", true, Some(RequestBodyBroken))],
        ),
        ("POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".into(), vec![ok]),
        (
            "POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx".into(),
            vec![(400, "complete", true, Some(RequestBodyBroken))],
        ),
        (get("/") + "GET / HTTP/1.1\r\n\r\n", vec![ok, refused(400)]),
        ("GET / HTTP/2.0\r\n\r\n".into(), vec![refused(505)]),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".into(), vec![ok]),
        ("GET /".into(), vec![(400, "refused", true, Some(UnexpectedEof))]),
        (
            "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n".into(),
            vec![(101, "taken_over", true, Some(Takeover))],
        ),
        (get("/upgrade"), vec![(426, "complete", true, Some(TakeoverRefused))]),
    ]
}

/// Sends bytes in pieces, half-closes, and reads to the end; the events of the connection, and the bytes that were read.
async fn run(server: &Server<ServeMux>, events: &Events, pieces: &[&[u8]]) -> (Vec<Event>, Vec<u8>) {
    let (dial, serving) = in_memory(server);
    let mut client = dial.connect();
    for piece in pieces {
        if client.try_send(piece).await.is_err() {
            break;
        }
        for _ in 0..4 {
            yield_now().await;
        }
    }
    client.finish().await;
    let seen = client.rest().await;
    drop(client);
    eventually("the connection ends", || server.counts().total() == 0).await;
    serving.abort();
    (std::mem::take(&mut *events.lock().expect("no panic")), seen)
}

#[tokio::test(start_paused = true)]
async fn each_request_has_one_event_in_every_split() {
    bounded(async {
        let (server, events) = observed(mux(), support::config());
        for (sent, expected) in rows() {
            for split in 0..=sent.len() {
                let (first, second) = sent.as_bytes().split_at(split);
                let (told, seen) = run(&server, &events, &[first, second]).await;
                let short: Vec<_> = told.iter().map(Event::short).collect();
                let seen = String::from_utf8_lossy(&seen);
                assert_eq!(short, expected, "{sent:?} split at {split}: {told:?}\n{seen}");
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_event_has_the_parts_of_its_request_and_its_reply() {
    bounded(async {
        let (server, events) = observed(mux(), support::config());
        let (dial, _serving) = in_memory(&server);
        let mut client = dial.connect();
        sleep(Duration::from_millis(700)).await;
        client.send("\r\n").await;
        sleep(Duration::from_millis(300)).await;
        client.send("GET /sleep?q=1 HTTP/1.1\r\nHost: a.example\r\n").await;
        sleep(Duration::from_millis(200)).await;
        client.send("User-Agent: x/1\r\nReferer: http://b/\r\n\r\n").await;
        assert_eq!(client.reply().await.text(), "slept\n");
        // The event was fired when the reply was sent, and not when the next request begins.
        eventually("the event is there", || !events.lock().unwrap().is_empty()).await;
        client.send(post("/read", "abc")).await;
        client.reply().await;
        client.fetch("/big/20000").await;
        client.send("HEAD /big/20000 HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.try_reply_to("HEAD").await.unwrap();
        client.fetch("/pieces").await;
        drop(client);
        eventually("five events", || events.lock().unwrap().len() == 5).await;
        let events = events.lock().unwrap();
        let parts = |event: &Event| (event.request.clone().unwrap(), event.pattern.clone().unwrap(), event.bodies);
        assert_eq!(parts(&events[0]), ("GET /sleep?q=1".into(), "GET /sleep".into(), (0, 6)));
        assert_eq!(events[0].duration, Duration::from_millis(1700), "from the first byte of its head");
        assert_eq!(events[0].first, Some(Duration::from_millis(1700)));
        assert_eq!(parts(&events[1]), ("POST /read".into(), "POST /read".into(), (3, 1)));
        assert_eq!(events[1].duration, Duration::ZERO);
        assert_eq!(parts(&events[2]).2, (0, 20_000));
        assert_eq!(parts(&events[3]), ("HEAD /big/20000".into(), "GET /big/{n}".into(), (0, 0)));
        assert_eq!(parts(&events[4]).2, (0, 4 * 16), "without the framing of the chunks");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_event_tells_user_agent_referer_host_and_connection() {
    bounded(async {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&seen);
        let hooks = Hooks {
            served: Some(Arc::new(move |served| {
                let text = |bytes: Option<&[u8]>| bytes.map(|bytes| bytes.escape_ascii().to_string());
                keep.lock().unwrap().push((
                    served.host().map(str::to_owned),
                    text(served.user_agent()),
                    text(served.referer()),
                    served.connection().peer_addr().to_string(),
                    served.began(),
                ));
            })),
            ..Hooks::default()
        };
        let server = Server::with_config(async |_| "", Config { hooks, ..support::config() });
        let (dial, _serving) = in_memory(&server);
        let before = std::time::SystemTime::now();
        let mut client = dial.connect();
        client.send(b"GET / HTTP/1.1\r\nHost: a:1\r\nUser-Agent: \xff\"\r\nReferer: http://b/\r\n\r\n").await;
        client.reply().await;
        client.fetch("/").await;
        eventually("two events", || seen.lock().unwrap().len() == 2).await;
        let seen = seen.lock().unwrap();
        assert_eq!(seen[0].0.as_deref(), Some("a:1"));
        assert_eq!((seen[0].1.as_deref(), seen[0].2.as_deref()), (Some("\\xff\\\""), Some("http://b/")));
        assert_eq!((&seen[1].1, &seen[1].2, &seen[1].3), (&None, &None, &seen[0].3));
        assert!(seen[0].4 >= before - Duration::from_secs(1) && seen[0].4 <= seen[1].4);
    })
    .await;
}

/// The reply to the first of two pipelined requests waits in the output while the second is served.
#[tokio::test(start_paused = true)]
async fn pipelined_replies_have_their_events_when_they_are_flushed() {
    bounded(async {
        let (server, events) = observed(mux(), support::config());
        let (dial, _serving) = in_memory(&server);
        let mut client = dial.connect();
        client.send(get("/") + &get("/sleep") + &get("/")).await;
        client.reply().await;
        eventually("the first event", || events.lock().unwrap().len() == 1).await;
        assert_eq!(events.lock().unwrap()[0].duration, Duration::ZERO);
        client.reply().await;
        client.reply().await;
        eventually("all events", || events.lock().unwrap().len() == 3).await;
        let events = events.lock().unwrap();
        assert_eq!(events[1].duration, Duration::from_millis(1500));
        assert_eq!(events[2].duration, Duration::ZERO, "it began when the server came to it");
    })
    .await;
}

/// A client that stops to read: the events of the replies that it did not get say so.
#[tokio::test(start_paused = true)]
async fn a_reply_that_was_not_sent_is_cut() {
    bounded(async {
        if support::over_tls() {
            return; // the buffers of TLS hide how much was read
        }
        let (server, events) = observed(mux(), support::config());
        let (dial, _serving) = in_memory(&server);
        let mut client = dial.connect_sized(1000);
        client.send(get("/") + &get("/big/5000") + &get("/") + &get("/")).await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(events.lock().unwrap().len(), 1, "only the first reply was taken");
        let head = client.exactly(900).await.unwrap();
        drop(client);
        eventually("the connection ends", || server.counts().total() == 0).await;
        let events = events.lock().unwrap();
        let short: Vec<_> = events.iter().map(Event::short).collect();
        assert_eq!(short[0], (200, "complete", true, None));
        assert_eq!(short[1..], vec![(200, "cut", false, Some(CloseReason::Io)); 3]);
        assert_eq!(events[1].first, Some(Duration::ZERO));
        // Of the second reply everything was taken that fits into the pipe.
        let heads = String::from_utf8_lossy(&head).rfind("\r\n\r\n").unwrap() + 4;
        let most = (900 + 1000 - heads) as u64;
        assert!((1..=most).contains(&events[1].bodies.1), "{} of {most}", events[1].bodies.1);
        assert_eq!((events[2].first, events[2].bodies.1), (None, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_has_a_timeout_as_close_reason() {
    bounded(async {
        if support::without_timeouts() || support::over_tls() {
            return;
        }
        let (server, events) = observed(mux(), Config::default());
        let (dial, _serving) = in_memory(&server);
        let mut client = dial.connect_sized(1000);
        client.send(get("/big/5000")).await;
        sleep(Duration::from_secs(40)).await;
        let events = events.lock().unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].short(), (200, "cut", false, Some(CloseReason::ReplyTimeout)));
        assert!(events[0].duration >= Duration::from_secs(5), "{:?}", events[0].duration);
        drop(client);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_late_is_408_and_a_silent_client_nothing() {
    bounded(async {
        if support::without_timeouts() {
            return;
        }
        let (server, events) = observed(mux(), Config::default());
        let (dial, _serving) = in_memory(&server);
        let (mut late, mut silent, mut idle) = (dial.connect(), dial.connect(), dial.connect());
        late.send("GET / HT").await;
        idle.fetch("/").await;
        assert_eq!(late.reply().await.status, 408);
        assert!(silent.ends().await && idle.ends().await);
        let events = events.lock().unwrap();
        assert_eq!(events.len(), 2);
        assert_eq!(events[1].outcome, Outcome::Refused(Refusal::HeadTimeout));
        assert_eq!(events[1].short(), (408, "refused", true, Some(CloseReason::HeadTimeout)));
        assert!(events[1].duration >= Duration::from_secs(10));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_names_its_rule_whatever_the_refused_hook_replies() {
    bounded(async {
        let own = |refused: &quintet_server::Refused<'_>| match refused.error {
            RequestsError::Head(HeadError::BareLf { .. }) => Some(Response::abort()),
            _ => Some(Response::text(StatusCode::IM_A_TEAPOT, "no")),
        };
        let hooks = Hooks { refused: Some(Arc::new(own)), ..Hooks::default() };
        let (server, events) = observed(mux(), Config { hooks, ..support::config() });
        let (told, seen) = run(&server, &events, &[b"GET / HTTP/1.1\n\n"]).await;
        assert_eq!((told.len(), &*seen), (1, &b""[..]));
        assert_eq!(told[0].outcome, Outcome::Refused(Refusal::Head(HeadError::BareLf { at: 14 })));
        assert_eq!((told[0].status, told[0].is_whole, told[0].request.as_deref()), (0, false, None));
        let (told, _) = run(&server, &events, &[b"GET / HTTP/1.1\r\n\r\n"]).await;
        assert_eq!((told.len(), told[0].status, told[0].is_whole, told[0].bodies.1), (1, 418, true, 3));
        assert!(matches!(told[0].outcome, Outcome::Refused(Refusal::Head(HeadError::HostMissing { .. }))));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_limits_of_a_connection_are_close_reasons_of_its_last_event() {
    bounded(async {
        let (server, events) = observed(mux(), Config { max_requests: 2, ..support::config() });
        let (told, _) = run(&server, &events, &[get("/").repeat(3).as_bytes()]).await;
        let short: Vec<_> = told.iter().map(Event::short).collect();
        assert_eq!(short, [(200, "complete", true, None), (200, "complete", true, Some(CloseReason::MaxRequests))]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_aborted_connection_cuts_the_request_in_progress() {
    bounded(async {
        let (server, events) = observed(mux(), support::config());
        let (dial, _serving) = in_memory(&server);
        let mut client = dial.connect();
        client.send(get("/") + &get("/sleep")).await;
        client.reply().await;
        sleep(Duration::from_millis(100)).await;
        server.close().await;
        eventually("the connection ends", || server.counts().total() == 0).await;
        let events = events.lock().unwrap();
        assert_eq!(events.len(), 2);
        assert_eq!(events[1].short(), (0, "cut", false, Some(CloseReason::Aborted)));
        assert_eq!(events[1].pattern.as_deref(), Some("GET /sleep"));
    })
    .await;
}

/// The handler's future is dropped with its runtime.
#[test]
fn a_runtime_that_is_dropped_cuts_the_requests_in_progress() {
    let (server, events) = observed(mux(), support::config());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (dial, _serving) = in_memory(&server);
        let mut client = dial.connect();
        client.send(get("/sleep")).await;
        eventually("it is at work", || server.counts().active == 1).await;
        std::mem::forget(client);
    });
    drop(runtime);
    let events = events.lock().unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].short(), (0, "cut", false, Some(CloseReason::Aborted)));
}

#[tokio::test(start_paused = true)]
async fn a_served_hook_that_panics_is_counted_and_ends_nothing() {
    bounded(async {
        let hooks = Hooks { served: Some(Arc::new(|_| panic!("as asked"))), ..Hooks::default() };
        let server = Server::with_config(mux(), Config { hooks, ..support::config() });
        let (dial, _serving) = in_memory(&server);
        let mut client = dial.connect();
        client.send(get("/").repeat(10)).await;
        for _ in 0..10 {
            assert_eq!(client.reply().await.text(), "hello\n");
        }
        eventually("ten panics", || server.hook_failures().panics == 10).await;
    })
    .await;
}

/// The notes of a client that pipelines long heads hold no more than some heads.
#[tokio::test(start_paused = true)]
async fn notes_of_pipelined_long_heads_are_bounded() {
    bounded(async {
        let (server, events) = observed(async |_| "", support::config());
        let (dial, _serving) = in_memory(&server);
        let mut client = dial.connect_sized(1 << 20);
        let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(6000));
        client.send(long.repeat(100)).await;
        for n in 0..100 {
            assert_eq!(client.reply().await.status, 200, "{n}");
        }
        eventually("all events", || events.lock().unwrap().len() == 100).await;
    })
    .await;
}

/// Only the notes read a clock for a request, and only an observed connection has them: no file of the connection loop
/// reads one.
#[test]
fn the_connection_loop_reads_no_clock() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files: Vec<_> =
        ["serve", "dispatch", "respond", "stream_body", "close", "observe"].map(|name| folder.join(name)).into();
    for name in ["respond_stream", "send_body", "serve_stream", "serve_streams", "work"] {
        files.push(folder.join("streams").join(name));
    }
    for file in files {
        let source = std::fs::read_to_string(file.with_extension("rs")).unwrap();
        for read in ["Instant::now", "SystemTime::now", ".elapsed()"] {
            assert!(!source.contains(read), "{} has {read}", file.display());
        }
    }
}

/// One of the requests of the random exchanges, and whether the connection ends after it.
fn request(kind: u8) -> (String, bool) {
    match kind {
        0 => (get("/"), false),
        1 => (get("/later"), false),
        2 => (get("/pieces"), false),
        3 => (get("/big/300"), false),
        4 => (get("/nowhere"), false),
        5 => (post("/read", "some body"), false),
        6 => (post("/ignore", "some body"), false),
        7 => (
            "POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n5\r\n body\r\n0\r\n\r\n"
                .into(),
            false,
        ),
        8 => ("HEAD /pieces HTTP/1.1\r\nHost: a\r\n\r\n".into(), false),
        9 => (get("/fails"), true),
        10 => (get("/panic"), true),
        11 => (get("/abort"), true),
        12 => (get("/bomb"), true),
        13 => ("GET / HTTP/1.1\r\n\r\n".into(), true),
        _ => (LAST.into(), true),
    }
}

/// The whole replies in the bytes that a client has read: status, and length of the body.
fn replies(mut seen: &[u8], methods: &[&str]) -> Vec<(u16, u64)> {
    use quintet_server::httptest::{BodyEnd, ReplyChunk, ReplyHead, ReplyTrailers};
    let mut found = Vec::new();
    for method in methods {
        let Some((head, len)) = ReplyHead::read(seen).expect("a well-formed head") else { break };
        seen = &seen[len..];
        let mut body = 0;
        match head.body_end(method).expect("a body with an end") {
            BodyEnd::NoBody => {}
            BodyEnd::Length(length) if length <= seen.len() as u64 => {
                body = length;
                seen = &seen[usize::try_from(length).expect("it is in memory")..];
            }
            BodyEnd::Chunked => {
                let mut whole = false;
                while let Some(chunk) = ReplyChunk::read(seen).expect("well-formed chunks") {
                    body += chunk.data.len() as u64;
                    seen = &seen[chunk.len..];
                    if chunk.data.is_empty() {
                        let Some(trailers) = ReplyTrailers::read(seen).expect("well-formed trailers") else { break };
                        seen = &seen[trailers.len..];
                        whole = true;
                        break;
                    }
                }
                if !whole {
                    break;
                }
            }
            _ => break,
        }
        found.push((head.status.as_u16(), body));
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// A client that sends some requests in pieces, cut anywhere, and reads all or a part of the replies.
    #[test]
    fn events_agree_with_what_the_client_saw(
        kinds in prop::collection::vec(0..15_u8, 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
        splits in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        stop in prop::option::of(0..900_usize),
        size in prop::sample::select(vec![64_usize, 500, 65_536]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(bounded(async {
            let requests: Vec<_> = kinds.iter().map(|kind| request(*kind)).collect();
            let all: String = requests.iter().map(|(bytes, _)| bytes.as_str()).collect();
            let sent = cut.map_or(all.len(), |cut| cut.index(all.len() + 1));
            let mut ends: Vec<_> = splits.iter().map(|split| split.index(sent + 1)).chain([sent]).collect();
            ends.sort_unstable();
            let (server, events) = observed(mux(), support::config());
            let (dial, _serving) = in_memory(&server);
            let mut client = dial.connect_sized(size);
            let (mut reader, mut writer) = tokio::io::split(&mut client.io);
            let write = async {
                use tokio::io::AsyncWriteExt;
                let mut from = 0;
                for end in ends {
                    if writer.write_all(&all.as_bytes()[from..end]).await.is_err() || writer.flush().await.is_err() {
                        break;
                    }
                    yield_now().await;
                    from = end;
                }
                if stop.is_none() {
                    let _ = writer.shutdown().await;
                }
            };
            let read = async {
                use tokio::io::AsyncReadExt;
                let (mut seen, mut buffer) = (Vec::new(), [0; 50]);
                while stop.is_none_or(|stop| seen.len() < stop) {
                    // A client that stops may wait for more than there is: it gives up.
                    match tokio::time::timeout(Duration::from_secs(2), reader.read(&mut buffer)).await {
                        Ok(Ok(n)) if n > 0 => seen.extend_from_slice(&buffer[..n]),
                        _ => break,
                    }
                }
                seen
            };
            let write = async {
                write.await;
                std::future::pending::<()>().await;
            };
            let seen = tokio::select! { seen = read => seen, () = write => Vec::new() };
            drop(client);
            eventually("the connection ends", || server.counts().total() == 0).await;
            let events = events.lock().unwrap().clone();
            check(&requests, &events, &seen, sent, stop.is_none())
        }))?;
    }
}

/// Compares the events with the requests that were sent up to a byte, and with what the client has read.
fn check(
    requests: &[(String, bool)],
    events: &[Event],
    seen: &[u8],
    sent: usize,
    is_read: bool,
) -> Result<(), TestCaseError> {
    // The requests that the server can have read.
    let (mut at, mut most) = (0, 0);
    for (bytes, is_last) in requests {
        let head = bytes.find("\r\n\r\n").map_or(bytes.len(), |end| end + 4);
        if sent <= at {
            break;
        }
        most += 1;
        if *is_last || sent < at + head || sent < at + bytes.len() {
            break;
        }
        at += bytes.len();
    }
    prop_assert!(events.len() <= most, "{} events of {most} requests: {events:?}", events.len());
    if is_read {
        prop_assert_eq!(events.len(), most, "{:?}", events);
    }
    // A client that was cut in the middle of a method has sent none.
    let mut start = 0;
    let methods = requests.iter().map(|(bytes, _)| {
        let method = bytes.split_inclusive(' ').next().unwrap_or_default();
        let is_sent = sent >= start + method.len();
        start += bytes.len();
        if is_sent { method.trim_end() } else { "GET" }
    });
    let methods: Vec<_> = methods.collect();
    let whole = replies(seen, &methods);
    prop_assert!(whole.len() <= events.len());
    for (i, ((status, body), event)) in whole.iter().zip(events).enumerate() {
        prop_assert!(event.is_whole, "reply {} was seen: {:?}", i, event);
        prop_assert_eq!((*status, *body), (event.status, event.bodies.1), "reply {}: {:?}", i, event);
    }
    for (i, event) in events.iter().enumerate() {
        prop_assert!(event.is_whole == (event.status > 0 && event.is_whole), "{:?}", event);
        if is_read {
            prop_assert_eq!(event.is_whole, i < whole.len(), "event {}: {:?}", i, event);
        }
        if let Some(request) = &event.request {
            let line: Vec<_> = requests[i].0.splitn(3, ' ').take(2).collect();
            prop_assert_eq!(request, &line.join(" "));
        }
        // A body in whole is counted as such, however it arrived.
        if event.close.is_none()
            && event.status == 200
            && event.request.as_deref().is_some_and(|line| line.starts_with("POST"))
        {
            prop_assert_eq!(event.bodies.0, 9, "{:?}", event);
        }
        prop_assert!(event.first.is_none_or(|first| first <= event.duration));
        prop_assert_eq!(event.close.is_none() && !event.is_whole, false, "a reply is cut only with its connection");
    }
    Ok(())
}

/// The log, the subscriber and the hook are called each by itself.
#[tokio::test(start_paused = true)]
async fn a_log_filter_that_panics_leaves_the_hook_its_event() {
    bounded(async {
        let path = std::env::temp_dir().join(format!("quintet-served-filter-{}", std::process::id()));
        let filter = Arc::new(|served: &Served<'_>| {
            assert!(served.target() != Some("/one"), "the filter panics");
            true
        });
        let options = AccessLogOptions { filter: Some(filter), ..AccessLogOptions::default() };
        let log = AccessLog::open_with(&path, options).expect("a log");
        let config = Config { access_log: Some(log.clone()), ..support::config() };
        let (server, events) = observed(async |_| "hello\n", config);
        let (dial, _serving) = in_memory(&server);
        let mut client = dial.connect();
        for path in ["/one", "/two"] {
            assert_eq!(client.fetch(path).await.status, 200);
        }
        eventually("both are told", || events.lock().expect("no panic").len() == 2).await;
        assert_eq!(server.hook_failures().panics, 1);
        assert!(log.flush(Duration::from_secs(60)));
        assert_eq!(log.counts().written, 1);
        let _ = std::fs::remove_file(&path);
    })
    .await;
}
