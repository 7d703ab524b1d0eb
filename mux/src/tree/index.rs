//! The patterns of one host, found by path.

use super::{Leaf, hash::Map, shape::Shape, shape::spell};
use crate::{
    clean::Scan,
    pattern::{End, Pattern},
};

/// The patterns of one host, by what comes after the last segment.
#[derive(Clone, Default)]
pub(crate) struct Index {
    leaves: Vec<Leaf>,
    /// `/a`: looked up with the whole path.
    here: Table,
    /// `/a/{$}`: looked up with what is before the last slash.
    slash: Table,
    /// `/a/` and `/a/{x...}`: looked up with what is before one of the slashes.
    rest: Table,
}

/// A path pattern that matches.
#[derive(Clone, Copy)]
pub(crate) struct Hit<'a> {
    pub(crate) leaf: &'a Leaf,
    /// Whether a rest took in at least one byte: Go's inexact match.
    pub(crate) swallowed: bool,
}

impl Index {
    /// Adds a pattern that is not in conflict with any other.
    pub(crate) fn add(&mut self, pattern: &Pattern, route: u32) {
        let template = pattern.template();
        let new = u32::try_from(self.leaves.len()).expect("fewer than 2^32 routes");
        let table = match template.end {
            End::Here => &mut self.here,
            End::Slash => &mut self.slash,
            End::Rest => &mut self.rest,
        };
        let wild = Shape::wild(template);
        let leaf = if wild.contains(&true) {
            table.shape(wild).add(template, new)
        } else {
            table.add_depth(wild.len());
            *table.literals.entry(spell(&template.segments, "").into()).or_insert(new)
        };
        if leaf == new {
            self.leaves.push(Leaf::default());
        }
        self.leaves[leaf as usize].add(pattern.method().unwrap_or(""), route);
    }

    /// The pattern without wildcards that matches exactly this path, without looking at anything else.
    pub(crate) fn literal(&self, path: &str) -> Option<&Leaf> {
        let leaf = match path.strip_suffix('/') {
            Some(prefix) => self.slash.literals.get(prefix),
            None => self.here.literals.get(path),
        };
        leaf.map(|leaf| &self.leaves[*leaf as usize])
    }

    /// Shows every path pattern that matches, the smallest set first, until `take` takes one.
    pub(crate) fn visit<'a, R>(
        &'a self,
        path: &str,
        scan: &Scan,
        mut take: impl FnMut(Hit<'a>) -> Option<R>,
    ) -> Option<R> {
        let fixed = match path.strip_suffix('/') {
            Some(prefix) => self.slash.visit(prefix, scan.slashes - 1, scan, &mut |leaf| take(self.hit(leaf, false))),
            None => self.here.visit(path, scan.slashes, scan, &mut |leaf| take(self.hit(leaf, false))),
        };
        fixed.or_else(|| self.visit_rests(path, scan, take))
    }

    fn visit_rests<'a, R>(&'a self, path: &str, scan: &Scan, mut take: impl FnMut(Hit<'a>) -> Option<R>) -> Option<R> {
        for depth in self.rest.depths.iter().rev() {
            if depth.segments < scan.slashes {
                let slash = scan.slash(path, depth.segments);
                let mut take = |leaf| take(self.hit(leaf, slash + 1 < path.len()));
                let found = self.rest.visit_depth(depth, &path[..slash], scan, &mut take);
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    /// The same for `path` with a slash added, without what matches `path` itself: the patterns to which a request
    /// for `path` is redirected.
    pub(crate) fn visit_with_slash<'a, R>(
        &'a self,
        path: &str,
        scan: &Scan,
        mut take: impl FnMut(Hit<'a>) -> Option<R>,
    ) -> Option<R> {
        let mut take = |leaf| take(self.hit(leaf, false));
        self.slash
            .visit(path, scan.slashes, scan, &mut take)
            .or_else(|| self.rest.visit(path, scan.slashes, scan, &mut take))
    }

    fn hit(&self, leaf: u32, swallowed: bool) -> Hit<'_> {
        Hit { leaf: &self.leaves[leaf as usize], swallowed }
    }
}

/// The patterns of one kind of end, by their segments.
#[derive(Clone, Default)]
struct Table {
    /// Those without wildcards, of any length.
    literals: Map<Box<str>, u32>,
    /// The others by length, shortest first.
    depths: Vec<Depth>,
}

/// The patterns of one length.
#[derive(Clone)]
struct Depth {
    segments: usize,
    has_literals: bool,
    /// Literal before wild, from the left.
    shapes: Vec<Shape>,
}

impl Table {
    fn visit<R>(
        &self,
        prefix: &str,
        segments: usize,
        scan: &Scan,
        take: &mut impl FnMut(u32) -> Option<R>,
    ) -> Option<R> {
        let depth = self.depths.binary_search_by_key(&segments, |depth| depth.segments).ok()?;
        self.visit_depth(&self.depths[depth], prefix, scan, take)
    }

    fn visit_depth<R>(
        &self,
        depth: &Depth,
        prefix: &str,
        scan: &Scan,
        take: &mut impl FnMut(u32) -> Option<R>,
    ) -> Option<R> {
        let literal = if depth.has_literals { self.literals.get(prefix).copied() } else { None };
        literal.and_then(&mut *take).or_else(|| {
            let mut leaves = depth.shapes.iter().filter_map(|shape| shape.find(prefix, scan));
            leaves.find_map(take)
        })
    }

    fn shape(&mut self, wild: Box<[bool]>) -> &mut Shape {
        let shapes = &mut self.depth(wild.len()).shapes;
        let at = match shapes.binary_search_by(|shape| shape.positions().cmp(&wild)) {
            Ok(at) => at,
            Err(at) => {
                shapes.insert(at, Shape::new(wild));
                at
            }
        };
        &mut shapes[at]
    }

    fn add_depth(&mut self, segments: usize) {
        self.depth(segments).has_literals = true;
    }

    fn depth(&mut self, segments: usize) -> &mut Depth {
        let at = match self.depths.binary_search_by_key(&segments, |depth| depth.segments) {
            Ok(at) => at,
            Err(at) => {
                self.depths.insert(at, Depth { segments, has_literals: false, shapes: Vec::new() });
                at
            }
        };
        &mut self.depths[at]
    }
}
