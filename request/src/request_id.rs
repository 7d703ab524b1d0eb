//! The id of a request, by which the logs of several servers are searched.

use std::{fmt, str::FromStr, sync::Arc};

/// The most bytes of an id.
const MAX_BYTES: usize = 128;

/// The id of a request, by which the logs of several servers are searched: the value of `X-Request-Id`.
///
/// Shape: 1 to 128 letters, digits, and `+ - . / = _ ~ : @`. So an id needs no escapes in a field, a log line, JSON or a
/// URL path segment but for `/`, and is short enough for an index.
///
/// ```
/// use quintet_request::RequestId;
///
/// let id: RequestId = "7b0c2f4e-91d3".parse()?;
/// assert_eq!(id.as_str(), "7b0c2f4e-91d3");
/// assert!("a\r\nSet-Cookie: b".parse::<RequestId>().is_err());
/// # Ok::<(), quintet_request::RequestIdError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The id of these 128 bits, which should be random or otherwise unique: 32 hexadecimal digits.
    #[must_use]
    pub fn from_bits(bits: u128) -> Self {
        Self(format!("{bits:032x}").into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RequestId {
    type Err = RequestIdError;

    /// # Errors
    /// [`RequestIdError`] if the text is empty, longer than 128 bytes, or has another byte.
    fn from_str(text: &str) -> Result<Self, RequestIdError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-./=_~:@".contains(&byte);
        let is_id = (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(is_plain);
        if is_id { Ok(Self(text.into())) } else { Err(RequestIdError) }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 1 to 128 letters, digits and + - . / = _ ~ : @")]
pub struct RequestIdError;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_id_has_a_bounded_length_and_alphabet() {
        let longest = "a".repeat(128);
        for (text, is_id) in [
            ("a", true),
            ("7b0c2f4e-91d3-4b1f-9a53-0242ac130003", true),
            ("Root=1-67891233-abcdef012345678912345678", true),
            ("a+b/c=d_e~f.g:h@i", true),
            (&*longest, true),
            (&*format!("{longest}a"), false),
            ("", false),
            (" a", false),
            ("a b", false),
            ("a\r\nb", false),
            ("a\0", false),
            ("a\"b", false),
            ("a,b", false),
            ("a;b", false),
            ("<a>", false),
            ("\u{e9}", false),
            ("a\u{1b}[31m", false),
            ("%0d%0a", false),
        ] {
            assert_eq!(text.parse::<RequestId>().is_ok(), is_id, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_request_id_prints_as_it_was_read(bits: u128) {
            let id = RequestId::from_bits(bits);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }
}
