//! What a handler answers: a status, fields and a body.

use std::{fmt, future::Future};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use quintet_request::{Body, ContentType};

use super::{field_error::FieldError, upgrade::Upgrade, upgraded::Upgraded};

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
    /// A field that could not be added: the reply is a 500, and stays one.
    error: Option<FieldError>,
    /// See [`Response::abort`].
    abort: bool,
}

/// The mark of a [`Response::abort`] on an `http::Response`: one of its extensions.
#[derive(Clone, Copy)]
struct Abort;

/// Plain text in UTF-8, which browsers do not take for anything else.
pub(super) const TEXT: ContentType = ContentType::Known("text/plain; charset=utf-8");

impl Response {
    /// A reply with status 200 and this body, whose content type is sniffed.
    #[inline]
    #[must_use]
    pub fn new(body: impl Into<Body>) -> Self {
        Response { status: StatusCode::OK, content_type: ContentType::Sniffed, rare: None, body: body.into() }
    }

    /// A reply of one line of plain text, with a line feed. Go: `http.Error`.
    #[must_use]
    pub fn text(status: StatusCode, line: impl fmt::Display) -> Self {
        Response::new(format!("{line}\n"))
            .with_status(status)
            .with_known_type("text/plain; charset=utf-8")
            .with_header(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
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
    /// long, too slow) is refused with 400, and so is `CONNECT` with a body at all, since readers differ about whether
    /// it belongs to the tunnel.
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
    ///         // What the client sent of it before it had our head.
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
        let mut response = Response::new(()).with_status(status);
        response.rare_mut().upgrade = Some(Upgrade::new(then));
        response
    }

    /// No reply: the connection ends without another byte. Go: `panic(http.ErrAbortHandler)`, which is a panic that
    /// is not reported; here it is a value.
    ///
    /// Replies to earlier requests on the connection are sent before. A client that still sends is answered by a
    /// reset, another sees the end of the connection where it waits for a reply. Whatever is built upon it, a status, a
    /// field or a body, changes nothing.
    ///
    /// As an [`http::Response`] it is a 500 with `Connection: close`, since other servers know no such reply. It is an
    /// abort again if it comes back from there, from a `tower` layer, say, with its extensions.
    ///
    /// # Example
    /// ```
    /// use quintet_mux::{IntoResponse, Response};
    /// use quintet_request::Request;
    ///
    /// /// Says nothing to those who look for what is not here.
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
        let mut response = Response::text(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error")
            .with_header(header::CONNECTION, HeaderValue::from_static("close"));
        response.rare_mut().abort = true;
        response
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
        if self.field_error().is_none() {
            self.status = status;
        }
        self
    }

    /// What the body is said to be, unless the headers say it.
    #[inline]
    #[must_use]
    pub fn content_type(&self) -> ContentType {
        self.content_type
    }

    /// Says what the body is. Costs little, where a header costs a map. One that cannot be sent makes the reply a 500,
    /// as in [`with_header`](Self::with_header).
    #[must_use]
    #[inline]
    pub fn with_content_type(self, content_type: &'static str) -> Self {
        if !content_type.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return self.fail(FieldError::Value { name: header::CONTENT_TYPE });
        }
        self.with_known_type(content_type)
    }

    /// Sends the body without saying what it is: no `Content-Type`, neither one that was set nor a sniffed one. Go:
    /// `w.Header()["Content-Type"] = nil`.
    ///
    /// Browsers then guess by rules of their own, so this is for clients that know what they get.
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

    /// [`with_content_type`](Self::with_content_type) of a type that is known to be well formed.
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

    /// Adds a field. Names and values are typed, or anything that converts: text, bytes, numbers. A `Content-Type`
    /// takes the place of the one before, as a reply has one (RFC 9110 §5.3).
    ///
    /// A name that is no token, or a value with a control, cannot be sent. The reply then becomes a 500, whatever is
    /// built upon it, and [`field_error`](Self::field_error) says why; a server reports that.
    /// [`try_with_header`](Self::try_with_header) returns it instead, for names and values that come from elsewhere.
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
    /// [`FieldError`]; the reply is then lost.
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

    /// Why this reply is a 500: the first field that it was given and that cannot be sent.
    #[inline]
    #[must_use]
    pub fn field_error(&self) -> Option<&FieldError> {
        self.rare.as_ref()?.error.as_ref()
    }

    /// The 500 in place of a reply with a field that cannot be sent.
    #[cold]
    fn fail(self, error: FieldError) -> Self {
        if self.field_error().is_some() || self.is_abort() {
            return self;
        }
        let mut failed = Response::text(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error");
        failed.rare_mut().error = Some(error);
        failed
    }

    /// The first value of this field, if it has one.
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

    /// The fields, if there are any besides the content type.
    #[inline]
    #[must_use]
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

    /// Adds a cookie.
    ///
    /// One that cannot be sent as given makes the reply a 500, as in [`with_header`](Self::with_header); what it is
    /// that cannot be sent, [`SetCookie::encode`](quintet_request::SetCookie::encode) says before.
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
        if parts.extensions.get::<Abort>().is_some() {
            return Response::abort();
        }
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
        let mut converted = http::Response::new(response.take_body());
        if response.is_abort() {
            // Without what was built upon it: it is no reply.
            response = Response::abort();
            *converted.body_mut() = response.take_body();
            converted.extensions_mut().insert(Abort);
        }
        *converted.status_mut() = response.status;
        let content_type = response.header("content-type");
        let headers = converted.headers_mut();
        if let Some(rare) = response.rare {
            *headers = rare.headers;
        }
        if let Some(content_type) = content_type {
            // A map that is full has lost its type; the other ways to add to it panic.
            let _ = headers.try_insert(header::CONTENT_TYPE, content_type);
        }
        converted
    }
}

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
mod tests {
    use quintet_request::{SetCookie, SetCookieError};

    use super::*;
    use crate::{Html, IntoResponse};

    /// The same in debug and release builds: what cannot be sent is a 500 that says why, and nothing makes it less.
    #[test]
    fn a_field_that_cannot_be_sent_makes_the_reply_a_500() {
        let value = |name: &'static str| FieldError::Value { name: HeaderName::from_static(name) };
        let ok = || Response::new("a body").with_header("x-before", "1");
        for (reply, error) in [
            (ok().with_header("bad name", "v"), FieldError::Name),
            (ok().with_header("", "v"), FieldError::Name),
            (ok().with_header("x-a\r\nset-cookie", "v"), FieldError::Name),
            (ok().with_header("x-a", "v\r\nset-cookie: a=b"), value("x-a")),
            (ok().with_header("X-A", "v\0"), value("x-a")),
            (ok().with_header("x-a", b"\x7f".as_slice()), value("x-a")),
            (ok().with_cookie(&SetCookie::new("bad name", "v")), FieldError::Cookie(SetCookieError::Name)),
            (ok().with_cookie(&SetCookie::new("n", "a\"b;c")), FieldError::Cookie(SetCookieError::Value)),
            (ok().with_content_type("text/html\r\nx: y"), value("content-type")),
            (ok().with_content_type("t\u{e9}xt/html"), value("content-type")),
            ([("x-a", "\n")].into_reply(), value("x-a")),
            ([("x-a", String::from("\n"))].into_reply(), value("x-a")),
            ([(String::from(" "), "a")].into_reply(), FieldError::Name),
            (ok().with_header("x-a", "\n").with_header(" ", "second"), value("x-a")),
        ] {
            let seen = |reply: &Response| {
                assert_eq!(reply.field_error(), Some(&error));
                assert_eq!(reply.status(), 500, "{error}");
                assert_eq!(reply.header("content-type").unwrap(), "text/plain; charset=utf-8");
                let headers = reply.headers().unwrap();
                assert!(headers.len() == 1 && headers.contains_key("x-content-type-options"), "{headers:?}");
            };
            seen(&reply);
            // Whatever is built upon it.
            let mut reply = (StatusCode::OK, [("x-after", "1")], reply).into_response();
            reply = reply.with_status(StatusCode::CREATED).with_content_type("text/html").with_header("x-b", "1");
            reply = reply.with_cookie(&SetCookie::new("n", "v"));
            seen(&reply);
            assert_eq!(reply.take_body().try_into_bytes().unwrap(), "500 Internal Server Error\n");
        }
    }

    trait IntoReply {
        fn into_reply(self) -> Response;
    }

    impl<K, V> IntoReply for [(K, V); 1]
    where
        [(K, V); 1]: crate::IntoHeaders,
    {
        fn into_reply(self) -> Response {
            (StatusCode::OK, self, Html("x")).into_response()
        }
    }

    #[test]
    fn a_field_may_be_typed_text_bytes_or_a_number() {
        let reply = Response::new(())
            .with_header(header::ETAG, HeaderValue::from_static("e"))
            .with_header("x-text", "a\tb")
            .with_header(String::from("X-String"), String::from("c"))
            .with_header("x-latin", b"caf\xe9".as_slice())
            .with_header("x-empty", "")
            .with_header("x-number", 7_u64);
        assert_eq!(reply.field_error(), None);
        for (name, value) in [
            ("etag", &b"e"[..]),
            ("x-text", b"a\tb"),
            ("x-string", b"c"),
            ("x-latin", b"caf\xe9"),
            ("x-empty", b""),
            ("x-number", b"7"),
        ] {
            assert_eq!(reply.header(name).unwrap().as_bytes(), value, "{name}");
        }
    }

    #[test]
    fn a_field_can_be_tried() {
        let reply = Response::new("x").try_with_header("x-a", "1").unwrap();
        assert_eq!(reply.header("x-a").unwrap(), "1");
        assert_eq!(
            reply.try_with_header("x-b", "\n").unwrap_err().to_string(),
            "value of x-b has a byte that cannot be sent"
        );
        let failed = Response::new("x").with_header("", "");
        assert_eq!(failed.try_with_header("x-a", "1").unwrap_err(), FieldError::Name);
    }

    #[test]
    fn more_fields_than_a_map_holds_are_a_500_and_no_panic() {
        let reply = (0..40_000).fold(Response::new(()), |reply, n| reply.with_header(format!("x-{n}"), "v"));
        assert_eq!((reply.status().as_u16(), reply.field_error()), (500, Some(&FieldError::TooMany)));
    }

    #[test]
    fn an_abort_stays_one_whatever_is_built_upon_it() {
        let built = || {
            let reply = Response::abort().with_status(StatusCode::OK).with_header("x-a", "1").with_content_type("a/b");
            (StatusCode::CREATED, [("x-b", "2")], reply.without_content_type()).into_response()
        };
        assert!(Response::abort().is_abort() && built().is_abort() && !Response::new("a").is_abort());
        assert!(built().with_header("", "").is_abort(), "a field that cannot be sent is not sent");
        // Over the bridge it is a plain 500, and an abort again behind it.
        let theirs = http::Response::<Body>::from(built());
        assert_eq!(
            (theirs.status().as_u16(), &theirs.headers()["connection"]),
            (500, &HeaderValue::from_static("close"))
        );
        assert!(!theirs.headers().contains_key("x-a"));
        assert!(Response::from(theirs).is_abort());
    }

    #[test]
    fn without_content_type_none_is_said() {
        for reply in [
            Response::new("a"),
            "a".into_response(),
            Response::new("a").with_content_type("text/html"),
            Response::new("a").with_header("content-type", "text/html"),
        ] {
            let reply = reply.without_content_type();
            assert_eq!((reply.content_type(), reply.header("content-type")), (ContentType::Unsaid, None));
            assert!(!http::Response::<Body>::from(reply).headers().contains_key("content-type"));
        }
        let later = Response::new("a").without_content_type().with_content_type("text/html");
        assert_eq!(later.header("content-type").unwrap(), "text/html");
    }

    #[test]
    fn cookies_are_added_one_by_one() {
        let reply = Response::new(())
            .with_cookie(&SetCookie::new("a", "1").path("/").http_only())
            .with_cookie(&SetCookie::new("a", "2"));
        let cookies: Vec<_> = reply.headers().unwrap().get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1; Path=/; HttpOnly", "a=2"]);
    }
}
