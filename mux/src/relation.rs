//! How two sets of requests stand to each other, and how such answers add up.
//!
//! A pattern is a set of requests. Two sets are equal, nested one way or the other, apart, or they cross. Of nested
//! sets the smaller one wins at lookup; equal and crossing sets are a conflict, found when the route is added.
//! Go: `pattern.go:232-395`, whose algebra this is.

use std::fmt;

use crate::pattern::{End, Pattern, Segment, Template};

/// How the requests that one pattern matches stand to those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// Both match the same requests.
    Equivalent,
    /// The first matches all that the second does, and more.
    MoreGeneral,
    /// The second matches all that the first does, and more.
    MoreSpecific,
    /// No request is matched by both.
    Disjoint,
    /// Some request is matched by both, some only by the first, and some only by the second.
    Overlaps,
}

impl Relation {
    /// The same relation seen from the other pattern.
    #[must_use]
    pub fn inverse(self) -> Self {
        match self {
            Self::MoreGeneral => Self::MoreSpecific,
            Self::MoreSpecific => Self::MoreGeneral,
            same => same,
        }
    }

    /// The relation of two things from the relations of their two independent parts, such as method and path.
    ///
    /// `Equivalent` changes nothing, `Disjoint` decides, `Overlaps` stays unless the other part is disjoint, and
    /// general in one part with specific in the other is an overlap. Go: `combineRelationships`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Equivalent, r) | (r, Self::Equivalent) => r,
            (Self::Disjoint, _) | (_, Self::Disjoint) => Self::Disjoint,
            (r, s) if r == s => r,
            _ => Self::Overlaps,
        }
    }

    /// Whether two patterns of one host that stand so cannot live together: for some request neither is the smaller.
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
    /// How the requests of `self` stand to those of `other`, by method and path.
    ///
    /// The host is left out, because it never leads to a conflict: a pattern with a host wins over one without, one
    /// with the port of a `CONNECT` over one without that, and two different hosts never meet. Go:
    /// `comparePathsAndMethods`.
    #[must_use]
    pub fn relation(&self, other: &Self) -> Relation {
        self.method_relation(other).and(self.path_relation(other))
    }

    /// How the methods compare: none contains all, `GET` contains `HEAD`, all others only themselves.
    #[must_use]
    pub fn method_relation(&self, other: &Self) -> Relation {
        methods(self.method().unwrap_or(""), other.method().unwrap_or(""))
    }

    /// How the paths compare, segment by segment.
    ///
    /// An empty segment (`//`, which only a `CONNECT` can reach) is a literal that no `{x}` matches. Go's algebra
    /// takes it for smaller than `{x}` and its tree for the same as `{x}`; neither can be true.
    #[must_use]
    pub fn path_relation(&self, other: &Self) -> Relation {
        paths(self.template(), other.template(), |a, b| if a == b { Relation::Equivalent } else { Relation::Disjoint })
    }

    /// Whether both cannot be registered in one mux: the same host, and neither the smaller set.
    #[must_use]
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.host() == other.host() && self.relation(other).is_conflict()
    }
}

/// Compares two methods; the empty string is any.
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
        if relation == Relation::Disjoint {
            return relation;
        }
    }
    relation.and(ends(a, b))
}

/// Compares what comes after the segments that both have.
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
