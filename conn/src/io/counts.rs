//! The number of connections in each state.

use crate::State;

/// The number of connections in each state. Go has no such count; `Server.Shutdown` walks its list instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// In [`State::New`].
    pub new: usize,
    /// In [`State::Active`].
    pub active: usize,
    /// In [`State::Idle`].
    pub idle: usize,
    /// In [`State::Hijacked`], until the guard and the wire are dropped.
    pub hijacked: usize,
}

impl Counts {
    /// The number of connections in any state.
    pub fn total(&self) -> usize {
        self.new + self.active + self.idle + self.hijacked
    }
}

impl Counts {
    /// Adds one connection in this state. A closed connection is not counted.
    pub(super) fn count(&mut self, state: State) {
        match state {
            State::New => self.new += 1,
            State::Active => self.active += 1,
            State::Idle => self.idle += 1,
            State::Hijacked => self.hijacked += 1,
            State::Closed => {}
        }
    }
}

impl std::ops::Add for Counts {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            new: self.new + other.new,
            active: self.active + other.active,
            idle: self.idle + other.idle,
            hijacked: self.hijacked + other.hijacked,
        }
    }
}
