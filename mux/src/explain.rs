//! Why that one: every pattern that comes near a request, and what became of it.
//!
//! Nothing here uses the index. All patterns are looked at one after the other, by the definitions: that is slow,
//! easy to follow, and a check on the index.

use std::{cmp::Ordering, fmt, panic::Location};

use crate::{
    clean::clean_path,
    escape,
    find::Found,
    host,
    matches::is_tunnel,
    miss::{Miss, nearest},
    mux::{Mux, Route},
    pattern::{End, Pattern},
    relation::Relation,
    values::Values,
};

/// What a mux answers to a request, and why.
///
/// Its text is for people: the request, one line for each candidate or miss, and the answer.
///
/// # Example
/// ```
/// use quintet_mux::Mux;
///
/// let mut mux = Mux::new();
/// for pattern in ["GET /items/{id}", "GET /items/{id}/parts/{part}", "POST /orders"] {
///     mux.insert(pattern, ()).unwrap();
/// }
/// let why = "\
/// GET shop.example/item/7
///   GET /items/{id}               segment 1 is \"item\", not \"items\"
///   GET /items/{id}/parts/{part}  segment 1 is \"item\", not \"items\"
///   POST /orders                  segment 1 is \"item\", not \"orders\"
/// -> 404";
/// assert_eq!(mux.explain("GET", "shop.example", "/item/7").to_string(), why);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation<'m, T> {
    /// The method.
    pub method: String,
    /// The host as patterns see it.
    pub host: String,
    /// The path as it was given.
    pub path: String,
    /// The path as patterns see it: clean, unless the method is `CONNECT`; `/` for a `CONNECT` without one.
    pub clean: String,
    /// The answer, the same as [`Mux::find`] gives.
    pub found: Found<'m, T>,
    /// The patterns of this host that contain the path, or would with a slash behind it, in the order in which they
    /// were added.
    pub candidates: Vec<Candidate<'m>>,
    /// Where nothing matches, also not under another method: the patterns that come nearest, at most three, nearest
    /// first, and why each does not match.
    pub misses: Vec<Miss<'m>>,
}

/// A pattern that comes near a request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Candidate<'m> {
    /// The pattern.
    pub pattern: &'m Pattern,
    /// Where it was added.
    pub at: &'static Location<'static>,
    /// What became of it.
    pub verdict: Verdict<'m>,
}

/// What became of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict<'m> {
    /// It matches and wins.
    Wins,
    /// It would win if the path ended in a slash, and is so near that the client is sent there.
    WinsWithSlash,
    /// It matches, but another pattern wins.
    Loses {
        /// The winner.
        to: &'m Pattern,
        /// By which rule.
        by: Rule,
    },
    /// It contains the path, but not with this method.
    OtherMethod,
    /// It would match if the path ended in a slash.
    NeedsSlash,
}

/// Why one of two patterns that match goes before the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// It names the host and the other does not, or the port of a `CONNECT`.
    Host,
    /// Its methods are fewer, its paths the same.
    Method,
    /// Its paths are fewer, its methods the same.
    Path,
    /// Its methods and its paths are fewer.
    MethodAndPath,
    /// The path with a slash is its own, and the other takes the path as part of a rest.
    Slash,
}

impl<T> Mux<T> {
    /// What to do with a request, and why; for people and tests, as every pattern is looked at.
    ///
    /// The arguments are those of [`find`](Self::find), and so is the answer.
    #[must_use]
    pub fn explain(&self, method: &str, host: &str, path: &str) -> Explanation<'_, T> {
        let (connect, tunnel) = (method == "CONNECT", is_tunnel(method, path));
        let (name, port) = host::read(host);
        let clean = match path {
            _ if tunnel => "/".to_owned(),
            path if connect => path.to_owned(),
            path => clean_path(path),
        };
        let slashed = clean.clone() + "/";
        let near = |route: &&Route<T>| {
            let slashed = !clean.ends_with('/') && route.pattern.matches_path(&slashed);
            route.pattern.matches_host(method, &name, port)
                && (slashed || route.pattern.matches_path(&clean))
                && (!tunnel || route.pattern.is_for_tunnels())
        };
        let near: Vec<&Route<T>> = self.routes.iter().filter(near).collect();
        let here = winner(&near, method, &clean);
        let there = if may_move(here, &clean) { winner(&near, method, &slashed) } else { None };
        let there = there.filter(|route| !swallows(&route.pattern, &slashed));

        let mut candidates = Vec::with_capacity(near.len());
        for route in &near {
            let verdict = verdict(&route.pattern, method, &clean, here, there);
            candidates.push(Candidate { pattern: &route.pattern, at: route.at, verdict });
        }
        let found = match (there, here) {
            (Some(route), _) => redirect(&slashed, Some(route)),
            (None, here) if clean != path && !tunnel => redirect(&clean, here),
            (None, Some(route)) => Found::Match(route),
            (None, None) => not_found(&near),
        };
        let misses = match &found {
            Found::NotFound | Found::Redirect { pattern: None, .. } => {
                nearest(&self.routes, (method, &name, port), &clean, tunnel)
            }
            _ => Vec::new(),
        };
        let host = match port {
            Some(port) if connect => format!("{name}:{port}"),
            _ => name.into_owned(),
        };
        Explanation { method: method.into(), host, path: path.into(), clean, found, candidates, misses }
    }
}

/// Of the routes that match, one with a host, then the one contained in all others.
fn winner<'m, T>(near: &[&'m Route<T>], method: &str, path: &str) -> Option<&'m Route<T>> {
    let matches = |route: &&&Route<T>| route.pattern.matches_method(method) && route.pattern.matches_path(path);
    near.iter().filter(matches).min_by(|a, b| compare(&a.pattern, &b.pattern)).copied()
}

/// Whether a client may be sent to the path with a slash behind it: nothing matches the path but as part of a rest.
fn may_move<T>(here: Option<&Route<T>>, path: &str) -> bool {
    let exact = here.is_some_and(|route| !swallows(&route.pattern, path));
    !exact && !path.is_empty() && !path.ends_with('/') && !path.starts_with("//")
}

/// What becomes of a pattern near a request, where `here` wins for its path or `there` for the path with a slash.
fn verdict<'m, T>(
    pattern: &'m Pattern,
    method: &str,
    path: &str,
    here: Option<&'m Route<T>>,
    there: Option<&'m Route<T>>,
) -> Verdict<'m> {
    if !pattern.matches_method(method) {
        return Verdict::OtherMethod;
    }
    match there.or(here).map(|route| &route.pattern) {
        Some(winner) if winner == pattern && there.is_some() => Verdict::WinsWithSlash,
        Some(winner) if winner == pattern => Verdict::Wins,
        _ if !pattern.matches_path(path) => Verdict::NeedsSlash,
        Some(winner) if there.is_some() => Verdict::Loses { to: winner, by: Rule::Slash },
        Some(winner) => Verdict::Loses { to: winner, by: rule(winner, pattern) },
        None => Verdict::NeedsSlash,
    }
}

fn redirect<'m, T>(path: &str, route: Option<&'m Route<T>>) -> Found<'m, T> {
    Found::Redirect { path: escape::location(path), pattern: route.map(|route| &route.pattern) }
}

/// Of two patterns that match one request, the one that wins is less.
fn compare(a: &Pattern, b: &Pattern) -> Ordering {
    let names = |pattern: &Pattern| (pattern.port().is_some(), pattern.host().is_some());
    names(b).cmp(&names(a)).then_with(|| match a.relation(b) {
        Relation::MoreSpecific => Ordering::Less,
        Relation::MoreGeneral => Ordering::Greater,
        _ => Ordering::Equal,
    })
}

/// By which rule the winner goes before another.
fn rule(winner: &Pattern, other: &Pattern) -> Rule {
    let same = |relation| relation == Relation::Equivalent;
    match (same(winner.method_relation(other)), same(winner.path_relation(other))) {
        _ if winner.host() != other.host() => Rule::Host,
        (true, _) => Rule::Path,
        (false, true) => Rule::Method,
        (false, false) => Rule::MethodAndPath,
    }
}

/// Whether a pattern that matches takes in at least one byte as its rest.
fn swallows(pattern: &Pattern, path: &str) -> bool {
    let template = pattern.template();
    let before_rest = path.match_indices('/').nth(template.segments.len());
    template.end == End::Rest && before_rest.is_some_and(|(slash, _)| slash + 1 < path.len())
}

/// 405 with the methods of these routes, or 404 if they have none.
fn not_found<'m, T>(near: &[&Route<T>]) -> Found<'m, T> {
    let mut methods: Vec<&str> = near.iter().filter_map(|route| route.pattern.method()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.sort_unstable();
    methods.dedup();
    if methods.is_empty() { Found::NotFound } else { Found::MethodNotAllowed { allow: methods.join(", ") } }
}

impl<T> fmt::Display for Explanation<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, host, path, clean, .. } = self;
        write!(f, "{method} {host}{path}")?;
        if path != clean {
            write!(f, ", seen as {clean}")?;
        }
        let patterns = self.candidates.iter().map(|one| one.pattern).chain(self.misses.iter().map(|one| one.pattern));
        let width = patterns.map(|pattern| pattern.as_str().chars().count()).max().unwrap_or(0);
        for Candidate { pattern, verdict, .. } in &self.candidates {
            write!(f, "\n  {:width$}  {verdict}", pattern.as_str())?;
        }
        for Miss { pattern, reason, .. } in &self.misses {
            write!(f, "\n  {:width$}  {reason}", pattern.as_str())?;
        }
        match &self.found {
            Found::Match(route) => {
                write!(f, "\n-> {}", route.pattern)?;
                for (name, value) in Values::of(&route.pattern, path).iter() {
                    write!(f, ", {name} = {value:?}")?;
                }
                Ok(())
            }
            Found::Redirect { path, pattern: Some(pattern) } => write!(f, "\n-> 307 to {path}, for {pattern}"),
            Found::Redirect { path, pattern: None } => write!(f, "\n-> 307 to {path}, where nothing matches"),
            Found::MethodNotAllowed { allow } => write!(f, "\n-> 405, Allow: {allow}"),
            Found::NotFound => write!(f, "\n-> 404"),
        }
    }
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wins => write!(f, "wins"),
            Self::WinsWithSlash => write!(f, "wins with a slash behind the path"),
            Self::Loses { to, by } => write!(f, "loses to {to}: {by}"),
            Self::OtherMethod => write!(f, "has another method"),
            Self::NeedsSlash => write!(f, "needs a slash behind the path"),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "it names the host",
            Self::Method => "fewer methods",
            Self::Path => "fewer paths",
            Self::MethodAndPath => "fewer methods and fewer paths",
            Self::Slash => "a slash makes the path its own",
        })
    }
}
