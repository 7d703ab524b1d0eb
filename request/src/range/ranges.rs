//! The ranges of a `Range` field: which bytes of a representation are sent.
//!
//! | value, size | RFC 9110 §14.1, §14.2 | Go | Quintet |
//! |---|---|---|---|
//! | `bytes=0-4`, 11 | 206, bytes 0-4 | 206 | 206 |
//! | `Bytes=0-4`, 11 | a unit has any case | 416 | 206 |
//! | `bytes=2-`, `bytes=5-1000`, 11 | up to the end | 206 | 206 |
//! | `bytes=5-99999999999999999999`, 11 | up to the end | 416 | 206 |
//! | `bytes=-5`, `bytes=-1000`, 11 | the last 5; all | 206 | 206 |
//! | `bytes=-0`, 11 | unsatisfiable: 416 | 206 with `Content-Range: bytes 11-10/11` | 416 |
//! | `bytes=11-`, `bytes=11-12,99-`, 11 | unsatisfiable: 416 | 416 | 416 |
//! | `bytes=15-,0-5`, 10 | the satisfiable ones | 206, bytes 0-5 | 206, bytes 0-5 |
//! | `bytes=0-`, `bytes=-1`, `bytes=5-`, 0 | 416, or 206 without a byte | 200 | 200 |
//! | `bytes=5-4`, `bytes=0-2,5-4` | invalid: MAY ignore | 416 | 200 |
//! | `bytes=`, `bytes=7`, `bytes=A-Z`, `bytes=--6`, `bytes=0x1-2`, `bytes=+1-2` | ″ | 416; 200 for the first | 200 |
//! | `bytes=1 -2`, `bytes=4- 5` | ″ | 206 | 200 |
//! | `bytes=0-0 , 2-2`, `bytes= ,0-0,,` | spaces and empty elements around commas | 206 | 206 |
//! | `lines=1-2`, `foo`, *empty* | an unknown unit MUST be ignored | 416; 200 for the last | 200 |
//! | `bytes=0-0,-2`, 11 | multipart, in the order asked for | multipart | multipart |
//! | `bytes=500-600,601-999`, 10000 | MAY be joined | two parts | bytes 500-999 |
//! | `bytes=500-700,601-999`, 10000 | MAY be joined | two parts | bytes 500-999 |
//! | `bytes=0-,1-,2-,3-,4-`, 11 | many overlapping: MAY ignore | 200 | 200 |
//! | 201 ranges | many small: MAY ignore | 200 | 200 |
//!
//! A field that is ignored costs the client a reply of the whole content, which it must be able to read: a server need
//! not know ranges at all. 416 says less: clients take it for *the file is shorter than what I have*, and some then
//! delete what they have. So it is the answer only to ranges that are well-formed and not there.
//!
//! Ranges that overlap or adjoin are joined, so that no byte is sent twice and what is held for a reply stays small. A gap
//! between two ranges is never filled: a client gets no byte that it did not ask for.

use super::{byte_range::ByteRange, range_not_satisfiable::RangeNotSatisfiable};
use crate::byte;

/// The ranges that a request asks for: between 1 and [`MAX_RANGES`](Self::MAX_RANGES), none empty, none overlapping or
/// adjoining another, all within the representation; in the order of the request, a joined one where its first part
/// stood (RFC 9110 §15.3.7.2).
///
/// ```
/// use quintet_request::{ByteRange, Ranges};
///
/// let ranges = Ranges::parse(b"bytes=0-4,-2", 11).unwrap().unwrap();
/// assert_eq!(
///     ranges.as_slice(),
///     [ByteRange { start: 0, length: 5 }, ByteRange { start: 9, length: 2 }],
/// );
/// // A field that cannot be read is ignored: the reply is 200 with everything.
/// assert_eq!(Ranges::parse(b"bytes=4-0", 11), Ok(None));
/// // What is not there is 416.
/// assert_eq!(Ranges::parse(b"bytes=11-", 11).unwrap_err().content_range(), "bytes */11");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges(List);

/// Most requests have one range, which needs no allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
enum List {
    One(ByteRange),
    Many(Box<[ByteRange]>),
}

/// What one element of the list asks for.
enum Spec {
    /// From an offset up to and with another: `0-4`, `2-`.
    From(u64, u64),
    /// The last bytes: `-5`.
    Last(u64),
}

impl Ranges {
    /// The most ranges of a request; a field with more is ignored. Go: `httpservecontentmaxranges`, since 1.27.2
    /// (CVE-2026-78667).
    pub const MAX_RANGES: usize = 200;

    /// Reads the value of `Range` for a representation of `size` bytes. `Ok(None)`: the field is ignored, and the reply is
    /// 200 with the whole content. That is so if the field is malformed, has another unit than bytes, more than
    /// [`MAX_RANGES`](Self::MAX_RANGES) ranges, or ranges that together have more bytes than the content, and if the
    /// content is empty.
    ///
    /// Shape: `bytes=` and a list of `first-last`, `first-` and `-length`, offsets and length in decimal digits.
    ///
    /// # Errors
    /// [`RangeNotSatisfiable`] (416) if no range has a byte of the content.
    ///
    /// # Spec
    /// RFC 9110 §14.1.2, §14.2. Go: `parseRange` (fs.go:1023) with `sumRangesSize` and `ServeContent`. The table in
    /// `src/range/ranges.rs` has the differences.
    pub fn parse(value: &[u8], size: u64) -> Result<Option<Self>, RangeNotSatisfiable> {
        if size == 0 {
            // Some clients ask for a range of everything, to limit what they get (Go: `serveContent`).
            return Ok(None);
        }
        let Some((count, ranges)) = read(value, size) else { return Ok(None) };
        match ranges[..] {
            _ if count == 0 || count > Self::MAX_RANGES => Ok(None),
            [] => Err(RangeNotSatisfiable { size }),
            [one] => Ok(Some(Self(List::One(one)))),
            // Each is at most `size` long and there are at most 200, but `size` may be near the end of the numbers.
            _ if ranges.iter().map(|range| u128::from(range.length)).sum::<u128>() > size.into() => Ok(None),
            _ => Ok(Some(Self::join(&ranges))),
        }
    }

    /// The ranges, at least one. With one the reply is that range; with more it is `multipart/byteranges`.
    pub fn as_slice(&self) -> &[ByteRange] {
        match &self.0 {
            List::One(one) => std::slice::from_ref(one),
            List::Many(many) => many,
        }
    }

    /// The bytes of all ranges together; at most the size of the representation.
    pub fn size(&self) -> u64 {
        self.as_slice().iter().map(|range| range.length).sum()
    }

    /// Joins ranges that overlap or adjoin, and puts each where its first part stood.
    fn join(ranges: &[ByteRange]) -> Self {
        let mut sorted: Vec<(usize, ByteRange)> = ranges.iter().copied().enumerate().collect();
        sorted.sort_unstable_by_key(|(at, range)| (range.start, *at));
        let mut joined: Vec<(usize, ByteRange)> = Vec::new();
        for (at, range) in sorted {
            match joined.last_mut() {
                Some((first, last)) if range.start <= last.end() => {
                    *first = at.min(*first);
                    last.length = range.end().max(last.end()) - last.start;
                }
                _ => joined.push((at, range)),
            }
        }
        joined.sort_unstable_by_key(|(at, _)| *at);
        match joined[..] {
            [(_, one)] => Self(List::One(one)),
            _ => Self(List::Many(joined.into_iter().map(|(_, range)| range).collect())),
        }
    }
}

/// The number of elements (it stops after one too many), and the ranges of those that have a byte of the representation.
/// `None` if the field is malformed or has another unit.
fn read(value: &[u8], size: u64) -> Option<(usize, Vec<ByteRange>)> {
    let (unit, list) = value.split_at_checked(b"bytes=".len())?;
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    let (mut count, mut ranges) = (0, Vec::new());
    for element in list.split(|&byte| byte == b',').map(byte::trim).filter(|element| !element.is_empty()) {
        count += 1;
        if count > Ranges::MAX_RANGES {
            break;
        }
        ranges.extend(read_spec(element)?.within(size));
    }
    Some((count, ranges))
}

fn read_spec(element: &[u8]) -> Option<Spec> {
    let dash = element.iter().position(|&byte| byte == b'-')?;
    match (&element[..dash], &element[dash + 1..]) {
        (b"", length) => Some(Spec::Last(number(length)?)),
        (first, b"") => Some(Spec::From(number(first)?, u64::MAX)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Spec::From(first, last))
        }
    }
}

/// One or more decimal digits; a number that is too large is as good as the largest.
fn number(digits: &[u8]) -> Option<u64> {
    let digit = |&byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    let add = |number: u64, byte| Some(number.saturating_mul(10).saturating_add(digit(byte)?));
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}

impl Spec {
    /// The part of it that a representation of `size` bytes has.
    fn within(self, size: u64) -> Option<ByteRange> {
        let (start, end) = match self {
            Self::From(first, last) => (first, last.saturating_add(1).min(size)),
            Self::Last(length) => (size.saturating_sub(length), size),
        };
        (start < end).then(|| ByteRange { start, length: end - start })
    }
}
