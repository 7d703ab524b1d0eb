//! A server: a handler, the limits, and every connection.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use quintet_conn::{Connections, Counts};
use quintet_listener::{FdReleased, Health};
use quintet_mux::Handler;
use tokio::{sync::Notify, time::timeout};

use crate::{
    config::Config,
    observe::{HookFailures, Observer},
    serve_error::ServeError,
    shared::Shared,
    shutdown_report::ShutdownReport,
};

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

impl<H: Handler> Server<H> {
    /// A server with the defaults of [`Config`].
    #[must_use]
    pub fn new(handler: H) -> Self {
        Server::with_config(handler, Config::default())
    }

    /// A server with settings of one's own.
    #[must_use]
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
    #[must_use]
    pub fn counts(&self) -> Counts {
        let accept_loops = self.shared.accept_loops();
        accept_loops.loops.iter().fold(Counts::default(), |sum, one| sum + one.connections.counts())
    }

    /// How accepting is going, for each listener.
    #[must_use]
    pub fn health(&self) -> Vec<Health> {
        self.shared.accept_loops().loops.iter().map(|one| one.health.clone()).collect()
    }

    /// The handler.
    #[must_use]
    pub fn handler(&self) -> &H {
        &self.shared.handler
    }
}

impl<H> Server<H> {
    /// How often a [hook](crate::Hooks) panicked, and how many log lines could not be written to standard error. Neither has
    /// any other consequence.
    #[must_use]
    pub fn hook_failures(&self) -> HookFailures {
        self.shared.observer.failures()
    }
}

impl<H> fmt::Debug for Server<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("config", &self.shared.config).finish_non_exhaustive()
    }
}
