#![doc = include_str!("../README.md")]
#![deny(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept_loop_guard;
mod accept_loops;
mod close;
mod config;
mod default_mux;
mod dispatch;
mod encode;
mod exchange;
mod fair;
mod observe;
#[cfg(doctest)]
mod owner_only;
mod per_core;
mod relief;
mod respond;
mod select;
mod serve;
mod serve_error;
mod server;
mod shared;
mod shutdown_report;
mod signal;
mod stream_body;
#[cfg(feature = "tower")]
mod tower;

pub use config::{Config, Hooks, Panicked, Refused};
pub use default_mux::{DEFAULT_SERVE_MUX, handle, handle_func, listen_and_serve};
pub use observe::HookFailures;
pub use serve_error::ServeError;
pub use server::Server;
pub use shutdown_report::ShutdownReport;
#[cfg(feature = "tower")]
pub use tower::{HandlerService, TowerHandler};

pub use quintet_conn::{Connection, Counts, State, Timeouts};
pub use quintet_listener::{
    AcceptError, AcceptErrorKind, Addr, FdReleased, Health, KeepAlive, Limit, Listener, Permits, Retry, Stream,
    TcpListener, TcpOptions, listen, reuse_port,
};
#[cfg(unix)]
pub use quintet_listener::{UnixListener, UnixOptions};
pub use quintet_mux::{
    Allow, BoxHandler, ContentType, CrossOrigin, CrossOriginProtection, FieldError, Handler, Html, InsertError,
    IntoHeaders, IntoResponse, Mux, Pattern, Response, ServeMux, Upgraded, allow_query_semicolons, error, max_bytes,
    not_found, redirect, redirect_handler, strip_prefix, timeout, with_state,
};
pub use quintet_request::{
    BasicAuth, Body, BodyError, ChangeError, ChunkError, Cookie, Cookies, Form, FormError, FormReadError, HeadError,
    Limits, Request, RequestsError, SameSite, SetCookie, Target, Version, Writer, sniff,
};

pub use bytes::Bytes;
pub use http::{self, HeaderMap, StatusCode};

#[cfg(feature = "testing")]
#[doc(hidden)]
pub use quintet_mux::testing;
