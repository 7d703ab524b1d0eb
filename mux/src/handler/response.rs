//! The response of a handler: a status, fields and a body.

use std::{error::Error, fmt, future::Future, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use quintet_request::{Body, ContentType};

use super::{field_error::FieldError, upgrade::Upgrade, upgraded::Upgraded};

/// The response of a handler: a status, fields and a body.
///
/// A response with only a status, a content type and a body has no header map, which saves its allocation. An
/// [`http::Response`] converts from and into it.
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

/// The parts that few responses have, in a box of their own: they keep the others small.
#[derive(Debug, Default)]
struct Rare {
    headers: HeaderMap,
    upgrade: Option<Upgrade>,
    /// A field that could not be added. The reply is then a 500, and stays a 500.
    error: Option<FieldError>,
    /// See [`Response::error_source`].
    source: Option<Arc<dyn Error + Send + Sync>>,
    /// See [`Response::abort`].
    abort: bool,
}

/// The extension that marks an `http::Response` as a [`Response::abort`].
#[derive(Clone, Copy)]
struct Abort;

/// The extension that carries [`Response::error_source`] in an `http::Response`.
#[derive(Clone)]
struct ErrorSource(Arc<dyn Error + Send + Sync>);

/// The most bytes of the text of an error that a page is made of.
const MAX_ERROR_TEXT_BYTES: usize = 4 * 1024;

/// Plain text in UTF-8.
pub(super) const TEXT: ContentType = ContentType::Known("text/plain; charset=utf-8");

impl Response {
    /// A reply with status 200 and this body, whose content type is sniffed.
    #[inline]
    #[must_use]
    pub fn new(body: impl Into<Body>) -> Self {
        Self { status: StatusCode::OK, content_type: ContentType::Sniffed, rare: None, body: body.into() }
    }

    /// A reply of one line of plain text, with a line feed at its end. Go: `http.Error`.
    #[must_use]
    pub fn text(status: StatusCode, line: impl fmt::Display) -> Self {
        Self::new(format!("{line}\n"))
            .with_status(status)
            .with_known_type("text/plain; charset=utf-8")
            .with_header(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
    }

    /// A reply that hands the connection over to another protocol. Go: `http.Hijacker`.
    ///
    /// Once the head is sent, `then` is called with the stream and with the bytes that were received after the request.
    ///
    /// - 101 needs an `Upgrade` field that names the protocol; `Connection: upgrade` is added. A client that did not
    ///   ask for an upgrade, or speaks HTTP/1.0, is answered 426 with that field instead.
    /// - 2xx to `CONNECT` opens a tunnel: the head has neither a length nor `Connection: close`.
    /// - With any other status the head has `Connection: close`, as only the close ends the body. A 1xx, 204, 205, 304
    ///   or reply to HEAD has no body that could be handed over, and is answered 500.
    ///
    /// The other protocol begins after the body of the request. The rest that the handler has not read is read and
    /// discarded first, within the limits for any unread body. If the end of that body is not found (it is malformed,
    /// too long or too slow), the reply is 400. A `CONNECT` with a body is answered 400 too, because readers differ
    /// about whether the body belongs to the tunnel.
    ///
    /// # Example
    /// ```
    /// use http::StatusCode;
    /// use quintet_mux::{Response, Upgraded};
    /// use quintet_request::Request;
    /// use tokio::io::{AsyncWriteExt, copy, split};
    ///
    /// /// After the head, a protocol that sends back what it is sent.
    /// async fn echo(_: Request) -> Response {
    ///     let then = async |upgraded: Upgraded| {
    ///         let (mut from, mut to) = split(upgraded.io);
    ///         // The bytes of the new protocol that the client sent before it read the head.
    ///         if to.write_all(&upgraded.leftover).await.is_ok() {
    ///             let _ = copy(&mut from, &mut to).await;
    ///         }
    ///     };
    ///     Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, then).with_header("upgrade", "echo")
    /// }
    /// # fn check(_: impl quintet_mux::Handler) {}
    /// # check(echo);
    /// ```
    #[doc(alias = "websocket")]
    #[doc(alias = "hijack")]
    #[doc(alias = "tunnel")]
    #[must_use]
    pub fn upgrade<F>(status: StatusCode, then: impl FnOnce(Upgraded) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut response = Self::new(()).with_status(status);
        response.rare_mut().upgrade = Some(Upgrade::new(then));
        response
    }

    /// No reply: the connection is closed without another byte. Go: `panic(http.ErrAbortHandler)`, a panic that is not
    /// reported; here it is a value.
    ///
    /// Replies to earlier requests on the connection are sent first. A client that is still sending gets a reset; any
    /// other client reads the end of the connection in place of a reply. A status, a field or a body that is added to
    /// an abort has no effect.
    ///
    /// Converted to an [`http::Response`], an abort is a 500 with `Connection: close`, since other servers have no such
    /// reply. It becomes an abort again if it is converted back with its extensions, for example after a `tower` layer.
    ///
    /// # Example
    /// ```
    /// use quintet_mux::{IntoResponse, Response};
    /// use quintet_request::Request;
    ///
    /// /// Closes the connection of clients that search for PHP scripts.
    /// async fn hello(request: Request) -> Response {
    ///     if request.path().ends_with(".php") {
    ///         return Response::abort();
    ///     }
    ///     "hello\n".into_response()
    /// }
    /// # fn check(_: impl quintet_mux::Handler) {}
    /// # check(hello);
    /// ```
    #[doc(alias = "ErrAbortHandler")]
    #[doc(alias = "reset")]
    #[doc(alias = "444")]
    #[must_use]
    pub fn abort() -> Self {
        let mut response = Self::text(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error")
            .with_header(header::CONNECTION, HeaderValue::from_static("close"));
        response.rare_mut().abort = true;
        response
    }

    /// Whether this is more than a status, fields and a body: an [`abort`](Self::abort), an [`upgrade`](Self::upgrade), a
    /// [field](Self::field_error) that cannot be sent, or the reply to an [error](Self::error_source). For servers, which
    /// look at each of them only then.
    #[inline]
    #[must_use]
    pub fn is_unusual(&self) -> bool {
        let unusual =
            |rare: &Rare| rare.abort || rare.upgrade.is_some() || rare.error.is_some() || rare.source.is_some();
        self.rare.as_deref().is_some_and(unusual)
    }

    /// Whether this is an [`abort`](Self::abort).
    #[inline]
    #[must_use]
    pub fn is_abort(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.abort)
    }

    /// The status.
    #[inline]
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Changes the status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        // A reply that is a 500 because of a field stays a 500.
        if self.field_error().is_none() {
            self.status = status;
        }
        self
    }

    /// The content type of the body; a `Content-Type` in the headers wins over it.
    #[inline]
    #[must_use]
    pub fn content_type(&self) -> ContentType {
        self.content_type
    }

    /// Sets the content type of the body. It costs no allocation, while a header costs a map. A type that cannot be
    /// sent makes the reply a 500, as in [`with_header`](Self::with_header).
    #[must_use]
    #[inline]
    pub fn with_content_type(self, content_type: &'static str) -> Self {
        if !content_type.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return self.fail(FieldError::Value { name: header::CONTENT_TYPE });
        }
        self.with_known_type(content_type)
    }

    /// Removes the content type: the body is sent without a `Content-Type` field, and its type is not sniffed either.
    /// Go: `w.Header()["Content-Type"] = nil`.
    ///
    /// A browser then guesses the type by its own rules, so this is for clients that know the type.
    ///
    /// # Example
    /// ```
    /// use quintet_mux::{IntoResponse, Response};
    ///
    /// let reply = "hello\n".into_response().without_content_type();
    /// assert_eq!(reply.header("content-type"), None);
    /// ```
    #[must_use]
    pub fn without_content_type(mut self) -> Self {
        if self.field_error().is_none() {
            self.content_type = ContentType::Unsaid;
            if let Some(rare) = &mut self.rare {
                rare.headers.remove(header::CONTENT_TYPE);
            }
        }
        self
    }

    /// Sets a content type that is known to be well formed, without the check of
    /// [`with_content_type`](Self::with_content_type).
    #[inline]
    pub(super) fn with_known_type(mut self, content_type: &'static str) -> Self {
        if self.field_error().is_some() {
            return self;
        }
        self.content_type = ContentType::Known(content_type);
        if let Some(rare) = &mut self.rare {
            rare.headers.remove(header::CONTENT_TYPE);
        }
        self
    }

    /// Adds a field. A name or a value is a typed one, or text, bytes or a number that converts. A `Content-Type`
    /// replaces the one before, since a reply has only one (RFC 9110 §5.3).
    ///
    /// A name that is not a token, or a value with a control character, cannot be sent. The reply then becomes a 500,
    /// and what is added to it later has no effect. [`field_error`](Self::field_error) returns the reason, and the
    /// server reports it. For names and values that the program does not choose,
    /// [`try_with_header`](Self::try_with_header) returns the error.
    #[must_use]
    pub fn with_header(self, name: impl TryInto<HeaderName>, value: impl TryInto<HeaderValue>) -> Self {
        match field(name, value) {
            Ok((name, value)) => self.append(name, value),
            Err(error) => self.fail(error),
        }
    }

    /// Adds a field, if it can be sent.
    ///
    /// # Errors
    /// [`FieldError`] if the field cannot be sent; the reply is then dropped.
    pub fn try_with_header(
        self,
        name: impl TryInto<HeaderName>,
        value: impl TryInto<HeaderValue>,
    ) -> Result<Self, FieldError> {
        let (name, value) = field(name, value)?;
        let reply = self.append(name, value);
        match reply.field_error() {
            Some(error) => Err(error.clone()),
            None => Ok(reply),
        }
    }

    /// Adds a field that can be sent. `insert` and `append` of a map panic if it is full, so the fallible forms are
    /// used.
    fn append(mut self, name: HeaderName, value: HeaderValue) -> Self {
        if self.field_error().is_some() {
            return self;
        }
        let headers = self.headers_mut();
        let added = match name {
            header::CONTENT_TYPE => headers.try_insert(name, value).is_ok(),
            name => headers.try_append(name, value).is_ok(),
        };
        if added { self } else { self.fail(FieldError::TooMany) }
    }

    /// The error of the first field that cannot be sent, if the reply is a 500 because of it.
    #[inline]
    #[must_use]
    pub fn field_error(&self) -> Option<&FieldError> {
        self.rare.as_ref()?.error.as_ref()
    }

    /// The cause of an error reply. It is not sent: the server reports it, and a log may have it.
    #[must_use]
    pub fn error_source(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.rare.as_ref()?.source.as_deref()
    }

    /// Sets the cause of an error reply, for the server's report and for logs. The client is not told of it.
    /// [`HttpError`](super::HttpError) does so for each error that has a cause.
    ///
    /// It crosses a bridge to `tower` in both directions, as an extension of the [`http::Response`].
    #[must_use]
    pub fn with_error_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.with_shared_source(source.into().into())
    }

    pub(super) fn with_shared_source(mut self, source: Arc<dyn Error + Send + Sync>) -> Self {
        self.rare_mut().source = Some(source);
        self
    }

    /// The text of an error reply that a page may replace: one of 4xx or 5xx without a body, or with a plain text in memory.
    pub(crate) fn error_text(&self) -> Option<&str> {
        let is_error = self.status.is_client_error() || self.status.is_server_error();
        let is_own =
            |rare: &Rare| rare.abort || rare.upgrade.is_some() || rare.headers.contains_key(header::CONTENT_ENCODING);
        if !is_error || self.rare.as_deref().is_some_and(is_own) {
            return None;
        }
        // A body of another library is not in memory, even if it is empty.
        let text = self.body.as_bytes().or(self.body.is_empty().then_some(b""))?;
        let is_text = match self.header("content-type") {
            Some(content_type) => content_type.as_bytes().starts_with(b"text/plain"),
            None => text.is_empty(),
        };
        std::str::from_utf8(text).ok().filter(|text| is_text && text.len() <= MAX_ERROR_TEXT_BYTES)
    }

    /// Replaces the body by that of a page, and adds its fields: each replaces the one of its name, but for lists. The
    /// status stays.
    pub(crate) fn with_page(mut self, mut page: Self) -> Self {
        if page.is_abort() {
            return page;
        }
        let added = page.take_headers();
        let replaced = |name: &&HeaderName| **name != header::VARY && **name != header::SET_COOKIE;
        // What describes the body that is replaced.
        let of_body = [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_LANGUAGE, header::ETAG];
        if let Some(rare) = &mut self.rare {
            added.keys().filter(replaced).chain(&of_body).for_each(|name| drop(rare.headers.remove(name)));
        }
        (self.body, self.content_type) = (page.take_body(), page.content_type);
        let mut last = None;
        for (name, value) in added {
            // The map gives the name only with the first value of a field.
            last = name.or(last);
            if last.as_ref().is_some_and(|name| self.headers_mut().try_append(name, value).is_err()) {
                return self.fail(FieldError::TooMany);
            }
        }
        match page.rare.and_then(|rare| rare.error) {
            Some(error) => self.fail(error),
            None => self,
        }
    }

    /// Replaces the reply by a 500, because a field cannot be sent.
    #[cold]
    fn fail(self, error: FieldError) -> Self {
        // The first error is kept. An abort stays an abort: it sends no field at all.
        if self.field_error().is_some() || self.is_abort() {
            return self;
        }
        let mut failed = Self::text(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error");
        failed.rare_mut().error = Some(error);
        failed
    }

    /// The first value of a field, if the reply has it.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<HeaderValue> {
        let set = self.headers().and_then(|headers| headers.get(name)).cloned();
        match (set, self.content_type) {
            (None, ContentType::Known(known)) if name.eq_ignore_ascii_case("content-type") => {
                Some(HeaderValue::from_static(known))
            }
            (set, _) => set,
        }
    }

    /// The fields besides the content type, if there are any.
    #[inline]
    #[must_use]
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.rare.as_ref().map(|rare| &rare.headers)
    }

    /// The fields, to be changed. A `Content-Type` in them wins over [`content_type`](Self::content_type).
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.rare_mut().headers
    }

    /// Takes the fields besides the content type, and leaves none. For servers that send the map itself.
    #[inline]
    pub fn take_headers(&mut self) -> HeaderMap {
        self.rare.as_mut().map(|rare| std::mem::take(&mut rare.headers)).unwrap_or_default()
    }

    fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Adds a cookie.
    ///
    /// A cookie that cannot be sent makes the reply a 500, as in [`with_header`](Self::with_header).
    /// [`SetCookie::encode`](quintet_request::SetCookie::encode) returns the error beforehand.
    #[must_use]
    pub fn with_cookie(self, cookie: &quintet_request::SetCookie) -> Self {
        match cookie.encode() {
            Ok(value) => self.append(header::SET_COOKIE, value),
            Err(error) => self.fail(FieldError::Cookie(error)),
        }
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The body, to be changed.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// Takes the body, and leaves an empty one.
    #[inline]
    pub fn take_body(&mut self) -> Body {
        std::mem::take(&mut self.body)
    }

    /// Takes the upgrade, if this response is one.
    pub fn take_upgrade(&mut self) -> Option<Upgrade> {
        self.rare.as_mut()?.upgrade.take()
    }
}

impl Default for Response {
    fn default() -> Self {
        Self::new(())
    }
}

impl<B> From<http::Response<B>> for Response
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn from(response: http::Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        if parts.extensions.get::<Abort>().is_some() {
            return Self::abort();
        }
        let source = parts.extensions.get::<ErrorSource>().cloned();
        let mut response = Self::new(Body::new(body)).with_status(parts.status);
        // The builder of an `http::Response` decides about its type, so it is not sniffed here.
        response.content_type = ContentType::Unsaid;
        *response.headers_mut() = parts.headers;
        response.rare_mut().source = source.map(|ErrorSource(source)| source);
        response
    }
}

impl From<Response> for http::Response<Body> {
    /// Converts a response. An upgrade becomes a 501: an `http::Response` cannot carry it, and after a 101 without it
    /// the client would wait for a protocol that the server does not speak.
    fn from(mut response: Response) -> Self {
        if response.take_upgrade().is_some() {
            return Response::text(StatusCode::NOT_IMPLEMENTED, "501 Not Implemented").into();
        }
        let mut converted = Self::new(response.take_body());
        if response.is_abort() {
            // An abort is not a reply, so the fields and the body that were added to it are dropped.
            response = Response::abort();
            *converted.body_mut() = response.take_body();
            converted.extensions_mut().insert(Abort);
        }
        *converted.status_mut() = response.status;
        let content_type = response.header("content-type");
        let (headers, mut source) = (converted.headers_mut(), None);
        if let Some(rare) = response.rare {
            *headers = rare.headers;
            source = rare.source;
        }
        if let Some(content_type) = content_type {
            // `insert` panics if the map is full. The reply is then sent without its type.
            let _ = headers.try_insert(header::CONTENT_TYPE, content_type);
        }
        if let Some(source) = source {
            converted.extensions_mut().insert(ErrorSource(source));
        }
        converted
    }
}

/// Converts a name and a value.
fn field(
    name: impl TryInto<HeaderName>,
    value: impl TryInto<HeaderValue>,
) -> Result<(HeaderName, HeaderValue), FieldError> {
    let name = name.try_into().map_err(|_| FieldError::Name)?;
    match value.try_into() {
        Ok(value) => Ok((name, value)),
        Err(_) => Err(FieldError::Value { name }),
    }
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
