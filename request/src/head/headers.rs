//! Iterators over the fields of a head.

use std::{iter::FusedIterator, slice};

use super::index::Field;

/// An iterator over the fields of a head in order of arrival: each name as it was sent, and its value. Made by
/// [`HeadRef::headers`](crate::HeadRef::headers).
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    head: &'a [u8],
    fields: slice::Iter<'a, Field>,
}

impl<'a> Headers<'a> {
    pub(super) fn new(head: &'a [u8], fields: &'a [Field]) -> Self {
        Self { head, fields: fields.iter() }
    }

    fn pair(&self, field: &Field) -> (&'a str, &'a [u8]) {
        (std::str::from_utf8(field.name.of(self.head)).unwrap_or_default(), field.value.of(self.head))
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.fields.next().map(|field| self.pair(field))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.fields.size_hint()
    }
}

impl DoubleEndedIterator for Headers<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.fields.next_back().map(|field| self.pair(field))
    }
}

impl ExactSizeIterator for Headers<'_> {}
impl FusedIterator for Headers<'_> {}

/// An iterator over the values of the fields with one name, in order of arrival. Made by
/// [`HeadRef::headers_named`](crate::HeadRef::headers_named).
#[derive(Clone, Debug)]
pub struct HeadersNamed<'a, 'n> {
    head: &'a [u8],
    fields: slice::Iter<'a, Field>,
    name: &'n str,
}

impl<'a, 'n> HeadersNamed<'a, 'n> {
    pub(super) fn new(head: &'a [u8], fields: &'a [Field], name: &'n str) -> Self {
        Self { head, fields: fields.iter(), name }
    }
}

impl<'a> Iterator for HeadersNamed<'a, '_> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.fields.find(|field| field.is_named(self.head, self.name)).map(|field| field.value.of(self.head))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.fields.len()))
    }
}

impl FusedIterator for HeadersNamed<'_, '_> {}
