//! Wires on loopback sockets: the behaviour that depends on the kernel (resets, flow control).
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::{sync::Arc, time::Duration};

use common::{connections, limits};
use quintet_conn::{ConnGuard, Connections, Phase, Timeouts, Wire, WireError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};

const TIMEOUT: Duration = Duration::from_secs(20);

async fn connected(connections: &Arc<Connections>) -> (ConnGuard, Wire<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, peer) = listener.accept().await.unwrap();
    let (connection, wire) = connections.admit(stream, peer.into());
    (connection, wire, client)
}

/// Writes 10 MiB without reading, then reads what there is.
async fn upload_then_read(mut client: TcpStream) -> std::io::Result<Vec<u8>> {
    let mut reply = Vec::new();
    let chunk = vec![b'x'; 64 * 1024];
    for _ in 0..160 {
        client.write_all(&chunk).await?;
    }
    client.read_to_end(&mut reply).await?;
    Ok(reply)
}

#[tokio::test]
async fn linger_delivers_the_reply_to_a_client_still_sending() {
    let connections = connections(limits());
    let (connection, mut wire, client) = connected(&connections).await;
    let client = tokio::spawn(upload_then_read(client));
    wire.flush_and_fill(1024).await.unwrap();
    // Refused at the first bytes.
    wire.output.extend(b"HTTP/1.1 413 Content Too Large\r\n\r\n");
    timeout(TIMEOUT, wire.linger(16 << 20)).await.unwrap().unwrap();
    drop((wire, connection));
    let reply = timeout(TIMEOUT, client).await.unwrap().unwrap().expect("no reset");
    assert_eq!(reply, b"HTTP/1.1 413 Content Too Large\r\n\r\n");
}

#[tokio::test]
async fn without_linger_a_reset_discards_the_reply() {
    // The reason for linger. If this fails, the kernel no longer discards a received reply at a reset.
    let connections = connections(limits());
    let (connection, mut wire, client) = connected(&connections).await;
    let client = tokio::spawn(upload_then_read(client));
    wire.flush_and_fill(1024).await.unwrap();
    wire.output.extend(b"HTTP/1.1 413 Content Too Large\r\n\r\n");
    wire.flush().await.unwrap();
    drop((wire, connection));
    assert!(timeout(TIMEOUT, client).await.unwrap().unwrap().is_err());
}

#[tokio::test]
async fn linger_ends_after_its_bytes_with_an_endless_upload() {
    let connections = connections(Timeouts { linger: Duration::from_secs(3600), ..limits() });
    let (_connection, mut wire, mut client) = connected(&connections).await;
    let client = tokio::spawn(async move { while client.write_all(&[b'x'; 64 * 1024]).await.is_ok() {} });
    timeout(TIMEOUT, wire.linger(4 << 20)).await.unwrap().unwrap();
    drop(wire);
    timeout(TIMEOUT, client).await.unwrap().unwrap();
}

#[tokio::test]
async fn tcp_flow_control_stops_a_client_that_never_reads() {
    let short =
        Timeouts { min_rate_grace: Duration::from_millis(200), reply_stall: Duration::from_millis(400), ..limits() };
    let connections = connections(short);
    let (_connection, mut wire, mut client) = connected(&connections).await;
    let flood = tokio::spawn(async move {
        let mut sent = 0;
        while client.write_all(&[b'?'; 1024]).await.is_ok() {
            sent += 1024;
        }
        sent
    });
    let (mut most, start) = (0, Instant::now());
    let outcome = loop {
        match wire.flush_and_fill(1024).await {
            Ok(_) => {
                let n = wire.input.len();
                wire.input.consume(n);
                (0..n).for_each(|_| wire.output.extend(&[b'!'; 1000]));
            }
            Err(error) => break error,
        }
        most = most.max(wire.output.len());
        assert!(start.elapsed() < TIMEOUT, "the kernel takes without end");
    };
    assert!(matches!(outcome, WireError::TimedOut(Phase::Reply)), "{outcome:?}");
    assert!(most <= 1024 * 1000, "{most} bytes were waiting");
    drop(wire);
    timeout(TIMEOUT, flood).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_reset_while_a_handler_works_is_detected() {
    let connections = connections(limits());
    let (_connection, mut wire, mut client) = connected(&connections).await;
    client.write_all(b"GET").await.unwrap();
    wire.flush_and_fill(1024).await.unwrap();
    wire.clear_phase();
    wire.output.extend(b"unread");
    wire.flush().await.unwrap();
    let watching = std::future::poll_fn(|cx| wire.poll_watch(cx, 1024));
    // Closed with unread bytes: the kernel answers with a reset.
    client.readable().await.unwrap();
    drop(client);
    let outcome = timeout(TIMEOUT, watching).await.unwrap();
    assert!(matches!(outcome, Err(WireError::Io(_))), "{outcome:?}");
}
