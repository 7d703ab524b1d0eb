//! The cookies of a request: `Cookie: name=value; name=value`.

use std::iter::FusedIterator;

use crate::{HeadRef, HeadersNamed, byte};

/// One cookie as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie<'a> {
    /// The name, a token.
    pub name: &'a str,
    /// The value, without the quotes around it.
    pub value: &'a str,
    /// Whether there were quotes around it. Go: `Cookie.Quoted`.
    pub quoted: bool,
}

/// The cookies of a request, read on demand, without copying or decoding.
///
/// Shape: pairs separated by `;`, with whitespace around them. A malformed pair is skipped: a name that is not a token,
/// a value with a control, `"`, `\` or a byte past ASCII. Without `=` the value is empty. With more than 3,000 pairs no
/// cookie is returned.
///
/// ```
/// use quintet_request::Cookies;
///
/// let cookies = Cookies::parse(b"theme=dark; id=\"a b\"; theme=light");
/// assert_eq!(cookies.get("theme"), Some("dark"));
/// assert_eq!(cookies.get("id"), Some("a b"));
/// for cookie in cookies {
///     println!("{} is {}", cookie.name, cookie.value);
/// }
/// assert_eq!(cookies.iter().count(), 3);
/// ```
///
/// # Spec
/// RFC 6265 §5.4. Go: `readCookies` (cookie.go:370), whose rules these are.
#[derive(Clone, Copy, Debug)]
pub struct Cookies<'a>(Source<'a>);

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Nothing,
    Line(&'a [u8]),
    Head(HeadRef<'a>),
}

impl<'a> Cookies<'a> {
    /// The most pairs that are read. Go: `httpcookiemaxnum`.
    pub const MAX_COOKIES: usize = 3_000;

    /// The cookies in the value of one `Cookie` field.
    pub fn parse(value: &'a [u8]) -> Self {
        Self::counted(Source::Line(value))
    }

    /// The cookies of every `Cookie` field of a head.
    pub fn of(head: HeadRef<'a>) -> Self {
        Self::counted(Source::Head(head))
    }

    fn counted(source: Source<'a>) -> Self {
        let pairs: usize = source.lines().map(|line| 1 + line.iter().filter(|&&byte| byte == b';').count()).sum();
        Self(if pairs > Self::MAX_COOKIES { Source::Nothing } else { source })
    }

    /// The value of the first cookie with this name. Names are case-sensitive (RFC 6265 §5.4). Go: `Request.Cookie`.
    pub fn get(self, name: &str) -> Option<&'a str> {
        self.all(name).next().map(|cookie| cookie.value)
    }

    /// Every cookie with this name. A client sends several if their paths differ. Go: `Request.CookiesNamed`.
    pub fn all<'n>(self, name: &'n str) -> CookiesNamed<'a, 'n> {
        CookiesNamed { cookies: self.iter(), name }
    }

    /// Every cookie, in order of arrival.
    pub fn iter(self) -> CookiesIter<'a> {
        CookiesIter { lines: self.0.lines(), rest: None }
    }
}

impl<'a> IntoIterator for Cookies<'a> {
    type Item = Cookie<'a>;
    type IntoIter = CookiesIter<'a>;

    fn into_iter(self) -> CookiesIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Cookies<'a> {
    type Item = Cookie<'a>;
    type IntoIter = CookiesIter<'a>;

    fn into_iter(self) -> CookiesIter<'a> {
        self.iter()
    }
}

/// An iterator over the cookies of a request, in order of arrival. Made by [`Cookies::iter`].
#[derive(Clone, Debug)]
pub struct CookiesIter<'a> {
    lines: Lines<'a>,
    /// The unread rest of the current line.
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for CookiesIter<'a> {
    type Item = Cookie<'a>;

    fn next(&mut self) -> Option<Cookie<'a>> {
        loop {
            let line = match self.rest.take() {
                Some(rest) => rest,
                None => self.lines.next()?,
            };
            let end = line.iter().position(|&byte| byte == b';');
            self.rest = end.map(|end| &line[end + 1..]);
            if let Some(cookie) = read_pair(&line[..end.unwrap_or(line.len())]) {
                return Some(cookie);
            }
        }
    }
}

impl FusedIterator for CookiesIter<'_> {}

/// An iterator over the cookies with one name, in order of arrival. Made by [`Cookies::all`].
#[derive(Clone, Debug)]
pub struct CookiesNamed<'a, 'n> {
    cookies: CookiesIter<'a>,
    name: &'n str,
}

impl<'a> Iterator for CookiesNamed<'a, '_> {
    type Item = Cookie<'a>;

    fn next(&mut self) -> Option<Cookie<'a>> {
        self.cookies.find(|cookie| cookie.name == self.name)
    }
}

impl FusedIterator for CookiesNamed<'_, '_> {}

impl<'a> HeadRef<'a> {
    /// The cookies of every `Cookie` field. Go: `Request.Cookies`.
    pub fn cookies(self) -> Cookies<'a> {
        Cookies::of(self)
    }
}

impl<'a> Source<'a> {
    fn lines(self) -> Lines<'a> {
        match self {
            Self::Nothing => Lines::One(None),
            Self::Line(line) => Lines::One(Some(line)),
            Self::Head(head) => Lines::Fields(head.headers_named("cookie")),
        }
    }
}

/// The values of the `Cookie` fields that were not read yet.
#[derive(Clone, Debug)]
enum Lines<'a> {
    One(Option<&'a [u8]>),
    Fields(HeadersNamed<'a, 'static>),
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match self {
            Self::One(line) => line.take(),
            Self::Fields(fields) => fields.next(),
        }
    }
}

fn read_pair(pair: &[u8]) -> Option<Cookie<'_>> {
    let pair = byte::trim(pair);
    let equals = pair.iter().position(|&byte| byte == b'=');
    let (name, value) = equals.map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
    let name = byte::trim(name);
    let (value, quoted) = match value {
        [b'"', value @ .., b'"'] => (value, true),
        value => (value, false),
    };
    if !byte::is_token(name) || !byte::all(value, byte::COOKIE) {
        return None;
    }
    Some(Cookie { name: std::str::from_utf8(name).ok()?, value: std::str::from_utf8(value).ok()?, quoted })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Vec<(&str, &str, bool)> {
        Cookies::parse(value.as_bytes()).iter().map(|cookie| (cookie.name, cookie.value, cookie.quoted)).collect()
    }

    /// Rows of Go's TestReadCookies and TestParseCookie among others.
    #[test]
    fn cookies_are_read_as_go_reads_them() {
        for (value, cookies) in [
            ("", &[][..]),
            ("Cookie-1=v$1", &[("Cookie-1", "v$1", false)]),
            ("Cookie-1=v$1; c2=v2", &[("Cookie-1", "v$1", false), ("c2", "v2", false)]),
            ("a=1;b=2;;  ;c=3", &[("a", "1", false), ("b", "2", false), ("c", "3", false)]),
            ("Cookie-1=\"v$1\"; c2=\"v2\"", &[("Cookie-1", "v$1", true), ("c2", "v2", true)]),
            ("\t a=1 \t;b=2", &[("a", "1", false), ("b", "2", false)]),
            ("a =1", &[("a", "1", false)]),
            ("a= 1", &[("a", " 1", false)]),
            ("a", &[("a", "", false)]),
            ("a=", &[("a", "", false)]),
            ("a=b=c", &[("a", "b=c", false)]),
            ("a=\"\"", &[("a", "", true)]),
            ("a=\"b c,d\"", &[("a", "b c,d", true)]),
            ("a=b c,d", &[("a", "b c,d", false)]),
            ("=b; c=d", &[("c", "d", false)]),
            ("na me=1; c=d", &[("c", "d", false)]),
            ("a=\"; c=d", &[("c", "d", false)]),
            ("a=x\"y\"; c=d", &[("c", "d", false)]),
            ("a=\\; c=d", &[("c", "d", false)]),
            ("a=\u{e9}; c=d", &[("c", "d", false)]),
            ("a=\x01; c=d", &[("c", "d", false)]),
            ("a,b=1; c=d", &[("c", "d", false)]),
        ] {
            assert_eq!(read(value), cookies, "{value:?}");
        }
    }

    #[test]
    fn cookies_are_found_by_name_in_its_case() {
        let cookies = Cookies::parse(b"a=1; A=2; a=3");
        assert_eq!((cookies.get("a"), cookies.get("A"), cookies.get("b")), (Some("1"), Some("2"), None));
        assert!(cookies.into_iter().eq(cookies.iter()) && (&cookies).into_iter().eq(cookies));
        assert_eq!(cookies.all("a").map(|cookie| cookie.value).collect::<Vec<_>>(), ["1", "3"]);
    }

    #[test]
    fn more_than_3000_cookies_are_ignored() {
        let value = vec!["a=1"; Cookies::MAX_COOKIES].join(";");
        assert_eq!(Cookies::parse(value.as_bytes()).iter().count(), 3_000);
        assert_eq!(Cookies::parse(format!("{value};").as_bytes()).iter().count(), 0);
    }

    #[test]
    fn all_the_cookie_fields_of_a_head_are_read() {
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1; b=2\r\nX: c=3\r\ncookie: d=4\r\n\r\n";
        let index = crate::parse(bytes, &crate::Limits::default()).unwrap().unwrap();
        let cookies = HeadRef::new(bytes, &index).cookies();
        assert_eq!(cookies.iter().map(|cookie| cookie.name).collect::<Vec<_>>(), ["a", "b", "d"]);
        assert_eq!(cookies.get("d"), Some("4"));
    }
}
