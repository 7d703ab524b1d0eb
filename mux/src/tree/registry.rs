//! The registry of one host's patterns, which finds a conflict without comparing every pair.
//!
//! Two patterns that both match some request are either nested (one contains the other) or they conflict. Which of the
//! two holds depends on the places of their wildcards and on their methods, not on their literals. So the patterns are
//! grouped into classes by shape. A new pattern is compared with one sample of each class. If the shapes and methods
//! conflict, one hash lookup tells whether the class has a pattern with the same literals wherever both have one.

use super::hash::Map;
use crate::{
    pattern::{End, Pattern, Segment},
    relation::{self, Relation},
};

/// The patterns of one host, by shape.
#[derive(Clone, Default)]
pub(crate) struct Registry {
    classes: Vec<Class>,
    by_shape: Map<Box<[u8]>, usize>,
}

/// All patterns of one shape.
#[derive(Clone)]
struct Class {
    /// One of the patterns, to compare shapes with.
    sample: Pattern,
    /// The methods of the patterns; the empty text stands for any method.
    methods: Vec<Box<str>>,
    members: Vec<(Pattern, u32)>,
    /// For each set of positions that was ever compared: the method and the literals there, and a route with them.
    by_literals: Map<Box<[usize]>, Map<Box<str>, u32>>,
}

impl Registry {
    /// A registered route that conflicts with `new`, if any.
    ///
    /// The first search by a set of positions builds the table for it, so the registry is changed by a search.
    pub(crate) fn conflict(&mut self, new: &Pattern) -> Option<u32> {
        let method = new.method().unwrap_or("");
        self.classes.iter_mut().find_map(|class| {
            let meet = |_: &str, _: &str| Relation::Equivalent;
            let path = relation::paths(new.template(), class.sample.template(), meet);
            let crosses = |other: &str| relation::methods(method, other).and(path).is_conflict();
            // The search of most classes ends here: the shapes are disjoint or nested, whatever the literals are.
            if !class.methods.iter().any(|other| crosses(other)) {
                return None;
            }
            // All members have their literals in the same places as the sample, so these positions hold for each.
            let positions = common_literals(new, &class.sample);
            class.learn(&positions);
            let routes = &class.by_literals[&positions];
            let crossing = class.methods.iter().filter(|other| crosses(other));
            // The least number is the pattern that was added first: the error does not depend on the order of a map.
            crossing.filter_map(|other| routes.get(&*key(other, new, &positions))).min().copied()
        })
    }

    /// Adds a pattern that conflicts with no other one.
    pub(crate) fn add(&mut self, pattern: &Pattern, route: u32) {
        let class = *self.by_shape.entry(shape(pattern)).or_insert_with(|| {
            let (sample, methods, members) = (pattern.clone(), Vec::new(), Vec::new());
            self.classes.push(Class { sample, methods, members, by_literals: Map::default() });
            self.classes.len() - 1
        });
        self.classes[class].add(pattern, route);
    }
}

impl Class {
    fn add(&mut self, pattern: &Pattern, route: u32) {
        let method = pattern.method().unwrap_or("");
        if !self.methods.iter().any(|known| **known == *method) {
            self.methods.push(method.into());
        }
        // Every table that was built before must know the new member.
        for (positions, routes) in &mut self.by_literals {
            routes.entry(key(method, pattern, positions)).or_insert(route);
        }
        self.members.push((pattern.clone(), route));
    }

    /// Builds the table of the members by their literals in these positions, unless it is there already.
    fn learn(&mut self, positions: &[usize]) {
        if !self.by_literals.contains_key(positions) {
            let mut routes = Map::default();
            for (pattern, route) in &self.members {
                routes.entry(key(pattern.method().unwrap_or(""), pattern, positions)).or_insert(*route);
            }
            self.by_literals.insert(positions.into(), routes);
        }
    }
}

/// The positions in which both patterns have a literal.
fn common_literals(a: &Pattern, b: &Pattern) -> Box<[usize]> {
    let pairs = a.template().segments.iter().zip(&b.template().segments).enumerate();
    pairs
        .filter(|(_, pair)| matches!(pair, (Segment::Literal(_), Segment::Literal(_))))
        .map(|(position, _)| position)
        .collect()
}

/// A method and the literals in these positions, as one text. The text is unambiguous, because a canonical literal has
/// no slash.
fn key(method: &str, pattern: &Pattern, positions: &[usize]) -> Box<str> {
    let mut key = String::from(method);
    for &position in positions {
        if let Segment::Literal(literal) = &pattern.template().segments[position] {
            key.push('/');
            key.push_str(literal);
        }
    }
    key.into()
}

/// The shape of a pattern as bytes: the kind of each segment, and the end. An empty literal has a kind of its own,
/// because a wildcard contains any literal but that.
fn shape(pattern: &Pattern) -> Box<[u8]> {
    let segments = pattern.template().segments.iter().map(|segment| match segment {
        Segment::Literal(literal) if literal.is_empty() => b'0',
        Segment::Literal(_) => b'a',
        Segment::Wild => b'*',
    });
    let end = match pattern.template().end {
        End::Here => b'.',
        End::Slash => b'$',
        End::Rest => b'/',
    };
    segments.chain([end]).collect()
}
