//! The part of a request that crosses into an [`http::Request`] beside head and body.

use http::Extensions;

use super::{form_state::FormState, matched::Matched, request::Request};
use crate::body::received_trailers::ReceivedTrailers;

/// The state of a request beside its head and its body. While the request is an [`http::Request`], it is one of the
/// extensions.
#[derive(Clone)]
pub(crate) struct Carried {
    pub(crate) matched: Matched,
    /// See [`route::watch`](super::route::watch).
    is_watched: bool,
    /// The target in the head.
    pub(crate) target: Box<str>,
    /// The target that the client sent, if it differs.
    sent_target: Option<Box<str>>,
    form: FormState,
    trailers: Option<ReceivedTrailers>,
}

impl Request {
    /// Takes the extensions and the carried state out of the request.
    pub(crate) fn take_carried(&mut self) -> (Extensions, Carried) {
        let matched = self.inner().values.snapshot(self.path());
        let is_watched = self.inner().values.is_watched();
        let target = self.head().target().raw().into();
        let trailers = self.inner_mut().trailers.take();
        let rare = self.rare_mut();
        let (form, sent_target) = (std::mem::take(&mut rare.form), rare.sent_target.take());
        let carried = Carried { matched, is_watched, target, sent_target, form, trailers };
        (std::mem::take(&mut rare.extensions), carried)
    }

    /// Puts both back. The target is not among them: the head that the caller made has it.
    pub(crate) fn set_carried(&mut self, extensions: Extensions, carried: Option<Carried>) {
        if let Some(Carried { matched, is_watched, form, sent_target, trailers, .. }) = carried {
            self.set_trailers(trailers);
            self.inner_mut().values.restore(&matched);
            if is_watched {
                self.inner_mut().values.watch();
            }
            if sent_target.is_some() {
                self.rare_mut().sent_target = sent_target;
            }
            if form.is_set() {
                self.rare_mut().form = form;
            }
        }
        if !extensions.is_empty() {
            self.rare_mut().extensions = extensions;
        }
    }
}
