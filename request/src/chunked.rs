//! Where we are inside a chunked body.
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

/// What stands at the start of the bytes given to [`Chunked::next`]: skip `framing` bytes, then `data` bytes are
/// data of the body. Both zero: more bytes are needed, or the body is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Bytes of sizes, extensions, line ends and trailers: understood, to be dropped.
    pub framing: usize,
    /// Bytes of data after them, left where they are.
    pub data: usize,
}

impl Step {
    /// How many bytes the step takes.
    pub const fn len(self) -> usize {
        self.framing + self.data
    }

    /// Whether it takes none.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A reader of chunked bodies that remembers where it is, so that bytes may come in any pieces: each is looked at
/// once, and none has to be kept for later.
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
    /// Bytes of the body seen so far.
    at: u64,
    /// The size of the chunk, then what is left of it.
    left: u64,
    /// Bytes of the current size line, and of its extensions.
    line: usize,
    extension: usize,
    /// Framing so far beyond what its data pays for.
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

/// What the next byte has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A digit of the size, of which there are so many.
    Size(u8),
    /// Blanks that only a `;` may follow.
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
    /// A reader before the first byte of a body.
    pub fn new(limits: &Limits) -> Self {
        let limits = ChunkLimits {
            extension: limits.chunk_extension,
            overhead: limits.chunk_overhead as u64,
            trailers: limits.trailers,
            trailer_fields: limits.trailer_fields,
        };
        Self { state: State::Size(0), at: 0, left: 0, line: 0, extension: 0, excess: 0, limits, trailers: None }
    }

    /// Reads on at the start of `bytes`, up to the end of the next piece of data. What the step takes must not be
    /// given again; what it leaves must be, with more after it.
    ///
    /// # Errors
    /// [`ChunkError`], and the same one ever after.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Step, ChunkError> {
        self.advance(bytes).inspect_err(|error| self.state = State::Failed(*error))
    }

    /// Whether the body is over: data, trailers and all.
    pub fn is_end(&self) -> bool {
        self.state == State::End
    }

    /// The trailers, once, after the end. Those that could change what was decided by the head are not among them:
    /// framing, routing, authentication, caching, cookies, the nature of the body (RFC 9110 §6.5.1).
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
                // Fifteen digits cannot reach the top; the sixteenth must leave the sign bit alone.
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

    /// After the LF of a size line. Go counts the same way: the line with its end and the CRLF after the data,
    /// less 16 bytes and twice the size. A body in single bytes passes, one in extensions does not.
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
