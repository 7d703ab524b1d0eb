//! What a server hands out: `Set-Cookie: name=value; Path=/; …`.

use std::{
    fmt,
    net::Ipv4Addr,
    time::{Duration, SystemTime},
};

use http::HeaderValue;

use crate::byte;

/// To which requests of other sites a cookie is added (RFC 6265bis §5.4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// To none.
    Strict,
    /// To those that lead here, with a safe method.
    Lax,
    /// To all; browsers want `Secure` with it.
    None,
}

/// A cookie to be set.
///
/// ```
/// use std::time::Duration;
/// use quintet_request::{SameSite, SetCookie};
///
/// let cookie = SetCookie::new("id", "a3").path("/").max_age(Duration::from_secs(60)).http_only().same_site(SameSite::Lax);
/// assert_eq!(cookie.encode().unwrap(), "id=a3; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
/// assert!(SetCookie::new("id", "a;b").encode().is_err());
/// ```
///
/// [`encode`](Self::encode) is the only way to write one, and it writes the cookie as given or not at all: nothing is
/// left out or replaced, so no text can add an attribute or a field, and no cookie arrives with another value.
///
/// # Spec
/// RFC 6265 §4.1. Go: `Cookie.String` (cookie.go:250), which leaves out bytes of a value or a path and a whole domain
/// where this is an error, and writes nothing for a bad name; `Cookie.Valid` (cookie.go:291) refuses the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCookie {
    name: String,
    value: String,
    quoted: bool,
    path: Option<String>,
    domain: Option<String>,
    expires: Option<SystemTime>,
    max_age: Option<Duration>,
    http_only: bool,
    secure: bool,
    same_site: Option<SameSite>,
    partitioned: bool,
}

/// What in a cookie cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetCookieError {
    /// The name is empty or not a token.
    #[error("cookie name is not a token")]
    Name,
    /// The value has a control, `"`, `;`, `\`, or a byte past ASCII.
    #[error("cookie value has a byte that is not allowed")]
    Value,
    /// The path has a control, `;`, or a byte past ASCII.
    #[error("cookie path has a byte that is not allowed")]
    Path,
    /// The domain is neither a domain name nor an IPv4 address.
    #[error("cookie domain is malformed")]
    Domain,
    /// The date is before the year 1601 or past 9999.
    #[error("cookie expires out of range")]
    Expires,
    /// `Partitioned` without `Secure`.
    #[error("partitioned cookie is not secure")]
    Partitioned,
}

impl SetCookie {
    /// A cookie for this session and this path, sent back by every later request.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            quoted: false,
            path: None,
            domain: None,
            expires: None,
            max_age: None,
            http_only: false,
            secure: false,
            same_site: None,
            partitioned: false,
        }
    }

    /// Only for paths that start with this one. An empty one is none: the client takes the directory of the request's
    /// path.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Also for the hosts below this domain. A dot before it is dropped.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Until this moment, in whole seconds: what is left of a second is cut off, so that a moment which is past stays
    /// past. For a short life use [`max_age`](Self::max_age).
    #[must_use]
    pub fn expires(mut self, when: SystemTime) -> Self {
        self.expires = Some(when);
        self
    }

    /// For this long, rounded up to whole seconds: only zero removes the cookie. Goes before `Expires` where both are.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Not to be seen by scripts.
    #[must_use]
    pub fn http_only(mut self) -> Self {
        self.http_only = true;
        self
    }

    /// Over TLS only.
    #[must_use]
    pub fn secure(mut self) -> Self {
        self.secure = true;
        self
    }

    /// Whether other sites' requests carry it.
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = Some(same_site);
        self
    }

    /// One for each site that embeds us. Needs [`secure`](Self::secure).
    #[must_use]
    pub fn partitioned(mut self) -> Self {
        self.partitioned = true;
        self
    }

    /// With quotes around the value, also where it does not need them. An empty value has none.
    #[must_use]
    pub fn quoted(mut self) -> Self {
        self.quoted = true;
        self
    }

    /// The value of a `Set-Cookie` field: `name=value`, then `Path`, `Domain`, `Expires`, `Max-Age`, `HttpOnly`,
    /// `Secure`, `SameSite` and `Partitioned` where they were given. A value with a space or a comma is quoted.
    ///
    /// # Errors
    /// [`SetCookieError`] names the first part that cannot be sent as given.
    ///
    /// # Spec
    /// RFC 6265 §4.1.1. Go: `Cookie.String`, in whose order the attributes are written.
    pub fn encode(&self) -> Result<HeaderValue, SetCookieError> {
        self.validate()?;
        // Every byte of name, value, path and domain was checked; the rest is ours.
        HeaderValue::try_from(Valid(self).to_string()).map_err(|_| SetCookieError::Value)
    }

    /// Whether everything can be written as it is. Go: `Cookie.Valid`.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn validate(&self) -> Result<(), SetCookieError> {
        let refuse = |wrong: bool, error| if wrong { Err(error) } else { Ok(()) };
        refuse(!byte::is_token(self.name.as_bytes()), SetCookieError::Name)?;
        refuse(self.expires.is_some_and(|when| Date::of(when).is_none()), SetCookieError::Expires)?;
        refuse(!byte::all(self.value.as_bytes(), byte::COOKIE), SetCookieError::Value)?;
        refuse(self.path.as_ref().is_some_and(|path| !path.bytes().all(is_path_byte)), SetCookieError::Path)?;
        refuse(self.domain.as_ref().is_some_and(|domain| !is_domain(domain)), SetCookieError::Domain)?;
        refuse(self.partitioned && !self.secure, SetCookieError::Partitioned)
    }
}

/// A cookie that was [validated](SetCookie::validate), as text.
struct Valid<'a>(&'a SetCookie);

impl fmt::Display for Valid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SetCookie { name, value, .. } = self.0;
        let quote = !value.is_empty() && (self.0.quoted || value.contains([' ', ',']));
        let quote = if quote { "\"" } else { "" };
        write!(f, "{name}={quote}{value}{quote}")?;
        if let Some(path) = self.0.path.as_deref().filter(|path| !path.is_empty()) {
            write!(f, "; Path={path}")?;
        }
        if let Some(domain) = &self.0.domain {
            write!(f, "; Domain={}", domain.strip_prefix('.').unwrap_or(domain))?;
        }
        if let Some(date) = self.0.expires.and_then(Date::of) {
            write!(f, "; Expires={date}")?;
        }
        if let Some(age) = self.0.max_age {
            // Up: cut off, the last second of a cookie's life would be zero, and zero deletes it.
            write!(f, "; Max-Age={}", age.as_secs().saturating_add((age.subsec_nanos() > 0).into()))?;
        }
        f.write_str(if self.0.http_only { "; HttpOnly" } else { "" })?;
        f.write_str(if self.0.secure { "; Secure" } else { "" })?;
        f.write_str(match self.0.same_site {
            Some(SameSite::Strict) => "; SameSite=Strict",
            Some(SameSite::Lax) => "; SameSite=Lax",
            Some(SameSite::None) => "; SameSite=None",
            None => "",
        })?;
        f.write_str(if self.0.partitioned { "; Partitioned" } else { "" })
    }
}

impl TryFrom<&SetCookie> for HeaderValue {
    type Error = SetCookieError;

    /// As [`SetCookie::encode`].
    fn try_from(cookie: &SetCookie) -> Result<Self, SetCookieError> {
        cookie.encode()
    }
}

fn is_path_byte(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b';'
}

/// A domain name with at least one letter, or an IPv4 address. Go: `validCookieDomain`, which also takes a dot at the
/// end; browsers do not find such a domain in the name of a host.
fn is_domain(domain: &str) -> bool {
    let name = domain.strip_prefix('.').unwrap_or(domain);
    let is_label = |label: &str| {
        let dashed = label.starts_with('-') || label.ends_with('-');
        let bytes = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=63).contains(&label.len()) && bytes && !dashed
    };
    let has_letter = name.bytes().any(|byte| byte.is_ascii_alphabetic());
    let is_name = domain.len() <= 255 && has_letter && name.split('.').all(is_label);
    is_name || domain.parse::<Ipv4Addr>().is_ok()
}

/// A moment as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
struct Date {
    /// Days since 1601-01-01, a Monday and the start of a 400-year cycle.
    days: u64,
    /// Seconds of the day.
    second: u64,
}

impl Date {
    /// None before 1601, where Go and browsers give up, and after 9999, where four digits end.
    fn of(when: SystemTime) -> Option<Self> {
        const FROM_1601_TO_1970: u64 = 11_644_473_600;
        const FROM_1601_TO_10000: u64 = 265_046_774_400;
        let seconds = match when.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => FROM_1601_TO_1970.checked_add(after.as_secs())?,
            Err(before) => {
                let before = before.duration();
                FROM_1601_TO_1970.checked_sub(before.as_secs())?.checked_sub((before.subsec_nanos() > 0).into())?
            }
        };
        (seconds < FROM_1601_TO_10000).then_some(Self { days: seconds / 86_400, second: seconds % 86_400 })
    }

    /// Year, month from zero, day from one.
    fn civil(&self) -> (u64, usize, u64) {
        // Count years from March, so that the leap day is the last one.
        let days = self.days + 306;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let date = day - (153 * month + 2) / 5 + 1;
        let (year, month) = (1600 + era * 400 + year, month + 2);
        (year + month / 12, (month % 12) as usize, date)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (year, month, date) = self.civil();
        let (day, month) = (DAYS[(self.days % 7) as usize], MONTHS[month]);
        let (hour, minute, second) = (self.second / 3_600, self.second / 60 % 60, self.second % 60);
        write!(f, "{day}, {date:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> SystemTime {
        let distance = Duration::from_secs(seconds.unsigned_abs());
        let epoch = SystemTime::UNIX_EPOCH;
        if seconds < 0 { epoch - distance } else { epoch + distance }
    }

    /// Rows of Go's TestWriteSetCookies that Go writes as they were given.
    #[test]
    fn cookies_are_written_as_go_writes_them() {
        let new = SetCookie::new;
        for (cookie, written) in [
            (new("cookie-1", "v$1"), "cookie-1=v$1"),
            (new("cookie-2", "two").max_age(Duration::from_secs(3600)), "cookie-2=two; Max-Age=3600"),
            (new("cookie-3", "three").domain(".example.com"), "cookie-3=three; Domain=example.com"),
            (new("cookie-4", "four").path("/restricted/"), "cookie-4=four; Path=/restricted/"),
            (new("cookie-7", "seven").domain("127.0.0.1"), "cookie-7=seven; Domain=127.0.0.1"),
            (
                new("cookie-9", "expiring").expires(at(1_257_894_000)),
                "cookie-9=expiring; Expires=Tue, 10 Nov 2009 23:00:00 GMT",
            ),
            (
                new("cookie-10", "expiring-1601").expires(at(-11_644_408_799)),
                "cookie-10=expiring-1601; Expires=Mon, 01 Jan 1601 18:00:01 GMT",
            ),
            (new("cookie-12", "samesite-lax").same_site(SameSite::Lax), "cookie-12=samesite-lax; SameSite=Lax"),
            (
                new("cookie-13", "samesite-strict").same_site(SameSite::Strict),
                "cookie-13=samesite-strict; SameSite=Strict",
            ),
            (new("cookie-14", "samesite-none").same_site(SameSite::None), "cookie-14=samesite-none; SameSite=None"),
            (
                new("cookie-15", "partitioned").secure().partitioned().path("/"),
                "cookie-15=partitioned; Path=/; Secure; Partitioned",
            ),
            (new("special-1", "a z"), "special-1=\"a z\""),
            (new("special-2", " z"), "special-2=\" z\""),
            (new("special-3", "a "), "special-3=\"a \""),
            (new("special-5", "a,z"), "special-5=\"a,z\""),
            (new("special-9", "1").quoted(), "special-9=\"1\""),
            (new("empty-value", ""), "empty-value="),
            (new("empty-value", "").quoted(), "empty-value="),
            (new("special-4", " "), "special-4=\" \""),
            (new("special-6", ",z"), "special-6=\",z\""),
            (new("special-7", "a,"), "special-7=\"a,\""),
            (new("special-8", ","), "special-8=\",\""),
            (new("gone", "").max_age(Duration::ZERO).http_only(), "gone=; Max-Age=0; HttpOnly"),
            (new("no-path", "v").path(""), "no-path=v"),
            (new("space", "v").path("/a b"), "space=v; Path=/a b"),
            (
                new("date", "v").domain("8.8.8.8").expires(at(0)),
                "date=v; Domain=8.8.8.8; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            ),
        ] {
            assert_eq!(cookie.encode().unwrap(), written);
            assert_eq!(HeaderValue::try_from(&cookie).unwrap(), written);
        }
    }

    #[test]
    fn max_age_is_rounded_up_and_only_zero_deletes() {
        for (age, written) in [
            (Duration::ZERO, "0"),
            (Duration::from_nanos(1), "1"),
            (Duration::from_millis(999), "1"),
            (Duration::from_secs(1), "1"),
            (Duration::from_millis(1_001), "2"),
            (Duration::from_secs(86_400), "86400"),
            (Duration::MAX, "18446744073709551615"),
        ] {
            let cookie = SetCookie::new("n", "v").max_age(age).encode().unwrap();
            assert_eq!(cookie, format!("n=v; Max-Age={written}"), "{age:?}");
        }
    }

    /// Rows of Go's TestCookieSanitizeValue and TestCookieSanitizePath: what Go leaves out, this refuses.
    #[test]
    fn no_text_can_add_an_attribute_or_a_field() {
        for value in ["foo;bar", "foo\\bar", "foo\"bar", "\0\x7e\x7f\u{80}", "\"withquotes\"", "x\r\nSet-Cookie: y=z"] {
            assert_eq!(SetCookie::new("n", value).encode(), Err(SetCookieError::Value), "{value:?}");
        }
        for path in ["/with;semi", "/a\r\nb", "/caf\u{e9}", "/\0", "/\x7f", "/a; Domain=evil.example"] {
            assert_eq!(SetCookie::new("n", "").path(path).encode(), Err(SetCookieError::Path), "{path:?}");
        }
    }

    #[test]
    fn every_byte_of_a_name_and_a_value_is_sent_or_refused() {
        for byte in '\0'..='\u{ff}' {
            let text = format!("a{byte}b");
            match SetCookie::new(text.as_str(), "v").encode() {
                Ok(written) => assert_eq!(written, format!("{text}=v")),
                Err(error) => assert_eq!((error, byte::is_token(text.as_bytes())), (SetCookieError::Name, false)),
            }
            match SetCookie::new("n", text.as_str()).encode() {
                Ok(written) => assert_eq!(crate::Cookies::parse(written.as_bytes()).get("n"), Some(text.as_str())),
                Err(error) => {
                    assert_eq!((error, byte::all(text.as_bytes(), byte::COOKIE)), (SetCookieError::Value, false));
                }
            }
        }
    }

    /// What Go's `validCookieDomain` says of each, but for the dot at the end.
    #[test]
    fn a_domain_is_a_name_with_a_letter_or_an_ipv4_address() {
        let label = "a".repeat(63);
        for (domain, valid) in [
            ("example.com", true),
            (".example.com", true),
            ("EXAMPLE.com", true),
            ("localhost", true),
            ("a", true),
            ("1a.2", true),
            ("xn--bcher-kva.example", true),
            (label.as_str(), true),
            ("127.0.0.1", true),
            (".", false),
            ("..a", false),
            ("a..b", false),
            ("-a.b", false),
            ("a-.b", false),
            ("a.-b", false),
            ("a.b-", false),
            ("1.2.3", false),
            ("256.0.0.1", false),
            (".127.0.0.1", false),
            ("[::1]", false),
            ("a_b.c", false),
            ("a b", false),
            ("a:80", false),
            ("b\u{fc}cher.example", false),
            // Go takes this one.
            ("example.com.", false),
        ] {
            let encoded = SetCookie::new("n", "v").domain(domain).encode();
            let expected = format!("n=v; Domain={}", domain.strip_prefix('.').unwrap_or(domain));
            assert_eq!(encoded.ok().map(|value| value == expected), valid.then_some(true), "{domain}");
        }
    }

    #[test]
    fn what_would_be_left_out_is_no_header_value() {
        let new = SetCookie::new;
        for (cookie, error) in [
            (new("", "v"), SetCookieError::Name),
            (new("a b", "v"), SetCookieError::Name),
            (new("\t", ""), SetCookieError::Name),
            (new("\r", ""), SetCookieError::Name),
            (new("a\nb", "v"), SetCookieError::Name),
            (new("a\rb", "v"), SetCookieError::Name),
            (new("cookie-5", "five").domain("wrong;bad.abc"), SetCookieError::Domain),
            (new("cookie-6", "six").domain("bad-.abc"), SetCookieError::Domain),
            (new("cookie-8", "eight").domain("::1"), SetCookieError::Domain),
            (new("cookie-11", "invalid-expiry").expires(at(-11_644_473_601)), SetCookieError::Expires),
            (new("n", "a;b"), SetCookieError::Value),
            (new("n", "\"v\""), SetCookieError::Value),
            (new("n", "\u{e9}"), SetCookieError::Value),
            (new("n", "v").path("/a;b"), SetCookieError::Path),
            (new("n", "v").domain("-bad"), SetCookieError::Domain),
            (new("n", "v").domain(""), SetCookieError::Domain),
            (new("n", "v").domain("123"), SetCookieError::Domain),
            (new("n", "v").domain("a..b"), SetCookieError::Domain),
            (new("n", "v").domain("a".repeat(64)), SetCookieError::Domain),
            (new("n", "v").expires(at(-20_000_000_000)), SetCookieError::Expires),
            (new("n", "v").expires(at(253_402_300_800)), SetCookieError::Expires),
            (new("n", "v").partitioned(), SetCookieError::Partitioned),
        ] {
            assert_eq!(cookie.encode(), Err(error), "{cookie:?}");
            assert_eq!(HeaderValue::try_from(&cookie), Err(error), "{cookie:?}");
        }
        let fine = new("n", "v").path("/").domain("example.com").secure().partitioned();
        assert_eq!(HeaderValue::try_from(&fine).unwrap(), "n=v; Path=/; Domain=example.com; Secure; Partitioned");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, date) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
            (-11_644_473_600, "Mon, 01 Jan 1601 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(Date::of(at(seconds)).unwrap().to_string(), date);
        }
        assert!(Date::of(at(-11_644_473_600) - Duration::from_nanos(100)).is_none());
        assert!(Date::of(at(253_402_300_800)).is_none());
    }
}
