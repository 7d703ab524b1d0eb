//! What a client gives back: `Cookie: name=value; name=value`.

use crate::{HeadRef, byte};

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

/// The cookies of a request, read one after the other; nothing is copied or decoded.
///
/// Shape: pairs separated by `;`, whitespace around them trimmed. A pair that is not a cookie is skipped: a name that
/// is not a token, a value with a control, `"`, `\` or a byte past ASCII. Without `=` the value is empty. More than
/// 3,000 pairs are none at all.
///
/// ```
/// use quintet_request::Cookies;
///
/// let cookies = Cookies::parse(b"theme=dark; id=\"a b\"; theme=light");
/// assert_eq!(cookies.get("theme"), Some("dark"));
/// assert_eq!(cookies.get("id"), Some("a b"));
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
    pub const MOST: usize = 3_000;

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
        Self(if pairs > Self::MOST { Source::Nothing } else { source })
    }

    /// The value of the first cookie with this name. Names are case-sensitive. Go: `Request.Cookie`.
    pub fn get(self, name: &str) -> Option<&'a str> {
        self.all(name).next().map(|cookie| cookie.value)
    }

    /// Every cookie with this name: a client sends several if their paths differ. Go: `Request.CookiesNamed`.
    pub fn all<'n>(self, name: &'n str) -> impl Iterator<Item = Cookie<'a>> + use<'a, 'n> {
        self.iter().filter(move |cookie| cookie.name == name)
    }

    /// Every cookie, in order of arrival.
    pub fn iter(self) -> impl Iterator<Item = Cookie<'a>> + use<'a> {
        self.0.lines().flat_map(|line| line.split(|&byte| byte == b';')).filter_map(read_pair)
    }
}

impl<'a> Source<'a> {
    fn lines(self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (line, head) = match self {
            Self::Nothing => (None, None),
            Self::Line(line) => (Some(line), None),
            Self::Head(head) => (None, Some(head)),
        };
        line.into_iter().chain(head.into_iter().flat_map(|head| head.header_all("cookie")))
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
