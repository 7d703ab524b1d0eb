//! The matched route of a request, for handlers of an [`http::Request`].

use std::sync::Arc;

use super::matched_pattern::MatchedPattern;

/// The matched route of a request: the last pattern that matched, and the values of wildcards.
/// [`Request::into_http`](super::Request::into_http) puts it into the extensions of the [`http::Request`], and the
/// conversion back reads it.
///
/// ```
/// use quintet_request::{Request, route::Matched};
///
/// let mut request = Request::parse(b"GET /users/7 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
/// request.set_path_value("id", "7");
/// let request = request.into_http().unwrap();
/// assert_eq!(request.extensions().get::<Matched>().unwrap().path_value("id"), Some("7"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matched {
    pub(super) route: Option<Arc<MatchedPattern>>,
    pub(super) values: Vec<(Box<str>, Box<str>)>,
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
