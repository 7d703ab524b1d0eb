//! A handler, the limits, and everyone connected.

use std::{
    cmp::Reverse,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quintet_conn::{ConnGuard, Connection, Connections, Counts, Wire};
use quintet_listener::{Addr, AnyListener, FdReleased, Health, Listener, Pressure, Retry, listen};
use quintet_mux::Handler;
use quintet_request::Limits;
use tokio::{sync::Notify, task::yield_now, time::timeout};

use crate::{config::Config, observe::Observer, select::at_once};

/// A server: a handler, its [`Config`], and every connection it serves. A clone is the same server. Go:
/// `http.Server`.
///
/// # Example
/// ```no_run
/// use quintet_server::Server;
/// use std::time::Duration;
///
/// # async fn run() -> Result<(), quintet_server::ServeError> {
/// let server = Server::new(async |_| "hello\n");
/// let report = server.run(":9090", Duration::from_secs(10)).await?;
/// println!("{} connections drained, {} aborted", report.drained, report.aborted);
/// # Ok(()) }
/// ```
#[doc(alias = "http server")]
pub struct Server<H> {
    pub(crate) shared: Arc<Shared<H>>,
}

impl<H> Clone for Server<H> {
    fn clone(&self) -> Self {
        Server { shared: Arc::clone(&self.shared) }
    }
}

/// What all connections share.
pub(crate) struct Shared<H> {
    pub(crate) handler: H,
    pub(crate) config: Config,
    pub(crate) limits: Arc<Limits>,
    pub(crate) observer: Arc<Observer>,
    /// Told when a descriptor came free, so that a listener that ran out of them tries again.
    pub(crate) fd_released: FdReleased,
    accept_loops: Mutex<AcceptLoops>,
    /// Notified when an accept loop ended.
    shut: Notify,
}

/// The accept loops, open or draining.
#[derive(Default)]
struct AcceptLoops {
    stopping: bool,
    /// Connections accepted after the stop, which had connected before it.
    late: usize,
    loops: Vec<Loop>,
}

struct Loop {
    connections: Arc<Connections>,
    health: Health,
    /// Whether it still accepts.
    open: bool,
}

impl AcceptLoops {
    fn connections(&self) -> Vec<Arc<Connections>> {
        self.loops.iter().map(|one| Arc::clone(&one.connections)).collect()
    }
}

/// Why serving ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}")]
    Listen {
        /// The address.
        addr: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Nothing can be accepted any more.
    #[error("cannot accept")]
    Accept(#[source] std::io::Error),
    /// The server was shut down before. Go: `http.ErrServerClosed`.
    #[error("server closed")]
    Closed,
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Connections that ended by themselves, and those whose last reply was sent whole: that only their client had not
    /// closed when the time was over is no loss.
    pub drained: usize,
    /// Connections that were aborted.
    pub aborted: usize,
}

/// How many connections are accepted at most after a server was told to stop: the longest queue that a listener has.
const BACKLOG: usize = 4096;

/// How long connections may go on when the accept loop of theirs, or of another thread, cannot.
pub(crate) const GRACE_PERIOD: Duration = Duration::from_secs(5);

/// An accept loop that is open; dropping it closes it.
pub(crate) struct AcceptLoopGuard<'a, H> {
    shared: &'a Shared<H>,
    /// How many connections were looked for after the stop.
    late: usize,
    pub(crate) connections: Arc<Connections>,
    /// Raised by the listener while clients wait because something has run out.
    pub(crate) pressure: Pressure,
}

impl<H: Handler> Server<H> {
    /// A server with the defaults of [`Config`].
    pub fn new(handler: H) -> Self {
        Server::with_config(handler, Config::default())
    }

    /// A server with settings of one's own.
    pub fn with_config(handler: H, config: Config) -> Self {
        Server {
            shared: Arc::new(Shared {
                handler,
                limits: Arc::new(config.limits),
                observer: Observer::new(config.hooks.clone()),
                config,
                fd_released: FdReleased::new(),
                accept_loops: Mutex::default(),
                shut: Notify::new(),
            }),
        }
    }

    /// Listens on an address (`":9090"`, `"127.0.0.1:0"`, `"unix:/path"`) and serves until the server is shut down. Go:
    /// `Server.ListenAndServe`.
    ///
    /// # Errors
    /// [`ServeError`].
    ///
    /// # Cancel safety
    /// Dropping the future closes the listener; connections go on.
    #[doc(alias = "listenandserve")]
    #[doc(alias = "ListenAndServe")]
    pub async fn listen_and_serve(&self, addr: &str) -> Result<(), ServeError> {
        self.serve(self.shared.listen(addr)?).await
    }

    /// Listens on an address, serves until SIGTERM or Ctrl-C, then [shuts down](Self::shutdown) with this grace period;
    /// a second signal cuts everything off.
    ///
    /// # Errors
    /// [`ServeError`].
    ///
    /// # Cancel safety
    /// Dropping the future closes the listener; connections go on, and no signal is waited for.
    pub async fn run(&self, addr: &str, grace_period: Duration) -> Result<ShutdownReport, ServeError> {
        self.serve_until_signal(self.shared.listen(addr)?, grace_period).await
    }

    /// Shuts down: closes the listeners at once, then each connection as it finishes its request, and after
    /// `grace_period` those that have not. Go: `Server.Shutdown`.
    ///
    /// An idle connection is still read for a moment ([`quintet_conn::Timeouts::drain`]), as a request may be on its
    /// way. The last reply on each says `Connection: close`. Upgraded connections are told through
    /// [`Request::stopping`](quintet_request::Request::stopping).
    ///
    /// # Example
    /// ```
    /// use quintet_server::{Server, listen};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Server::new(async |_| "hello\n");
    /// let stop = async {
    ///     // Wait for whatever says so. For SIGTERM and Ctrl-C there is `run`, which does all of this.
    ///     server.shutdown(Duration::from_secs(10)).await
    /// };
    /// let (served, report) = tokio::join!(server.serve(listen("127.0.0.1:0")?), stop);
    /// served?;
    /// assert_eq!((report.drained, report.aborted), (0, 0));
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future leaves the server shutting down without a deadline.
    #[doc(alias = "graceful shutdown")]
    #[doc(alias = "drain")]
    pub async fn shutdown(&self, grace_period: Duration) -> ShutdownReport {
        let (connections, late) = self.shared.stop();
        let before: usize = connections.iter().map(|connections| connections.counts().total()).sum();
        let all = || before + self.shared.accept_loops().late - late;
        if timeout(grace_period, self.shared.all_gone(&connections)).await.is_ok() {
            return ShutdownReport { drained: all(), aborted: 0 };
        }
        let aborted: usize = connections
            .iter()
            .map(|connections| connections.counts().total().saturating_sub(connections.lingering()))
            .sum();
        self.abort(&connections).await;
        ShutdownReport { drained: all().saturating_sub(aborted), aborted }
    }

    /// Cuts everything off at once: listeners, connections and the handlers at work on them. Go: `Server.Close`.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the server shutting down; once polled, everything is told to end.
    pub async fn close(&self) -> ShutdownReport {
        self.shutdown(Duration::ZERO).await
    }

    async fn abort(&self, connections: &[Arc<Connections>]) {
        connections.iter().for_each(|connections| connections.abort());
        // A task that is aborted ends the next time it runs; one that never yields cannot be waited for.
        let _ = timeout(Duration::from_millis(80), self.shared.all_gone(connections)).await;
    }

    /// Resolves when the server was told to shut down and every connection of it has ended, with or without time left.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn drained(&self) {
        self.stopping().await;
        let connections = self.shared.accept_loops().connections();
        self.shared.all_gone(&connections).await;
    }

    /// Resolves when the server is told to shut down.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn stopping(&self) {
        loop {
            let notified = self.shared.shut.notified();
            if self.shared.accept_loops().stopping {
                return;
            }
            notified.await;
        }
    }

    /// How many connections stand where, now.
    pub fn counts(&self) -> Counts {
        let accept_loops = self.shared.accept_loops();
        accept_loops.loops.iter().fold(Counts::default(), |sum, one| sum + one.connections.counts())
    }

    /// How accepting is going, for each listener.
    pub fn health(&self) -> Vec<Health> {
        self.shared.accept_loops().loops.iter().map(|one| one.health.clone()).collect()
    }

    /// The handler.
    pub fn handler(&self) -> &H {
        &self.shared.handler
    }
}

impl<H: Handler> Shared<H> {
    /// Opens an accept loop: the listener as it is served, and the connections to come.
    pub(crate) fn open<L: Listener>(&self, listener: L) -> Result<(Retry<L>, AcceptLoopGuard<'_, H>), ServeError> {
        let local: Option<Addr> = listener.local_addr().ok();
        let observer = Arc::clone(&self.observer);
        let pressure = Pressure::new();
        let mut listener =
            Retry::new(listener).wake_on(&self.fd_released).on_error(move |error| observer.accept_error(error));
        listener.set_pressure(&pressure);
        let (connections, sweeper) = Connections::new(self.config.timeouts.clone(), local, self.observer.state_hook());
        let mut accept_loops = self.accept_loops();
        if accept_loops.stopping {
            return Err(ServeError::Closed);
        }
        // Loops that ended and whose connections are gone have nothing more to say.
        accept_loops.loops.retain(|one| one.open || one.connections.counts().total() > 0);
        accept_loops.loops.push(Loop { connections: Arc::clone(&connections), health: listener.health(), open: true });
        drop(accept_loops);
        tokio::spawn(sweeper);
        Ok((listener, AcceptLoopGuard { shared: self, late: 0, connections, pressure }))
    }
}

impl<H> Shared<H> {
    fn listen(&self, addr: &str) -> Result<AnyListener, ServeError> {
        self.check_open()?;
        listen(addr).map_err(|source| ServeError::Listen { addr: addr.to_owned(), source })
    }

    /// Before an address is listened on: after a shutdown it is not opened even for a moment, and a Unix socket's file
    /// is not replaced. Go: `Server.ListenAndServe`, which asks `shuttingDown` first.
    pub(crate) fn check_open(&self) -> Result<(), ServeError> {
        if self.accept_loops().stopping { Err(ServeError::Closed) } else { Ok(()) }
    }

    /// Whether the reply to a connection's `served`-th request is to be its last. While the server shuts down, requests
    /// that are already here (`ahead`) are answered first.
    #[inline]
    pub(crate) fn is_last(&self, connection: &Connection, served: u64, ahead: bool) -> bool {
        (connection.is_stopping() && !ahead)
            || connection.is_retiring()
            || served >= self.config.max_requests
            || (self.config.max_age != Duration::MAX && connection.age() >= self.config.max_age)
    }

    /// At most `n` connections of this accept loop, or else of all, those that have been idle for longest; each with
    /// those it is among.
    pub(crate) fn idlest(&self, n: usize, of: Option<&Arc<Connections>>) -> Vec<(Arc<Connections>, Arc<Connection>)> {
        let loops = of.map_or_else(|| self.accept_loops().connections(), |own| vec![Arc::clone(own)]);
        let mut idle: Vec<_> =
            loops.iter().flat_map(|all| all.idlest(n).into_iter().map(move |(since, one)| (since, all, one))).collect();
        idle.sort_by_key(|(since, ..)| Reverse(*since));
        idle.truncate(n);
        idle.into_iter().map(|(_, all, one)| (Arc::clone(all), one)).collect()
    }

    /// Dropped when a connection was closed.
    pub(crate) fn notify_fd_released(&self) -> NotifyFdReleased<'_> {
        NotifyFdReleased(&self.fd_released)
    }

    fn accept_loops(&self) -> MutexGuard<'_, AcceptLoops> {
        self.accept_loops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everyone's connections, and how many were late so far.
    pub(crate) fn stop(&self) -> (Vec<Arc<Connections>>, usize) {
        let (connections, late) = {
            let mut accept_loops = self.accept_loops();
            accept_loops.stopping = true;
            (accept_loops.connections(), accept_loops.late)
        };
        connections.iter().for_each(|connections| connections.stop());
        self.shut.notify_waiters();
        (connections, late)
    }

    /// Resolves when every accept loop has ended, and then every one of these connections.
    async fn all_gone(&self, connections: &[Arc<Connections>]) {
        loop {
            let notified = self.shut.notified();
            if self.accept_loops().loops.iter().all(|one| !one.open) {
                break;
            }
            notified.await;
        }
        for connections in connections {
            connections.drained().await;
        }
    }
}

/// Tells the listeners that a descriptor came free.
pub(crate) struct NotifyFdReleased<'a>(&'a FdReleased);

impl Drop for NotifyFdReleased<'_> {
    fn drop(&mut self) {
        self.0.notify();
    }
}

impl<H> AcceptLoopGuard<'_, H> {
    /// Nothing can be accepted any more: closes the listener, and answers those who are connected.
    pub(crate) async fn give_up<L: Listener>(&self, listener: Retry<L>) {
        drop(listener);
        self.connections.stop();
        let _ = timeout(GRACE_PERIOD, self.connections.drained()).await;
    }

    /// The next of those who were connected when the server was told to stop. They may have sent a request, and
    /// closing the listener would reset them.
    pub(crate) async fn admit_late<L: Listener>(&mut self, listener: &mut L) -> Option<(ConnGuard, Wire<L::Stream>)> {
        if self.late == 0 {
            yield_now().await; // the runtime may not have heard of them yet
        }
        self.late += 1;
        if self.late > BACKLOG {
            return None;
        }
        let (stream, peer) = at_once(listener.accept()).await?.ok()?;
        self.shared.accept_loops().late += 1;
        Some(self.connections.admit(stream, peer))
    }
}

impl<H> Drop for AcceptLoopGuard<'_, H> {
    fn drop(&mut self) {
        let mut accept_loops = self.shared.accept_loops();
        if let Some(own) = accept_loops.loops.iter_mut().find(|one| Arc::ptr_eq(&one.connections, &self.connections)) {
            own.open = false;
        }
        drop(accept_loops);
        self.shared.shut.notify_waiters();
    }
}

impl<H> fmt::Debug for Server<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("config", &self.shared.config).finish_non_exhaustive()
    }
}
