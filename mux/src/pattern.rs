//! A pattern: the set of requests that `[METHOD ][HOST]/path/{name}/{rest...}` describes.
//!
//! The grammar and the rules of validity are those of Go's `ServeMux` since 1.22 (`pattern.go:84-184`), with one rule
//! more: a host that no request can have is refused.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{
    clean, escape, host,
    pattern_error::{PatternError, PatternErrorKind},
};

/// A pattern: an optional method, an optional host, and a path. It describes a set of requests.
///
/// Shape: `[METHOD{SP|TAB}][HOST]/[PATH]`
///
/// | in the path | matches |
/// |---|---|
/// | `literal` | that segment, compared after decoding; `/a%2Fb` is one segment |
/// | `{name}` | one whole segment, not empty |
/// | `{name...}` | the rest of the path, which may be empty; only at the end |
/// | a trailing `/` | the rest of the path, without a name |
/// | `{$}` | nothing after the slash before it; only at the end |
///
/// The host is compared in the spelling of [`canonical_host`](crate::canonical_host). Only a pattern of `CONNECT` may
/// have a port: `CONNECT h:443/` matches the tunnels to that port, `CONNECT h/` those to any port.
///
/// A clone is cheap, because clones share the parsed pattern.
#[doc(alias = "route")]
#[derive(Clone)]
pub struct Pattern {
    inner: Arc<Inner>,
}

struct Inner {
    text: Arc<str>,
    method: Box<str>,
    /// The host in its canonical spelling, with the port of a `CONNECT`.
    host: Box<str>,
    port: Option<u16>,
    names: Arc<[Box<str>]>,
    template: Template,
    /// Whether a clean path can match. Only a `CONNECT` can ask for a path that is not clean.
    clean: bool,
}

/// The path of a pattern: its segments, and what may follow them.
pub(crate) struct Template {
    pub(crate) segments: Box<[Segment]>,
    pub(crate) end: End,
    /// Whether the rest has a name, and so a value.
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
    /// Nothing follows: `/a`.
    Here,
    /// Exactly a slash follows: `/a/{$}`.
    Slash,
    /// A slash and any text follow: `/a/` or `/a/{rest...}`.
    Rest,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`] with the byte offset and the rule that the text breaks.
    ///
    /// # Spec
    /// Go: `parsePattern`. Offsets differ from Go's if more than one blank follows the method: Go counts one.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        parse(text).map_err(|(at, kind)| PatternError { pattern: text.into(), at, kind })
    }

    /// The text of the pattern, as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.inner.text
    }

    /// The text of the pattern, as it was given, to share without a copy.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.inner.text
    }

    /// The method, or `None` if any method matches. `GET` matches `HEAD` too.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        Some(&*self.inner.method).filter(|method| !method.is_empty())
    }

    /// The host in the spelling of [`canonical_host`](crate::canonical_host), or `None` if any host matches. A pattern
    /// for a `CONNECT` to one port has `:port` behind the host.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        Some(&*self.inner.host).filter(|host| !host.is_empty())
    }

    /// The port that a `CONNECT` must ask for.
    pub(crate) fn port(&self) -> Option<u16> {
        self.inner.port
    }

    /// The names of the wildcards in the order of the pattern; the name of the rest is the last one.
    #[must_use]
    pub fn names(&self) -> &Arc<[Box<str>]> {
        &self.inner.names
    }

    pub(crate) fn template(&self) -> &Template {
        &self.inner.template
    }

    /// The name of the wildcard that is segment number `position`, counted from 0.
    pub(crate) fn wild_name(&self, position: usize) -> &str {
        let before = self.inner.template.segments[..position].iter().filter(|s| **s == Segment::Wild).count();
        self.inner.names.get(before).map_or("", |name| name)
    }

    /// The number of segments before a rest that has a name.
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

/// Two patterns are equal if their texts are equal. Patterns with different texts may match the same requests, see
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

/// The byte offset of an error, and the rule that is broken.
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
    // The mux cleans the path of every request but a `CONNECT`, so with another method this pattern could never match.
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

/// One segment of a pattern's text, before its place is checked: `{$}` and a rest may only be the last one.
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
