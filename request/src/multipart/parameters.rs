//! The parameters of a field value, `; name=value; name="value"`.

use crate::byte;

/// An iterator over the parameters after a media type or a disposition type.
///
/// # Spec
/// RFC 9110 §5.6.6: a parameter between two `;` may be missing. In a quoted value a backslash is an escape only before
/// `"` and `\`, as in Go (`mime.consumeValue`): some clients send the paths of Windows as they are.
pub(super) struct Parameters<'a>(&'a [u8]);

/// The value of a parameter: a token, or what stands between quotation marks with its escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Token(&'a [u8]),
    Quoted(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The bytes with their escapes.
    pub(super) fn raw(self) -> &'a [u8] {
        match self {
            Self::Token(raw) | Self::Quoted(raw) => raw,
        }
    }
}

/// A parameter that is not grammar.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The type at the start of a field value, and the parameters after it.
pub(super) fn split(value: &[u8]) -> (&[u8], Parameters<'_>) {
    let end = value.iter().position(|&byte| matches!(byte, b';' | b' ' | b'\t')).unwrap_or(value.len());
    (&value[..end], Parameters(&value[end..]))
}

impl<'a> Parameters<'a> {
    fn parameter(&mut self) -> Result<(&'a [u8], Value<'a>), Malformed> {
        let rest = std::mem::take(&mut self.0); // so that nothing follows an error
        let equals = rest.iter().position(|&byte| byte == b'=').ok_or(Malformed)?;
        let (name, rest) = (&rest[..equals], &rest[equals + 1..]);
        if !byte::is_token(name) {
            return Err(Malformed);
        }
        let (value, rest) = match rest.strip_prefix(b"\"") {
            Some(quoted) => {
                let end = end_of_quoted(quoted).ok_or(Malformed)?;
                (Value::Quoted(&quoted[..end]), &quoted[end + 1..])
            }
            None => {
                let end = rest.iter().position(|&byte| !byte::is(byte, byte::TOKEN)).unwrap_or(rest.len());
                (Value::Token(&rest[..end]), &rest[end..])
            }
        };
        if value == Value::Token(b"") {
            return Err(Malformed);
        }
        self.0 = rest;
        Ok((name, value))
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Result<(&'a [u8], Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.0 = byte::trim(self.0);
            match self.0 {
                [] => return None,
                [b';', rest @ ..] => self.0 = byte::trim(rest),
                _ => {
                    self.0 = b"";
                    return Some(Err(Malformed));
                }
            }
            if !matches!(self.0.first(), None | Some(b';')) {
                return Some(self.parameter());
            }
        }
    }
}

/// Where the quotation mark is that ends a quoted value.
fn end_of_quoted(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match bytes.get(at..)? {
            [b'\\', b'"' | b'\\', ..] => at += 2,
            [b'"', ..] => return Some(at),
            [_, ..] => at += 1,
            [] => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<Vec<(String, Value<'_>)>> {
        let all: Result<Vec<_>, _> = split(value.as_bytes()).1.collect();
        let name = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        all.ok().map(|all| all.into_iter().map(|(n, value)| (name(n), value)).collect())
    }

    #[test]
    fn parameters_are_tokens_or_quoted() {
        use Value::{Quoted, Token};
        for (value, expected) in [
            ("form-data", &[][..]),
            ("form-data;", &[]),
            ("form-data ; ;; ", &[]),
            ("form-data; name=a", &[("name", Token(b"a"))]),
            ("form-data;name=\"a\";\tx=1", &[("name", Quoted(b"a")), ("x", Token(b"1"))]),
            (r#"form-data; name="a\"; b=\"c""#, &[("name", Quoted(br#"a\"; b=\"c"#))]),
            (r#"form-data; name="C:\x\\"; y="""#, &[("name", Quoted(br"C:\x\\")), ("y", Quoted(b""))]),
        ] {
            let expected: Vec<_> = expected.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
            assert_eq!(read(value), Some(expected), "{value}");
        }
    }

    #[test]
    fn malformed_parameters_are_refused() {
        for value in [
            "form-data name=a",
            "form-data; name",
            "form-data; =a",
            "form-data; name=",
            "form-data; name=;x=1",
            "form-data; name =a",
            "form-data; name= a",
            "form-data; name=a b",
            "form-data; name=\"a",
            "form-data; name=\"a\\\"",
            "form-data; name=\"a\"b",
            "form-data; name=a\"b\"",
            "form-data; na me=a",
            "form-data; name=\u{e9}",
        ] {
            assert_eq!(read(value), None, "{value}");
        }
    }
}
