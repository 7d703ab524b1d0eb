//! Streams that were sent to a Go 1.27 server, with its recorded replies, and how this crate splits them.

mod common;

use common::{every_chunk, every_way};
use quintet_request::{Framing, Limits};

/// How a stream is split: `+n` for each whole request with a body of n bytes, then the status of a refusal, or `more`
/// if the last request is incomplete.
fn divide(mut stream: &[u8]) -> String {
    let limits = Limits::default();
    let mut outcome = Vec::new();
    while !stream.is_empty() {
        let head = match every_way(stream, &limits) {
            Ok(Some(index)) => index,
            Ok(None) => return [outcome, vec!["more".into()]].concat().join(" "),
            Err(error) => return [outcome, vec![error.status().as_u16().to_string()]].concat().join(" "),
        };
        let rest = &stream[head.len()..];
        let (body, len) = match head.framing() {
            Framing::None => (0, 0),
            Framing::Length(length) => match usize::try_from(length) {
                Ok(length) if length <= rest.len() => (length, length),
                _ => return [outcome, vec!["more".into()]].concat().join(" "),
            },
            Framing::Chunked => match every_chunk(rest, &limits) {
                Ok(Some(body)) => (body.data.len(), body.len),
                Ok(None) => return [outcome, vec!["more".into()]].concat().join(" "),
                Err(error) => return [outcome, vec![error.status().as_u16().to_string()]].concat().join(" "),
            },
            Framing::Stream => unreachable!("only a stream of HTTP/2 has it"),
        };
        outcome.push(format!("+{body}"));
        stream = &rest[len..];
    }
    outcome.join(" ")
}

#[test]
fn wire_streams_are_split_as_the_table_says() {
    let mut rows = 0;
    for line in include_str!("data/wire.tsv").lines().filter(|line| !line.starts_with('#')) {
        let [name, _go, ours, sent] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("four columns: {line}") };
        assert_eq!(divide(&unescape(sent)), ours, "{name}: {sent}");
        rows += 1;
    }
    assert!(rows > 120, "{rows}");
}

/// `\r`, `\n`, `\t`, `\\` and `\x00`.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    let mut next = || rest.next();
    while let Some(byte) = next() {
        bytes.push(match byte {
            b'\\' => match next() {
                Some(b'r') => b'\r',
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'\\') => b'\\',
                Some(b'x') => hex(next()) << 4 | hex(next()),
                other => panic!("no escape: {other:?}"),
            },
            byte => byte,
        });
    }
    bytes
}

fn hex(digit: Option<u8>) -> u8 {
    let digit = digit.and_then(|digit| char::from(digit).to_digit(16)).expect("two hexadecimal digits");
    u8::try_from(digit).expect("a digit below 16")
}
