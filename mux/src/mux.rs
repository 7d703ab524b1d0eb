//! The router: patterns with their values. Of the patterns that match a request, the smallest set wins.

use std::{convert::Infallible, fmt, panic::Location};

use crate::{
    conflict::Conflict,
    pattern::Pattern,
    pattern_error::PatternError,
    tree::{Index, Map, Methods, Registry},
};

/// A router: patterns, each with a value.
///
/// Of all patterns that match a request, one wins. A pattern with the request's host wins over one without a host (and
/// one with the port of a `CONNECT` over both). Among the rest the smallest set wins: the pattern whose methods and
/// paths all others contain. `insert` refuses a pattern if there would not always be a smallest set, so the order in
/// which patterns are added does not matter.
///
/// A value may be of any type: a function, a handler, an upstream of a proxy.
#[doc(alias = "router")]
#[derive(Clone)]
pub struct Mux<T> {
    pub(crate) routes: Vec<Route<T>>,
    pub(crate) methods: Methods,
    pub(crate) any_host: HostRoutes,
    /// By the canonical spelling of a host.
    pub(crate) hosts: Map<Box<str>, HostRoutes>,
    /// By the canonical spelling of a host and the port of a `CONNECT`.
    pub(crate) ports: Map<Box<str>, HostRoutes>,
}

/// The patterns of one host, or those for any host.
#[derive(Clone, Default)]
pub(crate) struct HostRoutes {
    /// Finds the patterns that match a path.
    pub(crate) index: Index,
    /// Finds the pattern with which a new one conflicts.
    registry: Registry,
}

/// A pattern, its value, and the place in the program that added it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Route<T> {
    /// The pattern.
    pub pattern: Pattern,
    /// The value.
    pub value: T,
    /// The place in the program that added the pattern.
    pub at: &'static Location<'static>,
    /// Whether the pattern can match clean paths. It is a copy, because every lookup reads it and a pattern is behind a
    /// pointer.
    pub(crate) clean: bool,
    /// The number of segments before a rest that has a name.
    pub(crate) rest: Option<u32>,
}

impl<T> Mux<T> {
    /// A mux without patterns.
    #[must_use]
    pub fn new() -> Self {
        let (hosts, ports) = (Map::default(), Map::default());
        Self { routes: Vec::new(), methods: Methods::default(), any_host: HostRoutes::default(), hosts, ports }
    }

    /// Adds a pattern, parsed or as text.
    ///
    /// # Errors
    /// [`InsertError::Pattern`] if the text is not a pattern. [`InsertError::Conflict`] if some request matches it and
    /// an earlier pattern, and neither of the two is more specific. In both cases the mux stays as it was.
    #[track_caller]
    pub fn insert<P>(&mut self, pattern: P, value: T) -> Result<(), InsertError>
    where
        P: TryInto<Pattern>,
        InsertError: From<P::Error>,
    {
        self.insert_at(pattern.try_into()?, value, Location::caller())
    }

    fn insert_at(&mut self, pattern: Pattern, value: T, at: &'static Location<'static>) -> Result<(), InsertError> {
        let host_routes = match (pattern.host(), pattern.port()) {
            (Some(host), Some(_)) => self.ports.entry(host.into()).or_default(),
            (Some(host), None) => self.hosts.entry(host.into()).or_default(),
            (None, _) => &mut self.any_host,
        };
        if let Some(old) = host_routes.registry.conflict(&pattern) {
            let old = &self.routes[old as usize];
            return Err(InsertError::Conflict(Box::new(Conflict::new((&pattern, at), (&old.pattern, old.at)))));
        }
        let number = u32::try_from(self.routes.len()).expect("fewer than 2^32 routes");
        host_routes.registry.add(&pattern, number);
        host_routes.index.add(&pattern, self.methods.add(pattern.method().unwrap_or("")), number);
        let (clean, rest) = (pattern.is_clean(), pattern.named_rest());
        self.routes.push(Route { pattern, value, at, clean, rest });
        Ok(())
    }

    /// The routes in the order in which they were added.
    #[must_use]
    pub fn routes(&self) -> impl ExactSizeIterator<Item = &Route<T>> {
        self.routes.iter()
    }

    /// The number of routes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there are no routes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
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

/// The reason why a route was not added.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InsertError {
    /// The text is not a pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The pattern conflicts with one that was added before.
    #[error(transparent)]
    Conflict(Box<Conflict>),
}

/// Its text, which is what a `main` that returns it prints.
impl fmt::Debug for InsertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Infallible> for InsertError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
