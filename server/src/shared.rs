//! The state that all connections of a server share: handler, settings, hooks and accept loops.

use std::{
    cmp::Reverse,
    sync::{Arc, MutexGuard},
    time::Duration,
};

use quintet_conn::{Connection, Connections};
use quintet_listener::{AnyListener, FdReleased, listen};
use quintet_request::{CloseReason, Limits};
use tokio::{sync::Notify, time::Instant};

#[cfg(feature = "live")]
use crate::figure::Watch;
use crate::{
    accept_loops::AcceptLoops, config::Config, max_age::jittered, observe::Observer, serve_error::ServeError,
    stats::Stats,
};

/// The state that all connections of a server share.
pub(crate) struct Shared<H> {
    pub(crate) handler: H,
    pub(crate) config: Config,
    pub(crate) limits: Arc<Limits>,
    pub(crate) observer: Arc<Observer>,
    /// Notified when a descriptor was released, so that a listener that ran out of them tries again.
    pub(crate) fd_released: FdReleased,
    pub(crate) stats: Stats,
    /// What the viewers of the live figure are told. Here as well as in the stats: a request looks at it.
    #[cfg(feature = "live")]
    pub(crate) watch: Arc<Watch>,
    /// Notified when the server retires, when it is told to shut down, and when an accept loop ended.
    pub(crate) shut: Notify,
}

impl<H> Shared<H> {
    pub(crate) fn listen(&self, addr: &str) -> Result<AnyListener, ServeError> {
        self.check_open()?;
        listen(addr).map_err(|source| ServeError::Listen { addr: addr.to_owned(), source })
    }

    /// Checks that the server was not shut down, before an address is opened: a Unix socket would replace the file of
    /// its successor. Go: `Server.ListenAndServe`, which asks `shuttingDown` first.
    ///
    /// # Errors
    /// [`ServeError::Closed`] if the server was told to shut down.
    pub(crate) fn check_open(&self) -> Result<(), ServeError> {
        if self.accept_loops().stopping { Err(ServeError::Closed) } else { Ok(()) }
    }

    /// Why the reply to a connection's `served`-th request is its last; `None` if the connection goes on. While the
    /// server shuts down, or is about to, requests that were already received (`ahead`) are answered first.
    #[inline]
    pub(crate) fn last_reason(&self, connection: &Connection, served: u64, ahead: bool) -> Option<CloseReason> {
        if connection.is_retiring() && !ahead {
            Self::retired(connection)
        } else if served >= self.config.max_requests {
            Some(CloseReason::MaxRequests)
        } else if self.config.max_age != Duration::MAX && self.is_too_old(connection) {
            Some(CloseReason::MaxAge)
        } else {
            None
        }
    }

    /// Apart from the look at two flags, which each request pays for.
    #[cold]
    fn retired(connection: &Connection) -> Option<CloseReason> {
        connection.retirement().map(CloseReason::from)
    }

    /// Not inlined: most servers have no greatest age, and a request pays for what stands in its path.
    #[inline(never)]
    fn is_too_old(&self, connection: &Connection) -> bool {
        connection.age() >= jittered(self.config.max_age, connection.seed())
    }

    /// The `n` connections (or fewer) that have been idle for longest, of one accept loop, or of all if `of` is `None`.
    /// Each comes with the registry that it is in.
    pub(crate) fn idlest(&self, n: usize, of: Option<&Arc<Connections>>) -> Vec<(Arc<Connections>, Arc<Connection>)> {
        let loops = of.map_or_else(|| self.accept_loops().connections(), |own| vec![Arc::clone(own)]);
        let mut idle: Vec<_> =
            loops.iter().flat_map(|all| all.idlest(n).into_iter().map(move |(since, one)| (since, all, one))).collect();
        idle.sort_by_key(|(since, ..)| Reverse(*since));
        idle.truncate(n);
        idle.into_iter().map(|(_, all, one)| (Arc::clone(all), one)).collect()
    }

    /// A guard that the task of a connection drops after its wire, when the descriptor was released.
    pub(crate) fn fd_released_on_drop(&self) -> NotifyFdReleased<'_> {
        NotifyFdReleased(&self.fd_released)
    }

    /// Locks the accept loops.
    pub(crate) fn accept_loops(&self) -> MutexGuard<'_, AcceptLoops> {
        self.stats.accept_loops()
    }

    /// Begins the delay before the shutdown: the next reply of each connection is its last, and accepting goes on. Returns
    /// when the delay began, the first time it did; `None` if the server was told to shut down before.
    pub(crate) fn retire(&self) -> Option<Instant> {
        let (since, connections) = {
            let mut accept_loops = self.accept_loops();
            if accept_loops.stopping {
                return None;
            }
            let since = *accept_loops.retiring_since.get_or_insert_with(Instant::now);
            (since, accept_loops.connections())
        };
        // After the lock is released, as in `stop`.
        connections.iter().for_each(|connections| connections.retire_all());
        self.shut.notify_waiters();
        Some(since)
    }

    /// Begins the shutdown: the registries of all accept loops, and how many connections were accepted late so far.
    pub(crate) fn stop(&self) -> (Vec<Arc<Connections>>, usize) {
        let (connections, late) = {
            let mut accept_loops = self.accept_loops();
            accept_loops.stopping = true;
            (accept_loops.connections(), accept_loops.late)
        };
        // After the lock is released: `stop` wakes the tasks of all connections, and they may take it.
        connections.iter().for_each(|connections| connections.stop());
        self.shut.notify_waiters();
        (connections, late)
    }

    /// Resolves when this is true of the accept loops.
    ///
    /// # Cancel safety
    /// Cancel safe: it only waits.
    pub(crate) async fn until(&self, is_so: impl Fn(&AcceptLoops) -> bool) {
        loop {
            // Made before the list is looked at: `notify_waiters` wakes every `Notified` that exists, polled or not, so
            // that a change between the look and the wait is not missed.
            let notified = self.shut.notified();
            if is_so(&self.accept_loops()) {
                return;
            }
            notified.await;
        }
    }

    /// Resolves when every accept loop has ended, and then every one of these connections.
    ///
    /// # Cancel safety
    /// Cancel safe: it only waits.
    pub(crate) async fn all_gone(&self, connections: &[Arc<Connections>]) {
        self.until(|accept_loops| accept_loops.loops.iter().all(|one| !one.open)).await;
        for connections in connections {
            connections.drained().await;
        }
    }
}

/// A guard that tells the listeners, when it is dropped, that a descriptor was released.
pub(crate) struct NotifyFdReleased<'a>(&'a FdReleased);

impl Drop for NotifyFdReleased<'_> {
    fn drop(&mut self) {
        self.0.notify();
    }
}
