//! The length of a request's body, which is what request smuggling attacks.
//!
//! | declared | RFC 9112 | Go 1.27 | Quintet |
//! |---|---|---|---|
//! | nothing | §6.3 step 7: no body | no body, any method | no body, any method |
//! | `Content-Length: 3` | §6.3 step 6 | 3 bytes, on GET too | 3 bytes, on GET too |
//! | `Content-Length: 003` | §6.3: 1*DIGIT | 3 bytes | 3 bytes |
//! | `Content-Length: 9223372036854775807` | §6.3: any; beware of overflow | accepted | accepted |
//! | `Content-Length: 9223372036854775808` | ″ | 400 | 400 |
//! | `Content-Length:` *empty*, `+3`, `-3`, `0x3`, `1_0`, `3 3` | §6.3 step 5: 400 | 400 | 400 |
//! | `Content-Length: 3, 3` | §6.3 step 5: MAY take as one, else 400 | 400 | 400 |
//! | `Content-Length` twice, equal | ″ | 3 bytes | 400 |
//! | `Content-Length` twice, different | §6.3 step 5: 400 | 400 | 400 |
//! | `Transfer-Encoding: chunked`, in any case | §6.3 step 4 | chunked | chunked |
//! | `Transfer-Encoding: gzip, chunked`, also on two lines | §6.1: SHOULD 501 | 501 | 501 |
//! | `Transfer-Encoding: chunked, chunked`, or twice | §6.1: MUST NOT be sent | 501 | 501 |
//! | `Transfer-Encoding: identity`, `gzip`, *empty* | §6.3 step 4: 400 and close | 501 | 400 |
//! | `Transfer-Encoding: chunked, gzip`, `chunked,`; `chunked` and then a line `gzip` | ″ | 501 | 400 |
//! | `Transfer-Encoding: chunked;q=1` | §7: SHOULD be an error | 501 | 400 |
//! | `Transfer-Encoding` and `Content-Length` | §6.1: MAY refuse, must close | chunked wins, kept alive | 400 |
//! | `Transfer-Encoding` in HTTP/1.0 | §6.1: must treat as faulty, close | ignored | 400 |

use http::StatusCode;

use crate::{Version, byte};

/// The length of a request's body, as its head declares it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Nothing follows the head.
    #[default]
    None,
    /// This many bytes follow; at most 2⁶³ − 1. On a stream of HTTP/2 the body checks it.
    Length(u64),
    /// Chunks follow, and then perhaps trailers. [`Chunked`](crate::Chunked) reads them.
    Chunked,
    /// The body ends with its stream, and its length is unknown: HTTP/2 without `Content-Length`. Only
    /// [`Head::fill`](crate::Head::fill) returns it.
    Stream,
}

impl Framing {
    /// Whether nothing follows the head: the body is not declared, or has zero bytes.
    pub const fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Length(0))
    }
}

/// A field that may occur once in a head: how often it occurs, and its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Declared<'a> {
    /// The field is absent.
    #[default]
    Never,
    /// The field occurs once; the value is without whitespace around it.
    Once(&'a [u8]),
    /// The field occurs twice or more often, with equal values or not; the value is the last one.
    Repeated(&'a [u8]),
}

impl<'a> FromIterator<&'a [u8]> for Declared<'a> {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(values: I) -> Self {
        values.into_iter().fold(Self::Never, Self::and)
    }
}

impl<'a> Declared<'a> {
    /// The declaration after one more occurrence, with this value.
    #[must_use]
    #[inline]
    pub const fn and(self, value: &'a [u8]) -> Self {
        match self {
            Self::Never => Self::Once(value),
            Self::Once(_) | Self::Repeated(_) => Self::Repeated(value),
        }
    }
}

/// The reason why the length of a body is unknown. The connection must be closed, because it is unknown where the next
/// request starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// `Content-Length` is not a number of decimal digits up to 2⁶³ − 1.
    #[error("content-length is not a number")]
    Length,
    /// `Content-Length` occurs more than once.
    #[error("content-length is repeated")]
    DuplicateLength,
    /// `Transfer-Encoding` ends with `chunked` after another coding, which is not decoded here (501).
    #[error("transfer-encoding is not chunked alone")]
    Coding,
    /// `Transfer-Encoding` does not end with `chunked`, so the end of the body is unknown (400).
    #[error("transfer-encoding does not end with chunked")]
    CodingLast,
    /// `Transfer-Encoding` occurs more than once, and ends with `chunked` (501).
    #[error("transfer-encoding is repeated")]
    DuplicateCoding,
    /// The head has both `Content-Length` and `Transfer-Encoding`, as the usual smuggling request has.
    #[error("content-length and transfer-encoding together")]
    LengthAndCoding,
    /// `Transfer-Encoding` in HTTP/1.0, which does not define it.
    #[error("transfer-encoding in an http/1.0 request")]
    CodingInHttp10,
    /// `Content-Length` above zero in an HTTP/2 request whose stream ends with its head (RFC 9113 §8.1.1).
    #[error("content-length without content")]
    LengthWithoutContent,
}

impl FramingError {
    /// The name of the rule that the head broke, as [`HeadError::as_str`](crate::HeadError::as_str).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Length => "content_length",
            Self::DuplicateLength => "duplicate_content_length",
            Self::Coding => "transfer_encoding",
            Self::CodingLast => "transfer_encoding_last",
            Self::DuplicateCoding => "duplicate_transfer_encoding",
            Self::LengthAndCoding => "length_and_coding",
            Self::CodingInHttp10 => "coding_in_http10",
            Self::LengthWithoutContent => "length_without_content",
        }
    }

    /// The status of the reply: 501 for another coding before `chunked`, else 400.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Coding | Self::DuplicateCoding => StatusCode::NOT_IMPLEMENTED,
            Self::Length
            | Self::DuplicateLength
            | Self::CodingLast
            | Self::LengthAndCoding
            | Self::CodingInHttp10
            | Self::LengthWithoutContent => StatusCode::BAD_REQUEST,
        }
    }
}

/// Decides the length of a request's body from the version and the two fields that declare it. The method does not
/// matter: the body of a GET is read too, so that it cannot be taken for the next request.
///
/// # Errors
/// [`FramingError`] if two readers could disagree about the length.
///
/// # Spec
/// RFC 9112 §6.3, whose steps 1, 2 and 8 are about responses. Go: `readTransfer` and `fixLength` (transfer.go:639-747).
#[inline]
pub fn framing(version: Version, length: Declared<'_>, coding: Declared<'_>) -> Result<Framing, FramingError> {
    // Step 3: with both fields "Transfer-Encoding overrides", but the message "ought to be handled as an error".
    if !matches!((length, coding), (Declared::Never, _) | (_, Declared::Never)) {
        return Err(FramingError::LengthAndCoding);
    }
    // Step 4: a final coding other than chunked cannot be framed. Chunked after another coding could be, but no other
    // coding is decoded here. HTTP/1.0 has no codings: a proxy that forwarded this request may have framed it by other
    // means (§6.1).
    match coding {
        Declared::Never => {}
        _ if version == Version::Http10 => return Err(FramingError::CodingInHttp10),
        Declared::Once(value) if value.eq_ignore_ascii_case(b"chunked") => return Ok(Framing::Chunked),
        Declared::Once(value) | Declared::Repeated(value) if !ends_chunked(value) => {
            return Err(FramingError::CodingLast);
        }
        Declared::Once(_) => return Err(FramingError::Coding),
        Declared::Repeated(_) => return Err(FramingError::DuplicateCoding),
    }
    match length {
        // Step 5: an invalid length is unrecoverable. Equal lengths may be merged or refused; they are refused.
        Declared::Once(value) => match number(value) {
            // Step 6: a valid length is the length.
            Some(length) => Ok(Framing::Length(length)),
            None => Err(FramingError::Length),
        },
        Declared::Repeated(_) => Err(FramingError::DuplicateLength),
        // Step 7: a request that declares nothing has no body.
        Declared::Never => Ok(Framing::None),
    }
}

/// Whether the last coding of a list is `chunked` alone. Splitting at a comma inside a quoted parameter does no harm:
/// the rest has a quote, so it is not `chunked`. An empty element must not be sent (RFC 9110 §5.6.1), so it is not
/// skipped.
#[cold]
fn ends_chunked(codings: &[u8]) -> bool {
    let last = codings.rsplit(|&byte| byte == b',').next().unwrap_or_default();
    byte::trim(last).eq_ignore_ascii_case(b"chunked")
}

/// Reads a decimal number without sign, up to 2⁶³ − 1, as Go does. Every signed file offset can hold it.
fn number(digits: &[u8]) -> Option<u64> {
    const MAX_LENGTH: u64 = i64::MAX as u64;
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit).filter(|&number| number <= MAX_LENGTH)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: Declared<'_> = Declared::Once(b"chunked");

    fn length(value: &str) -> Result<Framing, FramingError> {
        framing(Version::Http11, Declared::Once(value.as_bytes()), Declared::Never)
    }

    fn coding(value: &str) -> Result<Framing, FramingError> {
        framing(Version::Http11, Declared::Never, Declared::Once(value.as_bytes()))
    }

    #[test]
    fn a_request_that_declares_nothing_has_no_body() {
        for version in [Version::Http10, Version::Http11] {
            assert_eq!(framing(version, Declared::Never, Declared::Never), Ok(Framing::None));
        }
    }

    #[test]
    fn content_length_is_decimal_digits_below_2_to_the_63() {
        for (value, expected) in [
            ("0", 0),
            ("3", 3),
            ("003", 3),
            ("18446744073709551615", u64::MAX),
            ("9223372036854775808", u64::MAX),
            ("9223372036854775807", i64::MAX as u64),
            ("000000000000000000000000000000000000001", 1),
            ("99999999999999999999999999999999", u64::MAX),
        ] {
            let expected =
                if expected > i64::MAX as u64 { Err(FramingError::Length) } else { Ok(Framing::Length(expected)) };
            assert_eq!(length(value), expected, "{value}");
        }
        for value in ["", "+3", "-3", "0x3", "1_0", "3 3", "3, 3", "3,3", "3.0", "3e1", "\u{663}", " 3", "3\0"] {
            assert_eq!(length(value), Err(FramingError::Length), "{value:?}");
        }
    }

    #[test]
    fn content_length_twice_is_refused_equal_or_not() {
        for values in [[&b"3"[..], b"3"], [b"3", b"4"], [b"3", b""]] {
            let declared = values.into_iter().collect();
            assert_eq!(framing(Version::Http11, declared, Declared::Never), Err(FramingError::DuplicateLength));
        }
    }

    #[test]
    fn chunked_is_the_only_transfer_encoding() {
        for value in ["chunked", "Chunked", "CHUNKED"] {
            assert_eq!(coding(value), Ok(Framing::Chunked));
        }
        for value in ["gzip, chunked", "chunked, chunked", "gzip,Chunked", "x;a=\"b, c\",\tchunked", ", chunked"] {
            let error = coding(value).unwrap_err();
            assert_eq!((error, error.status().as_u16()), (FramingError::Coding, 501), "{value}");
        }
        let twice = [&b"chunked"[..], b"chunked"].into_iter().collect();
        let error = framing(Version::Http11, Declared::Never, twice).unwrap_err();
        assert_eq!((error, error.status().as_u16()), (FramingError::DuplicateCoding, 501));
    }

    #[test]
    fn a_last_coding_other_than_chunked_is_400_and_not_501() {
        for value in [
            "",
            "identity",
            "gzip",
            "chunked, gzip",
            "chunked, identity",
            "gzip, chunked, gzip",
            "chunked,",
            "chunked, ",
            ",",
            "xchunked",
            "chunkedx",
            "chunked x",
            "chunked;q=1",
            "gzip, chunked;q=1",
            "x;a=\", chunked\"",
            "\"chunked\"",
            "chunked\0",
        ] {
            let error = coding(value).unwrap_err();
            assert_eq!((error, error.status().as_u16()), (FramingError::CodingLast, 400), "{value:?}");
        }
        for (lines, error, status) in [
            (&["chunked", "gzip"][..], FramingError::CodingLast, 400),
            (&["chunked", ""], FramingError::CodingLast, 400),
            (&["gzip", "chunked", "identity"], FramingError::CodingLast, 400),
            (&["gzip", "chunked"], FramingError::DuplicateCoding, 501),
            (&["", "chunked"], FramingError::DuplicateCoding, 501),
            (&["chunked", "gzip, chunked"], FramingError::DuplicateCoding, 501),
        ] {
            let declared = lines.iter().map(|line| line.as_bytes()).collect();
            let refused = framing(Version::Http11, Declared::Never, declared).unwrap_err();
            assert_eq!((refused, refused.status().as_u16()), (error, status), "{lines:?}");
        }
    }

    #[test]
    fn content_length_with_transfer_encoding_is_refused() {
        for (length, coding) in [
            (Declared::Once(b"3"), CHUNKED),
            (Declared::Once(b"x"), CHUNKED),
            (Declared::Repeated(b"3"), CHUNKED),
            (Declared::Once(b"3"), Declared::Once(b"identity")),
            (Declared::Once(b"0"), Declared::Repeated(b"gzip")),
        ] {
            for version in [Version::Http10, Version::Http11] {
                let error = framing(version, length, coding).unwrap_err();
                assert_eq!((error, error.status().as_u16()), (FramingError::LengthAndCoding, 400));
            }
        }
    }

    #[test]
    fn http_1_0_with_transfer_encoding_is_refused() {
        for coding in [CHUNKED, Declared::Once(b"gzip"), Declared::Repeated(b"chunked")] {
            let error = framing(Version::Http10, Declared::Never, coding).unwrap_err();
            assert_eq!((error, error.status().as_u16()), (FramingError::CodingInHttp10, 400));
        }
    }
}
