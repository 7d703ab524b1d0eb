//! The layout of a request target: its form and where its parts are.

use super::{authority::Authority, target_error::TargetError, target_form::TargetForm};
use crate::{Span, byte};

/// The form and the spans of a target's parts, counted from its first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) form: TargetForm,
    pub(crate) authority: Span,
    pub(crate) path: Span,
    pub(crate) query: Option<Span>,
}

impl Layout {
    /// Reads a target. A byte outside [`byte::TARGET`] is an error, but the error is not always at that byte.
    #[inline]
    pub(crate) fn read(method: &[u8], target: &[u8]) -> Result<Self, TargetError> {
        let connect = method == b"CONNECT";
        match target {
            [b'/', ..] if !connect => {
                let (path, query) = path_and_query(target, 0)?;
                Ok(Self { form: TargetForm::Origin, authority: Span::default(), path, query })
            }
            _ if connect => Self::read_authority(target),
            b"*" if method == b"OPTIONS" => {
                let path = Span::new(0, 1);
                Ok(Self { form: TargetForm::Asterisk, authority: Span::default(), path, query: None })
            }
            _ => Self::read_absolute(target),
        }
    }

    #[cold]
    fn read_authority(target: &[u8]) -> Result<Self, TargetError> {
        let authority = Span::new(0, target.len());
        match Authority::read(target) {
            Some(Authority { host: [_, ..], port: Some(_) }) => {
                Ok(Self { form: TargetForm::Authority, authority, path: Span::default(), query: None })
            }
            _ if target.starts_with(b"/") => Err(TargetError::Form { at: 0 }),
            _ => Err(TargetError::Authority { at: 0 }),
        }
    }

    #[cold]
    fn read_absolute(target: &[u8]) -> Result<Self, TargetError> {
        let scheme = target.iter().position(|&byte| byte == b':').unwrap_or(0);
        let known = matches!(&target[..scheme], scheme if default_port(scheme).is_some());
        if !known || !target[scheme..].starts_with(b"://") {
            return Err(TargetError::Form { at: 0 });
        }
        let start = scheme + 3;
        let rest = &target[start..];
        let end = start + rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
        match Authority::read(&target[start..end]) {
            Some(Authority { host: [_, ..], .. }) => {}
            _ => return Err(TargetError::Authority { at: Span::offset(start) }),
        }
        let (path, query) = path_and_query(target, end)?;
        Ok(Self { form: TargetForm::Absolute, authority: Span::new(start, end - start), path, query })
    }
}

/// The default port of a scheme. `None` for a scheme other than `http` and `https`.
pub(crate) fn default_port(scheme: &[u8]) -> Option<u16> {
    match scheme {
        scheme if scheme.eq_ignore_ascii_case(b"http") => Some(80),
        scheme if scheme.eq_ignore_ascii_case(b"https") => Some(443),
        _ => None,
    }
}

/// The spans of the path from `start` on and of the query after it.
#[inline(always)]
fn path_and_query(target: &[u8], start: usize) -> Result<(Span, Option<Span>), TargetError> {
    // One pass finds out both whether every byte stands for itself, as in the usual target, and whether a `?` is there.
    let common = byte::common(&target[start..]);
    if common & byte::PATH != 0 {
        return Ok((Span::new(start, target.len() - start), None));
    }
    if common & byte::PLAIN != 0 {
        let path = byte::find(b'?', &target[start..]).unwrap_or(target.len() - start);
        let query = start + path + 1;
        return Ok((Span::new(start, path), Some(Span::new(query, target.len() - query))));
    }
    escaped_path_and_query(target, start)
}

/// The same byte by byte, for a path with escapes.
#[inline(never)]
fn escaped_path_and_query(target: &[u8], start: usize) -> Result<(Span, Option<Span>), TargetError> {
    let end = run(target, start, byte::PATH)?;
    let path = Span::new(start, end - start);
    match target.get(end) {
        None => Ok((path, None)),
        // A query decides neither the length of the request nor its route. So a stray `%` in it is left to the form
        // reader, and every byte of a target is accepted.
        Some(b'?') => match target[end..].iter().position(|&byte| !byte::is(byte, byte::TARGET)) {
            None => Ok((path, Some(Span::new(end + 1, target.len() - end - 1)))),
            Some(wrong) => Err(TargetError::Byte { at: Span::offset(end + wrong) }),
        },
        Some(_) => Err(TargetError::Byte { at: Span::offset(end) }),
    }
}

/// The end of the run of bytes of `class` and escapes that starts at `at`.
fn run(target: &[u8], mut at: usize, class: u8) -> Result<usize, TargetError> {
    loop {
        match target.get(at) {
            Some(&byte) if byte::is(byte, class) => at += 1,
            Some(b'%') => match target.get(at + 1..at + 3) {
                Some([high, low]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => at += 3,
                _ => return Err(TargetError::Escape { at: Span::offset(at) }),
            },
            _ => return Ok(at),
        }
    }
}
