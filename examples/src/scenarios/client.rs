//! A client of HTTP/1.1 over any stream, as simple as the scenarios need it.

use std::io;

use anyhow::{Context, ensure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest reply that is read.
const MAX_REPLY_BYTES: usize = 64 * 1024;

/// A client and its connection.
#[derive(Debug)]
pub(super) struct Client<S> {
    stream: S,
    /// What was received and belongs to the next reply.
    received: Vec<u8>,
}

/// A reply.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: String,
    /// Whether the server closes the connection behind it.
    pub(super) is_last: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, received: Vec::new() }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    pub(super) async fn get(&mut self, path: &str) -> io::Result<()> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await
    }

    /// Reads the next reply, which has a `Content-Length`.
    ///
    /// # Cancel safety
    /// Nothing is lost: what was received stays for the next call.
    pub(super) async fn reply(&mut self) -> anyhow::Result<Reply> {
        loop {
            if let Some((reply, len)) = read(&self.received)? {
                self.received.drain(..len);
                return Ok(reply);
            }
            ensure!(self.received.len() < MAX_REPLY_BYTES, "the reply is too long");
            let mut buffer = [0; 4096];
            let n = self.stream.read(&mut buffer).await?;
            ensure!(n > 0, "the server closed the connection before a reply");
            self.received.extend_from_slice(&buffer[..n]);
        }
    }

    /// Whether the server sends nothing more and closes the connection.
    pub(super) async fn is_at_end(&mut self) -> io::Result<bool> {
        Ok(self.received.is_empty() && self.stream.read(&mut [0]).await? == 0)
    }
}

/// A reply and its length; `None` until all of it is there.
fn read(bytes: &[u8]) -> anyhow::Result<Option<(Reply, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end])?.to_ascii_lowercase();
    let (mut lines, start) = (head.lines(), end + 4);
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("a reply has a status")?.parse()?;
    let (mut len, mut is_last) = (0, false);
    for line in lines {
        match line.split_once(": ") {
            Some(("content-length", value)) => len = value.parse()?,
            Some(("connection", value)) => is_last = value == "close",
            _ => {}
        }
    }
    let Some(body) = bytes.get(start..start + len) else { return Ok(None) };
    Ok(Some((Reply { status, body: String::from_utf8(body.to_vec())?, is_last }, start + len)))
}
