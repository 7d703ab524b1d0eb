//! A step of the multipart parser.

/// A step of [`Multipart::next`](super::Multipart::next) at the start of the bytes it was given. The number is that of
/// the bytes which the step takes; the next call must be given those after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MultipartStep {
    /// Framing: boundaries, header lines and line ends, which can be dropped. Of no bytes none are taken.
    Framing(usize),
    /// The end of a part's header. [`Multipart::take_part`](super::Multipart::take_part) has the header, and the data of
    /// the part follows.
    Part(usize),
    /// Data of the part that earlier calls have taken, because it could have been the start of a boundary:
    /// [`Multipart::kept`](super::Multipart::kept). The number may be zero.
    Kept(usize),
    /// Data of the part: these bytes, which are not copied.
    Data(usize),
    /// The end of the part's data.
    PartEnd(usize),
}

impl MultipartStep {
    /// The number of bytes that the step takes.
    pub const fn len(self) -> usize {
        match self {
            Self::Framing(n) | Self::Part(n) | Self::Kept(n) | Self::Data(n) | Self::PartEnd(n) => n,
        }
    }

    /// Whether the step takes no bytes.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}
