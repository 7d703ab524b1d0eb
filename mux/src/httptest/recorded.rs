//! A reply as a client sees it, kept for assertions.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use quintet_request::SetCookie;

/// A reply as a client sees it, kept for assertions: that of a handler ([`record`](super::record())), or one that the client
/// of a `TestServer` received. Go: what `httptest.ResponseRecorder.Result` returns.
///
/// Its methods panic where a test could do nothing else: a body that is not text, or a malformed cookie.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Recorded {
    /// The status of the final reply.
    pub status: StatusCode,
    /// The fields.
    pub headers: HeaderMap,
    /// The whole body, without chunks.
    pub body: Bytes,
    /// The fields after the body.
    pub trailers: HeaderMap,
    /// The interim replies (1xx) before the final one, with their fields.
    pub informational: Vec<(StatusCode, HeaderMap)>,
}

impl Recorded {
    /// A reply with this status, and neither fields nor a body.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            trailers: HeaderMap::new(),
            informational: Vec::new(),
        }
    }

    /// The first value of a field, by name in any case; `None` if there is no such field, or its value is not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
    }

    /// The body as text.
    ///
    /// # Panics
    /// If it is not UTF-8.
    #[must_use]
    #[track_caller]
    pub fn text(&self) -> &str {
        match std::str::from_utf8(&self.body) {
            Ok(text) => text,
            Err(error) => panic!("the body of a {} is not text: {error}", self.status),
        }
    }

    /// The body as a value of JSON. The content type is not looked at.
    ///
    /// # Panics
    /// If it is not JSON, or not of this type.
    #[cfg(feature = "json")]
    #[cfg_attr(docsrs, doc(cfg(feature = "json")))]
    #[must_use]
    #[track_caller]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => {
                panic!("the body of a {} is not that value: {error}: {}", self.status, self.body.escape_ascii())
            }
        }
    }

    /// The cookies that the reply sets, read strictly ([`SetCookie::parse`]): what browsers would repair or ignore is a
    /// mistake. They compare with the cookies that the program made.
    ///
    /// ```
    /// use quintet_mux::{Response, httptest::{new_request, record}};
    /// use quintet_request::{Request, SetCookie};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let login = async |_: Request| Response::new("hello\n").with_cookie(&SetCookie::new("id", "a3").path("/").http_only());
    /// let reply = record(&login, new_request("POST", "/login", "")).await;
    /// assert_eq!(reply.set_cookies(), [SetCookie::new("id", "a3").path("/").http_only()]);
    /// assert_eq!(reply.set_cookie("id").unwrap().value(), "a3");
    /// # }
    /// ```
    ///
    /// # Panics
    /// If a `Set-Cookie` is malformed.
    #[must_use]
    #[track_caller]
    pub fn set_cookies(&self) -> Vec<SetCookie> {
        let mut cookies = Vec::new();
        for value in self.headers.get_all(http::header::SET_COOKIE) {
            match SetCookie::parse(value.as_bytes()) {
                Ok(cookie) => cookies.push(cookie),
                Err(error) => panic!("set-cookie: {}: {error}", value.as_bytes().escape_ascii()),
            }
        }
        cookies
    }

    /// The last cookie of this name that the reply sets: browsers keep that one.
    ///
    /// # Panics
    /// If a `Set-Cookie` is malformed.
    #[must_use]
    #[track_caller]
    pub fn set_cookie(&self, name: &str) -> Option<SetCookie> {
        self.set_cookies().into_iter().rev().find(|cookie| cookie.name() == name)
    }
}
