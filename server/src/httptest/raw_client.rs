//! A client of HTTP/1.1 that sends any bytes, and reads replies strictly.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use quintet_mux::httptest::{BodyEnd, ReplyChunk, ReplyError, ReplyHead, ReplyTrailers};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::raw_reply::RawReply;

/// The most bytes that are read at once.
const BLOCK_BYTES: usize = 16 << 10;

/// A client of HTTP/1.1 that sends any bytes, and reads replies strictly: [`ReplyHead`] has the table. For tests of what is
/// on the wire; [`TestClient`](super::TestClient) is for those of an application.
///
/// A malformed reply panics, as a test could do nothing else. There is no time limit.
///
/// # Example
/// ```
/// use quintet_server::{ServeMux, httptest::TestServer};
///
/// # #[tokio::main(flavor = "current_thread")] // in a test: #[tokio::test]
/// # async fn main() {
/// let server = TestServer::start(ServeMux::new());
/// let mut client = server.raw_client().await;
/// client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n").await;
/// assert_eq!(client.reply().await.status, 404);
/// assert_eq!(client.reply().await.status, 400); // without a host
/// assert!(client.ends().await);
/// # }
/// ```
#[derive(Debug)]
pub struct RawClient<S> {
    /// The connection.
    pub io: S,
    /// The bytes that were received and not used yet.
    seen: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> RawClient<S> {
    /// A client on this connection.
    pub fn new(io: S) -> Self {
        Self { io, seen: Vec::new() }
    }

    /// Sends these bytes.
    ///
    /// # Panics
    /// If the server does not take them.
    ///
    /// # Cancel safety
    /// Not cancel safe: some bytes may have been sent.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("the server reads");
    }

    /// Sends these bytes, unless the server has closed.
    ///
    /// # Errors
    /// The error of the connection.
    ///
    /// # Cancel safety
    /// Not cancel safe: some bytes may have been sent.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.io.write_all(bytes.as_ref()).await?;
        self.io.flush().await
    }

    /// Sends these bytes, and receives meanwhile, so that a server that replies early is not waited for while it waits. If
    /// the server has closed, the rest is not sent: it may have replied before.
    pub(super) async fn send_and_receive(&mut self, bytes: &[u8]) {
        let mut sent = 0;
        poll_fn(|cx| {
            while self.poll_receive(cx) {}
            while sent < bytes.len() {
                match Pin::new(&mut self.io).poll_write(cx, &bytes[sent..]) {
                    Poll::Ready(Ok(n @ 1..)) => sent += n,
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
            Pin::new(&mut self.io).poll_flush(cx).map(|_| ())
        })
        .await;
    }

    /// Receives the bytes that are there; `false` if there are none, also at the end of the connection.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> bool {
        let mut block = [0; BLOCK_BYTES];
        let mut block = ReadBuf::new(&mut block);
        match Pin::new(&mut self.io).poll_read(cx, &mut block) {
            Poll::Ready(Ok(())) => {
                self.seen.extend_from_slice(block.filled());
                !block.filled().is_empty()
            }
            _ => false,
        }
    }

    /// Whether the server has closed the connection, or sent bytes that no request asked for.
    pub(super) async fn is_stale(&mut self) -> bool {
        let mut byte = [0];
        let mut byte = ReadBuf::new(&mut byte);
        let is_pending = poll_fn(|cx| Poll::Ready(Pin::new(&mut self.io).poll_read(cx, &mut byte).is_pending())).await;
        self.seen.extend_from_slice(byte.filled());
        !is_pending
    }

    /// The bytes that were received and not used yet.
    pub(super) fn unused(&self) -> &[u8] {
        &self.seen
    }

    /// Sends a request without a body, for the host `a`.
    ///
    /// # Panics
    /// If the server does not take it.
    ///
    /// # Cancel safety
    /// Not cancel safe.
    pub async fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    }

    /// Sends a request without a body that asks to change the protocol to `x`.
    ///
    /// # Panics
    /// If the server does not take it.
    ///
    /// # Cancel safety
    /// Not cancel safe.
    pub async fn get_upgrade(&mut self, path: &str) {
        let fields = "Host: a\r\nConnection: upgrade\r\nUpgrade: x\r\n";
        self.send(format!("GET {path} HTTP/1.1\r\n{fields}\r\n")).await;
    }

    /// Half-closes the connection: sends FIN.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn finish(&mut self) {
        // It fails if the server has closed, which reading tells as well.
        let _ = self.io.shutdown().await;
    }

    /// Reads some more bytes; `false` if the server has closed or reset the connection.
    async fn more(&mut self) -> bool {
        matches!(self.io.read_buf(&mut self.seen).await, Ok(n) if n > 0)
    }

    /// Reads until `read` finds something at the start of the received bytes, and takes it with its length. `None` if the
    /// connection ended before.
    pub(super) async fn read<T>(
        &mut self,
        read: impl Fn(&[u8]) -> Result<Option<(T, usize)>, ReplyError>,
    ) -> Result<Option<T>, ReplyError> {
        loop {
            if let Some((found, len)) = read(&self.seen)? {
                self.seen.drain(..len);
                return Ok(Some(found));
            }
            if !self.more().await {
                return Ok(None);
            }
        }
    }

    /// The same; malformed bytes panic.
    async fn next<T>(&mut self, read: impl Fn(&[u8]) -> Result<Option<(T, usize)>, ReplyError>) -> Option<T> {
        match self.read(read).await {
            Ok(found) => found,
            Err(error) => panic!("{error}: {}", self.seen[..self.seen.len().min(BLOCK_BYTES)].escape_ascii()),
        }
    }

    /// The next `n` bytes, unless the connection ends before.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn exactly(&mut self, n: usize) -> Option<Vec<u8>> {
        while self.seen.len() < n {
            if !self.more().await {
                return None;
            }
        }
        Some(self.seen.drain(..n).collect())
    }

    /// The head of the next reply, also of an interim one: its status, and its text without the empty line. `None` if the
    /// connection ended before.
    ///
    /// # Panics
    /// If it is malformed.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn head(&mut self) -> Option<(u16, String)> {
        self.next(ReplyHead::read).await.map(|head| (head.status.as_u16(), head.text))
    }

    /// The data of the next chunk of a body; empty for the last chunk. `None` if the connection ended before.
    ///
    /// # Panics
    /// If it is malformed.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        self.next(read_chunk).await
    }

    /// The next reply, also an interim one, to a request that is neither HEAD nor CONNECT. `None` if the connection ended
    /// before the reply did.
    ///
    /// # Panics
    /// If it is malformed.
    ///
    /// # Cancel safety
    /// Not cancel safe: a part of the reply may be lost.
    pub async fn try_reply(&mut self) -> Option<RawReply> {
        self.try_reply_to("GET").await
    }

    /// The same, to a request of this method.
    ///
    /// # Panics
    /// If it is malformed.
    ///
    /// # Cancel safety
    /// Not cancel safe: a part of the reply may be lost.
    pub async fn try_reply_to(&mut self, method: &str) -> Option<RawReply> {
        let head = self.next(ReplyHead::read).await?;
        let end = match head.body_end(method) {
            Ok(end) => end,
            Err(error) => panic!("{error}: {:?}", head.text),
        };
        let (mut body, mut trailers) = (Vec::new(), String::new());
        match end {
            BodyEnd::NoBody => {}
            BodyEnd::Length(length) => {
                body = self.exactly(usize::try_from(length).expect("a length that fits into memory")).await?;
            }
            BodyEnd::Close => body = self.rest().await,
            BodyEnd::Chunked => {
                loop {
                    let data = self.next(read_chunk).await?;
                    if data.is_empty() {
                        break;
                    }
                    body.extend(data);
                }
                trailers = self.next(read_trailers).await?.text;
            }
        }
        Some(RawReply::new(head, body, trailers))
    }

    /// The next reply, which must be whole.
    ///
    /// # Panics
    /// If it is malformed, or the connection ended before.
    ///
    /// # Cancel safety
    /// Not cancel safe: a part of the reply may be lost.
    pub async fn reply(&mut self) -> RawReply {
        self.try_reply().await.expect("a whole reply")
    }

    /// Sends a request without a body and reads its reply.
    ///
    /// # Panics
    /// If the server does not take it, or has no well-formed reply.
    ///
    /// # Cancel safety
    /// Not cancel safe: a part of the reply may be lost.
    pub async fn fetch(&mut self, path: &str) -> RawReply {
        self.get(path).await;
        self.reply().await
    }

    /// All bytes until the server closes or resets the connection.
    ///
    /// # Cancel safety
    /// Cancel safe: what was received is there for the next call.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.seen)
    }

    /// Waits for the end of the connection; `true` if no bytes come before it.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn ends(&mut self) -> bool {
        self.rest().await.is_empty()
    }

    /// The next bytes as they arrive; empty at the end of the connection.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn some(&mut self) -> Vec<u8> {
        if self.seen.is_empty() {
            self.more().await;
        }
        std::mem::take(&mut self.seen)
    }

    /// The connection, and the bytes that were received and not used yet.
    #[must_use]
    pub fn into_parts(self) -> (S, Vec<u8>) {
        (self.io, self.seen)
    }
}

/// The data of the chunk at the start of these bytes.
pub(super) fn read_chunk(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, ReplyError> {
    Ok(ReplyChunk::read(bytes)?.map(|chunk| (chunk.data.to_vec(), chunk.len)))
}

/// The trailers at the start of these bytes.
pub(super) fn read_trailers(bytes: &[u8]) -> Result<Option<(ReplyTrailers, usize)>, ReplyError> {
    Ok(ReplyTrailers::read(bytes)?.map(|trailers| {
        let len = trailers.len;
        (trailers, len)
    }))
}
