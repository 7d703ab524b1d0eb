//! A strict reader of `Set-Cookie`: for tests of programs that set cookies.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{HttpDate, SameSite, SetCookie, byte};

/// The most bytes of name and value together; browsers drop a larger cookie (RFC 6265bis §5.6).
const MAX_PAIR_BYTES: usize = 4096;
/// The most bytes of the value of an attribute; browsers ignore a larger one (RFC 6265bis §5.6).
const MAX_ATTRIBUTE_BYTES: usize = 1024;

/// Why a `Set-Cookie` field is not one that a server should send. Positions are offsets in the value of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetCookieParseError {
    /// There is no `=` after the name.
    #[error("the cookie has no equals sign")]
    NoEquals,
    /// The name is empty or not a token.
    #[error("the name of the cookie is not a token")]
    Name,
    /// The value has a byte that is not allowed, or one that is allowed only in quotes, or only one quote.
    #[error("the value of the cookie has a byte that is not allowed at byte {at}")]
    Value {
        /// Where the byte is.
        at: usize,
    },
    /// Name and value have more than 4096 bytes, or an attribute has more than 1024: browsers ignore it.
    #[error("the cookie is too long for browsers at byte {at}")]
    TooLong {
        /// Where the part begins.
        at: usize,
    },
    /// An attribute is unknown, has no value or one too many, or does not follow `; `.
    #[error("the attribute at byte {at} is malformed or unknown")]
    Attribute {
        /// Where it begins.
        at: usize,
    },
    /// The value of an attribute is malformed: a date, a number, a domain, a path that does not begin with `/`.
    #[error("the value of the attribute at byte {at} is malformed")]
    AttributeValue {
        /// Where the attribute begins.
        at: usize,
    },
    /// An attribute occurs twice.
    #[error("the attribute at byte {at} is there twice")]
    Duplicate {
        /// Where the second one begins.
        at: usize,
    },
    /// `SameSite=None` or `Partitioned` without `Secure`: browsers drop the cookie.
    #[error("the cookie is not secure, which its attributes require")]
    NotSecure,
    /// A cookie named `__Secure-…` is not `Secure`, or one named `__Host-…` is not `Secure`, has a `Domain` or a `Path`
    /// other than `/`: browsers drop the cookie.
    #[error("the prefix of the name requires other attributes")]
    Prefix,
}

impl SetCookie {
    /// Reads the value of a `Set-Cookie` field strictly: what a browser would repair, ignore or drop is an error. It is for
    /// tests of programs that set cookies. Go: `ParseSetCookie`, which is lenient.
    ///
    /// | `Set-Cookie` | RFC 6265bis | Go | Quintet |
    /// |---|---|---|---|
    /// | `a=b`, `a=`, `a="b"` | §4.1.1 | read | read |
    /// | `a="b c"`, `a="b,c"` | not its grammar; browsers take it | read | read: [`encode`](Self::encode) writes it |
    /// | `a=b c`, `a=b,c`, `a="b`, `a=b"c`, `a=\`, `a=é` | not its grammar | some read | error |
    /// | `a`, `=b`, `a b=c`, `a =b` | not its grammar | some read | error |
    /// | `a=b;Path=/`, `a=b ; Path=/`, `a=b;`, `a=b; ` | §4.1.1: `; ` | read | error |
    /// | `path=/`, `SAMESITE=lax` | §4.1.1: any case | read | read |
    /// | `Path=`, `Path=x` | §5.6.4: the default path | read | error |
    /// | `Domain=.a.example`, `Domain=` | a dot is ignored | read | error |
    /// | `Max-Age=0`, `Max-Age=60` | §4.1.1, 0 by §5.6.2 | read | read |
    /// | `Max-Age=-1`, `Max-Age=060`, `Max-Age=x` | `-1`: §5.6.2 | some read | error |
    /// | `Expires=Sun, 06 Nov 1994 08:49:37 GMT` | §4.1.1 | read | read |
    /// | any other form of a date | SHOULD NOT | some read | error |
    /// | an attribute twice, one that is unknown, `Secure=x` | SHOULD NOT | read | error |
    /// | `SameSite=None`, `Partitioned` without `Secure`; `__Host-a=b` without `Secure; Path=/` | dropped | read | error |
    ///
    /// ```
    /// use quintet_request::{SetCookie, SetCookieParseError};
    ///
    /// let cookie = SetCookie::parse(b"id=a3; Path=/; HttpOnly; SameSite=Lax").unwrap();
    /// assert_eq!((cookie.name(), cookie.value(), cookie.is_http_only(), cookie.is_secure()), ("id", "a3", true, false));
    /// assert_eq!(SetCookie::parse(b"id=a3;Path=/"), Err(SetCookieParseError::Attribute { at: 5 }));
    /// assert_eq!(SetCookie::parse(b"id=a3; SameSite=None"), Err(SetCookieParseError::NotSecure));
    /// ```
    ///
    /// # Errors
    /// [`SetCookieParseError`]; a cookie that was read is [written](Self::encode) without an error.
    ///
    /// # Spec
    /// RFC 6265bis §4.1.1, §5.6, §5.7.
    pub fn parse(value: &[u8]) -> Result<Self, SetCookieParseError> {
        let end = value.iter().position(|&byte| byte == b';').unwrap_or(value.len());
        let mut cookie = parse_pair(&value[..end])?;
        let (mut seen, mut at) = (Seen::default(), end);
        while at < value.len() {
            let Some(rest) = value[at..].strip_prefix(b"; ") else {
                return Err(SetCookieParseError::Attribute { at });
            };
            let len = rest.iter().position(|&byte| byte == b';').unwrap_or(rest.len());
            cookie = parse_attribute(cookie, &rest[..len], at + 2, &mut seen)?;
            at += 2 + len;
        }
        check(cookie, &seen)
    }
}

/// The attributes that were read.
#[derive(Default)]
struct Seen {
    names: Vec<String>,
    is_root: bool,
    needs_secure: bool,
}

fn parse_pair(pair: &[u8]) -> Result<SetCookie, SetCookieParseError> {
    let equals = pair.iter().position(|&byte| byte == b'=').ok_or(SetCookieParseError::NoEquals)?;
    let (name, value) = (&pair[..equals], &pair[equals + 1..]);
    if !byte::is_token(name) {
        return Err(SetCookieParseError::Name);
    }
    let (inner, is_quoted) = match value {
        [b'"', inner @ .., b'"'] => (inner, true),
        value => (value, false),
    };
    let is_allowed = |byte: u8| byte::is(byte, byte::COOKIE) && (is_quoted || !matches!(byte, b' ' | b','));
    if let Some(i) = inner.iter().position(|&byte| !is_allowed(byte)) {
        return Err(SetCookieParseError::Value { at: equals + 1 + usize::from(is_quoted) + i });
    }
    if name.len() + value.len() > MAX_PAIR_BYTES {
        return Err(SetCookieParseError::TooLong { at: 0 });
    }
    // Both are ASCII, as was checked.
    let cookie = SetCookie::new(text(name), text(inner));
    Ok(if is_quoted { cookie.quoted() } else { cookie })
}

/// Reads one attribute, which begins at the offset `at`.
fn parse_attribute(
    cookie: SetCookie,
    attribute: &[u8],
    at: usize,
    seen: &mut Seen,
) -> Result<SetCookie, SetCookieParseError> {
    let equals = attribute.iter().position(|&byte| byte == b'=');
    let (name, value) = equals.map_or((attribute, None), |i| (&attribute[..i], Some(&attribute[i + 1..])));
    let name = text(name).to_ascii_lowercase();
    if value.is_some_and(|value| value.len() > MAX_ATTRIBUTE_BYTES) {
        return Err(SetCookieParseError::TooLong { at });
    }
    let read = match (name.as_str(), value) {
        ("secure", None) => Some(cookie.secure()),
        ("httponly", None) => Some(cookie.http_only()),
        ("partitioned", None) => {
            seen.needs_secure = true;
            Some(cookie.partitioned())
        }
        ("path", Some(value)) => {
            seen.is_root = value == b"/";
            path(value).map(|path| cookie.path(path))
        }
        ("domain", Some(value)) => domain(value).map(|domain| cookie.domain(domain)),
        ("max-age", Some(value)) => seconds(value).map(|age| cookie.max_age(age)),
        ("expires", Some(value)) => date(value).map(|when| cookie.expires(when)),
        ("samesite", Some(value)) => same_site(value).map(|same_site| {
            seen.needs_secure |= same_site == SameSite::None;
            cookie.same_site(same_site)
        }),
        _ => return Err(SetCookieParseError::Attribute { at }),
    };
    if seen.names.contains(&name) {
        return Err(SetCookieParseError::Duplicate { at });
    }
    seen.names.push(name);
    read.ok_or(SetCookieParseError::AttributeValue { at })
}

/// What browsers require of the whole cookie.
fn check(cookie: SetCookie, seen: &Seen) -> Result<SetCookie, SetCookieParseError> {
    if seen.needs_secure && !cookie.is_secure() {
        return Err(SetCookieParseError::NotSecure);
    }
    let name = cookie.name().to_ascii_lowercase();
    let is_host = name.starts_with("__host-");
    let is_bound = seen.is_root && !seen.names.iter().any(|name| name == "domain");
    if (is_host || name.starts_with("__secure-")) && !cookie.is_secure() || is_host && !is_bound {
        return Err(SetCookieParseError::Prefix);
    }
    Ok(cookie)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn path(value: &[u8]) -> Option<String> {
    let is_path = value.first() == Some(&b'/') && value.iter().all(|byte| matches!(byte, b' '..=b'~'));
    is_path.then(|| text(value))
}

/// A name or an address without a dot before it.
fn domain(value: &[u8]) -> Option<String> {
    let domain = text(value);
    let is_valid = SetCookie::new("a", "").domain(domain.clone()).validate().is_ok();
    (is_valid && !domain.starts_with('.')).then_some(domain)
}

/// Digits without a zero before them.
fn seconds(value: &[u8]) -> Option<Duration> {
    let is_number = value.iter().all(u8::is_ascii_digit) && (value.len() == 1 || value.first() != Some(&b'0'));
    is_number.then(|| text(value).parse().ok()).flatten().map(Duration::from_secs)
}

/// A date in the form that servers write. Times before 1970 are read too: they delete the cookie.
fn date(value: &[u8]) -> Option<SystemTime> {
    let date = HttpDate::parse(value).filter(|date| date.to_string().as_bytes() == value)?;
    let distance = Duration::from_secs(date.unix().unsigned_abs());
    if date.unix() < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

fn same_site(value: &[u8]) -> Option<SameSite> {
    match text(value).to_ascii_lowercase().as_str() {
        "strict" => Some(SameSite::Strict),
        "lax" => Some(SameSite::Lax),
        "none" => Some(SameSite::None),
        _ => None,
    }
}

#[cfg(test)]
#[path = "set_cookie_parse_tests.rs"]
mod tests;
