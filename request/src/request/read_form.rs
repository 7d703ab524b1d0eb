//! The form of a request, once it was read.

use crate::{Form, FormError};

/// The pairs of body and query, and what was wrong with the first of each that could not be read.
#[derive(Clone, Default)]
pub(super) struct ReadForm {
    pub(super) pairs: Form,
    pub(super) body: Option<FormError>,
    pub(super) query: Option<FormError>,
}
