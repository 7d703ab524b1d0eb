//! Whether content follows a head on its stream.

/// Whether content follows a head on its stream. HTTP/1 does not ask: its fields decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The stream ended with the head.
    Ended,
    /// The stream goes on.
    Follows,
}
