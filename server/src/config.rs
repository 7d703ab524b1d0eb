//! Everything about a server that can be set.

use std::{any::Any, fmt, sync::Arc, time::Duration};

use http::StatusCode;
use quintet_conn::{Connection, State, Timeouts};
use quintet_listener::{AcceptError, Addr};
#[cfg(feature = "tls")]
use quintet_listener::{HandshakeError, TlsError};
use quintet_mux::{FieldError, Response};
use quintet_request::{Limits, RequestsError};

/// Everything about a server that can be set, each with a safe default.
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
    /// How long a client may take, in each way of being slow.
    pub timeouts: Timeouts,
    /// A body that the handler left is read and thrown away up to this many bytes (256 KiB), so that the connection can
    /// be used again; if more is to come, the connection ends with the reply. Go: `maxPostHandlerReadBytes`.
    pub max_drain_bytes: u64,
    /// How many bytes of a client that is still sending are read and ignored after a final answer, so that the answer
    /// arrives: 64 MiB, within [`Timeouts::linger`].
    pub max_linger_bytes: u64,
    /// The most requests on one connection; the last reply says `Connection: close`. No limit by default.
    pub max_requests: u64,
    /// The greatest age of a connection; the reply after it says `Connection: close`. No limit by default.
    pub max_age: Duration,
    /// Whether `OPTIONS *` goes to the handler instead of being answered here. Go:
    /// `Server.DisableGeneralOptionsHandler`.
    pub pass_options_star: bool,
    /// What is told of what happens.
    pub hooks: Hooks,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            max_drain_bytes: 256 * 1024,
            max_linger_bytes: 64 << 20,
            max_requests: u64::MAX,
            max_age: Duration::MAX,
            pass_options_star: false,
            hooks: Hooks::default(),
        }
    }
}

/// Functions that are told of what happens. Without one nothing happens, except that panics, accept errors and fields
/// that cannot be sent are written to standard error, a line each. Written with `..Hooks::default()`: a new hook is no
/// breaking change.
///
/// All but [`base_context`](Self::base_context) and [`conn_context`](Self::conn_context), which make values for
/// handlers, and [`refused`](Self::refused) only observe. A panic in a hook is caught and counted in
/// [`Server::hook_failures`](crate::Server::hook_failures), and the server goes on as if the hook were not set. The
/// same holds for a line that cannot be written. A hook runs in the task of the connection or of the accept loop, so
/// one that blocks holds up whatever else that thread serves.
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
    /// A connection moved from a state to a state; a new one is moved from [`State::New`] to itself. Go:
    /// `Server.ConnState`.
    pub state: Option<Arc<dyn Fn(&Connection, State, State) + Send + Sync>>,
    /// Makes a value for all connections of a listener, when serving it begins: handlers find it by
    /// [`Connection::value`]. It is given the listener's address, if it has one. Go: `Server.BaseContext`.
    pub base_context: Option<Arc<dyn Fn(Option<&Addr>) -> Arc<dyn Any + Send + Sync> + Send + Sync>>,
    /// Makes a value for a connection, before its first request is read: handlers find it by [`Connection::value`],
    /// which prefers it to the listener's if both have the type that is asked for. The state hook was told of
    /// [`State::New`] before. Go: `Server.ConnContext`.
    pub conn_context: Option<Arc<dyn Fn(&Connection) -> Arc<dyn Any + Send + Sync> + Send + Sync>>,
    /// A client was refused before a handler was asked. The reply that is returned, if any, is sent in place of the
    /// plain one, under the rules of a handler's reply: its status may be any final one, its body may be streamed, and
    /// a client that sent HEAD gets none. It cannot take the connection over, which closes;
    /// [`Response::abort`] closes it without a reply.
    pub refused: Option<Arc<dyn Fn(&Refused<'_>) -> Option<Response> + Send + Sync>>,
    /// A handler panicked, or what it took a connection over for; the client is answered 500 if it was not answered
    /// yet, and the connection closes.
    pub panicked: Option<Arc<dyn Fn(&Panicked<'_>) + Send + Sync>>,
    /// A handler's reply had a field that cannot be sent, and is sent as a 500.
    pub field_error: Option<Arc<dyn Fn(&Connection, &FieldError) + Send + Sync>>,
    /// A connection could not be accepted and will be tried again; at most once a second.
    pub accept_error: Option<Arc<dyn Fn(&AcceptError<'_>) + Send + Sync>>,
    /// A TLS handshake failed; at most once a second and listener.
    #[cfg(feature = "tls")]
    pub handshake_error: Option<Arc<dyn Fn(&HandshakeError<'_>) + Send + Sync>>,
    /// The certificate and its key could not be loaded again; the last good ones stay in use.
    #[cfg(feature = "tls")]
    pub reload_error: Option<Arc<dyn Fn(&TlsError) + Send + Sync>>,
}

/// A client that is refused.
#[derive(Debug)]
#[non_exhaustive]
pub struct Refused<'a> {
    /// The connection.
    pub connection: &'a Connection,
    /// Why.
    pub error: &'a RequestsError,
    /// What it is answered: 400, 408, 414, 417, 431, 501 or 505.
    pub status: StatusCode,
}

/// A panic in a handler.
#[derive(Debug)]
#[non_exhaustive]
pub struct Panicked<'a> {
    /// The connection.
    pub connection: &'a Connection,
    /// What was said: the payload, if it is text.
    pub message: &'a str,
    /// The method and the target of the request, unless the handler had dropped it before.
    pub request: Option<&'a str>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Hooks");
        #[cfg(feature = "tls")]
        debug
            .field("handshake_error", &self.handshake_error.is_some())
            .field("reload_error", &self.reload_error.is_some());
        debug
            .field("state", &self.state.is_some())
            .field("base_context", &self.base_context.is_some())
            .field("conn_context", &self.conn_context.is_some())
            .field("refused", &self.refused.is_some())
            .field("panicked", &self.panicked.is_some())
            .field("field_error", &self.field_error.is_some())
            .field("accept_error", &self.accept_error.is_some())
            .finish()
    }
}
