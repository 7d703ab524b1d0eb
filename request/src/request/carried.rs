//! What a request takes along over a bridge to another kind of request.

use http::Extensions;

use super::{matched::Matched, read_form::ReadForm, request::Request};

/// What a request knows besides its head and its body, while it is an [`http::Request`]: one of its extensions.
#[derive(Clone)]
pub(crate) struct Carried {
    pub(crate) matched: Matched,
    /// The target as the client sent it.
    pub(crate) target: Box<str>,
    pub(super) form: Option<ReadForm>,
    pub(super) form_begun: bool,
}

impl Request {
    /// What a bridge to another kind of request takes along besides head and body.
    pub(crate) fn take_carried(&mut self) -> (Extensions, Carried) {
        let matched = self.inner().values.snapshot(self.path());
        let target = self.target().raw().into();
        let rare = self.rare_mut();
        let form = rare.form.take();
        let carried = Carried { matched, target, form, form_begun: rare.form_begun };
        (std::mem::take(&mut rare.extensions), carried)
    }

    /// The other way. The target is whoever's who made the head.
    pub(crate) fn set_carried(&mut self, extensions: Extensions, carried: Option<Carried>) {
        if let Some(Carried { matched, form, form_begun, .. }) = carried {
            self.inner_mut().values.restore(&matched);
            if form.is_some() || form_begun {
                let rare = self.rare_mut();
                rare.form = form;
                rare.form_begun = form_begun;
            }
        }
        if !extensions.is_empty() {
            self.rare_mut().extensions = extensions;
        }
    }
}
