//! One request and its reply: how the reply is framed, whether the connection goes on, and if not, why.

use crate::{
    CloseReason, HeadRef,
    reply::{Constraints, Head, Length, Plan, TakeoverError},
};

/// One request and its reply. Whoever reads the request and writes the reply reports what happened; it alone decides
/// whether the connection is used again, and why not.
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
/// What happened to the request's body is told by [`set_request_body`](Self::set_request_body), before the reply and
/// again after it. The reason is the first that was given: of those that are announced by the reply
/// ([`close`](Self::close)) the first, unless something failed before the reply was whole.
///
/// It is eight bytes: facts, and what the request asked for. A connection that serves many requests at once has one for
/// each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    constraints: Constraints,
    request: RequestBody,
    reply: Stage,
    /// Why the reply is the connection's last.
    last: Option<CloseReason>,
    /// What failed.
    failed: Option<CloseReason>,
}

/// What of a request's body is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestBody {
    /// Nothing: the next byte is the first behind the request.
    Read,
    /// A body that the handler still holds, and may read while the reply is sent.
    Held,
    /// A body that nobody will read, little enough to be thrown away.
    Unread,
    /// A body whose end will not be found: it is broken, too slow or too long. The connection ends with this reply.
    Lost(CloseReason),
}

/// What happens after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// The next byte on the connection is the first of the next request.
    Continue,
    /// Close in order: flush, say that nothing more comes (FIN), and read until the client has closed, too, for a while.
    /// What it still sends would otherwise make the kernel reset the connection, and take the reply away.
    Linger,
    /// Reset: the client must not take the end of the connection for the end of the body.
    Reset,
    /// Close at once: there is no reply to be read, or the connection has failed.
    End,
    /// Another protocol has the connection.
    TakeOver,
}

/// How far the reply is.
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
    /// Begins with a request's head.
    #[inline]
    pub fn new(head: HeadRef<'_>) -> Self {
        Self {
            constraints: Constraints::of(head),
            request: if head.framing().is_empty() { RequestBody::Read } else { RequestBody::Held },
            reply: Stage::None,
            last: if head.keep_alive() { None } else { Some(CloseReason::ClientAsked) },
            failed: None,
        }
    }

    /// For the answer to bytes that are no request, for this reason. A client that sent HEAD reads no body behind the
    /// reply, whatever is wrong with the rest.
    pub fn refused(input: &[u8], reason: CloseReason) -> Self {
        Self {
            constraints: Constraints::of_refused(input),
            request: RequestBody::Lost(reason),
            reply: Stage::None,
            last: Some(reason),
            failed: None,
        }
    }

    /// The reply will be the last on its connection, if none said so before.
    #[inline]
    pub fn close(&mut self, reason: CloseReason) {
        self.last.get_or_insert(reason);
    }

    /// Reports what is left of the request's body. What is lost stays lost, and what is read stays read.
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

    /// What is left of the request's body, as was last reported.
    #[inline]
    pub fn request_body(&self) -> RequestBody {
        self.request
    }

    /// The plan of the reply with this head. Another reply may be begun as long as nothing of this one was sent; after a
    /// reply that broke, a takeover or a failure nothing begins.
    #[inline]
    pub fn begin_reply(&mut self, head: &Head<'_>) -> Plan {
        let plan = Plan::new(&self.constraints, head, self.failed.or(self.last));
        if !self.is_over() {
            self.reply = if plan.length() == Length::UntilClose { Stage::BegunUntilClose } else { Stage::Begun };
        }
        plan
    }

    /// The reply is whole: everything of it was written.
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

    /// The reply cannot be made whole, after a part of it was sent.
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

    /// The connection has failed, or was aborted: nothing more can be said.
    #[cold]
    pub fn fail(&mut self, reason: CloseReason) {
        self.failed.get_or_insert(reason);
        self.reply = Stage::Failed;
    }

    /// Whether nothing that a reply does can change what is next.
    #[inline]
    fn is_over(&self) -> bool {
        matches!(self.reply, Stage::Broken | Stage::BrokenUntilClose | Stage::Failed | Stage::TakenOver)
    }

    /// Whether another protocol may follow this reply, as far as the head of the request says; see
    /// [`Constraints::check_takeover`].
    ///
    /// # Errors
    /// [`TakeoverError`], with the status to answer instead.
    pub fn check_takeover(&self, head: &Head<'_>) -> Result<(), TakeoverError> {
        self.constraints.check_takeover(head)
    }

    /// The plan of a reply after whose head another protocol begins. The request's body must have been read.
    #[cold]
    pub fn begin_takeover(&mut self, head: &Head<'_>) -> Plan {
        if !self.is_over() {
            self.last = Some(CloseReason::Takeover);
            self.reply = Stage::TakenOver;
        }
        Plan::takeover(&self.constraints, head)
    }

    /// What happens now. If the request's body was not read to its end, the connection is not used again, and
    /// [`RequestBodyUnread`](CloseReason::RequestBodyUnread) is the reason unless there was one before.
    #[inline]
    pub fn finish(&mut self) -> Next {
        if self.reply == Stage::Done && self.last.is_none() && self.request == RequestBody::Read {
            return Next::Continue;
        }
        self.end()
    }

    /// What happens now if the connection does not go on.
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

    /// Why the connection ends, if it does.
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

    /// What happens to an exchange.
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
    fn what_happens_to_an_exchange_decides_what_is_next_and_why() {
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
            // A body that was not read to its end.
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
            // A reply that breaks.
            (GET, &[Stream, Break(ReplyBroken)], Next::Linger, Some(ReplyBroken)),
            (OLD, &[Stream, Break(ReplyBroken)], Next::Reset, Some(ReplyBroken)),
            (LAST, &[Stream, Break(Panic)], Next::Linger, Some(Panic)),
            (GET, &[Break(ReplyBroken)], Next::Linger, Some(ReplyBroken)),
            // One that is replaced before anything of it was sent.
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
    fn a_refused_head_is_answered_and_lingered_for() {
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
