//! A client that sends bytes and reads replies.

use super::reply::{self, BodyEnd, Chunk, ReplyHead};

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A client that sends bytes and reads replies.
pub struct Client<S> {
    pub io: S,
    /// The bytes that were received and not used yet.
    seen: Vec<u8>,
}

/// A reply as it arrived.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// Everything before the empty line.
    pub head: String,
    pub body: Vec<u8>,
    /// The fields, a line each.
    pub trailers: String,
    parsed: ReplyHead,
}

impl Reply {
    /// The first value of a field; names are compared without case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.parsed.field(name)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body that is text")
    }

    /// Whether the reply says that it is the last on its connection.
    pub fn is_last(&self) -> bool {
        self.parsed.is_last()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn new(io: S) -> Self {
        Self { io, seen: Vec::new() }
    }

    /// Sends these bytes; the server must take them.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.io.write_all(bytes.as_ref()).await.expect("the server reads");
        self.io.flush().await.expect("the server reads");
    }

    /// Sends these bytes, unless the server has closed.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.io.write_all(bytes.as_ref()).await?;
        self.io.flush().await
    }

    /// Sends a request without a body.
    pub async fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    }

    /// Sends a request without a body that asks to change the protocol to `x`.
    pub async fn get_upgrade(&mut self, path: &str) {
        let fields = "Host: a\r\nConnection: upgrade\r\nUpgrade: x\r\n";
        self.send(format!("GET {path} HTTP/1.1\r\n{fields}\r\n")).await;
    }

    /// Half-closes: sends FIN.
    pub async fn finish(&mut self) {
        let _ = self.io.shutdown().await;
    }

    /// Reads some more bytes; `false` if the server has closed or reset the connection.
    async fn more(&mut self) -> bool {
        matches!(self.io.read_buf(&mut self.seen).await, Ok(n) if n > 0)
    }

    /// Reads until `read` finds something at the beginning of the received bytes, and uses it up. `None` if the connection
    /// ended before.
    pub async fn next<T>(&mut self, read: impl Fn(&[u8]) -> Option<(T, usize)>) -> Option<T> {
        loop {
            if let Some((found, len)) = read(&self.seen) {
                self.seen.drain(..len);
                return Some(found);
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The next `n` bytes, unless the connection ends before.
    pub async fn exactly(&mut self, n: usize) -> Option<Vec<u8>> {
        while self.seen.len() < n {
            if !self.more().await {
                return None;
            }
        }
        Some(self.seen.drain(..n).collect())
    }

    /// The head of the next reply: its status, and its text.
    pub async fn head(&mut self) -> Option<(u16, String)> {
        self.next(ReplyHead::read).await.map(|head| (head.status, head.text))
    }

    /// The next final reply to a request that is not HEAD. `None` if the connection ended before the reply did.
    pub async fn try_reply(&mut self) -> Option<Reply> {
        self.try_reply_to("GET").await
    }

    /// The same, to a request of this method.
    pub async fn try_reply_to(&mut self, method: &str) -> Option<Reply> {
        let parsed = self.next(ReplyHead::read).await?;
        let (mut body, mut trailers) = (Vec::new(), String::new());
        match parsed.body_end(method) {
            BodyEnd::NoBody => {}
            BodyEnd::Length(length) => body = self.exactly(length).await?,
            BodyEnd::Close => body = self.rest().await,
            BodyEnd::Chunked => {
                let chunk = |bytes: &[u8]| Chunk::read(bytes).map(|chunk| (chunk.data.to_vec(), chunk.len));
                loop {
                    let data = self.next(chunk).await?;
                    if data.is_empty() {
                        break;
                    }
                    body.extend(data);
                }
                trailers = self.next(reply::trailers).await?;
            }
        }
        Some(Reply { status: parsed.status, head: parsed.text.clone(), body, trailers, parsed })
    }

    /// The next reply, which must be whole.
    pub async fn reply(&mut self) -> Reply {
        self.try_reply().await.expect("a whole reply")
    }

    /// Sends a request without a body and reads its reply.
    pub async fn fetch(&mut self, path: &str) -> Reply {
        self.get(path).await;
        self.reply().await
    }

    /// All bytes until the server closes or resets the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.seen)
    }

    /// Waits for the end of the connection; `true` if it is a FIN, and no bytes come before it.
    pub async fn ends(&mut self) -> bool {
        self.rest().await.is_empty()
    }

    /// The next bytes as they arrive; empty at the end of the connection.
    pub async fn some(&mut self) -> Vec<u8> {
        if self.seen.is_empty() {
            self.more().await;
        }
        std::mem::take(&mut self.seen)
    }
}
