//! Two patterns that cannot live together, and requests that show why.

use std::{fmt, panic::Location};

use crate::{
    pattern::{End, Pattern, Segment},
    relation::Relation,
};

/// Why a pattern was not added: for some request, neither it nor one already there is the smaller set.
///
/// Its text names both patterns, where they were registered, and the requests below.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// The pattern that was refused.
    pub new: Pattern,
    /// Where that was tried.
    pub new_at: &'static Location<'static>,
    /// The pattern that was there first.
    pub old: Pattern,
    /// Where it was registered.
    pub old_at: &'static Location<'static>,
    /// How the methods compare, the new one first.
    pub methods: Relation,
    /// How the paths compare, the new one first.
    pub paths: Relation,
    /// A request that both match.
    pub both: Example,
    /// A request that only the new pattern matches; none if the patterns are equivalent.
    pub only_new: Option<Example>,
    /// A request that only the old pattern matches; none if the patterns are equivalent.
    pub only_old: Option<Example>,
}

/// A request, as short as it takes to tell patterns apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The method.
    pub method: Box<str>,
    /// The path, escaped as in a request target.
    pub path: Box<str>,
}

impl Conflict {
    /// Explains two patterns that [conflict](Pattern::conflicts_with).
    pub(crate) fn new(
        (new, new_at): (&Pattern, &'static Location<'static>),
        (old, old_at): (&Pattern, &'static Location<'static>),
    ) -> Self {
        let (methods, paths) = (new.method_relation(old), new.path_relation(old));
        let both = Example { method: common_method(new, old), path: common_path(new, old).into() };
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

/// A method that both match.
fn common_method(a: &Pattern, b: &Pattern) -> Box<str> {
    match (a.method(), b.method()) {
        (Some("GET"), Some("HEAD")) => "HEAD",
        (Some(method), _) | (None, Some(method)) => method,
        (None, None) => "GET",
    }
    .into()
}

/// A request that `a` matches and `b` does not: by its path if possible, else by its method.
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

/// A path that both match, if they are not disjoint.
fn common_path(a: &Pattern, b: &Pattern) -> String {
    let (short, long) = if a.template().segments.len() <= b.template().segments.len() { (a, b) } else { (b, a) };
    let mut path = String::new();
    for (i, segment) in long.template().segments.iter().enumerate() {
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

/// A path that `a` matches and `b` does not, if they meet and `a` is not contained in `b`.
fn path_outside(a: &Pattern, b: &Pattern) -> String {
    let (this, other) = (a.template(), b.template());
    let mut path = String::new();
    for (i, segment) in this.segments.iter().enumerate() {
        match (segment, other.segments.get(i)) {
            (Segment::Literal(literal), _) => push(&mut path, literal),
            (Segment::Wild, Some(Segment::Literal(literal))) if **literal == *a.wild_name(i) => {
                push(&mut path, &format!("{literal}x"));
            }
            (Segment::Wild, _) => push(&mut path, a.wild_name(i)),
        }
    }
    push_end(&mut path, this.end);
    // Where the other is longer, or only ends in a slash, the rest of this one makes the difference.
    if this.end == End::Rest && other.end == End::Slash && this.segments.len() == other.segments.len() {
        path.push('x');
    }
    path
}

fn push(path: &mut String, canonical: &str) {
    path.push('/');
    // A canonical literal is decoded but for what would be read as something else.
    path.push_str(&crate::escape::location(canonical));
}

fn push_end(path: &mut String, end: End) {
    if end != End::Here {
        path.push('/');
    }
}
