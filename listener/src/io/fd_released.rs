//! The notification that a file descriptor was released, for accept loops that wait for one.
//!
//! A server out of descriptors gets one back when one of its own connections closes. Sleeping on would keep clients
//! waiting for up to a second without a reason.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use tokio::sync::Notify;

use super::stream::pass_through;

/// Ends a running back-off early. Clones are the same handle; several [`Retry`](crate::Retry) may share one.
///
/// Call [`notify`](Self::notify) after a connection was closed, or let [`on_drop`](Self::on_drop) do it.
#[derive(Clone, Debug, Default)]
pub struct FdReleased(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// How many [`Watch`] there are.
    watching: AtomicUsize,
    /// How often descriptors were released while a [`Watch`] existed.
    times: AtomicU64,
    wake: Notify,
}

impl FdReleased {
    /// A new handle, which no listener shares yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A descriptor of this process has been closed: listeners that wait for one try now.
    ///
    /// As long as no accept fails this is one relaxed load.
    pub fn notify(&self) {
        if self.0.watching.load(Ordering::Relaxed) != 0 {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        self.0.times.fetch_add(1, Ordering::Release);
        self.0.wake.notify_waiters();
    }

    /// Wraps a stream so that [`notify`](Self::notify) is called when it has been dropped.
    pub fn on_drop<S>(&self, stream: S) -> NotifyingStream<S> {
        NotifyingStream { stream, _notify: NotifyOnDrop(self.clone()) }
    }

    /// How many listeners wait for a descriptor.
    #[cfg(test)]
    pub(super) fn watching(&self) -> usize {
        self.0.watching.load(Ordering::Relaxed)
    }

    /// Watches for descriptors released from now on.
    pub(super) fn watch(&self) -> Watch {
        self.0.watching.fetch_add(1, Ordering::Relaxed);
        Watch { fd_released: self.clone(), seen: self.0.times.load(Ordering::Acquire) }
    }
}

/// A listener that is out of descriptors, from the first error to the next success.
#[derive(Debug)]
pub(super) struct Watch {
    fd_released: FdReleased,
    seen: u64,
}

impl Watch {
    /// Waits until a descriptor came free since the last [`mark`](Self::mark).
    ///
    /// # Cancel safety
    /// Nothing is lost: what came free stays noticed until the next mark.
    pub(super) async fn fd_released(&self) {
        let shared = &*self.fd_released.0;
        // Before looking: from here on a call of `notify_waiters` is not missed.
        let woken = shared.wake.notified();
        if shared.times.load(Ordering::Acquire) == self.seen {
            woken.await;
        }
    }

    /// What was released up to now ends no further wait.
    pub(super) fn mark(&mut self) {
        self.seen = self.fd_released.0.times.load(Ordering::Acquire);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.fd_released.0.watching.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream whose descriptor is reported as free when it is dropped. See [`FdReleased::on_drop`].
#[derive(Debug)]
pub struct NotifyingStream<S> {
    // Fields are dropped in this order: first closed, then reported.
    stream: S,
    _notify: NotifyOnDrop,
}

#[derive(Debug)]
struct NotifyOnDrop(FdReleased);

impl Drop for NotifyOnDrop {
    fn drop(&mut self) {
        self.0.notify();
    }
}

impl<S> NotifyingStream<S> {
    /// The stream inside.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream inside.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }
}

pass_through!(NotifyingStream<S>, stream);

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    async fn woken(watch: &Watch) -> bool {
        timeout(Duration::from_millis(1), watch.fd_released()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_free_before_the_wait_is_noticed() {
        let fd_released = FdReleased::new();
        let mut watch = fd_released.watch();
        assert!(!woken(&watch).await);
        fd_released.clone().notify();
        assert!(woken(&watch).await);
        assert!(woken(&watch).await, "a wait that was cancelled or repeated must not lose it");
        watch.mark();
        assert!(!woken(&watch).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_when_a_stream_is_dropped() {
        let fd_released = FdReleased::new();
        let watch = fd_released.watch();
        let stream = fd_released.on_drop(tokio::io::duplex(1).0);
        let wait = tokio::spawn(async move { woken(&watch).await });
        tokio::task::yield_now().await;
        drop(stream);
        assert!(wait.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn several_watches_share_the_news() {
        let fd_released = FdReleased::new();
        let (one, two) = (fd_released.watch(), fd_released.watch());
        fd_released.notify();
        assert!(woken(&one).await && woken(&two).await);
    }

    #[test]
    fn nothing_is_counted_without_a_watch() {
        let fd_released = FdReleased::new();
        fd_released.notify();
        drop(fd_released.watch());
        fd_released.notify();
        assert_eq!(fd_released.0.times.load(Ordering::Relaxed), 0);
    }
}
