//! A stretch of bytes in a head.

/// A stretch of bytes, counted from the start of the head.
///
/// Thirty-two bits, since a limit may be set past 64 KiB: a field's two spans are then 16 bytes, written at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The offset of the first byte.
    pub start: u32,
    /// How many bytes.
    pub len: u32,
}

impl Span {
    /// Heads are cut to `u32::MAX` bytes before they are read, so no offset in one is lost.
    #[inline]
    pub(crate) const fn new(start: usize, len: usize) -> Self {
        Self { start: Self::offset(start), len: Self::offset(len) }
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a head has at most u32::MAX bytes, see Limits::head")]
    pub(crate) const fn offset(at: usize) -> u32 {
        at as u32
    }

    /// Whether it holds no byte.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// These bytes of `head`: empty if it is not the head that this span was made for and is too short.
    #[inline]
    pub fn of(self, head: &[u8]) -> &[u8] {
        let start = self.start as usize;
        head.get(start..start + self.len as usize).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn str(self, text: &str) -> &str {
        let start = self.start as usize;
        text.get(start..start + self.len as usize).unwrap_or_default()
    }
}
