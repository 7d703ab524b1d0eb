//! What is known of the form of a request.

use crate::{Form, FormError};

/// How much of a body is read for a form unless another limit was set, in bytes: 10 MiB, as in Go.
const MAX_FORM_BYTES: u64 = 10 << 20;

/// How far the form of a request was read, and within which limit.
#[derive(Clone)]
pub(super) struct FormState {
    /// How much of a body is read, in bytes.
    pub(super) limit: u64,
    /// Whether the body was begun: it can be read once.
    pub(super) begun: bool,
    pub(super) read: Option<ReadForm>,
}

impl Default for FormState {
    fn default() -> Self {
        Self { limit: MAX_FORM_BYTES, begun: false, read: None }
    }
}

/// The pairs of body and query, and what was wrong with the first of each that could not be read.
#[derive(Clone, Default)]
pub(super) struct ReadForm {
    /// Those of the body come first.
    pub(super) pairs: Form,
    pub(super) body: Option<FormError>,
    pub(super) query: Option<FormError>,
    /// How many pairs are of the body.
    posted_len: usize,
    /// The pairs of the body alone, if they were asked for and are not all there are.
    posted: Option<Form>,
}

impl ReadForm {
    /// The form of a body, if there is one, and of a query.
    pub(super) fn new(body: Option<&[u8]>, query: &[u8]) -> Self {
        let (mut pairs, body) = body.map(Form::parse_lossy).unwrap_or_default();
        let posted_len = pairs.len();
        let (of_query, query) = Form::parse_lossy(query);
        pairs.append(&of_query);
        Self { pairs, body, query, posted_len, posted: None }
    }

    /// The pairs of the body alone.
    pub(super) fn posted(&mut self) -> &Form {
        if self.posted_len == self.pairs.len() {
            return &self.pairs;
        }
        self.posted.get_or_insert_with(|| self.pairs.iter().take(self.posted_len).collect())
    }
}
