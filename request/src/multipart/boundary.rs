//! The boundary of a multipart body, from its content type.

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    multipart_error::MultipartError,
    parameters::{self, Value},
};

/// The most bytes of a boundary (RFC 2046 §5.1.1).
const MAX_BOUNDARY_BYTES: usize = 70;

/// The boundary of a `multipart/form-data` body: the text that no part has in it.
///
/// ```
/// use quintet_request::{Boundary, MultipartError};
///
/// let boundary = Boundary::parse(b"multipart/form-data; boundary=\"a b\"").unwrap();
/// assert_eq!(boundary.as_bytes(), b"a b");
/// assert_eq!(Boundary::parse(b"multipart/form-data"), Err(MultipartError::NoBoundary));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// CRLF, two dashes and the boundary.
    delimiter: Bytes,
}

impl Boundary {
    /// Reads a content type: `multipart/form-data; boundary=…`, with other parameters or none.
    ///
    /// The boundary has 1 to 70 letters, digits, spaces and `'()+_,-./:=?`, and does not end with a space. Bytes that
    /// no token has must be quoted.
    ///
    /// # Errors
    /// [`MultipartError::ContentType`] (415) for another type; [`NoBoundary`](MultipartError::NoBoundary),
    /// [`TwoBoundaries`](MultipartError::TwoBoundaries), [`Boundary`](MultipartError::Boundary) (400).
    ///
    /// # Spec
    /// RFC 2046 §5.1.1, RFC 9110 §5.6.6. Go: `Request.multipartReader`, which checks neither length nor bytes.
    pub fn parse(content_type: &[u8]) -> Result<Self, MultipartError> {
        let (media, parameters) = parameters::split(content_type);
        if !media.eq_ignore_ascii_case(b"multipart/form-data") {
            return Err(MultipartError::ContentType);
        }
        let mut boundary = None;
        for parameter in parameters {
            let (name, value) = parameter.map_err(|_| MultipartError::Boundary)?;
            // Readers that know extended parameters would take `boundary*` for the boundary.
            if name.eq_ignore_ascii_case(b"boundary*") {
                return Err(MultipartError::Boundary);
            }
            if name.eq_ignore_ascii_case(b"boundary") && boundary.replace(value).is_some() {
                return Err(MultipartError::TwoBoundaries);
            }
        }
        boundary.ok_or(MultipartError::NoBoundary).and_then(Self::new)
    }

    fn new(value: Value<'_>) -> Result<Self, MultipartError> {
        // An escape in a quoted boundary needs no look: no boundary has a backslash.
        let raw = value.raw();
        let fits = (1..=MAX_BOUNDARY_BYTES).contains(&raw.len());
        if !fits || !raw.iter().all(|&byte| is_boundary_byte(byte)) || raw.ends_with(b" ") {
            return Err(MultipartError::Boundary);
        }
        let mut delimiter = BytesMut::with_capacity(raw.len() + 4);
        delimiter.put_slice(b"\r\n--");
        delimiter.put_slice(raw);
        Ok(Self { delimiter: delimiter.freeze() })
    }

    /// The boundary itself, without the dashes in front of it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.delimiter[4..]
    }

    /// CRLF, two dashes and the boundary: what ends the data of a part.
    pub(super) fn delimiter(&self) -> &Bytes {
        &self.delimiter
    }
}

/// `bchars` (RFC 2046 §5.1.1). CR is none of them, so that it is in a delimiter only as its first byte.
fn is_boundary_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_of_the_grammar_is_taken() {
        let longest = format!("multipart/form-data; boundary={}", "x".repeat(70));
        for (content_type, boundary) in [
            ("multipart/form-data; boundary=x", "x"),
            ("Multipart/Form-Data;charset=utf-8;BOUNDARY=x", "x"),
            (
                "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
                "----WebKitFormBoundary7MA4YWxkTrZu0gW",
            ),
            ("multipart/form-data; boundary=\"a b\"", "a b"),
            ("multipart/form-data; boundary=\"'()+_,-./:=?\"", "'()+_,-./:=?"),
            ("multipart/form-data; boundary=\"----=_Part_1_2.3\" ; x=\"boundary=y\"", "----=_Part_1_2.3"),
            (&longest, &longest["multipart/form-data; boundary=".len()..]),
        ] {
            let parsed = Boundary::parse(content_type.as_bytes());
            assert_eq!(parsed.as_ref().map(Boundary::as_bytes), Ok(boundary.as_bytes()), "{content_type}");
        }
    }

    #[test]
    fn another_boundary_is_400_and_another_type_415() {
        use MultipartError::{Boundary as Malformed, ContentType, NoBoundary, TwoBoundaries};
        let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
        for (content_type, error) in [
            ("", ContentType),
            ("text/plain; boundary=x", ContentType),
            ("multipart/mixed; boundary=x", ContentType),
            ("multipart/form-datax; boundary=x", ContentType),
            ("multipart/form-data", NoBoundary),
            ("multipart/form-data; charset=utf-8;", NoBoundary),
            ("multipart/form-data; boundary=a; boundary=b", TwoBoundaries),
            ("multipart/form-data; boundary=a; Boundary=a", TwoBoundaries),
            ("multipart/form-data; boundary=a; boundary*=b", Malformed),
            ("multipart/form-data; boundary=", Malformed),
            ("multipart/form-data; boundary=\"\"", Malformed),
            ("multipart/form-data; boundary=\"a \"", Malformed),
            ("multipart/form-data; boundary=\"a\\b\"", Malformed),
            ("multipart/form-data; boundary=\"a\\\"b\"", Malformed),
            ("multipart/form-data; boundary=\"a", Malformed),
            ("multipart/form-data; boundary=a=b", Malformed),
            ("multipart/form-data; boundary=a b", Malformed),
            ("multipart/form-data; boundary=a*b", Malformed),
            ("multipart/form-data; boundary=\"a\u{e9}\"", Malformed),
            ("multipart/form-data boundary=a", Malformed),
            ("multipart/form-data, multipart/form-data; boundary=a", ContentType),
            (&long, Malformed),
        ] {
            assert_eq!(Boundary::parse(content_type.as_bytes()), Err(error), "{content_type}");
        }
    }
}
