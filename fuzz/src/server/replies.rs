//! Whether what a server said is the replies to what it was asked, in order.

use quintet_server::httptest::{BodyEnd, ReplyChunk, ReplyHead, ReplyTrailers};

use super::world::Call;

/// How the bytes of a conversation end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The client read everything and did not hinder anybody.
    Complete,
    /// Anywhere: what is there must be right, and may stop in the middle.
    Anywhere,
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
        let own = is_own(&reply);
        if !own {
            assert!(is_error(&reply) && reply.is_last(), "{} to {call:?} is not a handler's", reply.status);
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
    assert!(is_error(&refusal) && refusal.is_last(), "{} is no refusal", refusal.status);
    assert!(!is_own(&refusal), "a reply to a call that was not made");
    if body(&mut bytes, &refusal, "").is_none() {
        // Who was refused may have sent HEAD, and has no body then.
        assert!(!whole || bytes.is_empty(), "half a refusal");
    }
    assert!(bytes.is_empty(), "something follows a refusal: {:?}", String::from_utf8_lossy(bytes));
}

fn is_error(reply: &ReplyHead) -> bool {
    reply.status.is_client_error() || reply.status.is_server_error()
}

/// Whether a reply is a handler's, and not the server's.
fn is_own(reply: &ReplyHead) -> bool {
    let count = reply.headers.get_all("x-n").iter().count();
    assert!(count <= 1, "x-n {count} times in {:?}", reply.text);
    count == 1
}

/// The next reply that is not only a word in between.
fn next_final(bytes: &mut &[u8], call: &Call) -> Option<ReplyHead> {
    let first = head(bytes)?;
    if first.status != 100 {
        return Some(first);
    }
    assert!(first.headers.is_empty() && !first.is_http10, "a strange 100 to {call:?}");
    let second = head(bytes)?;
    assert_ne!(second.status, 100, "told twice to go on: {call:?}");
    Some(second)
}

/// One head; `None` if it is not all there.
fn head(bytes: &mut &[u8]) -> Option<ReplyHead> {
    let (head, len) = ReplyHead::read(bytes).unwrap_or_else(|error| panic!("{error}: {}", bytes.escape_ascii()))?;
    *bytes = &bytes[len..];
    Some(head)
}

/// Passes over a body; `None` if it is not all there.
fn body(bytes: &mut &[u8], reply: &ReplyHead, method: &str) -> Option<()> {
    match reply.body_end(method).expect("a body with an end") {
        BodyEnd::NoBody => Some(()),
        BodyEnd::Length(length) => take(bytes, usize::try_from(length).ok()),
        BodyEnd::Close => take(bytes, Some(bytes.len())),
        BodyEnd::Chunked => loop {
            let chunk = ReplyChunk::read(bytes).expect("a well-formed chunk");
            take(bytes, chunk.map(|chunk| chunk.len))?;
            if chunk.is_some_and(|chunk| chunk.data.is_empty()) {
                let trailers = ReplyTrailers::read(bytes).expect("well-formed trailers");
                return take(bytes, trailers.map(|trailers| trailers.len));
            }
        },
    }
}

/// Passes over `n` bytes; over all there are if so many are not there, or if what they belong to is not whole.
fn take(bytes: &mut &[u8], n: Option<usize>) -> Option<()> {
    let rest = n.and_then(|n| bytes.get(n..));
    *bytes = rest.unwrap_or_default();
    rest.map(|_| ())
}
