//! A request of a test client, to be filled and sent.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use quintet_mux::httptest::Recorded;

use super::{
    client_state::ClientState,
    open_reply::{OpenReply, text_of},
    send_error::SendError,
    sent_request::{SentBody, SentRequest, field},
};

/// A request of a [`TestClient`](super::TestClient), to be filled and sent.
///
/// # Example
/// ```
/// use quintet_server::{Request, httptest::TestServer};
///
/// # #[tokio::main(flavor = "current_thread")] // in a test: #[tokio::test]
/// # async fn main() {
/// let server = TestServer::start(async |mut request: Request| {
///     let body = request.to_bytes(100).await.unwrap();
///     let sum = request.trailers().and_then(|trailers| trailers.get("x-sum")).cloned();
///     format!("{} {:?} {sum:?}\n", request.method(), body)
/// });
/// let mut client = server.client();
/// let reply = client.request("PUT", "/").header("x-a", "1").chunks(["ab", "c"]).trailer("x-sum", "3").send().await;
/// assert_eq!(reply.text(), "PUT b\"abc\" Some(\"3\")\n");
/// let reply = client.request("POST", "/").form([("q", "a b"), ("page", "2")]).send().await;
/// assert_eq!(reply.text(), "POST b\"q=a+b&page=2\" None\n");
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a request does nothing before it is sent"]
pub struct TestRequest<'c> {
    client: &'c mut ClientState,
    request: SentRequest,
}

impl<'c> TestRequest<'c> {
    #[track_caller]
    pub(super) fn new(client: &'c mut ClientState, method: &str, target: &str) -> Self {
        let is_sendable = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte > b' ' && byte != 0x7f);
        assert!(is_sendable(method) && is_sendable(target), "{method:?} {target:?} is no request line");
        let (method, target) = (method.to_owned(), target.to_owned());
        Self { client, request: SentRequest { method, target, headers: HeaderMap::new(), body: SentBody::None } }
    }

    /// Adds a field. One of the client's with the same name is not sent, nor is a `Host` or a `Cookie`.
    ///
    /// # Panics
    /// If the field cannot be sent: [`RawClient`](super::RawClient) sends any bytes.
    #[track_caller]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let (name, value) = field(name, value);
        self.request.headers.append(name, value);
        self
    }

    /// Sets the body, and its length.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.request.body = SentBody::Bytes(body.into());
        self
    }

    /// Sets the body, without its length: in chunks over HTTP/1.1, a DATA frame for each over HTTP/2.
    pub fn chunks<C: Into<Bytes>>(mut self, chunks: impl IntoIterator<Item = C>) -> Self {
        self.request.body = SentBody::Chunks(chunks.into_iter().map(Into::into).collect(), HeaderMap::new());
        self
    }

    /// Adds a field after the body, which is sent in [chunks](Self::chunks).
    ///
    /// # Panics
    /// If the field cannot be sent.
    #[track_caller]
    pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let (name, value) = field(name, value);
        let (chunks, mut trailers) = match self.request.body {
            SentBody::None => (Vec::new(), HeaderMap::new()),
            SentBody::Bytes(bytes) => (vec![bytes], HeaderMap::new()),
            SentBody::Chunks(chunks, trailers) => (chunks, trailers),
        };
        trailers.append(name, value);
        self.request.body = SentBody::Chunks(chunks, trailers);
        self
    }

    /// Sets the body to these pairs, as a browser sends a form, and its content type.
    pub fn form<N: AsRef<str>, V: AsRef<str>>(mut self, pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let pairs: Vec<_> =
            pairs.into_iter().map(|(name, value)| encode(name.as_ref()) + "=" + &encode(value.as_ref())).collect();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        self.request.headers.entry(header::CONTENT_TYPE).or_insert(form);
        self.body(pairs.join("&"))
    }

    /// Sets the body to this value as JSON, and its content type.
    ///
    /// # Panics
    /// If the value cannot be JSON: a map whose keys are no text, for example.
    #[cfg(feature = "json")]
    #[cfg_attr(docsrs, doc(cfg(feature = "json")))]
    #[track_caller]
    pub fn json(mut self, value: &impl serde::Serialize) -> Self {
        let json = HeaderValue::from_static("application/json");
        self.request.headers.entry(header::CONTENT_TYPE).or_insert(json);
        match serde_json::to_vec(value) {
            Ok(body) => self.body(body),
            Err(error) => panic!("the value is no JSON: {error}"),
        }
    }

    /// Sends the request, and reads its whole reply.
    ///
    /// # Panics
    /// If there is no whole and well-formed reply.
    ///
    /// # Cancel safety
    /// Not cancel safe: the connection is closed.
    pub async fn send(self) -> Recorded {
        let line = self.line();
        match self.try_send().await {
            Ok(reply) => reply,
            Err(error) => panic!("{line}: {}", text_of(&error)),
        }
    }

    /// The same, for a handler that may have no reply.
    ///
    /// # Errors
    /// [`SendError`].
    ///
    /// # Cancel safety
    /// Not cancel safe: the connection is closed.
    pub async fn try_send(self) -> Result<Recorded, SendError> {
        self.client.send(self.request).await
    }

    /// Sends the request, and reads the head of its reply. The body is read piece by piece: it may have no end.
    ///
    /// # Panics
    /// If there is no well-formed head.
    ///
    /// # Cancel safety
    /// Not cancel safe: the connection is closed.
    pub async fn open(self) -> OpenReply {
        let line = self.line();
        match self.client.open(self.request).await {
            Ok(reply) => reply,
            Err(error) => panic!("{line}: {}", text_of(&error)),
        }
    }

    fn line(&self) -> String {
        format!("{} {}", self.request.method, self.request.target)
    }
}

/// Escapes a part of a form (URL Standard §5.2).
fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'*' | b'-' | b'.' | b'_' => encoded.push(byte.into()),
            byte if byte.is_ascii_alphanumeric() => encoded.push(byte.into()),
            byte => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}
