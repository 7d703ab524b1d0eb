//! The values of a route's wildcards in the path of a request.

use std::{borrow::Cow, fmt, iter::FusedIterator, slice, sync::Arc};

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
    /// The values that were set, by name.
    set: Vec<(Box<str>, Box<str>)>,
    /// Whether a route that is found needs more than to be stored: values were set, or the route is watched. One flag, so
    /// that the usual route costs one test.
    is_unusual: bool,
    /// Whether the route is told to the observers of the request; see [`route::watch`](super::route::watch).
    is_watched: bool,
}

impl PathValues {
    /// The route of this request, if a router found one.
    pub(super) fn route(&self) -> Option<&MatchedPattern> {
        self.route.as_deref().filter(|_| self.routed)
    }

    /// See [`route::set`](super::route::set). Returns whether the route is to be told to the observers of the request.
    #[inline(always)]
    pub(super) fn set_route(&mut self, route: Option<&Arc<MatchedPattern>>) -> bool {
        self.routed = route.is_some();
        if self.is_unusual {
            return self.set_unusual(route);
        }
        if let Some(route) = route {
            self.store(route);
        }
        false
    }

    #[inline(always)]
    fn store(&mut self, route: &Arc<MatchedPattern>) {
        if !self.route.as_ref().is_some_and(|known| Arc::ptr_eq(known, route)) {
            self.route = Some(Arc::clone(route));
        }
    }

    /// As [`set_route`](Self::set_route), if values were set or the route is watched.
    // Not inlined: most servers have no observer, and a request pays for what stands in its path.
    #[inline(never)]
    fn set_unusual(&mut self, route: Option<&Arc<MatchedPattern>>) -> bool {
        if let Some(route) = route {
            if !self.set.is_empty() {
                self.set.retain(|(set, _)| !route.names.contains(set));
            }
            self.store(route);
        }
        self.is_watched
    }

    /// See [`route::watch`](super::route::watch).
    #[inline]
    pub(super) fn watch(&mut self) {
        (self.is_unusual, self.is_watched) = (true, true);
    }

    pub(super) fn is_watched(&self) -> bool {
        self.is_watched
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

    /// Every name with its value: the wildcards in order, then the other names that were set.
    pub(super) fn iter<'a>(&'a self, path: &'a str) -> PathValuesIter<'a> {
        let names = self.route().map_or(&[][..], |route| &*route.names);
        PathValuesIter { values: self, path, names, wild: names.iter(), set: self.set.iter() }
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.set.retain(|(known, _)| **known != *name);
        self.set.push((name.into(), value.into()));
        self.is_unusual = true;
    }

    /// Removes the values of wildcards, as the path changed. Values that were set stay.
    pub(super) fn clear(&mut self) {
        self.spans.clear();
    }

    /// Removes the values of the request. The route stays, so that the next request with the same one need not touch
    /// its reference count.
    pub(super) fn end(&mut self) {
        self.spans.clear();
        self.routed = false;
        if self.is_unusual {
            self.set.clear();
            (self.is_unusual, self.is_watched) = (false, false);
        }
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
        self.is_unusual |= !self.set.is_empty();
    }
}

/// An iterator over the names and values of a request's wildcards. Made by
/// [`Request::path_values`](super::Request::path_values).
#[derive(Clone)]
pub struct PathValuesIter<'a> {
    values: &'a PathValues,
    path: &'a str,
    /// The names of all wildcards.
    names: &'a [Box<str>],
    /// The wildcards that are left.
    wild: slice::Iter<'a, Box<str>>,
    /// The set values that are left, also those of wildcards, which are skipped.
    set: slice::Iter<'a, (Box<str>, Box<str>)>,
}

impl<'a> Iterator for PathValuesIter<'a> {
    type Item = (&'a str, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        let Self { values, path, names, .. } = *self;
        if let Some(wild) = self.wild.find_map(|name| Some((&**name, values.get(name, path)?))) {
            return Some(wild);
        }
        let (name, value) = self.set.find(|(name, _)| !names.contains(name))?;
        Some((name, Cow::Borrowed(value)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.wild.len() + self.set.len()))
    }
}

impl FusedIterator for PathValuesIter<'_> {}

/// Shows the names that are left, but no values: they may be secret.
impl fmt::Debug for PathValuesIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.clone().map(|(name, _)| name)).finish()
    }
}
