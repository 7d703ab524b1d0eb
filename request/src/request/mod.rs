//! A request: its head, its body, and what the route added.

mod http_request;
mod pool;
#[expect(clippy::module_inception, reason = "a file is named after the type in it")]
mod request;
mod values;

pub use request::{FormReadError, Request};
pub use values::{Matched, MatchedPattern, PathValues};
