//! Lines of every kind of request: as tables, and for any bytes of a client.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use quintet_request::{Client, CloseReason, ForwardedHeader, ForwardedNode, HeadError, RequestId};
use serde_json::Value;

use super::{
    combined, common, json,
    line::{Logged, push_combined, push_common, push_json},
    line_clock::LineClock,
};
use crate::served::{Outcome, Peer, Refusal, ServedExample};

/// The three lines of an event: JSON, Combined, Common. The thread of a log makes the same ones of the note that it was given.
fn lines(example: &ServedExample) -> [String; 3] {
    example.show(|served| {
        let lines = [json(served).to_string(), combined(served).to_string(), common(served).to_string()];
        for line in &lines {
            assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line:?} is no line of ASCII");
        }
        let note = served.note().copy(Peer::of(served.connection()), Vec::new);
        let mut clock = LineClock::default();
        for (push, line) in [push_json, push_combined, push_common].into_iter().zip(&lines) {
            let mut out = Vec::new();
            push(&mut out, &mut clock, Logged::of_note(&note));
            assert_eq!(std::str::from_utf8(&out), Ok(&**line));
        }
        note.give();
        lines
    })
}

/// The fields of a quoted line: those in quotes, brackets or between blanks, unescaped.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut rest) = (Vec::new(), line);
    while !rest.is_empty() {
        let end = match rest.as_bytes()[0] {
            b'"' => {
                let mut bytes = rest.bytes().enumerate().skip(1);
                loop {
                    match bytes.next().expect("the quote is closed") {
                        (_, b'\\') => drop(bytes.next()),
                        (at, b'"') => break at + 1,
                        _ => {}
                    }
                }
            }
            b'[' => rest.find(']').expect("the bracket is closed") + 1,
            _ => rest.find(' ').unwrap_or(rest.len()),
        };
        fields.push(rest[..end].to_owned());
        rest = &rest[end..];
        if !rest.is_empty() {
            rest = rest.strip_prefix(' ').expect("one blank between two fields");
        }
    }
    fields
}

const USUAL: &[u8] = b"GET /a?b=c HTTP/1.1\r\nHost: a.example\r\nUser-Agent: curl/8.5.0\r\n\r\n";

#[test]
fn a_usual_request_is_written_in_three_formats() {
    let [json, combined, common] = lines(&ServedExample::new(USUAL).pattern("GET /a").reply_body_bytes(2326));
    assert_eq!(
        json,
        "{\"time\":\"2000-10-10T13:55:36.000Z\",\"client\":\"192.0.2.1\",\"port\":54321,\"method\":\"GET\",\
         \"target\":\"/a?b=c\",\"version\":\"HTTP/1.1\",\"host\":\"a.example\",\"pattern\":\"GET /a\",\"status\":200,\
         \"request_body_bytes\":0,\"reply_body_bytes\":2326,\"time_to_first_byte_us\":1250,\"duration_us\":1500,\
         \"outcome\":\"complete\",\"user_agent\":\"curl/8.5.0\"}"
    );
    assert_eq!(common, "192.0.2.1 - - [10/Oct/2000:13:55:36 +0000] \"GET /a?b=c HTTP/1.1\" 200 2326");
    assert_eq!(combined, format!("{common} \"-\" \"curl/8.5.0\""));
}

#[test]
fn an_address_is_written_as_std_writes_it() {
    for octet in 0..=u8::MAX {
        let address = std::net::Ipv4Addr::new(octet, 255 - octet, 0, octet);
        let [_, _, common] = lines(&ServedExample::new(USUAL).peer(&format!("{address}:80")));
        assert_eq!(fields(&common)[0], address.to_string());
    }
}

#[test]
fn a_refused_head_has_a_line_without_a_request() {
    let example =
        ServedExample::refused(Refusal::HeadTimeout).close_reason(CloseReason::HeadTimeout).peer("[2001:db8::1]:80");
    let [json, combined, _] = lines(&example);
    assert_eq!(
        json,
        "{\"time\":\"2000-10-10T13:55:36.000Z\",\"client\":\"2001:db8::1\",\"port\":80,\"status\":408,\
         \"request_body_bytes\":0,\"reply_body_bytes\":0,\"time_to_first_byte_us\":1250,\"duration_us\":1500,\
         \"outcome\":\"refused\",\"refused\":\"head_timeout\",\"close_reason\":\"head_timeout\"}"
    );
    assert_eq!(combined, "2001:db8::1 - - [10/Oct/2000:13:55:36 +0000] \"-\" 408 - \"-\" \"-\"");
}

#[test]
fn a_cut_connection_has_a_line_without_a_status() {
    let example = ServedExample::new(USUAL).status(0).outcome(Outcome::Cut).close_reason(CloseReason::Io);
    let example =
        example.peer("unix:/run/a b\".sock").time_to_first_byte(None).duration(Duration::from_micros(u64::MAX));
    let [json, combined, _] = lines(&example);
    let read: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((read.get("status"), read.get("time_to_first_byte_us"), read.get("port")), (None, None, None));
    assert_eq!(read["client"], "unix:");
    assert_eq!((&read["outcome"], &read["close_reason"]), (&"cut".into(), &"io".into()));
    assert_eq!(fields(&combined)[0], "unix:", "and not a path, which is the client's choice");
    assert_eq!(fields(&combined)[5..], ["-", "-", "\"-\"", "\"curl/8.5.0\""]);
}

/// Log injection: what a client sends to forge a line, or to write to a terminal.
#[test]
fn a_client_cannot_forge_a_line_or_a_field() {
    for forged in [
        "x\" 200 5 \"-\" \"y",
        "\\\" 200",
        "\\",
        "\"}\u{2028}{\"time\":\"now\"",
        "\t\u{9b}2J\u{85}.",
        "%0d%0aHTTP/1.1 200",
        "\u{202e}gnp.exe",
    ] {
        let head = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: {forged}\r\nReferer: {forged}\r\nX-Request-Id: {forged}\r\n\r\n"
        );
        let [json, combined, common] = lines(&ServedExample::new(head.as_bytes()));
        let read: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!((read["user_agent"].as_str(), read["referer"].as_str()), (Some(forged.trim()), Some(forged.trim())));
        assert_eq!((fields(&combined).len(), fields(&common).len()), (9, 7), "{combined}");
        assert_eq!(fields(&combined)[5..7], ["200", "-"]);
    }
}

/// The note that a log keeps has the parts of a long head, and not the rest of it: a client could fill the queue with cookies.
#[test]
fn the_line_of_a_long_head_has_its_parts() {
    let (target, agent) = (format!("/{}", "t".repeat(60_000)), "a".repeat(2000));
    for (target, agent, cookie) in [("/", "b", 1000), ("/", "b", 3000), (&*target, "b", 0), (&*target, &*agent, 9)] {
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: a.example\r\nCookie: {}\r\nUser-Agent: {agent}\r\nReferer: http://b/\r\n\r\n",
            "c".repeat(cookie)
        );
        let limits = quintet_request::Limits { target: 1 << 16, ..Default::default() };
        let example = ServedExample::with_limits(head.as_bytes(), &limits).pattern("/{rest...}");
        let [json, combined, _] = lines(&example);
        let read: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!((read["method"].as_str(), read["target"].as_str()), (Some("GET"), Some(target)));
        assert_eq!((read["host"].as_str(), read["user_agent"].as_str()), (Some("a.example"), Some(agent)));
        assert_eq!((read["version"].as_str(), read["pattern"].as_str()), (Some("HTTP/1.1"), Some("/{rest...}")));
        assert!(combined.ends_with(&format!(" \"http://b/\" \"{agent}\"")));
        let (note, parts) = (example.into_note(), 21 + target.len() + agent.len());
        assert!(note.memory() < 2 * parts + 2048, "{} bytes for {parts}", note.memory());
    }
}

#[test]
fn a_refused_head_of_http2_has_a_method_in_its_line() {
    let refusal = Refusal::Head(HeadError::BareLf { at: 3 });
    let [json, combined, common] = lines(&ServedExample::refused(refusal).method(http::Method::PUT));
    assert!(json.contains("\"port\":54321,\"method\":\"PUT\",\"status\":400,"), "{json}");
    assert!(combined.contains("] \"-\" 400 - ") && common.contains("] \"-\" 400 -"), "{combined}");
}

/// A field of bytes that a head can have: anything but CR, LF and NUL, without blanks at its ends.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(b'"'), Just(b'\\'), Just(b'\t'), b' '..=b'~', 0x80..=0xff_u8], 1..40)
}

proptest! {
    #[test]
    fn any_field_is_read_back_from_json_and_combined(agent in value(), referer in value(), target in "[a-z0-9/?&=+;@!$'()*,_~.-]{0,30}", sent: u64, micros: u64) {
        let head = [format!("GET /{target} HTTP/1.1\r\nHost: a\r\nUser-Agent: ").as_bytes(), &agent, b"\r\nReferer: ", &referer, b"\r\n\r\n"].concat();
        let mut parsed = quintet_request::Head::default();
        // The parser refuses some targets and fields.
        prop_assume!(parsed.parse(&head, &Default::default()) == Ok(Some(head.len())));
        let sent_fields = ["user-agent", "referer"].map(|name| parsed.as_ref().header_bytes(name).unwrap_or_default().to_vec());
        let example = ServedExample::new(&head).reply_body_bytes(sent).duration(Duration::from_micros(micros));
        let [json, combined, _] = lines(&example);
        let read: Value = serde_json::from_str(&json).expect("JSON");
        prop_assert_eq!(read["target"].as_str(), Some(&*format!("/{target}")));
        prop_assert_eq!((read["reply_body_bytes"].as_u64(), read["duration_us"].as_u64()), (Some(sent), Some(micros)));
        for (name, bytes) in ["user_agent", "referer"].iter().zip(&sent_fields) {
            prop_assert_eq!(read[*name].as_str(), Some(&*String::from_utf8_lossy(bytes)));
        }
        prop_assert_eq!(fields(&combined).len(), 9, "{}", combined);
        prop_assert_eq!(&fields(&combined)[6], &if sent == 0 { "-".to_owned() } else { sent.to_string() });
    }
}

#[test]
fn every_refusal_and_outcome_has_a_name_without_escapes() {
    let refusal = Refusal::Head(HeadError::BareLf { at: 3 });
    for outcome in [
        Outcome::TakenOver,
        Outcome::Panicked,
        Outcome::Refused(refusal),
        Outcome::Reset,
        Outcome::Broken,
        Outcome::Cut,
    ] {
        let [json, ..] = lines(&ServedExample::new(USUAL).outcome(outcome));
        assert!(json.contains(&format!("\"outcome\":\"{}\"", outcome.as_str())), "{json}");
        assert_eq!(json.contains("\"refused\":\"bare_lf\""), outcome == Outcome::Refused(refusal));
    }
}

#[test]
fn a_client_behind_a_trusted_proxy_is_the_client_of_the_line() {
    let read = |peer: &str| {
        let fields = [("X-Forwarded-For", &b"9.9.9.9, 2001:db8::7"[..])];
        let peer = ForwardedNode::parse(peer).expect("an address");
        let trusted = |node: &ForwardedNode| node.to_string() == "10.0.0.1";
        Client::read(ForwardedHeader::XForwardedFor, fields, peer, trusted).expect("addresses")
    };
    let example = ServedExample::new(USUAL).peer("10.0.0.1:80").value(Arc::new(read("10.0.0.1")));
    let [json, combined, _] = lines(&example.value(Arc::new("a-1".parse::<RequestId>().expect("an id"))));
    assert!(json.contains("\"client\":\"2001:db8::7\",\"proxy\":\"10.0.0.1\",\"request_id\":\"a-1\","), "{json}");
    assert_eq!(fields(&combined)[0], "2001:db8::7");
    // A stranger says what it likes.
    let example = ServedExample::new(USUAL).peer("192.0.2.9:80").value(Arc::new(read("192.0.2.9")));
    let [json, combined, _] = lines(&example);
    assert!(json.contains("\"client\":\"192.0.2.9\",\"port\":80,"), "{json}");
    assert_eq!(fields(&combined)[0], "192.0.2.9");
}
