//! The exchange of one request and its reply, which decides whether the connection goes on.

use crate::{
    CloseReason, HeadRef,
    reply::{Constraints, Head, Length, Plan, TakeoverError},
};

/// The state of one request and its reply. The code that reads the request and writes the reply reports what happened;
/// the exchange decides how the reply is framed, whether the connection is used again, and the reason if not.
///
/// ```text
///                  ╭─────────── begin_reply again, if nothing was sent ───╮
///                  ▼                                                      │
///  new ─▶ begin_reply ─▶ Plan ─▶ end_reply ─▶ finish ─▶ Next::Continue    │
///   │              │                  │             ╰─▶ Next::Linger      │
///   │              ├─▶ break_reply ───┼───────────────▶ Linger or Reset   │
///   │              ╰──────────────────┼───────────────────────────────────╯
///   ├─▶ begin_takeover ───────────────┼───────────────▶ Next::TakeOver
///   ╰─▶ fail ◀────────────────────────╯ ──────────────▶ Next::End
/// ```
///
/// The state of the request's body is reported by [`set_request_body`](Self::set_request_body), before the reply and
/// again after it. The close reason is the first one given to [`close`](Self::close), unless a failure came before the
/// reply was complete.
///
/// It is eight bytes long. A connection that serves many requests at once has one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    constraints: Constraints,
    request: RequestBody,
    reply: Stage,
    /// The reason why the reply is the last one of the connection.
    last: Option<CloseReason>,
    /// The reason of a failure.
    failed: Option<CloseReason>,
}

/// The unread part of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestBody {
    /// The body was read to its end: the next byte belongs to the next request.
    Read,
    /// The handler still holds the body, and may read it while the reply is sent.
    Held,
    /// No task will read the body, and it is short enough to be discarded.
    Unread,
    /// The end of the body will not be read: the body is malformed, too slow or too long. The connection ends with this
    /// reply.
    Lost(CloseReason),
}

/// What the server does after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// The next byte on the connection is the first of the next request.
    Continue,
    /// Close after lingering: flush, send FIN, and read until the client has closed too, for a limited time. Otherwise
    /// bytes that the client still sends would make the kernel reset the connection, and the client could lose the
    /// reply.
    Linger,
    /// Reset, so that the client does not take the end of the connection for the end of the body.
    Reset,
    /// Close at once: no reply was sent, or the connection has failed.
    End,
    /// Hand the connection over to another protocol.
    TakeOver,
}

/// The progress of the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    None,
    Begun,
    BegunUntilClose,
    Done,
    Broken,
    BrokenUntilClose,
    Failed,
    TakenOver,
}

impl Exchange {
    /// Makes the exchange of a request with this head.
    // Always: a program that serves two kinds of streams has two connection loops, and a call for each costs more.
    #[inline(always)]
    pub fn new(head: HeadRef<'_>) -> Self {
        Self {
            constraints: Constraints::of(head),
            request: if head.framing().is_empty() { RequestBody::Read } else { RequestBody::Held },
            reply: Stage::None,
            last: if head.keep_alive() { None } else { Some(CloseReason::ClientAsked) },
            failed: None,
        }
    }

    /// Makes the exchange of a refused head, with the reason for closing. If the bytes begin with HEAD, the reply has
    /// no body, as the client does not read one.
    pub fn refused(input: &[u8], reason: CloseReason) -> Self {
        Self {
            constraints: Constraints::of_refused(input),
            request: RequestBody::Lost(reason),
            reply: Stage::None,
            last: Some(reason),
            failed: None,
        }
    }

    /// Makes the exchange of a refused head on a stream of HTTP/2. Other streams go on, so that there is no reason for
    /// closing.
    pub fn refused_stream(method: &http::Method) -> Self {
        Self {
            constraints: Constraints::of_refused_stream(method),
            request: RequestBody::Read,
            reply: Stage::None,
            last: None,
            failed: None,
        }
    }

    /// Makes the reply the last one of its connection, for this reason, unless there is one already.
    #[inline]
    pub fn close(&mut self, reason: CloseReason) {
        self.last.get_or_insert(reason);
    }

    /// Reports what is left of the request's body. `Lost` and `Read` are final.
    #[inline]
    pub fn set_request_body(&mut self, left: RequestBody) {
        // The usual one by itself: it is one comparison.
        if matches!(self.request, RequestBody::Read) || matches!(self.request, RequestBody::Lost(_)) {
            return;
        }
        self.request = left;
        if let RequestBody::Lost(reason) = left {
            self.close(reason);
        }
    }

    /// The last reported state of the request's body.
    #[inline]
    pub fn request_body(&self) -> RequestBody {
        self.request
    }

    /// Begins a reply with this head and returns its plan. Another reply may be begun if no byte of this one was sent.
    /// After a broken reply, a takeover or a failure no reply begins.
    #[inline]
    pub fn begin_reply(&mut self, head: &Head<'_>) -> Plan {
        let plan = Plan::new(&self.constraints, head, self.failed.or(self.last));
        if !self.is_over() {
            self.reply = if plan.length() == Length::UntilClose { Stage::BegunUntilClose } else { Stage::Begun };
        }
        plan
    }

    /// Reports that the reply was written completely.
    #[inline]
    pub fn end_reply(&mut self, plan: &Plan) {
        if self.is_over() {
            return;
        }
        self.reply = Stage::Done;
        if let Some(reason) = plan.close() {
            self.close(reason);
        }
    }

    /// Reports that the rest of the reply cannot be sent, after a part of it was.
    #[cold]
    pub fn break_reply(&mut self, reason: CloseReason) {
        if self.is_over() {
            return;
        }
        self.failed = Some(reason);
        self.reply = match self.reply {
            Stage::BegunUntilClose => Stage::BrokenUntilClose,
            _ => Stage::Broken,
        };
    }

    /// Reports that the connection has failed or was aborted, so that nothing more can be sent.
    #[cold]
    pub fn fail(&mut self, reason: CloseReason) {
        self.failed.get_or_insert(reason);
        self.reply = Stage::Failed;
    }

    /// Whether a further reply has no effect on what is next.
    #[inline]
    fn is_over(&self) -> bool {
        matches!(self.reply, Stage::Broken | Stage::BrokenUntilClose | Stage::Failed | Stage::TakenOver)
    }

    /// Checks whether another protocol may follow this reply, by the head of the request; see
    /// [`Constraints::check_takeover`].
    ///
    /// # Errors
    /// [`TakeoverError`], which has the status of the reply to send instead.
    pub fn check_takeover(&self, head: &Head<'_>) -> Result<(), TakeoverError> {
        self.constraints.check_takeover(head)
    }

    /// Begins a reply after whose head another protocol follows, and returns its plan. The request's body must have
    /// been read to its end.
    #[cold]
    pub fn begin_takeover(&mut self, head: &Head<'_>) -> Plan {
        if !self.is_over() {
            self.last = Some(CloseReason::Takeover);
            self.reply = Stage::TakenOver;
        }
        Plan::takeover(&self.constraints, head)
    }

    /// Ends the exchange and returns what is next. If the request's body was not read to its end, the connection is not
    /// used again; the reason is then [`RequestBodyUnread`](CloseReason::RequestBodyUnread), unless there is one
    /// already.
    #[inline]
    pub fn finish(&mut self) -> Next {
        if self.reply == Stage::Done && self.last.is_none() && self.request == RequestBody::Read {
            return Next::Continue;
        }
        self.end()
    }

    /// What is next if the connection does not go on.
    #[inline(never)]
    fn end(&mut self) -> Next {
        match self.reply {
            Stage::Done | Stage::Broken => {
                self.close(CloseReason::RequestBodyUnread);
                Next::Linger
            }
            Stage::BrokenUntilClose => Next::Reset,
            Stage::TakenOver => Next::TakeOver,
            Stage::None | Stage::Begun | Stage::BegunUntilClose | Stage::Failed => {
                self.failed.get_or_insert(CloseReason::Aborted);
                Next::End
            }
        }
    }

    /// The reason why the connection ends, if it does.
    #[inline]
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.failed.or(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Index, Limits};
    use http::{HeaderMap, HeaderValue, StatusCode, header};

    fn begin(request: &str) -> Exchange {
        let bytes = format!("{request}\r\n\r\n");
        let mut index = Index::default();
        index.parse(bytes.as_bytes(), &Limits::default()).unwrap().unwrap();
        Exchange::new(HeadRef::new(bytes.as_bytes(), &index))
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: a";
    const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9";
    const LAST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close";
    const OLD: &str = "GET / HTTP/1.0";
    const OLD_KEEP: &str = "GET / HTTP/1.0\r\nConnection: keep-alive";

    /// An event of an exchange.
    enum Event {
        Close(CloseReason),
        Body(RequestBody),
        /// A reply of a known length.
        Begin,
        /// A reply of an unknown length.
        Stream,
        /// A reply with `Connection: close`.
        BeginLast,
        End,
        Break(CloseReason),
        Fail(CloseReason),
        Takeover,
    }

    fn run(request: &str, events: &[Event]) -> (Next, Option<CloseReason>) {
        let mut exchange = begin(request);
        let close = HeaderMap::from_iter([(header::CONNECTION, HeaderValue::from_static("close"))]);
        let known = Head { length: Some(1), ..Head::new(StatusCode::OK) };
        let mut plan = None;
        for event in events {
            match event {
                Event::Close(reason) => exchange.close(*reason),
                Event::Body(left) => exchange.set_request_body(*left),
                Event::Begin => plan = Some(exchange.begin_reply(&known)),
                Event::Stream => plan = Some(exchange.begin_reply(&Head::new(StatusCode::OK))),
                Event::BeginLast => plan = Some(exchange.begin_reply(&Head { headers: Some(&close), ..known })),
                Event::End => exchange.end_reply(&plan.expect("a reply was begun")),
                Event::Break(reason) => exchange.break_reply(*reason),
                Event::Fail(reason) => exchange.fail(*reason),
                Event::Takeover => drop(exchange.begin_takeover(&known)),
            }
        }
        (exchange.finish(), exchange.close_reason())
    }

    #[test]
    fn events_of_an_exchange_decide_next_and_close_reason() {
        use CloseReason::*;
        use Event::{Begin, BeginLast, Body, Break, Close, End, Fail, Stream};
        use RequestBody::{Held, Lost, Read, Unread};
        let rows: [(&str, &[Event], Next, Option<CloseReason>); 30] = [
            (GET, &[Begin, End], Next::Continue, None),
            (GET, &[Stream, End], Next::Continue, None),
            (OLD_KEEP, &[Begin, End], Next::Continue, None),
            (LAST, &[Begin, End], Next::Linger, Some(ClientAsked)),
            (OLD, &[Begin, End], Next::Linger, Some(ClientAsked)),
            (OLD_KEEP, &[Stream, End], Next::Linger, Some(CloseDelimited)),
            (GET, &[BeginLast, End], Next::Linger, Some(HandlerAsked)),
            (GET, &[Close(Stopping), BeginLast, End], Next::Linger, Some(Stopping)),
            // The request's body was not read to its end.
            (POST, &[Begin, End], Next::Linger, Some(RequestBodyUnread)),
            (POST, &[Body(Held), Begin, End, Body(Read)], Next::Continue, None),
            (POST, &[Body(Unread), Begin, End, Body(Read)], Next::Continue, None),
            (POST, &[Body(Unread), Begin, End], Next::Linger, Some(RequestBodyUnread)),
            (POST, &[Body(Read), Begin, Body(Unread), End], Next::Continue, None),
            (POST, &[Body(Lost(RequestBodyBroken)), Begin, End], Next::Linger, Some(RequestBodyBroken)),
            (POST, &[Begin, End, Body(Lost(RequestBodyTimeout))], Next::Linger, Some(RequestBodyTimeout)),
            (POST, &[Body(Lost(RequestBodyBroken)), Begin, Body(Read), End], Next::Linger, Some(RequestBodyBroken)),
            // The first reason wins.
            (GET, &[Close(MaxAge), Close(Stopping), Begin, End], Next::Linger, Some(MaxAge)),
            (LAST, &[Close(Stopping), Begin, End], Next::Linger, Some(ClientAsked)),
            // The reply breaks.
            (GET, &[Stream, Break(ReplyBroken)], Next::Linger, Some(ReplyBroken)),
            (OLD, &[Stream, Break(ReplyBroken)], Next::Reset, Some(ReplyBroken)),
            (LAST, &[Stream, Break(Panic)], Next::Linger, Some(Panic)),
            (GET, &[Break(ReplyBroken)], Next::Linger, Some(ReplyBroken)),
            // The reply is replaced before a byte of it was sent.
            (OLD_KEEP, &[Stream, Close(ReplyBroken), BeginLast, End], Next::Linger, Some(ReplyBroken)),
            (OLD_KEEP, &[Stream, Begin, End], Next::Continue, None),
            // The connection fails.
            (GET, &[], Next::End, Some(Aborted)),
            (GET, &[Begin], Next::End, Some(Aborted)),
            (GET, &[Fail(Io)], Next::End, Some(Io)),
            (LAST, &[Begin, End, Fail(ReplyTimeout)], Next::End, Some(ReplyTimeout)),
            (GET, &[Stream, Fail(Io), Break(ReplyBroken)], Next::End, Some(Io)),
            (GET, &[Event::Takeover], Next::TakeOver, Some(Takeover)),
        ];
        for (i, (request, events, next, reason)) in rows.into_iter().enumerate() {
            assert_eq!(run(request, events), (next, reason), "row {i}, {request:?}");
        }
    }

    #[test]
    fn a_refused_head_has_a_reply_and_a_linger() {
        for (input, bodied) in [(&b"HEAD / HTTP/9"[..], false), (b"\r\nHEAD /", false), (b"HEADER", true), (b"", true)]
        {
            let mut exchange = Exchange::refused(input, CloseReason::HeadRefused);
            let head = Head { length: Some(3), ..Head::new(StatusCode::BAD_REQUEST) };
            let plan = exchange.begin_reply(&head);
            assert_eq!((plan.has_body(), plan.close()), (bodied, Some(CloseReason::HeadRefused)));
            exchange.end_reply(&plan);
            assert_eq!((exchange.finish(), exchange.close_reason()), (Next::Linger, Some(CloseReason::HeadRefused)));
        }
    }

    #[test]
    fn a_takeover_is_refused_where_a_reader_could_disagree() {
        const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x";
        const CONNECT: &str = "CONNECT a:1 HTTP/1.1\r\nHost: a:1";
        const BODY: &str = "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 1";
        let named = HeaderMap::from_iter([(header::UPGRADE, HeaderValue::from_static("x"))]);
        for (request, status, headers, expected) in [
            (UPGRADE, 101, Some(&named), Ok(())),
            (UPGRADE, 101, None, Err(TakeoverError::Reply)),
            (GET, 101, Some(&named), Err(TakeoverError::Unasked)),
            (GET, 200, None, Ok(())),
            (GET, 204, None, Err(TakeoverError::Reply)),
            (GET, 102, None, Err(TakeoverError::Reply)),
            ("HEAD / HTTP/1.1\r\nHost: a", 200, None, Err(TakeoverError::Reply)),
            (CONNECT, 200, None, Ok(())),
            (CONNECT, 204, None, Ok(())),
            (CONNECT, 304, None, Err(TakeoverError::Reply)),
            (BODY, 200, None, Err(TakeoverError::Content)),
        ] {
            let head = Head { headers, ..Head::new(StatusCode::from_u16(status).unwrap()) };
            assert_eq!(begin(request).check_takeover(&head), expected, "{request:?}, {status}");
        }
        for (error, status) in
            [(TakeoverError::Reply, 500), (TakeoverError::Unasked, 426), (TakeoverError::Content, 400)]
        {
            assert_eq!(error.status(), status);
        }
    }

    #[test]
    fn an_exchange_is_small() {
        assert!(size_of::<Exchange>() <= 8, "{} bytes", size_of::<Exchange>());
    }
}
