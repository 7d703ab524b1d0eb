//! How opening connections behind a proxy has been going, and where that is reported.

use std::{
    error::Error,
    fmt, io,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::{Addr, Throttle, contain::contain};

/// At most one report an interval.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// A handle on the health of one [`Proxied`](crate::Proxied). Clones are the same handle; it outlives the listener.
#[derive(Clone, Debug)]
pub struct ProxiedHealth(Arc<Shared>);

struct Shared {
    opened: AtomicU64,
    untrusted: AtomicU64,
    invalid: AtomicU64,
    unexpected_eof: AtomicU64,
    timed_out: AtomicU64,
    per_peer: AtomicU64,
    report_panics: AtomicU64,
    throttle: Mutex<Throttle>,
    on_error: OnceLock<OnError>,
}

type OnError = Box<dyn Fn(&ProxiedError<'_>) + Send + Sync>;

/// The answer of [`ProxiedHealth::snapshot`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxiedHealthSnapshot {
    /// Connections with a header.
    pub opened: u64,
    /// Connections that were refused because their peer is not trusted.
    pub untrusted: u64,
    /// Connections that began with something else than a header.
    pub invalid: u64,
    /// Connections that ended before their header did, as those of a health check that only connects. They are not
    /// reported.
    pub unexpected_eof: u64,
    /// Connections whose header was not whole in time.
    pub timed_out: u64,
    /// Connections that were closed because their client had [as many](crate::Proxied::per_peer) already.
    pub per_peer: u64,
    /// Calls of [`Proxied::on_error`](crate::Proxied::on_error)'s function that panicked.
    pub report_panics: u64,
}

/// Why a connection was not opened, as a line for the log: `PROXY protocol: 192.0.2.1:4567: …`, and how many were not
/// reported.
#[derive(Debug)]
#[non_exhaustive]
pub struct ProxiedError<'a> {
    /// Where the socket's other end is.
    pub peer: &'a Addr,
    /// `PermissionDenied`: not trusted. `InvalidData`: no header, with a [`ProxyHeaderError`](crate::ProxyHeaderError)
    /// inside. `TimedOut`: not a whole one. `QuotaExceeded`: the client has as many connections as it may. Else the
    /// system's.
    pub error: &'a io::Error,
    /// How many have not been reported since the last one that was.
    pub suppressed: u64,
}

impl fmt::Display for ProxiedError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PROXY protocol: {}: {}", self.peer, self.error)?;
        if self.suppressed > 0 {
            write!(f, " ({} more not shown)", self.suppressed)?;
        }
        Ok(())
    }
}

impl Error for ProxiedError<'_> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.error)
    }
}

impl ProxiedHealth {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            opened: AtomicU64::new(0),
            untrusted: AtomicU64::new(0),
            invalid: AtomicU64::new(0),
            unexpected_eof: AtomicU64::new(0),
            timed_out: AtomicU64::new(0),
            per_peer: AtomicU64::new(0),
            report_panics: AtomicU64::new(0),
            throttle: Mutex::new(Throttle::new(REPORT_EVERY)),
            on_error: OnceLock::new(),
        }))
    }

    /// Everything at once. The numbers are read one after another while connections are opened.
    pub fn snapshot(&self) -> ProxiedHealthSnapshot {
        let shared = &*self.0;
        ProxiedHealthSnapshot {
            opened: shared.opened.load(Relaxed),
            untrusted: shared.untrusted.load(Relaxed),
            invalid: shared.invalid.load(Relaxed),
            unexpected_eof: shared.unexpected_eof.load(Relaxed),
            timed_out: shared.timed_out.load(Relaxed),
            per_peer: shared.per_peer.load(Relaxed),
            report_panics: shared.report_panics.load(Relaxed),
        }
    }

    /// Only the first function is kept.
    pub(super) fn report_to(&self, report: OnError) {
        let _ = self.0.on_error.set(report);
    }

    pub(super) fn opened(&self) {
        self.0.opened.fetch_add(1, Relaxed);
    }

    /// Counts a connection that was not opened, and reports it if the last report is a second ago.
    pub(super) fn failed(&self, peer: &Addr, error: &io::Error) {
        let shared = &*self.0;
        let counter = match error.kind() {
            io::ErrorKind::PermissionDenied => Some(&shared.untrusted),
            io::ErrorKind::InvalidData => Some(&shared.invalid),
            io::ErrorKind::UnexpectedEof => Some(&shared.unexpected_eof),
            io::ErrorKind::TimedOut => Some(&shared.timed_out),
            io::ErrorKind::QuotaExceeded => Some(&shared.per_peer),
            _ => None,
        };
        counter.map(|counter| counter.fetch_add(1, Relaxed));
        // A balancer's check may be to connect and close, every few seconds: nothing is wrong then.
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return;
        }
        let Some(report) = shared.on_error.get() else { return };
        let now = Instant::now().into_std();
        let admitted = shared.throttle.lock().unwrap_or_else(PoisonError::into_inner).admit(now);
        let Some(suppressed) = admitted else { return };
        if contain(|| report(&ProxiedError { peer, error, suppressed })).is_err() {
            shared.report_panics.fetch_add(1, Relaxed);
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("opened", &self.opened).finish_non_exhaustive()
    }
}
