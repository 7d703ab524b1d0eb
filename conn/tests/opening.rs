//! Opening a stream within the time of the first head, and what it tells.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::BytesMut;
use common::{Script, Step, addr, connections, ends_after, limits, scripted};
use quintet_conn::{Filled, Phase, Timeouts, Wire, WireError};
use quintet_listener::{Addr, HostScope, Opened, Stream, TlsState};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

/// A stream that opens when it is told what came of it.
struct Opening {
    stream: DuplexStream,
    told: oneshot::Receiver<io::Result<Opened>>,
}

type Tell = oneshot::Sender<io::Result<Opened>>;

fn opening() -> (Opening, Tell, DuplexStream) {
    let (stream, client) = tokio::io::duplex(1024);
    let (tell, told) = oneshot::channel();
    (Opening { stream, told }, tell, client)
}

impl Stream for Opening {
    fn local_addr(&self) -> Option<Addr> {
        None
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Opened>> {
        Poll::Ready(ready!(Pin::new(&mut self.told).poll(cx)).unwrap())
    }
}

impl AsyncRead for Opening {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Opening {
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

fn opened() -> Opened {
    let mut opened = Opened::default();
    opened.peer = Some("198.51.100.7:1234".parse().unwrap());
    opened.local = Some("203.0.113.1:443".parse().unwrap());
    let mut tls = TlsState::default();
    tls.version = 0x0304;
    opened.tls = Some(Arc::new(tls));
    opened.hosts = Some(HostScope::new(Some("a.example"), |_| false));
    opened.unique_id = Some(b"id".as_slice().into());
    opened
}

#[tokio::test(start_paused = true)]
async fn what_opening_told_is_at_the_connection() {
    let connections = connections(limits());
    let (stream, tell, _client) = opening();
    let (connection, mut wire) = connections.admit(stream, addr());
    assert_eq!((connection.peer_addr(), connection.local_addr()), (&addr(), None));
    assert!(connection.tls().is_none() && connection.hosts().is_none() && connection.unique_id().is_none());
    tell.send(Ok(opened())).unwrap();
    wire.open().await.unwrap();
    assert_eq!(*connection.peer_addr(), "198.51.100.7:1234".parse().unwrap());
    assert_eq!(*connection.socket_peer_addr(), addr());
    assert_eq!(*connection.local_addr().unwrap(), "203.0.113.1:443".parse().unwrap());
    assert_eq!(connection.tls().unwrap().version, 0x0304);
    assert!(connection.hosts().unwrap().covers("a.example"));
    assert_eq!(connection.unique_id(), Some(&b"id"[..]));
}

/// A proxy that ends TLS may have chosen HTTP/2 with the client, and speak HTTP/1.1 with us.
#[tokio::test(start_paused = true)]
async fn the_negotiated_protocol_is_that_of_our_own_tls() {
    for (own_tls, protocol, seen) in [(true, "h2", Some("h2")), (true, "", Some("")), (false, "h2", None)] {
        let connections = connections(limits());
        let (stream, tell, _client) = opening();
        let (connection, mut wire) = connections.admit(stream, addr());
        assert_eq!(connection.negotiated_protocol(), None);
        let mut opened = opened();
        opened.own_tls = own_tls;
        let mut tls = TlsState::default();
        tls.negotiated_protocol = protocol.as_bytes().into();
        opened.tls = Some(Arc::new(tls));
        tell.send(Ok(opened)).unwrap();
        wire.open().await.unwrap();
        assert_eq!(connection.negotiated_protocol(), seen.map(str::as_bytes), "{own_tls} {protocol}");
        assert_eq!(&*connection.tls().unwrap().negotiated_protocol, protocol.as_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_does_not_open_has_the_time_of_a_head() {
    let connections = connections(limits());
    let (stream, _tell, _client) = opening();
    let (_connection, mut wire) = connections.admit(stream, addr());
    let late = ends_after(limits().read_header, wire.open()).await;
    assert!(matches!(late, Err(WireError::TimedOut(Phase::Head))), "{late:?}");
}

/// A client that took nine seconds to open still has ten for its head, and no more.
#[tokio::test(start_paused = true)]
async fn the_head_has_its_own_time_after_the_opening() {
    let connections = connections(limits());
    let (stream, tell, _client) = opening();
    let (_connection, mut wire) = connections.admit(stream, addr());
    let (opened, ()) = tokio::join!(wire.open(), async {
        sleep(Duration::from_secs(9)).await;
        tell.send(Ok(Opened::default())).unwrap();
    });
    opened.unwrap();
    let late = ends_after(limits().read_header, wire.flush_and_fill(1024)).await;
    assert!(matches!(late, Err(WireError::TimedOut(Phase::Head))), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn an_opening_that_fails_breaks_the_wire() {
    let connections = connections(limits());
    let (stream, tell, _client) = opening();
    let (_connection, mut wire) = connections.admit(stream, addr());
    tell.send(Err(io::ErrorKind::InvalidData.into())).unwrap();
    let error = wire.open().await.unwrap_err();
    assert!(matches!(&error, WireError::Io(error) if error.kind() == io::ErrorKind::InvalidData), "{error:?}");
    wire.output.extend(b"nobody hears this");
    assert!(wire.flush().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_opening_ends_when_the_connections_are_aborted_or_stopped() {
    let Timeouts { drain, .. } = limits();
    for abort in [true, false] {
        let connections = connections(limits());
        let (stream, _tell, _client) = opening();
        let (_connection, mut wire) = connections.admit(stream, addr());
        let mut open = pin!(wire.open());
        assert!(timeout(Duration::from_secs(1), open.as_mut()).await.is_err());
        let start = Instant::now();
        if abort {
            connections.abort();
        } else {
            connections.stop();
        }
        let error = open.await.unwrap_err();
        match error {
            WireError::Aborted => assert!(abort && start.elapsed() == Duration::ZERO),
            WireError::TimedOut(Phase::Drain) => {
                assert!(!abort && start.elapsed() >= drain && start.elapsed() < drain + Duration::from_secs(1));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// TLS without close_notify.
#[tokio::test(start_paused = true)]
async fn an_unexpected_eof_is_an_end_for_a_connection_and_an_error_without_one() {
    let connections = connections(limits());
    for large in [false, true] {
        let (_connection, mut wire, peer) = scripted(&connections);
        peer.sends(*b"x").reads([Step::Error(io::ErrorKind::UnexpectedEof)]);
        assert_eq!(read(&mut wire, large).await.unwrap(), Filled::Bytes(1));
        assert_eq!(read(&mut wire, large).await.unwrap(), Filled::End);
        assert!(wire.is_ended());

        let (script, peer) = Script::new();
        let mut wire = Wire::new(script);
        peer.reads([Step::Error(io::ErrorKind::UnexpectedEof)]);
        assert!(matches!(read(&mut wire, large).await, Err(WireError::Io(_))));
    }
}

async fn read(wire: &mut Wire<Script>, large: bool) -> Result<Filled, WireError> {
    if large {
        let mut into = BytesMut::with_capacity(64);
        return poll_fn(|cx| wire.poll_fill_into(cx, &mut into, 64)).await;
    }
    wire.flush_and_fill(64).await
}

#[tokio::test(start_paused = true)]
async fn a_bare_stream_is_open_and_tells_nothing() {
    let connections = connections(limits());
    let (connection, mut wire, _peer) = scripted(&connections);
    wire.open().await.unwrap();
    wire.open().await.unwrap();
    assert_eq!(connection.peer_addr(), connection.socket_peer_addr());
    assert!(connection.tls().is_none());
    // Nor does a wire without an entry.
    Wire::new(Script::new().0).open().await.unwrap();
}
