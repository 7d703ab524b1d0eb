//! Server-sent events: a client reads what was sent (HTML Standard §9.2), heartbeats, and the fields of the reply. Time is
//! paused.

#![cfg(feature = "io")]

mod event_client;

use std::{io, time::Duration};

use event_client::{EventClient, Received};
use http_body_util::BodyExt;
use proptest::prelude::*;
use quintet_mux::{Event, EventOptions, EventWriter, Response, events, events_with, last_event_id};
use quintet_request::{Body, Request};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

fn received(name: &str, data: &str, last_id: &str) -> Received {
    Received { name: name.to_owned(), data: data.to_owned(), last_id: last_id.to_owned() }
}

/// The examples of the HTML Standard (§9.2.6) are read as it says, so that the client is right.
#[test]
fn the_client_of_the_tests_reads_the_examples_of_the_standard() {
    let stream = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n";
    let client = EventClient::read(stream);
    assert_eq!(client.events, [received("message", "first event", "1"), received("message", "second event", "")]);
    let client = EventClient::read("data\n\ndata\ndata\n\ndata:");
    assert_eq!(client.events, [received("message", "", ""), received("message", "\n", "")]);
    let client = EventClient::read("data:test\n\ndata: test\r\n\r\ndata:YHOO\rdata:+2\r\r");
    assert_eq!(client.events.iter().map(|event| &*event.data).collect::<Vec<_>>(), ["test", "test", "YHOO\n+2"]);
    let client = EventClient::read("\u{feff}event: add\ndata: 73857293\n\nretry: 10\nretry: x\nfoo: bar\n\n");
    assert_eq!((&client.events[..], client.retry), (&[received("add", "73857293", "")][..], Some(10)));
}

proptest! {
    /// Whatever text is sent: a client has it again, and nothing else.
    #[test]
    fn a_client_reads_the_event_that_was_sent(
        name in "[ -~é]{0,6}", id in "[ -~é]{0,6}", data in "([ :a\r\n\u{2028}\0]|data|event|id){0,12}", millis in 0_u64..100_000
    ) {
        let event = Event::new(data.clone()).with_name(name.clone()).unwrap().with_id(id.clone()).unwrap();
        let retry = Duration::from_millis(millis);
        let client = EventClient::read(&format!("{}{}", Event::comment(data.clone()), event.with_retry(retry)));
        let name = if name.is_empty() { "message" } else { &name };
        let lines = data.replace("\r\n", "\n").replace('\r', "\n");
        prop_assert_eq!(client.events, [received(name, &lines, &id)]);
        prop_assert_eq!((client.last_id, client.retry), (id, Some(millis)));
    }
}

async fn next(body: &mut Body) -> Option<String> {
    let frame = body.frame().await?.expect("no error").into_data().expect("no trailers");
    Some(String::from_utf8(frame.to_vec()).expect("text"))
}

#[tokio::test(start_paused = true)]
async fn a_reply_of_events_has_its_three_fields_and_ends_with_its_future() {
    let mut reply = events(async |mut out: EventWriter| {
        out.send(&Event::new("one")).await?;
        out.send(&Event::new("two").with_id("2")?).await
    });
    for (name, value) in
        [("content-type", "text/event-stream"), ("cache-control", "no-cache"), ("x-accel-buffering", "no")]
    {
        assert_eq!(reply.header(name).unwrap(), value);
    }
    let mut body = reply.take_body();
    assert_eq!(next(&mut body).await.as_deref(), Some("data: one\n\n"));
    assert_eq!(next(&mut body).await.as_deref(), Some("id: 2\ndata: two\n\n"));
    assert_eq!(next(&mut body).await, None);
    assert_eq!(next(&mut body).await, None);
}

#[tokio::test(start_paused = true)]
async fn an_event_with_a_line_end_in_its_id_breaks_the_reply() {
    let mut reply = events(async |mut out: EventWriter| out.send(&Event::new("x").with_id("1\ndata: evil")?).await);
    let error = reply.body_mut().frame().await.unwrap().unwrap_err();
    let cause = std::error::Error::source(&error).expect("a cause").to_string();
    assert_eq!(cause, "the name or id of an event has a line end or a NUL at byte 1");
}

fn sparse(options: EventOptions) -> Response {
    events_with(options, async |mut out: EventWriter| {
        sleep(20 * SECOND).await;
        out.send(&Event::new("x")).await?;
        sleep(100 * SECOND).await;
        io::Result::Ok(())
    })
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_is_sent_after_15_seconds_without_an_event() {
    let start = Instant::now();
    let mut body = sparse(EventOptions::default()).take_body();
    let mut seen = Vec::new();
    while let Some(text) = next(&mut body).await {
        seen.push((start.elapsed().as_secs(), text));
    }
    let beats = seen.iter().map(|(at, text)| (*at, &**text)).collect::<Vec<_>>();
    let beat = ":\n\n";
    let expected =
        [(15, beat), (20, "data: x\n\n"), (35, beat), (50, beat), (65, beat), (80, beat), (95, beat), (110, beat)];
    assert_eq!(beats, expected);
}

#[tokio::test(start_paused = true)]
async fn events_without_a_heartbeat_begin_with_retry() {
    let options = EventOptions { heartbeat: None, retry: Some(2 * SECOND) };
    let mut body = sparse(options).take_body();
    assert_eq!(next(&mut body).await.as_deref(), Some("retry: 2000\n\n"));
    assert_eq!(next(&mut body).await.as_deref(), Some("data: x\n\n"));
    assert_eq!(next(&mut body).await, None);
    // Of zero: a client gets few of them, and the thread is not kept.
    let options = EventOptions { heartbeat: Some(Duration::ZERO), retry: None };
    let mut body = sparse(options).take_body();
    let mut beats = 0;
    while next(&mut body).await.as_deref() == Some(":\n\n") {
        beats += 1;
    }
    assert!((1000..=2000).contains(&beats), "{beats} in 20 seconds");
}

#[test]
fn last_event_id_is_that_of_the_field() {
    for (field, id) in [("", None), ("Last-Event-ID: \r\n", None), ("last-event-id: 7 é\r\n", Some("7 é"))] {
        let request = Request::parse(format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n").as_bytes()).unwrap();
        assert_eq!(last_event_id(&request), id, "{field:?}");
    }
}
