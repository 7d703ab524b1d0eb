//! Conditional requests: entity tags, and whether a copy that the client has is still fresh (RFC 9110 §13).

mod etag;
mod etag_list;
mod precondition;
#[cfg(test)]
mod precondition_tests;
mod validators;

pub use etag::ETag;
pub use precondition::{Precondition, check_preconditions};
pub use validators::Validators;
