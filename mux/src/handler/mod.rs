//! Handlers, their responses, and the mux of handlers.

mod allow;
mod append_only_vec;
mod field_error;
#[expect(clippy::module_inception, reason = "a file is named after the type in it")]
mod handler;
mod html;
mod http_error;
mod into_headers;
mod into_response;
#[cfg(feature = "json")]
mod json;
mod known_error;
mod or_status;
mod problem_details;
mod response;
mod serve_mux;
mod unrouted;
mod upgrade;
mod upgraded;

pub use allow::Allow;
pub use field_error::FieldError;
pub use handler::{BoxHandler, Handler};
pub use html::Html;
pub use http_error::HttpError;
pub use into_headers::IntoHeaders;
pub use into_response::IntoResponse;
#[cfg(feature = "json")]
pub use json::Json;
pub use or_status::OrStatus;
pub use problem_details::ProblemDetails;
pub use response::Response;
pub use serve_mux::ServeMux;
pub use upgrade::Upgrade;
pub use upgraded::Upgraded;
