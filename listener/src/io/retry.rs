//! A listener whose temporary errors never surface.
//!
//! Every server writes this loop, and most write it wrong: they spin at EMFILE, sleep on through a shutdown, or stop
//! for good at an error that was about one client.

use super::freed::Watch;
use crate::{Addr, Class, Freed, Health, Listener, Patience, Throttle, Verdict, classify};

use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    pin::pin,
    task::Poll,
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// Accepts from `L` and lives through what passes by itself. The runtime needs its timer enabled.
///
/// - An error about one client is followed by the next attempt at once.
/// - When something has run out it waits: 5 ms, doubling, at most 1 s, forgotten at the first success. The wait ends
///   early when a descriptor comes [free](Self::freed).
/// - Everything else is given to the caller.
///
/// # Spec
/// Go: the loop of `(*Server).Serve` (server.go:3570-3601), whose sleep nothing ends early and whose log nothing limits.
pub struct Retry<L> {
    listener: L,
    patience: Patience,
    /// When the next attempt may be made. Kept here and not in the future, so that a wait that was cancelled goes on
    /// where it was and the next accept does not become a hot loop.
    until: Option<Instant>,
    /// From the first error that is waited for to the next success.
    watch: Option<Watch>,
    freed: Freed,
    health: Health,
    throttle: Throttle,
    on_error: Option<OnError>,
}

type OnError = Box<dyn FnMut(&AcceptError<'_>) + Send>;

/// An accept error that is waited for, as a line for the log.
///
/// Prints as Go does: `accept error: Too many open files (os error 24); retrying in 20ms`, and how many like it were
/// not reported.
#[derive(Debug)]
#[non_exhaustive]
pub struct AcceptError<'a> {
    /// What the listener said.
    pub error: &'a io::Error,
    /// What it was taken for.
    pub class: Class,
    /// How long until the next attempt.
    pub delay: Duration,
    /// How many errors have not been reported since the last one that was.
    pub suppressed: u64,
}

impl fmt::Display for AcceptError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "accept error: {}; retrying in {:?}", self.error, self.delay)?;
        if self.suppressed > 0 {
            write!(f, " ({} more not shown)", self.suppressed)?;
        }
        Ok(())
    }
}

impl<L> Retry<L> {
    /// At most one report an interval.
    const REPORT_EVERY: Duration = Duration::from_secs(1);

    /// Accepts from `listener`. Nothing is logged until [`on_error`](Self::on_error) says where.
    pub fn new(listener: L) -> Retry<L> {
        Retry {
            listener,
            patience: Patience::new(),
            until: None,
            watch: None,
            freed: Freed::new(),
            health: Health::default(),
            throttle: Throttle::new(Self::REPORT_EVERY),
            on_error: None,
        }
    }

    /// Reports errors that are waited for, at most once a second, each time with the number left out. Errors about one
    /// client are not reported, only counted in the [`health`](Self::health).
    #[must_use]
    pub fn on_error(mut self, report: impl FnMut(&AcceptError<'_>) + Send + 'static) -> Retry<L> {
        self.on_error = Some(Box::new(report));
        self
    }

    /// Listens to a handle that others share, so that a descriptor freed anywhere in the process serves every listener.
    #[must_use]
    pub fn freed_by(mut self, freed: &Freed) -> Retry<L> {
        self.watch = None;
        self.freed = freed.clone();
        self
    }

    /// The handle that ends a back-off early.
    pub fn freed(&self) -> Freed {
        self.freed.clone()
    }

    /// The handle that tells how it has been going.
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
        {
            let (mut sleep, mut freed) = (pin!(sleep_until(until)), pin!(watch.freed()));
            poll_fn(|cx| match freed.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => sleep.as_mut().poll(cx),
            })
            .await;
        }
        watch.mark();
        self.until = None;
    }

    fn succeeded(&mut self) {
        self.health.succeeded();
        if self.patience != Patience::new() {
            self.patience.succeeded();
            self.health.recovered();
            self.watch = None;
        }
    }

    /// Decides when to try again.
    ///
    /// # Errors
    /// The same error, if never.
    fn failed(&mut self, error: io::Error) -> io::Result<()> {
        let (class, now) = (classify(&error), Instant::now());
        match self.patience.failed(class) {
            Verdict::AtOnce => self.health.failed(&error, class, None, now.into_std()),
            Verdict::After(delay) => {
                self.health.failed(&error, class, Some(delay), now.into_std());
                self.pause(&error, class, delay);
            }
            Verdict::Never => {
                self.health.failed(&error, class, None, now.into_std());
                return Err(error);
            }
        }
        Ok(())
    }

    /// Makes the next attempt wait, and says so.
    pub(super) fn pause(&mut self, error: &io::Error, class: Class, delay: Duration) {
        let now = Instant::now();
        self.until = Some(now + delay);
        if self.watch.is_none() {
            self.watch = Some(self.freed.watch());
        }
        let Some(on_error) = &mut self.on_error else { return };
        if let Some(suppressed) = self.throttle.admit(now.into_std()) {
            on_error(&AcceptError { error, class, delay, suppressed });
        }
    }
}

impl<L: Listener> Listener for Retry<L> {
    type Stream = L::Stream;

    /// # Errors
    /// Only those of class [`Fatal`](Class::Fatal).
    ///
    /// # Cancel safety
    /// Nothing is lost and nothing is hurried: a back-off that was cut short goes on in the next call.
    async fn accept(&mut self) -> io::Result<(L::Stream, Addr)> {
        loop {
            if self.until.is_some() {
                self.sit_out().await;
            }
            match self.listener.accept().await {
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
}

impl<L: fmt::Debug> fmt::Debug for Retry<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("listener", &self.listener)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}
