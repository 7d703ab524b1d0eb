//! The scenarios of the example `scenario`: what their clients have seen, and what the live figure says meanwhile. They play in
//! memory, and time is paused.

use std::{
    io,
    sync::{Arc, Mutex},
};

use quintet_examples::scenarios::{MAX_UPLOAD_BYTES, READ_HEADER_TIMEOUT, Scenario, Stage, server};
use quintet_listener::{
    Addr, Listener,
    testing::{Dialer, MemoryListener, MemoryStream},
};
use quintet_server::{ServeMux, Server, httptest::RawClient};
use serde_json::Value;
use tokio::{
    io::DuplexStream,
    task::JoinHandle,
    time::{Duration, sleep},
};

/// How often accept fails without descriptors: waits of 5 ms, 10 ms … 640 ms, 1.3 s together.
const FAILURES: u32 = 8;

/// A listener in memory whose clients seem to come from this machine, as the figure wants it.
struct Loopback(MemoryListener);

impl Listener for Loopback {
    type Stream = MemoryStream;

    async fn accept(&mut self) -> io::Result<(MemoryStream, Addr)> {
        let (stream, _) = self.0.accept().await?;
        Ok((stream, Addr::Tcp(([127, 0, 0, 1], 4711).into())))
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Ok(Addr::Tcp(([127, 0, 0, 1], 9090).into()))
    }
}

/// Where the scenarios play: memory.
#[derive(Clone)]
struct Memory(Dialer);

impl Stage for Memory {
    type Socket = ();
    type Stream = DuplexStream;

    fn socket(&self) -> io::Result<()> {
        Ok(())
    }

    async fn connect(&self, (): ()) -> io::Result<DuplexStream> {
        if self.0.is_closed() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(self.0.connect(64 * 1024).0)
    }

    /// The next accepts fail, and those after them find the clients that came meanwhile.
    fn exhaust(&self) -> io::Result<()> {
        const EMFILE: i32 = 24;
        for _ in 0..FAILURES {
            self.0.fail(io::Error::from_raw_os_error(EMFILE));
        }
        Ok(())
    }

    fn release(&self) -> io::Result<()> {
        Ok(())
    }
}

/// What the feed of the figure has told.
#[derive(Clone, Default)]
struct Feed {
    ticks: Vec<Value>,
    /// Whether the last event was `bye`.
    is_over: bool,
}

/// Reads the feed, until it ends.
fn watch(stage: &Memory) -> (Arc<Mutex<Feed>>, JoinHandle<()>) {
    let feed = Arc::<Mutex<Feed>>::default();
    let (of, mut viewer) = (Arc::clone(&feed), RawClient::new(stage.0.connect(1 << 20).0));
    let reading = tokio::spawn(async move {
        viewer.send("GET /live/events HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let (status, head) = viewer.head().await.expect("a head");
        assert_eq!(status, 200, "{head}");
        let mut received = Vec::new();
        while let Some(data) = viewer.chunk().await.filter(|data| !data.is_empty()) {
            received.extend(data);
            while let Some(end) = received.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = received.drain(..end + 2).collect();
                let event = String::from_utf8(event).expect("text");
                let mut feed = of.lock().expect("no panic");
                if event.contains("event: bye") {
                    feed.is_over = true;
                } else if let Some(data) = event.strip_prefix("data: ") {
                    feed.ticks.push(serde_json::from_str(data).expect("a tick is JSON"));
                }
            }
        }
    });
    (feed, reading)
}

/// Plays a scenario, and returns what its clients have seen, what the feed said, and the server.
async fn play(scenario: Scenario) -> (String, Feed, Server<ServeMux>) {
    let (listener, dialer) = MemoryListener::new();
    let (server, stage) = (server(), Memory(dialer));
    let serving = server.clone();
    tokio::spawn(async move { serving.serve(Loopback(listener)).await });
    let (feed, reading) = watch(&stage);
    sleep(Duration::from_millis(600)).await;
    let seen = scenario.play(&stage, &server).await.expect("the clients see what they should");
    sleep(Duration::from_secs(1)).await;
    let feed = feed.lock().expect("no panic").clone();
    assert!(feed.ticks.len() > 3, "{} ticks", feed.ticks.len());
    reading.abort();
    (seen, feed, server)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], |array| array)
}

impl Feed {
    /// All elements of these lists of the ticks, in order.
    fn all<'a>(&'a self, list_of: impl Fn(&'a Value) -> &'a Value) -> Vec<&'a Value> {
        self.ticks.iter().flat_map(|tick| list(list_of(tick))).collect()
    }

    fn samples(&self) -> Vec<&Value> {
        self.all(|tick| &tick["samples"])
    }

    /// How many samples have this pattern and status.
    fn count(&self, pattern: &str, status: u16) -> usize {
        self.samples().iter().filter(|one| one["pattern"] == pattern && one["status"] == status).count()
    }

    /// The highest value of a number of the ticks.
    fn max(&self, number_of: impl Fn(&Value) -> &Value) -> u64 {
        self.ticks.iter().filter_map(|tick| number_of(tick).as_u64()).max().unwrap_or(0)
    }

    /// The rules of the refusals.
    fn rules(&self) -> Vec<&str> {
        self.all(|tick| &tick["refusals"]).iter().filter_map(|one| one["name"].as_str()).collect()
    }

    fn last(&self) -> &Value {
        self.ticks.last().expect("a tick")
    }
}

#[tokio::test(start_paused = true)]
async fn good_clients_are_idle_between_their_requests() {
    let (seen, feed, _server) = play(Scenario::Good).await;
    assert_eq!(seen, "8 clients have read 160 replies of 200");
    assert_eq!(feed.max(|tick| &tick["counts"]["idle"]), 8);
    let asked = feed.last()["served"].as_u64();
    assert_eq!(feed.count("GET /hello/{name}", 200), 160, "{asked:?}");
    assert!(feed.samples().iter().all(|one| one["outcome"] == "complete" && one["method"] == "GET"));
    assert_eq!((&feed.last()["refused"], &feed.last()["counts"]["idle"]), (&0.into(), &0.into()));
}

#[tokio::test(start_paused = true)]
async fn the_ring_of_a_slowloris_shrinks_until_its_408() {
    let (seen, feed, _server) = play(Scenario::Slowloris).await;
    assert!(seen.starts_with("4 slow clients have read 408 after 5."), "{seen}");
    let limit = u64::try_from(READ_HEADER_TIMEOUT.as_millis()).expect("a few seconds");
    // The time that is left of each connection that reads a head, by its number.
    let mut left = std::collections::BTreeMap::<u64, Vec<u64>>::new();
    for one in feed.all(|tick| &tick["connections"]) {
        if one["phase"] == "head" {
            assert_eq!(one["limit_ms"], limit, "{one}");
            let id = one["id"].as_u64().expect("a number");
            left.entry(id).or_default().push(one["left_ms"].as_u64().expect("a deadline"));
        }
    }
    assert_eq!(left.len(), 4, "{left:?}");
    for times in left.values() {
        assert!(times.is_sorted_by(|before, after| before >= after), "no byte prolongs it: {times:?}");
        assert!(times.len() > 15 && times[0] > limit - 1000 && times.last() == Some(&0), "{times:?}");
    }
    assert_eq!(feed.rules(), ["head_timeout"; 4]);
    assert_eq!(feed.count("GET /hello/{name}", 200), 1, "the other client");
    assert!(list(&feed.last()["connections"]).iter().all(|one| one["phase"] != "head"), "{}", feed.last());
}

#[tokio::test(start_paused = true)]
async fn emfile_is_waited_for_5_10_20_ms_and_on_and_then_recovers() {
    let (seen, feed, _server) = play(Scenario::Descriptors).await;
    assert!(seen.starts_with("3 clients waited in the queue, and have read 200"), "{seen}");
    let events = feed.all(|tick| &tick["accept"]["events"]);
    let (recovered, errors) = events.split_last().expect("events");
    let delays: Vec<_> = errors.iter().map(|one| one["delay_ms"].as_u64()).collect();
    assert_eq!(delays, [5, 10, 20, 40, 80, 160, 320, 640].map(Some));
    assert!(errors.iter().all(|one| one["kind"] == "error" && one["errno"] == "EMFILE"), "{errors:?}");
    assert_eq!(recovered["kind"], "recovered");
    assert_eq!(feed.max(|tick| &tick["accept"]["delay_ms"]), 640);
    let last = &feed.last()["accept"];
    assert_eq!((&last["waited"], &last["delay_ms"], &last["accepted"]), (&FAILURES.into(), &0.into(), &4.into()));
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_served_on_one_connection() {
    let (seen, feed, _server) = play(Scenario::Pipelining).await;
    assert_eq!(seen, "1 client has read 4 times 16 replies of 200, in the order of its requests");
    assert_eq!(feed.count("GET /hello/{name}", 200), 64);
    let connection = &feed.samples()[0]["connection"];
    assert!(feed.samples().iter().all(|one| one["connection"] == *connection));
    assert_eq!(feed.max(|tick| &tick["counts"]["idle"]), 1);
}

#[tokio::test(start_paused = true)]
async fn a_smuggled_request_is_refused_by_its_rule_and_never_served() {
    let (seen, feed, _server) = play(Scenario::Smuggling).await;
    assert_eq!(seen, "4 attempts have read 400 and the end of the connection");
    assert_eq!(feed.rules().len(), 4, "{:?}", feed.rules());
    for one in feed.all(|tick| &tick["refusals"]) {
        assert_eq!(
            (&one["status"], &one["chapter"]),
            (&400.into(), &"request/README.md#where-does-a-message-end".into())
        );
    }
    assert_eq!(feed.last()["refused"], 4);
    assert!(feed.samples().iter().all(|one| one["pattern"] != "GET /secret"), "{:?}", feed.samples());
}

#[tokio::test(start_paused = true)]
async fn a_large_upload_is_answered_413() {
    let (seen, feed, _server) = play(Scenario::Upload).await;
    assert_eq!(
        seen,
        format!("3 clients with {} bytes have read 413, and one with 5 bytes 200", 256 * MAX_UPLOAD_BYTES)
    );
    assert_eq!((feed.count("POST /upload", 413), feed.count("POST /upload", 200)), (3, 1));
    assert_eq!(feed.last()["refused"], 0, "the handler has answered");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_under_load_drains_to_zero() {
    let (seen, feed, server) = play(Scenario::Shutdown).await;
    assert!(seen.ends_with("and lost none, and a new one is refused"), "{seen}");
    assert_eq!(feed.max(|tick| &tick["requests"]), 8);
    let (serving, stopping): (Vec<_>, Vec<_>) = feed.ticks.iter().partition(|tick| tick["state"] == "serving");
    assert!(serving.len() > 4 && stopping.len() > 1, "{} and {}", serving.len(), stopping.len());
    assert!(stopping.iter().all(|tick| tick["state"] == "stopping"));
    assert_eq!(feed.last()["accept"]["open"], false);
    let active: Vec<_> = stopping.iter().map(|tick| tick["counts"]["active"].as_u64()).collect();
    assert!(active.is_sorted_by(|before, after| before >= after), "{active:?}");
    assert_eq!((active[0] > Some(0), active.last()), (true, Some(&Some(0))), "{active:?}");
    assert!(feed.is_over, "the feed says bye when nobody else is there");
    assert_eq!(server.counts().total(), 0);
}

#[test]
fn each_scenario_has_a_name_and_a_caption_of_two_sentences() {
    for scenario in Scenario::ALL {
        let caption = scenario.caption();
        assert_eq!(caption.matches(". ").count() + 1, 2, "{caption}");
        assert!(caption.ends_with('.'), "{caption}");
        let value = <Scenario as clap::ValueEnum>::to_possible_value(&scenario).expect("a value");
        assert_eq!(value.get_name(), scenario.name());
    }
}
