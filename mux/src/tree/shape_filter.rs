//! A filter of shapes: which shapes can match a path, by a small hash of each segment.
//!
//! The path `/repos/a/b/issues` need not be searched in shapes that only have `/users/…` and `/orgs/…`. The filter has
//! one bit for each shape, by position and by the hash ("look") of the segment there, and so answers for all shapes at
//! once.
//!
//! The filter may keep a shape that does not match, which costs a search. It never drops one that does: a wildcard sets
//! the bit for every look, and equal segments have equal looks. The bits are in the order in which shapes are searched,
//! so the lowest bit that is set is the next shape to search.

use crate::{
    clean::Scan,
    pattern::{Segment, Template},
};

/// The looks of the segments of some shapes. A shape is identified by its place in the order of search.
#[derive(Clone)]
pub(crate) struct ShapeFilter {
    segments: usize,
    /// By position and by look: the shapes with a wildcard or with such a literal there. Empty without shapes.
    shapes: Vec<[u64; LOOKS]>,
}

impl ShapeFilter {
    /// A filter for shapes with this number of segments.
    pub(crate) fn new(segments: usize) -> Self {
        Self { segments, shapes: Vec::new() }
    }

    /// Inserts a shape with these wildcards at `place`, before the shapes at that place and later.
    pub(crate) fn insert(&mut self, place: usize, wild: &[bool]) {
        let Some(bit) = bit(place) else { return };
        self.shapes.resize(self.segments, [0; LOOKS]);
        for (looks, wild) in self.shapes.iter_mut().zip(wild) {
            for shapes in looks {
                // Shapes at `place` and later move up by one, as they do in the list. One that moves beyond the last
                // bit leaves the filter, and is searched for every path.
                let before = *shapes & (bit - 1);
                let after = *shapes & !(bit - 1);
                *shapes = before | (after << 1) | if *wild { bit } else { 0 };
            }
        }
    }

    /// Adds the literals of a pattern to its shape.
    pub(crate) fn note(&mut self, place: usize, template: &Template) {
        let Some(bit) = bit(place) else { return };
        for (looks, segment) in self.shapes.iter_mut().zip(&template.segments) {
            if let Segment::Literal(literal) = segment {
                looks[look(literal.as_bytes())] |= bit;
            }
        }
    }

    /// The shapes that can match this path, one bit for each of the first [`KNOWN`].
    pub(crate) fn likely(&self, path: &str, scan: &Scan) -> u64 {
        let mut shapes = u64::MAX;
        for (n, looks) in self.shapes.iter().enumerate() {
            shapes &= looks[look(scan.segment(path, n))];
            // One shape or none is left: more looks could only save the search of that one, and cost as much.
            if shapes & shapes.wrapping_sub(1) == 0 {
                break;
            }
        }
        shapes
    }
}

/// A small hash of a segment, from its length and its first and last byte.
fn look(segment: &[u8]) -> usize {
    let [Some(first), Some(last)] = [segment.first(), segment.last()] else { return 0 };
    (segment.len() * 17 + usize::from(*first) * 5 + usize::from(*last)) % LOOKS
}

/// The bit of a shape; `None` for the shapes beyond [`KNOWN`].
fn bit(place: usize) -> Option<u64> {
    (place < KNOWN).then(|| 1 << place)
}

/// The number of shapes of one length that have a bit.
pub(crate) const KNOWN: usize = 64;
/// The number of different looks.
const LOOKS: usize = 64;
