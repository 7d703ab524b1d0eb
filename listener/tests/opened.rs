//! Opening a stream: what wraps one passes it on, and a bare socket is open from the beginning.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    future::poll_fn,
    io::{self, ErrorKind},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use quintet_listener::{Abortable, Addr, AnyStream, FdReleased, Limit, Listener, Opened, Stream, TlsState, UnixName};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    net::{TcpListener, TcpStream},
};

/// A stream that is open at the second call, and then tells where its client is.
#[derive(Debug)]
struct Slow {
    stream: DuplexStream,
    calls: u32,
}

impl Slow {
    fn new() -> Self {
        Self { stream: tokio::io::duplex(1).0, calls: 0 }
    }
}

fn client() -> Addr {
    SocketAddr::from(([192, 0, 2, 1], 4567)).into()
}

impl Stream for Slow {
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Opened>> {
        self.calls += 1;
        match self.calls {
            1 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            2 => {
                let mut opened = Opened::default();
                opened.peer = Some(client());
                Poll::Ready(Ok(opened))
            }
            _ => Poll::Ready(Err(ErrorKind::InvalidData.into())),
        }
    }
}

impl AsyncRead for Slow {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Slow {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[derive(Debug)]
struct Source;

impl Listener for Source {
    type Stream = Slow;

    async fn accept(&mut self) -> io::Result<(Slow, Addr)> {
        Ok((Slow::new(), UnixName::Unnamed.into()))
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Err(ErrorKind::Unsupported.into())
    }
}

async fn open(mut stream: impl Stream) -> io::Result<Opened> {
    let opened = poll_fn(|cx| stream.poll_open(cx)).await;
    if opened.as_ref().is_ok_and(|opened| opened.peer.is_some()) {
        assert_eq!(poll_fn(|cx| stream.poll_open(cx)).await.map_err(|e| e.kind()), Err(ErrorKind::InvalidData));
    }
    opened
}

#[tokio::test]
async fn what_wraps_a_stream_passes_poll_open_on() {
    let (limited, peer) = Limit::new(Source, 1).accept().await.unwrap();
    assert_eq!(peer, "unix:".parse().unwrap(), "accepting does not wait for the opening");
    assert_eq!(open(limited).await.unwrap().peer, Some(client()));
    assert_eq!(open(FdReleased::new().on_drop(Slow::new())).await.unwrap().peer, Some(client()));
    assert_eq!(open(Abortable::new(Slow::new()).0).await.unwrap().peer, Some(client()));
}

#[tokio::test]
async fn a_bare_socket_is_open_from_the_beginning() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    assert_eq!(open(client).await.unwrap(), Opened::default());
    assert_eq!(open(AnyStream::Tcp(listener.accept().await.unwrap().0)).await.unwrap(), Opened::default());
    assert_eq!(open(tokio::io::duplex(1).0).await.unwrap(), Opened::default());
}

#[test]
fn what_the_outer_layer_told_goes_before_what_the_inner_did() {
    let mut outer = Opened::default();
    let mut tls = TlsState::default();
    tls.version = 0x0304;
    outer.tls = Some(tls.into());
    let mut inner = Opened::default();
    (inner.peer, inner.tls) = (Some(client()), Some(TlsState::default().into()));
    inner.own_tls = true;
    let both = outer.clone().or(inner.clone());
    assert!(!both.own_tls && Opened::default().or(inner.clone()).own_tls, "of the handshake that is told");
    assert_eq!((both.peer, both.tls.clone()), (inner.peer, outer.tls));
    assert_eq!(both.tls.unwrap().version_name(), Some("TLSv1.3"));
}
