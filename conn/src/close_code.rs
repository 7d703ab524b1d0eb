//! The reason why a connection ended, as a number of the layer that decided it.
//!
//! This crate stores the number and does not interpret it. A layer above has an enum of reasons, and converts a reason
//! into a number ([`From`]) and a number into a reason ([`TryFrom`]).

use std::num::NonZeroU8;

/// The reason why a connection ended, as a number of the layer that decided it: 1 to 255.
///
/// # Example
/// ```
/// use quintet_conn::CloseCode;
///
/// #[derive(Debug, PartialEq)]
/// enum Reason { ClientLeft, TooSlow }
///
/// impl From<Reason> for CloseCode {
///     fn from(reason: Reason) -> CloseCode {
///         CloseCode::from_index(reason as u8)
///     }
/// }
///
/// impl TryFrom<CloseCode> for Reason {
///     type Error = CloseCode;
///     fn try_from(code: CloseCode) -> Result<Reason, CloseCode> {
///         [Reason::ClientLeft, Reason::TooSlow].into_iter().nth(code.index().into()).ok_or(code)
///     }
/// }
///
/// assert_eq!(Reason::try_from(CloseCode::from(Reason::TooSlow)), Ok(Reason::TooSlow));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(NonZeroU8);

impl CloseCode {
    /// The close code of this number. `None` for zero, which stands for "no reason yet".
    pub const fn new(code: u8) -> Option<Self> {
        match NonZeroU8::new(code) {
            Some(code) => Some(Self(code)),
            None => None,
        }
    }

    /// The close code of an enum variant whose number counts from zero: one more than the index. 255 has no code of its
    /// own and gets that of 254.
    pub const fn from_index(index: u8) -> Self {
        Self(NonZeroU8::MIN.saturating_add(index))
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0.get()
    }

    /// The index given to [`from_index`](Self::from_index): one less than the number.
    pub const fn index(self) -> u8 {
        self.0.get() - 1
    }
}

impl From<NonZeroU8> for CloseCode {
    fn from(code: NonZeroU8) -> Self {
        Self(code)
    }
}

impl From<CloseCode> for NonZeroU8 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_no_close_code() {
        assert_eq!(CloseCode::new(0), None);
        assert_eq!(CloseCode::new(1).map(CloseCode::get), Some(1));
    }

    #[test]
    fn an_index_round_trips_through_its_close_code() {
        for index in 0..255 {
            let code = CloseCode::from_index(index);
            assert_eq!((code.index(), code.get()), (index, index + 1));
        }
        assert_eq!(CloseCode::from_index(255), CloseCode::from_index(254));
    }
}
