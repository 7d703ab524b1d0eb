//! From a request to a route, or to what must be answered instead.

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

/// What a mux answers.
///
/// # Example
/// What to reply, under any server:
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
    /// This route.
    Match(&'m Route<T>),
    /// Ask for another path: answer 307 with it as `Location`, and with the query of the request behind it.
    Redirect {
        /// The clean path, or the path with a slash added; escaped as in a request target, without a query.
        path: String,
        /// The pattern that will match there, if one will.
        pattern: Option<&'m Pattern>,
    },
    /// The path is known, but not with this method: answer 405.
    MethodNotAllowed {
        /// The value of `Allow`: the methods in order, separated by `", "`; with `GET` also `HEAD`.
        allow: String,
    },
    /// Nothing: answer 404.
    NotFound,
}

/// What a mux answers, with the values of the path.
#[derive(Clone, Debug)]
pub struct Lookup<'a, T> {
    /// The answer.
    pub found: Found<'a, T>,
    /// The values of the wildcards, if a route was found.
    pub values: Values<'a>,
}

/// Where a request is looked up, in order, before the patterns for any host.
#[derive(Clone, Copy, Default)]
struct Own<'m> {
    /// The patterns of its host and port, if it is a `CONNECT`.
    port: Option<&'m HostRoutes>,
    /// The patterns of its host.
    host: Option<&'m HostRoutes>,
}

impl<'m> Own<'m> {
    fn first(self) -> Option<&'m HostRoutes> {
        self.port.or(self.host)
    }
}

/// What the patterns say about a clean path.
#[derive(Clone, Copy)]
enum Outcome<'m> {
    /// This route, whose pattern is wild in these segments.
    Match(u32, &'m [bool]),
    /// This route, if a slash is added.
    Slash(u32),
    Nothing,
}

impl<T> Mux<T> {
    /// What to do with a request.
    ///
    /// `host` is that of the request, with or without port, or empty. `path` is the path as it came, with its
    /// escapes and without a query. A path that is not [clean](clean_path) leads to a redirect, but for `CONNECT`. Go:
    /// `ServeMux.findHandler`.
    ///
    /// Hosts are compared as [`canonical_host`](crate::canonical_host) spells them. The port is ignored, but for
    /// `CONNECT`, for which a pattern with the host and port goes before one with the host.
    ///
    /// A `CONNECT` without a path, as all from the wire are, asks for a tunnel. It is for the patterns with that
    /// method, which see the path `/`: `CONNECT /`, `CONNECT h/`, `CONNECT h:443/`; for no others, and 404 if there are
    /// none. Go finds no pattern for it.
    ///
    /// The target `*` of `OPTIONS *` is no path and is answered by whoever asks, before.
    #[must_use]
    pub fn find<'a>(&'a self, method: &str, host: &str, path: &'a str) -> Lookup<'a, T> {
        let mut spans = Vec::new();
        let found = self.find_into(method, host, path, &mut spans);
        let values = Values::new(found.pattern(), path, spans);
        Lookup { found, values }
    }

    /// [`find`](Self::find) for those who keep the memory: `values` is cleared and filled with the offset and
    /// the length in `path`, in bytes, of every wildcard's value, in the order of [`Pattern::names`].
    /// [`decode`](crate::decode) makes text of such a part.
    ///
    /// Nothing else is allocated if a route is found under a path that is clean and has no escapes, for a host in lower
    /// case. A path of 4 GiB or more is not found.
    #[must_use]
    pub fn find_into<'m>(&'m self, method: &str, host: &str, path: &str, values: &mut Vec<(u32, u32)>) -> Found<'m, T> {
        values.clear();
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
        // A literal pattern that is the path is the smallest set there is; being clean, it says that the path is.
        let literal = own.first().unwrap_or(&self.any_host).index.literal(path).and_then(|leaf| leaf.route(wanted));
        if let Some(route) = literal.map(|number| self.route(number)).filter(|route| route.clean || connect) {
            return Found::Match(route);
        }
        let scan = Scan::new(path);
        if !scan.clean && !connect {
            return self.find_unclean(wanted, own, &clean_path(path));
        }
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
                values::locate(wild, route.rest, path, &scan, values);
                Found::Match(route)
            }
            Outcome::Slash(route) => redirect(path, "/", Some(self.route(route))),
            Outcome::Nothing => self.not_found(own, seen),
        }
    }

    /// The patterns of this host, if it has any.
    fn host_site(&self, host: &str) -> Option<&HostRoutes> {
        if self.hosts.is_empty() {
            return None;
        }
        // What is found is spelled canonically, as nothing else is in there.
        match self.hosts.get(host) {
            None if !host::is_canonical(host) => self.hosts.get(&*host::canonical_host(host)),
            host_routes => host_routes,
        }
    }

    /// The patterns of this host and port, if there are any.
    #[cold]
    fn port_site(&self, host: &str) -> Option<&HostRoutes> {
        let (name, port) = host::read(host);
        self.ports.get(format!("{name}:{}", port?).as_str())
    }

    /// What answers a `CONNECT` without a path: the empty path has no values, but its patterns may have names.
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

    /// What the patterns of this host, then those of any, say about a clean path in its canonical form.
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
        // Where something is found, what comes after is not asked, also not about a slash.
        let mut seen = [own.port, own.host, Some(&self.any_host)];
        for place in 0..seen.len() {
            if seen[place].is_some_and(|host_routes| host_routes.index.visit(path, scan, &mut take).is_break()) {
                seen[place + 1..].fill(None);
                break;
            }
        }
        // Nothing, or a rest that took something in: does the path with a slash match better? A target that begins
        // with two slashes, which only a `CONNECT` can have here, would send the client to another host.
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

    /// The answer when nothing matches: 405 if another method would, for this path or with a slash after it.
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

/// The route of this host that matches the path with a slash, and not only as part of a rest.
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

    /// The pattern that matches, or that will match after the redirect.
    #[must_use]
    pub fn pattern(&self) -> Option<&'m Pattern> {
        match self {
            Self::Match(route) => Some(&route.pattern),
            Self::Redirect { pattern, .. } => *pattern,
            _ => None,
        }
    }

    /// The status to answer with, if it is not for a route to say. A number, as there is no `http` crate without the
    /// feature `io`.
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
