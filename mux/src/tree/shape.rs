//! The patterns that are wild in the same places, in a chain of matchit trees.

use crate::{
    clean::Scan,
    pattern::{Segment, Template},
};

/// All path patterns of one length that have their wildcards in the same positions.
///
/// matchit keeps up to three parameters without allocating and panics beyond 25, so a path with more than three
/// wildcards is cut after every third: the first tree answers with the number of the tree for what follows. Where
/// to cut depends on the shape alone.
#[derive(Clone)]
pub(crate) struct Shape {
    wild: Box<[bool]>,
    /// Up to which segment each tree of the chain reads; the last one reads to the end.
    cuts: Box<[usize]>,
    trees: Vec<matchit::Router<u32>>,
}

impl Shape {
    /// The places of the wildcards of a pattern. Shapes are ordered by them, literal before wild, from the left.
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

    /// The leaf whose pattern matches `path`, which has as many segments as this shape; `scan` tells where they are.
    pub(crate) fn find(&self, path: &str, scan: &Scan) -> Option<u32> {
        let mut number = 0;
        let mut from = 0;
        for &cut in &self.cuts {
            let to = if cut == self.wild.len() { path.len() } else { scan.slash(path, cut) };
            number = *self.trees[number as usize].at(&path[from..to]).ok()?.value;
            from = to;
        }
        Some(number)
    }

    /// The leaf of this pattern; `leaf` if there was none.
    pub(crate) fn add(&mut self, template: &Template, leaf: u32) -> u32 {
        let mut number = 0;
        let mut from = 0;
        for i in 0..self.cuts.len() {
            let cut = self.cuts[i];
            let last = cut == self.wild.len();
            // All patterns here are wild in the same places, so any value finds the pattern that has these literals.
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

/// Writes segments out, each with its slash.
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

/// How many parameters matchit keeps without allocating.
const PARAMS: usize = 3;
