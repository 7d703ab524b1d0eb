//! The state of a connection, and which changes of state are legal.
//!
//! ```text
//!            ┌──────────────────────────┐
//!            ▼                          │
//!  New ──▶ Active ──▶ Idle ──▶ (Active) ┘
//!   │        │  │        │
//!   │        │  └─▶ Hijacked        (final)
//!   └────────┴───────────┴──▶ Closed  (final)
//! ```

use std::fmt;

/// The state of a connection. Go: `http.ConnState`, with the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// Accepted; no byte was received yet.
    New = 0,
    /// At least one byte of a request was received, and its reply is not finished. (In Go a connection is active only
    /// after a whole head, and a shutdown may close it in the middle of a head.)
    Active = 1,
    /// Every request was answered; the connection waits for the next.
    Idle = 2,
    /// A handler took the stream over. Final: this crate does not see when the stream closes.
    Hijacked = 3,
    /// Closed. Final.
    Closed = 4,
}

/// The error of a change of state that is not legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a connection cannot go from {from} to {to}")]
pub struct IllegalMove {
    /// The state before.
    pub from: State,
    /// The state that was asked for.
    pub to: State,
}

impl State {
    /// Every state, from accept to close.
    pub const ALL: [Self; 5] = [Self::New, Self::Active, Self::Idle, Self::Hijacked, Self::Closed];

    /// The states that may follow this one.
    pub const fn moves(self) -> &'static [Self] {
        match self {
            Self::New => &[Self::Active, Self::Closed],
            Self::Active => &[Self::Idle, Self::Hijacked, Self::Closed],
            Self::Idle => &[Self::Active, Self::Closed],
            Self::Hijacked | Self::Closed => &[],
        }
    }

    /// Changes the state to `to`.
    ///
    /// # Errors
    /// [`IllegalMove`] if `to` is not one of [`moves`](Self::moves). The same state again is not legal either.
    #[inline]
    pub const fn go(self, to: Self) -> Result<Self, IllegalMove> {
        if LEGAL[self as usize] & 1 << to as u8 != 0 { Ok(to) } else { Err(IllegalMove { from: self, to }) }
    }

    /// Whether no state follows this one.
    pub const fn is_final(self) -> bool {
        self.moves().is_empty()
    }

    #[cfg(any(feature = "io", test))]
    pub(crate) const fn from_u8(n: u8) -> Self {
        match n {
            0 => Self::New,
            1 => Self::Active,
            2 => Self::Idle,
            3 => Self::Hijacked,
            _ => Self::Closed,
        }
    }
}

/// The table of [`State::moves`] in bits, one for each state that may follow: a request changes the state twice, and a
/// test of a bit is cheaper than a search.
const LEGAL: [u8; 5] = {
    let mut legal = [0; 5];
    let mut from = 0;
    while from < legal.len() {
        let moves = State::ALL[from].moves();
        let mut at = 0;
        while at < moves.len() {
            legal[from] |= 1 << moves[at] as u8;
            at += 1;
        }
        from += 1;
    }
    legal
};

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Active => "active",
            Self::Idle => "idle",
            Self::Hijacked => "hijacked",
            Self::Closed => "closed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Active, Closed, Hijacked, Idle, New};

    #[test]
    fn only_the_moves_of_the_table_are_legal() {
        let legal = [
            (New, Active),
            (New, Closed),
            (Active, Idle),
            (Active, Hijacked),
            (Active, Closed),
            (Idle, Active),
            (Idle, Closed),
        ];
        for from in State::ALL {
            for to in State::ALL {
                let expected = if legal.contains(&(from, to)) { Ok(to) } else { Err(IllegalMove { from, to }) };
                assert_eq!(from.go(to), expected);
            }
        }
    }

    #[test]
    fn hijacked_and_closed_are_final() {
        let last: Vec<_> = State::ALL.into_iter().filter(|state| state.is_final()).collect();
        assert_eq!(last, [Hijacked, Closed]);
    }

    #[test]
    fn a_state_round_trips_its_number_and_has_gos_name() {
        for (state, name) in State::ALL.into_iter().zip(["new", "active", "idle", "hijacked", "closed"]) {
            assert_eq!(State::from_u8(state as u8), state);
            assert_eq!(state.to_string(), name);
        }
    }
}
