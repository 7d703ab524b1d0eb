//! The reader of chunked bodies, with the table of what is accepted and refused.
//!
//! | body | RFC 9112 | Go 1.27 | Quintet |
//! |---|---|---|---|
//! | `3 CRLF abc CRLF 0 CRLF CRLF`; `A`, `a`, `00000003` | §7.1 | taken | taken |
//! | `3;a=b`, `3;x`, `3; a = "b;\""` | §7.1.1, with BWS | taken, not looked at | taken by the grammar |
//! | `3 ;a=b` (a blank before the first `;`) | §7.1.1, with BWS | 400 | taken by the grammar |
//! | `3;`, `3;=b`, `3;a=`, `3;a="b`, NUL in it | §7.1.1: not grammar | taken | 400 |
//! | `3 ` (blank before CRLF) | §7.1.1: not grammar | taken | 400 |
//! | ` 3`, `0x3`, `+3`, empty, 17 digits | §7.1 | 400 | 400 |
//! | a size past 2⁶³ − 1 | §7.1: beware of overflow | taken up to 2⁶⁴ − 1 | 400 |
//! | a line, a chunk or a trailer that ends in bare LF; a CR elsewhere | §2.2, §7.1 | 400 | 400 |
//! | `abcX` where CRLF should follow `abc` | §7.1 | 400 | 400 |
//! | an extension of more than 4 KiB | §7.1.1: should be limited | 400 | 400 |
//! | more than 16 KiB of framing beyond 16 bytes a chunk and twice the data | – | 400 | 400 |
//! | trailers: `junk`, controls | §7.1.2, §5 | 400 | 400 |
//! | trailers: folded | ″ | taken | 400 |
//! | trailers: `Content-Length`, `Host`, `Authorization`, … | RFC 9110 §6.5.1: must not be sent | surface | dropped |

use http::HeaderMap;

use crate::{ChunkError, Limits, byte, trailers::Trailers};

/// A step of [`Chunked::next`] at the start of the bytes it was given: `framing` bytes to skip, then `data` bytes of
/// the body. Both are zero if more bytes are needed, and at the end of the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Bytes of sizes, extensions, line ends and trailers, which are read and can be dropped.
    pub framing: usize,
    /// Bytes of data after them, which are not copied.
    pub data: usize,
}

impl Step {
    /// The number of bytes that the step takes.
    pub const fn len(self) -> usize {
        self.framing + self.data
    }

    /// Whether the step takes no bytes.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A reader of chunked bodies. It keeps its state between calls, so the bytes may arrive in any pieces; each byte is
/// looked at once, and the caller need not keep any.
///
/// ```
/// use quintet_request::{Chunked, Limits};
///
/// let mut rest = &b"5\r\nhello\r\n6;lang=en\r\n world\r\n0\r\n\r\nGET / HT"[..];
/// let (mut chunked, mut body) = (Chunked::new(&Limits::default()), Vec::new());
/// while !chunked.is_end() {
///     let step = chunked.next(rest).unwrap();
///     body.extend_from_slice(&rest[step.framing..step.len()]);
///     rest = &rest[step.len()..];
/// }
/// assert_eq!((body.as_slice(), rest), (&b"hello world"[..], &b"GET / HT"[..]));
/// ```
///
/// # Spec
/// RFC 9112 §7.1. Go: `internal/chunked.go`.
#[derive(Debug)]
pub struct Chunked {
    state: State,
    /// The bytes of the body read so far.
    at: u64,
    /// The size of the chunk, then the bytes of its data that are left.
    left: u64,
    /// The bytes of the current size line, and of its extensions.
    line: usize,
    extension: usize,
    /// The bytes of framing so far beyond the allowance of the data.
    excess: u64,
    limits: ChunkLimits,
    trailers: Option<Box<Trailers>>,
}

#[derive(Clone, Copy, Debug)]
struct ChunkLimits {
    extension: usize,
    overhead: u64,
    trailers: usize,
    trailer_fields: usize,
}

/// The state: what the next byte may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A digit of the size, after this many digits.
    Size(u8),
    /// Whitespace that only a `;` may follow.
    BeforeSemicolon,
    BeforeName,
    Name,
    AfterName,
    BeforeValue,
    Value,
    Quoted,
    Escaped,
    AfterQuoted,
    /// The LF of a size line.
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailers,
    End,
    Failed(ChunkError),
}

impl Chunked {
    /// Makes a reader for a body, before its first byte.
    pub fn new(limits: &Limits) -> Self {
        let limits = ChunkLimits {
            extension: limits.chunk_extension,
            overhead: limits.chunk_overhead as u64,
            trailers: limits.trailers,
            trailer_fields: limits.trailer_fields,
        };
        Self { state: State::Size(0), at: 0, left: 0, line: 0, extension: 0, excess: 0, limits, trailers: None }
    }

    /// Reads from the start of `bytes` to the end of the next piece of data. The next call must be given the bytes
    /// after those that the step takes, and more.
    ///
    /// # Errors
    /// [`ChunkError`]; every further call returns the same error.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Step, ChunkError> {
        self.advance(bytes).inspect_err(|error| self.state = State::Failed(*error))
    }

    /// Whether the body has ended, with its trailers.
    pub fn is_end(&self) -> bool {
        self.state == State::End
    }

    /// Takes the trailers (fields after the last chunk), after the end of the body. Fields that could change what the
    /// head decided are dropped: framing, routing, authentication, caching, cookies, the type of the body (RFC 9110
    /// §6.5.1).
    pub fn take_trailers(&mut self) -> Option<HeaderMap> {
        if !self.is_end() {
            return None;
        }
        self.trailers.take().map(|trailers| trailers.into_map()).filter(|map| !map.is_empty())
    }

    fn advance(&mut self, bytes: &[u8]) -> Result<Step, ChunkError> {
        let mut framing = 0;
        while let Some(&byte) = bytes.get(framing) {
            match self.state {
                State::Failed(error) => return Err(error),
                State::End => break,
                State::Data => return Ok(Step { framing, data: self.take_data(bytes.len() - framing) }),
                State::Trailers => framing += self.take_trailer(&bytes[framing..])?,
                _ => {
                    self.state = self.after(byte)?;
                    self.at += 1;
                    framing += 1;
                }
            }
        }
        match self.state {
            State::Failed(error) => Err(error),
            _ => Ok(Step { framing, data: 0 }),
        }
    }

    fn take_data(&mut self, given: usize) -> usize {
        let data = usize::try_from(self.left).map_or(given, |left| left.min(given));
        self.left -= data as u64;
        self.at += data as u64;
        if self.left == 0 {
            self.state = State::DataCr;
        }
        data
    }

    fn take_trailer(&mut self, bytes: &[u8]) -> Result<usize, ChunkError> {
        let limits = self.limits;
        let trailers =
            self.trailers.get_or_insert_with(|| Box::new(Trailers::new(limits.trailers, limits.trailer_fields)));
        let taken = trailers.take(bytes, self.at)?;
        self.at += taken as u64;
        if trailers.is_end() {
            self.state = State::End;
        }
        Ok(taken)
    }

    /// The state after one byte of framing.
    fn after(&mut self, byte: u8) -> Result<State, ChunkError> {
        let at = self.at;
        if byte == b'\n' && !matches!(self.state, State::SizeLf | State::DataLf | State::DataCr) {
            return Err(ChunkError::LineEnd { at });
        }
        let state = match (self.state, byte) {
            (State::Size(digits), _) => return self.after_size(digits, byte),
            (State::SizeLf, b'\n') => return self.begin_chunk(),
            (State::SizeLf, _) => return Err(ChunkError::LineEnd { at }),
            (State::DataCr, b'\r') => return Ok(State::DataLf),
            (State::DataLf, b'\n') => {
                self.line = 0;
                return Ok(State::Size(0));
            }
            (State::DataCr | State::DataLf, _) => return Err(ChunkError::DataEnd { at }),

            (State::Name | State::Value | State::AfterQuoted, b'\r') => State::SizeLf,
            (State::BeforeSemicolon | State::Name | State::AfterName | State::Value | State::AfterQuoted, b';') => {
                State::BeforeName
            }
            (State::Name | State::AfterName, b'=') => State::BeforeValue,
            (State::Name, b' ' | b'\t') => State::AfterName,
            (State::Value | State::AfterQuoted, b' ' | b'\t') => State::BeforeSemicolon,
            (State::BeforeSemicolon | State::BeforeName | State::AfterName | State::BeforeValue, b' ' | b'\t') => {
                self.state
            }
            (State::BeforeName | State::Name, _) if byte::is(byte, byte::TOKEN) => State::Name,
            (State::BeforeValue, b'"') => State::Quoted,
            (State::BeforeValue | State::Value, _) if byte::is(byte, byte::TOKEN) => State::Value,
            (State::Quoted, b'"') => State::AfterQuoted,
            (State::Quoted, b'\\') => State::Escaped,
            (State::Quoted | State::Escaped, _) if byte::is(byte, byte::VALUE) => State::Quoted,
            _ => return Err(ChunkError::Extension { at }),
        };
        self.line += 1;
        if state != State::SizeLf {
            self.extension += 1;
        }
        if self.extension > self.limits.extension {
            return Err(ChunkError::ExtensionTooLong { at });
        }
        Ok(state)
    }

    fn after_size(&mut self, digits: u8, byte: u8) -> Result<State, ChunkError> {
        const MOST_DIGITS: u8 = 16;
        let at = self.at;
        self.line += 1;
        match (byte::hex(byte), byte) {
            (Some(digit), _) => {
                self.left = if digits == 0 { digit.into() } else { self.left << 4 | u64::from(digit) };
                // Fifteen digits are below 2⁶⁰, so the sixteenth cannot overflow 64 bits; it must not set the sign bit.
                if digits == MOST_DIGITS || self.left > i64::MAX as u64 {
                    return Err(ChunkError::SizeTooLarge { at });
                }
                Ok(State::Size(digits + 1))
            }
            _ if digits == 0 => Err(ChunkError::Size { at }),
            (_, b'\r') => Ok(State::SizeLf),
            (_, b';' | b' ' | b'\t') if self.limits.extension == 0 => Err(ChunkError::ExtensionTooLong { at }),
            (_, b';') => {
                self.extension = 1;
                Ok(State::BeforeName)
            }
            (_, b' ' | b'\t') => {
                self.extension = 1;
                Ok(State::BeforeSemicolon)
            }
            _ => Err(ChunkError::Size { at }),
        }
    }

    /// Begins a chunk after the LF of its size line, and counts its framing as Go does: the line with its end and the
    /// CRLF after the data, less 16 bytes and twice the size. A body in chunks of one byte stays within the limit, one
    /// with long extensions does not.
    fn begin_chunk(&mut self) -> Result<State, ChunkError> {
        const LINE_ENDS: u64 = 3; // The LF of the line and the CRLF after the data.
        let framing = self.line as u64 + LINE_ENDS;
        let paid = self.left.saturating_mul(2).saturating_add(16);
        self.excess = (self.excess + framing).saturating_sub(paid);
        if self.excess > self.limits.overhead {
            return Err(ChunkError::Overhead { at: self.at });
        }
        Ok(if self.left == 0 { State::Trailers } else { State::Data })
    }
}
