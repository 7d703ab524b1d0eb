//! Waiting for the first of two futures, and polling a future once.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use tokio::task::unconstrained;

/// The output of the future that was ready first.
pub(crate) enum Either<A, B> {
    First(A),
    Second(B),
}

/// Waits until one of two futures is ready, and drops the other. The first one is polled first, so it wins a tie.
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

/// Polls a future once: its output if it is ready. The future is dropped.
pub(crate) async fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    // tokio makes the futures of a task that has used up its budget return `Pending`. Here that would look like "not
    // ready", so the budget is switched off.
    let mut future = pin!(unconstrained(future));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
