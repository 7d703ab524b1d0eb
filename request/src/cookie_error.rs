//! A strict reader of `Cookie`: for tests of clients.

use crate::{Cookies, byte};

/// Why the value of a `Cookie` field is not what a client should send. Positions are offsets in the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// A name is empty or not a token, or no `=` follows it.
    #[error("the cookie at byte {at} has no name")]
    Name {
        /// Where the cookie begins.
        at: usize,
    },
    /// A value has a byte that is not allowed, or one that is allowed only in quotes, or only one quote.
    #[error("the value of a cookie has a byte that is not allowed at byte {at}")]
    Value {
        /// Where the byte is.
        at: usize,
    },
    /// Two cookies are not separated by `; `, or the last one is followed by something.
    #[error("the separator of two cookies is malformed at byte {at}")]
    Separator {
        /// Where the `;` is.
        at: usize,
    },
    /// There are more than 3,000 cookies, which no server reads.
    #[error("there are more than {limit} cookies")]
    TooMany {
        /// The limit.
        limit: usize,
    },
}

impl<'a> Cookies<'a> {
    /// Reads the value of a `Cookie` field strictly: what [`parse`](Self::parse) skips or repairs is an error. It is for
    /// tests of clients, as `parse` is for servers. Go: `ParseCookie`, which trims.
    ///
    /// | `Cookie` | RFC 6265bis §4.2.1 | [`parse`](Self::parse) | this |
    /// |---|---|---|---|
    /// | `a=b`, `a=b; c=d`, `a=`, `a="b"` | read | read | read |
    /// | `a="b c"`, `a="b,c"` | not its grammar | read | read: a server may have set it so |
    /// | `a=b c`, `a=b,c` | not its grammar | read | error |
    /// | `a`, `=b`, `a =b` | not its grammar | some read | error |
    /// | `a="b`, `a=\`, `a=é` | not its grammar | skipped | error |
    /// | the empty value, `a=b;c=d`, `a=b;  c=d`, `a=b;`, ` a=b` | not its grammar | read | error |
    ///
    /// ```
    /// use quintet_request::{CookieError, Cookies};
    ///
    /// let cookies = Cookies::parse_strict(b"theme=dark; id=a3").unwrap();
    /// assert_eq!(cookies.get("id"), Some("a3"));
    /// assert_eq!(Cookies::parse_strict(b"theme=dark;id=a3").unwrap_err(), CookieError::Separator { at: 10 });
    /// ```
    ///
    /// # Errors
    /// [`CookieError`].
    pub fn parse_strict(value: &'a [u8]) -> Result<Self, CookieError> {
        let (mut at, mut count) = (0, 0);
        loop {
            let rest = &value[at..];
            let len = rest.iter().position(|&byte| byte == b';').unwrap_or(rest.len());
            check_pair(&rest[..len], at)?;
            count += 1;
            if count > Self::MAX_COOKIES {
                return Err(CookieError::TooMany { limit: Self::MAX_COOKIES });
            }
            at += len;
            if at == value.len() {
                return Ok(Self::parse(value));
            }
            if value.get(at + 1) != Some(&b' ') || value.len() == at + 2 {
                return Err(CookieError::Separator { at });
            }
            at += 2;
        }
    }
}

/// Checks one pair, which begins at the offset `at`.
fn check_pair(pair: &[u8], at: usize) -> Result<(), CookieError> {
    let equals = pair.iter().position(|&byte| byte == b'=').ok_or(CookieError::Name { at })?;
    if !byte::is_token(&pair[..equals]) {
        return Err(CookieError::Name { at });
    }
    let (value, is_quoted) = match &pair[equals + 1..] {
        [b'"', inner @ .., b'"'] => (inner, true),
        value => (value, false),
    };
    let is_allowed = |byte: u8| byte::is(byte, byte::COOKIE) && (is_quoted || !matches!(byte, b' ' | b','));
    match value.iter().position(|&byte| !is_allowed(byte)) {
        Some(i) => Err(CookieError::Value { at: at + equals + 1 + usize::from(is_quoted) + i }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_read_strictly() {
        for (value, pairs) in [
            ("a=b", &[("a", "b")][..]),
            ("a=b; c=d; a=", &[("a", "b"), ("c", "d"), ("a", "")]),
            ("a=\"b c,d\"", &[("a", "b c,d")]),
            ("a=b=c", &[("a", "b=c")]),
        ] {
            let cookies = Cookies::parse_strict(value.as_bytes()).unwrap();
            assert!(cookies.iter().map(|cookie| (cookie.name, cookie.value)).eq(pairs.iter().copied()), "{value}");
        }
    }

    #[test]
    fn a_cookie_that_a_server_repairs_is_refused() {
        use CookieError::*;
        for (value, error) in [
            ("", Name { at: 0 }),
            ("a", Name { at: 0 }),
            ("=b", Name { at: 0 }),
            (" a=b", Name { at: 0 }),
            ("a =b", Name { at: 0 }),
            ("a=b; c", Name { at: 5 }),
            ("a=b;  c=d", Name { at: 5 }),
            ("a=b c", Value { at: 3 }),
            ("a=b,c", Value { at: 3 }),
            ("a= b", Value { at: 2 }),
            ("a=\"b", Value { at: 2 }),
            ("a=\"b\"\"", Value { at: 4 }),
            ("a=\\", Value { at: 2 }),
            ("a=\u{e9}", Value { at: 2 }),
            ("a=b\t", Value { at: 3 }),
            ("a=b;c=d", Separator { at: 3 }),
            ("a=b;", Separator { at: 3 }),
            ("a=b; ", Separator { at: 3 }),
        ] {
            assert_eq!(Cookies::parse_strict(value.as_bytes()).map(|_| ()), Err(error), "{value:?}");
        }
        let many = vec!["a=1"; Cookies::MAX_COOKIES].join("; ");
        assert!(Cookies::parse_strict(many.as_bytes()).is_ok());
        let error = Cookies::parse_strict((many + "; a=1").as_bytes()).unwrap_err();
        assert_eq!(error, TooMany { limit: Cookies::MAX_COOKIES });
    }
}
