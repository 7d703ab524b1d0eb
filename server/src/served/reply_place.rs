//! The place of a reply in the bytes of its connection.

/// The place of a reply in the bytes of its connection, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReplyPlace {
    /// The first byte of the reply; `u64::MAX` if it has not begun.
    pub(super) begin: u64,
    /// The byte after the reply; `u64::MAX` if that is not known yet.
    pub(super) end: u64,
    /// The byte after the last part of the body that is in the output, and how many bytes of the body come before it.
    pub(super) put: (u64, u64),
    /// Whether the whole reply is in the output or sent.
    pub(super) is_put: bool,
}

impl ReplyPlace {
    /// That of a reply which has not begun.
    pub(super) const UNKNOWN: Self = Self { begin: u64::MAX, end: u64::MAX, put: (0, 0), is_put: false };

    /// How many bytes of the body the stream has sent. What is missing of the framing counts as body, if the body is
    /// chunked, so that it is never too much.
    pub(super) fn body_sent(&self, sent: u64) -> u64 {
        self.put.1.saturating_sub(self.put.0.saturating_sub(sent))
    }

    /// The value of `sent` at which there is something to be told.
    pub(super) fn next(&self, sent: u64) -> u64 {
        if sent <= self.begin && self.begin < self.end {
            self.begin.saturating_add(1)
        } else if sent < self.end {
            self.end
        } else {
            u64::MAX
        }
    }
}
