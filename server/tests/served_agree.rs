//! The events, the access log, the metrics and the spans of a thousand mixed requests agree with each other and with what
//! the clients saw.

mod served_kit;
mod support;

#[cfg(feature = "tracing")]
mod collector;
#[cfg(feature = "http2")]
mod http2_kit;
#[cfg(feature = "metrics")]
mod recorder;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use quintet_server::{AccessLog, Config, Request, ServeMux, access_log::AccessLogOptions};
use serde_json::Value;
use served_kit::{Event, observed};
use support::{Dial, bounded, eventually, in_memory};
#[cfg(feature = "http2")]
use tokio::time::sleep;

const REQUESTS: usize = 1000;
const CLIENTS: usize = 10;

/// What a client saw of its request: status, and bytes of the body; `None` if it has seen no whole reply.
type Seen = Option<(u16, u64)>;

/// The kinds of requests, as (kind, outcome of the event).
const KINDS: &[(&str, &str)] = &[
    ("ok", "complete"),
    ("later", "complete"),
    ("missing", "complete"),
    ("bad", "refused"),
    ("late", "refused"),
    ("large", "complete"),
    ("panic", "panicked"),
    ("cut", "cut"),
    ("upgrade", "taken_over"),
    #[cfg(feature = "http2")]
    ("reset", "reset"),
    #[cfg(feature = "http2")]
    ("h2", "complete"),
];

fn mux() -> ServeMux {
    let mux = served_kit::mux();
    mux.handle("GET /id/{n}", async |request: Request| request.path_value("n").unwrap_or_default().into_owned());
    mux.handle("POST /large/{n}", async |mut request: Request| match request.to_bytes(10).await {
        Ok(_) => http::StatusCode::OK,
        Err(error) => error.status(),
    });
    mux.handle("GET /panic/{n}", async |_: Request| -> &'static str { panic!("as asked") });
    mux.handle("GET /cut/{n}", async |_: Request| vec![b'x'; 200_000]);
    mux.handle("GET /wait/{n}", async |request: Request| request.disconnected().await);
    mux
}

/// The target of the n-th request; it is in its event, unless its head was refused.
fn target(kind: &str, n: usize) -> String {
    match kind {
        "ok" | "h2" => format!("/id/{n}"),
        "later" => format!("/later?{n}"),
        "missing" => format!("/nowhere/{n}"),
        "large" => format!("/large/{n}"),
        "panic" => format!("/panic/{n}"),
        "cut" => format!("/cut/{n}"),
        "upgrade" => format!("/upgrade?{n}"),
        _ => format!("/wait/{n}"),
    }
}

/// Sends the n-th request on a connection of its own; returns what the client saw.
async fn request(dial: &Dial, kind: &str, n: usize) -> Seen {
    let target = target(kind, n);
    let mut client = dial.connect_sized(if kind == "cut" { 1000 } else { 64 * 1024 });
    match kind {
        "bad" => client.send("GET / HTTP/1.1\r\n\r\n").await,
        "late" => client.send("GET / HTTP/1.1\r\nHo").await,
        "large" => {
            client.send(format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n01234567890")).await;
        }
        "upgrade" => client.get_upgrade(&target).await,
        _ => client.get(&target).await,
    }
    match kind {
        "cut" => {
            client.exactly(500).await.expect("the beginning of the reply");
            None
        }
        "upgrade" => client.head().await.map(|(status, _)| (status, 0)),
        _ => client.try_reply().await.map(|reply| (reply.status, reply.body.len() as u64)),
    }
}

#[cfg(feature = "http2")]
async fn request_http2(dial: &Dial, kind: &str, n: usize) -> Seen {
    let mut client = http2_kit::connect(dial).await;
    let end = kind == "h2";
    let (reply, mut stream) = client.open(http2_kit::request("GET", &target(kind, n)), end).await;
    if !end {
        sleep(Duration::from_millis(10)).await; // the handler is at work
        stream.send_reset(h2::Reason::CANCEL);
        return None;
    }
    let reply = http2_kit::read(reply).await.expect("a reply");
    Some((reply.status.as_u16(), reply.body.len() as u64))
}

#[cfg(not(feature = "http2"))]
async fn request_http2(_: &Dial, kind: &str, _: usize) -> Seen {
    panic!("{kind} needs HTTP/2")
}

/// All requests, a tenth of them by each client; what was seen of each.
async fn all(dial: &Dial) -> Vec<Seen> {
    let mut clients = Vec::new();
    for first in 0..CLIENTS {
        let dial = dial.clone();
        clients.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            for n in (first..REQUESTS).step_by(CLIENTS) {
                let (kind, _) = KINDS[n % KINDS.len()];
                let one = match kind {
                    "reset" | "h2" => request_http2(&dial, kind, n).await,
                    _ => request(&dial, kind, n).await,
                };
                seen.push((n, one));
            }
            seen
        }));
    }
    let mut seen = vec![None; REQUESTS];
    for client in clients {
        for (n, one) in client.await.expect("no panic") {
            seen[n] = one;
        }
    }
    seen
}

/// How often each thing occurs.
fn counts<T: Ord>(all: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    all.into_iter().fold(BTreeMap::new(), |mut counts, one| {
        *counts.entry(one).or_default() += 1;
        counts
    })
}

/// What an event and its line in the log have in common: target, status, bytes of both bodies, outcome.
type Parts = (Option<String>, u16, (u64, u64), String);

fn parts(event: &Event) -> Parts {
    let target = event.request.as_ref().and_then(|line| line.split_once(' ')).map(|(_, target)| target.to_owned());
    (target, event.status, event.bodies, event.outcome.to_string())
}

fn line_parts(line: &Value) -> Parts {
    let number = |name: &str| line[name].as_u64().unwrap_or(0);
    let status = u16::try_from(number("status")).expect("a status");
    let outcome = line["outcome"].as_str().expect("an outcome").to_owned();
    let bodies = (number("request_body_bytes"), number("reply_body_bytes"));
    (line["target"].as_str().map(str::to_owned), status, bodies, outcome)
}

struct LogFile(PathBuf);

impl Drop for LogFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test(start_paused = true)]
async fn log_metrics_and_spans_agree_with_what_a_thousand_clients_saw() {
    bounded(async {
        if support::without_timeouts() || support::over_tls() {
            return; // there is no 408, and the buffers of TLS hide what was cut
        }
        let file = LogFile(std::env::temp_dir().join(format!("quintet-agree-{}.log", std::process::id())));
        let log = AccessLog::open_with(&file.0, AccessLogOptions::default()).expect("a log file");
        #[allow(unused_mut, reason = "some features change it")]
        let mut config = Config { access_log: Some(log.clone()), ..Config::default() };
        #[cfg(feature = "http2")]
        {
            config.protocols.unencrypted_http2 = true;
        }
        #[cfg(feature = "tracing")]
        let collector = collector::Collector::default();
        #[cfg(feature = "tracing")]
        let _listening = collector.listen();
        #[cfg(feature = "tracing")]
        {
            config.tracing = true;
        }
        #[cfg(feature = "metrics")]
        let recorder = recorder::Recorder::default();
        #[cfg(feature = "metrics")]
        let _recording = metrics::set_default_local_recorder(&recorder);
        #[cfg(feature = "metrics")]
        {
            config.hooks.served = Some(quintet_server::Metrics::new().hook());
        }
        let (server, events) = observed(mux(), config);
        let (dial, _serving) = in_memory(&server);
        let seen = all(&dial).await;
        eventually("all events", || events.lock().expect("no panic").len() >= REQUESTS).await;
        eventually("all connections end", || server.counts().total() == 0).await;
        let events = events.lock().expect("no panic").clone();

        agree_with_clients(&events, &seen);
        assert!(log.flush(Duration::from_secs(10)), "the log is written");
        let text = std::fs::read_to_string(&file.0).expect("the log");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
        assert_eq!(counts(lines.map(|line| line_parts(&line))), counts(events.iter().map(parts)));
        #[cfg(feature = "tracing")]
        spans::agree(&collector, &events);
        #[cfg(feature = "metrics")]
        series::agree(&recorder, &events);
    })
    .await;
}

#[cfg(feature = "tracing")]
mod spans {
    use super::{BTreeMap, Event, counts, parts};
    use crate::collector::Collector;

    /// Target, status, and what went wrong.
    type Ended = (String, Option<String>, Option<String>);

    /// Each request whose head was read has a span, which has ended, with its target and its status.
    pub(super) fn agree(collector: &Collector, events: &[Event]) {
        let of_event = |event: &Event| -> Option<Ended> {
            let status = (event.status > 0).then(|| event.status.to_string());
            let error = match event.outcome.as_str() {
                "complete" | "taken_over" | "refused" => None,
                fault => Some(fault.to_owned()),
            };
            Some((parts(event).0?, status, error))
        };
        let spans = collector.spans();
        let of_spans = spans.iter().map(|span| {
            assert!(span.has_ended(), "{span:?}");
            let field = |name: &str| span.fields.get(name).cloned();
            let query = field("url.query").map(|query| format!("?{query}")).unwrap_or_default();
            let target = field("url.path").unwrap_or_default() + &query;
            (target, field("http.response.status_code"), field("error.type"))
        });
        let (of_spans, of_events): (BTreeMap<Ended, usize>, _) =
            (counts(of_spans), counts(events.iter().filter_map(of_event)));
        assert_eq!(of_spans, of_events);
    }
}

#[cfg(feature = "metrics")]
mod series {
    use super::{BTreeMap, Event};
    use crate::recorder::Recorder;

    /// The counts and the bytes of the replies, by method, class of the status, and pattern.
    pub(super) fn agree(recorder: &Recorder, events: &[Event]) {
        let (mut requests, mut bytes) = (BTreeMap::new(), BTreeMap::new());
        for event in events {
            let method = event.request.as_deref().and_then(|line| line.split(' ').next()).unwrap_or("_OTHER");
            let class = if event.status == 0 { "none".into() } else { format!("{}xx", event.status / 100) };
            let pattern = event.pattern.as_deref().unwrap_or("unmatched");
            let labels = format!("{{method={method},status={class},pattern={pattern}}}");
            *requests.entry(labels.clone()).or_default() += 1;
            bytes.entry(labels).or_insert_with(Vec::new).push(event.bodies.1);
        }
        assert_eq!(recorder.counters("http_server_requests_total"), requests);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sizes of bodies")]
        let recorded = recorder
            .values("http_server_response_body_size_bytes")
            .into_iter()
            .map(|(labels, sizes)| (labels, sizes.into_iter().map(|size| size as u64).collect::<Vec<_>>()));
        assert_eq!(recorded.collect::<BTreeMap<_, _>>(), bytes);
    }
}

/// Compares the events with what the clients saw, each by its target, and those of refused heads by their number.
fn agree_with_clients(events: &[Event], seen: &[Seen]) {
    assert_eq!(events.len(), REQUESTS);
    let by_target: BTreeMap<_, _> = events.iter().filter_map(|event| Some((parts(event).0?, event))).collect();
    for (n, seen) in seen.iter().enumerate() {
        let (kind, outcome) = KINDS[n % KINDS.len()];
        let Some(event) = by_target.get(&target(kind, n)) else {
            assert_eq!(outcome, "refused", "{kind} {n} has no event");
            continue;
        };
        assert_eq!(event.outcome.as_str(), outcome, "{kind} {n}: {event:?}");
        let whole = event.is_whole.then_some((event.status, event.bodies.1));
        assert_eq!(whole, *seen, "{kind} {n}: {event:?}");
    }
    // A refused head has no target: its status tells which it was.
    let refused = |events: &[Event]| {
        counts(events.iter().filter(|event| event.request.is_none()).map(|event| (event.status, event.bodies.1)))
    };
    let expected = seen.iter().enumerate().filter(|(n, _)| KINDS[n % KINDS.len()].1 == "refused");
    assert_eq!(refused(events), counts(expected.map(|(_, seen)| seen.expect("a refused client is answered"))));
}
