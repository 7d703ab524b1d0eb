//! The patterns of one shape (wildcards in the same places), in a chain of matchit trees.

use crate::{
    clean::Scan,
    pattern::{Segment, Template},
};

/// All path patterns with the same number of segments and the wildcards in the same positions.
///
/// matchit keeps up to three parameters without allocating, and panics beyond 25. So a path is cut after every third
/// wildcard: the value in one tree is the number of the tree for the next part of the path. The places of the cuts
/// depend on the shape alone.
#[derive(Clone)]
pub(crate) struct Shape {
    wild: Box<[bool]>,
    /// The number of the segment at which each tree of the chain ends; the last tree ends with the path.
    cuts: Box<[usize]>,
    trees: Vec<matchit::Router<u32>>,
}

impl Shape {
    /// Which segments of a pattern are wildcards. Shapes are ordered by this, literal before wildcard, from the left.
    pub(crate) fn of(template: &Template) -> Box<[bool]> {
        template.segments.iter().map(|segment| *segment == Segment::Wild).collect()
    }

    pub(crate) fn new(wild: Box<[bool]>) -> Self {
        let after_third = |(nth, (at, _)): (usize, (usize, &bool))| (nth % PARAMS == PARAMS - 1).then_some(at + 1);
        let mut cuts: Vec<usize> =
            wild.iter().enumerate().filter(|(_, wild)| **wild).enumerate().filter_map(after_third).collect();
        if cuts.last() != Some(&wild.len()) {
            cuts.push(wild.len());
        }
        Self { wild, cuts: cuts.into(), trees: vec![matchit::Router::new()] }
    }

    pub(crate) fn wild(&self) -> &[bool] {
        &self.wild
    }

    /// The leaf of the pattern that matches `path`, which has as many segments as this shape.
    pub(crate) fn find(&self, path: &str, scan: &Scan) -> Option<u32> {
        let mut number = 0;
        let mut from = 0;
        for &cut in &self.cuts {
            // A cut is made before the slash of a segment, so each part of the path begins with a slash.
            let to = if cut == self.wild.len() { path.len() } else { scan.slash(path, cut) };
            number = *self.trees[number as usize].at(&path[from..to]).ok()?.value;
            from = to;
        }
        Some(number)
    }

    /// Adds a pattern, and returns its leaf: `leaf` if the pattern is new.
    pub(crate) fn add(&mut self, template: &Template, leaf: u32) -> u32 {
        let mut number = 0;
        let mut from = 0;
        for i in 0..self.cuts.len() {
            let cut = self.cuts[i];
            let last = cut == self.wild.len();
            // All patterns of this shape have their wildcards in the same places, so a lookup with any values finds the
            // pattern that has the same literals.
            let [sample, route] = ["x", "{x}"].map(|wild| spell(&template.segments[from..cut], wild));
            let known = self.trees[number as usize].at(&sample).ok().map(|found| *found.value);
            number = known.unwrap_or_else(|| {
                let next = if last { leaf } else { self.add_tree() };
                let inserted = self.trees[number as usize].insert(route, next);
                inserted.expect("patterns that are wild in the same places and differ in a literal");
                next
            });
            from = cut;
        }
        number
    }

    fn add_tree(&mut self) -> u32 {
        self.trees.push(matchit::Router::new());
        u32::try_from(self.trees.len() - 1).expect("fewer than 2^32 routes")
    }
}

/// Writes segments as text, each with a slash before it, and `wild` in place of a wildcard.
pub(crate) fn spell(segments: &[Segment], wild: &str) -> String {
    let mut out = String::new();
    for segment in segments {
        out.push('/');
        out.push_str(match segment {
            Segment::Literal(literal) => literal,
            Segment::Wild => wild,
        });
    }
    out
}

/// The number of parameters that matchit keeps without allocating.
const PARAMS: usize = 3;
