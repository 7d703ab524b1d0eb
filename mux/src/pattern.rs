//! A set of requests, written down: `[METHOD ][HOST]/path/{name}/{rest...}`.
//!
//! The grammar and its rules of validity are those of Go's `ServeMux` since 1.22 (`pattern.go:84-184`), and one more: a
//! host that no request can name is refused.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{
    clean, escape, host,
    pattern_error::{PatternError, PatternErrorKind},
};

/// A set of requests: an optional method, an optional host, and a path.
///
/// Shape: `[METHOD{SP|TAB}][HOST]/[PATH]`
///
/// | in the path | matches |
/// |---|---|
/// | `literal` | that segment, compared after decoding; `/a%2Fb` is one segment |
/// | `{name}` | one whole segment, not empty |
/// | `{name...}` | the rest of the path, also an empty one; only at the end |
/// | a trailing `/` | the same without a name |
/// | `{$}` | nothing after the slash before it; only at the end |
///
/// The host is compared as [`canonical_host`](crate::canonical_host) spells it. A port is for `CONNECT` alone:
/// `CONNECT h:443/` is the tunnels to that port, `CONNECT h/` those to any.
///
/// Cloning is cheap: a pattern is shared.
#[doc(alias = "route")]
#[derive(Clone)]
pub struct Pattern {
    inner: Arc<Inner>,
}

struct Inner {
    text: Arc<str>,
    method: Box<str>,
    /// In its canonical spelling, with the port of a `CONNECT`.
    host: Box<str>,
    port: Option<u16>,
    names: Arc<[Box<str>]>,
    template: Template,
    /// Whether a cleaned path can match; other paths reach the mux by `CONNECT` only.
    clean: bool,
}

/// The path of a pattern: segments and what follows them.
pub(crate) struct Template {
    pub(crate) segments: Box<[Segment]>,
    pub(crate) end: End,
    /// Whether the rest has a name and so a value.
    pub(crate) named_rest: bool,
}

/// One segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// The canonical form of a literal, see [`escape::canonical`].
    Literal(Box<str>),
    /// `{name}`.
    Wild,
}

/// What follows the last segment of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum End {
    /// Nothing: `/a`.
    Here,
    /// Exactly a slash: `/a/{$}`.
    Slash,
    /// A slash and anything: `/a/` or `/a/{rest...}`.
    Rest,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`] with the byte offset and the rule that is broken.
    ///
    /// # Spec
    /// Go: `parsePattern`. Two offsets differ from Go's, which miscounts if more than one blank follows the method.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        parse(text).map_err(|(at, kind)| PatternError { pattern: text.into(), at, kind })
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.inner.text
    }

    /// The pattern as it was written, to be shared without copying.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.inner.text
    }

    /// The method, or none if any method matches. `GET` matches `HEAD` as well.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        Some(&*self.inner.method).filter(|method| !method.is_empty())
    }

    /// The host as [`canonical_host`](crate::canonical_host) spells it, with `:port` if the pattern is for a `CONNECT`
    /// to one port; or none if any host matches.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        Some(&*self.inner.host).filter(|host| !host.is_empty())
    }

    /// The port that a `CONNECT` must ask for.
    pub(crate) fn port(&self) -> Option<u16> {
        self.inner.port
    }

    /// The names of the wildcards in order, the rest last.
    #[must_use]
    pub fn names(&self) -> &Arc<[Box<str>]> {
        &self.inner.names
    }

    pub(crate) fn template(&self) -> &Template {
        &self.inner.template
    }

    /// The name of the wildcard that is segment number `position`.
    pub(crate) fn wild_name(&self, position: usize) -> &str {
        let before = self.inner.template.segments[..position].iter().filter(|s| **s == Segment::Wild).count();
        self.inner.names.get(before).map_or("", |name| name)
    }

    /// After how many segments a rest with a name begins.
    pub(crate) fn named_rest(&self) -> Option<u32> {
        let template = self.template();
        let segments = u32::try_from(template.segments.len()).expect("fewer than 2^32 segments");
        template.named_rest.then_some(segments)
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.inner.clean
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.as_str())
    }
}

/// Equal if written alike. Two patterns that match the same requests may be written differently, see
/// [`Pattern::relation`].
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for Pattern {
    type Error = PatternError;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl TryFrom<&String> for Pattern {
    type Error = PatternError;

    fn try_from(text: &String) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

type Fault = (usize, PatternErrorKind);

fn parse(text: &str) -> Result<Pattern, Fault> {
    if text.is_empty() {
        return Err((0, PatternErrorKind::Empty));
    }
    let (method, rest) = match text.find([' ', '\t']) {
        Some(blank) => (&text[..blank], text[blank..].trim_start_matches([' ', '\t'])),
        None => ("", text),
    };
    if !method.bytes().all(is_token_byte) {
        return Err((0, PatternErrorKind::Method));
    }
    let start = text.len() - rest.len();
    let slash = rest.find('/').ok_or((start, PatternErrorKind::NoSlash))?;
    let (host, path) = rest.split_at(slash);
    if let Some(brace) = host.find('{') {
        return Err((start + brace, PatternErrorKind::HostBrace));
    }
    let (name, port) = host::of_pattern(host, method == "CONNECT").map_err(|kind| (start, kind))?;
    let host = port.map_or_else(|| (&*name).into(), |port| format!("{name}:{port}").into());
    let clean = clean::is_clean(path);
    if !clean && !matches!(method, "" | "CONNECT") {
        return Err((start + slash, PatternErrorKind::Unclean));
    }
    let (template, names) = parse_path(path).map_err(|(at, kind)| (start + slash + at, kind))?;
    let inner = Inner { text: text.into(), method: method.into(), host, port, names: names.into(), template, clean };
    Ok(Pattern { inner: Arc::new(inner) })
}

/// Reads a path that starts with a slash.
fn parse_path(path: &str) -> Result<(Template, Vec<Box<str>>), Fault> {
    let mut segments = Vec::new();
    let mut names: Vec<Box<str>> = Vec::new();
    let mut end = End::Here;
    let mut named_rest = false;
    let mut at = 1;
    for text in path[1..].split('/') {
        let next = at + text.len() + 1;
        let last = next > path.len();
        match parse_segment(text).map_err(|kind| (at, kind))? {
            Piece::Literal("") if last => end = End::Rest,
            Piece::Literal(text) => segments.push(Segment::Literal(escape::canonical(text).into())),
            Piece::End if last => end = End::Slash,
            Piece::End => return Err((at, PatternErrorKind::SlashNotLast)),
            Piece::Rest(_) if !last => return Err((at, PatternErrorKind::RestNotLast)),
            Piece::Wild(name) | Piece::Rest(name) if !is_name(name) => {
                let kind = if name.is_empty() { PatternErrorKind::NoName } else { PatternErrorKind::Name };
                return Err((at, kind));
            }
            Piece::Wild(name) | Piece::Rest(name) if names.iter().any(|seen| **seen == *name) => {
                return Err((at, PatternErrorKind::Duplicate));
            }
            Piece::Wild(name) => {
                segments.push(Segment::Wild);
                names.push(name.into());
            }
            Piece::Rest(name) => {
                (end, named_rest) = (End::Rest, true);
                names.push(name.into());
            }
        }
        at = next;
    }
    Ok((Template { segments: segments.into(), end, named_rest }, names))
}

enum Piece<'a> {
    Literal(&'a str),
    Wild(&'a str),
    Rest(&'a str),
    End,
}

fn parse_segment(text: &str) -> Result<Piece<'_>, PatternErrorKind> {
    let Some(brace) = text.find('{') else { return Ok(Piece::Literal(text)) };
    if brace != 0 {
        return Err(PatternErrorKind::Prefix);
    }
    let name = text[1..].strip_suffix('}').ok_or(PatternErrorKind::Suffix)?;
    Ok(match name.strip_suffix("...") {
        _ if name == "$" => Piece::End,
        Some(name) => Piece::Rest(name),
        None => Piece::Wild(name),
    })
}

/// Whether this is an identifier: a letter or `_`, then letters, digits and `_`.
fn is_name(name: &str) -> bool {
    name.chars().enumerate().all(|(i, c)| c == '_' || c.is_alphabetic() || (i > 0 && c.is_alphanumeric()))
        && !name.is_empty()
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
