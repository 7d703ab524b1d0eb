//! What the tests of the server share: a listener without sockets, a client that reads replies, and a bound on time.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::{
    future::Future,
    io,
    sync::mpsc,
    time::{Duration, Instant},
};

use quintet_server::{Addr, Config, Handler, Listener, ServeError, Server, Timeouts, listen};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex},
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
};

/// Runs a test, and ends the process if it takes a minute of real time: a server that spins stops even the clock of a
/// paused runtime, and would otherwise hang here for ever.
pub async fn bounded<T>(test: impl Future<Output = T>) -> T {
    let (done, waits) = mpsc::channel::<()>();
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    std::thread::spawn(move || {
        if let Err(mpsc::RecvTimeoutError::Timeout) = waits.recv_timeout(Duration::from_secs(60)) {
            eprintln!("{name} hangs");
            std::process::abort();
        }
    });
    let result = test.await;
    drop(done);
    result
}

/// Whether no time limit holds: the suites run once more like that, and all must come to rest. What only a limit would
/// end is a wake-up that was lost.
pub fn without_timeouts() -> bool {
    std::env::var_os("QUINTET_WITHOUT_TIMEOUTS").is_some()
}

/// The default settings, without time limits if [`without_timeouts`].
pub fn config() -> Config {
    let timeouts = if without_timeouts() { Timeouts::none() } else { Timeouts::default() };
    Config { timeouts, ..Config::default() }
}

/// A server with the default settings, as [`config`] has them.
pub fn server<H: Handler>(handler: H) -> Server<H> {
    Server::with_config(handler, config())
}

/// A listener of streams in memory: whoever has the [`Dial`] connects.
pub struct Memory(UnboundedReceiver<DuplexStream>);

/// Connects to a [`Memory`].
#[derive(Clone)]
pub struct Dial(UnboundedSender<DuplexStream>);

impl Memory {
    pub fn new() -> (Memory, Dial) {
        let (send, receive) = unbounded_channel();
        (Memory(receive), Dial(send))
    }
}

impl Dial {
    /// A connection whose two directions hold 64 KiB each.
    pub fn connect(&self) -> Client<DuplexStream> {
        self.connect_sized(64 * 1024)
    }

    pub fn connect_sized(&self, size: usize) -> Client<DuplexStream> {
        let (ours, theirs) = duplex(size);
        self.0.send(theirs).expect("the listener is open");
        Client::new(ours)
    }

    /// Whether nobody accepts any more.
    pub fn is_shut(&self) -> bool {
        self.0.is_closed()
    }
}

fn nowhere() -> Addr {
    "unix:".parse().expect("an address without a name")
}

impl Listener for Memory {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, Addr)> {
        match self.0.recv().await {
            Some(stream) => Ok((stream, nowhere())),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Ok(nowhere())
    }
}

/// Serves streams in memory, in a task of its own.
pub fn in_memory<H: Handler>(server: &Server<H>) -> (Dial, JoinHandle<Result<(), ServeError>>) {
    let (listener, dial) = Memory::new();
    let server = server.clone();
    (dial, tokio::spawn(async move { server.serve(listener).await }))
}

/// Serves a port of the loopback, in a task of its own; the address.
pub fn on_loopback<H: Handler>(server: &Server<H>) -> (String, JoinHandle<Result<(), ServeError>>) {
    let listener = listen("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("its address").to_string();
    let server = server.clone();
    (addr, tokio::spawn(async move { server.serve(listener).await }))
}

pub async fn dial(addr: &str) -> Client<TcpStream> {
    Client::new(TcpStream::connect(addr).await.expect("somebody listens"))
}

/// A client that sends bytes and reads replies.
pub struct Client<S> {
    pub io: S,
    /// What arrived and was not yet looked at.
    seen: Vec<u8>,
}

/// A reply as it arrived.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// Everything before the empty line.
    pub head: String,
    pub body: Vec<u8>,
    pub trailers: String,
}

impl Reply {
    /// The first value of a field; names are compared without case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body that is text")
    }

    /// Whether it says that it is the last on its connection.
    pub fn is_last(&self) -> bool {
        self.field("connection") == Some("close")
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn new(io: S) -> Self {
        Client { io, seen: Vec::new() }
    }

    /// Sends these bytes; the server must take them.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.io.write_all(bytes.as_ref()).await.expect("the server reads");
        self.io.flush().await.expect("the server reads");
    }

    /// Sends these bytes, unless the server has closed.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.io.write_all(bytes.as_ref()).await?;
        self.io.flush().await
    }

    /// Sends a request without a body.
    pub async fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    }

    /// Sends a request without a body that asks to change the protocol to `x`.
    pub async fn get_upgrade(&mut self, path: &str) {
        let fields = "Host: a\r\nConnection: upgrade\r\nUpgrade: x\r\n";
        self.send(format!("GET {path} HTTP/1.1\r\n{fields}\r\n")).await;
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        let _ = self.io.shutdown().await;
    }

    /// Some more bytes; `false` if the server has closed (or reset) the connection.
    async fn more(&mut self) -> bool {
        matches!(self.io.read_buf(&mut self.seen).await, Ok(n) if n > 0)
    }

    /// Everything up to and including these bytes, which are left out.
    async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.seen.windows(end.len()).position(|window| window == end) {
                let found = self.seen[..at].to_vec();
                self.seen.drain(..at + end.len());
                return Some(found);
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The next `n` bytes, unless the connection ends before.
    pub async fn exactly(&mut self, n: usize) -> Option<Vec<u8>> {
        while self.seen.len() < n {
            if !self.more().await {
                return None;
            }
        }
        Some(self.seen.drain(..n).collect())
    }

    /// The head of the next reply: its status, and its text.
    pub async fn head(&mut self) -> Option<(u16, String)> {
        let head = String::from_utf8(self.until(b"\r\n\r\n").await?).expect("a head that is text");
        let status = head.get(9..12).and_then(|digits| digits.parse().ok()).expect("a status line");
        Some((status, head))
    }

    /// The next final reply to a request that is not HEAD. `None` if the connection ended before the reply did.
    pub async fn try_reply(&mut self) -> Option<Reply> {
        self.try_reply_to("GET").await
    }

    pub async fn try_reply_to(&mut self, method: &str) -> Option<Reply> {
        let (status, head) = self.head().await?;
        let mut reply = Reply { status, head, body: Vec::new(), trailers: String::new() };
        if (100..200).contains(&status) || status == 204 || status == 304 || method == "HEAD" {
            return Some(reply);
        }
        if reply.field("transfer-encoding") == Some("chunked") {
            loop {
                let size = String::from_utf8(self.until(b"\r\n").await?).expect("a size that is text");
                let size = usize::from_str_radix(&size, 16).expect("a size in hexadecimal");
                if size == 0 {
                    break;
                }
                reply.body.extend(self.exactly(size).await?);
                assert_eq!(self.exactly(2).await?, b"\r\n", "a chunk ends with a line");
            }
            loop {
                let line = String::from_utf8(self.until(b"\r\n").await?).expect("a trailer that is text");
                if line.is_empty() {
                    return Some(reply);
                }
                reply.trailers.push_str(&line);
                reply.trailers.push('\n');
            }
        }
        reply.body = match reply.field("content-length").map(|length| length.parse().expect("a length")) {
            Some(length) => self.exactly(length).await?,
            None => self.rest().await,
        };
        Some(reply)
    }

    /// The next reply, which must come whole.
    pub async fn reply(&mut self) -> Reply {
        self.try_reply().await.expect("a whole reply")
    }

    /// Sends a request without a body and reads its reply.
    pub async fn fetch(&mut self, path: &str) -> Reply {
        self.get(path).await;
        self.reply().await
    }

    /// Everything until the server closes or resets.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.seen)
    }

    /// Waits for the end; whether it came in order (FIN) and nothing was left to read.
    pub async fn ends(&mut self) -> bool {
        self.rest().await.is_empty()
    }

    /// Some bytes as they come; empty at the end.
    pub async fn some(&mut self) -> Vec<u8> {
        if self.seen.is_empty() {
            self.more().await;
        }
        std::mem::take(&mut self.seen)
    }
}

/// Waits until something is so, for up to ten seconds of the runtime's clock.
pub async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let (paused, real) = (tokio::time::Instant::now(), Instant::now());
    while !is_so() {
        let waited = paused.elapsed().max(real.elapsed());
        assert!(waited < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
