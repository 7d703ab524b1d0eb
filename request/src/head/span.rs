//! A range of bytes in a head, in 32-bit offsets.

/// A range of bytes, counted from the start of the head.
///
/// Offsets have 32 bits, because the limit of a head may be above 64 KiB. The two spans of a field are 16 bytes, which
/// one store writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The offset of the first byte, in bytes.
    pub start: u32,
    /// The length in bytes.
    pub len: u32,
}

impl Span {
    /// Makes a span. Parsers look at most at `u32::MAX` bytes, so no offset is cut off.
    #[inline]
    pub(crate) const fn new(start: usize, len: usize) -> Self {
        Self { start: Self::offset(start), len: Self::offset(len) }
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a head has at most u32::MAX bytes, see Limits::head")]
    pub(crate) const fn offset(at: usize) -> u32 {
        at as u32
    }

    /// Whether the range is empty.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The bytes of this range in `head`. Empty if `head` is too short, as it can be if the span is of another head.
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
