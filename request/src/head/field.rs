//! The reader of one field line, `name ":" OWS value OWS CRLF`, in a head or in a trailer section.

use std::ops::Range;

use crate::byte;

/// A field line at the start of some bytes: where its name ends, where its value is, and its length with CRLF.
pub(crate) struct Line {
    pub(crate) name: usize,
    pub(crate) value: Range<usize>,
    pub(crate) len: usize,
}

/// The reason for refusing a field line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Fold,
    Name,
    SpaceBeforeColon,
    Value,
    BareLf,
    BareCr,
    TooLong,
}

/// Reads one field line at the start of `bytes`, which must not be the empty line that ends a section.
///
/// `Ok(None)`: more bytes are needed. The fault returned is the first one in the order of bytes, so a longer input has
/// the same fault.
///
/// # Spec
/// RFC 9112 §5, RFC 9110 §5.1 and §5.5.
pub(crate) fn read(bytes: &[u8], limit: usize) -> Result<Option<Line>, (Fault, usize)> {
    if let Some(b' ' | b'\t') = bytes.first() {
        return Err((Fault::Fold, 0));
    }
    let mut name = None;
    for (at, &byte) in bytes.iter().enumerate() {
        match (byte, name) {
            (b'\n', _) => return Err((Fault::BareLf, at)),
            (b'\r', Some(name)) => {
                return match bytes.get(at + 1) {
                    Some(b'\n') => Ok(Some(Line { name, value: trimmed(bytes, name + 1, at), len: at + 2 })),
                    Some(_) => Err((Fault::BareCr, at)),
                    None => Ok(None),
                };
            }
            _ if at >= limit => return Err((Fault::TooLong, at)),
            (b':', None) if at > 0 => name = Some(at),
            (b' ' | b'\t', None) => return Err((Fault::SpaceBeforeColon, at)),
            (_, None) if !byte::is(byte, byte::TOKEN) => return Err((Fault::Name, at)),
            (_, Some(_)) if !byte::is(byte, byte::VALUE) => return Err((Fault::Value, at)),
            _ => {}
        }
    }
    Ok(None)
}

/// The range `start..end` without the whitespace at both ends. An empty value is the empty range at `end`.
fn trimmed(bytes: &[u8], start: usize, end: usize) -> Range<usize> {
    let blank = |at: &usize| matches!(bytes[*at], b' ' | b'\t');
    let start = (start..end).find(|at| !blank(at)).unwrap_or(end);
    let end = (start..end).rev().find(|at| !blank(at)).map_or(start, |last| last + 1);
    start..end
}
