//! How much of a reply the kernel takes for a client that does not read, and what that costs a client that does.
#![cfg(all(feature = "io", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    future::poll_fn,
    io::{self, Read},
    net::TcpStream as Client,
    pin::Pin,
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use quintet_listener::{Listener, TcpListener, TcpOptions};
use socket2::SockRef;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

async fn connected(notsent_lowat: Option<u32>) -> (TcpStream, Client) {
    let options = TcpOptions { notsent_lowat, ..TcpOptions::default() };
    let mut tcp = TcpListener::bind("127.0.0.1:0", &options).unwrap();
    let client = Client::connect(("127.0.0.1", tcp.port())).unwrap();
    (tcp.accept().await.unwrap().0, client)
}

#[tokio::test]
async fn an_accepted_socket_inherits_notsent_lowat() {
    let read_back = |stream: &TcpStream| SockRef::from(stream).tcp_notsent_lowat().unwrap();
    let default = TcpOptions::default().notsent_lowat;
    assert_eq!(default, Some(64 * 1024));
    for notsent_lowat in [default, Some(1), Some(77_777)] {
        let (stream, _client) = connected(notsent_lowat).await;
        assert_eq!(Some(read_back(&stream)), notsent_lowat);
    }
    let (stream, _client) = connected(None).await;
    assert_eq!(read_back(&stream), 0, "0 is the system's");
}

/// Writes until the kernel takes nothing more, also after the client's own buffer is full; how many bytes it took.
async fn taken_without_a_reader(notsent_lowat: Option<u32>) -> usize {
    let (mut stream, _client) = connected(notsent_lowat).await;
    let (chunk, mut taken) = ([b'x'; 64 * KIB], 0);
    for _ in 0..20 {
        poll_fn(|cx| {
            while let Poll::Ready(written) = Pin::new(&mut stream).poll_write(cx, &chunk)? {
                taken += written;
            }
            Poll::Ready(io::Result::Ok(()))
        })
        .await
        .unwrap();
        sleep(Duration::from_millis(10)).await;
    }
    taken
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_less_in_the_kernel() {
    let (limited, unlimited) =
        (taken_without_a_reader(TcpOptions::default().notsent_lowat).await, taken_without_a_reader(None).await);
    println!("taken: {} KiB by default, {} KiB without", limited / KIB, unlimited / KIB);
    assert!(limited + MIB < unlimited, "{limited} bytes with a limit, {unlimited} without");
}

/// 64 MiB to a client that reads as fast as it can, in writes of so many bytes.
async fn transfer(notsent_lowat: Option<u32>, write: usize) -> Duration {
    let (mut stream, mut client) = connected(notsent_lowat).await;
    let reader = thread::spawn(move || {
        let (mut buffer, mut read) = (vec![0; 256 * KIB], 0);
        loop {
            match client.read(&mut buffer).unwrap() {
                0 => return read,
                n => read += n,
            }
        }
    });
    let (chunk, start) = (vec![b'x'; write], Instant::now());
    for _ in 0..64 * MIB / write {
        stream.write_all(&chunk).await.unwrap();
    }
    drop(stream);
    assert_eq!(reader.join().unwrap(), 64 * MIB);
    start.elapsed()
}

/// Run it with `--nocapture` to see the figures.
#[tokio::test]
#[ignore = "a measurement, which other work on the machine disturbs"]
async fn a_fast_client_is_as_fast_as_without_notsent_lowat() {
    for write in [16 * KIB, 64 * KIB, MIB] {
        for lowat in [None, Some(16), Some(32), Some(64), Some(128), Some(256), Some(512)] {
            let mut times = Vec::new();
            for _ in 0..9 {
                times.push(transfer(lowat.map(|kib| kib * 1024), write).await);
            }
            times.sort();
            println!("writes of {:4} KiB, {lowat:?} KiB: best {:?}, median {:?}", write / KIB, times[0], times[4]);
        }
    }
}
