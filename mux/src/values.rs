//! The values of a pattern's wildcards in a path.

use std::borrow::Cow;

use crate::{
    clean::{Scan, to_u32},
    escape::decode,
    pattern::{Pattern, Segment},
};

/// The values of the wildcards in a matched path. They borrow the path, and are decoded when they are read.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    pattern: Option<&'a Pattern>,
    path: &'a str,
    spans: Vec<(u32, u32)>,
}

impl<'a> Values<'a> {
    pub(crate) fn new(pattern: Option<&'a Pattern>, path: &'a str, spans: Vec<(u32, u32)>) -> Self {
        Self { pattern, path, spans }
    }

    /// The values of a pattern in a path that the pattern matches.
    pub(crate) fn of(pattern: &'a Pattern, path: &'a str) -> Self {
        let mut spans = Vec::new();
        // The path of a tunnel (`CONNECT` without a path): every wildcard is empty.
        if path.is_empty() {
            spans.resize(pattern.names().len(), (0, 0));
            return Self::new(Some(pattern), path, spans);
        }
        let wild: Vec<bool> = pattern.template().segments.iter().map(|segment| *segment == Segment::Wild).collect();
        locate(&wild, pattern.named_rest(), path, &Scan::new(path), &mut spans);
        Self::new(Some(pattern), path, spans)
    }

    /// The decoded value of the wildcard of this name. Go: `Request.PathValue`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The names and the decoded values, in the order of the pattern.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        let names = self.pattern.map_or(&[][..], |pattern| &pattern.names()[..]);
        let values = self.spans.iter().map(|&(at, len)| decode(&self.path[at as usize..][..len as usize]));
        names.iter().map(|name| &**name).zip(values)
    }

    /// The number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether the pattern has no wildcard, or nothing matched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
}

/// Appends the offset and the length in `path` of each value, in bytes. `wild` tells which segments are wildcards;
/// `rest` is the number of segments before a rest that has a name.
pub(crate) fn locate(wild: &[bool], rest: Option<u32>, path: &str, scan: &Scan, spans: &mut Vec<(u32, u32)>) {
    for (position, wild) in wild.iter().enumerate() {
        if *wild {
            let (from, to) = scan.span(path, position);
            spans.push((from, to - from));
        }
    }
    if let Some(segments) = rest {
        let (from, _) = scan.span(path, segments as usize);
        spans.push((from, to_u32(path.len()) - from));
    }
}
