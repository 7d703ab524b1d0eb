//! A viewer of the live figure: it reads the feed as a browser does.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::support::Client;

/// A viewer of the live figure.
pub struct Viewer<S> {
    client: Client<S>,
    /// The bytes of the body that belong to no whole event yet.
    body: Vec<u8>,
    /// All bytes of the body.
    pub seen: Vec<u8>,
    /// The data of the first event.
    pub hello: Value,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Viewer<S> {
    /// Asks for the feed, and reads its first event.
    pub async fn open(mut client: Client<S>) -> Self {
        client.get("/live/events").await;
        let (status, head) = client.head().await.expect("a head");
        assert!(status == 200 && head.contains("text/event-stream"), "{head}");
        let mut viewer = Self { client, body: Vec::new(), seen: Vec::new(), hello: Value::Null };
        let (name, hello) = viewer.event().await.expect("a first event");
        assert_eq!(name, "hello");
        viewer.hello = hello;
        viewer
    }

    /// The name and the data of the next event. `None` at the end of the body.
    pub async fn event(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some(end) = self.body.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.body.drain(..end + 2).collect();
                let (mut name, mut data) = (String::new(), Value::Null);
                for line in String::from_utf8(event).expect("text").lines() {
                    match line.split_once(": ") {
                        Some(("event", text)) => text.clone_into(&mut name),
                        Some(("data", text)) => data = serde_json::from_str(text).expect("JSON"),
                        _ => assert!(line.is_empty(), "{line}"),
                    }
                }
                return Some((name, data));
            }
            let data = self.client.chunk().await.filter(|data| !data.is_empty())?;
            self.body.extend_from_slice(&data);
            self.seen.extend_from_slice(&data);
        }
    }

    /// The next tick.
    pub async fn tick(&mut self) -> Value {
        let (name, tick) = self.event().await.expect("the feed goes on");
        assert_eq!(name, "", "a tick has no name");
        tick
    }

    /// The next tick for which this is true, of at most 100.
    pub async fn tick_when(&mut self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..100 {
            last = self.tick().await;
            if is_so(&last) {
                return last;
            }
        }
        panic!("{what}: {last}");
    }

    /// The client, to be dropped or left alone.
    pub fn into_client(self) -> Client<S> {
        self.client
    }
}

/// The elements of an array.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], |array| array)
}

/// A number.
pub fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}
