//! An incoming body that its owner can take back: the two references to it.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::Frame;
use quintet_listener::Stream;

use super::{
    body_error::BodyError,
    incoming_body::{IncomingBody, Left},
    revocable::{Borrowable, Revocable},
};

/// An incoming body without the type of its stream, as [`Body`](super::Body) holds it.
pub(crate) trait RevocableBody: Borrowable + Send + Sync {
    fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>>;
    fn left(&self) -> Option<u64>;
    fn is_end(&self) -> bool;
    /// The reader has dropped its wait for a frame. No read timeout runs until the next poll.
    fn give_up(&self);
}

impl<S: Stream> Borrowable for Revocable<IncomingBody<S>> {
    fn add_borrower(&self) {
        Self::add_borrower(self);
    }

    fn remove_borrower(&self) {
        // With no reader left, no read timeout runs.
        Self::remove_borrower(self, |incoming| incoming.wire.pause());
    }
}

impl<S: Stream> RevocableBody for Revocable<IncomingBody<S>> {
    fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match ready!(self.poll(cx, |incoming, cx| incoming.poll_frame(cx))) {
            Some(frame) => Poll::Ready(frame),
            None => Poll::Ready(Some(Err(BodyError::AfterReply))),
        }
    }

    fn left(&self) -> Option<u64> {
        match self.get()?.left {
            Left::Length(left) => Some(left),
            Left::Nothing => Some(0),
            Left::Chunked(_) => None,
        }
    }

    fn is_end(&self) -> bool {
        self.get().is_some_and(|incoming| incoming.is_end())
    }

    fn give_up(&self) {
        if let Some(mut incoming) = self.get() {
            incoming.wire.pause();
            incoming.forget();
        }
    }
}

/// The owner's reference. Dropping it takes the wire back, so that no borrower keeps it.
#[derive(Debug)]
pub(crate) struct RevokeOnDrop<S: Stream>(pub(crate) Arc<Revocable<IncomingBody<S>>>);

impl<S: Stream> Drop for RevokeOnDrop<S> {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}
