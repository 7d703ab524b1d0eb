//! A server for tests, in memory or on the loopback.

use std::{fmt, net::SocketAddr, time::Duration};

use quintet_listener::{Addr, Listener, listen, testing::MemoryListener};
use quintet_mux::Handler;
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};

use super::{
    client_state::ClientState,
    close_report::CloseReport,
    dial::{Dial, Protocol, Way},
    raw_client::RawClient,
    test_client::TestClient,
    test_server_options::{Network, TestServerOptions},
    test_stream::TestStream,
};
use crate::Server;

/// How long a request may take after the server was told to shut down.
const GRACE_PERIOD: Duration = Duration::from_secs(5);
/// How long a task may take after the last connection.
const TASK_GRACE_PERIOD: Duration = Duration::from_secs(1);
/// The time between two looks at the tasks.
const LOOK: Duration = Duration::from_millis(5);

/// A server for tests, in memory or on the loopback. Go: `httptest.Server`, `NewTestServer`.
///
/// Dropping it closes the server, and aborts its connections. [`close`](Self::close) does so in order, and tells what is
/// left.
///
/// # Example
/// Time is paused, so that the test of a timeout takes none:
/// ```
/// use std::time::Duration;
/// use quintet_server::{Config, Request, ServeMux, Timeouts, httptest::{TestServer, TestServerOptions}};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] // #[tokio::test(start_paused = true)]
/// # async fn main() {
/// let mux = ServeMux::new();
/// mux.handle("POST /upload", async |mut request: Request| match request.to_bytes(1 << 20).await {
///     Ok(bytes) => format!("{} bytes\n", bytes.len()),
///     Err(error) => format!("{error}\n"),
/// });
/// let timeouts = Timeouts { stall: Duration::from_secs(7), ..Timeouts::default() };
/// let config = Config { timeouts, ..Config::default() };
/// let server = TestServer::start_with(mux, TestServerOptions { config, ..TestServerOptions::default() });
///
/// let mut client = server.raw_client().await;
/// client.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf").await;
/// assert_eq!(client.reply().await.text(), "the body arrived too slowly\n");
/// # }
/// ```
pub struct TestServer<H: Handler> {
    server: AbortOnDrop<H>,
    dial: Dial,
    /// The tasks of the runtime before the server was started.
    tasks_before: usize,
}

impl<H: Handler> TestServer<H> {
    /// Serves a handler in memory, without TLS.
    ///
    /// # Panics
    /// Outside of a runtime.
    #[must_use]
    pub fn start(handler: H) -> Self {
        Self::start_with(handler, TestServerOptions::default())
    }

    /// Serves a handler in memory, over TLS: HTTP/1.1, and HTTP/2 with the feature `http2`. Go: `NewTLSServer`.
    ///
    /// # Panics
    /// Outside of a runtime; if there is no provider of cryptography (feature `ring`, for example).
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn start_tls(handler: H) -> Self {
        Self::start_with(handler, TestServerOptions { tls: true, ..TestServerOptions::default() })
    }

    /// Serves a handler with these settings.
    ///
    /// # Panics
    /// As [`start`](Self::start) and `start_tls`; if no port of the loopback is free.
    #[must_use]
    pub fn start_with(handler: H, options: TestServerOptions) -> Self {
        let TestServerOptions { config, network, peer_addr, pipe_bytes, .. } = options;
        let tasks_before = tasks();
        let server = Server::with_config(handler, config);
        #[cfg(feature = "tls")]
        let provider = options.tls.then(|| crate::tls_provider().expect("a provider of cryptography: feature ring"));
        let security = Security {
            #[cfg(feature = "tls")]
            provider,
        };
        let way = match network {
            Network::Memory => {
                let (listener, dialer) = MemoryListener::new();
                security.serve(&server, listener);
                Way::Memory { dialer, peer: peer_addr, pipe_bytes }
            }
            Network::Loopback => {
                let listener = listen("127.0.0.1:0").expect("a free port of the loopback");
                let addr = addr_of(&listener);
                security.serve(&server, listener);
                Way::Loopback(addr)
            }
        };
        Self { server: AbortOnDrop(server), dial: security.dial(way), tasks_before }
    }

    /// A client of HTTP/1.1. Go: `Server.Client`.
    #[must_use]
    pub fn client(&self) -> TestClient {
        TestClient::new(ClientState::new(self.dial.clone(), Protocol::Http1))
    }

    /// A client of HTTP/2: over TLS, or without TLS by prior knowledge, which the [settings](TestServerOptions::config) must
    /// then allow.
    #[cfg(feature = "http2")]
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    #[must_use]
    pub fn http2_client(&self) -> TestClient {
        TestClient::new(ClientState::new(self.dial.clone(), Protocol::Http2))
    }

    /// A client of HTTP/1.1 that sends any bytes.
    ///
    /// # Panics
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// Cancel safe: the connection is closed.
    pub async fn raw_client(&self) -> RawClient<TestStream> {
        RawClient::new(self.connect().await)
    }

    /// A connection. Over TLS its handshake is done, with `http/1.1` in ALPN.
    ///
    /// # Panics
    /// If the server has shut down.
    ///
    /// # Cancel safety
    /// Cancel safe: the connection is closed.
    pub async fn connect(&self) -> TestStream {
        self.dial.connect(Protocol::Http1).await.expect("the server is open")
    }

    /// The scheme and the authority, without a slash at the end: `http://example.com` in memory, which resolves to nothing
    /// outside of this server, else that of the port. Go: `Server.URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.dial.scheme, self.dial.host())
    }

    /// The certificate of the server in PEM, for clients of other libraries. It is valid for `example.com` and the names
    /// below it, `localhost`, `127.0.0.1` and `::1`, until 2084. Its key is public. Go: `Server.Certificate`.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn certificate(&self) -> &'static str {
        super::certificate::CERTIFICATE
    }

    /// The server itself: its [`stats`](Server::stats), for example, or to [shut it down](Server::shutdown) while clients
    /// are there.
    #[must_use]
    pub fn server(&self) -> &Server<H> {
        &self.server.0
    }

    /// Closes the server, and tells what is left. Requests in progress have 5 s to end, then they are aborted; the tasks that
    /// handlers spawned have 1 s more. Under paused time that takes no time. Go: `Server.Close`, which waits without a
    /// bound.
    ///
    /// The connections of the clients are closed too: a client that is kept alive is not left. A clone of the
    /// [server](Self::server), or its [`Stats`](crate::Stats), that the test still has keeps one task.
    ///
    /// # Cancel safety
    /// Not cancel safe: the server is dropped, and aborts its connections.
    pub async fn close(self) -> CloseReport {
        let Self { server, dial, tasks_before } = self;
        let shutdown = server.0.shutdown_now(GRACE_PERIOD).await;
        let connections_left = server.0.counts().total();
        // The handler and what it owns, and the task of the timeouts, end with the server.
        drop((server, dial));
        let until = Instant::now() + TASK_GRACE_PERIOD;
        while tasks() > tasks_before && Instant::now() < until {
            sleep(LOOK).await;
        }
        let tasks_left = tasks().saturating_sub(tasks_before);
        CloseReport { aborted: shutdown.aborted, connections_left, tasks_left }
    }
}

/// A server that aborts its connections when it is dropped.
struct AbortOnDrop<H: Handler>(Server<H>);

impl<H: Handler> Drop for AbortOnDrop<H> {
    fn drop(&mut self) {
        // Without waiting, and so without a timer: the runtime may have ended.
        let (connections, _) = self.0.shared.stop();
        connections.iter().for_each(|connections| connections.abort());
    }
}

/// What a connection is made secure with: nothing, or TLS.
struct Security {
    #[cfg(feature = "tls")]
    provider: Option<quintet_listener::TlsProvider>,
}

impl Security {
    /// Serves a listener, in a task of its own.
    fn serve<H: Handler, L: Listener>(&self, server: &Server<H>, listener: L) {
        let server = server.clone();
        #[cfg(feature = "tls")]
        if let Some(provider) = &self.provider {
            let listener = server.tls_listener(listener, super::certificate::server_config(provider));
            tokio::spawn(async move { server.serve(listener).await });
            return;
        }
        tokio::spawn(async move { server.serve(listener).await });
    }

    #[cfg(feature = "tls")]
    fn dial(self, way: Way) -> Dial {
        let scheme = if self.provider.is_some() { "https" } else { "http" };
        Dial { way, scheme, provider: self.provider }
    }

    #[cfg(not(feature = "tls"))]
    fn dial(self, way: Way) -> Dial {
        Dial { way, scheme: "http" }
    }
}

/// The address that a listener of the loopback is bound to.
fn addr_of(listener: &impl Listener) -> SocketAddr {
    match listener.local_addr() {
        Ok(Addr::Tcp(addr)) => addr,
        other => unreachable!("an address of TCP was bound, not {other:?}"),
    }
}

/// The tasks that the runtime has now.
fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

impl<H: Handler> fmt::Debug for TestServer<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer").field("url", &self.url()).field("server", self.server()).finish_non_exhaustive()
    }
}
