//! Handlers for the probes of a balancer: whether to send requests here, and whether the process is alive.

use http::StatusCode;
use quintet_mux::{Handler, Response};
use quintet_request::Request;

use crate::stats::Stats;

/// For which server [`ready`] answers, and what makes it say no besides a shutdown. Written with
/// `..ReadyOptions::default()`.
#[derive(Clone, Debug)]
pub struct ReadyOptions {
    /// The server that is asked about. `None`, the default: the one by which the probe came. An admin server on another
    /// address answers for the main one: `Some(main.stats())`.
    pub stats: Option<Stats>,
    /// 503 while [accepting fails](Stats::is_accept_failing). Default: `true`.
    pub accept_failing: bool,
    /// 503 while [no permit is free](Stats::is_full). Default: `false`: if all servers of a service are full at once, all
    /// would leave the balancer, and nothing would be served. A probe needs a connection, too: one on the address that is
    /// full waits for it, so ask on an admin server.
    pub full: bool,
}

impl Default for ReadyOptions {
    fn default() -> Self {
        Self { stats: None, accept_failing: true, full: false }
    }
}

/// A handler that says whether a server is to be sent new requests, for the probe of a balancer: 200, or 503 with the
/// reason as text.
///
/// It is 503 as soon as the [`shutdown_delay`](crate::Config::shutdown_delay) begins, while the server does not accept
/// (not yet, or not any more), and by the choices of [`ReadyOptions`]. `Cache-Control` is `no-store`.
///
/// # Example
/// ```
/// use quintet_server::{ReadyOptions, ServeMux, live, ready};
///
/// let mux = ServeMux::new();
/// mux.handle("GET /readyz", ready(ReadyOptions::default()));
/// mux.handle("GET /livez", live);
/// ```
#[doc(alias = "readyz")]
#[doc(alias = "healthz")]
#[doc(alias = "health check")]
#[must_use]
pub fn ready(options: ReadyOptions) -> impl Handler {
    move |request: Request| {
        let reply = match why_not(&options, &request) {
            None => text(StatusCode::OK, "ready\n"),
            Some(reason) => text(StatusCode::SERVICE_UNAVAILABLE, reason),
        };
        async move { reply }
    }
}

/// A handler that says that the process is alive: always 200. A process that does not answer may be started anew.
///
/// It depends on nothing else: a server that is full, or about to leave, is alive. `Cache-Control` is `no-store`.
#[doc(alias = "livez")]
#[doc(alias = "healthz")]
pub async fn live(_: Request) -> Response {
    text(StatusCode::OK, "alive\n")
}

/// The reason why the server is not ready; `None` if it is.
fn why_not(options: &ReadyOptions, request: &Request) -> Option<&'static str> {
    let of_request;
    let stats = match &options.stats {
        Some(stats) => stats,
        None => match Stats::of(request) {
            Some(stats) => {
                of_request = stats;
                &of_request
            }
            None => return Some("not ready: the request came by no server\n"),
        },
    };
    if stats.is_retiring() {
        Some("not ready: shutting down\n")
    } else if !stats.is_accepting() {
        Some("not ready: not accepting\n")
    } else if options.accept_failing && stats.is_accept_failing() {
        Some("not ready: accepting fails\n")
    } else if options.full && stats.is_full() {
        Some("not ready: no permit is free\n")
    } else {
        None
    }
}

fn text(status: StatusCode, text: &'static str) -> Response {
    Response::new(text).with_status(status).with_header("cache-control", "no-store")
}
