//! A request: its head, its body, and its route.

use std::{borrow::Cow, fmt, future::pending, str::FromStr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::HeaderMap;
use quintet_conn::{ActiveRequest, Connection};
use quintet_listener::{Addr, TlsState};

use super::{
    inner::{Inner, Rare},
    path_value_error::PathValueError,
    path_values::PathValuesIter,
    pool,
};
use crate::{
    BasicAuth, Body, BodyError, Cookies, Head, HeadError, HeadRef, Headers, HeadersNamed, Limits, Target, Version,
    body::received_trailers::ReceivedTrailers,
    percent::{decode_lossy, path_of, query_of},
};

/// One request: its head, its body, its route and its connection. Go: `http.Request`.
///
/// It is one pointer wide, so that moving it is cheap. Its memory comes from the thread's pool and goes back there when
/// it is dropped.
///
/// # Example
/// ```
/// use quintet_request::Request;
///
/// let request = Request::parse(b"GET /?q=rust HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
/// assert_eq!((request.method(), request.path(), request.query()), ("GET", "/", Some("q=rust")));
/// assert_eq!(request.header("host"), Some("a.example"));
/// ```
pub struct Request(Option<Box<Inner>>);

impl Request {
    /// Makes a request without a connection from the bytes of its head. All bytes after the head are its body.
    ///
    /// ```
    /// use quintet_request::{HeadError, Request};
    ///
    /// let request = Request::parse(b"POST /notes HTTP/1.1\r\nHost: a\r\n\r\nhello").unwrap();
    /// assert_eq!(request.body().as_bytes(), Some(&b"hello"[..]));
    /// let error = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n").unwrap_err();
    /// assert_eq!(error, HeadError::Incomplete { at: 25 });
    /// ```
    ///
    /// # Errors
    /// [`HeadError`] if the parser refuses the head; [`HeadError::Incomplete`] (400) if its end is missing.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeadError> {
        let mut request = Self::blank(0);
        match request.inner_mut().head.parse(bytes, &Limits::default())? {
            Some(len) => {
                *request.body_mut() = Bytes::copy_from_slice(&bytes[len..]).into();
                Ok(request)
            }
            None => Err(HeadError::Incomplete { at: u32::try_from(bytes.len()).unwrap_or(u32::MAX) }),
        }
    }

    /// A request to be filled, for the connection with this number. Its head is that of the last request in its memory.
    // Always: a program that serves two kinds of streams has two connection loops, and a call for each costs more.
    #[inline(always)]
    pub(crate) fn blank(number: usize) -> Self {
        Self(Some(pool::take(number)))
    }

    pub(crate) fn head_mut(&mut self) -> &mut Head {
        &mut self.inner_mut().head
    }

    pub(crate) fn set_trailers(&mut self, trailers: Option<ReceivedTrailers>) {
        self.inner_mut().trailers = trailers;
    }

    // Always: a program that serves two kinds of streams has two connection loops, and a call for each costs more.
    #[inline(always)]
    pub(crate) fn set_active(&mut self, active: Option<ActiveRequest>) {
        self.inner_mut().active = active;
    }

    #[inline]
    pub(super) fn inner(&self) -> &Inner {
        self.0.as_deref().expect("the box leaves only when the request is dropped")
    }

    #[inline]
    pub(super) fn inner_mut(&mut self) -> &mut Inner {
        self.0.as_deref_mut().expect("the box leaves only when the request is dropped")
    }

    pub(super) fn rare_mut(&mut self) -> &mut Rare {
        self.inner_mut().rare.get_or_insert_default()
    }

    /// The head as it arrived, with the [changes](Self::set_header) that were made.
    #[inline]
    pub fn head(&self) -> HeadRef<'_> {
        self.inner().head.as_ref()
    }

    /// The method: a case-sensitive token such as `GET`. Go: `Request.Method`.
    #[inline]
    pub fn method(&self) -> &str {
        self.head().method()
    }

    /// The target as the client sent it; changes of the path, the query or the host do not affect it. Go:
    /// `Request.RequestURI`.
    pub fn target(&self) -> Target<'_> {
        let sent = self.inner().rare.as_ref().and_then(|rare| rare.sent_target.as_deref());
        // Only an absolute target is stored in this way, and every method but CONNECT allows that form.
        sent.and_then(|sent| Target::parse("GET", sent.as_bytes()).ok()).unwrap_or_else(|| self.head().target())
    }

    /// The path with its percent escapes: `/` if an absolute target has no path, empty for `CONNECT`, `*` for `OPTIONS
    /// *`. Go: `Request.URL.EscapedPath()`.
    #[inline]
    pub fn path(&self) -> &str {
        match self.inner().rare.as_ref().and_then(|rare| rare.path.as_deref()) {
            Some(path) => path,
            None => self.head().path(),
        }
    }

    /// The path without percent escapes; bytes that are not UTF-8 become U+FFFD. Go: `Request.URL.Path`.
    pub fn decoded_path(&self) -> Cow<'_, str> {
        decode_lossy(self.path())
    }

    /// The query, which follows the `?`, with its escapes. Go: `Request.URL.RawQuery`.
    pub fn query(&self) -> Option<&str> {
        match self.inner().rare.as_ref().and_then(|rare| rare.query.as_ref()) {
            Some(query) => query.as_deref(),
            None => self.head().target().query(),
        }
    }

    /// Replaces the path for the handlers that follow. The values of wildcards are removed, as they are parts of the
    /// old path; values that [were set](Self::set_path_value) stay. [`target`](Self::target) stays what the client
    /// sent. Go: `StripPrefix` does so to its copy.
    ///
    /// A path that neither begins with a slash nor is `*` gets a slash, so that no part of it is taken for a host.
    /// Bytes that a path may not have are escaped; escapes stay as they are.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// let mut request = Request::parse(b"GET /api/users HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    /// request.set_path("/users");
    /// assert_eq!((request.path(), request.target().raw()), ("/users", "/api/users"));
    /// ```
    pub fn set_path(&mut self, path: impl Into<Box<str>>) {
        self.inner_mut().values.clear();
        self.rare_mut().path = Some(path_of(path.into()));
    }

    /// Replaces the query for the handlers that follow; `None` removes it. Bytes that a query may not have are escaped.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// let mut request = Request::parse(b"GET /?page=2&token=secret HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    /// request.set_query(Some("page=2"));
    /// assert_eq!((request.query(), request.target().query()), (Some("page=2"), Some("page=2&token=secret")));
    /// request.set_query(None);
    /// assert_eq!(request.query(), None);
    /// ```
    pub fn set_query(&mut self, query: Option<&str>) {
        self.rare_mut().query = Some(query.map(query_of));
    }

    /// The version: HTTP/1.0, HTTP/1.1 or HTTP/2. Go: `Request.ProtoMajor`, `Request.ProtoMinor`.
    ///
    /// ```
    /// use quintet_request::{Request, Version};
    ///
    /// let request = Request::parse(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    /// assert_eq!(request.version(), Version::Http10);
    /// assert!(request.version() < Version::Http11);
    /// ```
    pub fn version(&self) -> Version {
        self.head().version()
    }

    /// The host, with its port if one was sent: that of an absolute target, else that of `Host`. Go: `Request.Host`.
    pub fn host(&self) -> Option<&str> {
        self.head().host()
    }

    /// The first value of this field as text, by name in any case. `None` if the field is absent or its value is not
    /// UTF-8: a value may have bytes past ASCII in any encoding (RFC 9110 §5.5), which
    /// [`header_bytes`](Self::header_bytes) returns. Go: `Request.Header.Get`, whose strings are any bytes.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\nX-Name: J\xfcrgen\r\n\r\n").unwrap();
    /// assert_eq!(request.header("host"), Some("a"));
    /// assert_eq!(request.header("x-name"), None); // Latin-1
    /// assert_eq!(request.header_bytes("x-name"), Some(&b"J\xfcrgen"[..]));
    /// ```
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head().header(name)
    }

    /// The first value of this field as bytes, by name in any case.
    pub fn header_bytes(&self, name: &str) -> Option<&[u8]> {
        self.head().header_bytes(name)
    }

    /// The values of every field with this name, in order of arrival. A value may itself be a list. Go:
    /// `Request.Header.Values`.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 b\r\nvia: 1.1 c\r\n\r\n").unwrap();
    /// assert_eq!(request.headers_named("Via").collect::<Vec<_>>(), [b"1.1 b", b"1.1 c"]);
    /// ```
    pub fn headers_named<'n>(&self, name: &'n str) -> HeadersNamed<'_, 'n> {
        self.head().headers_named(name)
    }

    /// Every field in order of arrival. Go: `Request.Header`, which has no order.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n\r\n").unwrap();
    /// for (name, value) in request.headers() {
    ///     println!("{name}: {}", value.escape_ascii());
    /// }
    /// assert_eq!(request.headers().len(), 2);
    /// ```
    pub fn headers(&self) -> Headers<'_> {
        self.head().headers()
    }

    /// The cookies. Go: `Request.Cookies`.
    pub fn cookies(&self) -> Cookies<'_> {
        self.head().cookies()
    }

    /// The user and the password of `Authorization: Basic`, if the first `Authorization` field is one. Go:
    /// `Request.BasicAuth`.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// let head = b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n";
    /// let auth = Request::parse(head).unwrap().basic_auth().unwrap();
    /// assert_eq!((&*auth.user, &*auth.password), ("Aladdin", "open sesame"));
    /// ```
    #[doc(alias = "Authorization")]
    pub fn basic_auth(&self) -> Option<BasicAuth> {
        self.head().basic_auth()
    }

    /// The body. Go: `Request.Body`.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// let request = Request::parse(b"POST / HTTP/1.1\r\nHost: a\r\n\r\nhello").unwrap();
    /// assert_eq!(request.body().len(), Some(5));
    /// assert_eq!(request.body().as_bytes(), Some(&b"hello"[..]));
    /// ```
    pub fn body(&self) -> &Body {
        &self.inner().body
    }

    /// The body, to read or to replace it.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.inner_mut().body
    }

    /// Takes the body out; the request then has an empty one.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut request = Request::parse(b"POST / HTTP/1.1\r\nHost: a\r\n\r\nhello").unwrap();
    /// let mut body = request.take_body();
    /// while let Some(piece) = body.chunk().await.unwrap() {
    ///     // The request can be used while its body is read.
    ///     println!("{} {}: {} bytes", request.method(), request.path(), piece.len());
    /// }
    /// assert!(request.body().is_empty());
    /// # }
    /// ```
    pub fn take_body(&mut self) -> Body {
        std::mem::take(self.body_mut())
    }

    /// Takes the body out and drops the rest of the request.
    pub fn into_body(mut self) -> Body {
        self.take_body()
    }

    /// The whole body, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// [`BodyError`]; [`BodyError::TooLarge`] is 413.
    ///
    /// # Cancel safety
    /// Not cancel safe: the body is lost.
    #[doc(alias = "json")]
    #[doc(alias = "extractor")]
    #[doc(alias = "ReadAll")]
    pub async fn to_bytes(&mut self, limit: u64) -> Result<Bytes, BodyError> {
        self.take_body().to_bytes(limit).await
    }

    /// The trailers: the fields after the last chunk of the body, or after the last DATA frame of HTTP/2. They are there
    /// when the body was read to its end: through this request, by another owner of the body, or as a form. `None` before,
    /// and if there are none. Fields that could change what the head decided are dropped; see
    /// [`is_forbidden_trailer`](crate::is_forbidden_trailer).
    /// Go: `Request.Trailer`.
    ///
    /// Only the body that the client sent with this request has its trailers here. Those of a body that replaced it are
    /// frames of that body ([`http_body::Body::poll_frame`]).
    ///
    /// ```
    /// use quintet_request::{BodyError, Request};
    ///
    /// async fn upload(mut request: Request) -> Result<String, BodyError> {
    ///     let bytes = request.to_bytes(1 << 20).await?;
    ///     let checksum = request.trailers().and_then(|trailers| trailers.get("x-checksum"));
    ///     Ok(format!("{} bytes, {checksum:?}\n", bytes.len()))
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let request = Request::parse(b"POST / HTTP/1.1\r\nHost: a\r\n\r\nabc").unwrap();
    /// # assert_eq!(upload(request).await.unwrap(), "3 bytes, None\n");
    /// # }
    /// ```
    #[doc(alias = "Trailer")]
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.inner().trailers.as_ref()?.get()
    }

    /// The connection that this request came by, if any: addresses, TLS, state. It gives no access to other connections
    /// or to the server.
    pub fn connection(&self) -> Option<&Arc<Connection>> {
        self.active().map(ActiveRequest::connection)
    }

    /// A handle of this request on its connection, if it came by one. It can be kept while the request is moved away,
    /// and has no effect after the request has ended.
    pub fn active(&self) -> Option<&ActiveRequest> {
        self.inner().active.as_ref()
    }

    /// Sets the read deadline of this request: reading the body fails `after` this time from now. It replaces the
    /// server's timeouts for a slow body; [`Duration::MAX`] is no deadline. Without a connection it has no effect. Go:
    /// `ResponseController.SetReadDeadline`.
    pub fn set_read_deadline(&self, after: Duration) {
        if let Some(active) = self.active() {
            active.set_read_deadline(after);
        }
    }

    /// Sets the write deadline of this request's reply: sending fails `after` this time from now. Otherwise as
    /// [`set_read_deadline`](Self::set_read_deadline). Go: `ResponseController.SetWriteDeadline`.
    pub fn set_write_deadline(&self, after: Duration) {
        if let Some(active) = self.active() {
            active.set_write_deadline(after);
        }
    }

    /// The address of the client, if the request came by a connection. Go: `Request.RemoteAddr`.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// fn log_line(request: &Request) -> String {
    ///     let peer = request.peer_addr().map_or_else(|| "-".into(), ToString::to_string);
    ///     format!("{peer} {} {}", request.method(), request.path())
    /// }
    ///
    /// // A request that did not come by a connection has no address.
    /// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    /// assert_eq!(log_line(&request), "- GET /");
    /// ```
    #[doc(alias = "RemoteAddr")]
    #[doc(alias = "ConnectInfo")]
    pub fn peer_addr(&self) -> Option<&Addr> {
        self.connection().map(|connection| connection.peer_addr())
    }

    /// What the TLS handshake of its connection agreed on: version, server name, client certificates; `None` without TLS.
    /// Behind a proxy that ends TLS and says so in a PROXY header, what the proxy agreed on. Go: `Request.TLS`.
    ///
    /// Client certificates are there only if the server asks for them (`ClientAuth`); they have been verified then.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// async fn only_with_a_certificate(request: Request) -> String {
    ///     match request.tls().and_then(|tls| tls.peer_certificates.first()) {
    ///         Some(certificate) => format!("a certificate of {} bytes\n", certificate.len()),
    ///         None => "no certificate\n".to_owned(),
    ///     }
    /// }
    /// ```
    #[doc(alias = "https")]
    #[doc(alias = "TLS")]
    pub fn tls(&self) -> Option<&TlsState> {
        self.connection()?.tls()
    }

    /// Waits until the client has closed the connection, so that a handler can stop work that no client will read.
    /// Without this, the handler runs on. Go: `Request.Context().Done()`.
    ///
    /// A half-closed client counts as closed, as in Go: it sent FIN and may still read, and the two look alike until
    /// bytes are sent. The handler's reply is sent to it.
    ///
    /// # Example
    /// ```
    /// use quintet_request::Request;
    ///
    /// # async fn slow_query() -> String { "42".into() }
    /// async fn answer(request: Request) -> String {
    ///     tokio::select! {
    ///         found = slow_query() => found,
    ///         () = request.disconnected() => String::new(), // the query is dropped; few will read this
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    /// # assert_eq!(answer(request).await, "42");
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// Cancel safe: a later call returns at once if the client has closed.
    #[doc(alias = "cancelled")]
    #[doc(alias = "context")]
    pub async fn disconnected(&self) {
        match self.active() {
            Some(active) => active.disconnected().await,
            None => pending().await,
        }
    }

    /// Waits until the server shuts down, for handlers that otherwise run without end. Without a connection it never
    /// returns.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// # async fn next_event() -> Option<String> { None }
    /// async fn events(request: &Request) -> Vec<String> {
    ///     let mut sent = Vec::new();
    ///     loop {
    ///         tokio::select! {
    ///             event = next_event() => match event {
    ///                 Some(event) => sent.push(event),
    ///                 None => return sent,
    ///             },
    ///             () = request.stopping() => return sent, // else the shutdown would wait for this handler
    ///         }
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    /// # assert!(events(&request).await.is_empty());
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn stopping(&self) {
        match self.connection() {
            Some(connection) => connection.stopping().await,
            None => pending().await,
        }
    }

    /// The text of the pattern that matched; empty if no router matched. Go: `Request.Pattern`.
    pub fn pattern(&self) -> &str {
        self.inner().values.route().map_or("", |route| &route.pattern)
    }

    /// The value of a wildcard, without percent escapes; bytes that are not UTF-8 become U+FFFD. `None` if there is no
    /// such wildcard; Go: `Request.PathValue`, which is empty then.
    ///
    /// **It is not a safe file name.** A path is cleaned before it is routed, but by its escaped segments, and a value
    /// is decoded afterwards: `%2F` in it becomes a slash, and `%2e%2e` becomes `..`. With the pattern
    /// `/files/{path...}`, the request `/files/%2e%2e/%2e%2e/etc/passwd` has the value `../../etc/passwd`; a single
    /// `{name}` can be `..` or `../x`. A handler that opens files by it must refuse every `..` and every root, or open
    /// beneath a directory that the system confines it to.
    #[doc(alias = "path parameter")]
    #[doc(alias = "PathValue")]
    pub fn path_value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.inner().values.get(name, self.path())
    }

    /// The value of a wildcard as a type that is read from text: a number, an address, an identifier. Go: `strconv.Atoi` of
    /// `Request.PathValue`.
    ///
    /// ```
    /// use quintet_request::{PathValueError, Request};
    ///
    /// let mut request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    /// request.set_path_value("id", "7"); // a router sets it
    /// request.set_path_value("name", "x");
    /// assert_eq!(request.path_value_as::<u64>("id"), Ok(7));
    /// let error = request.path_value_as::<u64>("name").unwrap_err();
    /// assert_eq!((error.status().as_u16(), &*error.to_string()), (400, "value name of the path is malformed"));
    /// assert_eq!(request.path_value_as::<u64>("page").unwrap_err().status(), 404);
    /// ```
    ///
    /// # Errors
    /// [`PathValueError::Missing`] (404) if there is no such wildcard, [`PathValueError::Malformed`] (400) if its value is
    /// not one of the type.
    #[doc(alias = "extractor")]
    #[doc(alias = "Path")]
    pub fn path_value_as<T: FromStr>(&self, name: &str) -> Result<T, PathValueError> {
        let Some(value) = self.path_value(name) else { return Err(PathValueError::Missing { name: name.to_owned() }) };
        value.parse().map_err(|_| PathValueError::Malformed { name: name.to_owned() })
    }

    /// The names and values of the wildcards in the order of the pattern, then those that [were
    /// set](Self::set_path_value) under other names. Each value is as [`path_value`](Self::path_value) returns it.
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// let mut request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    /// request.set_path_value("id", "7");
    /// for (name, value) in request.path_values() {
    ///     println!("{name} is {value}");
    /// }
    /// assert_eq!(request.path_values().count(), 1);
    /// ```
    pub fn path_values(&self) -> PathValuesIter<'_> {
        self.inner().values.iter(self.path())
    }

    /// Sets the value of this name, which may be that of a wildcard. Go: `Request.SetPathValue`.
    pub fn set_path_value(&mut self, name: &str, value: &str) {
        self.inner_mut().values.set(name, value);
    }

    /// The value of this type that an outer handler or a layer attached.
    pub fn extension<T: Clone + Send + Sync + 'static>(&self) -> Option<&T> {
        self.inner().rare.as_ref()?.extensions.get()
    }

    /// Attaches a value for the handlers that follow. It crosses a bridge to tower: layers find it among the extensions
    /// of their [`http::Request`], and values that they attach are found here. Put a value that cannot be cloned into
    /// an [`Arc`].
    ///
    /// ```
    /// use quintet_request::Request;
    ///
    /// #[derive(Clone, Debug, PartialEq)]
    /// struct User(String);
    ///
    /// let mut request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    /// request.set_extension(User("ann".into()));
    /// assert_eq!(request.extension::<User>(), Some(&User("ann".into())));
    /// ```
    #[doc(alias = "context")]
    #[doc(alias = "state")]
    pub fn set_extension<T: Clone + Send + Sync + 'static>(&mut self, value: T) {
        self.rare_mut().extensions.insert(value);
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // For the report of a panic, which is caught after the request was dropped.
            if let Some(active) = self.active() {
                active.note(&format!("{} {}", self.method(), self.target().raw()));
            }
        }
        let Some(mut inner) = self.0.take() else { return };
        inner.body = Body::empty();
        inner.trailers = None;
        inner.active = None;
        inner.rare = None;
        inner.values.end();
        pool::give(inner);
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("head", &self.head()).field("body", self.body()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
