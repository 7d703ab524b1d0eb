//! The cost of a request and its reply on a wire, beside bare tokio in the same run, and of the two buffers alone.
//!
//! `cargo bench -p quintet-conn`. Compare figures of one run with each other only.

use std::{
    hint::black_box,
    io::IoSlice,
    time::{Duration, Instant},
};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use quintet_conn::{Buffer, ConnGuard, Connections, MinRate, Output, Phase, State, Tick, Timeouts, Wire};
use quintet_listener::{Addr, Stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};

const REQUEST: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: localhost:9090\r\nAccept: */*\r\n\r\n";
const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nContent-Type: text/plain\r\n\r\nhello, world!";
const MIB: usize = 1 << 20;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn pipe() -> (DuplexStream, DuplexStream) {
    tokio::io::duplex(64 * 1024)
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("a connection");
    let (stream, _) = listener.accept().await.expect("a connection");
    for stream in [&client, &stream] {
        stream.set_nodelay(true).expect("a socket");
    }
    (stream, client)
}

/// An admitted wire with timeouts and a sweeper, as in a server.
fn counted<S: Stream>(stream: S) -> (ConnGuard, Wire<S>) {
    let (connections, sweeper) = Connections::new(Timeouts::default(), None, None);
    tokio::spawn(sweeper);
    connections.admit(stream, peer())
}

/// A request and its reply, `rounds` times, with the same client for the wire and for bare tokio.
async fn bare<S: Stream>(rounds: u64, (mut server, mut client): (S, S)) -> Duration {
    let (mut read, mut reply) = (vec![0; 64 * 1024], [0; REPLY.len()]);
    let start = Instant::now();
    for _ in 0..rounds {
        client.write_all(REQUEST).await.expect("a peer");
        let n = server.read(&mut read).await.expect("a peer");
        assert_eq!(n, REQUEST.len());
        server.write_all(REPLY).await.expect("a peer");
        client.read_exact(&mut reply).await.expect("a peer");
    }
    start.elapsed()
}

async fn wired<S: Stream>(rounds: u64, (server, mut client): (S, S)) -> Duration {
    let (connection, mut wire) = counted(server);
    let mut reply = [0; REPLY.len()];
    let start = Instant::now();
    for _ in 0..rounds {
        client.write_all(REQUEST).await.expect("a peer");
        wire.enter(Phase::Idle);
        wire.flush_and_fill(64 * 1024).await.expect("a peer");
        connection.set_state(State::Active);
        wire.enter(Phase::Head);
        assert_eq!(wire.input.len(), REQUEST.len());
        wire.input.consume(REQUEST.len());
        wire.clear_phase();
        wire.output.extend(REPLY);
        wire.flush().await.expect("a peer");
        connection.set_state(State::Idle);
        client.read_exact(&mut reply).await.expect("a peer");
    }
    start.elapsed()
}

fn turns(c: &mut Criterion) {
    let runtime = runtime();
    let mut group = c.benchmark_group("a request and its reply");
    group.bench_function("pipe, bare tokio", |b| b.iter_custom(|n| runtime.block_on(bare(n, pipe()))));
    group.bench_function("pipe, wire", |b| b.iter_custom(|n| runtime.block_on(wired(n, pipe()))));
    group.bench_function("tcp, bare tokio", |b| {
        b.iter_custom(|n| runtime.block_on(async { bare(n, tcp().await).await }));
    });
    group.bench_function("tcp, wire", |b| b.iter_custom(|n| runtime.block_on(async { wired(n, tcp().await).await })));
    group.finish();
}

/// A megabyte with a head, to a client that reads as fast as it can.
fn large(c: &mut Criterion) {
    let runtime = runtime();
    let body = Bytes::from(vec![b'x'; MIB]);
    let mut group = c.benchmark_group("a reply of 1 MiB over tcp");
    group.throughput(Throughput::Bytes(MIB as u64)).sample_size(30);
    let read_all = |mut client: TcpStream, n: u64| async move {
        let mut sink = vec![0; 256 * 1024];
        let mut left = n * (MIB + REPLY.len()) as u64;
        while left > 0 {
            left -= client.read(&mut sink).await.expect("a peer") as u64;
        }
    };
    group.bench_function("bare tokio, copied into one write", |b| {
        b.iter_custom(|n| {
            runtime.block_on(async {
                let (mut server, client) = tcp().await;
                let reading = tokio::spawn(read_all(client, n));
                let start = Instant::now();
                for _ in 0..n {
                    server.write_all(&[REPLY, &body].concat()).await.expect("a peer");
                }
                reading.await.expect("no panic");
                start.elapsed()
            })
        });
    });
    group.bench_function("wire, uncopied", |b| {
        b.iter_custom(|n| {
            runtime.block_on(async {
                let (server, client) = tcp().await;
                let (_connection, mut wire) = counted(server);
                let reading = tokio::spawn(read_all(client, n));
                let start = Instant::now();
                for _ in 0..n {
                    wire.output.extend(REPLY);
                    wire.output.push(body.clone());
                    wire.flush().await.expect("a peer");
                }
                reading.await.expect("no panic");
                start.elapsed()
            })
        });
    });
    group.finish();
}

fn buffers(c: &mut Criterion) {
    let mut group = c.benchmark_group("bytes");
    group.bench_function("fill, consume, release: buffer", |b| {
        let mut buffer = Buffer::new();
        b.iter(|| {
            buffer.spare(64 * 1024)[..REQUEST.len()].copy_from_slice(black_box(REQUEST));
            buffer.commit(REQUEST.len());
            black_box(buffer.filled());
            buffer.consume(REQUEST.len());
            buffer.release_memory();
        });
    });
    group.bench_function("fill, consume: a vector that is kept", |b| {
        let mut vector = Vec::with_capacity(64 * 1024);
        b.iter(|| {
            vector.extend_from_slice(black_box(REQUEST));
            black_box(&vector[..]);
            vector.clear();
        });
    });
    group.bench_function("sixteen replies: output", |b| {
        let mut output = Output::new();
        b.iter(|| {
            (0..16).for_each(|_| output.extend(black_box(REPLY)));
            black_box(output.first());
            output.advance(output.len());
            output.release_memory();
        });
    });
    group.bench_function("sixteen replies: a vector that is kept", |b| {
        let mut vector = Vec::with_capacity(4 * 1024);
        b.iter(|| {
            (0..16).for_each(|_| vector.extend_from_slice(black_box(REPLY)));
            black_box(&vector[..]);
            vector.clear();
        });
    });
    let body = Bytes::from(vec![b'x'; 64 * 1024]);
    group.bench_function("gather a head and 64 KiB", |b| {
        let mut output = Output::new();
        b.iter(|| {
            output.extend(black_box(REPLY));
            output.push(body.clone());
            output.gather(|slices: &[IoSlice<'_>]| assert_eq!(black_box(slices).len(), 2));
            output.advance(output.len());
        });
    });
    group.finish();
}

fn decisions(c: &mut Criterion) {
    let mut group = c.benchmark_group("decide");
    let limits = Timeouts::default();
    group.bench_function("the end of a phase", |b| {
        b.iter(|| limits.end(black_box(Phase::Idle), black_box(Tick::START)));
    });
    group.bench_function("a wait for a body", |b| {
        let mut meter = MinRate::default();
        b.iter(|| {
            let deadline = meter.wait(black_box(Tick::from_millis(1_000)), Phase::Body, &limits);
            meter.moved(black_box(100), Tick::from_millis(1_000));
            deadline
        });
    });
    group.bench_function("a move", |b| b.iter(|| black_box(State::Idle).go(black_box(State::Active))));
    group.finish();
}

/// The work done once for each connection, among many others.
fn slots(c: &mut Criterion) {
    let runtime = runtime();
    let _inside = runtime.enter();
    let mut group = c.benchmark_group("admit and leave");
    let (connections, _sweeper) = Connections::new(Timeouts::default(), None, None);
    let _others: Vec<_> = (0..10_000).map(|_| connections.admit(pipe_of_nothing(), peer())).collect();
    group.bench_function("among 10,000", |b| b.iter(|| drop(connections.admit(pipe_of_nothing(), peer()))));
    group.bench_function("count 10,000", |b| b.iter(|| black_box(&connections).counts()));
    group.finish();
}

fn pipe_of_nothing() -> DuplexStream {
    tokio::io::duplex(1).0
}

fn peer() -> Addr {
    std::net::SocketAddr::from(([192, 0, 2, 1], 1)).into()
}

criterion_group!(benches, turns, large, buffers, decisions, slots);
criterion_main!(benches);
