//! Files on real sockets: many slow readers of a large file, aborted downloads, and a reader that is as fast as the server.
#![cfg(all(feature = "sendfile", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use quintet_server::{Body, Config, Request, Response, ServeMux, Server, Timeouts};
use socket2::{Domain, SockRef, Socket, Type};
use support::{eventually, on_loopback};
use tokio::sync::Mutex;

const KIB: usize = 1024;
const GIB: u64 = 1 << 30;

/// One test at a time: they look at the memory and the descriptors of the process.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A file of a GiB without blocks on the disk, but for one byte at the start and one at the end. It is removed at the end.
struct Sparse(PathBuf);

impl Sparse {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("quintet-sparse-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path).unwrap();
        file.write_all(b"a").unwrap();
        file.set_len(GIB).unwrap();
        Self(path)
    }

    /// How many descriptors of this process are this file.
    fn open(&self) -> usize {
        let links = fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| fs::read_link(fd.unwrap().path()).ok());
        links.filter(|link| *link == self.0).count()
    }
}

impl Drop for Sparse {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A server that opens the file for each request.
fn serving(sparse: &Sparse, config: Config) -> (Server<ServeMux>, String) {
    let (mux, path) = (ServeMux::new(), sparse.0.clone());
    mux.handle("/file", move |_: Request| {
        let file = File::open(&path).unwrap();
        let len = file.metadata().unwrap().len();
        let response = Response::new(Body::file(Arc::new(file), 0, len));
        std::future::ready(response.with_content_type("application/octet-stream"))
    });
    mux.handle("/hello", async |_| "hello\n");
    let server = Server::with_config(mux, config);
    let (addr, _) = on_loopback(&server);
    (server, addr)
}

/// A client that has asked for this path, with a small receive buffer.
fn ask(addr: &str, path: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(16 * KIB).unwrap();
    socket.connect(&addr.parse::<SocketAddr>().unwrap().into()).unwrap();
    let mut client = TcpStream::from(socket);
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    client.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
    client
}

/// Asks a new connection for a small reply; returns how long it took.
fn hello(addr: &str) -> Duration {
    let start = Instant::now();
    let mut client = ask(addr, "/hello");
    let mut reply = Vec::new();
    while !reply.ends_with(b"hello\n") {
        let mut buffer = [0; 256];
        let n = client.read(&mut buffer).unwrap();
        assert!(n > 0, "closed");
        reply.extend_from_slice(&buffer[..n]);
    }
    start.elapsed()
}

/// The memory of this process, in bytes.
fn memory() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// How many clients fit, with three descriptors for each and some for the rest, but at most a thousand.
fn clients() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let open = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let most = open.split_whitespace().next().unwrap().parse().unwrap_or(usize::MAX);
    ((most - 200) / 3).min(1000)
}

#[tokio::test]
async fn slow_readers_of_a_gib_hold_little_memory() {
    let _alone = ALONE.lock().await;
    let sparse = Sparse::new();
    let (server, addr) = serving(&sparse, Config::default());
    let (clients, before) = (clients(), memory());
    let at = addr.clone();
    let (most, slowest) = tokio::task::spawn_blocking(move || {
        let mut readers: Vec<_> = (0..clients).map(|_| ask(&at, "/file")).collect();
        let (mut most, mut slowest, mut buffer) = (0, Duration::ZERO, [0; 16 * KIB]);
        for _ in 0..5 {
            for reader in &mut readers {
                assert!(reader.read(&mut buffer).unwrap() > 0, "a slow reader was cut off");
            }
            most = most.max(memory());
            slowest = slowest.max(hello(&at));
        }
        (most, slowest)
    })
    .await
    .unwrap();
    let each = most.saturating_sub(before) / clients;
    // What is not in the page cache is read in pieces of 64 KiB; a connection and its request cost some KiB more.
    assert!(each < 96 * KIB, "{each} bytes for each of {clients} readers");
    assert!(slowest < Duration::from_secs(1), "another client waited for {slowest:?}");
    eventually("the readers have gone", || server.counts().total() == 0).await;
    assert_eq!(sparse.open(), 0, "descriptors that are left");
}

#[tokio::test]
async fn aborted_downloads_leave_no_descriptor() {
    let _alone = ALONE.lock().await;
    let sparse = Sparse::new();
    let (server, addr) = serving(&sparse, Config::default());
    let storms = (0..4).map(|storm| {
        let addr = addr.clone();
        tokio::task::spawn_blocking(move || {
            for n in 0..250 {
                let mut client = ask(&addr, "/file");
                // Before, in and behind the head, after some bytes of the file, and after many.
                let read = [0, 1, 100, 10_000, 1_000_000][(n + storm) % 5];
                let mut buffer = vec![0; read];
                client.read_exact(&mut buffer).unwrap();
                if n % 2 == 0 {
                    SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap(); // a reset
                }
            }
        })
    });
    for storm in storms.collect::<Vec<_>>() {
        storm.await.unwrap();
    }
    eventually("the clients have gone", || server.counts().total() == 0).await;
    // A read in the blocking pool may outlive its connection.
    eventually("the file is closed", || sparse.open() == 0).await;
}

#[tokio::test]
async fn a_stalled_download_is_ended_and_its_file_closed() {
    let _alone = ALONE.lock().await;
    let sparse = Sparse::new();
    let second = Duration::from_secs(1);
    let timeouts = Timeouts { reply_stall: second, min_rate_grace: second, ..Timeouts::default() };
    let (server, addr) = serving(&sparse, Config { timeouts, ..Config::default() });
    let stalled: Vec<_> = (0..20).map(|_| ask(&addr, "/file")).collect();
    eventually("all are served", || sparse.open() == 20).await;
    eventually("all are given up", || server.counts().total() == 0).await;
    assert_eq!(sparse.open(), 0);
    drop(stalled);
}

/// A reader that takes a GiB as fast as the server sends does not keep the thread.
#[tokio::test]
async fn a_fast_download_lets_other_clients_have_their_turn() {
    let _alone = ALONE.lock().await;
    let sparse = Sparse::new();
    let (_server, addr) = serving(&sparse, Config::default());
    let done = Arc::new(AtomicBool::new(false));
    let (at, ends) = (addr.clone(), Arc::clone(&done));
    let download = tokio::task::spawn_blocking(move || {
        let mut client = TcpStream::connect(&at).unwrap();
        client.write_all(b"GET /file HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let (mut buffer, mut read) = (vec![0; 256 * KIB], 0);
        loop {
            match client.read(&mut buffer).unwrap() {
                0 => break,
                n => read += n as u64,
            }
        }
        ends.store(true, Relaxed);
        read
    });
    let others = tokio::task::spawn_blocking(move || {
        let mut times = Vec::new();
        while !done.load(Relaxed) {
            times.push(hello(&addr));
            thread::sleep(Duration::from_millis(2));
        }
        times.sort();
        times
    });
    let read = download.await.unwrap();
    assert!(read > GIB && read < GIB + 1000, "{read} bytes");
    let times = others.await.unwrap();
    let median = times[times.len() / 2];
    assert!(median < Duration::from_millis(50), "{} others, the median waited for {median:?}", times.len());
}
