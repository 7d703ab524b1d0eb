//! The parser of `multipart/form-data` bodies, with the table of what is accepted and refused.
//!
//! | body, for the boundary `b` | RFC | Go 1.27 | Quintet |
//! |---|---|---|---|
//! | `--b CRLF header CRLF CRLF data CRLF --b--`, with or without CRLF after it | 2046 §5.1.1 | taken | taken |
//! | no parts: `--b--` | 2046: not grammar | taken | taken |
//! | line ends before the first and after the last boundary | 2046: ignore | taken | taken |
//! | other text before the first or after the last boundary | 2046: ignore | ignored | 400 |
//! | `--b` and blanks before CRLF | 2046: padding of mail transports | taken | 400 |
//! | `CRLF --bx` in the data | 2046: a boundary | data | 400 |
//! | a part without data whose `CRLF CRLF` is followed by `--b` at once | 2046 | taken | 400 |
//! | a line of a header that begins with `--b` | 2046: a boundary | taken | 400 |
//! | lines that end in LF; a CR elsewhere in a header; a folded line | 2046 | taken | 400 |
//! | no last boundary | 2046 | error | 400 |
//! | no `Content-Disposition`, two of them, one that is not `form-data` | 7578 §4.2 | not part of a form | 400 |
//! | no `name`, an empty one | 7578 §4.2 | not part of a form | 400 |
//! | `filename*` beside an equal `filename` | 7578 §4.2: must not be sent | taken | taken |
//! | `filename*` alone or of another name, `filename*0`, `name*` | 7578 §4.2: must not be sent | taken | 400 |
//! | `name` or `filename` twice | 7578 §4.2 | 400 | 400 |
//! | a file name with a path | 7578 §4.2 | its last element | its last element, also after `\` |
//! | `%22`, `%0D`, `%0A` in a quoted name | HTML Standard | as it is | decoded |
//! | `\"` and `\\` in a quoted name | 9110 §5.6.4 | decoded | decoded |
//! | names that are not UTF-8 | 7578 §5.1 | taken | 400 |
//! | `Content-Transfer-Encoding: quoted-printable`, `base64` | 7578 §4.7: must not be sent | decoded, taken | 415 |
//! | past a limit of [`MultipartLimits`] | – | 1,000 parts, 10,000 header lines | 413 |

use std::ops::Range;

use bytes::Bytes;

use super::{
    boundary::Boundary, header_reader::HeaderReader, multipart_error::MultipartError,
    multipart_limits::MultipartLimits, multipart_step::MultipartStep, part_header::PartHeader,
};
use crate::byte;

/// The bytes of the delimiter that the start of the body, and the end of a header, stand for: CRLF.
const LINE_END: usize = 2;

/// A parser of `multipart/form-data` bodies. It keeps its state between calls, so the bytes may arrive in any pieces,
/// and the caller need not keep any. It looks at each byte three times at most, and its memory is bounded by the limits.
///
/// ```
/// use quintet_request::{Boundary, Multipart, MultipartLimits, MultipartStep};
///
/// let boundary = Boundary::parse(b"multipart/form-data; boundary=b").unwrap();
/// let mut multipart = Multipart::new(&boundary, &MultipartLimits::default());
/// let mut rest = &b"--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--b--\r\n"[..];
/// let (mut name, mut data) = (String::new(), Vec::new());
/// while !rest.is_empty() {
///     let step = multipart.next(rest).unwrap();
///     match step {
///         MultipartStep::Part(_) => name = multipart.take_part().unwrap().form_name().to_owned(),
///         MultipartStep::Kept(_) => data.extend_from_slice(&multipart.kept()),
///         MultipartStep::Data(n) => data.extend_from_slice(&rest[..n]),
///         MultipartStep::Framing(_) | MultipartStep::PartEnd(_) => {}
///     }
///     rest = &rest[step.len()..];
/// }
/// multipart.finish().unwrap();
/// assert_eq!((name.as_str(), data.as_slice()), ("note", &b"hello"[..]));
/// ```
///
/// # Spec
/// RFC 7578, RFC 2046 §5.1. Go: `multipart.Reader`.
#[derive(Debug)]
pub struct Multipart {
    state: State,
    /// The bytes of the body taken so far.
    at: u64,
    /// CRLF, two dashes and the boundary.
    delimiter: Bytes,
    /// How many bytes of the delimiter were taken last and may begin a boundary.
    matched: usize,
    /// How many of them are no data, because they are the line end before the data.
    before_data: usize,
    /// The bytes of the delimiter that were data after all.
    kept: Range<usize>,
    /// Whether a part's data comes before the current boundary.
    in_part: bool,
    parts: usize,
    header: Option<Box<HeaderReader>>,
    part: Option<PartHeader>,
    limits: MultipartLimits,
    /// The bytes looked at, for the test that the work is linear.
    #[cfg(test)]
    pub(super) looked: usize,
}

/// The state: what the next byte may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The first boundary, or a line end before it.
    Start,
    /// After a boundary: CRLF or two dashes.
    AfterBoundary,
    BoundaryLf,
    SecondDash,
    Header,
    Data,
    /// After the last boundary: line ends.
    Epilogue,
    EpilogueLf,
    Failed(MultipartError),
}

impl Multipart {
    /// Makes a parser for a body, before its first byte.
    pub fn new(boundary: &Boundary, limits: &MultipartLimits) -> Self {
        Self {
            state: State::Start,
            at: 0,
            delimiter: boundary.delimiter().clone(),
            matched: LINE_END,
            before_data: 0,
            kept: 0..0,
            in_part: false,
            parts: 0,
            header: None,
            part: None,
            limits: *limits,
            #[cfg(test)]
            looked: 0,
        }
    }

    /// Reads a step at the start of `bytes`. The next call must be given the bytes after those that the step takes, and
    /// more. Without bytes the step is `Framing(0)`.
    ///
    /// # Errors
    /// [`MultipartError`]; every further call returns the same error.
    pub fn next(&mut self, bytes: &[u8]) -> Result<MultipartStep, MultipartError> {
        let step = self.advance(bytes).inspect_err(|error| self.state = State::Failed(*error))?;
        self.at += step.len() as u64;
        Ok(step)
    }

    /// Takes the header of the part, after [`MultipartStep::Part`].
    pub fn take_part(&mut self) -> Option<PartHeader> {
        self.part.take()
    }

    /// The data of a [`MultipartStep::Kept`], until the next call of [`next`](Self::next).
    pub fn kept(&self) -> Bytes {
        self.delimiter.slice(self.kept.clone())
    }

    /// The bytes of the body taken so far.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Tells the parser that the body has ended.
    ///
    /// # Errors
    /// [`MultipartError::Incomplete`] (400) if the last boundary is missing; the error of [`next`](Self::next), if it
    /// returned one.
    pub fn finish(&mut self) -> Result<(), MultipartError> {
        match self.state {
            State::Epilogue => Ok(()),
            State::Failed(error) => Err(error),
            _ => {
                let error = MultipartError::Incomplete { at: self.at };
                self.state = State::Failed(error);
                Err(error)
            }
        }
    }

    fn advance(&mut self, bytes: &[u8]) -> Result<MultipartStep, MultipartError> {
        let Some(&first) = bytes.first() else {
            return if let State::Failed(error) = self.state { Err(error) } else { Ok(MultipartStep::Framing(0)) };
        };
        match self.state {
            State::Data => self.data(bytes),
            State::Header => self.header(bytes),
            State::Failed(error) => Err(error),
            _ => self.after(first),
        }
    }

    /// The step of one byte outside headers and data.
    fn after(&mut self, byte: u8) -> Result<MultipartStep, MultipartError> {
        let at = self.at;
        self.state = match (self.state, byte) {
            (State::Start, _) => return self.start(byte),
            (State::AfterBoundary, b'\r') => State::BoundaryLf,
            (State::AfterBoundary, b'-') => State::SecondDash,
            (State::BoundaryLf, b'\n') if self.parts == self.limits.parts => {
                return Err(MultipartError::TooManyParts { at });
            }
            (State::BoundaryLf, b'\n') => {
                self.parts += 1;
                State::Header
            }
            (State::SecondDash, b'-') => State::Epilogue,
            (State::Epilogue, b'\r') => State::EpilogueLf,
            (State::EpilogueLf, b'\n') => State::Epilogue,
            (State::Epilogue | State::EpilogueLf, _) => return Err(MultipartError::Epilogue { at }),
            _ => return Err(MultipartError::Delimiter { at }),
        };
        // The end of a part's data is not told before it is certain that this is a boundary.
        match self.state {
            State::Header | State::Epilogue if std::mem::take(&mut self.in_part) => Ok(MultipartStep::PartEnd(1)),
            _ => Ok(MultipartStep::Framing(1)),
        }
    }

    /// The step of one byte before or in the first boundary. The start of the body is the start of a line.
    fn start(&mut self, byte: u8) -> Result<MultipartStep, MultipartError> {
        let at_line_start = self.matched == LINE_END;
        if self.delimiter.get(self.matched) == Some(&byte) {
            self.matched += 1;
        } else if at_line_start && byte == b'\r' {
            self.matched = 1;
        } else {
            return Err(MultipartError::Preamble { at: self.at });
        }
        if self.matched == self.delimiter.len() {
            self.matched = 0;
            self.state = State::AfterBoundary;
        }
        Ok(MultipartStep::Framing(1))
    }

    fn header(&mut self, bytes: &[u8]) -> Result<MultipartStep, MultipartError> {
        let header = self.header.get_or_insert_with(|| Box::new(HeaderReader::new()));
        let taken = header.take(bytes, &self.limits, &self.delimiter[LINE_END..], self.at)?;
        let Some(part) = header.finish(self.at + taken as u64)? else {
            return Ok(MultipartStep::Framing(taken));
        };
        (self.header, self.part, self.in_part) = (None, Some(part), true);
        (self.state, self.matched, self.before_data) = (State::Data, LINE_END, LINE_END);
        Ok(MultipartStep::Part(taken))
    }

    fn data(&mut self, bytes: &[u8]) -> Result<MultipartStep, MultipartError> {
        if self.matched == 0 {
            return Ok(self.search(bytes));
        }
        let n = self.prefix(bytes, self.matched);
        let matched = self.matched + n;
        if matched == self.delimiter.len() {
            if self.before_data > 0 {
                // A part without the line end before its boundary: other readers take the boundary for data.
                return Err(MultipartError::Delimiter { at: self.at - (self.matched - LINE_END) as u64 });
            }
            (self.matched, self.state) = (0, State::AfterBoundary);
            return Ok(MultipartStep::Framing(n));
        }
        if n == bytes.len() {
            self.matched = matched;
            return Ok(MultipartStep::Framing(n));
        }
        self.kept = std::mem::take(&mut self.before_data)..matched;
        self.matched = 0;
        Ok(if self.kept.is_empty() { self.search(bytes) } else { MultipartStep::Kept(n) })
    }

    /// Looks for the delimiter in data that does not begin in the middle of one.
    ///
    /// CR is in a delimiter only as its first byte. So no delimiter begins inside bytes that match the start of one, and
    /// the search goes on behind them: each byte is searched once and compared once.
    fn search(&mut self, bytes: &[u8]) -> MultipartStep {
        let mut from = 0;
        loop {
            let found = byte::find(b'\r', &bytes[from..]);
            self.count(found.unwrap_or(bytes.len() - from));
            let Some(found) = found else { return MultipartStep::Data(bytes.len()) };
            let start = from + found;
            let n = self.prefix(&bytes[start..], 0);
            let whole = n == self.delimiter.len();
            if !whole && start + n < bytes.len() {
                from = start + n;
                continue;
            }
            if start > 0 {
                return MultipartStep::Data(start);
            }
            if whole {
                self.state = State::AfterBoundary;
            } else {
                self.matched = n;
            }
            return MultipartStep::Framing(n);
        }
    }

    /// How many bytes at the start of `bytes` are those of the delimiter from `from` on.
    fn prefix(&mut self, bytes: &[u8], from: usize) -> usize {
        let n = self.delimiter[from..].iter().zip(bytes).take_while(|(a, b)| a == b).count();
        self.count(n + 1);
        n
    }

    /// Counts the bytes looked at, for the test that the work is linear.
    fn count(&mut self, looked: usize) {
        #[cfg(test)]
        {
            self.looked += looked;
        }
        let _ = looked;
    }
}

#[cfg(test)]
#[path = "multipart_tests.rs"]
mod tests;
