//! At most n connections at once.
//!
//! One client beyond the limit waits accepted, and every further one in the kernel's queue, where it costs nothing,
//! instead of failing half-way through a request. The one is accepted because there is no other way to know that a
//! client waits, and only then is it right to close idle connections: the [`Pressure`] is raised while it waits.
//!
//! The permit lives in the stream, so whatever ends up with the stream holds the permit: a handler that takes the
//! connection over cannot slip out of the count.

use super::stream::pass_through;
use crate::{Addr, Listener, Pressure, PressureGuard};

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Admits at most so many connections of `L` at once.
///
/// One client beyond the limit is accepted and kept until a connection is dropped, with the [`Pressure`] raised; no
/// further one is accepted before that. Of listeners that share their [`Permits`], each may keep one. Its descriptor
/// is open, so a limit set by `ulimit -n` is that number less one for each listener.
///
/// # Spec
/// Go: `golang.org/x/net/netutil.LimitListener`, which leaves that client in the queue.
#[doc(alias = "LimitListener")]
#[doc(alias = "max connections")]
#[doc(alias = "rate limit")]
pub struct Limit<L: Listener> {
    listener: L,
    permits: Permits,
    pressure: Pressure,
    /// The client without a permit. Kept here and not in the future, so that a cancelled accept does not lose it.
    waiting: Option<Waiting<L::Stream>>,
}

/// A client that has been accepted and waits for a permit.
struct Waiting<S> {
    stream: S,
    peer: Addr,
    _pressure: PressureGuard,
}

/// So many connections may be alive. Clones are the same number: listeners that share it are limited together.
#[derive(Clone, Debug)]
pub struct Permits {
    permits: Arc<Semaphore>,
    /// How many listeners were ever limited by them.
    listeners: Arc<AtomicUsize>,
}

/// The right to be alive, given back when dropped.
#[derive(Debug)]
pub struct Permit(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Permits {
    /// `n` of them; at least 1, because a server that never accepts is none.
    pub fn new(n: usize) -> Permits {
        let permits = Arc::new(Semaphore::new(n.clamp(1, Semaphore::MAX_PERMITS)));
        Permits { permits, listeners: Arc::default() }
    }

    /// How many connections may still come.
    pub fn available(&self) -> usize {
        self.permits.available_permits()
    }

    /// Waits for a permit, first come, first served.
    ///
    /// # Cancel safety
    /// Only the place in the queue is lost.
    pub async fn acquire(&self) -> Permit {
        match self.try_acquire() {
            Some(permit) => permit,
            None => Permit(Arc::clone(&self.permits).acquire_owned().await.expect("nothing closes this semaphore")),
        }
    }

    /// A permit, if one is free and nobody waits for it.
    pub fn try_acquire(&self) -> Option<Permit> {
        Arc::clone(&self.permits).try_acquire_owned().ok().map(Permit)
    }
}

impl Permits {
    /// A client waits for a permit. If all belong to one listener, the end of another's connections gives none.
    fn raise(&self, pressure: &Pressure) -> PressureGuard {
        if self.listeners.load(Relaxed) > 1 { pressure.raise() } else { pressure.raise_own() }
    }
}

impl<L: Listener> Limit<L> {
    /// At most `n` connections at once, at least 1.
    pub fn new(listener: L, n: usize) -> Limit<L> {
        Limit::shared(listener, &Permits::new(n))
    }

    /// At most as many connections as `permits` has, together with everyone else who takes from them.
    pub fn shared(listener: L, permits: &Permits) -> Limit<L> {
        permits.listeners.fetch_add(1, Relaxed);
        Limit { listener, permits: permits.clone(), pressure: Pressure::new(), waiting: None }
    }

    /// The permits, to ask how many are left or to share them.
    pub fn permits(&self) -> &Permits {
        &self.permits
    }

    /// The listener inside.
    pub fn get_ref(&self) -> &L {
        &self.listener
    }

    /// The listener inside. A client that was kept waiting is closed.
    pub fn into_inner(self) -> L {
        self.listener
    }
}

impl<L: Listener> Listener for Limit<L> {
    type Stream = LimitedStream<L::Stream>;

    /// # Cancel safety
    /// Nothing is lost: the client that waits for a permit stays in the `Limit`. Only its place in the queue for
    /// permits is lost.
    async fn accept(&mut self) -> io::Result<(Self::Stream, Addr)> {
        if self.waiting.is_none() {
            let (stream, peer) = self.listener.accept().await?;
            if let Some(permit) = self.permits.try_acquire() {
                return Ok((LimitedStream { stream, permit }, peer));
            }
            self.waiting = Some(Waiting { stream, peer, _pressure: self.permits.raise(&self.pressure) });
        }
        let permit = self.permits.acquire().await;
        let Waiting { stream, peer, _pressure } = self.waiting.take().expect("kept above, and taken only here");
        Ok((LimitedStream { stream, permit }, peer))
    }

    fn local_addr(&self) -> io::Result<Addr> {
        self.listener.local_addr()
    }

    fn set_pressure(&mut self, pressure: &Pressure) {
        self.listener.set_pressure(pressure);
        self.pressure = pressure.clone();
        if let Some(waiting) = &mut self.waiting {
            waiting._pressure = self.permits.raise(pressure);
        }
    }
}

impl<L: Listener + fmt::Debug> fmt::Debug for Limit<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limit")
            .field("listener", &self.listener)
            .field("permits", &self.permits)
            .field("waiting", &self.waiting.as_ref().map(|waiting| &waiting.peer))
            .finish_non_exhaustive()
    }
}

/// A stream with its permit.
#[derive(Debug)]
pub struct LimitedStream<S> {
    // Fields are dropped in this order: the descriptor is free before the next client is let in.
    stream: S,
    permit: Permit,
}

impl<S> LimitedStream<S> {
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

pass_through!(LimitedStream<S>, stream);

#[cfg(test)]
mod tests {
    use super::{
        super::script::{EBADF, EMFILE, Script, Step, Step::Accept, Step::Fail},
        *,
    };
    use crate::Retry;
    use std::{future::poll_fn, task::Poll, time::Duration};
    use tokio::{
        sync::mpsc,
        time::{Instant, timeout},
    };

    fn limit(n: usize, steps: impl IntoIterator<Item = Step>) -> Limit<Script> {
        Limit::new(Script::new(steps), n)
    }

    /// What is accepted without further events.
    async fn accept_now<L: Listener>(listener: &mut L) -> Option<L::Stream> {
        let (stream, _) = timeout(Duration::from_millis(1), listener.accept()).await.ok()?.unwrap();
        Some(stream)
    }

    #[tokio::test(start_paused = true)]
    async fn the_third_of_two_waits_and_the_fourth_is_not_accepted() {
        let mut limit = limit(2, [Accept; 4]);
        let one = accept_now(&mut limit).await.unwrap();
        let two = accept_now(&mut limit).await.unwrap();
        assert_eq!(limit.permits().available(), 0);
        // Every attempt is cancelled, and none of them accepts another client or loses the one that waits.
        for _ in 0..3 {
            assert!(accept_now(&mut limit).await.is_none());
            assert_eq!(limit.get_ref().called.len(), 3);
        }

        drop(one);
        assert!(accept_now(&mut limit).await.is_some());
        assert_eq!(limit.get_ref().called.len(), 3);
        drop(two);
        assert!(accept_now(&mut limit).await.is_some());
        assert_eq!(limit.get_ref().called.len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn the_pressure_is_raised_while_a_client_waits_for_a_permit() {
        let pressure = Pressure::new();
        let mut limit = Retry::new(limit(1, [Accept; 2]));
        limit.set_pressure(&pressure);
        let one = accept_now(&mut limit).await.unwrap();
        assert!(!pressure.is_raised(), "the limit is reached, but nobody waits");
        assert!(accept_now(&mut limit).await.is_none());
        assert!(pressure.is_raised(), "a cancelled accept does not make the client go away");
        drop(one);
        let two = accept_now(&mut limit).await.unwrap();
        assert!(!pressure.is_raised(), "the client is served");
        assert!(accept_now(&mut limit).await.is_none());
        assert!(!pressure.is_raised(), "the limit is reached again, but nobody waits");
        drop(two);
    }

    /// Where the permits are of one listener, no other one's connections are closed for them.
    #[tokio::test(start_paused = true)]
    async fn the_pressure_of_permits_that_are_not_shared_is_the_listeners_own() {
        for shared in [false, true] {
            let (pressure, permits) = (Pressure::new(), Permits::new(1));
            let mut limit = Limit::shared(Script::new([Accept; 2]), &permits);
            let _other = shared.then(|| Limit::shared(Script::new([]), limit.permits()));
            limit.set_pressure(&pressure);
            let _one = accept_now(&mut limit).await.unwrap();
            assert!(accept_now(&mut limit).await.is_none());
            assert!(pressure.is_raised());
            assert_eq!(pressure.is_own(), !shared);
            let late = Pressure::new();
            limit.set_pressure(&late);
            assert!(late.is_raised() && !pressure.is_raised());
            assert_eq!(late.is_own(), !shared);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pressure_set_late_is_raised_for_the_client_that_waits() {
        let mut limit = limit(1, [Accept; 2]);
        let _one = accept_now(&mut limit).await.unwrap();
        assert!(accept_now(&mut limit).await.is_none());
        let pressure = Pressure::new();
        limit.set_pressure(&pressure);
        assert!(pressure.is_raised());
        drop(limit);
        assert!(!pressure.is_raised(), "the client is gone with the listener");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_relieves_the_pressure_lets_the_client_in() {
        let pressure = Pressure::new();
        let mut limit = limit(1, [Accept; 2]);
        limit.set_pressure(&pressure);
        let idle = accept_now(&mut limit).await.unwrap();
        let (served, ()) = tokio::join!(timeout(Duration::from_secs(1), limit.accept()), async {
            pressure.raised().await;
            drop(idle);
        });
        served.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_accept_goes_on_when_a_connection_is_dropped() {
        let mut limit = limit(1, [Accept; 2]);
        let one = accept_now(&mut limit).await.unwrap();
        let start = Instant::now();
        let (two, ()) = tokio::join!(limit.accept(), async {
            tokio::time::sleep(Duration::from_secs(7)).await;
            drop(one);
        });
        two.unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_taken_out_is_still_counted() {
        let mut limit = limit(1, [Accept; 2]);
        let (stream, permit) = accept_now(&mut limit).await.unwrap().into_parts();
        drop(stream);
        assert!(accept_now(&mut limit).await.is_none());
        drop(permit);
        assert!(accept_now(&mut limit).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_or_a_cancelled_accept_costs_no_permit() {
        let mut limit = limit(1, [Fail(EBADF)]);
        assert!(limit.accept().await.is_err());
        assert_eq!(limit.permits().available(), 1);
        for _ in 0..3 {
            assert!(accept_now(&mut limit).await.is_none());
            assert_eq!(limit.permits().available(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_of_nothing_is_a_limit_of_one() {
        let mut limit = limit(0, [Accept; 2]);
        let _one = accept_now(&mut limit).await.unwrap();
        assert!(accept_now(&mut limit).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn retry_works_inside_and_outside() {
        let steps = [Fail(EMFILE), Accept, Accept];
        let mut inside = Limit::new(Retry::new(Script::new(steps)), 1);
        let mut outside = Retry::new(Limit::new(Script::new(steps), 1));
        let one = inside.accept().await.unwrap();
        assert!(accept_now(&mut inside).await.is_none());
        let two = outside.accept().await.unwrap();
        assert!(accept_now(&mut outside).await.is_none());
        drop((one, two));
        assert!(accept_now(&mut inside).await.is_some());
        assert!(accept_now(&mut outside).await.is_some());
    }

    /// Clients that come when the test says so.
    struct Channel(mpsc::Receiver<()>);

    impl Listener for Channel {
        type Stream = tokio::io::DuplexStream;

        async fn accept(&mut self) -> io::Result<(Self::Stream, Addr)> {
            self.0.recv().await.ok_or(io::ErrorKind::NotConnected)?;
            Ok((tokio::io::duplex(1).0, Addr::Unix(crate::UnixName::Unnamed)))
        }

        fn local_addr(&self) -> io::Result<Addr> {
            Err(io::ErrorKind::AddrNotAvailable.into())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_listener_without_clients_takes_no_permit_from_another() {
        let permits = Permits::new(1);
        let (clients, silent) = (mpsc::channel(9), mpsc::channel(9));
        let mut busy = Limit::shared(Channel(clients.1), &permits);
        let mut idle = Limit::shared(Channel(silent.1), &permits);
        let waiting = tokio::spawn(async move { idle.accept().await });
        tokio::task::yield_now().await;
        for _ in 0..3 {
            clients.0.send(()).await.unwrap();
            assert!(accept_now(&mut busy).await.is_some());
        }
        // And the other is served as soon as a client of its own comes.
        clients.0.send(()).await.unwrap();
        let held = accept_now(&mut busy).await.unwrap();
        silent.0.send(()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!waiting.is_finished());
        drop(held);
        waiting.await.unwrap().unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nobody_is_lost_between_many_listeners_on_many_threads() {
        serve_everybody(How::ToItsEnd).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nobody_is_lost_by_accepts_that_are_cancelled() {
        serve_everybody(How::Cancelled).await;
    }

    #[derive(Clone, Copy)]
    enum How {
        ToItsEnd,
        /// Dropped whenever it would have to wait, and begun anew.
        Cancelled,
    }

    async fn accept<L: Listener>(listener: &mut L, how: How) -> io::Result<(L::Stream, Addr)> {
        loop {
            if let How::ToItsEnd = how {
                return listener.accept().await;
            }
            let mut accepting = Box::pin(listener.accept());
            let polled = poll_fn(|cx| Poll::Ready(accepting.as_mut().poll(cx))).await;
            drop(accepting);
            match polled {
                Poll::Ready(accepted) => return accepted,
                Poll::Pending => tokio::task::yield_now().await,
            }
        }
    }

    /// Four listeners that share three permits, and 500 clients for each of them.
    async fn serve_everybody(how: How) {
        let permits = Permits::new(3);
        let (mut senders, mut servers) = (Vec::new(), Vec::new());
        for _ in 0..4 {
            let (sender, receiver) = mpsc::channel(1);
            let mut limit = Limit::shared(Channel(receiver), &permits);
            let permits = permits.clone();
            servers.push(tokio::spawn(async move {
                let mut accepted = 0;
                while let Ok((stream, _)) = accept(&mut limit, how).await {
                    accepted += 1;
                    assert!(permits.available() < 3);
                    tokio::spawn(async move {
                        tokio::task::yield_now().await;
                        drop(stream);
                    });
                }
                accepted
            }));
            senders.push(tokio::spawn(async move {
                for _ in 0..500 {
                    sender.send(()).await.unwrap();
                }
            }));
        }
        for server in servers {
            assert_eq!(timeout(Duration::from_secs(20), server).await.unwrap().unwrap(), 500);
        }
    }
}
