//! The index of one host's patterns, searched by path.

use std::ops::ControlFlow;

use super::{
    hash::Map,
    leaf::Leaf,
    shape::{Shape, spell},
    shape_filter::{KNOWN, ShapeFilter},
};
use crate::{
    clean::Scan,
    pattern::{End, Pattern, Segment, Template},
};

/// The patterns of one host, in three tables by what follows the last segment.
#[derive(Clone, Default)]
pub(crate) struct Index {
    leaves: Vec<Leaf>,
    /// Patterns such as `/a`: the key is the whole path.
    here: Table,
    /// Patterns such as `/a/{$}`: the key is the path before its last slash.
    slash: Table,
    /// Patterns such as `/a/` and `/a/{x...}`: the key is the path before one of its slashes.
    rest: Table,
}

/// A path pattern that matches.
#[derive(Clone, Copy)]
pub(crate) struct Hit<'a> {
    pub(crate) leaf: &'a Leaf,
    /// Which segments are wildcards; empty for a pattern without wildcards.
    pub(crate) wild: &'a [bool],
    /// Whether the rest of the pattern took at least one byte of the path: Go's inexact match.
    pub(crate) swallowed: bool,
}

impl Index {
    /// Adds a pattern that conflicts with no other one.
    pub(crate) fn add(&mut self, pattern: &Pattern, method: u32, route: u32) {
        let template = pattern.template();
        let new = u32::try_from(self.leaves.len()).expect("fewer than 2^32 routes");
        let table = match template.end {
            End::Here => &mut self.here,
            End::Slash => &mut self.slash,
            End::Rest => &mut self.rest,
        };
        // A pattern without wildcards is a key of a hash map: one hash costs less than a walk down a tree.
        let leaf = if template.segments.contains(&Segment::Wild) {
            table.add_wild(template, new)
        } else {
            table.add_literal(template.segments.len(), spell(&template.segments, "").into(), new)
        };
        if leaf == new {
            self.leaves.push(Leaf::new());
        }
        self.leaves[leaf as usize].add(method, route);
    }

    /// The pattern without wildcards and without a rest that equals this path, if any: one hash lookup.
    pub(crate) fn literal(&self, path: &str) -> Option<&Leaf> {
        let leaf = match path.strip_suffix('/') {
            Some(prefix) => self.slash.literal(prefix),
            None => self.here.literal(path),
        };
        leaf.map(|leaf| &self.leaves[leaf as usize])
    }

    /// Gives each path pattern that matches to `take`, the smallest set first, until `take` breaks.
    pub(crate) fn visit<'a>(
        &'a self,
        path: &str,
        scan: &Scan,
        take: &mut impl FnMut(Hit<'a>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match path.strip_suffix('/') {
            Some(prefix) => {
                // Not below zero: the suffix that was removed is a slash.
                self.slash.visit(prefix, scan.slashes - 1, scan, &mut |found| take(self.hit(found, false)))?;
            }
            None => self.here.visit(path, scan.slashes, scan, &mut |found| take(self.hit(found, false)))?,
        }
        // The deepest rest first: of two rests that match, the one with more segments before it is the smaller set. A
        // path with more slashes than any pattern has segments costs no more than one that is as long as the patterns.
        for segments in (0..scan.slashes.min(self.rest.depths.len())).rev() {
            if !self.rest.depths[segments].is_empty() {
                let slash = scan.slash(path, segments);
                let mut take = |found| take(self.hit(found, slash + 1 < path.len()));
                self.rest.visit(&path[..slash], segments, scan, &mut take)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Gives each path pattern that matches `path` with a slash added, and not `path` itself, to `take`: the patterns
    /// to which a request for `path` is redirected.
    pub(crate) fn visit_with_slash<'a>(
        &'a self,
        path: &str,
        scan: &Scan,
        take: &mut impl FnMut(Hit<'a>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut take = |found| take(self.hit(found, false));
        self.slash.visit(path, scan.slashes, scan, &mut take)?;
        self.rest.visit(path, scan.slashes, scan, &mut take)
    }

    fn hit<'a>(&'a self, (leaf, wild): (u32, &'a [bool]), swallowed: bool) -> Hit<'a> {
        Hit { leaf: &self.leaves[leaf as usize], wild, swallowed }
    }
}

/// The patterns with one kind of end.
#[derive(Clone, Default)]
struct Table {
    /// The patterns without wildcards, by their path.
    literals: Map<Box<str>, u32>,
    /// A bit for the length of each literal path, modulo 64. A path whose bit is not set needs no hash lookup.
    lengths: u64,
    /// The patterns with wildcards, by the number of their segments, from 0.
    depths: Vec<Depth>,
}

/// The patterns with one number of segments.
#[derive(Clone)]
struct Depth {
    /// Whether the table has literal paths with this number of segments.
    has_literals: bool,
    /// The shapes in the order in which they are searched: literal before wildcard, compared from the left.
    shapes: Vec<Shape>,
    filter: ShapeFilter,
}

impl Table {
    fn visit<'a>(
        &'a self,
        prefix: &str,
        segments: usize,
        scan: &Scan,
        take: &mut impl FnMut((u32, &'a [bool])) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(depth) = self.depths.get(segments) else { return ControlFlow::Continue(()) };
        let literal = if depth.has_literals { self.literal(prefix) } else { None };
        if let Some(leaf) = literal {
            take((leaf, &[]))?;
        }
        let mut look = |shape: &'a Shape| match shape.find(prefix, scan) {
            Some(leaf) => take((leaf, shape.wild())),
            None => ControlFlow::Continue(()),
        };
        // For a single shape the filter costs as much as the search that it could save.
        if let [] | [_] = &depth.shapes[..] {
            return depth.shapes.iter().try_for_each(look);
        }
        let mut likely = depth.filter.likely(prefix, scan);
        while likely != 0 {
            look(&depth.shapes[likely.trailing_zeros() as usize])?;
            likely &= likely - 1; // clears the lowest bit that is set
        }
        // The shapes that have no bit in the filter come after all that have one, so the order is kept.
        depth.shapes.iter().skip(KNOWN).try_for_each(look)
    }

    /// Adds a pattern with wildcards, and returns its leaf: `leaf` if the pattern is new.
    fn add_wild(&mut self, template: &Template, leaf: u32) -> u32 {
        let wild = Shape::of(template);
        let Depth { shapes, filter, .. } = self.depth(wild.len());
        // The list is kept in the order of search. A new shape moves the later ones up by one in the list and in the
        // filter alike, so bit `n` is always the shape at place `n`.
        let place = shapes.binary_search_by(|shape| shape.wild().cmp(&wild)).unwrap_or_else(|place| {
            filter.insert(place, &wild);
            shapes.insert(place, Shape::new(wild));
            place
        });
        filter.note(place, template);
        shapes[place].add(template, leaf)
    }

    fn literal(&self, path: &str) -> Option<u32> {
        if self.lengths & length_bit(path) == 0 { None } else { self.literals.get(path).copied() }
    }

    /// Adds a path without wildcards, and returns its leaf: `leaf` if the path is new.
    fn add_literal(&mut self, segments: usize, path: Box<str>, leaf: u32) -> u32 {
        self.depth(segments).has_literals = true;
        self.lengths |= length_bit(&path);
        *self.literals.entry(path).or_insert(leaf)
    }

    fn depth(&mut self, segments: usize) -> &mut Depth {
        while self.depths.len() <= segments {
            self.depths.push(Depth::new(self.depths.len()));
        }
        &mut self.depths[segments]
    }
}

impl Depth {
    fn new(segments: usize) -> Self {
        Self { has_literals: false, shapes: Vec::new(), filter: ShapeFilter::new(segments) }
    }

    fn is_empty(&self) -> bool {
        !self.has_literals && self.shapes.is_empty()
    }
}

fn length_bit(path: &str) -> u64 {
    1 << (path.len() % 64)
}
