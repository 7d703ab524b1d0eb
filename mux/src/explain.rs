//! Explanations of a lookup: each candidate pattern, and why it won or lost.
//!
//! Nothing here uses the index. All patterns are compared with the request one after the other, by the definitions.
//! That is slow and easy to follow, and it checks the index: tests compare the two answers.

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

/// The answer of a mux to a request, with the reasons.
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
    /// The host in the spelling in which patterns are compared with it.
    pub host: String,
    /// The path as it was given.
    pub path: String,
    /// The path that patterns are compared with: clean, unless the method is `CONNECT`; `/` for a `CONNECT` without a
    /// path.
    pub clean: String,
    /// The answer, the same as that of [`Mux::find`].
    pub found: Found<'m, T>,
    /// The patterns of this host that match the path, or the path with a slash added, under any method. They are in
    /// the order in which they were added.
    pub candidates: Vec<Candidate<'m>>,
    /// The patterns nearest to a request that nothing matches under any method, with the reason why each does not
    /// match. There are at most three, nearest first.
    pub misses: Vec<Miss<'m>>,
}

/// A pattern that matches the path of a request, or the path with a slash added.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Candidate<'m> {
    /// The pattern.
    pub pattern: &'m Pattern,
    /// The place in the program that added the pattern.
    pub at: &'static Location<'static>,
    /// Whether the pattern wins, and if not, why.
    pub verdict: Verdict<'m>,
}

/// Whether a candidate wins, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict<'m> {
    /// The pattern matches and wins.
    Wins,
    /// The pattern matches and wins with a slash added to the path: the client is redirected there.
    WinsWithSlash,
    /// The pattern matches, but another pattern wins.
    Loses {
        /// The winner.
        to: &'m Pattern,
        /// The rule by which it wins.
        by: Rule,
    },
    /// The pattern matches the path, but not the method.
    OtherMethod,
    /// The pattern would match if the path ended in a slash.
    NeedsSlash,
}

/// The rule by which one of two matching patterns wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// The winner has the host, or the port of a `CONNECT`, and the other pattern does not.
    Host,
    /// The winner has fewer methods and the same paths.
    Method,
    /// The winner has fewer paths and the same methods.
    Path,
    /// The winner has fewer methods and fewer paths.
    MethodAndPath,
    /// The winner matches the path with a slash added, and the other pattern matches the path only as part of a rest.
    Slash,
}

impl<T> Mux<T> {
    /// Looks up a request and explains the answer. It compares every pattern, so it is for people and tests.
    ///
    /// The arguments and the answer are those of [`find`](Self::find).
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
        // The method is left out of this filter: a 405 lists the methods of patterns that match in all but that.
        let near = |route: &&Route<T>| {
            let slashed = !clean.ends_with('/') && route.pattern.matches_path(&slashed);
            route.pattern.matches_host(method, &name, port)
                && (slashed || route.pattern.matches_path(&clean))
                && (!tunnel || route.pattern.is_for_tunnels())
        };
        let near: Vec<&Route<T>> = self.routes.iter().filter(near).collect();
        let here = winner(&near, method, &clean);
        let there = if may_move(here, &clean) { winner(&near, method, &slashed) } else { None };
        // A pattern whose rest takes a part of the path and the slash matches the path without the slash as well.
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

/// The winner of the routes that match: one with a host first, then the one whose set all others contain.
fn winner<'m, T>(near: &[&'m Route<T>], method: &str, path: &str) -> Option<&'m Route<T>> {
    let matches = |route: &&&Route<T>| route.pattern.matches_method(method) && route.pattern.matches_path(path);
    near.iter().filter(matches).min_by(|a, b| compare(&a.pattern, &b.pattern)).copied()
}

/// Whether a client may be redirected to the path with a slash added: no route matches the path, except as part of a
/// rest.
fn may_move<T>(here: Option<&Route<T>>, path: &str) -> bool {
    let exact = here.is_some_and(|route| !swallows(&route.pattern, path));
    !exact && !path.is_empty() && !path.ends_with('/') && !path.starts_with("//")
}

/// The verdict about a candidate. `here` is the winner for the path, `there` the winner for the path with a slash.
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

/// The order of two patterns that match one request: the winner is `Less`.
fn compare(a: &Pattern, b: &Pattern) -> Ordering {
    let names = |pattern: &Pattern| (pattern.port().is_some(), pattern.host().is_some());
    names(b).cmp(&names(a)).then_with(|| match a.relation(b) {
        Relation::MoreSpecific => Ordering::Less,
        Relation::MoreGeneral => Ordering::Greater,
        _ => Ordering::Equal,
    })
}

/// The rule by which the winner wins over another pattern.
fn rule(winner: &Pattern, other: &Pattern) -> Rule {
    let same = |relation| relation == Relation::Equivalent;
    match (same(winner.method_relation(other)), same(winner.path_relation(other))) {
        _ if winner.host() != other.host() => Rule::Host,
        (true, _) => Rule::Path,
        (false, true) => Rule::Method,
        (false, false) => Rule::MethodAndPath,
    }
}

/// Whether the rest of a matching pattern takes at least one byte of the path.
fn swallows(pattern: &Pattern, path: &str) -> bool {
    let template = pattern.template();
    let before_rest = path.match_indices('/').nth(template.segments.len());
    template.end == End::Rest && before_rest.is_some_and(|(slash, _)| slash + 1 < path.len())
}

/// 405 with the methods of these routes, or 404 if no route has one.
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
            Self::Slash => "it matches the path with a slash exactly",
        })
    }
}
