//! The box of a request: what a [`Request`](crate::Request) points to.

use http::Extensions;
use quintet_conn::ActiveRequest;

use super::{form_state::FormState, path_values::PathValues};
use crate::{Body, Head, body::received_trailers::ReceivedTrailers};

/// All of a request; the pool keeps it for the next one.
#[derive(Default)]
pub(super) struct Inner {
    /// Where in the pool it belongs.
    pub(super) place: usize,
    pub(super) head: Head,
    pub(super) body: Body,
    /// Those of a chunked body, which may have been taken out of the request.
    pub(super) trailers: Option<ReceivedTrailers>,
    pub(super) active: Option<ActiveRequest>,
    pub(super) values: PathValues,
    pub(super) rare: Option<Box<Rare>>,
}

/// What few requests have.
#[derive(Default)]
pub(super) struct Rare {
    /// What the client sent as target, if the head has another one by now.
    pub(super) sent_target: Option<Box<str>>,
    pub(super) path: Option<Box<str>>,
    pub(super) query: Option<Option<Box<str>>>,
    pub(super) form: FormState,
    pub(super) extensions: Extensions,
}
