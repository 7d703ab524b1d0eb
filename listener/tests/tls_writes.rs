//! How often a TLS stream calls its socket for what is written to it.
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
};

use quintet_listener::{Addr, Listener, Stream, Tls, TlsStream, UnixName};
use tls_support::{Authority, ClientStream, open, options, tls_over};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};

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

/// An open connection, and the calls that write.
async fn connected() -> (TlsStream<Counted>, ClientStream, Arc<AtomicUsize>) {
    let ours = Authority::new("ours");
    let (client, server) = duplex(1 << 20);
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
    let (mut stream, _client, writes) = connected().await;
    for (head, body, calls) in [(200, 0, 1), (200, 100, 1), (8, 32 << 10, 1), (200, 64 << 10, 2), (0, 128 << 10, 4)] {
        writes.store(0, Relaxed);
        write(&mut stream, &vec![b'h'; head], &vec![b'b'; body]).await;
        assert_eq!(writes.load(Relaxed), calls, "{head} and {body} bytes");
    }
}
