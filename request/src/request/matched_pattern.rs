//! A pattern that requests are matched with.

/// A pattern that requests are matched with: its text and the names of its wildcards. A router makes one for each
/// pattern, and its requests share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchedPattern {
    /// The pattern as it was written.
    pub pattern: Box<str>,
    /// The names of its wildcards, in order.
    pub names: Box<[Box<str>]>,
}
