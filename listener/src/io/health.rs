//! Counts and the last error of an accept loop, for a status page, a metric or an alarm.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::accept_event::{AcceptEvent, AcceptEventKind, AcceptEvents};
use crate::AcceptErrorKind;

/// A handle on the health of one [`Retry`](crate::Retry). Clones are the same handle; it outlives the listener.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Shared>);

/// Written by one accept loop alone, so a load and a store make an increment: no locked instruction per connection.
#[derive(Debug, Default)]
struct Shared {
    accepted: AtomicU64,
    transient: AtomicU64,
    waited: AtomicU64,
    fatal: AtomicU64,
    report_panics: AtomicU64,
    delay_ms: AtomicU64,
    last: Mutex<Option<Failure>>,
    events: Mutex<AcceptEvents>,
}

/// What [`Health::snapshot`] returns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthSnapshot {
    /// Connections accepted.
    pub accepted: u64,
    /// Errors that were about one client and retried at once.
    pub transient: u64,
    /// Errors that were waited for.
    pub waited: u64,
    /// Errors that were given to the caller.
    pub fatal: u64,
    /// Calls of [`Retry::on_error`](crate::Retry::on_error)'s function that panicked.
    pub report_panics: u64,
    /// The delay after the last error; zero since the last success, and since an accept waits for a client: nothing is
    /// lacking then.
    pub delay: Duration,
    /// The last error of any kind.
    pub last: Option<Failure>,
}

impl HealthSnapshot {
    /// Whether the last accept succeeded, or waits for a client.
    pub fn is_well(&self) -> bool {
        self.delay.is_zero()
    }
}

/// An accept error of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// Its kind in std.
    pub io_kind: io::ErrorKind,
    /// Its number, if it came from the system.
    pub errno: Option<i32>,
    /// How it was classified.
    pub kind: AcceptErrorKind,
    /// When.
    pub at: Instant,
}

impl Health {
    /// All numbers. They are read one after another while the loop goes on, so they may differ by a connection.
    pub fn snapshot(&self) -> HealthSnapshot {
        let shared = &*self.0;
        HealthSnapshot {
            accepted: shared.accepted.load(Ordering::Relaxed),
            transient: shared.transient.load(Ordering::Relaxed),
            waited: shared.waited.load(Ordering::Relaxed),
            fatal: shared.fatal.load(Ordering::Relaxed),
            report_panics: shared.report_panics.load(Ordering::Relaxed),
            delay: Duration::from_millis(shared.delay_ms.load(Ordering::Relaxed)),
            last: *shared.last.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// The events after number `seq` ([`AcceptEvent::seq`]), in order: all that are waited for, and how each wait ended. Zero
    /// gives all that are kept, the last 64.
    pub fn events(&self, seq: u64) -> Vec<AcceptEvent> {
        self.lock_events().after(seq)
    }

    fn lock_events(&self) -> MutexGuard<'_, AcceptEvents> {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn succeeded(&self) {
        add_one(&self.0.accepted);
    }

    /// The function that was to report an error panicked.
    pub(super) fn report_panicked(&self) {
        add_one(&self.0.report_panics);
    }

    /// The back-off ended early: a descriptor was released.
    pub(super) fn released(&self, at: Instant) {
        self.lock_events().push(at, AcceptEventKind::Released);
    }

    /// The back-off is over.
    pub(super) fn recovered(&self, at: Instant) {
        if self.0.delay_ms.swap(0, Ordering::Relaxed) != 0 {
            self.lock_events().push(at, AcceptEventKind::Recovered);
        }
    }

    /// An error that is not waited for; `kind` is `Transient` or `Fatal`.
    pub(super) fn failed(&self, error: &io::Error, kind: AcceptErrorKind, delay: Option<Duration>, at: Instant) {
        add_one(match (kind, delay) {
            (AcceptErrorKind::Fatal, _) => &self.0.fatal,
            (_, Some(_)) => &self.0.waited,
            (_, None) => &self.0.transient,
        });
        if let Some(delay) = delay {
            self.0.delay_ms.store(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        if kind == AcceptErrorKind::Fatal || delay.is_some() {
            let failed =
                AcceptEventKind::Failed { errno: error.raw_os_error(), kind, delay: delay.unwrap_or_default() };
            self.lock_events().push(at, failed);
        }
        let failure = Failure { io_kind: error.kind(), errno: error.raw_os_error(), kind, at };
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }
}

fn add_one(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}
