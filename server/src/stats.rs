//! The state of a server to be read: connections, requests, accept loops, and whether it is about to leave.

#[cfg(feature = "http2")]
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use quintet_conn::Counts;
use quintet_listener::{Health, ListenerHealth};
use quintet_request::Request;

#[cfg(feature = "live")]
use crate::figure::Watch;
use crate::{
    accept_loops::AcceptLoops,
    access_log::{AccessLog, AccessLogCounts},
    observe::{HookFailures, Observer},
};

/// The state of a server to be read: its connections, requests and accept loops, and whether it is about to leave. A clone
/// is a handle of the same server, and has no type parameter. From [`Server::stats`](crate::Server::stats), and in a
/// handler from [`Stats::of`].
///
/// Asking costs requests nothing: the numbers are counted when they are asked for, in a walk over all connections.
///
/// # Example
/// ```
/// use quintet_server::{Request, ServeMux, Stats};
///
/// async fn status(request: Request) -> String {
///     let stats = Stats::of(&request).expect("it came by a server");
///     let counts = stats.counts();
///     format!("{} connections, {} of them idle; {} requests\n", counts.total(), counts.idle, stats.requests())
/// }
///
/// let mux = ServeMux::new();
/// mux.handle("GET /status", status);
/// ```
#[doc(alias = "metrics")]
#[derive(Clone)]
pub struct Stats(Arc<Inner>);

/// The state of a server that does not depend on the type of its handler.
pub(crate) struct Inner {
    accept_loops: Mutex<AcceptLoops>,
    observer: Arc<Observer>,
    access_log: Option<AccessLog>,
    #[cfg(feature = "http2")]
    streams_refused: AtomicU64,
    #[cfg(feature = "live")]
    watch: Arc<Watch>,
}

/// The [`Stats`] as its connections keep them: weak, since the accept loops in them hold the connections.
pub(crate) struct WeakStats(Weak<Inner>);

impl Stats {
    pub(crate) fn new(observer: Arc<Observer>, access_log: Option<AccessLog>) -> Self {
        Self(Arc::new(Inner {
            accept_loops: Mutex::default(),
            observer,
            access_log,
            #[cfg(feature = "http2")]
            streams_refused: AtomicU64::new(0),
            #[cfg(feature = "live")]
            watch: Watch::new(),
        }))
    }

    /// That of the server by which this request came. `None` if it came by none: it was made by the program, or by another
    /// library's server.
    #[must_use]
    pub fn of(request: &Request) -> Option<Self> {
        request.connection()?.value::<WeakStats>()?.0.upgrade().map(Self)
    }

    /// What the viewers of the live figure are told.
    #[cfg(feature = "live")]
    pub(crate) fn watch(&self) -> &Arc<Watch> {
        &self.0.watch
    }

    /// Whether both are of one server.
    #[cfg(feature = "live")]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn downgrade(&self) -> WeakStats {
        WeakStats(Arc::downgrade(&self.0))
    }

    /// Locks the accept loops. A thread that panicked with the lock leaves the list whole: its poison is ignored.
    pub(crate) fn accept_loops(&self) -> MutexGuard<'_, AcceptLoops> {
        self.0.accept_loops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(feature = "http2")]
    pub(crate) fn streams_refused_counter(&self) -> &AtomicU64 {
        &self.0.streams_refused
    }

    /// The number of connections in each [state](quintet_conn::State) now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let accept_loops = self.accept_loops();
        accept_loops.loops.iter().fold(Counts::default(), |sum, one| sum + one.connections.counts())
    }

    /// The number of requests in progress now. HTTP/1.1: of active connections, so a request counts from its first byte
    /// until its reply was sent. HTTP/2: of requests whose handler or reply has not ended.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.accept_loops().loops.iter().map(|one| one.connections.requests()).sum()
    }

    /// The health of each accept loop: what it accepted, and its accept errors.
    #[must_use]
    pub fn health(&self) -> Vec<Health> {
        self.accept_loops().loops.iter().map(|one| one.health.clone()).collect()
    }

    /// The health of the listener of each accept loop, in the order of [`health`](Self::health): its limit of connections,
    /// TLS, and PROXY headers.
    #[must_use]
    pub fn listeners(&self) -> Vec<ListenerHealth> {
        self.accept_loops().loops.iter().map(|one| one.listener.clone()).collect()
    }

    /// Whether at least one accept loop is open.
    #[must_use]
    pub fn is_accepting(&self) -> bool {
        self.accept_loops().loops.iter().any(|one| one.open)
    }

    /// Whether accepting fails: an accept loop waits after an error, as it has no descriptors, for example.
    #[must_use]
    pub fn is_accept_failing(&self) -> bool {
        self.accept_loops().loops.iter().any(|one| one.open && !one.health.snapshot().is_well())
    }

    /// Whether a new client would have to wait for a request of another one to end: a [limit](quintet_listener::Limit) of
    /// an accept loop has no permit left, and no connection is idle, to be closed for the new one.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let accept_loops = self.accept_loops();
        let mut open = accept_loops.loops.iter().filter(|one| one.open);
        let is_out = open.any(|one| one.listener.limit.as_ref().is_some_and(|limit| limit.snapshot().available == 0));
        is_out && accept_loops.loops.iter().all(|one| one.connections.counts().idle == 0)
    }

    /// Whether the server is about to leave: its [`shutdown_delay`](crate::Config::shutdown_delay) or its shutdown has
    /// begun.
    #[must_use]
    pub fn is_retiring(&self) -> bool {
        let accept_loops = self.accept_loops();
        accept_loops.stopping || accept_loops.retiring_since.is_some()
    }

    /// Whether the shutdown has begun: the listeners are closed, or about to.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.accept_loops().stopping
    }

    /// How often a [hook](crate::Hooks) panicked, and how many log lines could not be written to standard error.
    #[must_use]
    pub fn hook_failures(&self) -> HookFailures {
        self.0.observer.failures()
    }

    /// What became of the lines of the [access log](crate::Config::access_log); `None` if there is none.
    #[must_use]
    pub fn access_log(&self) -> Option<AccessLogCounts> {
        self.0.access_log.as_ref().map(AccessLog::counts)
    }

    /// See [`Server::streams_refused`](crate::Server::streams_refused).
    #[cfg(feature = "http2")]
    #[must_use]
    pub fn streams_refused(&self) -> u64 {
        self.0.streams_refused.load(Relaxed)
    }
}

impl fmt::Debug for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stats")
            .field("counts", &self.counts())
            .field("is_retiring", &self.is_retiring())
            .finish_non_exhaustive()
    }
}
