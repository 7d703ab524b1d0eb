//! The values of a route's wildcards in the path of a request.

use std::{borrow::Cow, sync::Arc};

use super::{matched::Matched, matched_pattern::MatchedPattern};
use crate::percent::decode_lossy;

/// The values of the wildcards in one path, and those that were set.
#[derive(Debug, Default)]
pub(super) struct PathValues {
    /// The route of this request, or of the last one that used this memory.
    route: Option<Arc<MatchedPattern>>,
    /// Whether `route` is the route of this request.
    routed: bool,
    /// The place of each value in the path: offset and length in bytes.
    pub(super) spans: Vec<(u32, u32)>,
    set: Vec<(Box<str>, Box<str>)>,
}

impl PathValues {
    /// The route of this request, if a router found one.
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

    /// The decoded value of this name: one that was set, else the part of the path that the wildcard matched.
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

    /// Removes the values of wildcards, as the path changed. Values that were set stay.
    pub(super) fn clear(&mut self) {
        self.spans.clear();
    }

    /// Removes the values of the request. The route stays, so that the next request with the same one need not touch
    /// its reference count.
    pub(super) fn end(&mut self) {
        self.spans.clear();
        self.set.clear();
        self.routed = false;
    }

    /// The route and every value, decoded.
    pub(super) fn snapshot(&self, path: &str) -> Matched {
        let names = self.route().map_or(&[][..], |route| &*route.names);
        let wild = names.iter().filter(|name| self.set.iter().all(|(set, _)| set != *name));
        let values = wild.filter_map(|name| Some((name.clone(), self.get(name, path)?.into())));
        Matched { route: self.route.clone().filter(|_| self.routed), values: values.chain(self.set.clone()).collect() }
    }

    /// Puts a snapshot back. Its values count as set: they are no longer parts of the path.
    pub(super) fn restore(&mut self, matched: &Matched) {
        self.spans.clear();
        self.set_route(matched.route.as_ref());
        self.set.clone_from(&matched.values);
    }
}
