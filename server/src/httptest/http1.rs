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
/// The most interim replies to one request. A server that sends them for ever is to be told of, not waited for.
const MAX_INTERIM: usize = 100;

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
                if informational.len() == MAX_INTERIM {
                    return Err(ReplyError::TooManyInterim { limit: MAX_INTERIM }.into());
                }
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::httptest::sent_request::SentBody;

    fn get() -> SentRequest {
        SentRequest { method: "GET".into(), target: "/".into(), headers: HeaderMap::new(), body: SentBody::None }
    }

    /// A connection to a server that sends these bytes for a request, and then closes.
    fn connection(reply: &'static [u8]) -> Http1 {
        let (server, client) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move {
            let mut server = server;
            let mut head = [0; 18];
            server.read_exact(&mut head).await.unwrap();
            server.write_all(reply).await.unwrap();
        });
        Http1::new(TestStream::new(client))
    }

    /// The whole body, and whether the connection can be used again.
    async fn exchange(connection: &mut Http1) -> Result<(String, bool), SendError> {
        connection.send(&get()).await?;
        let mut body = Vec::new();
        while let Some(chunk) = connection.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        Ok((String::from_utf8(body).unwrap(), connection.finish()?))
    }

    #[tokio::test]
    async fn a_reply_in_each_framing_is_read_to_its_end() {
        for (reply, body, is_reusable) in [
            (&b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..], "hello", true),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", true),
            (b"HTTP/1.1 204 No Content\r\n\r\n", "", true),
            (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "x", true),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello", true),
            (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", "x", false),
            (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end", "until the end", false),
        ] {
            let read = exchange(&mut connection(reply)).await.unwrap();
            assert_eq!(read, (body.to_owned(), is_reusable), "{}", reply.escape_ascii());
        }
    }

    #[tokio::test]
    async fn a_reply_that_ends_early_or_late_is_an_error() {
        let error = async |reply| exchange(&mut connection(reply)).await.unwrap_err().to_string();
        for (reply, text) in [
            (&b""[..], "the server closed the connection without a reply"),
            (b"HTTP/1.1 200", "the reply is malformed"),
            (b"HTTP/1.1 103 Early Hints\r\n\r\n", "the reply is malformed"),
            (b"HTTP/1.1 200 OK\r\n\r\nno end", "the reply is malformed"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "the reply is malformed"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "the reply is malformed"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "the reply is malformed"),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
                "the reply is malformed",
            ),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!", "bytes follow the reply: \"!\""),
            (b"HTTP/1.1 204 No Content\r\n\r\nbody", "bytes follow the reply: \"body\""),
        ] {
            assert_eq!(error(reply).await, text, "{}", reply.escape_ascii());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_malformed_reply_is_told_of_while_its_server_waits() {
        let flood = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(200);
        let endless = format!("HTTP/1.1 200 OK\r\n{}", "X: yyyyyyyyyy\r\n".repeat(80_000));
        for (reply, expected) in [
            ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", "a line feed stands alone at byte 34"),
            ("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "the length of the body is malformed, or"),
            (&*flood, "more than 100 interim replies came before the final one"),
            (&endless, "the head has more than 1048576 bytes"),
        ] {
            let (mut server, client) = tokio::io::duplex(1 << 16);
            let reply = reply.to_owned();
            tokio::spawn(async move {
                // It fails when the client has read enough.
                let _ = server.write_all(reply.as_bytes()).await;
                std::future::pending::<()>().await;
            });
            let mut connection = Http1::new(TestStream::new(client));
            let error = tokio::time::timeout(std::time::Duration::from_secs(60), exchange(&mut connection)).await;
            match error.expect("no wait").unwrap_err() {
                SendError::Reply(error) => assert!(error.to_string().starts_with(expected), "{error}"),
                other => panic!("{other}, not {expected}"),
            }
        }
    }

    #[tokio::test]
    async fn bytes_between_two_requests_are_an_error() {
        let mut connection = connection(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
        assert!(exchange(&mut connection).await.unwrap().1);
        // The server has closed meanwhile: another connection is made.
        while connection.is_reusable().await.unwrap() {
            tokio::task::yield_now().await;
        }
        let (mut server, client) = tokio::io::duplex(64);
        let mut connection = Http1::new(TestStream::new(client));
        assert!(connection.is_reusable().await.unwrap());
        server.write_all(b"HTTP/1.1 408 ").await.unwrap();
        assert!(matches!(connection.is_reusable().await, Err(SendError::Excess(_))));
    }
}
