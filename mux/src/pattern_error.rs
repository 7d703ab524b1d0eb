//! Why a text is not a pattern: the place, and the rule that is broken.

/// Why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parsing {pattern:?}: at offset {at}: {kind}")]
pub struct PatternError {
    /// The text.
    pub pattern: Box<str>,
    /// Where the rule is broken, in bytes from the start.
    pub at: usize,
    /// The rule.
    pub kind: PatternErrorKind,
}

/// The rules of a pattern, as they are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternErrorKind {
    /// There is nothing.
    #[error("empty pattern")]
    Empty,
    /// What stands before the first blank is not a token (RFC 9110 §5.6.2).
    #[error("invalid method")]
    Method,
    /// There is no path.
    #[error("host/path missing '/'")]
    NoSlash,
    /// `{` before the first slash.
    #[error("host contains '{{' (missing initial '/'?)")]
    HostBrace,
    /// The host is no name, IPv4 address or IPv6 address, so that no request can ask for it. Go accepts it.
    #[error("a host that no request can name (a name is ASCII; an IPv6 address has brackets)")]
    Host,
    /// Ports are ignored, but for those of `CONNECT`; this one is not for `CONNECT`, or is not a number up to 65535. Go
    /// accepts it, and only ever finds it for `CONNECT`.
    #[error("a host has no port here: only CONNECT asks for one")]
    Port,
    /// A path with `//`, `.` or `..` never reaches a pattern with a method, because paths are cleaned first.
    #[error("a path that is not clean is only ever seen by CONNECT")]
    Unclean,
    /// Text before `{`: a wildcard is a whole segment.
    #[error("bad wildcard segment (must start with '{{')")]
    Prefix,
    /// Text after `}`, or no `}` at all.
    #[error("bad wildcard segment (must end with '}}')")]
    Suffix,
    /// `{$}` before the end.
    #[error("{{$}} not at end")]
    SlashNotLast,
    /// `{name...}` before the end.
    #[error("{{...}} wildcard not at end")]
    RestNotLast,
    /// `{}` or `{...}`.
    #[error("empty wildcard")]
    NoName,
    /// A name is a letter or `_`, then letters, digits and `_`.
    #[error("bad wildcard name")]
    Name,
    /// Two wildcards of one name.
    #[error("duplicate wildcard name")]
    Duplicate,
}
