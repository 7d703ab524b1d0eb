//! What a handler answers.

use std::{fmt, future::Future, pin::Pin};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use quintet_listener::Stream;
use quintet_request::Body;

/// What a handler answers: a status, fields and a body.
///
/// It is lean: a reply with a status, a content type and a body has no header map at all. [`http::Response`] converts
/// from and into it.
///
/// # Example
/// ```
/// use http::StatusCode;
/// use quintet_mux::Response;
///
/// let reply = Response::new("created\n").with_status(StatusCode::CREATED).with_header("x-id", "7");
/// assert_eq!(reply.status(), StatusCode::CREATED);
/// assert_eq!(reply.header("x-id").unwrap(), "7");
/// ```
#[derive(Debug)]
pub struct Response {
    status: StatusCode,
    content_type: ContentType,
    rare: Option<Box<Rare>>,
    body: Body,
}

/// What few responses have.
#[derive(Debug, Default)]
struct Rare {
    headers: HeaderMap,
    upgrade: Option<Upgrade>,
}

/// What a reply says its body is, unless its header map has a `Content-Type` of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContentType {
    /// What the first 512 bytes look like. A streamed body is then announced with its first bytes. Go:
    /// `DetectContentType`.
    #[default]
    Sniffed,
    /// This.
    Known(&'static str),
    /// Nothing.
    Unsaid,
}

/// Plain text in UTF-8, which browsers do not take for anything else.
pub(super) const TEXT: ContentType = ContentType::Known("text/plain; charset=utf-8");

impl Response {
    /// A reply with status 200 and this body, whose content type is sniffed.
    #[inline]
    pub fn new(body: impl Into<Body>) -> Self {
        Response { status: StatusCode::OK, content_type: ContentType::Sniffed, rare: None, body: body.into() }
    }

    /// A reply of one line of plain text, with a line feed. Go: `http.Error`.
    pub fn text(status: StatusCode, line: impl fmt::Display) -> Self {
        Response::new(format!("{line}\n"))
            .with_status(status)
            .with_content_type("text/plain; charset=utf-8")
            .with_header("x-content-type-options", "nosniff")
    }

    /// A reply whose head is followed by another protocol: what arrived behind the request and the stream itself go
    /// to `then` once the head was sent. Go: `http.Hijacker`.
    ///
    /// - 101 needs an `Upgrade` field that says which protocol; `Connection: upgrade` is added. A client that asked for
    ///   no upgrade, or speaks HTTP/1.0, is answered 426 with that field instead.
    /// - 2xx to `CONNECT` is a tunnel: nothing is said of length or close.
    /// - Any other status announces the connection's close, as its body has no other end. 1xx, 204, 205, 304 and
    ///   replies to HEAD have no body that could be taken over: 500.
    ///
    /// The other protocol begins behind the request's body, however that arrived: what the handler left of it is read
    /// and thrown away first, within the limits for any body that is left. A body that has no end there (malformed, too
    /// long, too slow) is refused with 400, and so is `CONNECT` with a body at all, since readers differ about whether it
    /// belongs to the tunnel.
    pub fn upgrade<F>(status: StatusCode, then: impl FnOnce(Upgraded) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut response = Response::new(()).with_status(status);
        response.rare_mut().upgrade = Some(Upgrade(Box::new(|upgraded| Box::pin(then(upgraded)))));
        response
    }

    /// The status.
    #[inline]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Changes the status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// What the body is said to be, unless the headers say it.
    #[inline]
    pub fn content_type(&self) -> ContentType {
        self.content_type
    }

    /// Says what the body is. Costs nothing, where a header costs a map.
    #[must_use]
    #[inline]
    pub fn with_content_type(mut self, content_type: &'static str) -> Self {
        self.content_type = ContentType::Known(content_type);
        if let Some(rare) = &mut self.rare {
            rare.headers.remove(header::CONTENT_TYPE);
        }
        self
    }

    /// Adds a field. A name or a value that cannot be sent is left out, and debug builds panic: it is a mistake in
    /// the program. For names and values that come from elsewhere there is [`headers_mut`](Self::headers_mut).
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = header::HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value.as_ref());
        debug_assert!(name.is_ok() && value.is_ok(), "a field that cannot be sent");
        if let (Ok(name), Ok(value)) = (name, value) {
            self.headers_mut().append(name, value);
        }
        self
    }

    /// The first value of this field, if it has one.
    pub fn header(&self, name: &str) -> Option<HeaderValue> {
        let set = self.headers().and_then(|headers| headers.get(name)).cloned();
        match (set, self.content_type) {
            (None, ContentType::Known(known)) if name.eq_ignore_ascii_case("content-type") => {
                Some(HeaderValue::from_static(known))
            }
            (set, _) => set,
        }
    }

    /// The fields, if there are any besides the content type.
    #[inline]
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.rare.as_ref().map(|rare| &rare.headers)
    }

    /// The fields. A `Content-Type` set here goes before [`content_type`](Self::content_type).
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.rare_mut().headers
    }

    fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Adds a cookie. One that cannot be sent as given ([`SetCookie::encode`](quintet_request::SetCookie::encode) says
    /// why) is left out.
    #[must_use]
    pub fn with_cookie(mut self, cookie: &quintet_request::SetCookie) -> Self {
        if let Ok(value) = cookie.encode() {
            self.headers_mut().append(header::SET_COOKIE, value);
        }
        self
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The body, to be replaced.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// The body, to be sent; the response then has none.
    #[inline]
    pub fn take_body(&mut self) -> Body {
        std::mem::take(&mut self.body)
    }

    /// What is to follow the head, if this is an upgrade.
    pub fn take_upgrade(&mut self) -> Option<Upgrade> {
        self.rare.as_mut()?.upgrade.take()
    }
}

impl Default for Response {
    fn default() -> Self {
        Response::new(())
    }
}

impl<B> From<http::Response<B>> for Response
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn from(response: http::Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        let mut response = Response::new(Body::new(body)).with_status(parts.status);
        // Whoever builds an `http::Response` has decided about its type.
        response.content_type = ContentType::Unsaid;
        *response.headers_mut() = parts.headers;
        response
    }
}

impl From<Response> for http::Response<Body> {
    /// An upgrade cannot be converted: it becomes 501, since a 101 that nobody keeps would be a lie.
    fn from(mut response: Response) -> Self {
        if response.take_upgrade().is_some() {
            return Response::text(StatusCode::NOT_IMPLEMENTED, "501 Not Implemented").into();
        }
        let body = response.take_body();
        let mut converted = http::Response::new(body);
        *converted.status_mut() = response.status;
        if let Some(content_type) = response.header("content-type") {
            converted.headers_mut().insert(header::CONTENT_TYPE, content_type);
        }
        if let Some(rare) = response.rare {
            converted.headers_mut().extend(rare.headers);
        }
        converted
    }
}

/// What is to follow a reply's head in place of HTTP.
pub struct Upgrade(Box<dyn FnOnce(Upgraded) -> Session + Send>);

/// The other protocol, as long as it is spoken.
type Session = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Upgrade {
    /// Hands the connection over, and resolves when the other protocol has ended.
    ///
    /// # Cancel safety
    /// None: dropping the future closes the connection.
    pub async fn run(self, upgraded: Upgraded) {
        (self.0)(upgraded).await;
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upgrade")
    }
}

/// A connection after its last reply's head: the stream, and what the client has already sent of the new protocol.
pub struct Upgraded {
    /// The stream to the client.
    pub io: Box<dyn Stream>,
    /// Bytes that arrived behind the request.
    pub leftover: Vec<u8>,
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").field("leftover", &self.leftover.len()).finish_non_exhaustive()
    }
}
