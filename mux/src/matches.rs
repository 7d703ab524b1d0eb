//! Whether one pattern contains one request, by looking at nothing else.

use crate::{
    escape,
    pattern::{End, Pattern, Segment},
};

impl Pattern {
    /// Whether this pattern contains a request: its method, its host without a port, and its path, escaped and taken
    /// as it is.
    ///
    /// # Example
    /// ```
    /// use quintet_mux::Pattern;
    ///
    /// let pattern = Pattern::parse("GET /files/{path...}").unwrap();
    /// assert!(pattern.matches("HEAD", "any.example", "/files/a/b"));
    /// assert!(!pattern.matches("GET", "any.example", "/files"));
    /// ```
    #[must_use]
    pub fn matches(&self, method: &str, host: &str, path: &str) -> bool {
        self.matches_method(method) && self.matches_host(host) && self.matches_path(path)
    }

    pub(crate) fn matches_method(&self, method: &str) -> bool {
        self.method().is_none_or(|wanted| wanted == method || (wanted == "GET" && method == "HEAD"))
    }

    pub(crate) fn matches_host(&self, host: &str) -> bool {
        self.host().is_none_or(|wanted| wanted == host)
    }

    pub(crate) fn matches_path(&self, path: &str) -> bool {
        let template = self.template();
        let Some(mut rest) = path.strip_prefix('/') else { return false };
        for (n, segment) in template.segments.iter().enumerate() {
            let (text, after) = match rest.split_once('/') {
                Some((text, after)) => (text, Some(after)),
                None => (rest, None),
            };
            let fits = match segment {
                Segment::Literal(literal) => escape::canonical(text) == **literal,
                Segment::Wild => !text.is_empty(),
            };
            let last = n + 1 == template.segments.len();
            match after {
                _ if !fits => return false,
                Some(after) => rest = after,
                None => return last && template.end == End::Here,
            }
        }
        match template.end {
            End::Here => false,
            End::Slash => rest.is_empty(),
            End::Rest => true,
        }
    }
}
