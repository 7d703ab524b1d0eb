//! The relation of two patterns as sets of requests.
//!
//! Two sets are equal, one contains the other, they are disjoint, or they overlap. If one contains the other, the
//! smaller set wins at lookup. Equal and overlapping sets are a conflict, which is found when the route is added. The
//! algebra is Go's (`pattern.go:232-395`).

use std::fmt;

use crate::pattern::{End, Pattern, Segment, Template};

/// The relation of a first pattern to a second one, as sets of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// Both patterns match the same requests.
    Equivalent,
    /// The first pattern matches every request that the second one matches, and others.
    MoreGeneral,
    /// The second pattern matches every request that the first one matches, and others.
    MoreSpecific,
    /// No request matches both patterns.
    Disjoint,
    /// Some requests match both patterns, some only the first, and some only the second.
    Overlaps,
}

impl Relation {
    /// The relation of the second pattern to the first.
    #[must_use]
    pub fn inverse(self) -> Self {
        match self {
            Self::MoreGeneral => Self::MoreSpecific,
            Self::MoreSpecific => Self::MoreGeneral,
            same => same,
        }
    }

    /// The relation of two patterns, combined from the relations of two independent parts, such as method and path.
    ///
    /// `Equivalent` with any relation is that relation. `Disjoint` with any relation is `Disjoint`. `MoreGeneral` with
    /// `MoreSpecific`, and `Overlaps` with anything else, is `Overlaps`. Go: `combineRelationships`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Equivalent, r) | (r, Self::Equivalent) => r,
            (Self::Disjoint, _) | (_, Self::Disjoint) => Self::Disjoint,
            (r, s) if r == s => r,
            _ => Self::Overlaps,
        }
    }

    /// Whether two patterns of one host with this relation conflict: both match some request, and neither is more
    /// specific.
    #[must_use]
    pub fn is_conflict(self) -> bool {
        matches!(self, Self::Equivalent | Self::Overlaps)
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equivalent => "equivalent to",
            Self::MoreGeneral => "more general than",
            Self::MoreSpecific => "more specific than",
            Self::Disjoint => "disjoint from",
            Self::Overlaps => "overlapping",
        })
    }
}

impl Pattern {
    /// The relation of `self` to `other`, by method and path. Go: `comparePathsAndMethods`.
    ///
    /// The host is left out, because it never leads to a conflict. A pattern with a host wins over one without, one
    /// with the port of a `CONNECT` wins over one without a port, and no request matches two different hosts.
    #[must_use]
    pub fn relation(&self, other: &Self) -> Relation {
        self.method_relation(other).and(self.path_relation(other))
    }

    /// The relation of the methods. A pattern without a method contains all methods, `GET` contains `HEAD`, and any
    /// other method contains only itself.
    #[must_use]
    pub fn method_relation(&self, other: &Self) -> Relation {
        methods(self.method().unwrap_or(""), other.method().unwrap_or(""))
    }

    /// The relation of the paths, segment by segment.
    ///
    /// An empty segment (`//`, which only a `CONNECT` can ask for) is a literal that `{x}` does not match. In Go's
    /// algebra an empty segment is smaller than `{x}`, and in Go's tree it equals `{x}`; both are wrong.
    #[must_use]
    pub fn path_relation(&self, other: &Self) -> Relation {
        paths(self.template(), other.template(), |a, b| if a == b { Relation::Equivalent } else { Relation::Disjoint })
    }

    /// Whether the two patterns cannot be in one mux: they have the same host, both match some request, and neither is
    /// more specific.
    #[must_use]
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.host() == other.host() && self.relation(other).is_conflict()
    }
}

/// Compares two methods. The empty string stands for any method.
pub(crate) fn methods(a: &str, b: &str) -> Relation {
    match (a, b) {
        (a, b) if a == b => Relation::Equivalent,
        ("", _) | ("GET", "HEAD") => Relation::MoreGeneral,
        (_, "") | ("HEAD", "GET") => Relation::MoreSpecific,
        _ => Relation::Disjoint,
    }
}

/// Compares two paths; `literals` says how two literal segments in one position compare.
pub(crate) fn paths(a: &Template, b: &Template, literals: impl Fn(&str, &str) -> Relation) -> Relation {
    let mut relation = Relation::Equivalent;
    for (a, b) in a.segments.iter().zip(&b.segments) {
        relation = relation.and(match (a, b) {
            (Segment::Literal(a), Segment::Literal(b)) => literals(a, b),
            (Segment::Wild, Segment::Wild) => Relation::Equivalent,
            (Segment::Wild, Segment::Literal(b)) if !b.is_empty() => Relation::MoreGeneral,
            (Segment::Literal(a), Segment::Wild) if !a.is_empty() => Relation::MoreSpecific,
            (Segment::Wild, Segment::Literal(_)) | (Segment::Literal(_), Segment::Wild) => Relation::Disjoint,
        });
        // One disjoint segment decides, whatever follows (see `Relation::and`).
        if relation == Relation::Disjoint {
            return relation;
        }
    }
    relation.and(ends(a, b))
}

/// Compares the parts of two paths after the segments that both have.
fn ends(a: &Template, b: &Template) -> Relation {
    match (a.segments.len().cmp(&b.segments.len()), &a.end, &b.end) {
        (std::cmp::Ordering::Equal, End::Rest, End::Rest) => Relation::Equivalent,
        (std::cmp::Ordering::Equal, a, b) if a == b => Relation::Equivalent,
        // A rest begins with a slash, which a path that ends at its last segment does not have.
        (std::cmp::Ordering::Equal, End::Rest, End::Slash) => Relation::MoreGeneral,
        (std::cmp::Ordering::Equal, End::Slash, End::Rest) => Relation::MoreSpecific,
        (std::cmp::Ordering::Less, End::Rest, _) => Relation::MoreGeneral,
        (std::cmp::Ordering::Greater, _, End::Rest) => Relation::MoreSpecific,
        _ => Relation::Disjoint,
    }
}
