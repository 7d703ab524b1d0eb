//! The reference parser of heads: it reads byte by byte and applies each rule at the first byte that can break it.
//!
//! This parser decides what is accepted and which error is returned. The fast parser in [`parse`](crate::parse) only
//! accepts, and leaves every other head to this one. A longer input never has an earlier or a different error, because
//! each rule is applied at the first byte that can break it.

use super::{
    field::{self, Fault},
    index::{Field, Index},
    layout::Layout,
    semantics::Semantics,
};
use crate::{HeadError, Limits, Span, TargetError, Version, byte};

/// Reads one head at the start of `bytes`. See [`Index::parse`].
pub(crate) fn read(bytes: &[u8], limits: &Limits, index: &mut Index) -> Result<Option<usize>, HeadError> {
    index.fields.clear();
    index.len = 0;
    let Some(start) = first_line(bytes)? else { return Ok(None) };
    let Some(mut at) = request_line(bytes, start, limits, index)? else { return Ok(None) };
    let mut semantics = Semantics::default();
    loop {
        match &bytes[at..] {
            [] | [b'\r'] => return Ok(None),
            [b'\r', b'\n', ..] => break,
            [b'\r', ..] => return Err(HeadError::BareCr { at: Span::offset(at) }),
            [b'\n', ..] => return Err(HeadError::BareLf { at: Span::offset(at) }),
            _ if index.fields.len() >= limits.fields => return Err(HeadError::TooManyFields { at: Span::offset(at) }),
            line => {
                let line = field::read(line, limits.field).map_err(|(fault, i)| refuse(fault, at + i))?;
                let Some(line) = line else { return Ok(None) };
                let name = Span::new(at, line.name);
                let value = Span::new(at + line.value.start, line.value.len());
                let field = Field { name, value };
                semantics.note(bytes, field)?;
                index.fields.push(field);
                at += line.len;
            }
        }
    }
    semantics.decide(&bytes[..at + 2], index)?;
    Ok(Some(at + 2))
}

/// The offset of the request line. One empty line before it is skipped, because old clients send one after a body (RFC
/// 9112 §2.2).
fn first_line(bytes: &[u8]) -> Result<Option<usize>, HeadError> {
    match bytes {
        [] | [b'\r'] | [b'\r', b'\n'] => Ok(None),
        [b'\n', ..] => Err(HeadError::BareLf { at: 0 }),
        [b'\r', b'\n', b'\r' | b'\n', ..] => Err(HeadError::EmptyLines { at: 2 }),
        [b'\r', b'\n', ..] => Ok(Some(2)),
        [b'\r', ..] => Err(HeadError::BareCr { at: 0 }),
        _ => Ok(Some(0)),
    }
}

/// Reads `method SP target SP version CRLF` (RFC 9112 §3) with single spaces; returns the offset of the fields.
fn request_line(bytes: &[u8], start: usize, limits: &Limits, index: &mut Index) -> Result<Option<usize>, HeadError> {
    let Some(method) = method(bytes, start, limits.method)? else { return Ok(None) };
    let Some(target) = target(bytes, start + method + 1, limits.target)? else { return Ok(None) };
    index.method = Span::new(start, method);
    index.target = Span::new(start + method + 1, target);
    let at = start + method + target + 2;
    let Some(version) = version(&bytes[at..], at)? else { return Ok(None) };
    index.version = version;
    let layout = Layout::read(index.method.of(bytes), index.target.of(bytes));
    index.layout = layout.map_err(|error| HeadError::Target(error.after(index.target.start)))?;
    Ok(Some(at + b"HTTP/1.1\r\n".len()))
}

fn method(bytes: &[u8], start: usize, limit: usize) -> Result<Option<usize>, HeadError> {
    for (len, &byte) in bytes[start..].iter().enumerate() {
        let at = Span::offset(start + len);
        match byte {
            b' ' if len > 0 => return Ok(Some(len)),
            _ if !byte::is(byte, byte::TOKEN) => return Err(HeadError::Method { at }),
            _ if len >= limit => return Err(HeadError::MethodTooLong { at }),
            _ => {}
        }
    }
    Ok(None)
}

fn target(bytes: &[u8], start: usize, limit: usize) -> Result<Option<usize>, HeadError> {
    for (len, &byte) in bytes[start..].iter().enumerate() {
        let at = Span::offset(start + len);
        match byte {
            b' ' if len > 0 => return Ok(Some(len)),
            b'\r' | b'\n' if len > 0 => return Err(HeadError::Version { at }),
            _ if !byte::is(byte, byte::TARGET) => return Err(HeadError::Target(TargetError::Byte { at })),
            _ if len >= limit => return Err(HeadError::TargetTooLong { at }),
            _ => {}
        }
    }
    Ok(None)
}

/// Reads `HTTP/d.d CRLF`. The two digits are judged when both have arrived.
fn version(bytes: &[u8], at: usize) -> Result<Option<Version>, HeadError> {
    let wrong = |i: usize| HeadError::Version { at: Span::offset(at + i) };
    for (i, &byte) in bytes.iter().take(8).enumerate() {
        let fits = match i {
            5 | 7 => byte.is_ascii_digit(),
            _ => byte == b"HTTP/1.1"[i],
        };
        if !fits {
            return Err(wrong(i));
        }
    }
    let version = match bytes {
        [_, _, _, _, _, b'1', _, b'0', ..] => Version::Http10,
        [_, _, _, _, _, b'1', _, _, ..] => Version::Http11,
        [_, _, _, _, _, _, _, _, ..] => return Err(HeadError::VersionUnsupported { at: Span::offset(at) }),
        _ => return Ok(None),
    };
    match &bytes[8..] {
        [] | [b'\r'] => Ok(None),
        [b'\r', b'\n', ..] => Ok(Some(version)),
        [b'\r', ..] => Err(HeadError::BareCr { at: Span::offset(at + 8) }),
        [b'\n', ..] => Err(HeadError::BareLf { at: Span::offset(at + 8) }),
        _ => Err(wrong(8)),
    }
}

fn refuse(fault: Fault, at: usize) -> HeadError {
    let at = Span::offset(at);
    match fault {
        Fault::Fold => HeadError::Fold { at },
        Fault::Name => HeadError::FieldName { at },
        Fault::SpaceBeforeColon => HeadError::SpaceBeforeColon { at },
        Fault::Value => HeadError::FieldValue { at },
        Fault::BareLf => HeadError::BareLf { at },
        Fault::BareCr => HeadError::BareCr { at },
        Fault::TooLong => HeadError::FieldTooLong { at },
    }
}
