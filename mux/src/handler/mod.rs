//! From a request to a response: handlers, and the mux that is one.

mod append_only_vec;
#[expect(clippy::module_inception, reason = "a file is named after the type in it")]
mod handler;
mod into_response;
mod response;
mod serve_mux;

pub use handler::{BoxHandler, Handler};
pub use into_response::{Html, IntoHeaders, IntoResponse};
pub use response::{ContentType, FieldError, Response, Upgrade, Upgraded};
pub use serve_mux::{Allow, ServeMux};
