//! What a request takes along over a bridge to another kind of request.

use http::Extensions;

use super::{form_state::FormState, matched::Matched, request::Request};
use crate::body::received_trailers::ReceivedTrailers;

/// What a request knows besides its head and its body, while it is an [`http::Request`]: one of its extensions.
#[derive(Clone)]
pub(crate) struct Carried {
    pub(crate) matched: Matched,
    /// The target in the head.
    pub(crate) target: Box<str>,
    /// The target that the client sent, if it is another.
    sent_target: Option<Box<str>>,
    form: FormState,
    trailers: Option<ReceivedTrailers>,
}

impl Request {
    /// What a bridge to another kind of request takes along besides head and body.
    pub(crate) fn take_carried(&mut self) -> (Extensions, Carried) {
        let matched = self.inner().values.snapshot(self.path());
        let target = self.head().target().raw().into();
        let trailers = self.inner_mut().trailers.take();
        let rare = self.rare_mut();
        let (form, sent_target) = (std::mem::take(&mut rare.form), rare.sent_target.take());
        let carried = Carried { matched, target, sent_target, form, trailers };
        (std::mem::take(&mut rare.extensions), carried)
    }

    /// The other way. The target is whoever's who made the head.
    pub(crate) fn set_carried(&mut self, extensions: Extensions, carried: Option<Carried>) {
        if let Some(Carried { matched, form, sent_target, trailers, .. }) = carried {
            self.set_trailers(trailers);
            self.inner_mut().values.restore(&matched);
            if sent_target.is_some() {
                self.rare_mut().sent_target = sent_target;
            }
            if form.begun || form.read.is_some() || form.limit != FormState::default().limit {
                self.rare_mut().form = form;
            }
        }
        if !extensions.is_empty() {
            self.rare_mut().extensions = extensions;
        }
    }
}
