//! The content type of a reply.

/// The content type of a reply whose fields have no `Content-Type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContentType {
    /// Guessed from the first 512 bytes ([`sniff`](super::sniff)). The head of a streamed body then waits for the first
    /// bytes. Go: `DetectContentType`.
    #[default]
    Sniffed,
    /// This type.
    Known(&'static str),
    /// No `Content-Type` field.
    Unsaid,
}
