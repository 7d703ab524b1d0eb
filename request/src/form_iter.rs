//! The iterators over the pairs of a form.

use std::{fmt, iter::FusedIterator, slice, vec};

/// An iterator over the borrowed pairs of a form, in order. Made by [`Form::iter`](crate::Form::iter).
#[derive(Clone)]
pub struct FormIter<'a> {
    text: &'a str,
    ends: slice::Iter<'a, (usize, usize)>,
    start: usize,
}

impl<'a> FormIter<'a> {
    /// `ends` has the offsets in `text` where the name and the value of each pair end.
    pub(super) fn new(text: &'a str, ends: &'a [(usize, usize)]) -> Self {
        Self { text, ends: ends.iter(), start: 0 }
    }
}

impl<'a> Iterator for FormIter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let &(name, value) = self.ends.next()?;
        let start = std::mem::replace(&mut self.start, value);
        Some((&self.text[start..name], &self.text[name..value]))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ends.size_hint()
    }
}

impl ExactSizeIterator for FormIter<'_> {}
impl FusedIterator for FormIter<'_> {}

/// An iterator over the owned pairs of a form, in order. Made by its `into_iter`.
#[derive(Clone)]
pub struct FormIntoIter {
    text: String,
    ends: vec::IntoIter<(usize, usize)>,
    start: usize,
}

impl FormIntoIter {
    pub(super) fn new(text: String, ends: Vec<(usize, usize)>) -> Self {
        Self { text, ends: ends.into_iter(), start: 0 }
    }
}

impl Iterator for FormIntoIter {
    type Item = (String, String);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.ends.next()?;
        let start = std::mem::replace(&mut self.start, value);
        Some((self.text[start..name].to_owned(), self.text[name..value].to_owned()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ends.size_hint()
    }
}

impl ExactSizeIterator for FormIntoIter {}
impl FusedIterator for FormIntoIter {}

/// An iterator over the values of one name in a form, in order. Made by [`Form::all`](crate::Form::all).
#[derive(Clone)]
pub struct FormValues<'a, 'n> {
    pairs: FormIter<'a>,
    name: &'n str,
}

impl<'a, 'n> FormValues<'a, 'n> {
    pub(super) fn new(pairs: FormIter<'a>, name: &'n str) -> Self {
        Self { pairs, name }
    }
}

impl<'a> Iterator for FormValues<'a, '_> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.pairs.find(|(name, _)| *name == self.name).map(|(_, value)| value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.pairs.len()))
    }
}

impl FusedIterator for FormValues<'_, '_> {}

/// Shows how many pairs are left, but neither names nor values: they may be secret.
impl fmt::Debug for FormIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormIter").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for FormIntoIter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormIntoIter").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for FormValues<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormValues").field("name", &self.name).finish_non_exhaustive()
    }
}
