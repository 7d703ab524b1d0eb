//! A request as the test client sends it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// A request as the test client sends it.
#[derive(Clone, Debug)]
pub(super) struct SentRequest {
    pub(super) method: String,
    pub(super) target: String,
    /// The fields, `Host` included.
    pub(super) headers: HeaderMap,
    pub(super) body: SentBody,
}

/// The body of a request.
#[derive(Clone, Debug)]
pub(super) enum SentBody {
    /// Nothing, and no length.
    None,
    /// Bytes, and their length.
    Bytes(Bytes),
    /// Chunks, and the fields after them.
    Chunks(Vec<Bytes>, HeaderMap),
}

impl SentRequest {
    /// The bytes of HTTP/1.1.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        write_fields(&mut bytes, &self.headers);
        // A length of the test's own is a test of the server.
        let is_framed =
            self.headers.contains_key(header::CONTENT_LENGTH) || self.headers.contains_key(header::TRANSFER_ENCODING);
        match &self.body {
            SentBody::Bytes(body) if !is_framed => {
                bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
            }
            SentBody::Chunks(..) if !is_framed => bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            _ => {}
        }
        bytes.extend_from_slice(b"\r\n");
        match &self.body {
            SentBody::None => {}
            SentBody::Bytes(body) => bytes.extend_from_slice(body),
            SentBody::Chunks(chunks, trailers) => {
                // An empty chunk would end the body.
                for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
                    bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n");
                write_fields(&mut bytes, trailers);
                bytes.extend_from_slice(b"\r\n");
            }
        }
        bytes
    }

    /// The head of HTTP/2, for a server that is reached by this scheme.
    ///
    /// # Errors
    /// If the target and the host are not those of a URI.
    #[cfg(feature = "http2")]
    pub(super) fn to_http(&self, scheme: &str) -> Result<http::Request<()>, http::Error> {
        let mut headers = self.headers.clone();
        let host = headers.remove(header::HOST);
        let host = host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default();
        let uri = if self.target.starts_with('/') {
            format!("{scheme}://{host}{}", self.target)
        } else {
            self.target.clone()
        };
        let mut head = http::Request::builder().method(self.method.as_str()).uri(uri).body(())?;
        if let SentBody::Bytes(body) = &self.body {
            headers.entry(header::CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(body.len()));
        }
        *head.headers_mut() = headers;
        Ok(head)
    }
}

fn write_fields(bytes: &mut Vec<u8>, fields: &HeaderMap) {
    for (name, value) in fields {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
}

/// A field that a test names: it must be one that can be sent.
///
/// # Panics
/// If it cannot.
#[track_caller]
pub(super) fn field(name: &str, value: impl AsRef<[u8]>) -> (HeaderName, HeaderValue) {
    let value = value.as_ref();
    match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
        (Ok(name), Ok(value)) => (name, value),
        (Err(error), _) => panic!("{name:?}: {error}"),
        (_, Err(error)) => panic!("{name}: {}: {error}", value.escape_ascii()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: SentBody) -> SentRequest {
        let headers = HeaderMap::from_iter([field("host", "a"), field("x-a", "1")]);
        SentRequest { method: "POST".into(), target: "/x?y".into(), headers, body }
    }

    fn text(request: &SentRequest) -> String {
        String::from_utf8(request.to_bytes()).unwrap()
    }

    #[test]
    fn a_request_of_the_test_client_is_framed_by_its_body() {
        let chunks = vec![Bytes::from("hello"), Bytes::new(), Bytes::from("0123456789abcdef")];
        let trailers = HeaderMap::from_iter([field("x-sum", "7")]);
        for (body, rest) in [
            (SentBody::None, "\r\n"),
            (SentBody::Bytes(Bytes::from("ab")), "Content-Length: 2\r\n\r\nab"),
            (SentBody::Bytes(Bytes::new()), "Content-Length: 0\r\n\r\n"),
            (
                SentBody::Chunks(chunks, trailers),
                "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nx-sum: 7\r\n\r\n",
            ),
        ] {
            assert_eq!(text(&request(body)), format!("POST /x?y HTTP/1.1\r\nhost: a\r\nx-a: 1\r\n{rest}"));
        }
    }

    #[test]
    fn a_length_of_the_test_is_sent_as_it_is() {
        let mut request = request(SentBody::Bytes(Bytes::from("ab")));
        request.headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("9"));
        assert!(text(&request).ends_with("content-length: 9\r\n\r\nab"));
    }
}
