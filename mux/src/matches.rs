//! The match of one pattern with one request, by the definition and without the index.

use crate::{
    escape, host,
    pattern::{End, Pattern, Segment},
};

impl Pattern {
    /// Whether this pattern matches a request.
    ///
    /// The host may have any spelling. The path is escaped, and is not cleaned first. A `CONNECT` without a path is
    /// compared as a `CONNECT` for `/`, and only a pattern with that method matches it.
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

    /// Whether this pattern matches a `CONNECT` without a path. A pattern without a method does not: its handler, which
    /// answers everything with 200, would open a tunnel by that.
    pub(crate) fn is_for_tunnels(&self) -> bool {
        self.method() == Some("CONNECT") && self.matches_path("/")
    }

    /// Whether this pattern matches a method; `GET` matches `HEAD` too.
    pub(crate) fn matches_method(&self, method: &str) -> bool {
        self.method().is_none_or(|wanted| wanted == method || (wanted == "GET" && method == "HEAD"))
    }

    /// Whether this pattern matches a host in its canonical spelling, and the port if the pattern has one. Only a
    /// `CONNECT` is compared with a port.
    pub(crate) fn matches_host(&self, method: &str, name: &str, port: Option<u16>) -> bool {
        let Some(host) = self.host() else { return true };
        match self.port() {
            None => host == name,
            own => own == port && method == "CONNECT" && host.rsplit_once(':').is_some_and(|(host, _)| host == name),
        }
    }

    /// Whether this pattern matches an escaped path.
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
                // Here the path ends without a slash, so only a pattern that ends here and without one can match.
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

/// Whether a request asks for a tunnel: a `CONNECT` without a path. Its target is a host and a port (RFC 9110 §9.3.6).
pub(crate) fn is_tunnel(method: &str, path: &str) -> bool {
    path.is_empty() && method == "CONNECT"
}
