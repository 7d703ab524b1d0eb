//! The plan of a reply: its framing on the wire.

use http::{HeaderMap, StatusCode, header};

use super::{
    constraints::{Constraints, Method, is_bodiless},
    content_type::ContentType,
    date::write_start,
    field,
    head::Head,
    length::Length,
    sniff::sniff,
};
use crate::{CloseReason, Version, head::connection_tokens::ConnectionTokens};

/// The plan of a reply: how its body is framed, whether a body is sent, and the `Connection` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    version: Version,
    length: Length,
    has_content: bool,
    has_body: bool,
    close: Option<CloseReason>,
    /// The value of the `Connection` field.
    connection: Option<&'static str>,
}

impl Plan {
    /// Plans a reply. `close` is the reason why the connection ends after it, if there is one already;
    /// [`close`](Self::close) returns that reason or the one that the reply adds.
    #[inline]
    pub fn new(to: &Constraints, head: &Head<'_>, close: Option<CloseReason>) -> Self {
        // The usual reply has a branch of its own: the questions below would cost as much as the rest of planning it.
        match head.length {
            Some(length) if head.is_plain() && to.is_plain() => Self {
                version: Version::Http11,
                length: Length::Exact(length),
                has_content: true,
                has_body: true,
                close,
                connection: if close.is_some() { Some("close") } else { None },
            },
            _ => Self::of_any(to, head, close),
        }
    }

    /// The same for any reply.
    #[inline(never)]
    fn of_any(to: &Constraints, head: &Head<'_>, close: Option<CloseReason>) -> Self {
        let bodiless = is_bodiless(head.status);
        let length = length(to, head, bodiless);
        let close = close.or_else(|| reason(to, head, length));
        Self {
            version: to.version,
            length,
            has_content: !bodiless,
            has_body: !bodiless && to.method != Method::Head,
            close,
            connection: connection(to, head, length, close.is_some()),
        }
    }

    /// Plans a reply after whose head another protocol follows.
    #[cold]
    pub fn takeover(to: &Constraints, head: &Head<'_>) -> Self {
        let said = Self::new(to, head, Some(CloseReason::Takeover));
        // The other protocol has no end that a length could announce, so no length is sent.
        let length = if said.length == Length::None { Length::None } else { Length::UntilClose };
        Self { length, has_body: false, ..said }
    }

    /// How the end of the body is told.
    #[inline]
    pub fn length(&self) -> Length {
        self.length
    }

    /// Whether the status allows content, and so a `Content-Type`.
    #[inline]
    pub fn has_content(&self) -> bool {
        self.has_content
    }

    /// Whether the body follows the head. It does not follow in a reply to HEAD, whose head is that of a GET.
    #[inline]
    pub fn has_body(&self) -> bool {
        self.has_body
    }

    /// The reason why the connection ends with this reply, if it does.
    #[inline]
    pub fn close(&self) -> Option<CloseReason> {
        self.close
    }

    /// Appends the head: status line, `Date`, `Content-Type`, the fields of the handler, how the body ends, and
    /// `Connection`. Field names are written in title case (`X-Request-Id`), as Go does.
    ///
    /// `head` is the head that the plan was made for. `unix` is the Unix time in seconds; a time after the year 9999 is
    /// written as its last second. `first` is the start of the body, for a content type that is guessed.
    ///
    /// # Spec
    /// RFC 9112 §4, §5. Go: `(*chunkWriter).writeHeader`.
    pub fn write_head(&self, out: &mut Vec<u8>, head: &Head<'_>, unix: u64, first: &[u8]) {
        write_start(out, head.status, self.version, unix, !head.has(&header::DATE));
        self.write_content_type(out, head, first);
        if let Some(headers) = head.headers {
            for (name, value) in headers {
                if !matches!(*name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::CONNECTION) {
                    field::write(out, name, value);
                }
            }
        }
        match self.length {
            Length::Exact(length) => {
                out.extend_from_slice(b"Content-Length: ");
                out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
                out.extend_from_slice(b"\r\n");
            }
            Length::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            Length::None | Length::Stream | Length::UntilClose => {}
        }
        if let Some(connection) = self.connection {
            out.extend_from_slice(b"Connection: ");
            out.extend_from_slice(connection.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn write_content_type(&self, out: &mut Vec<u8>, head: &Head<'_>, first: &[u8]) {
        if !self.has_content || head.has(&header::CONTENT_TYPE) {
            return;
        }
        let content_type = match head.content_type {
            ContentType::Known(known) => known,
            ContentType::Sniffed if !first.is_empty() && !head.is_encoded() => sniff(first),
            ContentType::Sniffed | ContentType::Unsaid => return,
        };
        out.extend_from_slice(b"Content-Type: ");
        out.extend_from_slice(content_type.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// How the end of the body is told.
fn length(to: &Constraints, head: &Head<'_>, bodiless: bool) -> Length {
    if to.is_tunnel(head.status) {
        return if to.version == Version::Http2 { Length::Stream } else { Length::UntilClose };
    }
    if bodiless {
        // 205 needs `Content-Length: 0`, as the status alone does not tell a client that there is no body (RFC 9112
        // §6.3).
        return if head.status == StatusCode::RESET_CONTENT { Length::Exact(0) } else { Length::None };
    }
    let said = head.headers.and_then(content_length);
    match (head.length.or(said), to.version) {
        // A handler may leave out the body of a reply to HEAD; that does not mean that the reply to GET has none.
        (Some(0), _) if to.method == Method::Head => said.map_or(Length::None, Length::Exact),
        (Some(length), _) => Length::Exact(length),
        (None, Version::Http11) => Length::Chunked,
        (None, Version::Http2) => Length::Stream,
        (None, Version::Http10) if to.method == Method::Head => Length::None,
        (None, Version::Http10) => Length::UntilClose,
    }
}

/// The reason that the reply itself gives for ending the connection.
fn reason(to: &Constraints, head: &Head<'_>, length: Length) -> Option<CloseReason> {
    if length == Length::UntilClose {
        Some(CloseReason::CloseDelimited)
    } else if to.method == Method::Connect && to.version != Version::Http2 {
        // The client may have sent the first bytes of the tunnel already, which would be read as a request.
        Some(CloseReason::TakeoverRefused)
    } else if head.headers.is_some_and(asks_to_close) {
        Some(CloseReason::HandlerAsked)
    } else {
        None
    }
}

/// The value of the `Connection` field, if the default of the version does not hold. It also names an `Upgrade` field,
/// which is valid only then (RFC 9110 §7.8).
fn connection(to: &Constraints, head: &Head<'_>, length: Length, close: bool) -> Option<&'static str> {
    let upgrade = head.has(&header::UPGRADE);
    let tunnel = length == Length::UntilClose && to.method == Method::Connect;
    match (to.version, close) {
        (Version::Http2, _) => None,
        (Version::Http11, _) if head.status == StatusCode::SWITCHING_PROTOCOLS => Some("upgrade"),
        (Version::Http11, true) if tunnel => None,
        (Version::Http11, true) => Some(if upgrade { "close, upgrade" } else { "close" }),
        (Version::Http11, false) => upgrade.then_some("upgrade"),
        (Version::Http10, false) => Some(if upgrade { "keep-alive, upgrade" } else { "keep-alive" }),
        (Version::Http10, true) => upgrade.then_some("upgrade"),
    }
}

/// The `Content-Length` of a handler that streams its body, if it is one valid number.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn asks_to_close(headers: &HeaderMap) -> bool {
    let mut tokens = ConnectionTokens::default();
    headers.get_all(header::CONNECTION).iter().for_each(|value| tokens.note(value.as_bytes()));
    tokens.close
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HeadRef, Index, Limits};
    use http::{HeaderName, HeaderValue};

    const GET: &str = "GET / HTTP/1.1\r\nHost: a";
    const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a";
    const OLD: &str = "GET / HTTP/1.0";
    const CONNECT: &str = "CONNECT a:1 HTTP/1.1\r\nHost: a:1";
    const DATE: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

    fn constraints(request: &str) -> Constraints {
        let bytes = format!("{request}\r\n\r\n");
        let mut index = Index::default();
        index.parse(bytes.as_bytes(), &Limits::default()).unwrap().unwrap();
        Constraints::of(HeadRef::new(bytes.as_bytes(), &index))
    }

    fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn head<'a>(status: u16, headers: &'a HeaderMap, length: Option<u64>) -> Head<'a> {
        Head { headers: Some(headers), length, ..Head::new(StatusCode::from_u16(status).unwrap()) }
    }

    /// The framing of a plan, whether a body follows, and its `Connection` field.
    fn seen(plan: &Plan) -> (Length, bool, Option<&'static str>) {
        (plan.length, plan.has_body, plan.connection)
    }

    fn written(request: &str, head: &Head<'_>, close: Option<CloseReason>, first: &[u8]) -> String {
        let mut out = Vec::new();
        Plan::new(&constraints(request), head, close).write_head(&mut out, head, 784_111_777, first);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_plan_follows_from_request_status_fields_and_length() {
        use Length::{Chunked, Exact, None as Unsaid, UntilClose};
        type Given = (&'static str, u16, &'static [(&'static str, &'static str)], Option<u64>);
        type Seen = (Length, bool, Option<&'static str>);
        let rows: [(Given, Seen); 27] = [
            // A known length is announced, an unknown one is chunked.
            ((GET, 200, &[], Some(5)), (Exact(5), true, None)),
            ((GET, 200, &[], Some(0)), (Exact(0), true, None)),
            ((GET, 200, &[], None), (Chunked, true, None)),
            ((GET, 599, &[], Some(5)), (Exact(5), true, None)),
            // HTTP/1.0 has no chunks.
            ((OLD, 200, &[], None), (UntilClose, true, None)),
            ((OLD, 200, &[], Some(5)), (Exact(5), true, Some("keep-alive"))),
            // A reply to HEAD has the head of a GET and no body.
            ((HEAD, 200, &[], Some(5)), (Exact(5), false, None)),
            ((HEAD, 200, &[], None), (Chunked, false, None)),
            ((HEAD, 200, &[], Some(0)), (Unsaid, false, None)),
            ((HEAD, 200, &[("content-length", "7")], Some(0)), (Exact(7), false, None)),
            // Some statuses have neither body nor length; 205 has the length 0.
            ((GET, 204, &[], Some(5)), (Unsaid, false, None)),
            ((GET, 304, &[], Some(5)), (Unsaid, false, None)),
            ((GET, 304, &[("content-length", "5")], Some(0)), (Unsaid, false, None)),
            ((GET, 101, &[], Some(5)), (Unsaid, false, Some("upgrade"))),
            ((GET, 205, &[], Some(5)), (Exact(0), false, None)),
            ((GET, 205, &[], None), (Exact(0), false, None)),
            // The handler may close the connection, and may announce a length.
            ((GET, 200, &[("connection", "x, Close")], Some(5)), (Exact(5), true, Some("close"))),
            ((GET, 200, &[("connection", "keep-alive")], Some(5)), (Exact(5), true, None)),
            ((GET, 200, &[("content-length", "7")], None), (Exact(7), true, None)),
            ((GET, 200, &[("content-length", "7")], Some(5)), (Exact(5), true, None)),
            ((GET, 200, &[("content-length", "-7")], None), (Chunked, true, None)),
            ((GET, 200, &[("content-length", "+7")], None), (Exact(7), true, None)),
            ((GET, 200, &[("transfer-encoding", "gzip")], None), (Chunked, true, None)),
            // An upgrade that is offered is named.
            ((GET, 426, &[("upgrade", "x")], Some(5)), (Exact(5), true, Some("upgrade"))),
            // A tunnel has no framing, and a refused one does.
            ((CONNECT, 200, &[], Some(0)), (UntilClose, true, None)),
            ((CONNECT, 204, &[], Some(0)), (UntilClose, false, None)),
            ((CONNECT, 403, &[], Some(5)), (Exact(5), true, Some("close"))),
        ];
        for ((request, status, said, length), expected) in rows {
            let headers = fields(said);
            let plan = Plan::new(&constraints(request), &head(status, &headers, length), None);
            assert_eq!(seen(&plan), expected, "{request:?}, {status}, {said:?}, {length:?}");
        }
    }

    /// The branch of the usual reply gives the same plan as the general code.
    #[test]
    fn the_usual_reply_has_the_plan_of_the_general_code() {
        for (request, status, length) in [GET, HEAD, OLD, CONNECT]
            .into_iter()
            .flat_map(|request| [200, 204, 404].map(|status| (request, status)))
            .flat_map(|(request, status)| [None, Some(0), Some(7)].map(|length| (request, status, length)))
        {
            let head = Head { length, ..Head::new(StatusCode::from_u16(status).unwrap()) };
            for close in [None, Some(CloseReason::MaxAge)] {
                let to = constraints(request);
                assert_eq!(Plan::new(&to, &head, close), Plan::of_any(&to, &head, close), "{request:?}, {head:?}");
            }
        }
    }

    #[test]
    fn a_plan_has_the_close_reason() {
        use CloseReason::{ClientAsked, CloseDelimited, HandlerAsked, TakeoverRefused};
        let (none, close) = (fields(&[]), fields(&[("connection", "close")]));
        for (request, head, given, expected) in [
            (GET, head(200, &none, Some(1)), None, None),
            (GET, head(200, &none, Some(1)), Some(ClientAsked), Some(ClientAsked)),
            (GET, head(200, &close, Some(1)), Some(ClientAsked), Some(ClientAsked)),
            (GET, head(200, &close, Some(1)), None, Some(HandlerAsked)),
            (OLD, head(200, &close, None), None, Some(CloseDelimited)),
            (CONNECT, head(403, &close, Some(1)), None, Some(TakeoverRefused)),
            (CONNECT, head(200, &none, Some(1)), None, Some(CloseDelimited)),
        ] {
            assert_eq!(Plan::new(&constraints(request), &head, given).close, expected, "{request:?}, {head:?}");
        }
        let upgrade = fields(&[("upgrade", "x")]);
        for (request, connection) in [(GET, "close, upgrade"), (OLD, "upgrade")] {
            let plan = Plan::new(&constraints(request), &head(426, &upgrade, Some(1)), Some(ClientAsked));
            assert_eq!(plan.connection, Some(connection));
        }
    }

    #[test]
    fn a_takeover_has_no_length_and_closes_unless_it_is_101() {
        let (upgrade, none) = (fields(&[("upgrade", "x")]), fields(&[]));
        for (request, head, connection, length) in [
            (GET, head(101, &upgrade, Some(0)), Some("upgrade"), Length::None),
            (GET, head(200, &none, Some(0)), Some("close"), Length::UntilClose),
            (OLD, head(200, &none, Some(0)), None, Length::UntilClose),
            (CONNECT, head(200, &none, Some(0)), None, Length::UntilClose),
        ] {
            let plan = Plan::takeover(&constraints(request), &head);
            assert_eq!(seen(&plan), (length, false, connection), "{request:?}");
            assert_eq!(plan.close, Some(CloseReason::Takeover));
        }
    }

    #[test]
    fn the_usual_reply_is_a_prefix_a_type_and_a_length() {
        let head = Head { content_type: ContentType::Known("a/b"), length: Some(5), ..Head::new(StatusCode::OK) };
        assert_eq!(
            written(GET, &head, None, b"hello"),
            format!("HTTP/1.1 200 OK\r\n{DATE}Content-Type: a/b\r\nContent-Length: 5\r\n\r\n")
        );
    }

    #[test]
    fn content_type_is_sniffed_from_the_first_bytes() {
        let html = "Content-Type: text/html; charset=utf-8\r\n";
        for (said, first, found) in
            [(&[][..], "<html>", true), (&[], "", false), (&[("content-encoding", "gzip")], "<html>", false)]
        {
            let headers = fields(said);
            let seen = written(GET, &head(200, &headers, Some(6)), None, first.as_bytes());
            assert_eq!(seen.contains(html), found, "{seen}");
            assert_eq!(seen.contains("Content-Type"), found, "{seen}");
        }
        assert!(!written(GET, &head(204, &fields(&[]), Some(6)), None, b"<html>").contains("Content-Type"));
    }

    #[test]
    fn handler_fields_are_in_title_case_before_the_framing() {
        let headers = fields(&[("date", "today"), ("content-type", "a/b"), ("x-request-id", "7")]);
        let expected =
            "HTTP/1.1 200 OK\r\nDate: today\r\nContent-Type: a/b\r\nX-Request-Id: 7\r\nContent-Length: 1\r\n\r\n";
        assert_eq!(written(GET, &head(200, &headers, Some(1)), None, b"x"), expected);
    }

    #[test]
    fn framing_fields_of_the_handler_are_replaced() {
        let headers =
            fields(&[("transfer-encoding", "gzip"), ("content-length", "99"), ("connection", "close, x-hop")]);
        let expected = format!("HTTP/1.1 200 OK\r\n{DATE}Content-Length: 1\r\nConnection: close\r\n\r\n");
        assert_eq!(written(GET, &head(200, &headers, Some(1)), None, b""), expected);
    }

    #[test]
    fn an_upgrade_has_its_connection_field_and_no_date() {
        let headers = fields(&[("upgrade", "x")]);
        let expected = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
        assert_eq!(written(GET, &head(101, &headers, Some(0)), None, b""), expected);
    }

    #[test]
    fn an_unknown_status_and_http_1_0_are_written() {
        let headers = fields(&[]);
        let expected = format!("HTTP/1.0 599 \r\n{DATE}Content-Length: 1\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(written(OLD, &head(599, &headers, Some(1)), None, b""), expected);
    }

    /// The types of `http` refuse values with line ends, and values that they accept do not split a reply.
    #[test]
    fn a_field_value_cannot_split_a_reply() {
        for byte in 0..=u8::MAX {
            let value = HeaderValue::from_bytes(&[b'a', byte, b'b']);
            assert_eq!(value.is_ok(), byte == b'\t' || (byte >= b' ' && byte != 0x7f), "{byte:#x}");
            let name = HeaderName::from_bytes(&[b'a', byte, b'b']);
            assert_eq!(name.is_ok(), crate::byte::is(byte, crate::byte::TOKEN), "{byte:#x}");
            let mut headers = HeaderMap::new();
            headers.insert(name.unwrap_or(header::ETAG), value.unwrap_or(HeaderValue::from_static("")));
            let mut out = Vec::new();
            let head = head(200, &headers, Some(0));
            Plan::new(&constraints(GET), &head, None).write_head(&mut out, &head, 0, b"");
            let lines = out.split(|&byte| byte == b'\n').count();
            assert_eq!(lines, 6, "status, date, the field, the length, an empty line: {}", out.escape_ascii());
            assert_eq!(out.iter().filter(|&&byte| byte == b'\r').count(), lines - 1);
        }
    }
}
