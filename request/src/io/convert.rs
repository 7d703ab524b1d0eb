//! The edge to the ecosystem: `http::Request<Body>`, both ways.

use std::sync::Arc;

use http::{Uri, request::Parts};
use quintet_conn::Link;

use super::{body::Body, request::Request};
use crate::HeadError;

impl Request {
    /// The same request for the ecosystem: everything about it is built now, the header map included. The connection is in
    /// its extensions as an `Arc<Link>`.
    ///
    /// # Errors
    /// [`http::Error`] for what limits far above the defaults let through; see `TryFrom<HeadRef>` for `Parts`.
    pub fn into_http(mut self) -> Result<http::Request<Body>, http::Error> {
        let mut parts = Parts::try_from(self.head())?;
        if self.path() != self.head().path() || self.query() != self.target().query() {
            let target = match self.query() {
                Some(query) => format!("{}?{query}", self.path()),
                None => self.path().to_owned(),
            };
            parts.uri = Uri::try_from(target)?;
        }
        if let Some(link) = self.link() {
            parts.extensions.insert(Arc::<Link>::clone(link));
        }
        Ok(http::Request::from_parts(parts, self.take_body()))
    }
}

impl<B: Into<Body>> TryFrom<http::Request<B>> for Request {
    type Error = HeadError;

    /// Writes the head as a client would send it and reads that, so that it obeys the same rules as one from the wire.
    ///
    /// # Errors
    /// [`HeadError`] if this is not a request we would take.
    fn try_from(request: http::Request<B>) -> Result<Self, HeadError> {
        let (parts, body) = request.into_parts();
        let mut converted = Request::blank(0);
        *converted.head_mut() = (&parts).try_into()?;
        *converted.body_mut() = body.into();
        converted.set_link(parts.extensions.get::<Arc<Link>>().cloned());
        Ok(converted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_goes_out_and_comes_back() {
        let request =
            Request::parse(b"POST /a?b HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nContent-Length: 3\r\n\r\nabc").unwrap();
        let http = request.into_http().unwrap();
        assert_eq!((http.method().as_str(), http.uri().to_string().as_str()), ("POST", "/a?b"));
        assert_eq!(http.headers()["x-a"], "1");
        let back = Request::try_from(http).unwrap();
        assert_eq!((back.method(), back.path(), back.query(), back.host()), ("POST", "/a", Some("b"), Some("h")));
        assert_eq!(back.body().as_bytes(), Some(&b"abc"[..]));
    }

    #[test]
    fn a_path_that_a_handler_changed_is_the_path_that_goes_out() {
        let mut request = Request::parse(b"GET /api/x?q HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        request.set_path("/x");
        assert_eq!(request.into_http().unwrap().uri(), "/x?q");
    }
}
