//! A head, its body, and what the route added.

use std::{
    borrow::Cow,
    cell::RefCell,
    fmt,
    future::pending,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use http::{Extensions, StatusCode};
use quintet_conn::Connection;
use quintet_listener::Addr;

use super::{
    pool,
    values::{Matched, MatchedPattern, PathValues, decode_lossy},
};
use crate::{
    BasicAuth, Body, BodyError, Cookies, Form, FormError, Head, HeadError, HeadRef, Limits, Target, Version,
    percent::{path_of, query_of},
};

/// How much of a body is read for a form, in bytes: 10 MiB, as in Go.
const FORM: u64 = 10 << 20;

/// One request: what the client said, the body that follows, and what the route added. Go: `http.Request`.
///
/// It is one pointer wide, so that handing it on costs nothing; what it points to comes from the thread's pool and goes
/// back there when the request is dropped.
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

#[derive(Default)]
pub(crate) struct Inner {
    /// Where in the pool it belongs.
    pub(crate) place: usize,
    pub(crate) head: Head,
    body: Body,
    connection: Option<Arc<Connection>>,
    values: PathValues,
    rare: Option<Box<Rare>>,
}

/// What few requests have.
#[derive(Default)]
struct Rare {
    path: Option<Box<str>>,
    query: Option<Option<Box<str>>>,
    form: Option<ReadForm>,
    form_begun: bool,
    extensions: Extensions,
}

/// The pairs of body and query, and what was wrong with the first of each that could not be read.
#[derive(Clone, Default)]
struct ReadForm {
    pairs: Form,
    body: Option<FormError>,
    query: Option<FormError>,
}

thread_local! {
    /// The request that a panic dropped last: whose it was, and its method and target.
    static DROPPED: RefCell<Option<(Weak<Connection>, String)>> = const { RefCell::new(None) };
}

impl Request {
    /// A request without a connection, from the bytes of its head; what follows the head is its body.
    ///
    /// # Errors
    /// [`HeadError`] if this is not a head, or not all of it (then as if it were malformed at its end).
    pub fn parse(bytes: &[u8]) -> Result<Request, HeadError> {
        let mut request = Request::blank(0);
        match request.inner_mut().head.parse(bytes, &Limits::default())? {
            Some(len) => {
                *request.body_mut() = Bytes::copy_from_slice(&bytes[len..]).into();
                Ok(request)
            }
            None => Err(HeadError::Version { at: u32::try_from(bytes.len()).unwrap_or(u32::MAX) }),
        }
    }

    /// A request to be filled, for the connection of this number. Its head is whatever it was last.
    pub(crate) fn blank(number: usize) -> Request {
        Request(Some(pool::take(number)))
    }

    pub(crate) fn head_mut(&mut self) -> &mut Head {
        &mut self.inner_mut().head
    }

    pub(crate) fn set_connection(&mut self, connection: Option<Arc<Connection>>) {
        self.inner_mut().connection = connection;
    }

    #[inline]
    fn inner(&self) -> &Inner {
        self.0.as_deref().expect("the box leaves only when the request is dropped")
    }

    #[inline]
    fn inner_mut(&mut self) -> &mut Inner {
        self.0.as_deref_mut().expect("the box leaves only when the request is dropped")
    }

    fn rare_mut(&mut self) -> &mut Rare {
        self.inner_mut().rare.get_or_insert_default()
    }

    /// The head as it arrived.
    #[inline]
    pub fn head(&self) -> HeadRef<'_> {
        self.inner().head.as_ref()
    }

    /// The method: a token such as `GET`. Go: `Request.Method`.
    #[inline]
    pub fn method(&self) -> &str {
        self.head().method()
    }

    /// What is asked for, as it arrived. Go: `Request.RequestURI`.
    pub fn target(&self) -> Target<'_> {
        self.head().target()
    }

    /// The path, with its percent escapes: `/` if an absolute target has none, empty for `CONNECT`, `*` for
    /// `OPTIONS *`. Go: `Request.URL.EscapedPath()`.
    #[inline]
    pub fn path(&self) -> &str {
        match self.inner().rare.as_ref().and_then(|rare| rare.path.as_deref()) {
            Some(path) => path,
            None => self.head().path(),
        }
    }

    /// The path without percent escapes; bytes that are no UTF-8 are replaced. Go: `Request.URL.Path`.
    pub fn decoded_path(&self) -> Cow<'_, str> {
        decode_lossy(self.path())
    }

    /// What stands after the `?`, with its escapes. Go: `Request.URL.RawQuery`.
    pub fn query(&self) -> Option<&str> {
        match self.inner().rare.as_ref().and_then(|rare| rare.query.as_ref()) {
            Some(query) => query.as_deref(),
            None => self.head().target().query(),
        }
    }

    /// Replaces the path that handlers see from now on; the values of wildcards are forgotten, as they are parts of the
    /// old path, but not those that [were set](Self::set_path_value). [`target`](Self::target) stays what the client
    /// said. Go: what `StripPrefix` does to its copy.
    ///
    /// A path begins with a slash or is `*`: another one gets a slash, so that nothing of it is taken for a host. What
    /// has no place in the path of a target is escaped; escapes that are there stay.
    pub fn set_path(&mut self, path: impl Into<Box<str>>) {
        self.inner_mut().values.clear();
        self.rare_mut().path = Some(path_of(path.into()));
    }

    /// Replaces the query that handlers see from now on. What has no place in the query of a target is escaped.
    pub fn set_query(&mut self, query: Option<&str>) {
        self.rare_mut().query = Some(query.map(query_of));
    }

    /// HTTP/1.0 or HTTP/1.1. Go: `Request.ProtoMinor`.
    pub fn version(&self) -> Version {
        self.head().version()
    }

    /// The host that is asked, with its port if one was given: of an absolute target, else of `Host`. Go:
    /// `Request.Host`.
    pub fn host(&self) -> Option<&str> {
        self.head().host()
    }

    /// The first value of this field, if it has one that is text. Names are compared without case. Go:
    /// `Request.Header.Get`.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head().header(name)
    }

    /// Every field in order of arrival. Go: `Request.Header`, which forgets the order.
    pub fn headers(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
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
    pub fn body(&self) -> &Body {
        &self.inner().body
    }

    /// The body, to be read or replaced.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.inner_mut().body
    }

    /// The body, to be kept; the request then has none.
    pub fn take_body(&mut self) -> Body {
        std::mem::take(self.body_mut())
    }

    /// The body; the rest of the request is dropped.
    pub fn into_body(mut self) -> Body {
        self.take_body()
    }

    /// The whole body, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// [`BodyError`]; [`BodyError::TooLarge`] is 413.
    ///
    /// # Cancel safety
    /// None: what was read is lost with the future, and the body with it.
    #[doc(alias = "json")]
    #[doc(alias = "extractor")]
    #[doc(alias = "ReadAll")]
    pub async fn to_bytes(&mut self, limit: u64) -> Result<Bytes, BodyError> {
        self.take_body().to_bytes(limit).await
    }

    /// The pairs of the query and of an urlencoded body (of POST, PUT and PATCH, up to 10 MiB); those of the body
    /// come first, so they win. The body is read at the first call. Go: `Request.ParseForm` and `Request.Form`.
    ///
    /// # Example
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use quintet_request::{Body, Request};
    ///
    /// let posted = http::Request::post("/search?page=2")
    ///     .header("content-type", "application/x-www-form-urlencoded")
    ///     .body(Body::from("q=caf%C3%A9+au+lait"))?;
    /// let mut request = Request::try_from(posted)?;
    /// let form = request.form().await?;
    /// assert_eq!((form.get("q"), form.get("page")), (Some("café au lait"), Some("2")));
    /// # Ok(()) }
    /// ```
    ///
    /// A pair that is malformed:
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use quintet_request::Request;
    ///
    /// let mut request = Request::parse(b"GET /?discount=100%&page=2 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    /// assert_eq!(request.form().await.unwrap_err().status(), 400); // one pair is malformed, and that is said
    /// let (form, error) = request.form_lossy().await.unwrap(); //     the others can be had
    /// assert_eq!((form.get("page"), error.is_some()), (Some("2"), true));
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`FormReadError`]: the body could not be read, or one of the two has a pair that cannot be read. The pairs that
    /// can are in [`form_lossy`](Self::form_lossy), also afterwards.
    ///
    /// # Cancel safety
    /// None: if it is dropped while the body is read, the body is lost, and the next call says so.
    #[doc(alias = "extractor")]
    #[doc(alias = "ParseForm")]
    pub async fn form(&mut self) -> Result<&Form, FormReadError> {
        let form = self.read_form().await?;
        match form.body.or(form.query) {
            None => Ok(&form.pairs),
            Some(error) => Err(error.into()),
        }
    }

    /// The pairs of [`form`](Self::form) that can be read, and what is wrong with the first that cannot. Go:
    /// `Request.ParseForm`, which fills `Request.Form` and returns the error as well.
    ///
    /// Mind that a pair which is left out does not hide one of the same name: where a name in the query must not stand
    /// in for one in the body, refuse the form if there is an error.
    ///
    /// # Errors
    /// [`FormReadError`] if the body could not be read.
    ///
    /// # Cancel safety
    /// As [`form`](Self::form).
    pub async fn form_lossy(&mut self) -> Result<(&Form, Option<FormError>), FormReadError> {
        let form = self.read_form().await?;
        Ok((&form.pairs, form.body.or(form.query)))
    }

    /// The first value of this name in the form, or nothing if there is none. A pair of the query that cannot be read
    /// is as if it were not there; if the body could not be read, or one of its pairs, there is no form, so that the
    /// query never stands in for it. Go: `Request.FormValue`, which lets it.
    ///
    /// # Cancel safety
    /// As [`form`](Self::form).
    #[doc(alias = "FormValue")]
    pub async fn form_value(&mut self, name: &str) -> Option<&str> {
        let form = self.read_form().await.ok().filter(|form| form.body.is_none())?;
        form.pairs.get(name)
    }

    async fn read_form(&mut self) -> Result<&ReadForm, FormReadError> {
        if self.inner().rare.as_ref().is_none_or(|rare| rare.form.is_none()) {
            let mut form = ReadForm::default();
            if self.has_form() {
                // Read once: what was begun and given up is not a form without the body's pairs.
                if std::mem::replace(&mut self.rare_mut().form_begun, true) {
                    return Err(FormReadError::Begun);
                }
                (form.pairs, form.body) = Form::parse_lossy(&self.to_bytes(FORM).await?);
            }
            let (query, error) = Form::parse_lossy(self.query().unwrap_or("").as_bytes());
            form.pairs.append(&query);
            form.query = error;
            self.rare_mut().form = Some(form);
        }
        Ok(self.rare_mut().form.get_or_insert_default())
    }

    fn has_form(&self) -> bool {
        let media = self.head().content_type().unwrap_or("").split(';').next().unwrap_or("").trim();
        matches!(self.method(), "POST" | "PUT" | "PATCH")
            && media.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }

    /// The connection this request came by, if it came by one: to look at, and to move the deadlines of this request.
    /// Nothing of it leads to another connection or to the server's end.
    pub fn connection(&self) -> Option<&Arc<Connection>> {
        self.inner().connection.as_ref()
    }

    /// Where the client is. Go: `Request.RemoteAddr`.
    #[doc(alias = "RemoteAddr")]
    #[doc(alias = "ConnectInfo")]
    pub fn peer_addr(&self) -> Option<&Addr> {
        self.connection().map(|connection| connection.peer_addr())
    }

    /// Resolves when the client has gone away, so that a handler may stop working for nobody. Nothing else stops it.
    /// Go: `Request.Context().Done()`.
    ///
    /// A client that closed only its half (FIN) counts as gone, as in Go: the two look alike until something is sent.
    /// Such a client may still read, and what the handler replies is sent.
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
    /// Nothing is lost: a client that is gone stays gone.
    #[doc(alias = "cancelled")]
    #[doc(alias = "context")]
    pub async fn disconnected(&self) {
        match self.connection() {
            Some(connection) => connection.disconnected().await,
            None => pending().await,
        }
    }

    /// Resolves when the server is shutting down, for handlers that would otherwise never finish.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn stopping(&self) {
        match self.connection() {
            Some(connection) => connection.stopping().await,
            None => pending().await,
        }
    }

    /// The pattern that matched, as it was written; empty if none did. Go: `Request.Pattern`.
    pub fn pattern(&self) -> &str {
        self.inner().values.route().map_or("", |route| &route.pattern)
    }

    /// The value of a wildcard, without percent escapes; bytes that are no UTF-8 are replaced. Go:
    /// `Request.PathValue`, which is empty where this is `None`.
    ///
    /// **It is not a safe file name.** A path is cleaned before it is routed, but by its segments as they were sent,
    /// and a value is decoded afterwards: `%2F` is a slash in it, and `%2e%2e` is `..`. With the pattern
    /// `/files/{path...}`, the request `/files/%2e%2e/%2e%2e/etc/passwd` has the value `../../etc/passwd`; a single
    /// `{name}` can be `..` or `../x`. Who opens files by it must refuse every `..` and every root, or open beneath a
    /// directory that the system does not let it leave.
    #[doc(alias = "path parameter")]
    #[doc(alias = "PathValue")]
    pub fn path_value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.inner().values.get(name, self.path())
    }

    /// Sets the value of a wildcard, or of a name that no wildcard has. Go: `Request.SetPathValue`.
    pub fn set_path_value(&mut self, name: &str, value: &str) {
        self.inner_mut().values.set(name, value);
    }

    /// For a router: gives `find` the head, the path and the vector to write the values' places to.
    #[inline]
    pub fn find_route<R>(&mut self, find: impl FnOnce(HeadRef<'_>, &str, &mut Vec<(u32, u32)>) -> R) -> R {
        let Inner { head, values, rare, .. } = self.inner_mut();
        let head = head.as_ref();
        let path = rare.as_ref().and_then(|rare| rare.path.as_deref()).unwrap_or_else(|| head.path());
        find(head, path, &mut values.spans)
    }

    /// For a router: remembers the route that was found. Values that an outer router set under the names of this one's
    /// wildcards are forgotten.
    ///
    /// The box of a request keeps its last route, so that the next request for the same one does not touch a count that
    /// other threads share.
    #[inline]
    pub fn set_route(&mut self, route: Option<&Arc<MatchedPattern>>) {
        self.inner_mut().values.set_route(route);
    }

    /// The method and the target of the request that was dropped last by a panic in this thread, if it came by this
    /// connection, once: for whoever catches the panic of a handler, which has taken its request along.
    pub fn dropped_by_panic(connection: &Connection) -> Option<String> {
        let (whose, line) = DROPPED.take()?;
        std::ptr::eq(whose.as_ptr(), connection).then_some(line)
    }

    /// A value that something before the handler attached, by its type.
    pub fn extension<T: Clone + Send + Sync + 'static>(&self) -> Option<&T> {
        self.inner().rare.as_ref()?.extensions.get()
    }

    /// Attaches a value for whoever handles this request next, also beyond a bridge to tower: its layers and handlers
    /// find it among the extensions of their [`http::Request`], and we find theirs. What cannot be cloned goes into an
    /// [`Arc`].
    #[doc(alias = "context")]
    #[doc(alias = "state")]
    pub fn set_extension<T: Clone + Send + Sync + 'static>(&mut self, value: T) {
        self.rare_mut().extensions.insert(value);
    }

    /// What a bridge to another kind of request takes along besides head and body.
    pub(crate) fn take_carried(&mut self) -> (Extensions, Carried) {
        let matched = self.inner().values.snapshot(self.path());
        let target = self.target().raw().into();
        let rare = self.rare_mut();
        let form = rare.form.take();
        let carried = Carried { matched, target, form, form_begun: rare.form_begun };
        (std::mem::take(&mut rare.extensions), carried)
    }

    /// The other way. The target is whoever's who made the head.
    pub(crate) fn set_carried(&mut self, extensions: Extensions, carried: Option<Carried>) {
        if let Some(Carried { matched, form, form_begun, .. }) = carried {
            self.inner_mut().values.restore(&matched);
            if form.is_some() || form_begun {
                let rare = self.rare_mut();
                rare.form = form;
                rare.form_begun = form_begun;
            }
        }
        if !extensions.is_empty() {
            self.rare_mut().extensions = extensions;
        }
    }
}

/// What a request knows besides its head and its body, while it is an [`http::Request`]: one of its extensions.
#[derive(Clone)]
pub(crate) struct Carried {
    pub(crate) matched: Matched,
    /// The target as the client sent it.
    pub(crate) target: Box<str>,
    form: Option<ReadForm>,
    form_begun: bool,
}

/// Why a form could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormReadError {
    /// The body could not be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The query or the body is no form.
    #[error(transparent)]
    Form(#[from] FormError),
    /// It was asked for before and could not be had, or was not waited for; the body is gone. Answered 400.
    #[error("the form was begun and not read")]
    Begun,
}

impl FormReadError {
    /// The status to answer.
    pub fn status(&self) -> StatusCode {
        match self {
            FormReadError::Body(error) => error.status(),
            FormReadError::Form(error) => error.status(),
            FormReadError::Begun => StatusCode::BAD_REQUEST,
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let whose = self.connection().map_or_else(Weak::new, Arc::downgrade);
            let line = format!("{} {}", self.method(), self.target().raw());
            let _ = DROPPED.try_with(|dropped| dropped.replace(Some((whose, line))));
        }
        let Some(mut inner) = self.0.take() else { return };
        inner.body = Body::empty();
        inner.connection = None;
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
mod tests {
    use super::*;

    fn request(target: &str) -> Request {
        Request::parse(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap()
    }

    fn route(pattern: &str, names: &[&str]) -> Arc<MatchedPattern> {
        Arc::new(MatchedPattern { pattern: pattern.into(), names: names.iter().map(|name| (*name).into()).collect() })
    }

    #[test]
    fn a_request_does_not_see_the_pattern_of_the_one_before_it() {
        let mut first = request("/admin/x");
        first.set_route(Some(&route("/admin/{x}", &["x"])));
        assert_eq!(first.pattern(), "/admin/{x}");
        drop(first);
        let second = request("/");
        assert_eq!((second.pattern(), second.path_value("x")), ("", None));
    }

    #[test]
    fn the_wildcard_of_an_inner_route_goes_before_a_value_set_outside() {
        let mut request = request("/files/x");
        request.set_path_value("rest", "files/x");
        request.set_path_value("other", "kept");
        request.find_route(|_, _, spans| spans.push((7, 1)));
        request.set_route(Some(&route("/files/{rest...}", &["rest"])));
        assert_eq!(request.path_value("rest").unwrap(), "x");
        assert_eq!(request.path_value("other").unwrap(), "kept");
        request.set_path_value("rest", "mine");
        assert_eq!(request.path_value("rest").unwrap(), "mine");
    }

    #[test]
    fn basic_auth_of_a_request_is_that_of_its_head() {
        for (fields, user) in [
            ("Authorization: Basic YTpi\r\n", Some("a")),
            ("authorization: basic YTpi\r\n", Some("a")),
            ("Authorization: Bearer YTpi\r\n", None),
            ("X-Authorization: Basic YTpi\r\n", None),
            ("Authorization: Bearer YTpi\r\nAuthorization: Basic YTpi\r\n", None),
            ("", None),
        ] {
            let request = Request::parse(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes()).unwrap();
            assert_eq!(request.basic_auth().map(|auth| auth.user).as_deref(), user, "{fields:?}");
            assert_eq!(request.basic_auth(), request.head().basic_auth());
        }
    }

    #[tokio::test]
    async fn a_form_whose_body_is_malformed_is_not_a_form_without_it() {
        let head = "POST /?role=admin HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        let mut request = Request::parse(format!("{head}Content-Length: 3\r\n\r\n%zz").as_bytes()).unwrap();
        assert!(matches!(request.form().await, Err(FormReadError::Form(_))));
        assert!(matches!(request.form().await, Err(FormReadError::Form(_))), "as often as one asks");
        assert_eq!(request.form_value("role").await, None);
        let (form, error) = request.form_lossy().await.unwrap();
        assert_eq!((form.get("role"), error), (Some("admin"), Some(FormError::Escape { at: 0 })));
    }

    #[tokio::test]
    async fn a_form_whose_body_cannot_be_read_is_not_a_form_without_it() {
        let head = "POST /?role=admin HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        let mut request = Request::parse(format!("{head}\r\na=1").as_bytes()).unwrap();
        *request.body_mut() = Body::from(vec![b'x'; usize::try_from(FORM).unwrap() + 1]);
        assert_eq!(request.form().await.unwrap_err().status(), 413);
        assert!(matches!(request.form().await, Err(FormReadError::Begun)));
        assert!(matches!(request.form_lossy().await, Err(FormReadError::Begun)));
        assert_eq!(request.form_value("role").await, None);
    }

    #[tokio::test]
    async fn a_malformed_escape_in_the_query_loses_its_pair_only_and_the_form_says_so() {
        for target in ["/?q=100%&page=2", "/?page=2&q=%zz", "/?a=1;b=2&page=2", "/?%ff&page=2"] {
            let mut request = request(target);
            assert_eq!(request.form().await.unwrap_err().status(), 400, "{target}");
            assert_eq!(request.form_value("page").await, Some("2"), "{target}");
            assert_eq!(request.form_value("q").await, None);
            assert_eq!(request.form_value("b").await, None);
            let (form, error) = request.form_lossy().await.unwrap();
            assert_eq!((form.iter().collect::<Vec<_>>(), error.is_some()), (vec![("page", "2")], true), "{target}");
        }
    }

    #[tokio::test]
    async fn a_form_is_of_the_body_and_of_the_query_and_the_body_goes_first() {
        let urlencoded = "application/x-www-form-urlencoded";
        for (method, content_type, expected) in [
            ("POST", urlencoded, &[("a", "body"), ("b", "é"), ("a", "query")][..]),
            ("PUT", "Application/X-WWW-Form-URLencoded ; charset=utf-8", &[("a", "body"), ("b", "é"), ("a", "query")]),
            ("PATCH", urlencoded, &[("a", "body"), ("b", "é"), ("a", "query")]),
            ("DELETE", urlencoded, &[("a", "query")]),
            ("GET", urlencoded, &[("a", "query")]),
            ("POST", "text/plain", &[("a", "query")]),
            ("POST", "application/x-www-form-urlencodedx", &[("a", "query")]),
        ] {
            let head = format!("{method} /?a=query HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\n\r\n");
            let mut request = Request::parse(format!("{head}a=body&b=%C3%A9").as_bytes()).unwrap();
            assert_eq!(request.form().await.unwrap().iter().collect::<Vec<_>>(), expected, "{method} {content_type}");
            assert_eq!(request.form_value("a").await, Some(expected[0].1));
            assert_eq!(request.form_value("none").await, None);
        }
    }
}
