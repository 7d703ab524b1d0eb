//! The wire of a connection, whoever has it.

use std::ops::{Deref, DerefMut};

use quintet_conn::Wire;
use quintet_listener::Stream;

use super::{lent::Lent, loan::LoanGuard};

/// The wire, for as long as nobody waits.
#[derive(Debug)]
pub struct WireGuard<'a, S: Stream>(pub(super) Guard<'a, S>);

#[derive(Debug)]
pub(super) enum Guard<'a, S: Stream> {
    Mine(&'a mut Wire<S>),
    Lent(LoanGuard<'a, Lent<S>>),
}

impl<S: Stream> Deref for WireGuard<'_, S> {
    type Target = Wire<S>;
    #[inline]
    fn deref(&self) -> &Wire<S> {
        match &self.0 {
            Guard::Mine(wire) => wire,
            Guard::Lent(lent) => &lent.wire,
        }
    }
}

impl<S: Stream> DerefMut for WireGuard<'_, S> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Wire<S> {
        match &mut self.0 {
            Guard::Mine(wire) => wire,
            Guard::Lent(lent) => &mut lent.wire,
        }
    }
}
