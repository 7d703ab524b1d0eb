//! Requests: head, body, form, route and extensions.

mod carried;
mod change_error;
mod changes;
mod client;
mod form_read_error;
mod form_state;
mod forms;
mod http_request;
mod inform;
mod inner;
#[cfg(feature = "json")]
mod json;
mod matched;
mod matched_pattern;
#[cfg(feature = "multipart")]
mod multiparts;
mod path_value_error;
mod path_values;
mod pool;
#[expect(clippy::module_inception, reason = "a file is named after the type in it")]
mod request;
pub mod route;

pub use change_error::ChangeError;
pub use form_read_error::FormReadError;
pub use path_value_error::PathValueError;
pub use path_values::PathValuesIter;
pub use request::Request;
