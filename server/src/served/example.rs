//! An event made by hand, for the tests and benches of loggers.

use std::{
    any::Any,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use http::{Method, StatusCode};
use quintet_conn::{Connections, Timeouts};
use quintet_listener::{Addr, Stream};
use quintet_request::{CloseReason, HeadRef, Index, Limits, route::MatchedPattern};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

#[cfg(test)]
use super::facts::Peer;
use super::{
    facts::Facts,
    note::{Keep, Note},
    outcome::Outcome,
    refusal::Refusal,
    served::Served,
};

/// An event made by hand, for the tests and benches of loggers: a whole reply of 200 to 192.0.2.1, which took 1.5 ms, 1.25
/// ms of them until the first byte, if nothing else is said.
///
/// ```
/// # use quintet_server::ServedExample;
/// let example = ServedExample::new(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n").status(404).reply_body_bytes(19);
/// example.show(|served| {
///     assert_eq!((served.target(), served.status().unwrap().as_u16()), (Some("/a"), 404));
/// });
/// ```
#[derive(Debug)]
pub struct ServedExample {
    note: Note,
    peer: Addr,
}

#[allow(missing_docs, reason = "each setter is named after the method of `Served` that tells it")]
impl ServedExample {
    /// The event of a request with this head.
    ///
    /// # Panics
    /// If these bytes are no head.
    #[must_use]
    pub fn new(head: &[u8]) -> Self {
        Self::with_limits(head, &Limits::default())
    }

    /// As [`new`](Self::new), for a head within other limits.
    ///
    /// # Panics
    /// If these bytes are no head within them.
    #[must_use]
    pub fn with_limits(head: &[u8], limits: &Limits) -> Self {
        let mut example = Self::whole();
        let mut index = Index::default();
        assert_eq!(index.parse(head, limits), Ok(Some(head.len())), "a head");
        example.note.set_request(HeadRef::new(head, &index), Some(b""), Keep::Whole);
        example
    }

    /// The event of a refused head, with the status of the plain reply.
    #[must_use]
    pub fn refused(refusal: Refusal) -> Self {
        let mut example = Self::whole();
        (example.note.facts.outcome, example.note.facts.status) = (Outcome::Refused(refusal), refusal.status());
        example
    }

    fn whole() -> Self {
        // 10 October 2000, 13:55:36 UTC.
        let began_at = SystemTime::UNIX_EPOCH + Duration::from_secs(971_186_136);
        let now = Instant::now();
        let mut facts = Facts::new(now, (now, began_at));
        (facts.status, facts.outcome, facts.is_whole) = (Some(StatusCode::OK), Outcome::Complete, true);
        let note = Note::new(facts);
        let example = Self { note, peer: "192.0.2.1:54321".parse().expect("an address") };
        example.time_to_first_byte(Some(Duration::from_micros(1250))).duration(Duration::from_micros(1500))
    }

    /// # Panics
    /// If this is no address.
    #[must_use]
    pub fn peer(mut self, peer: &str) -> Self {
        self.peer = peer.parse().expect("an address");
        self
    }

    /// Zero is no reply at all.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.note.facts.status = StatusCode::from_u16(status).ok();
        self
    }

    /// The method of a refused head of HTTP/2.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.note.method = Some(method);
        self
    }

    #[must_use]
    pub fn pattern(self, pattern: &str) -> Self {
        self.value(Arc::new(MatchedPattern { pattern: pattern.into(), names: [].into() }))
    }

    #[must_use]
    pub fn value(mut self, value: Arc<dyn Any + Send + Sync>) -> Self {
        self.note.values.set(value);
        self
    }

    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.note.facts.outcome = outcome;
        self
    }

    #[must_use]
    pub fn is_whole(mut self, is_whole: bool) -> Self {
        self.note.facts.is_whole = is_whole;
        self
    }

    #[must_use]
    pub fn close_reason(mut self, reason: CloseReason) -> Self {
        self.note.facts.close = Some(reason);
        self
    }

    #[must_use]
    pub fn request_body_bytes(mut self, bytes: u64) -> Self {
        self.note.facts.received = bytes;
        self
    }

    #[must_use]
    pub fn reply_body_bytes(mut self, bytes: u64) -> Self {
        self.note.facts.sent = bytes;
        self
    }

    #[must_use]
    pub fn began(mut self, at: SystemTime) -> Self {
        self.note.facts.clocks = (self.note.facts.began, at);
        self
    }

    #[must_use]
    pub fn time_to_first_byte(mut self, time: Option<Duration>) -> Self {
        self.note.facts.first = time.map(|time| self.note.facts.began + time);
        self
    }

    #[must_use]
    pub fn duration(mut self, time: Duration) -> Self {
        self.note.facts.last = Some(self.note.facts.began + time);
        self
    }

    /// The note, as a log keeps it.
    #[cfg(test)]
    pub(crate) fn into_note(self) -> Box<Note> {
        self.show(|served| served.note().copy(Peer::of(served.connection()), Vec::new))
    }

    /// Calls a function with the event.
    pub fn show<R>(&self, show: impl FnOnce(&Served<'_>) -> R) -> R {
        let (connections, _sweeper) = Connections::new(Timeouts::default(), None, None);
        let (connection, _wire) = connections.admit(NoStream, self.peer.clone());
        show(&Served::new(&self.note, &connection))
    }
}

/// A stream that is at its end.
struct NoStream;

impl Stream for NoStream {}

impl AsyncRead for NoStream {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for NoStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quintet_request::{HeadError, Version};

    #[test]
    fn an_example_tells_what_it_was_given() {
        let head = b"POST /a?b=c HTTP/1.0\r\nUser-Agent: x/1\r\nReferer: http://b/\xff\r\nHost: a\r\n\r\n";
        let example = ServedExample::new(head).peer("[2001:db8::1]:80").pattern("POST /a").value(Arc::new(7_u8));
        let example = example.request_body_bytes(3).reply_body_bytes(4).close_reason(CloseReason::ClientAsked);
        example.show(|served| {
            assert_eq!(served.connection().peer_addr().to_string(), "[2001:db8::1]:80");
            assert_eq!((served.method(), served.target()), (Some("POST"), Some("/a?b=c")));
            assert_eq!((served.version(), served.host()), (Some(Version::Http10), Some("a")));
            assert_eq!((served.user_agent(), served.referer()), (Some(&b"x/1"[..]), Some(&b"http://b/\xff"[..])));
            assert_eq!((served.pattern(), served.value::<u8>()), (Some("POST /a"), Some(&7)));
            assert_eq!(served.value::<u16>(), None);
            assert_eq!((served.request_body_bytes(), served.reply_body_bytes()), (3, 4));
            assert_eq!((served.outcome(), served.is_whole()), (Outcome::Complete, true));
            assert_eq!(served.close_reason(), Some(CloseReason::ClientAsked));
            assert_eq!(served.duration(), Duration::from_micros(1500));
            assert_eq!(served.time_to_first_byte(), Some(Duration::from_micros(1250)));
            assert!(!format!("{served:?}").contains("x/1"), "no field of the head");
        });
    }

    #[test]
    fn a_refused_head_has_no_parts() {
        let refusal = Refusal::Head(HeadError::BareLf { at: 3 });
        ServedExample::refused(refusal).show(|served| {
            assert!(served.head().is_none() && served.method().is_none() && served.pattern().is_none());
            assert_eq!((served.status(), served.outcome()), (refusal.status(), Outcome::Refused(refusal)));
            assert_eq!(refusal.as_str(), "bare_lf");
        });
        let stream = ServedExample::refused(refusal).method(Method::PUT).status(0);
        stream.show(|served| assert_eq!((served.method(), served.status()), (Some("PUT"), None)));
    }
}
