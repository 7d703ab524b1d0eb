//! The first of two futures to be done.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use tokio::task::unconstrained;

/// Which of two futures was done first.
pub(crate) enum Either<A, B> {
    First(A),
    Second(B),
}

/// Waits for two futures until one is done; the first is asked first. The other is dropped.
pub(crate) async fn select<A, B>(first: impl Future<Output = A>, second: impl Future<Output = B>) -> Either<A, B> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|cx| {
        if let Poll::Ready(a) = first.as_mut().poll(cx) {
            return Poll::Ready(Either::First(a));
        }
        second.as_mut().poll(cx).map(Either::Second)
    })
    .await
}

/// What a future has to say at once, if anything; it is dropped.
pub(crate) async fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    // A task that has done much is told to wait for its next turn; here that would look like an answer.
    let mut future = pin!(unconstrained(future));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
