//! The content of a [`Request`](crate::Request), which is a pointer to it.

use http::Extensions;
use quintet_conn::ActiveRequest;

use super::{form_state::FormState, path_values::PathValues};
use crate::{Body, Head, body::received_trailers::ReceivedTrailers};

/// The content of a request. The pool reuses it for the next one.
#[derive(Default)]
pub(super) struct Inner {
    /// Its place in the pool.
    pub(super) place: usize,
    pub(super) head: Head,
    pub(super) body: Body,
    /// The trailers of a chunked body, which may have been taken out of the request.
    pub(super) trailers: Option<ReceivedTrailers>,
    pub(super) active: Option<ActiveRequest>,
    pub(super) values: PathValues,
    pub(super) rare: Option<Box<Rare>>,
}

/// The parts that few requests have, in a box of their own.
#[derive(Default)]
pub(super) struct Rare {
    /// The target that the client sent, if the head has another one now.
    pub(super) sent_target: Option<Box<str>>,
    pub(super) path: Option<Box<str>>,
    pub(super) query: Option<Option<Box<str>>>,
    pub(super) form: FormState,
    pub(super) extensions: Extensions,
}
