//! What a route said of a request: which pattern, and the values of its wildcards.

use std::{borrow::Cow, sync::Arc};

use crate::percent_decode;

/// A pattern that requests are matched with, as a request remembers it: the text and the names of its wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchedPattern {
    /// The pattern as it was written.
    pub pattern: Box<str>,
    /// The names of its wildcards, in order.
    pub names: Box<[Box<str>]>,
}

/// The values of a pattern's wildcards in one path.
#[derive(Debug, Default)]
pub struct PathValues {
    /// The route of this request, or of the last one in this box.
    route: Option<Arc<MatchedPattern>>,
    /// Whether it is this request's.
    routed: bool,
    /// Where each value is in the path: offset and length, in bytes.
    pub spans: Vec<(u32, u32)>,
    set: Vec<(Box<str>, Box<str>)>,
}

impl PathValues {
    /// The request's route, if a router found one.
    pub(crate) fn route(&self) -> Option<&MatchedPattern> {
        self.route.as_deref().filter(|_| self.routed)
    }

    /// See [`Request::set_route`](super::Request::set_route).
    #[inline]
    pub(crate) fn set_route(&mut self, route: Option<&Arc<MatchedPattern>>) {
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
    pub(crate) fn get<'a>(&'a self, name: &str, path: &'a str) -> Option<Cow<'a, str>> {
        if let Some((_, value)) = self.set.iter().find(|(set, _)| **set == *name) {
            return Some(Cow::Borrowed(value));
        }
        let at = self.route()?.names.iter().position(|known| **known == *name)?;
        let (start, len) = *self.spans.get(at)?;
        path.get(start as usize..start as usize + len as usize).map(decode_lossy)
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.set.retain(|(known, _)| **known != *name);
        self.set.push((name.into(), value.into()));
    }

    /// Forgets the values of wildcards, as they are parts of a path that changed. Those that were set are none.
    pub(crate) fn clear(&mut self) {
        self.spans.clear();
    }

    /// Forgets the request; the route stays, for the next one that finds the same.
    pub(crate) fn end(&mut self) {
        self.spans.clear();
        self.set.clear();
        self.routed = false;
    }

    /// The route and every value there is, decoded.
    pub(crate) fn snapshot(&self, path: &str) -> Matched {
        let names = self.route().map_or(&[][..], |route| &*route.names);
        let wild = names.iter().filter(|name| self.set.iter().all(|(set, _)| set != *name));
        let values = wild.filter_map(|name| Some((name.clone(), self.get(name, path)?.into())));
        Matched { route: self.route.clone().filter(|_| self.routed), values: values.chain(self.set.clone()).collect() }
    }

    /// The same route and the same values again; they are not parts of a path any more.
    pub(crate) fn restore(&mut self, matched: &Matched) {
        self.spans.clear();
        self.set_route(matched.route.as_ref());
        self.set.clone_from(&matched.values);
    }
}

/// What the routers said of a request: the pattern that matched last, and the values of wildcards. It is among the
/// extensions of the [`http::Request`] that [`Request::into_http`](super::Request::into_http) makes, for handlers on
/// the other side, and comes back with it.
///
/// ```
/// use quintet_request::{Matched, Request};
///
/// let mut request = Request::parse(b"GET /users/7 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
/// request.set_path_value("id", "7");
/// let request = request.into_http().unwrap();
/// assert_eq!(request.extensions().get::<Matched>().unwrap().path_value("id"), Some("7"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matched {
    route: Option<Arc<MatchedPattern>>,
    values: Vec<(Box<str>, Box<str>)>,
}

impl Matched {
    /// As [`Request::pattern`](super::Request::pattern).
    pub fn pattern(&self) -> &str {
        self.route.as_ref().map_or("", |route| &route.pattern)
    }

    /// As [`Request::path_value`](super::Request::path_value): decoded, so that a `/` or `..` in it may come from
    /// `%2F` or `%2e%2e`.
    pub fn path_value(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| **known == *name).map(|(_, value)| &**value)
    }
}

/// Text without percent escapes; bytes that are no UTF-8 are replaced.
pub(crate) fn decode_lossy(escaped: &str) -> Cow<'_, str> {
    match percent_decode(escaped.as_bytes()) {
        Cow::Borrowed(_) => Cow::Borrowed(escaped),
        Cow::Owned(bytes) => {
            Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
        }
    }
}
