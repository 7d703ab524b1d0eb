#![doc = include_str!("../README.md")]
#![deny(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept_loop_guard;
mod accept_loops;
pub mod access_log;
mod causes;
mod close;
mod config;
mod default_mux;
mod dispatch;
mod ended;
mod fair;
#[cfg(feature = "live")]
mod figure;
mod handler_span;
#[cfg(feature = "httptest")]
#[cfg_attr(docsrs, doc(cfg(feature = "httptest")))]
pub mod httptest;
#[cfg(any(feature = "live", feature = "metrics", feature = "tracing"))]
mod known_method;
#[cfg(feature = "tls")]
mod load_tls;
mod max_age;
#[cfg(feature = "metrics")]
mod metrics;
mod observe;
#[cfg(doctest)]
mod owner_only;
mod per_core;
#[cfg(feature = "http2")]
mod protocols;
mod ready;
mod relief;
#[cfg(feature = "tracing")]
mod request_span;
mod respond;
mod sampling;
mod select;
mod serve;
mod serve_error;
mod served;
mod server;
mod service_manager;
mod shared;
mod shutdown_report;
mod signal;
mod stats;
mod stream_body;
#[cfg(feature = "http2")]
mod streams;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tls")]
mod tls_provider;
#[cfg(feature = "tower")]
mod tower;
#[cfg(feature = "tracing")]
mod trace_events;
mod watched_stream;
#[cfg(feature = "websocket")]
mod websocket;

#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub use self::metrics::Metrics;
pub use access_log::AccessLog;
pub use config::{Config, HandlerError, Hooks, Panicked, Refused};
#[cfg(feature = "tls")]
pub use default_mux::listen_and_serve_tls;
pub use default_mux::{DEFAULT_SERVE_MUX, handle, handle_func, listen_and_serve};
#[cfg(feature = "live")]
#[cfg_attr(docsrs, doc(cfg(feature = "live")))]
pub use figure::{FigureOptions, figure};
#[cfg(feature = "tls")]
pub use load_tls::{load_tls, load_tls_with};
pub use observe::HookFailures;
#[cfg(feature = "http2")]
pub use protocols::Protocols;
pub use ready::{ReadyOptions, live, ready};
pub use serve_error::ServeError;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub use served::ServedExample;
pub use served::{Outcome, Refusal, Served};
pub use server::Server;
pub use service_manager::{Notification, ServiceManager};
pub use shutdown_report::ShutdownReport;
pub use stats::Stats;
#[cfg(feature = "tls")]
pub use tls_provider::tls_provider;
#[cfg(feature = "tower")]
pub use tower::{HandlerService, RunToEnd, TowerHandler, WithTower};
#[cfg(feature = "websocket")]
pub use websocket::{
    Message, WebSocket, WebSocketError, WebSocketHandshake, WebSocketOptions, WebSocketRefusal, websocket,
};

// The names that most programs use. All others are reached through the modules below, so that the front page of the
// documentation stays short.
pub use bytes::Bytes;
pub use http::StatusCode;
pub use quintet_conn::{Connection, Timeouts};
pub use quintet_listener::{Listener, listen};
#[cfg(feature = "tls")]
pub use quintet_listener::{TlsConfig, TlsOptions};
#[cfg(feature = "files")]
pub use quintet_mux::{Dir, file_server};
pub use quintet_mux::{
    Handler, Html, IntoResponse, Response, ServeMux, escape_html, redirect, strip_prefix, with_state,
};
#[cfg(feature = "http2")]
pub use quintet_request::Http2Config;
pub use quintet_request::{Body, BodyError, Form, Limits, Request, SetCookie};

pub use http;
pub use quintet_conn as conn;
pub use quintet_listener as listener;
pub use quintet_mux as mux;
pub use quintet_request as request;

#[cfg(feature = "testing")]
#[doc(hidden)]
pub use quintet_mux::testing;
