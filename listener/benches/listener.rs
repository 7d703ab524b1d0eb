//! What a decision costs, and what the wrappers add to an accept.
//!
//! `cargo bench -p quintet-listener`. Figures of one run are to be compared with each other and with nothing else.

use std::{
    hint::black_box,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use quintet_listener::{
    AcceptErrorKind, Addr, Backoff, Endpoint, FdReleased, Limit, Listener, Retry, RetryPolicy, Stream, TcpListener,
    TcpOptions, UnixName, classify,
};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::{Builder, Runtime},
};

fn decisions(c: &mut Criterion) {
    let mut group = c.benchmark_group("decide");
    let mut backoff = Backoff::new();
    group.bench_function("back-off", |b| b.iter(|| black_box(&mut backoff).next()));
    let (mut policy, later) = (RetryPolicy::new(), AcceptErrorKind::Exhausted);
    group.bench_function("decision", |b| b.iter(|| black_box(&mut policy).failed(black_box(later))));
    let emfile = io::Error::from_raw_os_error(24);
    group.bench_function("classify", |b| b.iter(|| classify(black_box(&emfile))));
    group.bench_function("parse an endpoint", |b| b.iter(|| black_box("127.0.0.1:9090").parse::<Endpoint>()));
    let fd_released = FdReleased::new();
    group.bench_function("notify without a watch", |b| b.iter(|| black_box(&fd_released).notify()));
    group.finish();
}

/// What `Retry` and `Limit` cost by themselves: around a listener that is always ready and does nothing.
fn wrappers(c: &mut Criterion) {
    let runtime = runtime();
    let mut group = c.benchmark_group("accept from nothing");
    let mut bare = Nothing;
    group.bench_function("bare", |b| b.iter(|| runtime.block_on(thousand(&mut bare))));
    let mut retry = Retry::new(Nothing);
    group.bench_function("Retry", |b| b.iter(|| runtime.block_on(thousand(&mut retry))));
    let mut limit = Retry::new(Limit::new(Nothing, 2000));
    group.bench_function("Retry of Limit", |b| b.iter(|| runtime.block_on(thousand(&mut limit))));
    group.finish();
}

async fn thousand<L: Listener>(listener: &mut L) {
    for _ in 0..1000 {
        drop(black_box(listener.accept().await));
    }
}

/// The same with real clients over loopback: a queue of 64 is accepted, connecting and closing are not counted.
fn loopback(c: &mut Criterion) {
    let runtime = runtime();
    let mut group = c.benchmark_group("accept over loopback");
    group.throughput(Throughput::Elements(QUEUE as u64));
    let bare = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
    accept_queues(&mut group, &runtime, "bare tokio", bare);
    let tcp = || TcpListener::bind("127.0.0.1:0", &TcpOptions::default()).expect("a free port");
    accept_queues(&mut group, &runtime, "TcpListener", tcp());
    accept_queues(&mut group, &runtime, "Retry of TcpListener", Retry::new(tcp()));
    accept_queues(&mut group, &runtime, "Retry of Limit of TcpListener", Retry::new(Limit::new(tcp(), 2 * QUEUE)));
    group.finish();
}

const QUEUE: usize = 64;

type Group<'a> = criterion::BenchmarkGroup<'a, criterion::measurement::WallTime>;

fn accept_queues<L: Listener>(group: &mut Group<'_>, runtime: &Runtime, name: &str, mut listener: L) {
    let addr = listener.local_addr().ok().and_then(|addr| addr.tcp()).expect("bound to TCP");
    group.bench_function(name, |b| {
        b.iter_custom(|queues| (0..queues).map(|_| accept_queue(runtime, &mut listener, addr)).sum());
    });
}

fn accept_queue<L: Listener>(runtime: &Runtime, listener: &mut L, addr: SocketAddr) -> Duration {
    let clients: Vec<std::net::TcpStream> = (0..QUEUE).map(|_| connect(addr)).collect();
    let (elapsed, accepted) = runtime.block_on(async {
        let mut accepted = Vec::with_capacity(QUEUE);
        let start = Instant::now();
        while accepted.len() < QUEUE {
            accepted.push(listener.accept().await.expect("a queued client"));
        }
        (start.elapsed(), accepted)
    });
    drop(clients);
    drop(accepted);
    elapsed
}

/// A client that resets when it is dropped, or the ports would be used up by lingering connections.
fn connect(addr: SocketAddr) -> std::net::TcpStream {
    let client = std::net::TcpStream::connect(addr).expect("room in the backlog");
    SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("an open socket");
    client
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A listener that is always ready, and its streams.
struct Nothing;

impl Listener for Nothing {
    type Stream = Self;

    async fn accept(&mut self) -> io::Result<(Self, Addr)> {
        Ok((Self, Addr::Unix(UnixName::Unnamed)))
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Ok(Addr::Unix(UnixName::Unnamed))
    }
}

impl Stream for Nothing {}

impl AsyncRead for Nothing {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Nothing {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

criterion_group!(benches, decisions, wrappers, loopback);
criterion_main!(benches);
