//! Attacks on HTTP/2: each is bounded in handlers at work, in memory and in time. The client breaks no rule that the
//! frame layer alone would have to refuse, or so many times that it matters.

#![cfg(feature = "http2")]

mod support;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use allocation_counter::measure;
use quintet_server::{Body, IntoResponse, Request, Response, Server};
use support::{
    bounded, config,
    frame_client::FrameClient,
    frames::*,
    hpack::{block, integer},
    in_memory,
};
use tokio::{
    io::AsyncReadExt,
    time::{Instant, sleep},
};

/// The handlers that may be at work on one connection.
const PLACES: usize = 100;
const CALM: &str = "GOAWAY ENHANCE_YOUR_CALM";
const KIB: i64 = 1024;
const MIB: i64 = 1024 * KIB;
const MOST_WINDOW: u32 = (1 << 31) - 1;

/// A mebibyte that is not on the heap.
static LARGE: [u8; 1 << 20] = [b'x'; 1 << 20];

/// What a handler does with its request.
#[derive(Clone, Copy)]
enum Work {
    /// Works for two seconds, whether the client is there or not.
    TwoSeconds,
    /// Keeps the request for a minute without reading it.
    Keep,
    /// Reads the body and answers with its length, or with the status of its error.
    Read,
    /// Answers with a mebibyte.
    Large,
}

/// What an attack cost.
#[derive(Debug)]
struct Cost {
    /// The handlers that were called, and the most that were at work at once.
    begun: usize,
    most: usize,
    /// The most bytes of the heap, of client and server together.
    memory: i64,
    /// On the clock of the runtime.
    time: Duration,
    /// The last that the server said.
    said: String,
    /// Whether the server has ended the connection.
    closed: bool,
}

#[derive(Default)]
struct Handlers {
    begun: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
}

/// A handler at work.
struct AtWork(Arc<Handlers>);

impl AtWork {
    fn begin(handlers: &Arc<Handlers>) -> Self {
        handlers.begun.fetch_add(1, SeqCst);
        let now = handlers.now.fetch_add(1, SeqCst) + 1;
        handlers.most.fetch_max(now, SeqCst);
        Self(Arc::clone(handlers))
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, SeqCst);
    }
}

async fn work(kind: Work, mut request: Request) -> Response {
    match kind {
        Work::TwoSeconds => sleep(Duration::from_secs(2)).await,
        Work::Keep => sleep(Duration::from_secs(60)).await,
        Work::Read => {
            return match request.to_bytes(1 << 20).await {
                Ok(body) => body.len().to_string().into_response(),
                Err(error) => error.status().into_response(),
            };
        }
        Work::Large => return Response::new(Body::from(&LARGE[..])),
    }
    drop(request);
    "done".into_response()
}

/// Runs an attack against a server whose handlers do this. The client begins with these settings.
fn attack(kind: Work, settings: &[(u16, u32)], run: impl AsyncFnOnce(&mut FrameClient)) -> Cost {
    let mut cost = None;
    let measured = measure(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        cost = Some(runtime.block_on(bounded(async {
            let handlers = Arc::new(Handlers::default());
            let mut config = config();
            config.protocols.unencrypted_http2 = true;
            let counted = Arc::clone(&handlers);
            let handler = move |request: Request| {
                let at_work = AtWork::begin(&counted);
                async move {
                    let response = work(kind, request).await;
                    drop(at_work);
                    response
                }
            };
            let server = Server::with_config(handler, config);
            let (dial, _) = in_memory(&server);
            let mut client = FrameClient::begin(dial.connect().io, settings).await;
            let began = Instant::now();
            run(&mut client).await;
            let (begun, most) = (handlers.begun.load(SeqCst), handlers.most.load(SeqCst));
            let said = client.said().await;
            let said =
                if said.len() > 300 { [&said[..100], " … ", &said[said.len() - 100..]].concat() } else { said };
            Cost { begun, most, memory: 0, time: began.elapsed(), said, closed: client.closed }
        })));
    });
    let cost = cost.expect("it ran");
    Cost { memory: i64::try_from(measured.bytes_max).expect("a small number"), ..cost }
}

/// Sends these frames again and again, each time for the next stream, until the server closes.
async fn repeat(client: &mut FrameClient, times: u32, frames: impl Fn(u32) -> Vec<u8>) {
    for n in 0..times {
        if client.closed || client.broken {
            return;
        }
        client.send(frames(2 * n + 1)).await;
        // The client reads, and the server runs in between.
        if n % 16 == 15 {
            tokio::task::yield_now().await;
        }
    }
}

/// CVE-2023-44487.
#[test]
fn rapid_reset_is_bounded() {
    let cost = attack(Work::TwoSeconds, &[], async |client| {
        repeat(client, 5_000, |stream| [get(stream), reset(stream, CANCEL)].concat()).await;
    });
    assert!(cost.begun <= PLACES && cost.memory < MIB, "{cost:?}");
    assert!(cost.closed && cost.said.contains(CALM) && cost.time < Duration::from_secs(3), "{cost:?}");
}

/// The client resets each request when it was taken, so that none is reset before. Its handler ends at once.
#[test]
fn reset_after_accept_is_bounded() {
    let cost = attack(Work::Read, &[], async |client| {
        for n in 0..200_u32 {
            if client.closed {
                return;
            }
            let streams: Vec<u32> = (0..20).map(|i| 2 * (20 * n + i) + 1).collect();
            client.send(streams.iter().flat_map(|stream| post(*stream)).collect::<Vec<_>>()).await;
            sleep(Duration::from_millis(20)).await;
            client.send(streams.iter().flat_map(|stream| reset(*stream, CANCEL)).collect::<Vec<_>>()).await;
        }
    });
    assert!(cost.most <= PLACES && cost.begun <= 1_300 && cost.memory < MIB, "{cost:?}");
    assert!(cost.closed && cost.said.contains(CALM), "{cost:?}");
}

/// A client that leaves its requests at the rate that is allowed is served for ever.
#[test]
fn resets_at_the_allowed_rate_are_served() {
    let cost = attack(Work::Read, &[], async |client| {
        for n in 0..3_000_u32 {
            client.send(post(2 * n + 1)).await;
            sleep(Duration::from_millis(20)).await;
            client.send(reset(2 * n + 1, CANCEL)).await;
            sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(!cost.closed && cost.begun == 3_000 && cost.memory < MIB, "{cost:?}");
}

/// CVE-2025-8671: the client makes the server reset its requests.
#[test]
fn made_you_reset_is_bounded() {
    type Breaks = fn(u32) -> Vec<u8>;
    let ways: [(&str, Breaks); 4] = [
        ("a window that is too large", |stream| window_update(stream, MOST_WINDOW)),
        ("more than content-length", |stream| data(stream, 0, "abcd")),
        ("a stream that depends on itself", |stream| priority(stream, stream, 1)),
        ("trailers that end nothing", |stream| headers(stream, 0, &[("x", "y")])),
    ];
    for (way, breaks) in ways {
        let cost = attack(Work::TwoSeconds, &[], async |client| {
            let open = |stream| headers(stream, 0, &fields("POST", &[("content-length", "3")]));
            repeat(client, 5_000, |stream| [open(stream), breaks(stream)].concat()).await;
        });
        assert!(cost.begun <= 300 && cost.most <= PLACES && cost.memory < 2 * MIB, "{way}: {cost:?}");
        assert!(cost.closed && cost.time < Duration::from_secs(5), "{way}: {cost:?}");
    }
}

/// CVE-2024-27316: a head without an end.
#[test]
fn a_flood_of_continuation_is_bounded() {
    for piece in ["", "a", &"a".repeat(1_000), &"a".repeat(MAX_PAYLOAD)] {
        let cost = attack(Work::Read, &[], async |client| {
            client.send(frame(HEADERS, END_STREAM, 1, block(&fields("GET", &[])))).await;
            let line = [&[0, 1, b'x'][..], &length_of(piece), piece.as_bytes()].concat();
            repeat(client, 10_000, |_| continuation(1, 0, &line[..line.len().min(MAX_PAYLOAD)])).await;
        });
        assert!(cost.begun == 0 && cost.memory < 600 * KIB, "{}: {cost:?}", piece.len());
        assert!(cost.closed && cost.said.contains("GOAWAY"), "{}: {cost:?}", piece.len());
    }
}

fn length_of(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    integer(&mut bytes, 0, 7, text.len());
    bytes
}

/// CVE-2019-9512, CVE-2019-9515: each frame asks for an answer. A client that reads is answered.
#[test]
fn a_flood_of_ping_and_settings_is_answered_in_bounded_memory() {
    for (row, flood) in [("PING", ping(0, b"01234567")), ("SETTINGS", settings(&[(INITIAL_WINDOW_SIZE, 70_000)]))] {
        let cost = attack(Work::Read, &[], async |client| {
            repeat(client, 20_000, |_| flood.clone()).await;
            while client.next_soon().await.is_some() {}
        });
        assert!(!cost.closed && cost.begun == 0 && cost.memory < 2 * MIB, "{row}: {cost:?}");
    }
}

/// A client that does not read the answers is not read either, and is given up.
#[test]
fn a_flood_of_ping_and_settings_without_reading_is_given_up() {
    for (row, flood) in [("PING", ping(0, b"01234567")), ("SETTINGS", settings(&[(INITIAL_WINDOW_SIZE, 70_000)]))] {
        let flood = flood.repeat(30_000);
        let cost = attack(Work::Read, &[], async |client| {
            let taken = client.send_unread(&flood).await;
            assert!(taken < 400_000, "{row}: {taken} bytes were taken");
            sleep(Duration::from_secs(90)).await;
        });
        // The flood itself is half a megabyte.
        assert!(cost.closed && cost.begun == 0 && cost.memory < 3 * MIB, "{row}: {cost:?}");
    }
}

/// An idle connection ends although its client sends PINGs.
#[test]
fn ping_does_not_prolong_an_idle_connection() {
    let cost = attack(Work::Read, &[], async |client| {
        for _ in 0..30 {
            if !client.closed {
                client.send(ping(0, b"01234567")).await;
                while client.next_soon().await.is_some() {}
                sleep(Duration::from_secs(5)).await;
            }
        }
    });
    assert!(cost.closed && cost.time < Duration::from_secs(90), "{cost:?}");
}

/// CVE-2019-9518.
#[test]
fn a_flood_of_empty_data_is_bounded() {
    for kind in [Work::Read, Work::Keep] {
        let cost = attack(kind, &[], async |client| {
            client.send(post(1)).await;
            repeat(client, 10_000, |_| data(1, 0, "")).await;
        });
        assert!(cost.begun == 1 && cost.memory < MIB, "{cost:?}");
        assert!(cost.closed && cost.said.contains(CALM), "{cost:?}");
    }
}

/// Each frame costs more to keep than the window says.
#[test]
fn a_flood_of_small_data_is_bounded() {
    for (kind, padding) in [(Work::Read, 0), (Work::Keep, 0), (Work::Keep, 200)] {
        let cost = attack(kind, &[], async |client| {
            client.send(post(1)).await;
            let payload = [&[padding][..], b"x", &vec![0; padding.into()]].concat();
            repeat(client, 100_000, |_| frame(DATA, PADDED, 1, &payload)).await;
        });
        assert!(cost.begun == 1 && cost.memory < 4 * MIB, "{padding}: {cost:?}");
    }
}

/// CVE-2016-6581: a field of the table is large, and a reference to it is one byte.
#[test]
fn an_hpack_bomb_is_bounded() {
    let large = "a".repeat(4_000);
    let added = [&[0x40, 1, b'x'][..], &length_of(&large), large.as_bytes()].concat();
    let cost = attack(Work::TwoSeconds, &[], async |client| {
        client
            .send(frame(HEADERS, END_STREAM | END_HEADERS, 1, [&block(&fields("GET", &[])), &added[..]].concat()))
            .await;
        let bomb = [&block(&fields("GET", &[]))[..], &vec![0xbe; 16_000]].concat();
        repeat(client, 1_000, |stream| frame(HEADERS, END_STREAM | END_HEADERS, stream + 2, &bomb)).await;
    });
    assert!(cost.begun <= 1 && cost.memory < 2 * MIB, "{cost:?}");
}

/// Cookies may come in pieces, which are short and many.
#[test]
fn a_flood_of_cookie_crumbs_is_refused_431() {
    for (crumbs, refused) in [(101, "1: 431"), (400, "1: 431"), (4_000, CALM)] {
        let bytes = [&block(&fields("GET", &[]))[..], &[0x60, 3, b'a', b'=', b'b'], &vec![0xbe; crumbs]].concat();
        let cost = attack(Work::Read, &[], async |client| {
            client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &bytes)).await;
        });
        assert!(cost.begun == 0 && cost.memory < MIB, "{crumbs}: {cost:?}");
        assert!(cost.said.starts_with(refused), "{crumbs}: {cost:?}");
    }
}

/// The preface has the time of a head, and so has the first frame.
#[test]
fn a_slow_preface_is_bounded() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(bounded(async {
        let mut config = config();
        config.protocols.unencrypted_http2 = true;
        let server = Server::with_config(async |_: Request| "done", config);
        let (dial, _) = in_memory(&server);
        for head in [&PREFACE[..3], &PREFACE[..20], &PREFACE[..], &hello()[..30]] {
            let mut client = dial.connect();
            let began = Instant::now();
            for byte in head {
                client.send([*byte]).await;
                sleep(Duration::from_millis(10)).await;
            }
            let mut all = Vec::new();
            client.io.read_to_end(&mut all).await.expect("an end");
            let took = began.elapsed();
            assert!((9..13).contains(&took.as_secs()), "{} bytes: {took:?}", head.len());
        }
    }));
}

/// Each body that does not come ends its own request, and the connection serves on.
#[test]
fn slow_bodies_end_their_requests_alone() {
    let cost = attack(Work::Read, &[], async |client| {
        client.send((0..99).flat_map(|n| post(2 * n + 1)).collect::<Vec<_>>()).await;
        let mut open: Vec<u32> = (0..99).map(|n| 2 * n + 1).collect();
        for _ in 0..20 {
            client.send(open.iter().flat_map(|stream| data(*stream, 0, "x")).collect::<Vec<_>>()).await;
            sleep(Duration::from_secs(1)).await;
            while let Some(frame) = client.next_soon().await {
                if let Frame::Headers { stream, fields, .. } = frame {
                    assert_eq!(fields[0].1, "408", "of the stream {stream}");
                    open.retain(|open| *open != stream);
                }
            }
        }
        assert_eq!(open, [] as [u32; 0], "each body was late");
        assert!(client.serves(1001).await);
    });
    assert!(cost.most <= PLACES && cost.memory < 4 * MIB && !cost.closed, "{cost:?}");
}

/// A client that never opens the window of its requests loses them, and the connection serves on.
#[test]
fn zero_windows_end_their_requests_alone() {
    let said = Mutex::new(String::new());
    let cost = attack(Work::Large, &[(INITIAL_WINDOW_SIZE, 0)], async |client| {
        client.send((0..99).flat_map(|n| get(2 * n + 1)).collect::<Vec<_>>()).await;
        // It answers what it is asked, so that it counts as alive.
        for _ in 0..24 {
            while client.next_soon().await.is_some_and(|frame| {
                if let Frame::Reset { stream, code } = frame {
                    *said.lock().expect("not poisoned") += &format!("{stream}: {code}, ");
                }
                true
            }) {}
            client.send(ping(0, b"01234567")).await;
            sleep(Duration::from_secs(3)).await;
        }
        client.send(headers(1001, END_STREAM, &fields("HEAD", &[]))).await;
    });
    let said = said.into_inner().expect("not poisoned");
    assert_eq!(said.matches(": 8, ").count(), 99, "CANCEL: {said}");
    assert!(cost.said.contains("1001: 200") && !cost.closed, "{cost:?}");
    assert!(cost.most <= PLACES && cost.memory < 8 * MIB, "{cost:?}");
}

/// A client with large windows that never reads: what waits for it is bounded, and it is given up.
#[test]
fn a_client_that_never_reads_is_given_up() {
    let cost = attack(Work::Large, &[(INITIAL_WINDOW_SIZE, MOST_WINDOW)], async |client| {
        client.send(window_update(0, MOST_WINDOW - 65_535)).await;
        client.send((0..100).flat_map(|n| get(2 * n + 1)).collect::<Vec<_>>()).await;
        sleep(Duration::from_secs(90)).await;
    });
    assert!(cost.closed && cost.begun == 100 && cost.memory < 8 * MIB, "{cost:?}");
}

/// More requests than are allowed are refused, and a client that goes on with it ends its connection.
#[test]
fn a_flood_of_requests_beyond_the_limit_is_bounded() {
    let cost = attack(Work::TwoSeconds, &[], async |client| {
        repeat(client, 5_000, get).await;
    });
    assert!(cost.begun <= PLACES && cost.memory < MIB, "{cost:?}");
    assert!(cost.closed && cost.said.contains(CALM), "{cost:?}");
}

/// A frame whose bytes come one by one holds nothing but its connection.
#[test]
fn a_frame_in_single_bytes_does_not_prolong_an_idle_connection() {
    let cost = attack(Work::Read, &[], async |client| {
        for byte in get(1).into_iter().chain(std::iter::repeat_n(0, 200)).take(50) {
            if !client.closed && !client.broken {
                client.send([byte]).await;
                sleep(Duration::from_secs(5)).await;
            }
        }
    });
    assert!(cost.closed && cost.begun == 0 && cost.memory < MIB && cost.time < Duration::from_secs(300), "{cost:?}");
}
