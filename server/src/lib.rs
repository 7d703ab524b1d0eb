#![doc = include_str!("../README.md")]

mod call;
mod config;
mod default_mux;
mod encode;
mod end;
mod exchange;
mod per_core;
mod reply;
mod select;
mod serve;
mod server;
mod signal;
mod sniff;
mod stream;
#[cfg(feature = "tower")]
mod tower;

pub use config::{Config, Hooks, Panicked, Refused};
pub use default_mux::{DEFAULT_SERVE_MUX, handle, handle_func, listen_and_serve};
pub use server::{Report, ServeError, Server};
pub use sniff::sniff;
#[cfg(feature = "tower")]
pub use tower::{HandlerService, TowerHandler};

pub use quintet_conn::{Counts, Deadlines, Link, State};
pub use quintet_listener::{AcceptError, Addr, Health, Limit, Listener, Retry, Stream, Tcp, TcpOptions, listen};
pub use quintet_mux::{
    Allow, BoxHandler, ContentType, Handler, Html, IntoHeaders, IntoResponse, Mux, Pattern, Response, ServeMux,
    Upgraded,
};
pub use quintet_request::{
    Body, BodyError, Cookie, Form, FormReadError, Limits, Request, RequestsError, SetCookie, Writer,
};
