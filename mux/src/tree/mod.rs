//! Where routes are found: by path, in an order in which the first answer is the right one.
//!
//! The patterns of one host are kept by *shape*: how many segments, which of them are wild, and what comes after the
//! last. For one path
//!
//! 1. patterns of a fixed length come before those with a rest, and deeper rests before shallower ones;
//! 2. within one length, a shape that is literal where another is wild comes first, from the left;
//! 3. within one shape, at most one path pattern matches at all, because all are literal in the same places.
//!
//! Registered patterns that match one request are nested (anything else was refused as a conflict), so the first
//! pattern in this order whose method fits is the smallest set and wins. And because all patterns of one matchit
//! tree are wild in the same places, no node has both a literal and a wildcard to choose from: matchit's greedy walk
//! never turns back, and so never needs the memory in which it would remember where.

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
