//! The edge to the ecosystem: `http::Request<Body>`, both ways.

use std::sync::Arc;

use http::{
    Uri,
    request::Parts,
    uri::{Parts as UriParts, PathAndQuery},
};
use quintet_conn::Link;

use super::{body::Body, request::Request};
use crate::HeadError;

impl Request {
    /// The same request for the ecosystem: everything about it is built now, the header map included. The connection is in
    /// its extensions as an `Arc<Link>`.
    ///
    /// The scheme and the authority of the URI are those of the target, also if a handler has replaced path or query.
    ///
    /// # Errors
    /// [`http::Error`] for what limits far above the defaults let through; see `TryFrom<HeadRef>` for `Parts`.
    pub fn into_http(mut self) -> Result<http::Request<Body>, http::Error> {
        let mut parts = Parts::try_from(self.head())?;
        if self.path() != self.head().path() || self.query() != self.target().query() {
            parts.uri = with_path(parts.uri, self.path(), self.query())?;
        }
        if let Some(link) = self.link() {
            parts.extensions.insert(Arc::<Link>::clone(link));
        }
        Ok(http::Request::from_parts(parts, self.take_body()))
    }
}

/// `uri` with another path and query. Its authority is what the client sent: nothing of a path becomes one.
fn with_path(uri: Uri, path: &str, query: Option<&str>) -> Result<Uri, http::Error> {
    let mut parts = uri.into_parts();
    match parts {
        // A `CONNECT` has no path to replace.
        UriParts { scheme: None, authority: Some(_), .. } => {}
        _ if path == "*" => return Ok(Uri::from_static("*")),
        _ => {
            parts.path_and_query = Some(match query {
                Some(query) => PathAndQuery::try_from(format!("{path}?{query}"))?,
                None => PathAndQuery::try_from(path)?,
            });
        }
    }
    Ok(Uri::from_parts(parts)?)
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

    /// Of a path that was set, nothing is read as an authority: `app.js` alone would be one, and so would
    /// `localhost:6379`.
    #[test]
    fn no_part_of_a_path_becomes_an_authority() {
        for (target, path, uri) in [
            ("/m/app.js", "app.js", "/app.js"),
            ("/m/localhost:6379", "localhost:6379", "/localhost:6379"),
            ("/m/a/b?q", "a/b", "/a/b?q"),
            ("/m/", "", "/"),
            ("/m//evil.example/a", "//evil.example/a", "//evil.example/a"),
            ("/m/http://evil.example/", "http://evil.example/", "/http://evil.example/"),
            ("/m/u@h", "u@h", "/u@h"),
            ("/m/x", "x?y#z", "/x%3Fy%23z"),
            ("/m/x", "*", "*"),
            ("http://h/m/x?q", "x", "http://h/x?q"),
            ("http://h/m/x", "*", "*"),
        ] {
            let mut request = Request::parse(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).unwrap();
            request.set_path(path);
            let sent = request.target().authority().map(ToString::to_string);
            let http = request.into_http().unwrap();
            assert_eq!(http.uri().to_string(), uri);
            assert_eq!(
                http.uri().authority().map(ToString::to_string),
                sent.filter(|_| path != "*"),
                "{target} {path}"
            );
            assert!(http.uri().path().starts_with('/') || http.uri().path() == "*");
        }
        let mut request = Request::parse(b"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n").unwrap();
        request.set_path("x");
        assert_eq!(request.into_http().unwrap().uri(), "h:1");
    }

    #[test]
    fn a_query_that_a_handler_set_is_the_query_that_goes_out() {
        let mut request = Request::parse(b"GET /x?q HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        request.set_query(Some("a b#c&d=100%"));
        assert_eq!(request.into_http().unwrap().uri(), "/x?a%20b%23c&d=100%");
    }
}
