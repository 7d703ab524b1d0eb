//! The values of a pattern's wildcards in the path of a request.

use std::{borrow::Cow, sync::Arc};

use super::{matched::Matched, matched_pattern::MatchedPattern};
use crate::percent::decode_lossy;

/// The values of a pattern's wildcards in one path.
#[derive(Debug, Default)]
pub(super) struct PathValues {
    /// The route of this request, or of the last one in this box.
    route: Option<Arc<MatchedPattern>>,
    /// Whether it is this request's.
    routed: bool,
    /// Where each value is in the path: offset and length, in bytes.
    pub(super) spans: Vec<(u32, u32)>,
    set: Vec<(Box<str>, Box<str>)>,
}

impl PathValues {
    /// The request's route, if a router found one.
    pub(super) fn route(&self) -> Option<&MatchedPattern> {
        self.route.as_deref().filter(|_| self.routed)
    }

    /// See [`route::set`](super::route::set).
    #[inline]
    pub(super) fn set_route(&mut self, route: Option<&Arc<MatchedPattern>>) {
        self.routed = route.is_some();
        let Some(route) = route else { return };
        if !self.set.is_empty() {
            self.set.retain(|(set, _)| !route.names.contains(set));
        }
        if !self.route.as_ref().is_some_and(|known| Arc::ptr_eq(known, route)) {
            self.route = Some(Arc::clone(route));
        }
    }

    /// The value of this name, decoded: one that was set, or the wildcard's part of the path.
    pub(super) fn get<'a>(&'a self, name: &str, path: &'a str) -> Option<Cow<'a, str>> {
        if let Some((_, value)) = self.set.iter().find(|(set, _)| **set == *name) {
            return Some(Cow::Borrowed(value));
        }
        let at = self.route()?.names.iter().position(|known| **known == *name)?;
        let (start, len) = *self.spans.get(at)?;
        path.get(start as usize..start as usize + len as usize).map(decode_lossy)
    }

    /// Every name with its value: the wildcards in order, then what was set besides.
    pub(super) fn iter<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        let names = self.route().map_or(&[][..], |route| &*route.names);
        let others = self.set.iter().filter(|(set, _)| !names.contains(set));
        let others = others.map(|(name, value)| (&**name, Cow::Borrowed(&**value)));
        names.iter().filter_map(move |name| Some((&**name, self.get(name, path)?))).chain(others)
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.set.retain(|(known, _)| **known != *name);
        self.set.push((name.into(), value.into()));
    }

    /// Forgets the values of wildcards, as they are parts of a path that changed. Those that were set are none.
    pub(super) fn clear(&mut self) {
        self.spans.clear();
    }

    /// Forgets the request; the route stays, for the next one that finds the same.
    pub(super) fn end(&mut self) {
        self.spans.clear();
        self.set.clear();
        self.routed = false;
    }

    /// The route and every value there is, decoded.
    pub(super) fn snapshot(&self, path: &str) -> Matched {
        let names = self.route().map_or(&[][..], |route| &*route.names);
        let wild = names.iter().filter(|name| self.set.iter().all(|(set, _)| set != *name));
        let values = wild.filter_map(|name| Some((name.clone(), self.get(name, path)?.into())));
        Matched { route: self.route.clone().filter(|_| self.routed), values: values.chain(self.set.clone()).collect() }
    }

    /// The same route and the same values again; they are not parts of a path any more.
    pub(super) fn restore(&mut self, matched: &Matched) {
        self.spans.clear();
        self.set_route(matched.route.as_ref());
        self.set.clone_from(&matched.values);
    }
}
