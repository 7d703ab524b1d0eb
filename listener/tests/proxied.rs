//! Connections behind a proxy: who must say who the client is, who may not, and how long it may take.
#![cfg(all(feature = "io", feature = "proxy"))]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    error::Error,
    future::{Future, poll_fn},
    io::{self, ErrorKind},
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use quintet_listener::{
    Addr, Limit, Listener, Nets, Opened, Proxied, ProxiedStream, ProxyHeaderError, Stream, UntrustedPolicy,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, sleep},
};

const HEADER: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";
const UNKNOWN: &[u8] = b"PROXY UNKNOWN\r\n";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const PROXY: &str = "10.0.0.1:4567";
const STRANGER: &str = "203.0.113.9:4567";

/// A network in memory: connections come from wherever a test says.
struct Memory(UnboundedReceiver<(DuplexStream, Addr)>);

impl Listener for Memory {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, Addr)> {
        self.0.recv().await.ok_or_else(|| ErrorKind::NotConnected.into())
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Ok(addr("198.51.100.1:443"))
    }
}

struct Network(UnboundedSender<(DuplexStream, Addr)>);

impl Network {
    fn connect(&self, from: &str) -> DuplexStream {
        let (client, server) = duplex(64 * 1024);
        assert!(self.0.send((server, addr(from))).is_ok(), "the listener is there");
        client
    }
}

fn addr(text: &str) -> Addr {
    text.parse().unwrap()
}

fn network() -> (Network, Proxied<Memory>) {
    let (sender, receiver) = unbounded_channel();
    let trusted: Nets = "10.0.0.0/8".parse().unwrap();
    (Network(sender), Proxied::new(Memory(receiver), trusted))
}

async fn open(stream: &mut impl Stream) -> io::Result<Opened> {
    poll_fn(|cx| stream.poll_open(cx)).await
}

/// A connection from the proxy that has sent these bytes.
async fn accepted(bytes: &[u8]) -> (DuplexStream, ProxiedStream<DuplexStream>) {
    let (network, mut listener) = network();
    let mut client = network.connect(PROXY);
    client.write_all(bytes).await.unwrap();
    let (stream, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, addr(PROXY));
    (client, stream)
}

#[tokio::test(start_paused = true)]
async fn poll_open_tells_the_client_at_every_call_and_reading_begins_behind() {
    let (mut client, mut stream) = accepted(&[HEADER, REQUEST].concat()).await;
    for _ in 0..2 {
        let opened = open(&mut stream).await.unwrap();
        assert_eq!((opened.peer, opened.local), (Some(addr("192.0.2.1:56324")), Some(addr("198.51.100.1:443"))));
    }
    let mut request = [0; 3];
    stream.read_exact(&mut request).await.unwrap();
    assert_eq!(&request, b"GET");
    client.write_all(b"more").await.unwrap();
    drop(client);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, [&REQUEST[3..], b"more"].concat());
}

#[tokio::test(start_paused = true)]
async fn a_header_may_come_in_any_pieces() {
    let bytes = [HEADER, REQUEST].concat();
    for at in 0..bytes.len() {
        for reads_first in [false, true] {
            let (mut client, mut stream) = accepted(&bytes[..at]).await;
            let sending = async {
                sleep(Duration::from_millis(1)).await;
                client.write_all(&bytes[at..]).await.unwrap();
            };
            let receiving = async {
                if !reads_first {
                    assert_eq!(open(&mut stream).await.unwrap().peer, Some(addr("192.0.2.1:56324")));
                }
                let mut request = vec![0; REQUEST.len()];
                stream.read_exact(&mut request).await.unwrap();
                assert_eq!(request, REQUEST, "split at {at}");
            };
            tokio::join!(sending, receiving);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_addresses_are_the_sockets_for_unknown() {
    let (_client, mut stream) = accepted(UNKNOWN).await;
    assert_eq!(open(&mut stream).await.unwrap(), Opened::default());
}

#[tokio::test(start_paused = true)]
async fn a_silent_proxy_and_half_a_header_time_out_after_five_seconds() {
    for (bytes, every) in [(&b""[..], None), (&HEADER[..20], None), (HEADER, Some(Duration::from_millis(700)))] {
        let (network, mut listener) = network();
        let mut client = network.connect(PROXY);
        let (mut stream, _) = listener.accept().await.unwrap();
        // Nobody serves it yet: that is not the proxy's time.
        sleep(Duration::from_secs(60)).await;
        let began = Instant::now();
        let sending = tokio::spawn(async move {
            match every {
                None => client.write_all(bytes).await.unwrap(),
                Some(every) => {
                    for byte in bytes {
                        let _ = client.write_all(&[*byte]).await;
                        sleep(every).await;
                    }
                }
            }
            client
        });
        assert_eq!(open(&mut stream).await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), Duration::from_secs(5));
        assert_eq!(stream.read_u8().await.unwrap_err().kind(), ErrorKind::TimedOut, "and it stays so");
        assert_eq!(stream.write_all(b"x").await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(listener.health().snapshot().timed_out, 1);
        sending.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn the_timeout_can_be_chosen() {
    let (network, listener) = network();
    let mut listener = listener.timeout(Duration::from_secs(3));
    let _client = network.connect(PROXY);
    let (mut stream, _) = listener.accept().await.unwrap();
    let began = Instant::now();
    assert_eq!(stream.read_u8().await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(began.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_silent_proxy_holds_up_no_other_connection() {
    let (network, mut listener) = network();
    let _silent = network.connect(PROXY);
    let mut client = network.connect(PROXY);
    client.write_all(HEADER).await.unwrap();
    let began = Instant::now();
    let (_first, _) = listener.accept().await.unwrap();
    let (mut second, _) = listener.accept().await.unwrap();
    open(&mut second).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_trusted_peer_without_a_header_is_refused() {
    let at_byte = |at| Some(ProxyHeaderError::Signature { at });
    for (bytes, kind, reason) in [
        (REQUEST, ErrorKind::InvalidData, at_byte(0)),
        (b"PROXX", ErrorKind::InvalidData, at_byte(4)),
        (b"\x16\x03\x01\x02\x00", ErrorKind::InvalidData, at_byte(0)),
        (b"", ErrorKind::UnexpectedEof, None),
        (&HEADER[..40], ErrorKind::UnexpectedEof, None),
    ] {
        let (client, mut stream) = accepted(bytes).await;
        let (mut reading, writing) = split(client);
        let closing = tokio::spawn(async move {
            let mut writing = writing;
            writing.shutdown().await
        });
        let error = open(&mut stream).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{}", bytes.escape_ascii());
        let inside = error.get_ref().and_then(|inside| inside.downcast_ref::<ProxyHeaderError>());
        assert_eq!(inside.copied(), reason);
        assert_eq!(open(&mut stream).await.unwrap_err().kind(), kind, "and it stays so");
        assert_eq!(stream.read_u8().await.unwrap_err().kind(), kind);
        assert_eq!(stream.write_all(b"x").await.unwrap_err().kind(), kind);
        drop(stream);
        let mut answer = Vec::new();
        reading.read_to_end(&mut answer).await.unwrap();
        assert!(answer.is_empty(), "nothing is said before the header");
        let _ = closing.await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_untrusted_peer_is_closed_at_once_also_with_a_header() {
    let (network, mut listener) = network();
    let mut strangers = [network.connect(STRANGER), network.connect("unix:"), network.connect("[::1]:80")];
    for stranger in &mut strangers {
        stranger.write_all(HEADER).await.unwrap();
    }
    let mut client = network.connect(PROXY);
    client.write_all(HEADER).await.unwrap();
    let (mut stream, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, addr(PROXY));
    open(&mut stream).await.unwrap();
    for stranger in &mut strangers {
        assert_eq!(stranger.read(&mut [0]).await.unwrap(), 0, "closed");
    }
    let health = listener.health().snapshot();
    assert_eq!((health.untrusted, health.opened), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn an_untrusted_peer_that_is_skipped_is_never_asked_for_a_header() {
    let (network, listener) = network();
    let mut listener = listener.untrusted(UntrustedPolicy::Skip);
    let mut client = network.connect(STRANGER);
    client.write_all(HEADER).await.unwrap();
    let (mut stream, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, addr(STRANGER));
    assert_eq!(open(&mut stream).await.unwrap(), Opened::default());
    let mut bytes = vec![0; HEADER.len()];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(bytes, HEADER, "the header is what the client sent, and nothing else");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_before_the_header() {
    let (mut client, mut stream) = accepted(b"").await;
    {
        let mut writing = pin!(stream.write_all(b"hello"));
        assert!(poll_fn(|cx| Poll::Ready(writing.as_mut().poll(cx))).await.is_pending());
    }
    client.write_all(HEADER).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut hello = String::new();
    client.read_to_string(&mut hello).await.unwrap();
    assert_eq!(hello, "hello");
}

/// The socket knows one task that reads; both must wake, also if the one that asked last is gone by then.
#[tokio::test(start_paused = true)]
async fn a_reading_and_a_writing_task_both_wake_when_the_header_comes() {
    for writer_gives_up in [false, true] {
        let (mut client, stream) = accepted(b"").await;
        let (mut reading, mut writing) = split(stream);
        let reader = tokio::spawn(async move { reading.read_u8().await });
        sleep(Duration::from_millis(1)).await;
        let writer = tokio::spawn(async move { writing.write_all(b"hello").await });
        sleep(Duration::from_millis(1)).await;
        if writer_gives_up {
            writer.abort();
        }
        let began = Instant::now();
        client.write_all(&[HEADER, b"x"].concat()).await.unwrap();
        assert_eq!(reader.await.unwrap().unwrap(), b'x');
        if !writer_gives_up {
            writer.await.unwrap().unwrap();
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn per_peer_counts_the_client_that_the_header_says() {
    let (network, listener) = network();
    let mut listener = listener.per_peer(2);
    let mut held = Vec::new();
    let other: &[u8] = b"PROXY TCP4 192.0.2.2 198.51.100.1 1 443\r\n";
    for (header, admitted) in [
        (HEADER, true),
        (HEADER, true),
        (HEADER, false),
        (other, true),
        (UNKNOWN, true),
        (UNKNOWN, true),
        (UNKNOWN, true),
    ] {
        let mut client = network.connect(PROXY);
        client.write_all(header).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let opened = open(&mut stream).await.map_err(|error| error.kind()).map(drop);
        assert_eq!(opened, if admitted { Ok(()) } else { Err(ErrorKind::QuotaExceeded) });
        held.push((client, stream));
    }
    assert_eq!(listener.health().snapshot().per_peer, 1);
    held.remove(0);
    let mut client = network.connect(PROXY);
    client.write_all(HEADER).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    open(&mut stream).await.expect("a place is free again");
}

#[tokio::test(start_paused = true)]
async fn per_peer_counts_the_socket_of_a_peer_that_is_skipped() {
    let (network, listener) = network();
    let mut listener = listener.untrusted(UntrustedPolicy::Skip).per_peer(1);
    let _clients = [network.connect(STRANGER), network.connect(STRANGER), network.connect("203.0.113.8:1")];
    let _first = listener.accept().await.unwrap();
    assert_eq!(listener.accept().await.unwrap().1, addr("203.0.113.8:1"), "the second was closed");
    assert_eq!(listener.health().snapshot().per_peer, 1);
}

#[tokio::test(start_paused = true)]
async fn errors_are_reported_once_a_second_and_a_panic_is_caught() {
    let (network, listener) = network();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let said = Arc::clone(&lines);
    let mut listener = listener.on_error(move |error| {
        assert!(error.source().is_some());
        said.lock().unwrap().push(error.to_string());
        assert!(error.suppressed == 0, "a panic in the hook");
    });
    for _ in 0..3 {
        network.connect(STRANGER);
    }
    drop(network.connect(PROXY));
    let mut client = network.connect(PROXY);
    client.write_all(b"GET").await.unwrap();
    let (mut check, _) = listener.accept().await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    sleep(Duration::from_secs(1)).await;
    open(&mut check).await.unwrap_err(); // is counted and not reported
    open(&mut stream).await.unwrap_err();
    assert_eq!(
        *lines.lock().unwrap(),
        [
            "PROXY protocol: 203.0.113.9:4567: not a trusted proxy",
            "PROXY protocol: 10.0.0.1:4567: no PROXY header: the signature is wrong at byte 0 (2 more not shown)",
        ]
    );
    let health = listener.health().snapshot();
    assert_eq!((health.unexpected_eof, health.invalid, health.report_panics), (1, 1, 1));
}

/// What wraps the stream, as TLS does, opens it by reading; what stands in front of it told first.
#[tokio::test(start_paused = true)]
async fn it_works_inside_and_outside_of_other_listeners() {
    let (network, listener) = network();
    let mut listener = Proxied::new(Limit::new(listener, 1), "10.0.0.0/8".parse().unwrap());
    let mut client = network.connect(PROXY);
    let inner: &[u8] = b"PROXY TCP4 203.0.113.7 198.51.100.1 1 443\r\n";
    client.write_all(&[inner, HEADER, REQUEST].concat()).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let opened = open(&mut stream).await.unwrap();
    assert_eq!(opened.peer, Some(addr("192.0.2.1:56324")), "the header nearest to the request holds");
    let mut request = vec![0; REQUEST.len()];
    stream.read_exact(&mut request).await.unwrap();
    assert_eq!(request, REQUEST);
}
