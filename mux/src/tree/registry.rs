//! What is registered for one host, kept so that a conflict is found without comparing every pair.
//!
//! Whether two patterns that meet are nested or cross is decided by where they are wild and by their methods, not by
//! their literals. So patterns are kept in classes by shape; of each other class that could cross with a new
//! pattern's, one hash lookup asks whether it holds a pattern with the same literals wherever both are literal.

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
    /// Any of them, to compare shapes with.
    sample: Pattern,
    /// The methods that occur; the empty one is any.
    methods: Vec<Box<str>>,
    members: Vec<(Pattern, u32)>,
    /// By the positions that are compared: method and literals there, and one route that has them.
    by_literals: Map<Box<[usize]>, Map<Box<str>, u32>>,
}

impl Registry {
    /// A registered route that conflicts with `new`, if there is one.
    ///
    /// The registry learns on the way by which literals it is asked.
    pub(crate) fn conflict(&mut self, new: &Pattern) -> Option<u32> {
        let method = new.method().unwrap_or("");
        self.classes.iter_mut().find_map(|class| {
            let meet = |_: &str, _: &str| Relation::Equivalent;
            let path = relation::paths(new.template(), class.sample.template(), meet);
            let crosses = |other: &str| relation::methods(method, other).and(path).is_conflict();
            // Most classes end here: the shapes are apart or nested.
            if !class.methods.iter().any(|other| crosses(other)) {
                return None;
            }
            let positions = common_literals(new, &class.sample);
            class.learn(&positions);
            let routes = &class.by_literals[&positions];
            let crossing = class.methods.iter().filter(|other| crosses(other));
            crossing.filter_map(|other| routes.get(&*key(other, new, &positions))).min().copied()
        })
    }

    /// Adds a pattern that is not in conflict.
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
        for (positions, routes) in &mut self.by_literals {
            routes.entry(key(method, pattern, positions)).or_insert(route);
        }
        self.members.push((pattern.clone(), route));
    }

    /// Makes the members findable by their literals in these positions.
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

/// Where both are literal.
fn common_literals(a: &Pattern, b: &Pattern) -> Box<[usize]> {
    let pairs = a.template().segments.iter().zip(&b.template().segments).enumerate();
    pairs
        .filter(|(_, pair)| matches!(pair, (Segment::Literal(_), Segment::Literal(_))))
        .map(|(position, _)| position)
        .collect()
}

/// A method and the literals in these positions. Unambiguous, because a canonical literal has no slash.
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

/// Which positions are wild, and the end. An empty literal is told apart: unlike others, no wildcard contains it.
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
