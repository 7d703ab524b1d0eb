//! Trailers: the fields after the last chunk of a body.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::ChunkError;
use crate::head::field;

/// The trailer section of a chunked body, read line by line.
#[derive(Debug)]
pub(crate) struct Trailers {
    map: HeaderMap,
    /// The part of the current line that has arrived.
    line: Vec<u8>,
    /// The bytes left of the limit, with the empty line.
    room: usize,
    /// The fields left of the limit.
    fields: usize,
    end: bool,
}

impl Trailers {
    pub(crate) fn new(room: usize, fields: usize) -> Self {
        const EMPTY_LINE: usize = 2;
        Self { map: HeaderMap::new(), line: Vec::new(), room: room.saturating_add(EMPTY_LINE), fields, end: false }
    }

    pub(crate) fn is_end(&self) -> bool {
        self.end
    }

    pub(crate) fn into_map(self) -> HeaderMap {
        self.map
    }

    /// Takes bytes up to the end of a line and returns how many; `at` is their offset in the body.
    pub(crate) fn take(&mut self, bytes: &[u8], at: u64) -> Result<usize, ChunkError> {
        let line_end = bytes.iter().position(|&byte| byte == b'\n').map(|last| last + 1);
        let taken = line_end.unwrap_or(bytes.len());
        if taken > self.room {
            return Err(ChunkError::TrailersTooLong { at: at + self.room as u64 });
        }
        self.room -= taken;
        self.line.extend_from_slice(&bytes[..taken]);
        if line_end.is_some() {
            self.take_line(at + taken as u64 - self.line.len() as u64)?;
            self.line.clear();
        }
        Ok(taken)
    }

    /// Reads the current line, which ends with LF and starts at the offset `at` of the body.
    fn take_line(&mut self, at: u64) -> Result<(), ChunkError> {
        if self.line == b"\r\n" {
            self.end = true;
            return Ok(());
        }
        self.fields = self.fields.checked_sub(1).ok_or(ChunkError::TooManyTrailers { at })?;
        let line = field::read(&self.line, usize::MAX).map_err(|(fault, i)| match fault {
            field::Fault::BareLf | field::Fault::BareCr => ChunkError::LineEnd { at: at + i as u64 },
            _ => ChunkError::Trailer { at: at + i as u64 },
        })?;
        let malformed = ChunkError::Trailer { at };
        let line = line.ok_or(malformed)?;
        let name = &self.line[..line.name];
        if is_forbidden(name) {
            return Ok(());
        }
        let name = HeaderName::from_bytes(name).map_err(|_| malformed)?;
        let value = HeaderValue::from_bytes(&self.line[line.value]).map_err(|_| malformed)?;
        self.map.try_append(name, value).map_err(|_| ChunkError::TooManyTrailers { at })?;
        Ok(())
    }
}

/// Whether a field must not be a trailer, because it decides something before the body is read (RFC 9110 §6.5.1). Code
/// that merges trailers into the fields of the head would otherwise let a client change fields after they were checked.
pub fn is_forbidden_trailer(name: &str) -> bool {
    is_forbidden(name.as_bytes())
}

fn is_forbidden(name: &[u8]) -> bool {
    let starts = |prefix: &[u8]| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    PREFIXES.iter().any(|prefix| starts(prefix.as_bytes()))
        || NAMES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// The start of forbidden names: type of the body, conditions, proxies and what they say about the client, browser
/// metadata.
const PREFIXES: [&str; 5] = ["content-", "if-", "proxy-", "x-forwarded-", "sec-"];

const NAMES: [&str; 34] = [
    // Framing and the connection.
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "max-forwards",
    // Routing.
    "host",
    "forwarded",
    "via",
    "x-real-ip",
    "x-http-method-override",
    "x-original-url",
    "x-rewrite-url",
    "origin",
    // Authentication and cookies.
    "authorization",
    "www-authenticate",
    "authentication-info",
    "cookie",
    "set-cookie",
    // Requests and replies as such.
    "accept",
    "accept-encoding",
    "range",
    "accept-ranges",
    "age",
    "cache-control",
    "date",
    "expires",
    "location",
    "pragma",
    "retry-after",
    "vary",
    "warning",
];
