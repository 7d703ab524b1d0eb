//! What the suites of the server share beside its public test kit, `httptest`, whose client is theirs: servers over any
//! kind of stream, with and without timeouts and TLS, and a bound on real time.

#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test uses a part of it")]

#[cfg(feature = "http2")]
pub mod frame_client;
#[cfg(feature = "http2")]
pub mod frames;
#[cfg(feature = "http2")]
pub mod hpack;
#[cfg(feature = "ring")]
mod over_tls;

pub use quintet_server::httptest::{RawClient as Client, RawReply as Reply};

use std::{
    future::Future,
    sync::mpsc,
    time::{Duration, Instant},
};

use quintet_listener::testing::{Dialer, MemoryListener, MemoryStream};
use quintet_server::{Config, Handler, Listener, ServeError, Server, Timeouts, listen};
use tokio::{io::DuplexStream, net::TcpStream, task::JoinHandle};

/// Runs a test, and aborts the process if it takes a minute of real time. A server that spins stops the clock of a paused
/// runtime, so a timeout of that runtime would never end the test.
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

/// Whether the servers of this run have no timeouts. The gate runs the suites once more like that, and all must end: a test
/// that only a timeout would end has lost a wake-up.
pub fn without_timeouts() -> bool {
    std::env::var_os("QUINTET_WITHOUT_TIMEOUTS").is_some()
}

/// The default settings, without timeouts if [`without_timeouts`].
pub fn config() -> Config {
    let timeouts = if without_timeouts() { Timeouts::none() } else { Timeouts::default() };
    Config { timeouts, ..Config::default() }
}

/// A server with the default settings, as [`config`] has them.
pub fn server<H: Handler>(handler: H) -> Server<H> {
    Server::with_config(handler, config())
}

/// Whether connections in memory speak TLS: the suites run once more like that. What the client of TLS between a test and
/// the server holds, and when it passes on that the test's client has gone, is its own.
pub fn over_tls() -> bool {
    cfg!(feature = "ring") && std::env::var_os("QUINTET_OVER_TLS").is_some()
}

/// Connects to a server in memory.
#[derive(Clone)]
pub struct Dial {
    dialer: Dialer<Memory>,
    #[cfg(feature = "ring")]
    over_tls: Option<over_tls::OverTls>,
}

/// The server's end of a connection in memory.
#[cfg(not(feature = "ring"))]
pub type Memory = MemoryStream;
#[cfg(feature = "ring")]
pub type Memory = over_tls::MaybeTls;

/// A listener of streams in memory, and its dialer.
pub fn memory() -> (MemoryListener<Memory>, Dial) {
    let (listener, dialer) = MemoryListener::new();
    let dial = Dial {
        dialer,
        #[cfg(feature = "ring")]
        over_tls: over_tls().then(over_tls::OverTls::new),
    };
    (listener, dial)
}

impl Dial {
    /// A connection whose two directions hold 64 KiB each.
    pub fn connect(&self) -> Client<DuplexStream> {
        self.connect_sized(64 * 1024)
    }

    /// A connection whose two directions hold so many bytes each.
    pub fn connect_sized(&self, size: usize) -> Client<DuplexStream> {
        assert!(!self.is_shut(), "the listener is open");
        #[cfg(feature = "ring")]
        if let Some(over_tls) = &self.over_tls {
            let (server, client) = over_tls.pair(size);
            self.dialer.send(Memory::Tls(server));
            return Client::new(client);
        }
        self.connect_in_cleartext(size)
    }

    /// The same without TLS, also if [`over_tls`]: for clients of HTTP/2, which the TLS of the tests does not offer.
    pub fn connect_in_cleartext(&self, size: usize) -> Client<DuplexStream> {
        assert!(!self.is_shut(), "the listener is open");
        let (server, client, _reset) = MemoryStream::pair(size);
        #[cfg(feature = "ring")]
        let server = Memory::Plain(server);
        self.dialer.send(server);
        Client::new(client)
    }

    /// Whether the listener is gone.
    pub fn is_shut(&self) -> bool {
        self.dialer.is_closed()
    }
}

/// Serves streams in memory, in a task of its own.
pub fn in_memory<H: Handler>(server: &Server<H>) -> (Dial, JoinHandle<Result<(), ServeError>>) {
    let (listener, dial) = memory();
    let server = server.clone();
    (dial, tokio::spawn(async move { server.serve(listener).await }))
}

/// Serves a port of the loopback, in a task of its own; returns the address.
pub fn on_loopback<H: Handler>(server: &Server<H>) -> (String, JoinHandle<Result<(), ServeError>>) {
    let listener = listen("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("its address").to_string();
    let server = server.clone();
    (addr, tokio::spawn(async move { server.serve(listener).await }))
}

pub async fn dial(addr: &str) -> Client<TcpStream> {
    Client::new(TcpStream::connect(addr).await.expect("a server listens"))
}

/// Waits until a condition holds, for up to ten seconds of the runtime's clock and of real time.
pub async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let (paused, real) = (tokio::time::Instant::now(), Instant::now());
    while !is_so() {
        let waited = paused.elapsed().max(real.elapsed());
        assert!(waited < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
