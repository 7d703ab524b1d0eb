//! Conversions between a head and `http::request::Parts`.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header::HOST, request::Parts};

use crate::{Head, HeadError, HeadRef, Version};

/// The host of a request that was made in this process without one.
const HERE: &str = "localhost";

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

    /// Writes the parts as a client would send them and parses that, so that the same rules hold as on the wire. If
    /// `Host` is missing, the authority of the target is used, and without one `localhost`: a caller in the same
    /// process, such as a test, need not name a host. HTTP/2 and HTTP/3 are written as HTTP/1.1.
    ///
    /// No size limit applies: the parts are in memory already. They may have been read with limits above the defaults,
    /// and a layer may have added fields.
    ///
    /// # Errors
    /// [`HeadError`] if the parser refuses the written form; offsets are in that form.
    fn try_from(parts: &Parts) -> Result<Self, HeadError> {
        Self::of_parts(parts, &parts.uri.to_string())
    }
}

impl Head {
    /// The head of these parts with `target` in place of their URI.
    pub(crate) fn of_parts(parts: &Parts, target: &str) -> Result<Self, HeadError> {
        let version = if parts.version <= http::Version::HTTP_10 { Version::Http10 } else { Version::Http11 };
        let host = match (parts.headers.get(HOST), parts.uri.authority()) {
            (Some(_), _) => None,
            (None, Some(authority)) => Some(authority.as_str()),
            (None, None) => (version == Version::Http11).then_some(HERE),
        };
        let host = host.map(|host| ("host", host.as_bytes()));
        let fields = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        Self::written(parts.method.as_str(), target, version, host.into_iter().chain(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Framing, Limits, parse};

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
        // A `Host` that is there is kept, also an empty one; HTTP/1.0 needs none.
        assert_eq!(host(http::Request::get("/x").header("host", "a.example")), said("a.example", 1));
        assert_eq!(host(http::Request::get("/x").header("host", "")), said("", 1));
        assert_eq!(host(http::Request::get("/x").version(http::Version::HTTP_10)), (None, 0));
    }
}
