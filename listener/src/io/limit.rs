//! At most n connections at once.
//!
//! Beyond the limit clients wait in the kernel's queue, where they cost nothing, instead of failing half-way through
//! a request. The permit lives in the stream, so whoever ends up with the stream holds the permit: a handler that
//! takes the connection over cannot slip out of the count.

use super::stream::pass_through;
use crate::{Addr, Listener};

use std::{
    future::{Future, poll_fn},
    io,
    pin::pin,
    sync::Arc,
    task::Poll,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Admits at most so many connections of `L` at once; further ones are not accepted until one is dropped.
///
/// # Spec
/// Go: `golang.org/x/net/netutil.LimitListener`.
#[derive(Debug)]
pub struct Limit<L> {
    listener: L,
    permits: Permits,
}

/// So many connections may be alive. Clones are the same number: listeners that share it are limited together.
#[derive(Clone, Debug)]
pub struct Permits(Arc<Semaphore>);

/// The right to be alive, given back when dropped.
#[derive(Debug)]
pub struct Permit(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Permits {
    /// `n` of them; at least 1, because a server that never accepts is none.
    pub fn new(n: usize) -> Permits {
        Permits(Arc::new(Semaphore::new(n.clamp(1, Semaphore::MAX_PERMITS))))
    }

    /// How many connections may still come.
    pub fn available(&self) -> usize {
        self.0.available_permits()
    }

    /// Waits for a permit, first come, first served.
    ///
    /// # Cancel safety
    /// Only the place in the queue is lost.
    pub async fn acquire(&self) -> Permit {
        let acquired = match Arc::clone(&self.0).try_acquire_owned() {
            Ok(permit) => Ok(permit),
            Err(_) => Arc::clone(&self.0).acquire_owned().await,
        };
        Permit(acquired.expect("nobody closes this semaphore"))
    }
}

impl<L> Limit<L> {
    /// At most `n` connections at once, at least 1.
    pub fn new(listener: L, n: usize) -> Limit<L> {
        Limit::shared(listener, &Permits::new(n))
    }

    /// At most as many connections as `permits` has, together with everyone else who takes from them.
    pub fn shared(listener: L, permits: &Permits) -> Limit<L> {
        Limit { listener, permits: permits.clone() }
    }

    /// The permits, to ask how many are left or to share them.
    pub fn permits(&self) -> &Permits {
        &self.permits
    }

    /// The listener inside.
    pub fn get_ref(&self) -> &L {
        &self.listener
    }

    /// The listener inside.
    pub fn into_inner(self) -> L {
        self.listener
    }
}

impl<L: Listener> Listener for Limit<L> {
    type Stream = Permitted<L::Stream>;

    /// Takes a connection only with a permit in hand, but holds none while no client comes: listeners that share their
    /// permits must not keep them from each other.
    async fn accept(&mut self) -> io::Result<(Self::Stream, Addr)> {
        let mut accepting = pin!(self.listener.accept());
        loop {
            let permit = self.permits.acquire().await;
            match poll_fn(|cx| Poll::Ready(accepting.as_mut().poll(cx))).await {
                Poll::Ready(accepted) => {
                    let (stream, peer) = accepted?;
                    return Ok((Permitted { stream, permit }, peer));
                }
                Poll::Pending => drop(permit),
            }
            until_woken().await;
        }
    }

    fn local_addr(&self) -> io::Result<Addr> {
        self.listener.local_addr()
    }
}

/// Waits for whatever was polled last in this task.
async fn until_woken() {
    let mut polled = false;
    poll_fn(|_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// A stream with its permit.
#[derive(Debug)]
pub struct Permitted<S> {
    // Fields are dropped in this order: the descriptor is free before the next client is let in.
    stream: S,
    permit: Permit,
}

impl<S> Permitted<S> {
    /// The stream itself.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream itself.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream and its permit apart. Keep the permit for as long as the stream is in use.
    pub fn into_parts(self) -> (S, Permit) {
        (self.stream, self.permit)
    }
}

pass_through!(Permitted<S>, stream);
