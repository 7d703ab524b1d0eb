//! What tells one version of a representation from another.

use super::etag::ETag;
use crate::HttpDate;

/// What tells the current version of a representation from others: its entity tag and its date, as the reply has them in
/// `ETag` and `Last-Modified`. The default has neither.
///
/// A new struct of it ends with `..Default::default()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validators<'a> {
    /// The entity tag.
    pub etag: Option<ETag<'a>>,
    /// When it was modified. `Last-Modified` is at most the time of the reply (RFC 9110 §8.8.2.1).
    pub last_modified: Option<HttpDate>,
}
