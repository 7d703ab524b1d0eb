//! The error of a text that is not a pattern: the byte offset, and the rule that the text breaks.

use std::fmt;

/// The reason why a text is not a pattern.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("parsing {pattern:?}: at offset {at}: {kind}")]
pub struct PatternError {
    /// The text.
    pub pattern: Box<str>,
    /// The place of the error, in bytes from the start of the text.
    pub at: usize,
    /// The rule that the text breaks.
    pub kind: PatternErrorKind,
}

/// Its text, which is what a `main` that returns it prints.
impl fmt::Debug for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The rules of a pattern that a text can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternErrorKind {
    /// The text is empty.
    #[error("empty pattern")]
    Empty,
    /// The text before the first blank is not a token (RFC 9110 §5.6.2).
    #[error("invalid method")]
    Method,
    /// The text has no path.
    #[error("host/path missing '/'")]
    NoSlash,
    /// A `{` stands before the first slash.
    #[error("host contains '{{' (missing initial '/'?)")]
    HostBrace,
    /// The host is not a name, an IPv4 address or an IPv6 address, so no request can have it. Go accepts it.
    #[error("a host that no request can name (a name is ASCII; an IPv6 address has brackets)")]
    Host,
    /// The host has a port, and the method is not `CONNECT` or the port is not a number up to 65535. The port of other
    /// requests is ignored. Go accepts such a pattern, but only a `CONNECT` ever matches it.
    #[error("a host has no port here: only CONNECT asks for one")]
    Port,
    /// The path has `//`, `.` or `..`, and the pattern has a method other than `CONNECT`. It could never match, because
    /// paths are cleaned before the lookup.
    #[error("a path that is not clean can only match CONNECT")]
    Unclean,
    /// Text stands before `{`. A wildcard is a whole segment.
    #[error("bad wildcard segment (must start with '{{')")]
    Prefix,
    /// Text follows `}`, or there is no `}`.
    #[error("bad wildcard segment (must end with '}}')")]
    Suffix,
    /// `{$}` is not at the end.
    #[error("{{$}} not at end")]
    SlashNotLast,
    /// `{name...}` is not at the end.
    #[error("{{...}} wildcard not at end")]
    RestNotLast,
    /// A wildcard has no name: `{}` or `{...}`.
    #[error("empty wildcard")]
    NoName,
    /// The name of a wildcard is not a letter or `_`, followed by letters, digits and `_`.
    #[error("bad wildcard name")]
    Name,
    /// Two wildcards have the same name.
    #[error("duplicate wildcard name")]
    Duplicate,
}
