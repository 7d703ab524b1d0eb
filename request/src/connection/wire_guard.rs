//! Access to the wire of a connection, shared or not.

use std::ops::{Deref, DerefMut};

use quintet_conn::Wire;
use quintet_listener::Stream;

use crate::body::{incoming_body::IncomingBody, revocable::RevocableGuard};

/// Access to the wire of a connection. It cannot be held across an await in a future that is `Send`.
#[derive(Debug)]
pub struct WireGuard<'a, S: Stream>(pub(super) Guard<'a, S>);

#[derive(Debug)]
pub(super) enum Guard<'a, S: Stream> {
    Owned(&'a mut Wire<S>),
    Shared(RevocableGuard<'a, IncomingBody<S>>),
}

impl<S: Stream> Deref for WireGuard<'_, S> {
    type Target = Wire<S>;
    #[inline]
    fn deref(&self) -> &Wire<S> {
        match &self.0 {
            Guard::Owned(wire) => wire,
            Guard::Shared(incoming) => &incoming.wire,
        }
    }
}

impl<S: Stream> DerefMut for WireGuard<'_, S> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Wire<S> {
        match &mut self.0 {
            Guard::Owned(wire) => wire,
            Guard::Shared(incoming) => &mut incoming.wire,
        }
    }
}
