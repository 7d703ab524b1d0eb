//! Range requests: which bytes a client asks for, and the framing of a reply with several ranges (RFC 9110 §14).

mod byte_range;
mod byteranges;
mod range_not_satisfiable;
mod ranges;
#[cfg(test)]
mod ranges_tests;

pub use byte_range::ByteRange;
pub use byteranges::{Byteranges, ByterangesParts};
pub use range_not_satisfiable::RangeNotSatisfiable;
pub use ranges::Ranges;
