//! Conversions between a head and `http::request::Parts`.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header::HOST, request::Parts};

use super::{
    content::Content,
    head_writer::{HeadWriter, Line},
    index::Field,
};
use crate::{Framing, FramingError, Head, HeadError, HeadRef, Limits, Version};

/// The host of a request that was made in this process without one.
const HERE: &str = "localhost";
/// No limits, for heads that are in memory already. The limits of bodies are not used here.
const UNLIMITED: Limits = Limits {
    head: usize::MAX,
    fields: usize::MAX,
    field: usize::MAX,
    target: usize::MAX,
    method: usize::MAX,
    chunk_extension: 0,
    chunk_overhead: 0,
    trailers: 0,
    trailer_fields: 0,
};

impl TryFrom<HeadRef<'_>> for HeaderMap {
    type Error = http::Error;

    /// Makes a map of every field: names in lower case, the values of a name in order of arrival.
    ///
    /// # Errors
    /// A name of 64 KiB or more than 32,768 names, which only limits far above the defaults let through.
    fn try_from(head: HeadRef<'_>) -> Result<Self, http::Error> {
        let mut map = Self::try_with_capacity(head.headers().len())?;
        for (name, value) in head.headers() {
            map.try_append(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_bytes(value)?)?;
        }
        Ok(map)
    }
}

impl TryFrom<HeadRef<'_>> for Parts {
    type Error = http::Error;

    /// Makes parts with the method, the target, the version and the fields.
    ///
    /// # Errors
    /// As for [`HeaderMap`], and for a target longer than 64 KiB.
    fn try_from(head: HeadRef<'_>) -> Result<Self, http::Error> {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.method = Method::from_bytes(head.method().as_bytes())?;
        parts.uri = Uri::try_from(head.target().raw())?;
        parts.version = head.version().into();
        parts.headers = head.try_into()?;
        Ok(parts)
    }
}

impl TryFrom<&Parts> for Head {
    type Error = HeadError;

    /// Makes a head of the parts as [`fill`](Self::fill) does, with two differences for callers in the same process,
    /// such as tests and layers. If `Host` is missing and the target has no authority, the host is `localhost`. And no
    /// size limit applies: the parts may have been read with limits above the defaults, and a layer may have added
    /// fields.
    ///
    /// # Errors
    /// As [`fill`](Self::fill).
    fn try_from(parts: &Parts) -> Result<Self, HeadError> {
        Self::of_parts(parts, None, Content::Follows)
    }
}

impl Head {
    /// Makes this the head of these parts, as if a client had sent them, and reuses the memory. The same rules hold as
    /// on the wire, with the same errors. After an error this head is empty.
    ///
    /// The bytes of the head are those of HTTP/1: of `GET https://a/b?c` in HTTP/2 they are
    /// `GET /b?c HTTP/2.0 CRLF host: a CRLF … CRLF`. HTTP/3 is written as HTTP/2. In both the authority of the URI is
    /// the `host`, and the pieces of a cookie are joined. HTTP/1 with an authority has an absolute target.
    ///
    /// `end_stream`: no content follows; in HTTP/2 only. HTTP/1 is framed by its fields.
    ///
    /// ```
    /// use quintet_request::{Framing, Head, Limits};
    ///
    /// let request = http::Request::post("https://a.example/b?c").version(http::Version::HTTP_2).header("cookie", "d=e");
    /// let (parts, ()) = request.header("cookie", "f=g").body(()).unwrap().into_parts();
    /// let mut head = Head::default();
    /// head.fill(&parts, false, &Limits::default())?;
    /// assert_eq!((head.as_ref().path(), head.as_ref().host()), ("/b", Some("a.example")));
    /// assert_eq!(head.as_ref().header("cookie"), Some("d=e; f=g"));
    /// assert_eq!(head.as_ref().framing(), Framing::Stream);
    /// # Ok::<(), quintet_request::HeadError>(())
    /// ```
    ///
    /// # Errors
    /// [`HeadError`] with an offset in the written bytes: that of [`parse`](Self::parse) for the same bytes in HTTP/1.1;
    /// in HTTP/2 also [`HeadError::ConnectionField`] and [`HeadError::SpaceAroundValue`].
    ///
    /// # Spec
    /// RFC 9113 §8.2, §8.3. Go: `NewServerRequest` (internal/httpcommon).
    pub fn fill(&mut self, parts: &Parts, end_stream: bool, limits: &Limits) -> Result<(), HeadError> {
        let content = if end_stream { Content::Ended } else { Content::Follows };
        self.fill_with(parts, None, content, None, limits)?;
        match self.index.framing {
            Framing::Length(1..) if end_stream && self.index.version == Version::Http2 => {
                let length = |field: &&Field| field.is_named(&self.bytes, "content-length");
                let at = self.index.fields.iter().find(length).map_or(0, |field| field.value.start);
                self.clear();
                Err(HeadError::Framing { at, why: FramingError::LengthWithoutContent })
            }
            _ => Ok(()),
        }
    }

    /// The head of these parts, made in this process. `target` stands in place of their URI.
    pub(crate) fn of_parts(parts: &Parts, target: Option<&str>, content: Content) -> Result<Self, HeadError> {
        let mut head = Self::default();
        head.bytes.reserve(256);
        head.fill_with(parts, target, content, Some(HERE), &UNLIMITED)?;
        Ok(head)
    }

    /// `default_host` is the host of parts that have none.
    fn fill_with(
        &mut self,
        parts: &Parts,
        target: Option<&str>,
        content: Content,
        default_host: Option<&str>,
        limits: &Limits,
    ) -> Result<(), HeadError> {
        let (version, uri) = (parts.version.into(), &parts.uri);
        self.target.clear();
        match target {
            Some(target) => self.target.push_str(target),
            None if version == Version::Http2 => push_target(&mut self.target, uri),
            // A `String` takes all that is written.
            None => drop(write!(self.target, "{uri}")),
        }
        let mut authority = None;
        let mut host = None;
        match uri.authority() {
            Some(known) if version == Version::Http2 => {
                authority = Some((known.as_str(), uri.scheme_str().unwrap_or_default()));
            }
            // HTTP/1.0 needs no `Host`.
            known if !parts.headers.contains_key(HOST) => {
                let default_host = default_host.filter(|_| version != Version::Http10);
                host = known.map(http::uri::Authority::as_str).or(default_host);
            }
            _ => {}
        }
        let line = Line { method: parts.method.as_str(), version, authority };
        let mut writer = HeadWriter::begin(self, &line, limits);
        if let Some(host) = host {
            writer.field(b"host", host.as_bytes());
        }
        for (name, value) in &parts.headers {
            writer.field(name.as_str().as_bytes(), value.as_bytes());
        }
        let written = writer.end(content);
        if written.is_err() {
            self.clear();
        }
        written
    }

    /// Makes a head of these words by the rules of the wire, without its limits, in the version and with the content of
    /// another head.
    ///
    /// The caller has checked that no word has a line end: a method and a name are tokens, a value has no controls.
    #[cfg(feature = "io")]
    pub(crate) fn written<'f>(
        like: HeadRef<'_>,
        method: &str,
        target: &str,
        fields: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    ) -> Result<Self, HeadError> {
        let mut head = Self::default();
        head.bytes.reserve(256);
        head.target.push_str(target);
        let line = Line { method, version: like.version(), authority: None };
        let mut writer = HeadWriter::begin(&mut head, &line, &UNLIMITED);
        for (name, value) in fields {
            writer.field(name.as_bytes(), value);
        }
        writer.end(if like.framing() == Framing::Stream { Content::Follows } else { Content::Ended })?;
        Ok(head)
    }
}

/// The target of an HTTP/2 request: path and query, which is `*` for `OPTIONS *`, or the authority of a `CONNECT`.
fn push_target(target: &mut String, uri: &Uri) {
    let Some(path) = uri.path_and_query() else {
        return target.push_str(uri.authority().map_or("", http::uri::Authority::as_str));
    };
    let path = path.as_str();
    if !path.starts_with(['/', '*']) {
        target.push('/'); // a query alone
    }
    target.push_str(path);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn parts(bytes: &[u8]) -> Parts {
        let index = parse(bytes, &Limits::default()).unwrap().unwrap();
        HeadRef::new(bytes, &index).try_into().unwrap()
    }

    #[test]
    fn a_head_becomes_parts() {
        let parts = parts(b"PUT /a%20b?c HTTP/1.0\r\nX-A: 1\r\nx-a: \xff\r\nB:\r\n\r\n");
        assert_eq!((parts.method, parts.version), (Method::PUT, http::Version::HTTP_10));
        assert_eq!(parts.uri, "/a%20b?c");
        let values: Vec<_> = parts.headers.get_all("x-a").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!((values, parts.headers["b"].as_bytes()), (vec![&b"1"[..], b"\xff"], &b""[..]));
    }

    #[test]
    fn every_form_of_target_becomes_a_uri() {
        for (line, uri) in [
            ("GET http://a.example/x?y", "http://a.example/x?y"),
            ("GET http://a.example", "http://a.example/"),
            ("OPTIONS *", "*"),
            ("CONNECT a.example:443", "a.example:443"),
            ("GET //x/[y]?{z}", "//x/[y]?{z}"),
        ] {
            let bytes = format!("{line} HTTP/1.1\r\nHost: a.example\r\n\r\n");
            assert_eq!(parts(bytes.as_bytes()).uri.to_string(), uri, "{line}");
        }
    }

    #[test]
    fn parts_become_a_head_that_obeys_the_rules() {
        let request = http::Request::post("http://a.example/x?y").header("content-length", "3").body(()).unwrap();
        let head = Head::try_from(&request.into_parts().0).unwrap();
        let head = head.as_ref();
        assert_eq!((head.method(), head.path(), head.host()), ("POST", "/x", Some("a.example")));
        assert_eq!((head.header("host"), head.framing()), (Some("a.example"), Framing::Length(3)));

        let bad = |request: http::Request<()>| Head::try_from(&request.into_parts().0).unwrap_err();
        let empty = bad(http::Request::get("http://a/x").header("host", "b").body(()).unwrap());
        assert!(matches!(empty, HeadError::HostDisagrees { .. }));
        let two = http::Request::get("/x")
            .header("host", "a")
            .header("content-length", "1")
            .header("transfer-encoding", "chunked");
        assert!(matches!(bad(two.body(()).unwrap()), HeadError::Framing { .. }));
    }

    /// As with a server whose limits are above the defaults, or a layer that adds a field to a head with the most
    /// fields.
    #[test]
    fn parts_become_a_head_without_size_limits() {
        let mut request = http::Request::get(format!("/{}", "a".repeat(20_000)));
        for n in 0..1_000 {
            request = request.header(format!("x-{n}"), "v".repeat(100));
        }
        let request = request.header("x-long", "v".repeat(100_000)).method(&*"M".repeat(40)).body(()).unwrap();
        let head = Head::try_from(&request.into_parts().0).unwrap();
        let head = head.as_ref();
        assert_eq!((head.path().len(), head.method().len(), head.headers().len()), (20_001, 40, 1_002));
        assert_eq!(
            (head.header("x-999").map(str::len), head.header("x-long").map(str::len)),
            (Some(100), Some(100_000))
        );
    }

    #[test]
    fn parts_without_a_host_become_a_head_of_localhost() {
        let host = |request: http::request::Builder| {
            let head = Head::try_from(&request.body(()).unwrap().into_parts().0).unwrap();
            (head.as_ref().host().map(ToString::to_string), head.as_ref().headers_named("host").count())
        };
        let said = |host: &str, fields| (Some(host.to_owned()), fields);
        assert_eq!(host(http::Request::get("/x")), said("localhost", 1));
        assert_eq!(host(http::Request::options("*")), said("localhost", 1));
        assert_eq!(host(http::Request::post("/x").version(http::Version::HTTP_2)), said("localhost", 1));
        assert_eq!(host(http::Request::get("http://a.example/x")), said("a.example", 1));
        assert_eq!(host(http::Request::connect("a.example:443")), said("a.example:443", 1));
        assert_eq!(
            host(http::Request::get("https://a.example/x").version(http::Version::HTTP_2)),
            said("a.example", 1)
        );
        // A `Host` that is there is kept, also an empty one; HTTP/1.0 needs none.
        assert_eq!(host(http::Request::get("/x").header("host", "a.example")), said("a.example", 1));
        assert_eq!(host(http::Request::get("/x").header("host", "")), said("", 1));
        assert_eq!(host(http::Request::get("/x").version(http::Version::HTTP_10)), (None, 0));
    }

    /// As a server of another library gives it to a handler of ours.
    #[test]
    fn parts_of_http_2_become_a_head_of_http_2() {
        for (version, expected) in [
            (http::Version::HTTP_11, (Version::Http11, "https://a/x?y")),
            (http::Version::HTTP_2, (Version::Http2, "/x?y")),
            (http::Version::HTTP_3, (Version::Http2, "/x?y")),
        ] {
            let request = http::Request::get("https://a/x?y").version(version).header("cookie", "a=b");
            let request = request.header("cookie", "c=d").header("content-length", "3").body(()).unwrap();
            let head = Head::try_from(&request.into_parts().0).unwrap();
            let head = head.as_ref();
            assert_eq!((head.version(), head.target().raw()), expected);
            assert_eq!((head.path(), head.host(), head.framing()), ("/x", Some("a"), Framing::Length(3)));
            let joined = version != http::Version::HTTP_11;
            assert_eq!(head.headers_named("cookie").count(), if joined { 1 } else { 2 });
        }
    }
}
