//! Replies: whatever a handler says, a strict reader reads its body and nothing else.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use quintet_request::{
    Chunked, CloseReason, ContentType, Exchange, HeadRef, Index, Limits, Next, is_forbidden_trailer,
    reply::{self, Length},
};

use super::reply_reader::ReadReply;

/// What follows a reply on a connection that goes on.
const NEXT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";

/// What a handler says, from lines of text.
struct Handler<'a> {
    status: StatusCode,
    /// `k`: the length is known; `t`: the type, too; `u`: the type is unsaid.
    options: &'a [u8],
    headers: HeaderMap,
    body: &'a [u8],
}

impl<'a> Handler<'a> {
    /// Shape: `status options LF  (name:value LF)…  LF body`. Names and values that `http`'s types refuse are left out.
    fn read(data: &'a [u8]) -> Option<Self> {
        let mut lines = data.splitn(2, |&byte| byte == b'\n');
        let (first, mut rest) = (lines.next()?, lines.next()?);
        let status = StatusCode::from_bytes(first.get(..3)?).ok()?;
        let mut headers = HeaderMap::new();
        loop {
            let mut lines = rest.splitn(2, |&byte| byte == b'\n');
            let line = lines.next()?;
            rest = lines.next().unwrap_or_default();
            if line.is_empty() {
                return Some(Self { status, options: &first[3..], headers, body: rest });
            }
            let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
            let (name, value) = (&line[..colon], line.get(colon + 1..).unwrap_or_default());
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                headers.append(name, value);
            }
        }
    }

    fn says(&self, option: u8) -> bool {
        self.options.contains(&option)
    }

    fn head(&self) -> reply::Head<'_> {
        reply::Head {
            status: self.status,
            headers: Some(&self.headers),
            content_type: match () {
                () if self.says(b't') => ContentType::Known("application/json"),
                () if self.says(b'u') => ContentType::Unsaid,
                () => ContentType::Sniffed,
            },
            length: self.says(b'k').then_some(self.body.len() as u64),
        }
    }
}

/// A request's head, and what a handler says: the reply is framed so that a strict reader reads exactly the body, sees
/// the handler's fields and ours, and knows whether the connection goes on. A head that is refused gets a reply, too.
pub fn reply(data: &[u8]) {
    let mut index = Index::default();
    let (mut exchange, method, rest) = match index.parse(data, &Limits::default()) {
        Ok(Some(len)) => {
            let head = HeadRef::new(data, &index);
            (Exchange::new(head), head.method().to_owned(), &data[len..])
        }
        _ => {
            let end = data.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at + 4);
            let start = data.iter().position(|byte| !b"\r\n".contains(byte)).unwrap_or(0);
            let pairs = data[..start].chunks(2).all(|pair| pair == b"\r\n");
            let method = if pairs && data[start..].starts_with(b"HEAD ") { "HEAD" } else { "GET" };
            (Exchange::refused(data, CloseReason::HeadRefused), method.to_owned(), &data[end..])
        }
    };
    let Some(handler) = Handler::read(rest) else { return };
    let head = handler.head();
    // What promises another reply is refused by the caller.
    if handler.status.is_informational() {
        return;
    }
    let plan = exchange.begin_reply(&head);
    if let Length::Exact(length) = plan.length() {
        // A handler that streams more or less than it announced has broken its reply.
        if plan.has_body() && length != handler.body.len() as u64 {
            return;
        }
    }
    let mut out = Vec::new();
    plan.write_head(&mut out, &head, u64::from(handler.status.as_u16()) << 30, handler.body);
    write_body(&mut out, &handler, &plan);
    exchange.end_reply(&plan);
    exchange.set_request_body(quintet_request::RequestBody::Read);
    let goes_on = exchange.finish() == Next::Continue;
    assert_eq!(goes_on, plan.close().is_none());
    if goes_on {
        out.extend_from_slice(NEXT);
    }

    let mut bytes = &out[..];
    let read = ReadReply::read(&mut bytes, &method);
    assert_eq!(bytes, if goes_on { NEXT } else { b"" }, "the next reply is behind it");
    assert_eq!(read.body, if plan.has_body() { handler.body } else { b"" });
    assert_eq!(read.status, handler.status.as_u16());
    assert!(!(read.until_close && goes_on), "the connection's end is the body's");
    let last = if read.old { !read.connection_names("keep-alive") } else { read.connection_names("close") };
    assert!(last != goes_on || read.until_close, "the client knows whether it goes on");
    check_fields(&read, &handler);
    check_stream(&method, &handler, &plan, &read);
}

/// On a stream of HTTP/2 the reply has the same content, and the same fields but for those of a connection.
fn check_stream(method: &str, handler: &Handler<'_>, http1: &reply::Plan, read: &ReadReply<'_>) {
    const OF_CONNECTIONS: [&str; 6] =
        ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];
    let method = Method::from_bytes(method.as_bytes()).expect("a method is a token");
    let head = handler.head();
    let plan = Exchange::refused_stream(&method).begin_reply(&head);
    assert_eq!((plan.has_content(), plan.has_body()), (http1.has_content(), http1.has_body()));
    let mut fields = handler.headers.clone();
    plan.finish_fields(&mut fields, head.content_type, u64::from(handler.status.as_u16()) << 30, handler.body);
    for name in fields.keys() {
        assert!(!OF_CONNECTIONS.contains(&name.as_str()), "{name}");
        let sent: Vec<_> = fields.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        assert!(sent.iter().all(|value| value.trim_ascii() == *value), "{name}");
        let http1: Vec<_> = read.all(name.as_str()).into_iter().map(<[u8]>::trim_ascii).collect();
        assert_eq!(sent, http1, "{name}");
    }
    for (name, _) in &read.fields {
        let name = HeaderName::from_bytes(name).expect("a name is a token");
        assert!(fields.contains_key(&name) || OF_CONNECTIONS.contains(&name.as_str()), "{name}");
    }
    let mut trailers = handler.headers.clone();
    reply::finish_trailers(&mut trailers);
    let kept = handler.headers.keys().filter(|name| !is_forbidden_trailer(name.as_str())).count();
    assert_eq!(trailers.keys_len(), kept);
}

fn write_body(out: &mut Vec<u8>, handler: &Handler<'_>, plan: &reply::Plan) {
    if !plan.has_body() {
        return;
    }
    match plan.length() {
        Length::Chunked => {
            for piece in handler.body.chunks(7) {
                reply::begin_chunk(out, piece.len());
                out.extend_from_slice(piece);
                reply::end_chunk(out);
            }
            reply::end_body(out, None);
        }
        Length::Exact(_) | Length::UntilClose => out.extend_from_slice(handler.body),
        Length::None | Length::Stream => {}
    }
}

/// Every field is one of the handler's or one of ours, and none of the handler's is lost.
fn check_fields(read: &ReadReply<'_>, handler: &Handler<'_>) {
    const OURS: [&str; 3] = ["content-length", "transfer-encoding", "connection"];
    for name in handler.headers.keys().filter(|name| !OURS.contains(&name.as_str())) {
        let said: Vec<_> = handler.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(read.all(name.as_str()), said, "{name}");
    }
    for (name, _) in &read.fields {
        let lower = name.to_ascii_lowercase();
        let known = OURS.iter().chain(&["date", "content-type"]).any(|known| known.as_bytes() == lower);
        assert!(known || handler.headers.keys().any(|other| other.as_str().as_bytes() == lower));
        let title = name.split(|&byte| byte == b'-').all(|word| !word.first().is_some_and(u8::is_ascii_lowercase));
        assert!(title, "{} is in title case", name.escape_ascii());
    }
    assert_eq!(read.all("date").len(), handler.headers.get_all("date").iter().count().max(1));
    let unsaid = handler.head().content_type == ContentType::Unsaid;
    if unsaid && !handler.headers.contains_key("content-type") {
        assert!(read.all("content-type").is_empty());
    }
}

/// Pieces of a body, separated by NUL, as chunks: our own reader of chunks reads the same bytes, in any pieces, and
/// leaves what follows. A first piece with a colon is a trailer.
pub fn chunks(data: &[u8]) {
    let mut pieces: Vec<_> = data.split(|&byte| byte == 0).collect();
    let mut trailers = HeaderMap::new();
    if let Some(colon) = pieces[0].iter().position(|&byte| byte == b':') {
        let (name, value) = (&pieces[0][..colon], &pieces[0][colon + 1..]);
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            trailers.insert(name, value);
            pieces.remove(0);
        }
    }
    let mut out = Vec::new();
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        let before = out.len();
        reply::begin_chunk(&mut out, piece.len());
        out.extend_from_slice(piece);
        reply::end_chunk(&mut out);
        assert!(out.len() - before <= piece.len() + 20);
    }
    // A chunk of no bytes would be the end.
    let before = out.len();
    reply::begin_chunk(&mut out, 0);
    assert_eq!(out.len(), before);
    reply::end_body(&mut out, Some(&trailers));
    let len = out.len();
    out.extend_from_slice(b"5\r\nnext");

    let limits = Limits { chunk_overhead: usize::MAX, trailers: usize::MAX, ..Limits::default() };
    for step in [1, 7, out.len()] {
        let mut chunked = Chunked::new(&limits);
        let (mut body, mut at, mut end) = (Vec::new(), 0, 0);
        while !chunked.is_end() {
            end = (end + step).min(out.len());
            loop {
                let seen = chunked.next(&out[at..end]).expect("what was written is read");
                let data = at + seen.framing;
                body.extend_from_slice(&out[data..data + seen.data]);
                at = data + seen.data;
                if chunked.is_end() || seen.framing + seen.data == 0 {
                    break;
                }
            }
        }
        assert_eq!((body, at), (pieces.concat(), len), "in steps of {step}");
        let read = chunked.take_trailers().unwrap_or_default();
        let sent = trailers.iter().filter(|(name, _)| !is_forbidden_trailer(name.as_str()));
        for (name, value) in sent {
            assert_eq!(read[name].as_bytes(), value.as_bytes().trim_ascii(), "{name}");
        }
        assert_eq!(read.len(), trailers.keys().filter(|name| !is_forbidden_trailer(name.as_str())).count());
    }
}
