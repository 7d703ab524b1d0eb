//! The state of a test client: its connection, its fields and its cookies.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use quintet_mux::httptest::Recorded;
#[cfg(feature = "http2")]
use quintet_request::Http2Client;
use tokio::time::timeout;

use super::{
    cookie_jar::CookieJar,
    dial::{Dial, Protocol},
    http1::Http1,
    open_reply::{OpenBody, OpenReply},
    send_error::SendError,
    sent_request::SentRequest,
};

/// The time in which a reply must come. Go has none; a test that hangs tells nothing.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The state of a test client.
#[derive(Debug)]
pub(super) struct ClientState {
    dial: Dial,
    protocol: Protocol,
    /// The fields of each request.
    pub(super) headers: HeaderMap,
    pub(super) cookies: Option<CookieJar>,
    pub(super) timeout: Duration,
    /// The connection that is kept alive.
    http1: Option<Http1>,
    #[cfg(feature = "http2")]
    http2: Option<Http2Client>,
}

impl ClientState {
    pub(super) fn new(dial: Dial, protocol: Protocol) -> Self {
        Self {
            dial,
            protocol,
            headers: HeaderMap::new(),
            cookies: None,
            timeout: TIMEOUT,
            http1: None,
            #[cfg(feature = "http2")]
            http2: None,
        }
    }

    /// Sends a request, and reads its whole reply.
    pub(super) async fn send(&mut self, request: SentRequest) -> Result<Recorded, SendError> {
        let (reply, body, is_reusable) = self.open(request).await?.finish().await?;
        match body {
            OpenBody::Http1(connection) => self.http1 = is_reusable.then_some(connection),
            #[cfg(feature = "http2")]
            OpenBody::Http2(_) => {}
        }
        Ok(reply)
    }

    /// Sends a request, and reads the head of its reply.
    pub(super) async fn open(&mut self, mut request: SentRequest) -> Result<OpenReply, SendError> {
        let host = self.complete(&mut request);
        let limit = self.timeout;
        let reply = match self.protocol {
            Protocol::Http1 => timeout(limit, self.open_http1(&request)).await,
            #[cfg(feature = "http2")]
            Protocol::Http2 => timeout(limit, self.open_http2(&request)).await,
        };
        let reply = reply.map_err(|_| SendError::TimedOut(limit))??;
        if let Some(cookies) = &mut self.cookies {
            let mut recorded = Recorded::new(reply.status);
            recorded.headers = reply.headers.clone();
            cookies.set(recorded.set_cookies(), &host, &request.target, self.dial.scheme);
        }
        Ok(reply)
    }

    /// Adds the fields of the client, those that the request does not have, its host, and the cookies. Returns the host.
    fn complete(&mut self, request: &mut SentRequest) -> String {
        for (name, value) in &self.headers {
            if !request.headers.contains_key(name) {
                request.headers.insert(name, value.clone());
            }
        }
        let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
        let host = host.unwrap_or_else(|| self.dial.host());
        if let Ok(value) = HeaderValue::try_from(&host) {
            request.headers.entry(header::HOST).or_insert(value);
        }
        if let Some(value) = self.cookies.as_mut().and_then(|cookies| cookies.value(&host, &request.target)) {
            let value = HeaderValue::try_from(value).expect("cookies are visible ASCII");
            request.headers.entry(header::COOKIE).or_insert(value);
        }
        host
    }

    async fn open_http1(&mut self, request: &SentRequest) -> Result<OpenReply, SendError> {
        let kept = match self.http1.take() {
            Some(mut kept) => kept.is_reusable().await?.then_some(kept),
            None => None,
        };
        let mut connection = match kept {
            Some(kept) => kept,
            None => Http1::new(self.dial.connect(Protocol::Http1).await.map_err(SendError::Connect)?),
        };
        let (informational, head) = connection.send(request).await?;
        Ok(OpenReply {
            status: head.status,
            headers: head.headers,
            informational,
            body: OpenBody::Http1(connection),
            seen: Vec::new(),
            timeout: self.timeout,
        })
    }

    #[cfg(feature = "http2")]
    async fn open_http2(&mut self, request: &SentRequest) -> Result<OpenReply, SendError> {
        use super::sent_request::SentBody;

        let head = request.to_http(self.dial.scheme).map_err(|error| SendError::Http2(std::io::Error::other(error)))?;
        let body = match &request.body {
            SentBody::None => None,
            SentBody::Bytes(bytes) => Some((vec![bytes.clone()], HeaderMap::new())),
            SentBody::Chunks(chunks, trailers) => Some((chunks.clone(), trailers.clone())),
        };
        let kept = match self.http2.take() {
            Some(kept) => kept.is_open().await.then_some(kept),
            None => None,
        };
        let client = match kept {
            Some(kept) => kept,
            None => {
                let io = self.dial.connect(Protocol::Http2).await.map_err(SendError::Connect)?;
                let (client, connection) = Http2Client::handshake(io).await.map_err(SendError::Connect)?;
                // It ends with the client, or when the server closes the connection.
                tokio::spawn(connection);
                client
            }
        };
        self.http2 = Some(client.clone());
        let mut reply = client.send(head, body).await.map_err(SendError::Http2)?;
        Ok(OpenReply {
            status: reply.status,
            headers: std::mem::take(&mut reply.headers),
            informational: std::mem::take(&mut reply.informational),
            body: OpenBody::Http2(Box::new(reply)),
            seen: Vec::new(),
            timeout: self.timeout,
        })
    }
}
