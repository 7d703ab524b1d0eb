//! The middleware that compresses replies.

use http::{StatusCode, header};
use quintet_request::{AcceptEncoding, Body, Coding, ContentType, ETag, Request, sniff};

use super::{
    compressed_body::CompressedBody,
    compression::Compression,
    encoder::{Encoder, OFFERED, OFFERED_STREAMS},
    head,
};
use crate::{Handler, Response};

/// The most bytes of a body in memory that are compressed at once, so that their length is announced. Gzip takes about
/// 0.3 ms for it. A longer body is compressed in pieces while it is sent.
const MAX_WHOLE_BYTES: usize = 32 * 1024;

/// Compresses the replies of `handler` for the clients that accept it, with the default [`Compression`].
///
/// # Example
/// ```
/// use quintet_mux::{Handler, IntoResponse, Response, compress};
/// use quintet_request::Request;
///
/// async fn page(_: Request) -> Response {
///     "a long page\n".repeat(1000).into_response()
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let handler = compress(page);
/// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n").unwrap();
/// let reply = handler.call(request).await;
/// assert_eq!(reply.header("content-encoding").unwrap(), "gzip");
/// assert_eq!(reply.header("vary").unwrap(), "Accept-Encoding");
/// assert!(reply.body().len().unwrap() < 500);
/// # }
/// ```
#[doc(alias = "middleware")]
#[doc(alias = "CompressionLayer")]
#[doc(alias = "gzip")]
#[must_use]
pub fn compress(handler: impl Handler) -> impl Handler {
    Compression::default().handler(handler)
}

impl Compression {
    /// Compresses the replies of `handler`.
    #[must_use]
    pub fn handler(self, handler: impl Handler) -> impl Handler {
        Compressed { settings: self, handler }
    }

    /// Compresses a reply, or leaves it as it is.
    fn apply(&self, asked: &Asked, mut response: Response) -> Response {
        if response.is_unusual() {
            return response;
        }
        if response.status() == StatusCode::NOT_MODIFIED {
            asked.repeat_weak_etag(&mut response);
            let _ = head::vary(&mut response);
            return response;
        }
        let Some(content_type) = self.compressible_type(asked, &response) else { return response };
        // Without `Vary` a cache would give the reply to any client.
        if !head::vary(&mut response) {
            return response;
        }
        // Of HEAD, too, whose body may be left out: the length is that of the reply to GET, if it is known.
        let coding = if asked.length(&response).is_some() { asked.coding } else { asked.stream_coding };
        match coding {
            Some(coding) => self.encode(coding, response, content_type),
            None => response,
        }
    }

    /// The type that a reply is to have, if it is one to compress. `None` inside: it has it already.
    fn compressible_type(&self, asked: &Asked, response: &Response) -> Option<Option<&'static str>> {
        let status = response.status();
        let has_content = !status.is_informational()
            && !matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT);
        let is_free = response.headers().is_none_or(head::is_free);
        let is_long = asked.length(response).is_none_or(|len| len >= self.min_bytes.max(1));
        if !has_content || !is_free || !is_long || asked.is_connect {
            return None;
        }
        if let Some(content_type) = response.header("content-type") {
            let is_one = content_type.to_str().is_ok_and(self.types);
            return is_one.then_some(None);
        }
        // The server guesses from the bytes that it sends, and those will be compressed.
        let bytes = response.body().as_bytes().filter(|_| response.content_type() == ContentType::Sniffed)?;
        let guessed = sniff(bytes);
        (!bytes.is_empty() && (self.types)(guessed)).then_some(Some(guessed))
    }

    fn encode(&self, coding: &'static str, mut response: Response, content_type: Option<&'static str>) -> Response {
        let body = match response.body().as_bytes() {
            Some(bytes) if !bytes.is_empty() && bytes.len() <= MAX_WHOLE_BYTES => {
                let encoded = Encoder::whole(coding, self, bytes);
                if encoded.len() >= bytes.len() {
                    return response;
                }
                Body::from(encoded)
            }
            _ => Body::of_reply(CompressedBody::new(response.take_body(), Encoder::new(coding, self))),
        };
        if !head::encode(&mut response, coding) {
            return Response::text(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error");
        }
        *response.body_mut() = body;
        match content_type {
            Some(content_type) => response.with_content_type(content_type),
            None => response,
        }
    }
}

/// What compression must know of a request, which the handler consumes.
struct Asked {
    /// The coding of a body of known length.
    coding: Option<&'static str>,
    /// The coding of a body of unknown length.
    stream_coding: Option<&'static str>,
    is_head: bool,
    is_connect: bool,
    /// The values of `If-None-Match`.
    if_none_match: Vec<Vec<u8>>,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let head = request.head();
        let choose = |offered: &'static [&'static str]| match AcceptEncoding::of(head).choose(offered) {
            Coding::Offered(at) => Some(offered[at]),
            Coding::Identity | Coding::NotAcceptable => None,
        };
        Self {
            coding: choose(OFFERED),
            stream_coding: choose(OFFERED_STREAMS),
            is_head: head.method() == "HEAD",
            is_connect: head.method() == "CONNECT",
            if_none_match: head.headers_named("if-none-match").map(<[u8]>::to_vec).collect(),
        }
    }

    /// The length of the content that a GET would get, if it is known.
    fn length(&self, response: &Response) -> Option<u64> {
        let len = response.body().len();
        if !self.is_head || len != Some(0) {
            return len;
        }
        // A handler may leave out the body of a reply to HEAD. What it says of the length counts.
        response.header("content-length")?.to_str().ok()?.parse().ok()
    }

    /// Makes the tag of a 304 the weak one if that is the one that the client has: its copy is compressed.
    fn repeat_weak_etag(&self, response: &mut Response) {
        let Some(weak) = response.headers().and_then(|headers| head::weak(headers.get(header::ETAG)?)) else { return };
        if self.if_none_match.iter().any(|value| has_tag(value, weak.as_bytes())) {
            head::weaken_etag(response.headers_mut());
        }
    }
}

/// Whether a list of entity tags has this one, with the same `W/`.
fn has_tag(list: &[u8], wanted: &[u8]) -> bool {
    let mut rest = list;
    while let Some(start) = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b',')) {
        let Some((tag, after)) = ETag::scan(&rest[start..]) else { return false };
        if tag.as_bytes() == wanted {
            return true;
        }
        rest = after;
    }
    false
}

struct Compressed<H> {
    settings: Compression,
    handler: H,
}

impl<H: Handler> Handler for Compressed<H> {
    async fn call(&self, request: Request) -> Response {
        let asked = Asked::of(&request);
        let response = self.handler.call(request).await;
        self.settings.apply(&asked, response)
    }
}
