//! The state of a request's form: how far it was read.

#[cfg(feature = "multipart")]
use crate::MultipartLimits;
use crate::{Form, FormError};

/// The default limit of a form's body in bytes: 10 MiB, as in Go.
const MAX_FORM_BYTES: u64 = 10 << 20;

/// The form of a request as far as it was read, and the limit of its body.
#[derive(Clone)]
pub(super) struct FormState {
    /// The most bytes of a body that are read.
    pub(super) limit: u64,
    /// Whether reading the body has begun; it can be read once.
    pub(super) begun: bool,
    pub(super) read: Option<ReadForm>,
    /// The limits of a form with files.
    #[cfg(feature = "multipart")]
    pub(super) multipart: MultipartLimits,
}

impl FormState {
    /// Whether anything differs from the form of a new request.
    pub(super) fn is_set(&self) -> bool {
        let set = self.begun || self.read.is_some() || self.limit != MAX_FORM_BYTES;
        #[cfg(feature = "multipart")]
        let set = set || self.multipart != MultipartLimits::default();
        set
    }
}

impl Default for FormState {
    fn default() -> Self {
        Self {
            limit: MAX_FORM_BYTES,
            begun: false,
            read: None,
            #[cfg(feature = "multipart")]
            multipart: MultipartLimits::default(),
        }
    }
}

/// The pairs of body and query, and for each the error of the first malformed pair.
#[derive(Clone, Default)]
pub(super) struct ReadForm {
    /// All pairs; those of the body come first.
    pub(super) pairs: Form,
    pub(super) body: Option<FormError>,
    pub(super) query: Option<FormError>,
    /// The number of pairs from the body.
    posted_len: usize,
    /// The pairs of the body alone, made when they are first asked for, unless all pairs are from the body.
    posted: Option<Form>,
}

impl ReadForm {
    /// Reads the form of a body, if there is one, and of a query.
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
