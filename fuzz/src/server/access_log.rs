//! The lines of an access log, for any request.

use std::time::{Duration, SystemTime};

use quintet_request::{Head, Limits};
use quintet_server::{ServedExample, access_log as lines};
use serde_json::Value;

/// A line of any request is one line of printable ASCII, in each format; as JSON it reads back what the client sent, and so
/// does the Combined format, byte by byte.
///
/// The first eight bytes are the numbers of the line. The rest is a head, or else the target, the agent and the referer of
/// one, with a zero between two.
pub fn access_log(data: &[u8]) {
    let Some((numbers, text)) = data.split_first_chunk() else { return };
    let number = u64::from_be_bytes(*numbers);
    let mut parts = text.split(|byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (target, agent, referer) = (part(), part(), part());
    let made =
        [b"GET /", target, b" HTTP/1.1\r\nHost: a\r\nUser-Agent: ", agent, b"\r\nReferer: ", referer, b"\r\n\r\n"]
            .concat();
    for bytes in [text, &made] {
        let mut head = Head::default();
        if head.parse(bytes, &Limits::default()) == Ok(Some(bytes.len())) {
            check(&head, bytes, number);
        }
    }
}

fn check(head: &Head, bytes: &[u8], number: u64) {
    let began = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(number));
    let example = ServedExample::new(bytes)
        .reply_body_bytes(number)
        .duration(Duration::from_micros(number % (1 << 50)))
        .began(began.unwrap_or(SystemTime::UNIX_EPOCH));
    let (json, combined, common) = example.show(|served| {
        (lines::json(served).to_string(), lines::combined(served).to_string(), lines::common(served).to_string())
    });
    for line in [&json, &combined, &common] {
        assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line:?} is no line of ASCII");
    }
    assert!(combined.starts_with(&common));
    let head = head.as_ref();
    let read: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(read["target"].as_str(), Some(head.target().raw()));
    assert_eq!(read["reply_body_bytes"].as_u64(), Some(number));
    let quoted = quoted(&combined);
    assert_eq!(quoted.len(), 3, "{combined}");
    assert!(quoted[0].starts_with(head.method().as_bytes()));
    for (name, field, quoted) in [("referer", "referer", &quoted[1]), ("user_agent", "user-agent", &quoted[2])] {
        let sent = head.header_bytes(field);
        assert_eq!(read[name].as_str(), sent.map(String::from_utf8_lossy).as_deref());
        assert_eq!(quoted.as_slice(), sent.filter(|sent| !sent.is_empty()).unwrap_or(b"-"));
    }
}

/// The quoted fields of a line, read byte by byte.
fn quoted(line: &str) -> Vec<Vec<u8>> {
    let mut fields: Vec<Vec<u8>> = Vec::new();
    let mut bytes = line.bytes();
    let mut is_open = false;
    while let Some(byte) = bytes.next() {
        let last = fields.len().saturating_sub(1);
        match byte {
            b'"' if is_open => is_open = false,
            b'"' => {
                is_open = true;
                fields.push(Vec::new());
            }
            _ if !is_open => {}
            b'\\' => fields[last].push(match bytes.next() {
                Some(b'x') => {
                    let hex: String = bytes.by_ref().take(2).map(char::from).collect();
                    u8::from_str_radix(&hex, 16).expect("two digits")
                }
                escaped => escaped.expect("a byte after a backslash"),
            }),
            byte => fields[last].push(byte),
        }
    }
    assert!(!is_open, "{line} ends in a quoted field");
    fields
}
