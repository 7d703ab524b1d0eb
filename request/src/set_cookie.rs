//! The cookies of a reply: `Set-Cookie: name=value; Path=/; …`.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, SystemTime},
};

use http::HeaderValue;

use crate::{byte, http_date::HttpDate};

/// The requests from other sites that a browser adds a cookie to (RFC 6265bis §5.4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// None.
    Strict,
    /// Those that navigate to this site with a safe method.
    Lax,
    /// All. Browsers require `Secure` with it.
    None,
}

/// A cookie that a reply sets.
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
/// [`encode`](Self::encode) writes the cookie exactly as given, or returns an error. It leaves out and replaces
/// nothing, so no text can add an attribute or a field, or change the value that arrives.
///
/// # Spec
/// RFC 6265 §4.1. Go: `Cookie.String` (cookie.go:250), which leaves out bytes of a value or a path and a whole domain
/// where this is an error, and returns an empty string for a bad name; `Cookie.Valid` (cookie.go:291) refuses the same.
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

/// The part of a cookie that cannot be sent.
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
    /// Makes a cookie without attributes: browsers send it for the directory of the request's path, until they close.
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

    /// Sets `Path`: the cookie is sent only for paths below this one. An empty path is not written; the client then
    /// takes the directory of the request's path.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Sets `Domain`: the cookie is also sent to the hosts below this domain. A dot at the start is dropped.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Sets `Expires`: the cookie is valid until this time. It is rounded down to whole seconds, so that a time in the
    /// past stays in the past. For a short life use [`max_age`](Self::max_age).
    #[must_use]
    pub fn expires(mut self, when: SystemTime) -> Self {
        self.expires = Some(when);
        self
    }

    /// Sets `Max-Age`: the cookie is valid for this time. It is rounded up to whole seconds, so that only zero deletes
    /// the cookie. Clients prefer it to `Expires`.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Sets `HttpOnly`: scripts cannot read the cookie.
    #[must_use]
    pub fn http_only(mut self) -> Self {
        self.http_only = true;
        self
    }

    /// Sets `Secure`: the cookie is sent over TLS only.
    #[must_use]
    pub fn secure(mut self) -> Self {
        self.secure = true;
        self
    }

    /// Sets `SameSite`: which requests from other sites have the cookie.
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = Some(same_site);
        self
    }

    /// Sets `Partitioned`: one cookie for each site that embeds this one. It needs [`secure`](Self::secure).
    #[must_use]
    pub fn partitioned(mut self) -> Self {
        self.partitioned = true;
        self
    }

    /// Writes quotes around the value, also if it needs none. An empty value has no quotes.
    #[must_use]
    pub fn quoted(mut self) -> Self {
        self.quoted = true;
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value, without quotes around it.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether the cookie has `HttpOnly`.
    #[must_use]
    pub fn is_http_only(&self) -> bool {
        self.http_only
    }

    /// Whether the cookie has `Secure`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// How long a client keeps the cookie that it receives at this time: zero if the cookie deletes the one that the client
    /// has, `None` if the client keeps it until it closes. `Max-Age` wins over `Expires`.
    ///
    /// # Spec
    /// RFC 6265bis §5.7, step 3.
    #[must_use]
    pub fn lifetime(&self, now: SystemTime) -> Option<Duration> {
        let left = |when: SystemTime| when.duration_since(now).unwrap_or_default();
        self.max_age.or_else(|| self.expires.map(left))
    }

    /// The path that the cookie is for, if a client received it for `set_by`, the path of a request: its `Path`, else the
    /// directory of `set_by`.
    ///
    /// # Spec
    /// RFC 6265bis §5.1.4, §5.6.4.
    #[must_use]
    pub fn effective_path<'a>(&'a self, set_by: &'a str) -> &'a str {
        let directory = match set_by.rfind('/') {
            None | Some(0) => "/",
            Some(last) => &set_by[..last],
        };
        self.path.as_deref().filter(|path| path.starts_with('/')).unwrap_or(directory)
    }

    /// Whether a client that received the cookie for `set_by`, the path of a request, sends it for `path`: one of its
    /// [effective path](Self::effective_path), or below. Both are paths without a query.
    ///
    /// # Spec
    /// RFC 6265bis §5.1.4.
    #[must_use]
    pub fn path_matches(&self, set_by: &str, path: &str) -> bool {
        let own = self.effective_path(set_by);
        let Some(below) = path.strip_prefix(own) else { return false };
        below.is_empty() || own.ends_with('/') || below.starts_with('/')
    }

    /// Whether a client that received the cookie from the host `set_by` sends it to `host`. Without `Domain` that is the
    /// same host only; else the domain and each host below it, and the cookie is dropped if `set_by` is none of them.
    ///
    /// # Spec
    /// RFC 6265bis §5.1.3, §5.7.
    #[must_use]
    pub fn domain_matches(&self, set_by: &str, host: &str) -> bool {
        let Some(domain) = self.domain.as_deref().filter(|domain| !domain.is_empty()) else {
            return set_by.eq_ignore_ascii_case(host);
        };
        let domain = domain.strip_prefix('.').unwrap_or(domain);
        let is_below = |host: &str| {
            let Some((rest, end)) = host.len().checked_sub(domain.len()).and_then(|at| host.split_at_checked(at))
            else {
                return false;
            };
            end.eq_ignore_ascii_case(domain)
                && (rest.is_empty() || rest.ends_with('.') && host.parse::<IpAddr>().is_err())
        };
        is_below(set_by) && is_below(host)
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
        // Every byte of name, value, path and domain was checked, and the other bytes are constants.
        HeaderValue::try_from(Valid(self).to_string()).map_err(|_| SetCookieError::Value)
    }

    /// Checks whether the cookie can be written as given. Go: `Cookie.Valid`.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn validate(&self) -> Result<(), SetCookieError> {
        let refuse = |wrong: bool, error| if wrong { Err(error) } else { Ok(()) };
        refuse(!byte::is_token(self.name.as_bytes()), SetCookieError::Name)?;
        refuse(self.expires.is_some_and(|when| HttpDate::of(when).is_none()), SetCookieError::Expires)?;
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
        if let Some(date) = self.0.expires.and_then(HttpDate::of) {
            write!(f, "; Expires={date}")?;
        }
        if let Some(age) = self.0.max_age {
            // Rounded up: half a second rounded down would be zero, which deletes the cookie.
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

/// Whether this is a domain name with at least one letter, or an IPv4 address. Go: `validCookieDomain`, which also
/// accepts a dot at the end; in browsers such a domain matches no host.
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

#[cfg(test)]
#[path = "set_cookie_tests.rs"]
mod tests;
