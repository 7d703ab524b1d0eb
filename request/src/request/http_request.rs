//! Conversions between a request and `http::Request<Body>`.

use std::sync::Arc;

use http::{
    Uri,
    request::Parts,
    uri::{Parts as UriParts, PathAndQuery},
};
use quintet_conn::{ActiveRequest, Connection};

use super::{carried::Carried, matched::Matched, request::Request};
use crate::{Body, Head, HeadError, head::Content};

impl Request {
    /// Converts to an [`http::Request`], for tower and other crates. The header map is built by this call. The
    /// extensions are those that were [set](Self::set_extension), the connection as `Arc<Connection>`, this request on
    /// it as [`ActiveRequest`], and the route as [`Matched`].
    ///
    /// `Request::try_from` converts back. It keeps the extensions, also those added in between, a form that was read,
    /// and the target that the client sent.
    ///
    /// The scheme and the authority of the URI are those of the target, also if a handler replaced the path or the
    /// query.
    ///
    /// # Errors
    /// [`http::Error`] for heads that only limits far above the defaults let through; see `TryFrom<HeadRef>` for
    /// `Parts`.
    pub fn into_http(mut self) -> Result<http::Request<Body>, http::Error> {
        let mut parts = Parts::try_from(self.head())?;
        if self.path() != self.head().path() || self.query() != self.head().target().query() {
            parts.uri = with_path(parts.uri, self.path(), self.query())?;
        }
        let (extensions, carried) = self.take_carried();
        parts.extensions = extensions;
        parts.extensions.insert(carried.matched.clone());
        parts.extensions.insert(carried);
        if let Some(active) = self.active() {
            parts.extensions.insert(Arc::clone(active.connection()));
            parts.extensions.insert(active.clone());
        }
        Ok(http::Request::from_parts(parts, self.take_body()))
    }
}

/// `uri` with another path and query. Its authority stays that of the client's target; no part of a path becomes one.
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

    /// Converts from an [`http::Request`]. The head is written as a client would send it and parsed, so that the same
    /// rules hold as on the wire; only the host may be missing, which is then `localhost`. The extensions are kept.
    ///
    /// A request that [`into_http`](Request::into_http) made gets its connection, pattern, wildcard values, form and
    /// target back. If the URI was changed meanwhile, the request has the new path and query, as after
    /// [`set_path`](Request::set_path).
    ///
    /// # Errors
    /// [`HeadError`] if the parser refuses the written head.
    fn try_from(request: http::Request<B>) -> Result<Self, HeadError> {
        let (mut parts, body) = request.into_parts();
        let mut converted = Self::blank(0);
        let body = body.into();
        let content = if http_body::Body::is_end_stream(&body) { Content::Ended } else { Content::Follows };
        *converted.head_mut() = Head::of_parts(&parts, None, content)?;
        *converted.body_mut() = body;
        parts.extensions.remove::<Arc<Connection>>();
        converted.set_active(parts.extensions.remove::<ActiveRequest>());
        let carried = parts.extensions.remove::<Carried>();
        parts.extensions.remove::<Matched>();
        let written = carried
            .as_ref()
            .map(|carried| &*carried.target)
            .filter(|target| *target != converted.head().target().raw());
        if let Some(head) = written.and_then(|target| with_target(&parts, target, content)) {
            let seen = std::mem::replace(converted.head_mut(), head);
            converted.set_path(seen.as_ref().path());
            converted.set_query(seen.as_ref().target().query());
        }
        converted.set_carried(std::mem::take(&mut parts.extensions), carried);
        Ok(converted)
    }
}

/// The head of a request whose URI differs from the target that its client sent. `None` if the URI has another
/// authority, as the two cannot be for one host then.
fn with_target(parts: &Parts, target: &str, content: Content) -> Option<Head> {
    let sent = Uri::try_from(target).ok()?;
    if sent.authority() != parts.uri.authority() || sent.scheme() != parts.uri.scheme() {
        return None;
    }
    Head::of_parts(parts, Some(target), content).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Framing, Version,
        route::{self, MatchedPattern},
    };

    #[test]
    fn a_request_becomes_an_http_request_and_back() {
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
    fn set_path_is_the_path_of_the_http_request() {
        let mut request = Request::parse(b"GET /api/x?q HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        request.set_path("/x");
        assert_eq!(request.into_http().unwrap().uri(), "/x?q");
    }

    /// No part of a path that was set is read as an authority, as `app.js` alone would be, and `localhost:6379`.
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
    fn set_query_is_the_query_of_the_http_request() {
        let mut request = Request::parse(b"GET /x?q HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        request.set_query(Some("a b#c&d=100%"));
        assert_eq!(request.into_http().unwrap().uri(), "/x?a%20b%23c&d=100%");
    }

    /// A type that an outer handler attaches.
    #[derive(Clone, Debug, PartialEq)]
    struct User(&'static str);

    #[test]
    fn extensions_cross_to_an_http_request_and_back() {
        let mut request = Request::parse(b"GET /users/7%2Fx/a?q HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let names = ["id".into(), "rest".into()];
        let pattern = Arc::new(MatchedPattern { pattern: "/users/{id}/{rest...}".into(), names: names.into() });
        route::find(&mut request, |_, _, spans| spans.extend([(7, 5), (13, 1)]));
        route::set(&mut request, Some(&pattern));
        request.set_path_value("own", "1");
        request.set_extension(User("ann"));

        let mut http = request.into_http().unwrap();
        let matched = http.extensions().get::<Matched>().unwrap();
        assert_eq!((matched.pattern(), matched.path_value("id")), ("/users/{id}/{rest...}", Some("7/x")));
        assert_eq!((matched.path_value("own"), matched.path_value("none")), (Some("1"), None));
        assert_eq!(http.extensions().get::<User>(), Some(&User("ann")));
        http.extensions_mut().insert(7_u8);

        let back = Request::try_from(http).unwrap();
        assert_eq!((back.pattern(), back.path(), back.query()), ("/users/{id}/{rest...}", "/users/7%2Fx/a", Some("q")));
        let values = ["id", "rest", "own", "none"].map(|name| back.path_value(name).map(|value| value.into_owned()));
        assert_eq!(values, [Some("7/x".into()), Some("a".into()), Some("1".into()), None]);
        assert_eq!((back.extension::<User>(), back.extension::<u8>()), (Some(&User("ann")), Some(&7)));

        // A second round trip leaves no extension of the first one.
        let http = back.into_http().unwrap();
        assert_eq!(http.extensions().len(), 4);
        assert_eq!(http.extensions().get::<Matched>().unwrap().path_value("rest"), Some("a"));
    }

    #[test]
    fn an_http_request_keeps_the_target_beside_a_new_path() {
        let mut request = Request::parse(b"GET /api/x?q HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        request.set_path("/x");
        request.set_query(Some("r"));
        let back = Request::try_from(request.into_http().unwrap()).unwrap();
        assert_eq!((back.target().raw(), back.path(), back.query()), ("/api/x?q", "/x", Some("r")));

        // Replaced on the other side, as axum does for a nested router.
        let mut http =
            Request::parse(b"GET http://h/api/x?q HTTP/1.1\r\nHost: h\r\n\r\n").unwrap().into_http().unwrap();
        *http.uri_mut() = "http://h/x".parse().unwrap();
        let back = Request::try_from(http).unwrap();
        assert_eq!((back.target().raw(), back.path(), back.query()), ("http://h/api/x?q", "/x", None));

        // Also where a URI has another spelling than the client.
        for target in ["http://h", "HTTP://h", "http://h?q", "HTTPS://h/a?", "/a?q"] {
            let request = Request::parse(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).unwrap();
            let (path, query) = (request.path().to_owned(), request.query().map(str::to_owned));
            let back = Request::try_from(request.into_http().unwrap()).unwrap();
            assert_eq!((back.target().raw(), back.path(), back.query()), (target, &*path, query.as_deref()));
        }

        // Another authority is another target.
        let mut http = Request::parse(b"GET /api/x HTTP/1.1\r\nHost: h\r\n\r\n").unwrap().into_http().unwrap();
        *http.uri_mut() = "http://other/x".parse().unwrap();
        http.headers_mut().remove("host");
        let back = Request::try_from(http).unwrap();
        assert_eq!((back.target().raw(), back.host()), ("http://other/x", Some("other")));
    }

    #[test]
    fn an_http_2_request_crosses_to_http_and_back() {
        for (body, framing) in [("", Framing::None), ("abc", Framing::Stream)] {
            let http =
                http::Request::post("https://h/a?b").version(http::Version::HTTP_2).body(Body::from(body)).unwrap();
            let mut request = Request::try_from(http).unwrap();
            let seen = |request: &Request| (request.version(), request.head().framing());
            assert_eq!(seen(&request), (Version::Http2, framing));
            request.set_header("x-a", "1").unwrap();
            assert_eq!(seen(&request), (Version::Http2, framing), "a change keeps both");
            let http = request.into_http().unwrap();
            assert_eq!((http.version(), http.uri().to_string().as_str()), (http::Version::HTTP_2, "/a?b"));
            let back = Request::try_from(http).unwrap();
            assert_eq!(seen(&back), (Version::Http2, framing));
            assert_eq!((back.host(), back.header("x-a"), back.target().raw()), (Some("h"), Some("1"), "/a?b"));
        }
    }

    #[test]
    fn an_http_request_with_a_malformed_path_is_refused() {
        let mut http = Request::parse(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap().into_http().unwrap();
        *http.uri_mut() = "/%zz".parse().unwrap();
        assert!(matches!(Request::try_from(http), Err(HeadError::Target(_))));
    }

    #[test]
    fn an_http_request_without_a_host_is_for_localhost() {
        let request = Request::try_from(http::Request::post("/x").body(Body::from("abc")).unwrap()).unwrap();
        assert_eq!((request.host(), request.header("host")), (Some("localhost"), Some("localhost")));
        assert!(Request::parse(b"POST /x HTTP/1.1\r\n\r\n").is_err(), "never on the wire");
    }

    #[tokio::test]
    async fn a_form_that_was_read_crosses_to_http_and_back() {
        let head = "POST /?a=2 HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        let mut request = Request::parse(format!("{head}Content-Length: 3\r\n\r\na=1").as_bytes()).unwrap();
        assert_eq!(request.form_value("a").await.as_deref(), Some("1"));
        let mut back = Request::try_from(request.into_http().unwrap()).unwrap();
        assert_eq!(back.form().await.unwrap().all("a").collect::<Vec<_>>(), ["1", "2"]);
    }
}
