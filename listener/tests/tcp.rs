//! Real TCP sockets on loopback.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    future::poll_fn,
    io::{self, ErrorKind},
    net::{SocketAddr, TcpStream as Client},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use quintet_listener::{
    Addr, AnyListener, KeepAlive, Limit, Listener, Retry, Stream, TcpListener, TcpOptions, listen, reuse_port,
};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const SECOND: Duration = Duration::from_secs(1);

fn has_ipv6() -> bool {
    std::net::TcpListener::bind("[::1]:0").is_ok()
}

/// A connection through a listener with these options: the server's end and the client's.
async fn connected(options: &TcpOptions) -> (TcpStream, Client) {
    let mut tcp = TcpListener::bind("127.0.0.1:0", options).unwrap();
    let client = Client::connect(("127.0.0.1", tcp.port())).unwrap();
    (tcp.accept().await.unwrap().0, client)
}

#[tokio::test]
async fn port_alone_is_ipv4_and_ipv6() {
    let mut tcp = TcpListener::bind(":0", &TcpOptions::default()).unwrap();
    let hosts: &[&str] = if has_ipv6() { &["127.0.0.1", "::1"] } else { &["127.0.0.1"] };
    for host in hosts {
        let client = Client::connect((*host, tcp.port())).unwrap();
        let (stream, peer) = timeout(SECOND, tcp.accept()).await.unwrap().unwrap();
        // An IPv4 client is IPv4 in both addresses, whatever the socket.
        assert_eq!(peer, Addr::Tcp(client.local_addr().unwrap()));
        assert_eq!(Stream::local_addr(&stream), Some(Addr::Tcp(client.peer_addr().unwrap())));
    }
}

#[tokio::test]
async fn ipv6_alone_is_ipv6_alone() {
    if !has_ipv6() {
        return;
    }
    let tcp = TcpListener::bind(":0", &TcpOptions { only_v6: true, ..TcpOptions::default() }).unwrap();
    assert!(Client::connect(("::1", tcp.port())).is_ok());
    assert_eq!(Client::connect(("127.0.0.1", tcp.port())).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn every_way_to_write_an_address_can_be_bound() {
    let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
    for tcp in [
        TcpListener::bind(loopback, &TcpOptions::default()),
        TcpListener::bind("127.0.0.1:0", &TcpOptions::default()),
        TcpListener::bind("localhost:0", &TcpOptions::default()),
        TcpListener::bind(&String::from(":0"), &TcpOptions::default()),
    ] {
        let tcp = tcp.unwrap();
        assert_ne!(tcp.port(), 0);
        assert_eq!(tcp.local_addr().unwrap().port(), Some(tcp.port()));
        assert!(Client::connect(("127.0.0.1", tcp.port())).is_ok());
    }
}

#[test]
fn what_cannot_be_bound_is_said_before_anything_is_accepted() {
    let taken = TcpListener::bind("127.0.0.1:0", &TcpOptions::default()).unwrap();
    let table = [
        ("9090".to_owned(), ErrorKind::InvalidInput),
        ("::1:80".to_owned(), ErrorKind::InvalidInput),
        ("unix:/nowhere".to_owned(), ErrorKind::InvalidInput),
        ("192.0.2.1:0".to_owned(), ErrorKind::AddrNotAvailable),
        (taken.local_addr().unwrap().to_string(), ErrorKind::AddrInUse),
    ];
    for (addr, kind) in table {
        assert_eq!(TcpListener::bind(&addr, &TcpOptions::default()).unwrap_err().kind(), kind, "{addr}");
    }
    let error = listen("9090").unwrap_err();
    assert_eq!(error.to_string(), "missing port: write host:port, or :port for every address");
}

#[tokio::test]
async fn an_accepted_socket_has_nodelay_and_keep_alive() {
    let (stream, _client) = connected(&TcpOptions::default()).await;
    let socket = SockRef::from(&stream);
    assert!(socket.tcp_nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    #[cfg(target_os = "linux")]
    {
        assert_eq!(socket.tcp_keepalive_time().unwrap(), 15 * SECOND);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), 15 * SECOND);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 9);
    }
}

#[tokio::test]
async fn every_option_can_be_turned() {
    let (stream, _client) = connected(&TcpOptions { nodelay: false, keep_alive: None, ..TcpOptions::default() }).await;
    let socket = SockRef::from(&stream);
    assert!(!socket.tcp_nodelay().unwrap());
    assert!(!socket.keepalive().unwrap());

    let keep_alive = Some(KeepAlive { idle: 7 * SECOND, interval: 3 * SECOND, count: 2 });
    let (stream, _client) = connected(&TcpOptions { keep_alive, ..TcpOptions::default() }).await;
    let socket = SockRef::from(&stream);
    assert!(socket.keepalive().unwrap());
    #[cfg(target_os = "linux")]
    {
        assert_eq!(socket.tcp_keepalive_time().unwrap(), 7 * SECOND);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), 3 * SECOND);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 2);
    }
}

/// How many handshakes are finished before anybody accepts.
#[cfg(target_os = "linux")]
fn queued(tcp: &TcpListener, clients: usize) -> usize {
    let addr = SocketAddr::from(([127, 0, 0, 1], tcp.port()));
    let connect = |_| Client::connect_timeout(&addr, Duration::from_millis(200));
    let queued: Vec<Client> = (0..clients).map_while(|n| connect(n).ok()).collect();
    queued.len()
}

#[cfg(target_os = "linux")]
#[test]
fn the_backlog_is_what_the_system_allows() {
    let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    // std's backlog of 128 would let in 129.
    let burst = allowed.trim().parse::<usize>().unwrap().min(200);
    assert_eq!(queued(&TcpListener::bind("127.0.0.1:0", &TcpOptions::default()).unwrap(), burst), burst);
}

#[cfg(target_os = "linux")]
#[test]
fn the_backlog_can_be_chosen() {
    let options = TcpOptions { backlog: Some(3), ..TcpOptions::default() };
    let queued = queued(&TcpListener::bind("127.0.0.1:0", &options).unwrap(), 20);
    assert!((3..=5).contains(&queued), "{queued} in a backlog of 3");
}

#[tokio::test]
async fn a_port_can_be_bound_again_while_old_connections_linger() {
    let mut tcp = TcpListener::bind("127.0.0.1:0", &TcpOptions::default()).unwrap();
    let addr = tcp.local_addr().unwrap().tcp().unwrap();
    let client = Client::connect(addr).unwrap();
    drop(tcp.accept().await.unwrap()); // we close first: TIME_WAIT is ours
    drop(tcp);
    drop(client);
    TcpListener::bind(addr, &TcpOptions::default()).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn reuse_port_shares_the_clients_of_one_port_among_runtimes() {
    let listeners = reuse_port("127.0.0.1:0", 2).unwrap();
    let port = listeners[0].port();
    assert!(listeners.iter().all(|tcp| tcp.port() == port));
    let threads: Vec<_> = listeners
        .into_iter()
        .map(|mut tcp| {
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let mut accepted = 0;
                    while timeout(SECOND, tcp.accept()).await.is_ok_and(|accepted| accepted.is_ok()) {
                        accepted += 1;
                    }
                    accepted
                })
            })
        })
        .collect();
    let clients: Vec<Client> = (0..64).map(|_| Client::connect(("127.0.0.1", port)).unwrap()).collect();
    let accepted: Vec<i32> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(accepted.iter().sum::<i32>(), 64);
    // One of them gets none once in 2⁶³ runs.
    assert!(accepted.iter().all(|&n| n > 0), "{accepted:?}");
    drop(clients);
}

#[test]
fn no_runtimes_need_no_listeners() {
    assert!(reuse_port(":0", 0).unwrap().is_empty());
}

#[tokio::test]
async fn shutting_down_closes_one_half_only() {
    let mut socket = listen("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(socket.local_addr().unwrap().tcp().unwrap()).await.unwrap();
    let (mut stream, _) = socket.accept().await.unwrap();
    stream.write_all(b"last words").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"last words");

    client.write_all(b"still here").await.unwrap();
    drop(client);
    heard.clear();
    stream.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"still here");
}

#[tokio::test]
async fn a_plain_tokio_listener_is_a_listener() {
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut retry = Retry::new(plain);
    let client = Client::connect(retry.local_addr().unwrap().tcp().unwrap()).unwrap();
    let (_, peer) = retry.accept().await.unwrap();
    assert_eq!(peer, Addr::Tcp(client.local_addr().unwrap()));
    assert_eq!(retry.health().snapshot().accepted, 1);
}

#[tokio::test]
async fn a_cancelled_accept_takes_no_connection() {
    let mut tcp = TcpListener::bind("127.0.0.1:0", &TcpOptions::default()).unwrap();
    assert!(timeout(Duration::from_millis(1), tcp.accept()).await.is_err());
    let client = Client::connect(("127.0.0.1", tcp.port())).unwrap();
    drop(tcp.accept()); // never polled
    let (_, peer) = timeout(SECOND, tcp.accept()).await.unwrap().unwrap();
    assert_eq!(peer, Addr::Tcp(client.local_addr().unwrap()));
}

#[tokio::test]
async fn a_gathered_write_stays_gathered_in_every_wrapper() -> io::Result<()> {
    let mut limit = Limit::new(AnyListener::from(TcpListener::bind("127.0.0.1:0", &TcpOptions::default())?), 1);
    let mut client = TcpStream::connect(limit.local_addr()?.tcp().unwrap()).await?;
    let (stream, _) = limit.accept().await?;
    let mut stream = quintet_listener::FdReleased::new().on_drop(stream);
    assert!(stream.is_write_vectored());
    let slices = [io::IoSlice::new(b"head "), io::IoSlice::new(b"body")];
    assert_eq!(stream.write_vectored(&slices).await?, 9);
    assert_eq!(Stream::local_addr(&stream), limit.local_addr().ok());
    drop(stream);
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).await?;
    assert_eq!(heard, b"head body");
    Ok(())
}

/// A connection, the server's end in every wrapper there is.
async fn wrapped() -> io::Result<(impl Stream, TcpStream)> {
    let tcp = TcpListener::bind("127.0.0.1:0", &TcpOptions::default())?;
    let mut limit = Retry::new(Limit::new(Retry::new(AnyListener::from(tcp)), 1));
    let client = TcpStream::connect(limit.local_addr()?.tcp().unwrap()).await?;
    let stream = limit.accept().await?.0;
    Ok((limit.fd_released().on_drop(stream), client))
}

#[tokio::test]
async fn an_aborted_stream_is_reset_when_it_is_dropped() -> io::Result<()> {
    let (mut stream, mut client) = wrapped().await?;
    stream.write_all(b"half of it").await?;
    stream.abort();
    drop(stream);
    let mut heard = Vec::new();
    let error = timeout(SECOND, client.read_to_end(&mut heard)).await?.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    Ok(())
}

#[tokio::test]
async fn an_abort_resets_a_half_closed_stream_too() -> io::Result<()> {
    let (mut stream, mut client) = wrapped().await?;
    // More than the kernel's buffers hold: the FIN cannot have been sent when the reset is.
    let chunk = [b'x'; 1 << 16];
    poll_fn(|cx| {
        while Pin::new(&mut stream).poll_write(cx, &chunk)?.is_ready() {}
        Poll::Ready(io::Result::Ok(()))
    })
    .await?;
    stream.shutdown().await?;
    stream.abort();
    drop(stream);
    let error = timeout(SECOND, client.read_to_end(&mut Vec::new())).await?.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    Ok(())
}

#[tokio::test]
async fn without_an_abort_a_dropped_stream_ends_in_order() -> io::Result<()> {
    let (mut stream, mut client) = wrapped().await?;
    stream.write_all(b"all of it").await?;
    drop(stream);
    let mut heard = Vec::new();
    timeout(SECOND, client.read_to_end(&mut heard)).await??;
    assert_eq!(heard, b"all of it");
    Ok(())
}
