//! A stream that holds the permit under which it was accepted.

use super::{permits::Permit, stream::pass_through};

/// A stream with its permit.
#[derive(Debug)]
pub struct LimitedStream<S> {
    // Fields are dropped in this order: the descriptor is closed before the next client is accepted.
    stream: S,
    permit: Permit,
}

impl<S> LimitedStream<S> {
    pub(super) fn new(stream: S, permit: Permit) -> Self {
        Self { stream, permit }
    }

    /// The stream inside.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream inside.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream and its permit apart. Keep the permit for as long as the stream is in use.
    pub fn into_parts(self) -> (S, Permit) {
        (self.stream, self.permit)
    }
}

pass_through!(LimitedStream<S>, stream);
