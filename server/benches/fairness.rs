//! The wait of one client while another one pipelines requests to a handler that computes, compared with hyper.
//!
//! `cargo bench -p quintet-server --bench fairness`, about half a minute; prints a table, the times in milliseconds.
//!
//! ```text
//!  busy client ──▶ ┌──────────────────────────────┐
//!  sends ahead     │ one thread: a handler of     │
//!  other client ─▶ │ 0.1 or 1 ms of CPU, or at    │
//!  asks, waits     │ once for the other client    │
//!                  └──────────────────────────────┘
//! ```
//!
//! Each client has a thread of its own. Both servers spawn a task for each connection. The sockets are real.

use std::{
    convert::Infallible,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use quintet_server::{Request, ServeMux, Server};
use tokio::runtime::Builder;

const BUSY: &str = "GET /busy HTTP/1.1\r\nHost: a\r\n\r\n";
const OTHER: &str = "GET /other HTTP/1.1\r\nHost: a\r\n\r\n";
/// How long each server is measured.
const SPAN: Duration = Duration::from_secs(6);

/// Computes for this long.
fn work(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

async fn quintet(listener: tokio::net::TcpListener, time: Duration) {
    let mux = ServeMux::new();
    mux.handle("/busy", move |_: Request| async move {
        work(time);
        "busy"
    });
    mux.handle("/other", async |_: Request| "other");
    let _ = Server::new(mux).serve(listener).await;
}

async fn hyper(listener: tokio::net::TcpListener, time: Duration) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let service = service_fn(move |request: hyper::Request<Incoming>| async move {
            let body = match request.uri().path() {
                "/busy" => {
                    work(time);
                    "busy"
                }
                _ => "other",
            };
            Ok::<_, Infallible>(hyper::Response::new(Full::<Bytes>::from(body)))
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// The waits of the other client, sorted, and the number of requests of the busy client that were answered.
fn measure<F: Future<Output = ()> + Send + 'static>(
    serve: impl FnOnce(tokio::net::TcpListener, Duration) -> F + Send + 'static,
    time: Duration,
) -> (Vec<Duration>, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("its address");
    listener.set_nonblocking(true).expect("a socket");
    let over = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&over);
    let server = thread::spawn(move || {
        Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket that listens");
            tokio::spawn(serve(listener, time));
            while !ended.load(Relaxed) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
    });
    let answered = pipeline(addr, Arc::clone(&over));
    thread::sleep(Duration::from_millis(200));
    let waits = ask(addr, Instant::now() + SPAN);
    over.store(true, Relaxed);
    server.join().expect("the server ends");
    (waits, answered.join().expect("the busy client ends"))
}

/// The busy client: sends requests without end, in threads of its own; returns how many were answered.
fn pipeline(addr: SocketAddr, over: Arc<AtomicBool>) -> thread::JoinHandle<usize> {
    let mut writer = TcpStream::connect(addr).expect("the server listens");
    let mut reader = writer.try_clone().expect("a descriptor");
    thread::spawn(move || while writer.write_all(BUSY.repeat(1_000).as_bytes()).is_ok() {});
    thread::spawn(move || {
        let (mut seen, mut buffer) = (0, vec![0; 1 << 16]);
        while !over.load(Relaxed) {
            match reader.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(n) => seen += buffer[..n].windows(4).filter(|bytes| bytes == b"busy").count(),
            }
        }
        let _ = reader.shutdown(std::net::Shutdown::Both);
        seen
    })
}

/// The other client: sends a request, waits for the reply, and sends the next.
fn ask(addr: SocketAddr, until: Instant) -> Vec<Duration> {
    let mut client = TcpStream::connect(addr).expect("the server listens");
    client.set_nodelay(true).expect("a socket");
    let mut waits = Vec::new();
    while Instant::now() < until {
        let start = Instant::now();
        client.write_all(OTHER.as_bytes()).expect("the server reads");
        let mut reply = Vec::new();
        while !reply.ends_with(b"other") {
            let mut buffer = [0; 1024];
            let n = client.read(&mut buffer).expect("the server replies");
            assert!(n > 0, "the server closed");
            reply.extend_from_slice(&buffer[..n]);
        }
        waits.push(start.elapsed());
        thread::sleep(Duration::from_millis(5));
    }
    waits.sort();
    waits
}

fn main() {
    println!("| handler, CPU | server | the other's median, ms | its worst, ms | the busy one's replies |");
    println!("|--:|:--|--:|--:|--:|");
    for micros in [100, 1_000] {
        let time = Duration::from_micros(micros);
        for (name, (waits, answered)) in [("quintet", measure(quintet, time)), ("hyper", measure(hyper, time))] {
            let ms = |wait: &Duration| wait.as_secs_f64() * 1_000.0;
            let (median, worst) = (ms(&waits[waits.len() / 2]), ms(&waits[waits.len() - 1]));
            println!("| {time:?} | {name} | {median:.2} | {worst:.2} | {answered} |");
        }
    }
}
