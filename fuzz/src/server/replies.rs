//! Another reader of replies: strict, and made for nothing but to find the server wrong.

use super::world::Call;

/// How the bytes of a conversation end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The client read everything and did not hinder anybody.
    Complete,
    /// Anywhere: what is there must be right, and may stop in the middle.
    Anywhere,
}

/// One reply.
struct Reply<'a> {
    status: u16,
    old: bool,
    fields: Vec<(&'a str, &'a str)>,
}

impl Reply<'_> {
    fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let first = found.next().map(|(_, value)| *value);
        assert!(found.next().is_none(), "{name} twice");
        first
    }

    fn is_last(&self) -> bool {
        match self.field("connection") {
            Some(value) => {
                let says = |token: &str| value.split(',').any(|known| known.trim().eq_ignore_ascii_case(token));
                says("close") || (self.old && !says("keep-alive"))
            }
            None => self.old,
        }
    }
}

/// What a server said is a sequence of replies to these calls, in order, perhaps with one refusal at its end.
pub(super) fn check(mut bytes: &[u8], calls: &[Call], ending: Ending) {
    let whole = ending == Ending::Complete;
    let mut last = None;
    for (at, call) in calls.iter().enumerate() {
        assert!(last.is_none(), "{:?} was asked after the last reply, to {:?}", call, calls[at - 1]);
        let Some(reply) = next_final(&mut bytes, call) else {
            assert!(!whole, "no reply to {call:?}");
            return;
        };
        let method = call.line.split(' ').next().expect("a method");
        let own = reply.field("x-n").is_some();
        if !own {
            assert!(reply.status >= 400 && reply.is_last(), "{} to {call:?} is nobody's", reply.status);
        }
        if reply.status == 101 {
            assert!(call.line.contains("/upgrade"));
            return;
        }
        if body(&mut bytes, &reply, method).is_none() {
            if !whole {
                return;
            }
            let streamed = ["/echo", "/typed", "/deadlines", "/spawned"].iter().any(|path| call.line.contains(path));
            assert!(streamed && bytes.is_empty(), "{call:?} was cut");
            last = Some(());
            continue;
        }
        assert!(!call.closes || reply.is_last(), "{call:?} was not the last");
        if reply.is_last() {
            last = Some(());
        }
    }
    if bytes.is_empty() {
        return;
    }
    assert!(last.is_none(), "something follows the last reply: {:?}", String::from_utf8_lossy(bytes));
    let Some(refusal) = head(&mut bytes) else {
        assert!(!whole, "half a refusal");
        return;
    };
    assert!(refusal.status >= 400 && refusal.is_last(), "{} is no refusal", refusal.status);
    assert!(refusal.field("x-n").is_none(), "a reply to a call that nobody made");
    if body(&mut bytes, &refusal, "").is_none() {
        // Who was refused may have sent HEAD, and has no body then.
        assert!(!whole || bytes.is_empty(), "half a refusal");
    }
    assert!(bytes.is_empty(), "something follows a refusal: {:?}", String::from_utf8_lossy(bytes));
}

/// The next reply that is not only a word in between.
fn next_final<'a>(bytes: &mut &'a [u8], call: &Call) -> Option<Reply<'a>> {
    let first = head(bytes)?;
    if first.status != 100 {
        return Some(first);
    }
    assert!(first.fields.is_empty() && !first.old, "a strange 100 to {call:?}");
    let second = head(bytes)?;
    assert_ne!(second.status, 100, "told twice to go on: {call:?}");
    Some(second)
}

/// One head; `None` if it is not all there.
fn head<'a>(bytes: &mut &'a [u8]) -> Option<Reply<'a>> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&bytes[..end]).expect("a head is text");
    *bytes = &bytes[end + 4..];
    let mut lines = text.split("\r\n");
    let status = lines.next().expect("a status line");
    let (version, rest) = status.split_at(9);
    assert!(version == "HTTP/1.1 " || version == "HTTP/1.0 ", "{status:?}");
    assert!(rest.len() >= 4 && rest.as_bytes()[3] == b' ', "{status:?}");
    let fields: Vec<_> = lines.map(|line| line.split_once(": ").expect("a field")).collect();
    for (name, value) in &fields {
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{name:?}");
        assert!(!value.contains(['\r', '\n', '\0']), "{value:?}");
    }
    let reply = Reply { status: rest[..3].parse().expect("a status"), old: version == "HTTP/1.0 ", fields };
    assert!(
        reply.field("content-length").is_none() || reply.field("transfer-encoding").is_none(),
        "two lengths: {text:?}"
    );
    Some(reply)
}

/// Passes over a body; `None` if it is not all there.
fn body(bytes: &mut &[u8], reply: &Reply<'_>, method: &str) -> Option<()> {
    if method == "HEAD" || matches!(reply.status, 100..200 | 204 | 304) {
        return Some(());
    }
    if method == "CONNECT" && (200..300).contains(&reply.status) {
        *bytes = &[];
        return Some(());
    }
    if let Some(coding) = reply.field("transfer-encoding") {
        assert!(coding == "chunked" && !reply.old);
        return chunks(bytes);
    }
    if let Some(length) = reply.field("content-length") {
        return take(bytes, length.parse().expect("a length")).map(|_| ());
    }
    assert!(reply.is_last(), "a body without an end");
    *bytes = &[];
    Some(())
}

fn chunks(bytes: &mut &[u8]) -> Option<()> {
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n");
        let Some(end) = end else {
            *bytes = &[];
            return None;
        };
        let digits = std::str::from_utf8(&bytes[..end]).expect("a size is text");
        let size = usize::from_str_radix(digits, 16).expect("a size is hexadecimal");
        take(bytes, end + 2)?;
        if size == 0 {
            return trailers(bytes);
        }
        take(bytes, size)?;
        assert_eq!(take(bytes, 2)?, b"\r\n", "a chunk ends with a line");
    }
}

/// Passes over the fields behind a chunked body, and the empty line.
fn trailers(bytes: &mut &[u8]) -> Option<()> {
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n");
        let Some(end) = end else {
            *bytes = &[];
            return None;
        };
        let line = take(bytes, end + 2)?;
        if end == 0 {
            return Some(());
        }
        assert!(line.contains(&b':'), "a trailer is a field: {:?}", String::from_utf8_lossy(line));
    }
}

/// The first `n` bytes; all of what there is goes if they are not there.
fn take<'a>(bytes: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    match bytes.split_at_checked(n) {
        Some((first, rest)) => {
            *bytes = rest;
            Some(first)
        }
        None => {
            *bytes = &[];
            None
        }
    }
}
