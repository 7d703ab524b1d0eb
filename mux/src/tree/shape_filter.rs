//! A filter of shapes: which of many may match a path, by what its segments look like.
//!
//! A path of `/repos/a/b/issues` need not be tried against shapes that only hold `/users/…` and `/orgs/…`. One bit
//! for each shape, by position and by what a segment looks like, says so for all shapes at once.
//!
//! It may say "likely" of a shape that does not match, and then the shape is tried in vain. It never says "unlikely"
//! of one that does: a wildcard sets the bit for every look, and equal segments look alike. The bits are in the order
//! in which shapes are tried, so the lowest set bit is the next one to try.

use crate::{
    clean::Scan,
    pattern::{Segment, Template},
};

/// What the segments of some shapes look like. Shapes are known by their place in an order.
#[derive(Clone)]
pub(crate) struct ShapeFilter {
    segments: usize,
    /// By position, by look: the shapes that have a wildcard or such a literal there. Empty without shapes.
    shapes: Vec<[u64; LOOKS]>,
}

impl ShapeFilter {
    /// Of shapes with so many segments.
    pub(crate) fn new(segments: usize) -> Self {
        Self { segments, shapes: Vec::new() }
    }

    /// Makes place for a shape with these wildcards before all that are at `place` or later.
    pub(crate) fn insert(&mut self, place: usize, wild: &[bool]) {
        let Some(bit) = bit(place) else { return };
        self.shapes.resize(self.segments, [0; LOOKS]);
        for (looks, wild) in self.shapes.iter_mut().zip(wild) {
            for shapes in looks {
                // Shapes at `place` and later move up by one, as they do in the list; beyond the last known they fall
                // out, and are tried without being asked about.
                let before = *shapes & (bit - 1);
                let after = *shapes & !(bit - 1);
                *shapes = before | (after << 1) | if *wild { bit } else { 0 };
            }
        }
    }

    /// Notes the literals of a pattern of a shape.
    pub(crate) fn note(&mut self, place: usize, template: &Template) {
        let Some(bit) = bit(place) else { return };
        for (looks, segment) in self.shapes.iter_mut().zip(&template.segments) {
            if let Segment::Literal(literal) = segment {
                looks[look(literal.as_bytes())] |= bit;
            }
        }
    }

    /// The first shapes that may match this path, one bit each; looks no further when one or none is left.
    pub(crate) fn likely(&self, path: &str, scan: &Scan) -> u64 {
        let mut shapes = u64::MAX;
        for (n, looks) in self.shapes.iter().enumerate() {
            shapes &= looks[look(scan.segment(path, n))];
            // None or one is left: further looks could only save the try of that one, and cost as much.
            if shapes & shapes.wrapping_sub(1) == 0 {
                break;
            }
        }
        shapes
    }
}

/// A number that equal segments share and different ones mostly do not, from the length and both ends.
fn look(segment: &[u8]) -> usize {
    let [Some(first), Some(last)] = [segment.first(), segment.last()] else { return 0 };
    (segment.len() * 17 + usize::from(*first) * 5 + usize::from(*last)) % LOOKS
}

/// The bit of a shape; those beyond [`KNOWN`] have none.
fn bit(place: usize) -> Option<u64> {
    (place < KNOWN).then(|| 1 << place)
}

/// How many shapes of one length are told apart.
pub(crate) const KNOWN: usize = 64;
const LOOKS: usize = 64;
