//! A pattern as a request remembers it.

/// A pattern that requests are matched with, as a request remembers it: the text and the names of its wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchedPattern {
    /// The pattern as it was written.
    pub pattern: Box<str>,
    /// The names of its wildcards, in order.
    pub names: Box<[Box<str>]>,
}
