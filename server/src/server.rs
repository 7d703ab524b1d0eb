//! The server: a handler, its settings, and the connections it serves.

use std::{fmt, sync::Arc, time::Duration};

use quintet_conn::{Connections, Counts};
use quintet_listener::{FdReleased, Health};
use quintet_mux::Handler;
use tokio::{
    sync::Notify,
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};

#[cfg(feature = "tracing")]
use crate::trace_events;
use crate::{
    config::Config,
    observe::{HookFailures, Observer},
    select::select,
    serve_error::ServeError,
    shared::Shared,
    shutdown_report::ShutdownReport,
    stats::Stats,
};

/// How long a shutdown waits for the lines of the access log to be written.
const MAX_FLUSH: Duration = Duration::from_secs(1);

/// A server: a handler, its [`Config`], and the connections it serves. A clone is a handle of the same server. Go:
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
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<H: Handler> Server<H> {
    /// A server with the defaults of [`Config`].
    #[must_use]
    pub fn new(handler: H) -> Self {
        Self::with_config(handler, Config::default())
    }

    /// A server with these settings.
    #[must_use]
    pub fn with_config(handler: H, config: Config) -> Self {
        let observer = Observer::new(&config);
        let stats = Stats::new(Arc::clone(&observer), config.access_log.clone());
        Self {
            shared: Arc::new(Shared {
                handler,
                limits: Arc::new(config.limits),
                #[cfg(feature = "live")]
                watch: Arc::clone(stats.watch()),
                stats,
                observer,
                config,
                fd_released: FdReleased::new(),
                shut: Notify::new(),
            }),
        }
    }

    /// Listens on an address (`":9090"`, `"127.0.0.1:0"`, `"unix:/path"`) and serves until the server is shut down. Go:
    /// `Server.ListenAndServe`.
    ///
    /// # Errors
    /// [`ServeError::Listen`] if the address cannot be listened on; else as [`serve`](Self::serve).
    ///
    /// # Cancel safety
    /// Dropping the future closes the listener. Its connections are still served.
    #[doc(alias = "listenandserve")]
    #[doc(alias = "ListenAndServe")]
    pub async fn listen_and_serve(&self, addr: &str) -> Result<(), ServeError> {
        self.serve(self.shared.listen(addr)?).await
    }

    /// Listens on an address, serves until SIGTERM or Ctrl-C, then [shuts down](Self::shutdown) with this grace period.
    /// Ctrl-C skips the [`shutdown_delay`](Config::shutdown_delay). A second signal aborts every connection. SIGHUP and
    /// SIGUSR1 open the [access log](Config::access_log) again; without one they are not handled, and end the process.
    ///
    /// `"fd:name"` is the inherited socket of that name (feature `activation`).
    ///
    /// # Errors
    /// [`ServeError::Listen`] if the address cannot be listened on; else as [`serve`](Self::serve).
    ///
    /// # Cancel safety
    /// Dropping the future closes the listener. Its connections are still served, and signals are not waited for.
    pub async fn run(&self, addr: &str, grace_period: Duration) -> Result<ShutdownReport, ServeError> {
        self.serve_until_signal(self.shared.listen(addr)?, grace_period).await
    }

    /// Shuts the server down. Listeners close at once; a connection closes when its request is answered; a connection
    /// that is still open after `grace_period` is aborted. Go: `Server.Shutdown`.
    ///
    /// First it waits for [`Config::shutdown_delay`], if that is not zero: the server still accepts, but
    /// [`ready`](crate::ready) says 503, each reply of HTTP/1.1 says `Connection: close`, and clients of HTTP/2 get a
    /// GOAWAY, so that a balancer sends its requests elsewhere before the listeners close.
    ///
    /// An idle connection is still read for [`Timeouts::drain`](quintet_conn::Timeouts::drain), because a request may be
    /// on its way. The last reply on a connection says `Connection: close`. A connection that was taken over learns of
    /// the shutdown through [`Request::stopping`](quintet_request::Request::stopping).
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
    ///     // Wait here for your own event. `run` does all of this for SIGTERM and Ctrl-C.
    ///     server.shutdown(Duration::from_secs(10)).await
    /// };
    /// let (served, report) = tokio::join!(server.serve(listen("127.0.0.1:0")?), stop);
    /// served?;
    /// assert_eq!((report.drained, report.aborted), (0, 0));
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future leaves the server shutting down without a deadline; in the delay, it leaves the server serving,
    /// with one reply for each connection.
    #[doc(alias = "graceful shutdown")]
    #[doc(alias = "drain")]
    pub async fn shutdown(&self, grace_period: Duration) -> ShutdownReport {
        if !self.shared.config.shutdown_delay.is_zero() {
            self.delay(self.shared.config.shutdown_delay).await;
        }
        self.shutdown_now(grace_period).await
    }

    /// Waits for this time after the server began to retire, or until it is told to shut down.
    async fn delay(&self, delay: Duration) {
        // A second call waits only for the rest.
        let Some(since) = self.shared.retire() else { return };
        #[cfg(feature = "tracing")]
        self.shared.observer.trace(|| trace_events::retiring(delay));
        let rest = delay.saturating_sub(Instant::now().duration_since(since));
        select(self.stopping(), sleep(rest)).await;
    }

    /// Shuts the server down without the delay.
    pub(crate) async fn shutdown_now(&self, grace_period: Duration) -> ShutdownReport {
        #[cfg(feature = "tracing")]
        self.shared.observer.trace(|| trace_events::stopping(grace_period));
        let report = self.end_connections(grace_period).await;
        self.flush_log().await;
        #[cfg(feature = "tracing")]
        self.shared.observer.trace(|| trace_events::stopped(report));
        report
    }

    /// Writes the lines of the access log that wait, for up to a second.
    pub(crate) async fn flush_log(&self) {
        if let Some(log) = self.shared.config.access_log.clone() {
            // In a thread of its own, as it blocks. It fails only if the runtime ends.
            let _ = spawn_blocking(move || log.flush(MAX_FLUSH)).await;
        }
    }

    /// Tells the listeners and connections to end, and waits for that.
    async fn end_connections(&self, grace_period: Duration) -> ShutdownReport {
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

    /// Shuts the server down without a delay or a grace period: closes the listeners, and aborts every connection with its handler.
    /// Go: `Server.Close`.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the server shutting down. The first poll tells every listener and connection to end.
    pub async fn close(&self) -> ShutdownReport {
        self.shutdown_now(Duration::ZERO).await
    }

    async fn abort(&self, connections: &[Arc<Connections>]) {
        connections.iter().for_each(|connections| connections.abort());
        // An aborted task ends when it runs next. A task that never yields never ends: hence the bound.
        let _ = timeout(Duration::from_millis(80), self.shared.all_gone(connections)).await;
    }

    /// Resolves when the server was told to shut down and each of its connections has ended, by itself or aborted.
    ///
    /// # Cancel safety
    /// Cancel safe: it only waits.
    pub async fn drained(&self) {
        self.stopping().await;
        let connections = self.shared.accept_loops().connections();
        self.shared.all_gone(&connections).await;
    }

    /// Resolves when the server is told to shut down: at the end of its [`shutdown_delay`](Config::shutdown_delay).
    ///
    /// # Cancel safety
    /// Cancel safe: it only waits.
    pub async fn stopping(&self) {
        self.shared.until(|accept_loops| accept_loops.stopping).await;
    }

    /// Resolves when the server begins to leave: at the beginning of its [`shutdown_delay`](Config::shutdown_delay), or, without
    /// one, when it is told to shut down. [`Stats::is_retiring`](crate::Stats::is_retiring) is true from then on.
    ///
    /// # Cancel safety
    /// Cancel safe: it only waits.
    pub async fn retiring(&self) {
        self.shared.until(|accept_loops| accept_loops.stopping || accept_loops.retiring_since.is_some()).await;
    }

    /// The number of connections in each [state](quintet_conn::State) now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.stats.counts()
    }

    /// The health of each accept loop: what it accepted, and its accept errors.
    #[must_use]
    pub fn health(&self) -> Vec<Health> {
        self.shared.stats.health()
    }

    /// The state of the server to be read: a handle without the type of the handler. A handler finds it by [`Stats::of`].
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats.clone()
    }

    /// The handler.
    #[must_use]
    pub fn handler(&self) -> &H {
        &self.shared.handler
    }
}

impl<H> Server<H> {
    /// How often a [hook](crate::Hooks) panicked, and how many log lines could not be written to standard error. Neither
    /// ends a connection or an accept loop.
    #[must_use]
    pub fn hook_failures(&self) -> HookFailures {
        self.shared.observer.failures()
    }

    /// How many requests of HTTP/2 were refused (`REFUSED_STREAM`) because no handler of their connection ended in the time
    /// of a head, while [`max_concurrent_streams`](crate::Http2Config::max_concurrent_streams) of them were at work. A
    /// number that grows tells of handlers that go on long after their clients have reset the requests.
    #[cfg(feature = "http2")]
    #[must_use]
    pub fn streams_refused(&self) -> u64 {
        self.shared.stats.streams_refused()
    }
}

impl<H> fmt::Debug for Server<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("config", &self.shared.config).finish_non_exhaustive()
    }
}
