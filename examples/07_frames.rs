//! What you learn: where a message ends. A captured stream of pipelined requests is cut into messages, one after the
//! other, by an iterator that waits for nothing: the piece a proxy, a log analyser or a fuzzer needs.
//!
//! Run it:        cargo run --example 07_frames                         (the capture that comes with it)
//!                cargo run --example 07_frames -- your.capture         (the client's half of a connection)
//! What you see:  six requests with their bodies, joined from chunks where they were sent so, and trailers; then a
//!                seventh with two lengths, where the reading must stop: nobody can tell where an eighth begins.

use http::HeaderMap;
use quintet_request::{Chunked, Framing, Head, Limits};

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/pipelined.http");

/// A request with everything that belongs to it.
struct Message {
    head: Head,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
}

/// What is left of a stream, as an iterator over its messages.
struct Messages<'a> {
    rest: &'a [u8],
    limits: Limits,
}

impl Messages<'_> {
    /// The next message; None if what is left is not a whole one.
    fn read(&mut self) -> Result<Option<Message>, Box<dyn std::error::Error>> {
        let mut head = Head::default();
        let Some(len) = head.parse(self.rest, &self.limits)? else { return Ok(None) };
        let (mut rest, mut body, mut trailers) = (&self.rest[len..], Vec::new(), None);
        match head.as_ref().framing() {
            Framing::None => {}
            Framing::Length(length) => {
                let Some((data, after)) = rest.split_at_checked(length.try_into()?) else { return Ok(None) };
                body.extend_from_slice(data);
                rest = after;
            }
            Framing::Chunked => {
                let mut chunked = Chunked::new(&self.limits);
                while !chunked.is_end() {
                    let step = chunked.next(rest)?;
                    if step.is_empty() {
                        return Ok(None);
                    }
                    body.extend_from_slice(&rest[step.framing..step.len()]);
                    rest = &rest[step.len()..];
                }
                trailers = chunked.take_trailers();
            }
        }
        self.rest = rest;
        Ok(Some(Message { head, body, trailers }))
    }
}

impl Iterator for Messages<'_> {
    type Item = Result<Message, Box<dyn std::error::Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let stream = std::fs::read(std::env::args().nth(1).unwrap_or_else(|| CAPTURE.to_owned()))?;
    let mut messages = Messages { rest: &stream, limits: Limits::default() };
    for message in messages.by_ref() {
        let Ok(message) = message.inspect_err(|error| println!("refused: {error}")) else { break };
        let head = message.head.as_ref();
        println!("{} {}  {:?}  {}", head.method(), head.path(), head.framing(), message.body.escape_ascii());
        message.trailers.iter().flatten().for_each(|(name, value)| println!("  {name:?}: {value:?}"));
    }
    println!("{} of {} bytes left", messages.rest.len(), stream.len());
    Ok(())
}
