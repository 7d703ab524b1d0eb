//! Whether one pattern contains one request, by looking at nothing else.

use crate::{
    escape, host,
    pattern::{End, Pattern, Segment},
};

impl Pattern {
    /// Whether this pattern contains a request: its method, its host in any spelling, and its path, escaped and taken
    /// as it is. A `CONNECT` without a path is for a pattern with that method, which sees `/`.
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
        let (name, port) = host::read(host);
        self.matches_host(method, &name, port)
            && match is_tunnel(method, path) {
                true => self.is_for_tunnels(),
                false => self.matches_method(method) && self.matches_path(path),
            }
    }

    /// Whether a `CONNECT` without a path may be for this pattern. One without a method does not mean it: a handler for
    /// everything that answers 200 would have opened a tunnel.
    pub(crate) fn is_for_tunnels(&self) -> bool {
        self.method() == Some("CONNECT") && self.matches_path("/")
    }

    pub(crate) fn matches_method(&self, method: &str) -> bool {
        self.method().is_none_or(|wanted| wanted == method || (wanted == "GET" && method == "HEAD"))
    }

    /// Whether this is for a host in its canonical spelling, and for a port if it is a `CONNECT` that names one.
    pub(crate) fn matches_host(&self, method: &str, name: &str, port: Option<u16>) -> bool {
        let Some(host) = self.host() else { return true };
        match self.port() {
            None => host == name,
            own => own == port && method == "CONNECT" && host.rsplit_once(':').is_some_and(|(host, _)| host == name),
        }
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

/// Whether a request asks for a tunnel: the target of a `CONNECT` is a host and a port, and no path (RFC 9110 §9.3.6).
pub(crate) fn is_tunnel(method: &str, path: &str) -> bool {
    path.is_empty() && method == "CONNECT"
}
