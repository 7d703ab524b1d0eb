//! The settings of a server, and its hooks.

use std::{any::Any, error::Error, fmt, sync::Arc, time::Duration};

use http::StatusCode;
use quintet_conn::{Connection, State, Timeouts};
use quintet_listener::{AcceptError, Addr};
#[cfg(feature = "tls")]
use quintet_listener::{CertificateExpired, HandshakeError, TlsError};
use quintet_mux::{FieldError, Response};
#[cfg(feature = "http2")]
use quintet_request::Http2Config;
use quintet_request::{Limits, RequestsError};

#[cfg(feature = "http2")]
use crate::protocols::Protocols;
use crate::{access_log::AccessLog, served::Served};

/// The settings of a server, each with a safe default.
///
/// Written with `..Config::default()`: a new field is no breaking change.
///
/// # Example
/// ```
/// use quintet_server::{Config, Limits, Server, Timeouts};
/// use std::time::Duration;
///
/// let config = Config {
///     limits: Limits { target: 2048, ..Limits::default() },
///     timeouts: Timeouts { idle: Duration::from_secs(15), ..Timeouts::default() },
///     max_requests: 1000,
///     ..Config::default()
/// };
/// let server = Server::with_config(async |_| "hello\n", config);
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// Size limits for parsing: bytes and counts.
    pub limits: Limits,
    /// Time limits for a slow client.
    pub timeouts: Timeouts,
    /// The protocols that are spoken: HTTP/1.1, and HTTP/2 over TLS. Go: `Server.Protocols`.
    #[cfg(feature = "http2")]
    pub protocols: Protocols,
    /// The limits of HTTP/2 connections. Go: `Server.HTTP2`.
    #[cfg(feature = "http2")]
    pub http2: Http2Config,
    /// The most bytes of a request body that are read and thrown away after the handler left it unread, so that the
    /// connection can be used again. If more is to come, the connection closes after the reply. Default: 256 KiB. Go:
    /// `maxPostHandlerReadBytes`.
    pub max_drain_bytes: u64,
    /// The most bytes that are read and ignored while a connection lingers: after its last reply a client may still be
    /// sending, and closing at once could destroy the reply. Bounded in time by [`Timeouts::linger`]. Default: 64 MiB.
    pub max_linger_bytes: u64,
    /// The most requests on one connection. The last reply says `Connection: close`. Default: no limit.
    pub max_requests: u64,
    /// The greatest age of a connection, up to a tenth more or less, so that connections that were opened together do not
    /// all close together. The first reply after that age says `Connection: close`; a connection of HTTP/2 gets a GOAWAY
    /// with the first request after it, and ends when its requests have. Default: no limit.
    pub max_age: Duration,
    /// The time between [`Server::shutdown`](crate::Server::shutdown), or SIGTERM, and the close of the listeners. In it a
    /// balancer finds out that this server is about to leave: [`ready`](crate::ready) says 503, each reply of HTTP/1.1 says
    /// `Connection: close`, and clients of HTTP/2 get a GOAWAY. New clients are still served, and an idle connection stays
    /// open. Choose it longer than the balancer needs to notice: its time between two probes, times the number of failures
    /// that it waits for. Default: zero. Caddy: `shutdown_delay`.
    pub shutdown_delay: Duration,
    /// Whether the handler gets `OPTIONS *`. If not, the server answers it with an empty 200. Default: `false`. Go:
    /// `Server.DisableGeneralOptionsHandler`.
    pub pass_options_star: bool,
    /// The log of requests: a line for each. `Server::run` and its kin open it again at SIGHUP and SIGUSR1, and a shutdown
    /// writes the lines that wait, for up to one second. Default: none.
    #[doc(alias = "logging")]
    pub access_log: Option<AccessLog>,
    /// Whether the server tells `tracing` what it does: a span for each request, and events for refusals, panics, accept
    /// errors, failed TLS handshakes, reloads and the shutdown. Default: `false`.
    ///
    /// The span has the names of OpenTelemetry: `http.request.method` (`_OTHER` for an unknown one), `http.route` (the
    /// pattern, without method and host), `url.path`, `url.query`, `url.scheme`, `http.response.status_code`,
    /// `network.protocol.version`, `client.address` (told by a trusted proxy, or else the peer's), `server.address`,
    /// `user_agent.original`, `http.request.header.x-request-id` (the id of the request), `error.type`; and for the crate `tracing-opentelemetry` `otel.name`, `otel.kind` and
    /// `otel.status_code`. Its level is `INFO`, its target `quintet_server`. It is the parent of what the handler logs, and
    /// ends when the last byte of the reply was sent. A connection has no span, and neither has a body that is written after
    /// the handler has returned.
    ///
    /// The events replace the lines on standard error, if a subscriber is set.
    #[cfg(feature = "tracing")]
    #[doc(alias = "OpenTelemetry")]
    pub tracing: bool,
    /// Functions that the server calls on events.
    pub hooks: Hooks,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            #[cfg(feature = "http2")]
            protocols: Protocols::default(),
            #[cfg(feature = "http2")]
            http2: Http2Config::default(),
            max_drain_bytes: 256 * 1024,
            max_linger_bytes: 64 << 20,
            max_requests: u64::MAX,
            max_age: Duration::MAX,
            shutdown_delay: Duration::ZERO,
            pass_options_star: false,
            access_log: None,
            #[cfg(feature = "tracing")]
            tracing: false,
            hooks: Hooks::default(),
        }
    }
}

#[cfg(feature = "tls")]
impl Config {
    /// What is offered by ALPN where a configuration of TLS says nothing.
    #[cfg(feature = "http2")]
    pub(crate) fn alpn(&self) -> &'static [&'static [u8]] {
        self.protocols.alpn()
    }

    /// The same without HTTP/2.
    #[cfg(not(feature = "http2"))]
    pub(crate) fn alpn(&self) -> &'static [&'static [u8]] {
        &[b"http/1.1"]
    }
}

/// Functions that the server calls on events: a change of state, a refused client, a panic, an accept error.
///
/// Without a hook, panics, accept errors, fields that cannot be sent, the causes of replies of 5xx, failed TLS handshakes,
/// failed reloads of a certificate and certificates that have expired are written to standard error, one line each; other
/// events are not logged. Written with `..Hooks::default()`: a new hook is no breaking change.
///
/// [`base_context`](Self::base_context) and [`conn_context`](Self::conn_context) make values for handlers, and
/// [`refused`](Self::refused) may replace a reply. All other hooks only observe.
///
/// A panic in a hook is caught and counted in [`Server::hook_failures`](crate::Server::hook_failures), and the server
/// goes on as if the hook were not set. A log line that cannot be written is counted there too. A hook runs in the task
/// of its connection or accept loop: a hook that blocks stops every connection of that thread.
///
/// # Example
/// ```
/// use quintet_server::{Config, Hooks, IntoResponse, Server};
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
///
/// let panics = Arc::new(AtomicU64::new(0));
/// let count = Arc::clone(&panics);
/// let hooks = Hooks {
///     refused: Some(Arc::new(|refused| {
///         println!("{}: {} {}", refused.connection.peer_addr(), refused.status.as_u16(), refused.error);
///         Some((refused.status, "Sorry, that was no request.\n").into_response())
///     })),
///     panicked: Some(Arc::new(move |panicked| {
///         count.fetch_add(1, Ordering::Relaxed);
///         eprintln!("{} in {:?}", panicked.message, panicked.request);
///     })),
///     ..Hooks::default()
/// };
/// let server = Server::with_config(async |_| "hello\n", Config { hooks, ..Config::default() });
/// ```
///
/// A value for each connection, here a count of its requests:
/// ```
/// use quintet_server::{Config, Hooks, Request, Server};
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
///
/// struct Requests(AtomicU64);
///
/// async fn count(request: Request) -> String {
///     let connection = request.connection().expect("it came by a server");
///     let requests: &Requests = connection.value().expect("the hook made one");
///     format!("request {} of this connection\n", 1 + requests.0.fetch_add(1, Ordering::Relaxed))
/// }
///
/// let hooks = Hooks {
///     conn_context: Some(Arc::new(|_connection| Arc::new(Requests(AtomicU64::new(0))))),
///     ..Hooks::default()
/// };
/// let server = Server::with_config(count, Config { hooks, ..Config::default() });
/// ```
#[doc(alias = "access log")]
#[doc(alias = "logging")]
#[doc(alias = "metrics")]
#[derive(Clone, Default)]
#[expect(clippy::type_complexity, reason = "a reader wants to see what a hook is given, not a name for it")]
pub struct Hooks {
    /// A connection changed its state, from the first to the second. A new connection is reported as a change from
    /// [`State::New`] to [`State::New`]. Go: `Server.ConnState`.
    pub state: Option<Arc<dyn Fn(&Connection, State, State) + Send + Sync>>,
    /// Makes a value for all connections of a listener, when serving it begins. Handlers find it by
    /// [`Connection::value`]. The argument is the address of the listener, if it has one. Go: `Server.BaseContext`.
    pub base_context: Option<Arc<dyn Fn(Option<&Addr>) -> Arc<dyn Any + Send + Sync> + Send + Sync>>,
    /// Makes a value for a connection, before its first request is read. Handlers find it by [`Connection::value`]. If
    /// the listener has a value of the same type, that of the connection is found. The state hook saw [`State::New`]
    /// before. Go: `Server.ConnContext`.
    pub conn_context: Option<Arc<dyn Fn(&Connection) -> Arc<dyn Any + Send + Sync> + Send + Sync>>,
    /// A client was refused before the handler was called. If the hook returns a reply, it is sent in place of the
    /// plain one.
    ///
    /// The rules are those of a handler's reply: any final status, a body that may be streamed, no body for a client that
    /// sent HEAD. The reply cannot take the connection over. The connection closes after it; [`Response::abort`] closes
    /// it without a reply.
    pub refused: Option<Arc<dyn Fn(&Refused<'_>) -> Option<Response> + Send + Sync>>,
    /// A request was served: its reply was sent, or it was refused, panicked or cut. Called once for each, in the task of its
    /// connection or, in HTTP/2, of its stream. See [`Served`].
    ///
    /// With this hook the server copies the head of each request and reads the clock. Without it, it does neither.
    pub served: Option<Arc<dyn Fn(&Served<'_>) + Send + Sync>>,
    /// A handler panicked, or the task of a connection that was taken over. The client gets a 500 if no byte of a reply
    /// was sent yet, and the connection closes.
    pub panicked: Option<Arc<dyn Fn(&Panicked<'_>) + Send + Sync>>,
    /// A handler's reply had a field that cannot be sent. The client gets a 500.
    pub field_error: Option<Arc<dyn Fn(&Connection, &FieldError) + Send + Sync>>,
    /// A handler's reply is that to an error with a cause, which the client is not told of: an
    /// [`HttpError`](quintet_mux::HttpError) of any status, or a reply
    /// [with a source](Response::with_error_source).
    pub handler_error: Option<Arc<dyn Fn(&HandlerError<'_>) + Send + Sync>>,
    /// Accepting a connection failed and will be retried. Called at most once a second for each accept loop.
    pub accept_error: Option<Arc<dyn Fn(&AcceptError<'_>) + Send + Sync>>,
    /// A TLS handshake failed; at most once a second and listener.
    #[cfg(feature = "tls")]
    pub handshake_error: Option<Arc<dyn Fn(&HandshakeError<'_>) + Send + Sync>>,
    /// The certificate and its key could not be loaded again; the last good ones stay in use.
    #[cfg(feature = "tls")]
    pub reload_error: Option<Arc<dyn Fn(&TlsError) + Send + Sync>>,
    /// A certificate has expired or is not valid yet, and is used all the same. Called for each that is loaded at most once:
    /// when serving begins, after a reload, or at the first handshake after it has expired.
    #[cfg(feature = "tls")]
    pub certificate_expired: Option<Arc<dyn Fn(&CertificateExpired<'_>) + Send + Sync>>,
}

/// A client that was refused before the handler was called.
#[derive(Debug)]
#[non_exhaustive]
pub struct Refused<'a> {
    /// The connection.
    pub connection: &'a Connection,
    /// The error: which rule the client broke.
    pub error: &'a RequestsError,
    /// The status of the reply: 400, 408, 414, 417, 431, 501 or 505.
    pub status: StatusCode,
}

/// The cause of a reply to an error.
#[derive(Debug)]
#[non_exhaustive]
pub struct HandlerError<'a> {
    /// The connection.
    pub connection: &'a Connection,
    /// The status of the reply.
    pub status: StatusCode,
    /// The cause.
    pub source: &'a (dyn Error + Send + Sync + 'static),
}

/// A panic in a handler.
#[derive(Debug)]
#[non_exhaustive]
pub struct Panicked<'a> {
    /// The connection.
    pub connection: &'a Connection,
    /// The message of the panic: its payload, if that is text, else `"not text"`.
    pub message: &'a str,
    /// The method and the target of the request; `None` if the handler had dropped the request before.
    pub request: Option<&'a str>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Hooks");
        #[cfg(feature = "tls")]
        debug
            .field("handshake_error", &self.handshake_error.is_some())
            .field("reload_error", &self.reload_error.is_some())
            .field("certificate_expired", &self.certificate_expired.is_some());
        debug
            .field("state", &self.state.is_some())
            .field("base_context", &self.base_context.is_some())
            .field("conn_context", &self.conn_context.is_some())
            .field("refused", &self.refused.is_some())
            .field("served", &self.served.is_some())
            .field("panicked", &self.panicked.is_some())
            .field("field_error", &self.field_error.is_some())
            .field("handler_error", &self.handler_error.is_some())
            .field("accept_error", &self.accept_error.is_some())
            .finish()
    }
}
