//! The events of requests over HTTP/2: each stream that reached the server has one, which agrees with what the client saw.

#![cfg(feature = "http2")]

mod http2_kit;
mod served_kit;
mod support;

use std::time::Duration;

use h2::Reason;
use http::Request as Head;
use http2_kit::{Client, config, connect, connect_with, read, request, send_all};
use proptest::prelude::*;
use quintet_server::{
    Http2Config, Outcome, Refusal,
    conn::Counts,
    request::{CloseReason, HeadError},
};
use served_kit::{Event, mux, observed};
use support::{bounded, eventually, in_memory};
use tokio::{task::yield_now, time::sleep};

/// Status of a whole reply and length of its body, or the reset.
type Seen = Result<(u16, u64), Option<Reason>>;

async fn fetch(client: &mut Client, method: &str, path: &str) -> Seen {
    let (reply, _) = client.open(request(method, path), true).await;
    read(reply).await.map(|reply| (reply.status.as_u16(), reply.body.len() as u64)).map_err(|error| error.reason())
}

#[tokio::test(start_paused = true)]
async fn each_stream_has_one_event() {
    bounded(async {
        let (server, events) = observed(mux(), config());
        let (dial, _serving) = in_memory(&server);
        let mut client = connect(&dial).await;
        let rows = [
            ("GET", "/", (200, "complete", true)),
            ("GET", "/later", (200, "complete", true)),
            ("GET", "/pieces", (200, "complete", true)),
            ("GET", "/big/300000", (200, "complete", true)),
            ("HEAD", "/pieces", (200, "complete", true)),
            ("GET", "/empty", (204, "complete", true)),
            ("GET", "/nowhere", (404, "complete", true)),
            ("POST", "/ignore", (200, "complete", true)),
            ("GET", "/fails", (200, "broken", false)),
            ("GET", "/fails-at-once", (500, "complete", true)),
            ("GET", "/bomb", (200, "panicked", false)),
            ("GET", "/panic", (500, "panicked", true)),
            ("GET", "/abort", (0, "broken", false)),
            ("GET", "/upgrade", (501, "complete", true)),
        ];
        for (n, (method, path, expected)) in rows.into_iter().enumerate() {
            let seen = fetch(&mut client, method, path).await;
            // Fired when the last frame was sent, and not when the next request comes.
            eventually("its event", || events.lock().unwrap().len() > n).await;
            let event = events.lock().unwrap()[n].clone();
            assert_eq!((event.status, event.outcome.as_str(), event.is_whole), expected, "{method} {path}: {event:?}");
            assert_eq!(event.request, Some(format!("{method} {path}")));
            assert_eq!(event.close, None);
            match seen {
                Ok((status, body)) => assert_eq!((status, body, true), (event.status, event.bodies.1, event.is_whole)),
                Err(_) => assert!(!event.is_whole, "{event:?}"),
            }
        }
        assert_eq!(events.lock().unwrap().len(), rows.len());
        let reply = client.post("/read", "a body of 21 bytes...").await;
        assert_eq!(reply.text(), "21");
        eventually("its event", || events.lock().unwrap().len() > rows.len()).await;
        let event = events.lock().unwrap()[rows.len()].clone();
        assert_eq!((event.pattern.as_deref(), event.bodies), (Some("POST /read"), (21, 2)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_head_of_a_stream_names_its_rule_and_method() {
    bounded(async {
        let (server, events) = observed(mux(), config());
        let (dial, _serving) = in_memory(&server);
        let mut client = connect(&dial).await;
        let head = Head::put("http://a/").header("expect", "magic");
        let (reply, _) = client.open(head.body(()).unwrap(), true).await;
        assert_eq!(read(reply).await.unwrap().status, 417);
        eventually("its event", || events.lock().unwrap().len() == 1).await;
        let event = events.lock().unwrap()[0].clone();
        assert!(matches!(event.outcome, Outcome::Refused(Refusal::Head(HeadError::Expect { .. }))), "{event:?}");
        assert_eq!((event.status, event.is_whole, event.request.as_deref()), (417, true, Some("PUT ")));
    })
    .await;
}

/// The handler goes on after the reset, and the event comes when it is done.
#[tokio::test(start_paused = true)]
async fn a_stream_that_its_client_resets_is_reset() {
    bounded(async {
        let (server, events) = observed(mux(), config());
        let (dial, _serving) = in_memory(&server);
        let mut client = connect(&dial).await;
        let (reply, mut stream) = client.open(request("GET", "/sleep"), false).await;
        sleep(Duration::from_millis(100)).await;
        stream.send_reset(Reason::CANCEL);
        drop(reply);
        eventually("its event", || events.lock().unwrap().len() == 1).await;
        let event = events.lock().unwrap()[0].clone();
        assert_eq!((event.outcome, event.is_whole, event.close), (Outcome::Reset, false, None));
        assert_eq!(event.pattern.as_deref(), Some("GET /sleep"));
        assert!(event.duration >= Duration::from_millis(1400), "{event:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn streams_of_a_client_that_is_gone_are_not_whole() {
    bounded(async {
        let (server, events) = observed(mux(), config());
        let (dial, _serving) = in_memory(&server);
        let mut client = connect(&dial).await;
        let mut held = Vec::new();
        for path in ["/sleep", "/sleep", "/big/300000"] {
            held.push(client.open(request("GET", path), true).await);
        }
        sleep(Duration::from_millis(100)).await;
        client.connection.abort();
        drop(client);
        eventually("all events", || events.lock().unwrap().len() == 3).await;
        eventually("the connection ends", || server.counts() == Counts::default()).await;
        let events = events.lock().unwrap();
        assert_eq!(events.len(), 3);
        for event in &*events {
            assert!(!event.is_whole && matches!(event.outcome, Outcome::Reset | Outcome::Cut), "{event:?}");
            assert!(event.close.is_some(), "{event:?}");
        }
    })
    .await;
}

/// A client that opens no window: its reply is late, and the connection goes on.
#[tokio::test(start_paused = true)]
async fn a_stream_whose_client_does_not_read_is_cut() {
    bounded(async {
        if support::without_timeouts() {
            return;
        }
        let (server, events) = observed(mux(), config());
        let (dial, _serving) = in_memory(&server);
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(1000);
        let mut client = connect_with(&dial, &builder).await;
        let (reply, _stream) = client.open(request("GET", "/big/5000"), true).await;
        let _held = reply.await.unwrap();
        sleep(Duration::from_secs(40)).await;
        eventually("its event", || {
            let first = events.lock().unwrap().first().cloned();
            first.is_some_and(|event| event.outcome == Outcome::Cut)
        })
        .await;
        let event = events.lock().unwrap()[0].clone();
        assert_eq!((event.status, event.is_whole, event.bodies.1), (200, false, 1000));
        assert_eq!(fetch(&mut client, "GET", "/").await, Ok((200, 6)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_a_place_is_refused() {
    bounded(async {
        if support::without_timeouts() {
            return;
        }
        let mut config = config();
        config.http2 = Http2Config { max_concurrent_streams: 1, ..Http2Config::default() };
        let (server, events) = observed(
            async |_| {
                sleep(Duration::from_secs(60)).await;
                "late"
            },
            config,
        );
        let (dial, _serving) = in_memory(&server);
        let mut client = connect(&dial).await;
        let (first, mut stream) = client.open(request("GET", "/1"), false).await;
        sleep(Duration::from_millis(10)).await;
        // Its handler goes on, so that there is no place for the next request.
        stream.send_reset(Reason::CANCEL);
        drop(first);
        let (second, _) = client.open(request("GET", "/2"), true).await;
        assert_eq!(read(second).await.unwrap_err().reason(), Some(Reason::REFUSED_STREAM));
        eventually("its event", || events.lock().unwrap().len() == 1).await;
        let event = events.lock().unwrap()[0].clone();
        assert_eq!((event.outcome, event.status), (Outcome::Refused(Refusal::NoPlace), 0));
        assert_eq!(event.request.as_deref(), Some("GET /2"));
        sleep(Duration::from_secs(60)).await;
        assert_eq!(events.lock().unwrap().len(), 2);
        assert_eq!(events.lock().unwrap()[1].outcome, Outcome::Reset);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_aborted_http2_connection_cuts_its_streams() {
    bounded(async {
        let (server, events) = observed(mux(), config());
        let (dial, _serving) = in_memory(&server);
        let mut client = connect(&dial).await;
        let _reply = client.open(request("GET", "/sleep"), true).await;
        sleep(Duration::from_millis(100)).await;
        server.close().await;
        eventually("its event", || events.lock().unwrap().len() == 1).await;
        let event = events.lock().unwrap()[0].clone();
        assert!(!event.is_whole && matches!(event.outcome, Outcome::Cut | Outcome::Reset), "{event:?}");
        assert_eq!(event.close, Some(CloseReason::Aborted));
    })
    .await;
}

/// Tasks of a runtime with more than one thread: the event is not lost between the task of the stream and that of the
/// connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_stream_has_one_event_on_two_threads() {
    bounded(async {
        let (server, events) = observed(mux(), config());
        let (dial, _serving) = in_memory(&server);
        let mut clients = Vec::new();
        for _ in 0..4 {
            let mut client = connect(&dial).await;
            clients.push(tokio::spawn(async move {
                for n in 0..50 {
                    let path = ["/", "/later", "/pieces", "/big/5000", "/nowhere"][n % 5];
                    assert!(fetch(&mut client, "GET", path).await.is_ok());
                }
                client
            }));
        }
        let mut held = Vec::new();
        for client in clients {
            held.push(client.await.unwrap());
        }
        // The clients are still connected: nothing but the last frame of each stream wakes their connections.
        eventually("all events", || events.lock().unwrap().len() == 200).await;
        let events = events.lock().unwrap();
        assert!(events.iter().all(|event| event.is_whole && event.outcome == Outcome::Complete));
    })
    .await;
}

const KINDS: [(&str, &str); 10] = [
    ("GET", "/"),
    ("GET", "/later"),
    ("GET", "/pieces"),
    ("GET", "/big/3000"),
    ("GET", "/nowhere"),
    ("POST", "/read"),
    ("POST", "/ignore"),
    ("GET", "/fails"),
    ("GET", "/panic"),
    ("GET", "/abort"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Streams at once, some of which are reset, on a connection that may be cut.
    #[test]
    fn events_agree_with_what_an_http2_client_saw(
        streams in prop::collection::vec((0..KINDS.len(), prop::option::of(0..6_u8)), 1..10),
        cut in prop::option::of(0..20_u8),
        window in prop::sample::select(vec![500_u32, 65_535]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(bounded(async {
            let (server, events) = observed(mux(), config());
            let (dial, _serving) = in_memory(&server);
            let mut builder = h2::client::Builder::new();
            builder.initial_window_size(window);
            let mut client = connect_with(&dial, &builder).await;
            let mut tasks = Vec::new();
            for (n, (kind, reset)) in streams.iter().enumerate() {
                let (method, path) = KINDS[*kind];
                let head = request(method, &format!("{path}?{n}"));
                let (reply, mut stream) = client.open(head, method == "GET" && reset.is_none()).await;
                let reset = *reset;
                tasks.push(tokio::spawn(async move {
                    match reset {
                        Some(turns) => {
                            for _ in 0..turns {
                                yield_now().await;
                            }
                            stream.send_reset(Reason::CANCEL);
                        }
                        None if method == "POST" => drop(tokio::spawn(send_all(stream, "some body".into()))),
                        None => {}
                    }
                    let reply = read(reply).await;
                    reply.map(|reply| (reply.status.as_u16(), reply.body.len() as u64)).ok()
                }));
            }
            if let Some(turns) = cut {
                for _ in 0..turns {
                    yield_now().await;
                }
                client.connection.abort();
            }
            let mut seen = Vec::new();
            for task in tasks {
                seen.push(tokio::time::timeout(Duration::from_secs(5), task).await.ok().and_then(Result::ok).flatten());
            }
            drop(client);
            eventually("the connection ends", || server.counts().total() == 0).await;
            let events = events.lock().unwrap().clone();
            check(&streams, &events, &seen, cut.is_some())
        }))?;
    }
}

fn check(
    streams: &[(usize, Option<u8>)],
    events: &[Event],
    seen: &[Option<(u16, u64)>],
    is_cut: bool,
) -> Result<(), TestCaseError> {
    for (n, ((kind, reset), seen)) in streams.iter().zip(seen).enumerate() {
        let (method, path) = KINDS[*kind];
        let line = format!("{method} {path}?{n}");
        let own: Vec<_> = events.iter().filter(|event| event.request.as_deref() == Some(&line)).collect();
        prop_assert!(own.len() <= 1, "{own:?}");
        let Some(event) = own.first() else {
            // The server never took it: it was reset or cut before.
            prop_assert!(reset.is_some() || is_cut, "{} has no event", line);
            prop_assert_eq!(*seen, None);
            continue;
        };
        if let Some((status, body)) = seen {
            prop_assert!(event.is_whole, "{:?}", event);
            prop_assert_eq!((*status, *body), (event.status, event.bodies.1), "{:?}", event);
        } else if reset.is_none() && !is_cut {
            prop_assert!(!event.is_whole, "{:?}", event);
        }
        prop_assert!(event.first.is_none_or(|first| first <= event.duration), "{:?}", event);
    }
    prop_assert!(events.len() <= streams.len());
    Ok(())
}
