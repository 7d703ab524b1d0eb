//! How often a TLS stream calls its socket for what is written to it, and what it says of that.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod tls_support;

use std::{
    future::{pending, poll_fn},
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use quintet_listener::{Addr, FdReleased, Listener, Stream, Tls, TlsStream, UnixName};
use tls_support::{Authority, ClientStream, open, options, tls_over};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    time::timeout,
};

/// A stream that counts the calls that write to it.
struct Counted(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.1.fetch_add(1, Relaxed);
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Stream for Counted {}

/// Yields one stream.
struct One(Option<Counted>);

impl Listener for One {
    type Stream = Counted;

    async fn accept(&mut self) -> io::Result<(Counted, Addr)> {
        match self.0.take() {
            Some(stream) => Ok((stream, "192.0.2.1:4567".parse().unwrap())),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Ok(Addr::Unix(UnixName::Unnamed))
    }
}

/// An open connection over a pipe of so many bytes, and the calls that write.
async fn connected(size: usize) -> (TlsStream<Counted>, ClientStream, Arc<AtomicUsize>) {
    let ours = Authority::new("ours");
    let (client, server) = duplex(size);
    let writes = Arc::<AtomicUsize>::default();
    let one = One(Some(Counted(server, Arc::clone(&writes))));
    let mut tls = Tls::new(one, ours.issue("a.example", 1).config(options()));
    let serve = async {
        let (mut stream, _) = tls.accept().await.unwrap();
        open(&mut stream).await.unwrap();
        stream
    };
    let config = Arc::new(ours.client());
    let (stream, client) = tokio::join!(serve, tls_over(client, &config, "a.example"));
    (stream, client.unwrap(), writes)
}

/// Writes all of a head and a body.
async fn write(stream: &mut TlsStream<Counted>, mut head: &[u8], mut body: &[u8]) {
    while !(head.is_empty() && body.is_empty()) {
        let slices = [IoSlice::new(head), IoSlice::new(body)];
        let written = poll_fn(|cx| Pin::new(&mut *stream).poll_write_vectored(cx, &slices)).await.unwrap();
        let of_head = written.min(head.len());
        head = &head[of_head..];
        body = &body[written - of_head..];
    }
    stream.flush().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_sent_by_few_calls() {
    let (mut stream, _client, writes) = connected(1 << 20).await;
    for (head, body, calls) in [(200, 0, 1), (200, 100, 1), (8, 32 << 10, 1), (200, 64 << 10, 2), (0, 128 << 10, 4)] {
        writes.store(0, Relaxed);
        write(&mut stream, &vec![b'h'; head], &vec![b'b'; body]).await;
        assert_eq!(writes.load(Relaxed), calls, "{head} and {body} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_sent_are_those_that_the_socket_took() {
    const PIPE: usize = 4096;
    let (mut stream, client, _) = connected(PIPE).await;
    let (mut encrypted, _tls) = client.into_inner();
    // The tickets and the like.
    stream.flush().await.unwrap();
    let mut buffer = vec![0; 2 * PIPE];
    while let Ok(Ok(1..)) = timeout(Duration::ZERO, encrypted.read(&mut buffer)).await {}

    let sent = |stream: &TlsStream<Counted>| stream.bytes_sent().unwrap();
    let before = sent(&stream);
    assert!(before > 0, "the handshake");
    let written = stream.write(&[0; 20_000]).await.unwrap();
    assert_eq!((written, sent(&stream) - before), (20_000, PIPE), "what the pipe holds");
    assert!(timeout(Duration::ZERO, stream.flush()).await.is_err());
    assert_eq!(sent(&stream) - before, PIPE, "no more than that");
    for read in [1, 1000, PIPE] {
        let before = sent(&stream);
        encrypted.read_exact(&mut buffer[..read]).await.unwrap();
        assert!(timeout(Duration::ZERO, stream.flush()).await.is_err());
        assert_eq!(sent(&stream) - before, read);
    }
    let reading = async {
        let mut left = 20_000_usize - 1 - 1000 - PIPE;
        while left > 0 {
            left = left.saturating_sub(encrypted.read(&mut buffer).await.unwrap());
        }
    };
    let (flushed, ()) = tokio::join!(stream.flush(), reading);
    flushed.unwrap();
    let all = sent(&stream) - before;
    assert!((20_000..20_100).contains(&all), "{all} bytes with the framing of records");
}

#[tokio::test(start_paused = true)]
async fn bytes_sent_are_told_through_what_wraps_a_stream() {
    let (stream, _client, _) = connected(1 << 20).await;
    let sent = stream.bytes_sent();
    assert!(sent > Some(0));
    assert_eq!(FdReleased::new().on_drop(stream).bytes_sent(), sent);
    assert_eq!(duplex(1).0.bytes_sent(), None, "memory keeps nothing");
}
