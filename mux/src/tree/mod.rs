//! The index of the patterns of one host: it finds the matching patterns of a path, the most specific first.
//!
//! The patterns are grouped by *shape*: the number of segments, which of them are wildcards, and what follows the last
//! segment. For one path
//!
//! 1. patterns of a fixed length come before those with a rest, and deeper rests before shallower ones;
//! 2. within one length, a shape with a literal where another has a wildcard comes first, compared from the left;
//! 3. within one shape, at most one path pattern matches, because all have their literals in the same places.
//!
//! Of two registered patterns that match one request, one contains the other: any other two were refused as a conflict.
//! So the first pattern in this order whose method matches is the smallest set, and wins.
//!
//! All patterns of one matchit tree have their wildcards in the same places, so no node has both a literal and a
//! wildcard as children. matchit's greedy walk therefore never turns back, and never allocates the list of places to
//! turn back to.

mod hash;
mod index;
mod leaf;
mod registry;
mod shape;
mod shape_filter;

pub(crate) use self::{
    hash::Map,
    index::{Hit, Index},
    leaf::{Methods, Wanted},
    registry::Registry,
};
