//! The framing rules alone: a captured stream of pipelined requests is split into messages.
//!
//! You learn: the rules for the end of a message as an iterator that never waits, for a proxy, a log analyser or a
//!           fuzzer.
//!
//! Run:      `cargo run --example 05_frames` (reads the capture in `examples/data`), or
//!           `cargo run --example 05_frames -- your.capture` (the client's half of a connection)
//! You see:  six requests, which the client sent without waiting for replies (pipelined). Their bodies are joined from
//!           their chunks; trailers are fields after the last chunk. The seventh has both a length and chunks: its end
//!           is ambiguous, and so is the start of an eighth, so the reading stops. The exit status is 1.

use anyhow::{Context, bail};
use http::HeaderMap;
use quintet_examples::{arguments, outln};
use quintet_request::{Chunked, Framing, Head, Limits};

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/pipelined.http");

/// A request: its head, its body and its trailers.
struct Message {
    head: Head,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
}

/// The rest of a stream, as an iterator over its messages.
struct Messages<'a> {
    rest: &'a [u8],
    limits: Limits,
}

impl Messages<'_> {
    /// The next message; `None` if the rest is not a whole message.
    fn read(&mut self) -> anyhow::Result<Option<Message>> {
        let mut head = Head::default();
        let Some(len) = head.parse(self.rest, &self.limits)? else { return Ok(None) };
        let (mut rest, mut body, mut trailers) = (&self.rest[len..], Vec::new(), None);
        match head.as_ref().framing() {
            // Only HTTP/2 has streams.
            Framing::None | Framing::Stream => {}
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
    type Item = anyhow::Result<Message>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// The client's half of a connection
    #[arg(default_value = CAPTURE, hide_default_value = true)]
    capture: String,
}

fn main() -> anyhow::Result<()> {
    let Arguments { capture } = arguments(include_str!("05_frames.rs"));
    let stream = std::fs::read(&capture).with_context(|| format!("cannot read {capture}"))?;
    let mut messages = Messages { rest: &stream, limits: Limits::default() };
    let mut refused = None;
    for message in messages.by_ref() {
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                refused = Some(error);
                break;
            }
        };
        let head = message.head.as_ref();
        outln!("{} {}  {:?}  {}", head.method(), head.path(), head.framing(), message.body.escape_ascii());
        message.trailers.iter().flatten().for_each(|(name, value)| outln!("  {name:?}: {value:?}"));
    }
    outln!("{} of {} bytes left", messages.rest.len(), stream.len());
    match refused {
        Some(error) => bail!("refused: {error}"),
        None => Ok(()),
    }
}
