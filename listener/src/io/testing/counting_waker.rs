//! A waker that counts how often it is woken.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

/// A waker that counts.
#[derive(Debug, Default)]
pub struct CountingWaker(AtomicUsize);

impl CountingWaker {
    /// A waker that has not been woken.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How often it was woken so far.
    pub fn rings(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Polls a future once, with this waker, and drops it.
pub fn poll_once<T>(waker: &Arc<CountingWaker>, future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(&Waker::from(Arc::clone(waker))))
}
