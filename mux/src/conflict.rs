//! The conflict of two patterns that cannot be in one mux, with requests that show why.

use std::{fmt, panic::Location};

use crate::{
    pattern::{End, Pattern, Segment},
    relation::Relation,
};

/// The reason why a pattern was not added: some request matches it and an earlier pattern, and neither of the two is
/// more specific.
///
/// The text of the error names both patterns, the places in the program where they were registered, and the requests
/// below.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// The pattern that was refused.
    pub new: Pattern,
    /// The place in the program that tried to register `new`.
    pub new_at: &'static Location<'static>,
    /// The pattern that was registered before.
    pub old: Pattern,
    /// The place in the program that registered `old`.
    pub old_at: &'static Location<'static>,
    /// How the methods compare, the new one first.
    pub methods: Relation,
    /// How the paths compare, the new one first.
    pub paths: Relation,
    /// A request that both match.
    pub both: Example,
    /// A request that only the new pattern matches; `None` if the patterns are equivalent.
    pub only_new: Option<Example>,
    /// A request that only the old pattern matches; `None` if the patterns are equivalent.
    pub only_old: Option<Example>,
}

/// A method and a path: the part of a request by which two patterns differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Example {
    /// The method.
    pub method: Box<str>,
    /// The path, escaped as in a request target.
    pub path: Box<str>,
}

/// Requests that show the [relation](Pattern::relation) of two patterns. From [`Pattern::witness`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Witness {
    /// A request that both match; `None` if no request does.
    pub both: Option<Example>,
    /// A request that only the first pattern matches; `None` if the second one matches them all.
    pub only_first: Option<Example>,
    /// A request that only the second pattern matches; `None` if the first one matches them all.
    pub only_second: Option<Example>,
}

impl Pattern {
    /// Requests that show how `self` relates to `other`, by method and path. As in [`relation`](Self::relation), the host is
    /// left out.
    ///
    /// ```
    /// use quintet_mux::Pattern;
    ///
    /// let (all, one): (Pattern, Pattern) = ("GET /items/{id}".parse()?, "GET /items/new".parse()?);
    /// let witness = all.witness(&one);
    /// assert_eq!(witness.both.unwrap().to_string(), "GET /items/new");
    /// assert_eq!(witness.only_first.unwrap().to_string(), "GET /items/id");
    /// assert_eq!(witness.only_second, None);
    /// # Ok::<(), quintet_mux::PatternError>(())
    /// ```
    #[must_use]
    pub fn witness(&self, other: &Self) -> Witness {
        let relation = self.relation(other);
        let has_both = relation != Relation::Disjoint;
        let has_first = !matches!(relation, Relation::Equivalent | Relation::MoreSpecific);
        let has_second = !matches!(relation, Relation::Equivalent | Relation::MoreGeneral);
        Witness {
            both: has_both.then(|| both(self, other)),
            only_first: has_first.then(|| only(self, other)),
            only_second: has_second.then(|| only(other, self)),
        }
    }
}

impl Conflict {
    /// Explains two patterns that [conflict](Pattern::conflicts_with).
    pub(crate) fn new(
        (new, new_at): (&Pattern, &'static Location<'static>),
        (old, old_at): (&Pattern, &'static Location<'static>),
    ) -> Self {
        let (methods, paths) = (new.method_relation(old), new.path_relation(old));
        let both = both(new, old);
        let (only_new, only_old) = match methods.and(paths) {
            Relation::Equivalent => (None, None),
            _ => (Some(only(new, old)), Some(only(old, new))),
        };
        let (new, old) = (new.clone(), old.clone());
        Self { new, new_at, old, old_at, methods, paths, both, only_new, only_old }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { new, new_at, old, old_at, both, .. } = self;
        let (new, old) = (new.as_str(), old.as_str());
        writeln!(
            f,
            "pattern {new:?} (registered at {new_at}) conflicts with pattern {old:?} (registered at {old_at}):"
        )?;
        let (Some(only_new), Some(only_old)) = (&self.only_new, &self.only_old) else {
            return write!(f, "both match the same requests, such as {both}");
        };
        write!(
            f,
            "both match {both}, but neither is more specific:\n\
             only {new:?} matches {only_new}\n\
             only {old:?} matches {only_old}"
        )
    }
}

impl std::error::Error for Conflict {}

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// A request that both patterns match.
fn both(a: &Pattern, b: &Pattern) -> Example {
    Example { method: common_method(a, b), path: common_path(a, b).into() }
}

/// A method that both patterns match.
fn common_method(a: &Pattern, b: &Pattern) -> Box<str> {
    match (a.method(), b.method()) {
        (Some("GET"), Some("HEAD")) => "HEAD",
        (Some(method), _) | (None, Some(method)) => method,
        (None, None) => "GET",
    }
    .into()
}

/// A request that `a` matches and `b` does not: it differs by its path if possible, else by its method.
fn only(a: &Pattern, b: &Pattern) -> Example {
    match a.path_relation(b) {
        Relation::MoreGeneral | Relation::Overlaps => {
            Example { method: a.method().unwrap_or("GET").into(), path: path_outside(a, b).into() }
        }
        _ => {
            let method = match (a.method(), b.method()) {
                (Some(method), _) => method,
                (None, Some("GET")) => "POST",
                (None, _) => "GET",
            };
            Example { method: method.into(), path: common_path(a, a).into() }
        }
    }
}

/// A path that both patterns match, if they are not disjoint.
fn common_path(a: &Pattern, b: &Pattern) -> String {
    let (short, long) = if a.template().segments.len() <= b.template().segments.len() { (a, b) } else { (b, a) };
    let mut path = String::new();
    for (i, segment) in long.template().segments.iter().enumerate() {
        // Where both have a segment, they agree on it or one is wild, so the literal, if any, is right for both. A name
        // of a wildcard is a value like any other, and the one that people read best.
        match (segment, short.template().segments.get(i)) {
            (Segment::Literal(literal), _) | (Segment::Wild, Some(Segment::Literal(literal))) => {
                push(&mut path, literal);
            }
            (Segment::Wild, _) => push(&mut path, long.wild_name(i)),
        }
    }
    push_end(&mut path, if long.template().end == End::Rest { short.template().end } else { long.template().end });
    path
}

/// A path that `a` matches and `b` does not, if some path matches both and `a` is not contained in `b`.
fn path_outside(a: &Pattern, b: &Pattern) -> String {
    let (this, other) = (a.template(), b.template());
    let mut path = String::new();
    for (i, segment) in this.segments.iter().enumerate() {
        match (segment, other.segments.get(i)) {
            (Segment::Literal(literal), _) => push(&mut path, literal),
            // The usual value, the name of the wildcard, is the literal of `b` here: an `x` more makes it another
            // value.
            (Segment::Wild, Some(Segment::Literal(literal))) if **literal == *a.wild_name(i) => {
                push(&mut path, &format!("{literal}x"));
            }
            (Segment::Wild, _) => push(&mut path, a.wild_name(i)),
        }
    }
    push_end(&mut path, this.end);
    // If `b` is longer, the path ends too early for it. If `b` is `/…/{$}`, one byte after the slash is too much for
    // it.
    if this.end == End::Rest && other.end == End::Slash && this.segments.len() == other.segments.len() {
        path.push('x');
    }
    path
}

fn push(path: &mut String, canonical: &str) {
    path.push('/');
    // A canonical literal is decoded, but for the bytes that would change the segments; `location` escapes the others.
    path.push_str(&crate::escape::location(canonical));
}

fn push_end(path: &mut String, end: End) {
    if end != End::Here {
        path.push('/');
    }
}
