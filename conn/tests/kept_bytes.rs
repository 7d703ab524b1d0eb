//! A stream that keeps what it is given, as TLS does: a client takes what leaves the process, and nothing else counts.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use common::{addr, connections, ends_after, limits};
use quintet_conn::{ConnGuard, Phase, Wire, WireError};
use quintet_listener::Stream;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream, ReadBuf, duplex},
    time::{sleep, timeout},
};

/// A stream that keeps 36 KiB before its pipe.
struct Keeping {
    pipe: DuplexStream,
    kept: Vec<u8>,
    sent: usize,
}

impl Keeping {
    const MAX_BYTES: usize = 36 << 10;

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.kept.is_empty() {
            let n = ready!(Pin::new(&mut self.pipe).poll_write(cx, &self.kept))?;
            self.kept.drain(..n);
            self.sent = self.sent.wrapping_add(n);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Keeping {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Keeping {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut taken = 0;
        loop {
            let n = (bytes.len() - taken).min(Self::MAX_BYTES - self.kept.len());
            self.kept.extend_from_slice(&bytes[taken..taken + n]);
            taken += n;
            match self.poll_drain(cx) {
                Poll::Ready(Ok(())) if taken < bytes.len() => {}
                Poll::Pending if taken == 0 => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) | Poll::Pending => return Poll::Ready(Ok(taken)),
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_drain(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

impl Stream for Keeping {
    fn bytes_sent(&self) -> Option<usize> {
        Some(self.sent)
    }
}

/// A connection whose number of sent bytes is about to wrap around, and its client behind a pipe of `size` bytes.
fn keeping(size: usize) -> (ConnGuard, Wire<Keeping>, DuplexStream) {
    let (pipe, client) = duplex(size);
    let stream = Keeping { pipe, kept: Vec::new(), sent: usize::MAX - 100 };
    let (connection, wire) = connections(limits()).admit(stream, addr());
    (connection, wire, client)
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[track_caller]
fn assert_late(error: &WireError) {
    assert!(matches!(error, WireError::TimedOut(Phase::Reply)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn bytes_that_a_stream_keeps_do_not_count_as_taken() {
    for bytes in [10_000, 100_000] {
        let (_connection, mut wire, _client) = keeping(1200);
        wire.output.extend(&vec![b'x'; bytes]);
        // The grace period of 5 s, and 1200 bytes at 240 B/s.
        assert_late(&ends_after(secs(10), wire.flush()).await.unwrap_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_drains_a_stream_at_the_min_rate_never_times_out() {
    let (_connection, mut wire, mut client) = keeping(240);
    let bytes = Keeping::MAX_BYTES;
    wire.output.extend(&vec![b'x'; bytes]);
    let reading = tokio::spawn(async move {
        let (mut read, mut buffer) = (0, [0; 240]);
        while read < bytes {
            sleep(secs(1)).await;
            read += client.read(&mut buffer).await.unwrap();
        }
    });
    wire.flush().await.unwrap();
    reading.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stops_while_a_stream_drains_is_late_after_60_s() {
    for bytes in [30_000, 60_000] {
        let (_connection, mut wire, mut client) = keeping(2400);
        wire.output.extend(&vec![b'x'; bytes]);
        let reading = tokio::spawn(async move {
            for _ in 0..10 {
                sleep(secs(1)).await;
                client.read_exact(&mut [0; 2400]).await.unwrap();
            }
            client
        });
        assert_late(&ends_after(secs(10 + 60), wire.flush()).await.unwrap_err());
        drop(reading.await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_stream_keeps_later_does_not_prolong_the_wait() {
    let (_connection, mut wire, _client) = keeping(1 << 16);
    wire.output.extend(&vec![b'x'; (1 << 16) + 10_000]);
    timeout(secs(30), wire.flush()).await.unwrap_err();
    wire.output.extend(&[b'x'; 1000]);
    assert_late(&ends_after(secs(30), wire.flush()).await.unwrap_err());
}

#[cfg(feature = "sendfile")]
#[tokio::test(start_paused = true)]
async fn bytes_of_a_file_that_a_stream_keeps_do_not_count_as_taken() {
    use quintet_conn::FileSection;
    let path = std::env::temp_dir().join(format!("quintet-kept-bytes-{}", std::process::id()));
    std::fs::write(&path, vec![b'x'; 100_000]).unwrap();
    for bytes in [10_000, 100_000] {
        let (_connection, mut wire, _client) = keeping(1200);
        let file = std::fs::File::open(&path).unwrap();
        wire.output.push_file(Box::new(FileSection::new(file.into(), 0, bytes)));
        assert_late(&ends_after(secs(10), wire.flush()).await.unwrap_err());
    }
    std::fs::remove_file(path).unwrap();
}
