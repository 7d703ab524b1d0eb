//! A listener that retries: its transient errors never surface.
//!
//! Every server writes this loop, and most write it wrong: they spin at EMFILE (the process is out of descriptors), sleep
//! on through a shutdown, or stop for good at an error that was about one client.

use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    pin::pin,
    task::Poll,
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::{
    accept_error::AcceptError,
    fd_released::{FdReleased, Watch},
    health::Health,
    listener::Listener,
    listener_health::ListenerHealth,
    pressure::{Pressure, PressureGuard},
};
use crate::{
    AcceptErrorKind, Addr, RetryDecision, RetryPolicy, Throttle,
    accept_error_kind::{classify, has_run_out},
    contain::contain,
};

/// At most one report an interval.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Accepts from `L`, and retries after transient errors and while resources have run out. The runtime needs its timer
/// enabled.
///
/// - An error about one client is followed by the next attempt at once.
/// - When something has run out (descriptors, memory) it waits: 5 ms, doubling, at most 1 s, reset by the first success.
///   The wait ends early when a descriptor is [released](Self::fd_released).
/// - A fatal error, about the listener itself, is given to the caller.
///
/// # Spec
/// Go: the loop of `(*Server).Serve` (server.go:3570-3601), whose sleep nothing ends early and whose log nothing
/// limits.
#[doc(alias = "accept loop")]
#[doc(alias = "backoff")]
#[doc(alias = "EMFILE")]
pub struct Retry<L> {
    listener: L,
    policy: RetryPolicy,
    /// When the next attempt may be made. Kept here and not in the future, so that a wait that was cancelled goes on
    /// where it was and the next accept does not become a hot loop.
    until: Option<Instant>,
    /// From the first error that is waited for to the next success.
    watch: Option<Watch>,
    fd_released: FdReleased,
    pressure: Pressure,
    /// While something has run out: from the error that says so to the next attempt that does not.
    raised: Option<PressureGuard>,
    health: Health,
    throttle: Throttle,
    on_error: Option<OnError>,
}

type OnError = Box<dyn FnMut(&AcceptError<'_>) + Send>;

impl<L> Retry<L> {
    /// Accepts from `listener`. Nothing is logged without [`on_error`](Self::on_error).
    pub fn new(listener: L) -> Self {
        Self {
            listener,
            policy: RetryPolicy::new(),
            until: None,
            watch: None,
            fd_released: FdReleased::new(),
            pressure: Pressure::new(),
            raised: None,
            health: Health::default(),
            throttle: Throttle::new(REPORT_EVERY),
            on_error: None,
        }
    }

    /// Reports errors that are waited for, at most once a second, each time with the number left out. Errors about one
    /// client are not reported, only counted in the [`health`](Self::health).
    ///
    /// A panic in `report` is caught and counted, and accepting goes on: `eprintln!` panics if standard error cannot be
    /// written.
    #[must_use]
    pub fn on_error(mut self, report: impl FnMut(&AcceptError<'_>) + Send + 'static) -> Self {
        self.on_error = Some(Box::new(report));
        self
    }

    /// Shares a handle with other listeners: a descriptor released anywhere in the process ends the wait of each of them.
    #[must_use]
    pub fn wake_on(mut self, fd_released: &FdReleased) -> Self {
        self.watch = None;
        self.fd_released = fd_released.clone();
        self
    }

    /// The handle that ends a back-off early.
    pub fn fd_released(&self) -> FdReleased {
        self.fd_released.clone()
    }

    /// The handle that has the counts of accepts and errors.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// The listener inside.
    pub fn get_ref(&self) -> &L {
        &self.listener
    }

    /// The listener inside.
    pub fn into_inner(self) -> L {
        self.listener
    }

    /// Waits until the next attempt may be made.
    async fn sit_out(&mut self) {
        let (Some(until), Some(watch)) = (self.until, &mut self.watch) else { return };
        let is_released = {
            // By hand, because `select!` needs tokio's feature `macros`: a dependency more. Both are polled until one is
            // ready, so each has the waker of this task and no wake-up is lost.
            let (mut sleep, mut fd_released) = (pin!(sleep_until(until)), pin!(watch.fd_released()));
            poll_fn(|cx| match fd_released.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(true),
                Poll::Pending => sleep.as_mut().poll(cx).map(|()| false),
            })
            .await
        };
        if is_released {
            self.health.released(Instant::now().into_std());
        }
        watch.mark();
        self.until = None;
    }

    fn succeeded(&mut self) {
        self.health.succeeded();
        if self.policy != RetryPolicy::new() {
            self.policy.succeeded();
            self.health.recovered(Instant::now().into_std());
            self.watch = None;
            self.raised = None;
        }
    }

    /// Decides when to try again.
    ///
    /// # Errors
    /// The same error, if never.
    fn failed(&mut self, error: io::Error) -> io::Result<()> {
        let (kind, now) = (classify(&error), Instant::now());
        match self.policy.failed(kind) {
            RetryDecision::Now => self.health.failed(&error, kind, None, now.into_std()),
            RetryDecision::After(delay) => {
                self.health.failed(&error, kind, Some(delay), now.into_std());
                if self.raised.is_none() && has_run_out(&error) {
                    self.raised = Some(self.pressure.raise());
                }
                self.pause(&error, kind, delay);
            }
            RetryDecision::GiveUp => {
                self.health.failed(&error, kind, None, now.into_std());
                return Err(error);
            }
        }
        Ok(())
    }

    /// Makes the next attempt wait, and says so.
    pub(super) fn pause(&mut self, error: &io::Error, kind: AcceptErrorKind, delay: Duration) {
        let now = Instant::now();
        self.until = Some(now + delay);
        if self.watch.is_none() {
            self.watch = Some(self.fd_released.watch());
        }
        let Some(on_error) = &mut self.on_error else { return };
        if let Some(suppressed) = self.throttle.admit(now.into_std()) {
            if contain(|| on_error(&AcceptError { error, kind, delay, suppressed })).is_err() {
                self.health.report_panicked();
            }
        }
    }
}

impl<L: Listener> Listener for Retry<L> {
    type Stream = L::Stream;

    /// # Errors
    /// Only those of kind [`Fatal`](AcceptErrorKind::Fatal).
    ///
    /// # Cancel safety
    /// Nothing is lost and nothing is hurried: a back-off that was cut short goes on in the next call.
    async fn accept(&mut self) -> io::Result<(L::Stream, Addr)> {
        loop {
            if self.until.is_some() {
                self.sit_out().await;
            }
            let accepting = self.listener.accept();
            let attempted = match self.watch {
                None => accepting.await,
                Some(_) => attempt(accepting, &mut self.raised, &self.health).await,
            };
            match attempted {
                Ok(accepted) => {
                    self.succeeded();
                    return Ok(accepted);
                }
                Err(error) => self.failed(error)?,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Addr> {
        self.listener.local_addr()
    }

    fn set_pressure(&mut self, pressure: &Pressure) {
        self.listener.set_pressure(pressure);
        self.pressure = pressure.clone();
        if let Some(raised) = &mut self.raised {
            *raised = pressure.raise();
        }
    }

    fn add_health(&self, health: &mut ListenerHealth) {
        self.listener.add_health(health);
    }
}

/// Waits for an accept after an error, and lowers the pressure as soon as it has to wait. The health is then well again.
///
/// The system looks for a descriptor and for memory before it looks for a client (Linux: `__sys_accept4_file`). So an
/// attempt that waits has found them: nothing is lacking any more, and no client is kept waiting. Without this a server
/// that is exactly full would close idle connections although no client waits.
///
/// The future is polled once by hand, to learn whether it waits, and then awaited. This is right because it is one and
/// the same pinned future: what it has done is not undone, and its next poll registers the waker of this task again. The
/// second poll costs one more system call at most, and only between an error and the next success.
async fn attempt<T>(accepting: impl Future<Output = T>, raised: &mut Option<PressureGuard>, health: &Health) -> T {
    let mut accepting = pin!(accepting);
    let polled = poll_fn(|cx| Poll::Ready(accepting.as_mut().poll(cx))).await;
    match polled {
        Poll::Ready(accepted) => accepted,
        Poll::Pending => {
            *raised = None;
            health.recovered(Instant::now().into_std());
            accepting.await
        }
    }
}

impl<L: fmt::Debug> fmt::Debug for Retry<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry").field("listener", &self.listener).field("policy", &self.policy).finish_non_exhaustive()
    }
}
