//! An element of the `Forwarded` field: what one proxy says about one request.

use std::borrow::Cow;

use super::ForwardedError;
use crate::byte;

/// The most parameters of one element. RFC 7239 has four, and each new one is compared with those before it: a field of
/// nothing but parameters would take time by the square of its length.
const MAX_PARAMETERS: usize = 32;

/// An element of the list: the parameters that matter here, unquoted, each with the offset of its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ForwardedElement<'a> {
    pub(super) node: Option<(Cow<'a, str>, usize)>,
    pub(super) proto: Option<(Cow<'a, str>, usize)>,
    pub(super) host: Option<(Cow<'a, str>, usize)>,
}

/// Reads the elements of one field line.
///
/// Shape: `element *( OWS "," OWS element )`, `element = [ pair ] *( OWS ";" OWS [ pair ] )`, `pair = token "=" value`;
/// the value is a token or a quoted string. More than the grammar of RFC 7239 §4 allows: blanks around a semicolon, and
/// `:`, `[` and `]` in a value without quotes, because proxies send both and neither can be read in two ways. Empty
/// elements of the list are left out (RFC 9110 §5.6.1.2).
///
/// # Errors
/// [`ForwardedError::Syntax`], also for more than 32 parameters in one element. A quote that the client left open does not hide the element that a proxy appended to its
/// line. The proxy's text has an even number of quotes, so the line has an odd number, and one of them is left open.
pub(super) fn parse_elements(line: &[u8]) -> Result<Vec<ForwardedElement<'_>>, ForwardedError> {
    let mut cursor = Cursor { line, at: 0 };
    let (mut elements, mut element, mut seen) = (Vec::new(), ForwardedElement::default(), Vec::new());
    let mut empty = true;
    loop {
        cursor.skip_blanks();
        if !matches!(cursor.peek(), None | Some(b',' | b';')) {
            let begin = cursor.at;
            let name = cursor.token(|byte| byte::is(byte, byte::TOKEN))?;
            let is_twice = seen.iter().any(|other: &&str| other.eq_ignore_ascii_case(name));
            if is_twice || seen.len() == MAX_PARAMETERS {
                return Err(ForwardedError::Syntax { at: begin });
            }
            seen.push(name);
            cursor.expect(b'=')?;
            let at = cursor.at;
            let value = Some((cursor.value()?, at));
            match () {
                () if name.eq_ignore_ascii_case("for") => element.node = value,
                () if name.eq_ignore_ascii_case("proto") => element.proto = value,
                () if name.eq_ignore_ascii_case("host") => element.host = value,
                () => {}
            }
            empty = false;
            cursor.skip_blanks();
        }
        match cursor.next() {
            Some(b';') => empty = false,
            end @ (Some(b',') | None) => {
                if !empty {
                    elements.push(std::mem::take(&mut element));
                }
                (empty, _) = (true, seen.clear());
                if end.is_none() {
                    return Ok(elements);
                }
            }
            Some(_) => return Err(ForwardedError::Syntax { at: cursor.at - 1 }),
        }
    }
}

/// A place in a line.
struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let next = self.peek();
        self.at += usize::from(next.is_some());
        next
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), ForwardedError> {
        if self.peek() != Some(byte) {
            return Err(ForwardedError::Syntax { at: self.at });
        }
        self.at += 1;
        Ok(())
    }

    /// One or more bytes of a class, which is ASCII.
    fn token(&mut self, class: impl Fn(u8) -> bool) -> Result<&'a str, ForwardedError> {
        let rest = &self.line[self.at..];
        let len = rest.iter().position(|&byte| !class(byte)).unwrap_or(rest.len());
        let text = std::str::from_utf8(&rest[..len]).ok().filter(|text| !text.is_empty());
        let text = text.ok_or(ForwardedError::Syntax { at: self.at })?;
        self.at += len;
        Ok(text)
    }

    /// A token, or the content of a quoted string (RFC 9110 §5.6.4). Bytes of the latter that are not ASCII are refused:
    /// no node, scheme or host has them.
    fn value(&mut self) -> Result<Cow<'a, str>, ForwardedError> {
        if self.peek() != Some(b'"') {
            return self.token(|byte| byte::is(byte, byte::TOKEN) || b":[]".contains(&byte)).map(Cow::Borrowed);
        }
        self.at += 1;
        let (begin, mut escaped) = (self.at, false);
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => (escaped, self.at) = (true, self.at + 1),
                _ => {}
            }
            match self.peek() {
                Some(b'\t' | b' '..=b'~') => self.at += 1,
                Some(_) | None => return Err(ForwardedError::Syntax { at: self.at }),
            }
        }
        let text = std::str::from_utf8(&self.line[begin..self.at]).expect("the loop passes ASCII only");
        self.at += 1;
        Ok(if escaped { Cow::Owned(unescape(text)) } else { Cow::Borrowed(text) })
    }
}

/// The text without the backslashes before escaped bytes.
fn unescape(text: &str) -> String {
    let mut chars = text.chars();
    let mut plain = String::with_capacity(text.len());
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node_proto_host(line: &str) -> Result<Vec<[Option<String>; 3]>, ForwardedError> {
        let own = |value: Option<(Cow<'_, str>, usize)>| value.map(|(text, _)| text.into_owned());
        let elements = parse_elements(line.as_bytes())?;
        Ok(elements.into_iter().map(|element| [own(element.node), own(element.proto), own(element.host)]).collect())
    }

    /// The examples of RFC 7239 §4 and §7, and the forms beside the grammar that proxies send.
    #[test]
    fn forwarded_elements_of_the_rfc_are_read() {
        for (line, expected) in [
            (r#"for="_gazonk""#, &[["_gazonk", "", ""]][..]),
            (r#"For="[2001:db8:cafe::17]:4711""#, &[["[2001:db8:cafe::17]:4711", "", ""]]),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", &[["192.0.2.60", "http", ""]]),
            ("for=192.0.2.43, for=198.51.100.17", &[["192.0.2.43", "", ""], ["198.51.100.17", "", ""]]),
            ("for=_hidden, for=_SEVKISEK", &[["_hidden", "", ""], ["_SEVKISEK", "", ""]]),
            (
                r#"for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown"#,
                &[["192.0.2.43", "", ""], ["[2001:db8:cafe::17]", "", ""], ["unknown", "", ""]],
            ),
            ("proto=https;HOST=example.com:8443", &[["", "https", "example.com:8443"]]),
            (r#"for="a\"b\\,;c""#, &[[r#"a"b\,;c"#, "", ""]]),
            (r#"for=a;x="for=b, for=c";y=z"#, &[["a", "", ""]]),
            ("for=[::1]:80 ; proto=http\t,\tfor=1.2.3.4:5", &[["[::1]:80", "http", ""], ["1.2.3.4:5", "", ""]]),
            ("for=a;;proto=b;", &[["a", "b", ""]]),
            (", ,for=a,,", &[["a", "", ""]]),
            (";", &[["", "", ""]]),
            ("", &[]),
            (" \t", &[]),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .map(|row| row.map(|text| Some(text.to_owned()).filter(|text| !text.is_empty())))
                .collect();
            assert_eq!(node_proto_host(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn malformed_forwarded_elements_are_refused_with_their_place() {
        for (line, at) in [
            ("192.0.2.1", 9),
            ("for", 3),
            ("for=", 4),
            ("for =a", 3),
            ("for= a", 4),
            ("=a", 0),
            ("for=a b", 6),
            ("for=a;for=b", 6),
            ("for=a;For=b", 6),
            ("for=a;x=1;X=2", 10),
            ("for=\"a", 6),
            ("for=\"a\\\"", 8),
            ("for=\"a\\", 7),
            ("for=\"a\"b", 7),
            ("for=a\"b\"", 5),
            ("for=\"\u{e9}\"", 5),
            ("for=\u{e9}", 4),
            ("for=a=b", 5),
            ("for=a, b", 8),
            ("for=\"\\\u{e9}\"", 6),
            ("for=a/b", 5),
        ] {
            assert_eq!(parse_elements(line.as_bytes()), Err(ForwardedError::Syntax { at }), "{line:?}");
        }
    }

    #[test]
    fn the_parameters_of_a_forwarded_element_are_bounded() {
        let line = |n: usize| (0..n).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join(";");
        assert_eq!(parse_elements(line(MAX_PARAMETERS).as_bytes()).map(|all| all.len()), Ok(1));
        let whole = line(MAX_PARAMETERS).len();
        let refused = Err(ForwardedError::Syntax { at: whole + 1 });
        assert_eq!(parse_elements(line(MAX_PARAMETERS + 1).as_bytes()), refused);
        // Of one element, and not of the line.
        assert_eq!(parse_elements(["for=a"; 1000].join(",").as_bytes()).map(|all| all.len()), Ok(1000));
    }

    /// A client that leaves a quote open hides nothing: with whatever a proxy appends, the line is malformed.
    #[test]
    fn an_open_quote_never_hides_a_later_forwarded_element() {
        for open in ["for=\"", "for=9.9.9.9, for=\"x", "for=a;x=\"", "for=\"\\\"", "for=\"\\"] {
            for appended in
                ["for=192.0.2.1", "for=\"192.0.2.1:80\"", "for=\"[::1]\";proto=https;by=\"_a\"", "proto=\"https\""]
            {
                let line = format!("{open}, {appended}");
                assert!(parse_elements(line.as_bytes()).is_err(), "{line}");
            }
        }
    }
}
