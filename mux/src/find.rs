//! The lookup of a request: the route that matches, or the reply in its place (307, 405 or 404).

use std::{borrow::Cow, ops::ControlFlow};

use crate::{
    clean::{Scan, clean_path},
    escape, host,
    matches::is_tunnel,
    mux::{HostRoutes, Mux, Route},
    pattern::Pattern,
    tree::{Hit, Wanted},
    values::{self, Values},
};

/// The answer of a mux to a request.
///
/// # Example
/// The status and the field of a reply, for any server:
/// ```
/// use quintet_mux::{Found, Mux};
///
/// fn answer(mux: &Mux<&'static str>, method: &str, host: &str, path: &str) -> (u16, String) {
///     match mux.find(method, host, path).found {
///         Found::Match(route) => (200, route.value.to_string()),
///         Found::Redirect { path, .. } => (307, format!("Location: {path}")),
///         Found::MethodNotAllowed { allow } => (405, format!("Allow: {allow}")),
///         Found::NotFound => (404, String::new()),
///     }
/// }
///
/// let mut mux = Mux::new();
/// mux.insert("GET /items/", "items")?;
/// assert_eq!(answer(&mux, "GET", "", "/items/7"), (200, "items".to_owned()));
/// assert_eq!(answer(&mux, "GET", "", "/items"), (307, "Location: /items/".to_owned()));
/// assert_eq!(answer(&mux, "POST", "", "/items/7"), (405, "Allow: GET, HEAD".to_owned()));
/// # Ok::<(), quintet_mux::InsertError>(())
/// ```
#[derive(Clone, Debug)]
pub enum Found<'m, T> {
    /// This route matches.
    Match(&'m Route<T>),
    /// The client is to ask for another path: answer 307 with that path and the query of the request as `Location`.
    Redirect {
        /// The clean path, or the path with a slash added; escaped as in a request target, without a query.
        path: String,
        /// The pattern that matches the new path, if any.
        pattern: Option<&'m Pattern>,
    },
    /// Some pattern matches the path, but none with this method: answer 405.
    MethodNotAllowed {
        /// The value of `Allow`: the methods in order, separated by `", "`; with `GET` also `HEAD`.
        allow: String,
    },
    /// No pattern matches: answer 404.
    NotFound,
}

/// The answer of a mux to a request, with the values of the wildcards.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Lookup<'a, T> {
    /// The answer.
    pub found: Found<'a, T>,
    /// The values of the wildcards, if a route was found.
    pub values: Values<'a>,
}

/// The patterns of a request's own host, which are searched in this order, before those for any host.
#[derive(Clone, Copy, Default)]
struct Own<'m> {
    /// The patterns of the host and port of a `CONNECT`.
    port: Option<&'m HostRoutes>,
    /// The patterns of the host.
    host: Option<&'m HostRoutes>,
}

impl<'m> Own<'m> {
    fn first(self) -> Option<&'m HostRoutes> {
        self.port.or(self.host)
    }
}

/// The result of the search for a clean path.
#[derive(Clone, Copy)]
enum Outcome<'m> {
    /// The number of the route that matches, and which segments of its pattern are wildcards.
    Match(u32, &'m [bool]),
    /// The number of the route that matches if a slash is added.
    Slash(u32),
    /// No route matches.
    Nothing,
}

impl<T> Mux<T> {
    /// Looks up a request. Go: `ServeMux.findHandler`.
    ///
    /// `host` is the host of the request, with or without port, or empty. `path` is the path as it was received, with
    /// its escapes and without a query. A path that is not [clean](clean_path) leads to a redirect, except for
    /// `CONNECT`.
    ///
    /// Hosts are compared in the spelling of [`canonical_host`](crate::canonical_host). The port is ignored, except for
    /// `CONNECT`: there a pattern with the host and port wins over a pattern with the host alone.
    ///
    /// A `CONNECT` without a path asks for a tunnel (every `CONNECT` that a server receives has no path). Only patterns
    /// with the method `CONNECT` match it, and they match if they match the path `/`: `CONNECT /`, `CONNECT h/`,
    /// `CONNECT h:443/`. Otherwise the answer is 404. Go finds no pattern for such a request.
    ///
    /// The target `*` of `OPTIONS *` is not a path: the caller must answer such a request before the lookup.
    #[must_use]
    pub fn find<'a>(&'a self, method: &str, host: &str, path: &'a str) -> Lookup<'a, T> {
        let mut spans = Vec::new();
        let found = self.find_into(method, host, path, &mut spans);
        let values = Values::new(found.pattern(), path, spans);
        Lookup { found, values }
    }

    /// Looks up a request as [`find`](Self::find) does, and writes the values of the wildcards into the caller's
    /// memory.
    ///
    /// `values` is cleared and filled with the offset and the length of each value in `path`, in bytes, in the order of
    /// [`Pattern::names`]. [`decode`](crate::decode) makes text of such a part.
    ///
    /// A hit allocates nothing besides if the path is clean and has no escapes and the host is in lower case. A path of
    /// 4 GiB or more is not found.
    #[must_use]
    pub fn find_into<'m>(&'m self, method: &str, host: &str, path: &str, values: &mut Vec<(u32, u32)>) -> Found<'m, T> {
        values.clear();
        // Offsets have 32 bits, which makes the values of a request half as large.
        if u32::try_from(path.len()).is_err() {
            return Found::NotFound;
        }
        let connect = method == "CONNECT";
        let wanted = self.methods.wanted(method);
        let mut own = Own { port: None, host: self.host_site(host) };
        if connect {
            own.port = self.port_site(host);
            if is_tunnel(method, path) {
                return self.find_tunnel(own, values);
            }
        }
        // One hash lookup before the scan. It is right, because a literal pattern with exactly this path is the
        // smallest set that can match; and if the pattern is clean, so is the equal path. Only patterns of one host are
        // asked: the request's own host if it has any, since its patterns win over those for any host.
        let literal = own.first().unwrap_or(&self.any_host).index.literal(path).and_then(|leaf| leaf.route(wanted));
        if let Some(route) = literal.map(|number| self.route(number)).filter(|route| route.clean || connect) {
            return Found::Match(route);
        }
        let scan = Scan::new(path);
        if !scan.clean && !connect {
            return self.find_unclean(wanted, own, &clean_path(path));
        }
        // Both are declared here, so that a path with escapes lives as long as `seen`, and others allocate nothing.
        let (canonical, canonical_scan);
        let seen = if scan.plain {
            (path, &scan)
        } else {
            canonical = escape::canonical_path(path);
            canonical_scan = Scan::new(&canonical);
            (&*canonical, &canonical_scan)
        };
        match self.outcome(wanted, own, seen) {
            Outcome::Match(route, wild) => {
                let route = self.route(route);
                // The offsets are those of the path as it was received: escaping never adds or removes a slash, so the
                // segments of `path` and of its canonical form have the same numbers.
                values::locate(wild, route.rest, path, &scan, values);
                Found::Match(route)
            }
            Outcome::Slash(route) => redirect(path, "/", Some(self.route(route))),
            Outcome::Nothing => self.not_found(own, seen),
        }
    }

    /// The patterns of this host, if any.
    fn host_site(&self, host: &str) -> Option<&HostRoutes> {
        if self.hosts.is_empty() {
            return None;
        }
        // All keys are canonical, so a host that is found as it stands is canonical: nothing is allocated for it.
        match self.hosts.get(host) {
            None if !host::is_canonical(host) => self.hosts.get(&*host::canonical_host(host)),
            host_routes => host_routes,
        }
    }

    /// The patterns of this host and port, if any.
    #[cold]
    fn port_site(&self, host: &str) -> Option<&HostRoutes> {
        let (name, port) = host::read(host);
        self.ports.get(format!("{name}:{}", port?).as_str())
    }

    /// The route for a `CONNECT` without a path. Its pattern may have names, and their values are empty.
    #[cold]
    fn find_tunnel<'m>(&'m self, own: Own<'m>, values: &mut Vec<(u32, u32)>) -> Found<'m, T> {
        match self.outcome(self.methods.wanted_by_tunnels(), own, ("/", &Scan::new("/"))) {
            Outcome::Match(route, _) => {
                let route = self.route(route);
                values.resize(route.pattern.names().len(), (0, 0));
                Found::Match(route)
            }
            _ => Found::NotFound,
        }
    }

    fn route(&self, number: u32) -> &Route<T> {
        &self.routes[number as usize]
    }

    /// Searches the patterns of the host, then those for any host, for a clean path in its canonical form.
    fn outcome<'m>(&'m self, wanted: Wanted, own: Own<'m>, (path, scan): (&str, &Scan)) -> Outcome<'m> {
        let mut found = Outcome::Nothing;
        let mut inexact = false;
        let mut take = |hit: Hit<'m>| match hit.leaf.route(wanted) {
            Some(route) => {
                found = Outcome::Match(route, hit.wild);
                inexact = hit.swallowed;
                ControlFlow::Break(())
            }
            None => ControlFlow::Continue(()),
        };
        // A match ends the search: the hosts after it are not searched, and not for the path with a slash either.
        let mut seen = [own.port, own.host, Some(&self.any_host)];
        for place in 0..seen.len() {
            if seen[place].is_some_and(|host_routes| host_routes.index.visit(path, scan, &mut take).is_break()) {
                seen[place + 1..].fill(None);
                break;
            }
        }
        // If there is no match, or one whose rest took a part of the path, the path with a slash may match better (Go's
        // `exactMatch`). A target that begins with two slashes is never redirected: `Location: //h/` would lead to the
        // host h. Only a `CONNECT` can have one here, because other paths are clean.
        if !inexact && matches!(found, Outcome::Match(..))
            || path.is_empty()
            || path.ends_with('/')
            || path.starts_with("//")
        {
            return found;
        }
        seen.into_iter().flatten().find_map(|host_routes| slashed(host_routes, wanted, path, scan)).unwrap_or(found)
    }

    /// The redirect for a path that had to be cleaned.
    #[cold]
    fn find_unclean<'m>(&'m self, wanted: Wanted, own: Own<'m>, path: &str) -> Found<'m, T> {
        let canonical = escape::canonical_path(path);
        match self.outcome(wanted, own, (&canonical, &Scan::new(&canonical))) {
            Outcome::Match(route, _) => redirect(path, "", Some(self.route(route))),
            Outcome::Slash(route) => redirect(path, "/", Some(self.route(route))),
            Outcome::Nothing => redirect(path, "", None),
        }
    }

    /// The answer if no pattern matches: 405 if one would with another method, for this path or for it with a slash.
    #[cold]
    fn not_found<'m>(&'m self, own: Own<'m>, (path, scan): (&str, &Scan)) -> Found<'m, T> {
        let mut methods = Vec::new();
        for host_routes in [own.port, own.host, Some(&self.any_host)].into_iter().flatten() {
            let mut note = |hit: Hit<'m>| {
                methods.extend(hit.leaf.methods().map(|method| self.methods.name(method)));
                ControlFlow::Continue(())
            };
            let _ = host_routes.index.visit(path, scan, &mut note);
            if !path.ends_with('/') {
                let _ = host_routes.index.visit_with_slash(path, scan, &mut note);
            }
        }
        if methods.is_empty() {
            return Found::NotFound;
        }
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.sort_unstable();
        methods.dedup();
        Found::MethodNotAllowed { allow: methods.join(", ") }
    }
}

/// The route of this host that matches the path with a slash, other than as part of a rest.
#[cold]
fn slashed<'m>(host_routes: &'m HostRoutes, wanted: Wanted, path: &str, scan: &Scan) -> Option<Outcome<'m>> {
    let mut found = None;
    let _ = host_routes.index.visit_with_slash(path, scan, &mut |hit: Hit<'m>| match hit.leaf.route(wanted) {
        Some(route) => {
            found = Some(Outcome::Slash(route));
            ControlFlow::Break(())
        }
        None => ControlFlow::Continue(()),
    });
    found
}

#[cold]
fn redirect<'m, T>(path: &str, slash: &str, route: Option<&'m Route<T>>) -> Found<'m, T> {
    Found::Redirect { path: escape::location(path) + slash, pattern: route.map(|route| &route.pattern) }
}

impl<'m, T> Found<'m, T> {
    /// The route, if one matches.
    #[must_use]
    pub fn route(&self) -> Option<&'m Route<T>> {
        match self {
            Self::Match(route) => Some(route),
            _ => None,
        }
    }

    /// The value of the route, if one matches.
    #[must_use]
    pub fn value(&self) -> Option<&'m T> {
        self.route().map(|route| &route.value)
    }

    /// The pattern that matches the request, or the path of the redirect.
    #[must_use]
    pub fn pattern(&self) -> Option<&'m Pattern> {
        match self {
            Self::Match(route) => Some(&route.pattern),
            Self::Redirect { pattern, .. } => *pattern,
            _ => None,
        }
    }

    /// The status to answer with, or `None` if a route matches. It is a number because the crate `http` is only there
    /// with the feature `io`.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Match(_) => None,
            Self::Redirect { .. } => Some(307),
            Self::MethodNotAllowed { .. } => Some(405),
            Self::NotFound => Some(404),
        }
    }
}

impl<'a, T> Lookup<'a, T> {
    /// The value of the route, if one matches.
    #[must_use]
    pub fn value(&self) -> Option<&'a T> {
        self.found.value()
    }

    /// The decoded value of the wildcard of this name. Go: `Request.PathValue`.
    #[must_use]
    pub fn path_value(&self, name: &str) -> Option<Cow<'a, str>> {
        self.values.get(name)
    }
}
