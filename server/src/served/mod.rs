//! One event per request: what became of it.

#[cfg(any(test, feature = "testing"))]
mod example;
#[cfg_attr(not(any(test, feature = "testing")), allow(dead_code, reason = "the connection loop does not write it yet"))]
mod note;
mod outcome;
mod refusal;
#[expect(clippy::module_inception, reason = "the type of this name is in it")]
mod served;

#[cfg(any(test, feature = "testing"))]
pub use example::ServedExample;
pub use outcome::Outcome;
pub use refusal::Refusal;
pub use served::Served;
