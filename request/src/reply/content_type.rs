//! What a reply says its content is.

/// What a reply says its content is, unless its header map has a `Content-Type` of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContentType {
    /// What the first 512 bytes look like ([`sniff`](super::sniff)). A streamed body is then announced with its first
    /// bytes. Go: `DetectContentType`.
    #[default]
    Sniffed,
    /// This.
    Known(&'static str),
    /// Nothing.
    Unsaid,
}
