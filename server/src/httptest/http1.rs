//! A connection of HTTP/1.1 of the test client.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use quintet_mux::httptest::{BodyEnd, ReplyError, ReplyHead};

use super::{
    raw_client::{RawClient, read_chunk, read_trailers},
    send_error::SendError,
    sent_request::SentRequest,
    test_stream::TestStream,
};

/// The most bytes of a body that are given out at once.
const BLOCK_BYTES: usize = 64 << 10;

/// A connection of HTTP/1.1 of the test client, with at most one request at a time.
#[derive(Debug)]
pub(super) struct Http1 {
    client: RawClient<TestStream>,
    /// The rest of the body of the reply.
    rest: Rest,
    is_last: bool,
    /// The trailers of the reply, after its body.
    pub(super) trailers: HeaderMap,
}

/// The rest of a body.
#[derive(Clone, Copy, Debug)]
enum Rest {
    None,
    Length(u64),
    Chunked,
    Close,
}

impl Http1 {
    pub(super) fn new(io: TestStream) -> Self {
        Self { client: RawClient::new(io), rest: Rest::None, is_last: false, trailers: HeaderMap::new() }
    }

    /// Whether another request can be sent. What a server sends between two requests is a mistake, but for a reply in place
    /// of one that it did not wait for any longer (408).
    ///
    /// # Errors
    /// [`SendError::Excess`].
    pub(super) async fn is_reusable(&mut self) -> Result<bool, SendError> {
        if self.is_last || !matches!(self.rest, Rest::None) {
            return Ok(false);
        }
        let is_stale = self.client.is_stale().await;
        if self.client.unused().is_empty() { Ok(!is_stale) } else { Err(self.excess()) }
    }

    fn excess(&self) -> SendError {
        SendError::Excess(self.client.unused().escape_ascii().to_string())
    }

    /// Sends a request, and waits for the head of its final reply: the interim ones, and the final one.
    ///
    /// # Errors
    /// [`SendError`].
    pub(super) async fn send(
        &mut self,
        request: &SentRequest,
    ) -> Result<(Vec<(StatusCode, HeaderMap)>, ReplyHead), SendError> {
        self.client.send_and_receive(&request.to_bytes()).await;
        let mut informational = Vec::new();
        loop {
            let head = match self.client.read(ReplyHead::read).await? {
                Some(head) => head,
                None if self.client.unused().is_empty() && informational.is_empty() => return Err(SendError::Closed),
                None => return Err(ReplyError::UnexpectedEof.into()),
            };
            // 101 is final: what follows is another protocol.
            if head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS {
                informational.push((head.status, head.headers));
                continue;
            }
            self.is_last = head.is_last();
            self.rest = match head.body_end(&request.method)? {
                BodyEnd::NoBody => Rest::None,
                BodyEnd::Length(0) => Rest::None,
                BodyEnd::Length(length) => Rest::Length(length),
                BodyEnd::Chunked => Rest::Chunked,
                BodyEnd::Close => Rest::Close,
            };
            return Ok((informational, head));
        }
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// [`SendError::Reply`].
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, SendError> {
        let data = match self.rest {
            Rest::None => return Ok(None),
            Rest::Length(left) => {
                let most = usize::try_from(left).unwrap_or(usize::MAX).min(BLOCK_BYTES);
                let data = self.client.read(|bytes| Ok(some(bytes, most))).await?.ok_or(ReplyError::UnexpectedEof)?;
                let left = left - data.len() as u64;
                self.rest = if left == 0 { Rest::None } else { Rest::Length(left) };
                data
            }
            Rest::Chunked => self.client.read(read_chunk).await?.ok_or(ReplyError::UnexpectedEof)?,
            Rest::Close => self.client.read(|bytes| Ok(some(bytes, BLOCK_BYTES))).await?.unwrap_or_default(),
        };
        if data.is_empty() {
            if let Rest::Chunked = self.rest {
                let trailers = self.client.read(read_trailers).await?.ok_or(ReplyError::UnexpectedEof)?;
                self.trailers = trailers.headers;
            }
            self.rest = Rest::None;
            return Ok(None);
        }
        Ok(Some(data.into()))
    }

    /// After the body: whether the connection can be used again.
    ///
    /// # Errors
    /// [`SendError::Excess`] if bytes follow the last reply.
    pub(super) fn finish(&self) -> Result<bool, SendError> {
        let is_reusable = !self.is_last && matches!(self.rest, Rest::None);
        if self.client.unused().is_empty() { Ok(is_reusable) } else { Err(self.excess()) }
    }

    /// The connection, and the bytes that were received after the head.
    pub(super) fn into_parts(self) -> (TestStream, Vec<u8>) {
        self.client.into_parts()
    }
}

/// Some bytes, at most so many; `None` if there are none.
fn some(bytes: &[u8], most: usize) -> Option<(Vec<u8>, usize)> {
    let data = &bytes[..bytes.len().min(most)];
    (!data.is_empty()).then(|| (data.to_vec(), data.len()))
}
