//! A reader of requests in another style: it cuts strings at line ends, believes almost everything, and frames by
//! the two fields alone. Whatever our reader accepts, this one must accept and divide in the same way.

use super::{Limits, Message, our_messages};

/// Our messages are the first messages of the naive reader.
pub fn versus_naive(data: &[u8]) {
    let ours = our_messages(data, &Limits::default());
    let mut rest = data;
    for message in ours {
        let (naive, left) = read_message(rest).expect("a reader that takes more takes this");
        assert_eq!(naive, message);
        rest = left;
    }
}

fn read_message(bytes: &[u8]) -> Option<(Message, &[u8])> {
    let bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    // One character a byte, so that nothing is lost.
    let head: String = bytes[..end].iter().map(|&byte| char::from(byte)).collect();
    let rest = &bytes[end + 4..];
    let (line, fields) = head.split_once("\r\n").unwrap_or((&head, ""));
    let words: Vec<&str> = line.split(' ').collect();
    let [method, target, version] = words[..] else { return None };
    version.strip_prefix("HTTP/1.")?;

    let (mut length, mut chunked) = (None, false);
    for field in fields.split("\r\n") {
        let (name, value) = field.split_once(':').unwrap_or((field, ""));
        let value = value.trim_matches([' ', '\t']);
        if name.to_lowercase() == "content-length" {
            // Rust's own parser takes a plus.
            length = value.parse::<usize>().ok().filter(|_| !value.starts_with('+'));
        }
        if name.to_lowercase() == "transfer-encoding" {
            chunked = value.to_lowercase() == "chunked";
        }
    }
    let (body, len) = match (chunked, length) {
        (true, _) => read_chunks(rest)?,
        (false, Some(length)) => (rest.get(..length)?.to_vec(), length),
        (false, None) => (Vec::new(), 0),
    };
    Some((Message { method: method.into(), target: target.into(), body }, &rest[len..]))
}

/// The data of a chunked body and its length on the wire. Sizes end at the first `;` or blank, lines at CRLF.
pub(super) fn read_chunks(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut at) = (Vec::new(), 0);
    let line = |at: usize| {
        let len = bytes[at..].windows(2).position(|window| window == b"\r\n")?;
        Some((&bytes[at..at + len], at + len + 2))
    };
    loop {
        let (size, data) = line(at)?;
        let size = size.split(|byte| b"; \t".contains(byte)).next()?;
        let size = usize::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()?;
        at = data;
        if size == 0 {
            break;
        }
        body.extend_from_slice(bytes.get(at..at.checked_add(size)?)?);
        at += size;
        at = line(at).filter(|(left, _)| left.is_empty())?.1;
    }
    loop {
        let (trailer, next) = line(at)?;
        at = next;
        if trailer.is_empty() {
            return Some((body, at));
        }
    }
}
