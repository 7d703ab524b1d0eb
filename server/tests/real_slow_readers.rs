//! Clients that read slowly, or never, on real sockets with small receive buffers.
//!
//! The server sees only in steps that a client reads: when the kernel reports room for more. So the effect of the limits
//! is measured here. The suite runs with a tenth of the times and ten times the speeds. With the defaults it takes three
//! minutes: `cargo test -p quintet-server --test real_slow_readers -- --ignored`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;
#[cfg(feature = "ring")]
mod tls_kit;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use quintet_server::{Config, Request, Response, Server, Timeouts};
#[cfg(feature = "ring")]
use quintet_server::{Listener, listen};
use socket2::{Domain, Socket, Type};
use support::on_loopback;
use tokio::time::sleep;

const KIB: usize = 1024;
const REPLY_BYTES: usize = 20 << 20;
/// In bytes per second, for limits that are ten times as fast as the defaults.
const TENFOLD_SPEEDS: [usize; 4] = [10 * KIB, 40 * KIB, 200 * KIB, 400 * KIB];

/// The default timeouts and rates, this many times as fast.
fn timeouts(times: u32) -> Timeouts {
    let default = Timeouts::default();
    Timeouts {
        min_rate: default.min_rate * times,
        min_rate_grace: default.min_rate_grace / times,
        stall: default.stall / times,
        reply_stall: default.reply_stall / times,
        ..default
    }
}

fn serving(times: u32) -> (Server<impl quintet_server::Handler>, String) {
    let server = server(times);
    let (addr, _) = on_loopback(&server);
    (server, addr)
}

fn server(times: u32) -> Server<impl quintet_server::Handler> {
    let config = Config { timeouts: timeouts(times), ..Config::default() };
    let large = async |_: Request| Response::new(vec![b'x'; REPLY_BYTES]).with_content_type("text/plain");
    Server::with_config(large, config)
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A client with a receive buffer of about 4 KiB that has sent its request.
fn ask(addr: &str) -> TcpStream {
    let mut client = connect(addr);
    client.write_all(REQUEST).unwrap();
    client
}

/// A client with a receive buffer of about 4 KiB.
fn connect(addr: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4 * KIB).unwrap();
    socket.connect(&addr.parse::<SocketAddr>().unwrap().into()).unwrap();
    let client = TcpStream::from(socket);
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    client
}

/// Reads at this speed, in bytes per second, for this long; returns how long it was served.
fn read_at(mut client: TcpStream, speed: usize, span: Duration) -> Duration {
    let (start, mut read) = (Instant::now(), 0_u64);
    let mut buffer = vec![0; (speed / 20).max(1)];
    while start.elapsed() < span {
        match client.read(&mut buffer) {
            Ok(0) | Err(_) => return start.elapsed(),
            Ok(n) => read += n as u64,
        }
        let due = Duration::from_secs_f64(read as f64 / speed as f64);
        thread::sleep(due.saturating_sub(start.elapsed()));
    }
    span
}

/// Checks that clients that read at these speeds are served for this long, all at once.
async fn are_served(ask: impl Fn() -> TcpStream + Clone + Send + 'static, speeds: [usize; 4], span: Duration) {
    let readers = speeds.map(|speed| {
        let ask = ask.clone();
        tokio::task::spawn_blocking(move || (speed, read_at(ask(), speed, span)))
    });
    for reader in readers {
        let (speed, served) = reader.await.unwrap();
        assert_eq!(served, span, "a reader of {speed} B/s was cut off after {served:?}");
    }
}

#[tokio::test]
async fn steady_slow_readers_are_served_ten_times_as_fast() {
    let (_server, addr) = serving(10);
    are_served(move || ask(&addr), TENFOLD_SPEEDS, Duration::from_secs(10)).await;
}

/// The records that wait before the kernel make no difference. Once it has asked, a client reads without decrypting.
#[cfg(feature = "ring")]
#[tokio::test]
async fn steady_slow_readers_are_served_over_tls_ten_times_as_fast() {
    let site = tls_kit::Site::new();
    let server = server(10);
    let listener = listen("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let (serving, config) = (server.clone(), site.config(None));
    tokio::spawn(async move { serving.serve_tls(listener, config).await });
    let config = site.client(None);
    let ask = move || {
        let (mut socket, name) = (connect(&addr), "a.example".try_into().unwrap());
        let mut tls = rustls::ClientConnection::new(std::sync::Arc::clone(&config), name).unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).unwrap();
        }
        tls.writer().write_all(REQUEST).unwrap();
        while tls.wants_write() {
            tls.write_tls(&mut socket).unwrap();
        }
        socket
    };
    are_served(ask, TENFOLD_SPEEDS, Duration::from_secs(10)).await;
}

#[tokio::test]
#[ignore = "three minutes"]
async fn steady_slow_readers_are_served() {
    let (_server, addr) = serving(1);
    are_served(move || ask(&addr), [KIB, 4 * KIB, 20 * KIB, 40 * KIB], Duration::from_secs(150)).await;
}

/// A reader that takes less than a step (32 KiB) within `reply_stall` is cut off, as documented.
#[tokio::test]
async fn a_reader_below_a_step_in_reply_stall_is_cut_off() {
    let (_server, addr) = serving(20);
    let span = Duration::from_secs(12);
    let served = tokio::task::spawn_blocking(move || read_at(ask(&addr), 4 * KIB, span)).await.unwrap();
    assert!(served < span);
}

/// The connected sockets of this local port in `/proc/net/tcp`: state and unsent bytes.
fn sockets(port: u16) -> Vec<(u8, u64)> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let of_port = format!(":{port:04X}");
    let row = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let state = u8::from_str_radix(fields.get(3)?, 16).ok()?;
        let unsent = u64::from_str_radix(fields.get(4)?.split(':').next()?, 16).ok()?;
        (fields[1].ends_with(&of_port) && state != 0x0A).then_some((state, unsent))
    };
    table.lines().skip(1).filter_map(row).collect()
}

#[tokio::test]
async fn clients_that_never_read_leave_no_socket_in_the_kernel() {
    let (server, addr) = serving(100);
    let port = addr.rsplit(':').next().unwrap().parse().unwrap();
    let stalled: Vec<TcpStream> = (0..40).map(|_| ask(&addr)).collect();
    let start = Instant::now();
    let mut most = 0;
    while server.counts().total() > 0 || start.elapsed() < Duration::from_millis(500) {
        most = most.max(sockets(port).iter().map(|(_, unsent)| unsent).sum());
        sleep(Duration::from_millis(20)).await;
        assert!(start.elapsed() < Duration::from_secs(10), "they were not given up");
    }
    assert!(most > 0 && most < 40 * 256 * KIB as u64, "{most} bytes in the kernel for 40 clients");
    let given_up = Instant::now();
    while !sockets(port).is_empty() {
        sleep(Duration::from_millis(20)).await;
        assert!(given_up.elapsed() < Duration::from_secs(5), "left in the kernel: {:?}", sockets(port));
    }
    drop(stalled);
}
