//! From a request to a response: handlers, and the mux that is one.

mod append_only_vec;
mod handler;
mod into_response;
mod middleware;
mod response;
mod serve_mux;

pub use handler::{BoxHandler, Handler};
pub use into_response::{Html, IntoHeaders, IntoResponse};
pub use middleware::{
    CrossOriginProtection, allow_query_semicolons, error, max_bytes, not_found, redirect, redirect_handler,
    strip_prefix, timeout, with_state,
};
pub use response::{ContentType, FieldError, Response, Upgrade, Upgraded};
pub use serve_mux::{Allow, ServeMux};
