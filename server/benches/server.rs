//! The server end to end, compared with hyper, axum and a bare responder in one run.
//!
//! `cargo bench -p quintet-server --bench server`, or with a filter: `… -- tcp`, `… -- "16 pipelined"`. Compare
//! figures of one run only.
//!
//! ```text
//!  client ── loopback, or a pipe in memory of 64 KiB ── rival      all on one thread
//! ```
//!
//! | rival | what it does |
//! |---|---|
//! | bare tokio | finds the end of each head and writes a prepared reply: the least cost of a reply |
//! | hyper | its HTTP/1 connection with `pipeline_flush(true)`, without a timer, hence without timeouts |
//! | axum | a `Router` on the same connection, which spends less than `axum::serve` and flushes a pipeline at once |
//! | quintet | `Server::new(ServeMux)` with the default limits and timeouts |
//!
//! All accept from the same listener, have the same routes and send the same bodies and types; the client does the same
//! work for each and looks at every status. It sends one head again and again, as a benchmark does, which quintet reads
//! by comparing; "a GET, unlike the last" has other fields each time.

use std::{
    convert::Infallible,
    io::{self, Write as _},
    net::SocketAddr,
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::routing::{get, post};
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::{Method, StatusCode, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::{Either, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use memchr::memmem;
use quintet_listener::testing::{Dialer, MemoryListener};
use quintet_server::{
    Body, Listener, Request, Response, ServeMux, Server,
    listener::{Stream, TcpListener, TcpOptions},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    net::TcpStream,
    runtime::Builder,
};

const KIB: usize = 1024;
const HELLO: &str = "Hello, World!";
const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

// Transports: a pipe in memory, and the loopback.

/// A transport; the value is the address that a client connects to.
trait Medium: Sized {
    const NAME: &'static str;
    type Listener: Listener;
    fn open() -> (Self::Listener, Self);
    async fn dial(&self) -> <Self::Listener as Listener>::Stream;
}

struct Loopback(SocketAddr);

impl Medium for Loopback {
    const NAME: &'static str = "tcp";
    type Listener = TcpListener;

    fn open() -> (TcpListener, Self) {
        let listener = TcpListener::bind("127.0.0.1:0", &TcpOptions::default()).expect("a free port");
        let addr = SocketAddr::from(([127, 0, 0, 1], listener.port()));
        (listener, Self(addr))
    }

    async fn dial(&self) -> TcpStream {
        let stream = TcpStream::connect(self.0).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket that is open");
        stream
    }
}

impl Medium for Dialer<DuplexStream> {
    const NAME: &'static str = "pipe";
    type Listener = MemoryListener<DuplexStream>;

    fn open() -> (MemoryListener<DuplexStream>, Self) {
        MemoryListener::new()
    }

    async fn dial(&self) -> DuplexStream {
        let (client, server) = duplex(64 * KIB);
        assert!(self.send(server), "the server accepts");
        client
    }
}

// The servers that are compared.

#[derive(Clone, Copy)]
enum Rival {
    Bare,
    Hyper,
    Axum,
    Quintet,
}

const RIVALS: [(&str, Rival); 4] =
    [("bare tokio", Rival::Bare), ("hyper", Rival::Hyper), ("axum", Rival::Axum), ("quintet", Rival::Quintet)];

impl Rival {
    async fn serve<L: Listener>(self, listener: L) {
        match self {
            Self::Bare => each(listener, bare).await,
            Self::Hyper => each(listener, hyper).await,
            Self::Axum => {
                let router = router();
                each(listener, move |stream| axum(stream, router.clone())).await;
            }
            Self::Quintet => Server::new(mux()).serve(listener).await.expect("nothing ends the listener"),
        }
    }
}

/// Accepts, and serves each connection in a task of its own. The client notices errors.
async fn each<L: Listener, F>(mut listener: L, serve: impl Fn(L::Stream) -> F)
where
    F: Future<Output: Send> + Send + 'static,
{
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        tokio::spawn(serve(stream));
    }
}

/// Answers all requests of one read in one write, without copying a body. One byte of the path identifies a request.
async fn bare<S: Stream>(mut stream: S) -> io::Result<()> {
    let end = memmem::Finder::new(b"\r\n\r\n");
    let (mut input, mut output) = (Vec::with_capacity(8 * KIB), Vec::new());
    while stream.read_buf(&mut input).await? > 0 {
        let (mut at, mut last) = (0, false);
        while let Some(len) = end.find(&input[at..]) {
            let (head, rest) = input[at..].split_at(len + 4);
            let body = match head[5] {
                b'p' => {
                    output.extend_from_slice(&PLAIN);
                    b""
                }
                b's' => &STREAM[..],
                _ => {
                    let Some(body) = rest.get(..content_length(head)) else { break };
                    let len = body.len();
                    write!(output, "{OK}Content-Type: {BYTES}\r\n{LENGTH}{len}\r\n\r\n")?;
                    at += len;
                    body
                }
            };
            if !body.is_empty() {
                stream.write_all_buf(&mut bytes::Buf::chain(&output[..], body)).await?;
                output.clear();
            }
            at += head.len();
            last = head.ends_with(b"close\r\n\r\n");
        }
        stream.write_all(&output).await?;
        if last {
            return stream.shutdown().await;
        }
        output.clear();
        input.drain(..at);
        if !input.is_empty() {
            input.reserve(128 * KIB); // a large body is under way
        }
    }
    Ok(())
}

const OK: &str = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

static PLAIN: LazyLock<Vec<u8>> =
    LazyLock::new(|| format!("{OK}Content-Type: {TEXT}\r\n{LENGTH}{}\r\n\r\n{HELLO}", HELLO.len()).into_bytes());

static STREAM: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let head = format!("{OK}Content-Type: {BYTES}\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
    let chunk = [b"400\r\n", &PIECE[..], b"\r\n"].concat();
    [head, chunk.repeat(PIECES), b"0\r\n\r\n".to_vec()].concat()
});

fn content_length(head: &[u8]) -> usize {
    let at = memmem::find(head, LENGTH.as_bytes()).expect("a request with a body") + LENGTH.len();
    head[at..].iter().take_while(|digit| digit.is_ascii_digit()).fold(0, |n, digit| 10 * n + usize::from(digit - b'0'))
}

async fn hyper<S: Stream>(stream: S) -> hyper::Result<()> {
    let service = service_fn(async |request: http::Request<Incoming>| {
        let (kind, body) = match (request.method(), request.uri().path()) {
            (&Method::GET, "/plaintext") => (TEXT, Either::Left(Full::from(HELLO))),
            (&Method::GET, "/stream") => (BYTES, Either::Right(Either::Left(Pieces(PIECES)))),
            (&Method::POST, "/echo") => (BYTES, Either::Right(Either::Right(request.into_body()))),
            _ => return http::Response::builder().status(StatusCode::NOT_FOUND).body(Either::Left(Full::default())),
        };
        http::Response::builder().header(CONTENT_TYPE, kind).body(body)
    });
    http1::Builder::new().pipeline_flush(true).serve_connection(TokioIo::new(stream), service).await
}

async fn axum<S: Stream>(stream: S, router: axum::Router) -> hyper::Result<()> {
    let service = TowerToHyperService::new(router);
    http1::Builder::new().pipeline_flush(true).serve_connection(TokioIo::new(stream), service).await
}

fn router() -> axum::Router {
    const KIND: [(http::HeaderName, &str); 1] = [(CONTENT_TYPE, BYTES)];
    axum::Router::new()
        .route("/plaintext", get(|| async { HELLO }))
        .route("/stream", get(|| async { (KIND, axum::body::Body::new(Pieces(PIECES))) }))
        .route("/echo", post(|body: axum::body::Body| async move { (KIND, body) }))
}

fn mux() -> ServeMux {
    let mux = ServeMux::new();
    mux.handle("GET /plaintext", async |_| HELLO);
    mux.handle("GET /stream", async |_| Response::new(Body::new(Pieces(PIECES))).with_content_type(BYTES));
    mux.handle("POST /echo", async |request: Request| Response::new(request.into_body()).with_content_type(BYTES));
    mux
}

const PIECES: usize = 64;
static PIECE: [u8; KIB] = [b'x'; KIB];

/// A body of this many pieces, each sent as a chunk.
struct Pieces(usize);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(None) };
        self.0 = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&PIECE)))))
    }
}

// The client.

struct Workload {
    name: &'static str,
    /// The requests that are sent in turn; their replies have the same length.
    requests: Vec<Vec<u8>>,
    /// How many equal requests are sent in one write.
    at_once: usize,
    reuse: Reuse,
}

enum Reuse {
    Yes,
    No,
}

const FIELDS: &str = "Host: localhost:8080\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-GB,en;q=0.9\r\n\
    Accept-Encoding: gzip, deflate, br\r\n";
const LENGTH: &str = "Content-Length: ";

fn request(line: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    [line.as_bytes(), b" HTTP/1.1\r\n", FIELDS.as_bytes(), fields.as_bytes(), b"\r\n", body].concat()
}

fn echo(len: usize) -> Vec<u8> {
    request("POST /echo", &format!("Content-Type: {BYTES}\r\n{LENGTH}{len}\r\n"), &vec![b'x'; len])
}

fn kept() -> Vec<Workload> {
    let plain = request("GET /plaintext", "Cookie: session=7f9c2ba4e88f827d\r\n", b"");
    let other = request("GET /plaintext", "Cookie: session=616045507605853e\r\n", b"");
    let with = |name, requests| Workload { name, requests, at_once: 1, reuse: Reuse::Yes };
    vec![
        with("a GET", vec![plain.clone()]),
        with("a GET, unlike the last", vec![plain.clone(), other]),
        Workload { at_once: 16, ..with("16 pipelined GETs", vec![plain]) },
        with("an echo of 1 KiB", vec![echo(KIB)]),
        with("an echo of 64 KiB", vec![echo(64 * KIB)]),
        with("64 chunks of 1 KiB", vec![request("GET /stream", "", b"")]),
    ]
}

fn anew() -> Workload {
    let last = request("GET /plaintext", "Connection: close\r\n", b"");
    Workload { name: "a connection and a GET", requests: vec![last], at_once: 1, reuse: Reuse::No }
}

impl Workload {
    async fn run<M: Medium>(&self, rounds: u64, server: &M) -> Duration {
        match self.reuse {
            Reuse::Yes => self.converse(rounds, server.dial().await).await,
            Reuse::No => self.reconnect(rounds, server).await,
        }
    }

    async fn converse<S: Stream>(&self, rounds: u64, mut client: S) -> Duration {
        let one = learn(&mut client, &self.requests[0]).await;
        let mut replies = vec![0; one * self.at_once];
        let turns: Vec<_> = self.requests.iter().map(|request| request.repeat(self.at_once)).collect();
        let start = Instant::now();
        for (_, turn) in (0..rounds).zip(turns.iter().cycle()) {
            client.write_all(turn).await.expect("the server reads");
            client.read_exact(&mut replies).await.expect("the server replies");
            replies.chunks(one).for_each(look);
        }
        start.elapsed()
    }

    async fn reconnect<M: Medium>(&self, rounds: u64, server: &M) -> Duration {
        let mut reply = Vec::with_capacity(KIB);
        let start = Instant::now();
        for _ in 0..rounds {
            let mut client = server.dial().await;
            client.write_all(&self.requests[0]).await.expect("the server reads");
            reply.clear();
            client.read_to_end(&mut reply).await.expect("the server replies and closes");
            look(&reply);
        }
        start.elapsed()
    }
}

fn look(reply: &[u8]) {
    assert!(reply.starts_with(b"HTTP/1.1 200 "), "no such reply, or one of another length");
}

/// The length of the reply, found before the measurement, so that the measured client does not parse replies.
async fn learn<S: Stream>(client: &mut S, request: &[u8]) -> usize {
    client.write_all(request).await.expect("the server reads");
    let mut reply = Vec::new();
    while !is_whole(&reply) {
        let n = client.read_buf(&mut reply).await.expect("the server writes");
        assert!(n > 0, "the server closed early");
    }
    reply.len()
}

fn is_whole(reply: &[u8]) -> bool {
    let Some(head) = memmem::find(reply, b"\r\n\r\n") else { return false };
    let text = std::str::from_utf8(&reply[..head]).expect("a head that is text").to_ascii_lowercase();
    match text.lines().find_map(|line| line.strip_prefix("content-length: ")) {
        Some(len) => reply.len() == head + 4 + len.parse::<usize>().expect("a length"),
        None => reply.ends_with(b"\r\n0\r\n\r\n"),
    }
}

// The run.

fn compare<M: Medium>(c: &mut Criterion, workload: &Workload) {
    let mut group = c.benchmark_group(format!("{}, {}", M::NAME, workload.name));
    group.throughput(Throughput::Elements(workload.at_once as u64));
    for (name, rival) in RIVALS {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (listener, server) = M::open();
        runtime.spawn(rival.serve(listener));
        group.bench_function(name, |b| b.iter_custom(|rounds| runtime.block_on(workload.run(rounds, &server))));
    }
    group.finish();
}

fn pipe(c: &mut Criterion) {
    kept().iter().for_each(|workload| compare::<Dialer<DuplexStream>>(c, workload));
}

fn loopback(c: &mut Criterion) {
    kept().iter().chain([&anew()]).for_each(|workload| compare::<Loopback>(c, workload));
}

criterion_group!(benches, pipe, loopback);
criterion_main!(benches);
