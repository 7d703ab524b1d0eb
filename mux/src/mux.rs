//! Patterns and what they lead to: the smallest set that contains a request wins.

use std::{convert::Infallible, fmt, panic::Location};

use crate::{
    clean::{Scan, clean_path},
    conflict::Conflict,
    escape,
    host::strip_port,
    pattern::{Pattern, PatternError},
    tree::{Hit, Index, Map, Registry},
    values::{self, Values},
};

/// Patterns and their values.
///
/// Of all patterns that match a request one wins: a pattern with the request's host before one without, and among
/// those the one whose set of methods and paths is contained in all others'. That there is always such a one is
/// checked when patterns are added; the order of adding never matters.
///
/// A value is anything: a function, a handler, an upstream of a proxy.
#[derive(Clone)]
pub struct Mux<T> {
    routes: Vec<Route<T>>,
    any_host: Site,
    hosts: Map<Box<str>, Site>,
}

/// The patterns of one host.
#[derive(Clone, Default)]
struct Site {
    index: Index,
    registry: Registry,
}

/// A pattern, what it leads to, and where in the program that was said.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Route<T> {
    /// The pattern.
    pub pattern: Pattern,
    /// What it leads to.
    pub value: T,
    /// Where it was added.
    pub at: &'static Location<'static>,
}

/// What a mux answers.
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

impl<T> Mux<T> {
    /// A mux without patterns.
    #[must_use]
    pub fn new() -> Self {
        Self { routes: Vec::new(), any_host: Site::default(), hosts: Map::default() }
    }

    /// Adds a pattern, parsed or as text.
    ///
    /// # Errors
    /// [`InsertError::Pattern`] if the text is not a pattern; [`InsertError::Conflict`] if, for some request, neither
    /// the pattern nor one already there is the smaller set. In both cases the mux is what it was.
    #[track_caller]
    pub fn insert<P>(&mut self, pattern: P, value: T) -> Result<(), InsertError>
    where
        P: TryInto<Pattern>,
        InsertError: From<P::Error>,
    {
        self.insert_at(pattern.try_into()?, value, Location::caller())
    }

    fn insert_at(&mut self, pattern: Pattern, value: T, at: &'static Location<'static>) -> Result<(), InsertError> {
        let site = match pattern.host() {
            Some(host) => self.hosts.entry(host.into()).or_default(),
            None => &mut self.any_host,
        };
        if let Some(old) = site.registry.conflict(&pattern) {
            let old = &self.routes[old as usize];
            return Err(InsertError::Conflict(Box::new(Conflict::new((&pattern, at), (&old.pattern, old.at)))));
        }
        let number = u32::try_from(self.routes.len()).expect("fewer than 2^32 routes");
        site.registry.add(&pattern, number);
        site.index.add(&pattern, number);
        self.routes.push(Route { pattern, value, at });
        Ok(())
    }

    /// The routes in the order in which they were added.
    pub fn routes(&self) -> impl ExactSizeIterator<Item = &Route<T>> {
        self.routes.iter()
    }

    /// How many routes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there are no routes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// What to do with a request.
    ///
    /// `host` is that of the request, with or without port, or empty. `path` is the path as it came, with its
    /// escapes and without a query. `CONNECT` takes host and path unchanged; for other methods the port is ignored
    /// and a path that is not [clean](clean_path) leads to a redirect. Go: `ServeMux.findHandler`.
    #[must_use]
    pub fn find<'a>(&'a self, method: &str, host: &str, path: &'a str) -> Lookup<'a, T> {
        let mut spans = Vec::new();
        let found = self.find_into(method, host, path, &mut spans);
        let values = Values::new(found.pattern(), path, spans);
        Lookup { found, values }
    }

    /// [`find`](Self::find) for those who keep the memory: `values` is cleared and filled with the byte range in
    /// `path` of every wildcard, in the order of [`Pattern::names`].
    ///
    /// Nothing else is allocated if a route is found under a path that is clean and has no escapes.
    /// [`decode`](crate::decode) makes text of a range.
    #[must_use]
    pub fn find_into<'m>(&'m self, method: &str, host: &str, path: &str, values: &mut Vec<(u32, u32)>) -> Found<'m, T> {
        values.clear();
        let connect = method == "CONNECT";
        let own = self.site(if connect { host } else { strip_port(host) });
        // A literal pattern that is the path is the smallest set there is; being clean, it says that the path is.
        if let Some(leaf) = own.unwrap_or(&self.any_host).index.literal(path) {
            if let Some(route) = self.route(leaf.route(method)).filter(|route| connect || route.pattern.is_clean()) {
                return Found::Match(route);
            }
        }
        let scan = Scan::new(path);
        if !connect && !scan.clean {
            return self.find_unclean(method, own, &clean_path(path));
        }
        let canonical;
        let seen = if scan.plain {
            path
        } else {
            canonical = escape::canonical_path(path);
            &canonical
        };
        let found = self.find_clean(method, own, path, seen);
        if let Found::Match(route) = &found {
            values::locate(&route.pattern, path, &scan, values);
        }
        found
    }

    fn route(&self, number: Option<u32>) -> Option<&Route<T>> {
        number.map(|number| &self.routes[number as usize])
    }

    /// The patterns of this host, if it has any.
    fn site(&self, host: &str) -> Option<&Site> {
        if self.hosts.is_empty() { None } else { self.hosts.get(host) }
    }

    /// The redirect for a path that had to be cleaned.
    #[cold]
    fn find_unclean<'m>(&'m self, method: &str, own: Option<&'m Site>, path: &str) -> Found<'m, T> {
        let canonical = escape::canonical_path(path);
        match self.find_clean(method, own, path, &canonical) {
            Found::Match(route) => Found::Redirect { path: escape::location(path), pattern: Some(&route.pattern) },
            Found::Redirect { path, pattern } => Found::Redirect { path, pattern },
            _ => Found::Redirect { path: escape::location(path), pattern: None },
        }
    }

    /// Looks up a path that needs no cleaning, given as it came and in its canonical form.
    fn find_clean<'m>(&'m self, method: &str, own: Option<&'m Site>, raw: &str, path: &str) -> Found<'m, T> {
        let scan = Scan::new(path);
        let sites = || own.into_iter().chain([&self.any_host]);
        let fitting = |hit: Hit<'_>| hit.leaf.route(method).map(|route| (route, hit.swallowed));
        let mut found = None;
        let mut seen = 0;
        for site in sites() {
            found = site.index.visit(path, &scan, fitting);
            seen += 1;
            if found.is_some() {
                break;
            }
        }
        if let Some((number, false)) = found {
            return Found::Match(&self.routes[number as usize]);
        }
        // Nothing, or a rest that took something in: does the path with a slash match better?
        if !path.is_empty() && !path.ends_with('/') && !path.starts_with("//") {
            for site in sites().take(seen) {
                if let Some((number, _)) = site.index.visit_with_slash(path, &scan, fitting) {
                    let pattern = Some(&self.routes[number as usize].pattern);
                    return Found::Redirect { path: escape::location(raw) + "/", pattern };
                }
            }
        }
        match found {
            Some((number, _)) => Found::Match(&self.routes[number as usize]),
            None => allowed(sites(), path, &scan),
        }
    }
}

/// The answer when nothing matches: 405 if another method would, for this path or with a slash after it.
#[cold]
fn allowed<'m, T>(sites: impl Iterator<Item = &'m Site>, path: &str, scan: &Scan) -> Found<'m, T> {
    let mut methods = Vec::new();
    for site in sites {
        let mut note = |hit: Hit<'m>| -> Option<Infallible> {
            methods.extend(hit.leaf.methods());
            None
        };
        site.index.visit(path, scan, &mut note);
        if !path.ends_with('/') {
            site.index.visit_with_slash(path, scan, &mut note);
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

    /// The status to answer with, if it is not for a route to say.
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
    pub fn path_value(&self, name: &str) -> Option<std::borrow::Cow<'a, str>> {
        self.values.get(name)
    }
}

impl<T> Default for Mux<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for Mux<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.routes.iter().map(|route| (&route.pattern, &route.value))).finish()
    }
}

/// Why a route was not added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InsertError {
    /// The text is not a pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The pattern cannot live with one that is there.
    #[error(transparent)]
    Conflict(Box<Conflict>),
}

impl From<Infallible> for InsertError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
