//! Serving until the process gets SIGTERM or Ctrl-C.

use std::{convert::Infallible, future::pending, pin::pin, time::Duration};

use quintet_listener::Listener;
use quintet_mux::Handler;
#[cfg(unix)]
use tokio::signal::unix;
#[cfg(windows)]
use tokio::signal::windows;

use crate::{
    select::{Either, select},
    serve_error::ServeError,
    server::Server,
    service_manager::{Notification, ServiceManager},
    shutdown_report::ShutdownReport,
};

impl<H: Handler> Server<H> {
    /// Serves until SIGTERM or Ctrl-C, then [shuts down](Server::shutdown) with this grace period. A second signal aborts
    /// every connection. A [service manager](ServiceManager) is told when the server is ready and when it stops.
    ///
    /// If another task shuts the server down, this returns an empty report when every connection has ended.
    ///
    /// # Errors
    /// [`ServeError`].
    ///
    /// # Cancel safety
    /// Dropping the future closes the listener. Its connections are still served, and signals are not waited for.
    pub async fn serve_until_signal<L: Listener>(
        &self,
        listener: L,
        grace_period: Duration,
    ) -> Result<ShutdownReport, ServeError> {
        let mut signals = Signals::new();
        let manager = ServiceManager::from_env();
        let mut serving = pin!(self.serve(listener));
        if let Either::First(ended) = select(serving.as_mut(), until(&mut signals, &manager)).await {
            // Another task called `shutdown` and has the report. Wait for the connections all the same: the caller
            // usually ends the process when this returns.
            ended?;
            manager.attend(Notification::Stopping, self.drained()).await;
            return Ok(ShutdownReport::default());
        }
        // The accept loop must be polled meanwhile: it sees the shutdown by itself, and accepts what is in its backlog.
        let closing = async {
            let _ = serving.await;
            pending::<Infallible>().await
        };
        match select(self.drain(grace_period, &mut signals, &manager), closing).await {
            Either::First(report) => Ok(report),
            Either::Second(never) => match never {},
        }
    }

    /// Waits for SIGTERM or Ctrl-C, then [shuts down](Server::shutdown) with this grace period. A second signal aborts
    /// every connection. Other tasks serve meanwhile, any number of listeners. A [service manager](ServiceManager) is
    /// told that the server is ready now, and when it stops.
    ///
    /// # Cancel safety
    /// Cancel safe before a signal. Dropped after one, the server goes on shutting down without a deadline.
    pub async fn until_signal(&self, grace_period: Duration) -> ShutdownReport {
        let mut signals = Signals::new();
        let manager = ServiceManager::from_env();
        until(&mut signals, &manager).await;
        self.drain(grace_period, &mut signals, &manager).await
    }

    async fn drain(&self, grace_period: Duration, signals: &mut Signals, manager: &ServiceManager) -> ShutdownReport {
        let ended = select(self.shutdown(grace_period), signals.next());
        match manager.attend(Notification::Stopping, ended).await {
            Either::First(report) => report,
            Either::Second(()) => self.close().await,
        }
    }
}

/// Waits for a signal while the server serves.
async fn until(signals: &mut Signals, manager: &ServiceManager) {
    manager.attend(Notification::Ready, signals.next()).await;
}

/// The signals SIGTERM and Ctrl-C since this was made. A signal that arrives between two calls of `next` is returned by
/// the second. Several signals of one kind between two calls count as one, as everywhere on Unix.
struct Signals {
    #[cfg(unix)]
    terminate: Option<unix::Signal>,
    #[cfg(unix)]
    interrupt: Option<unix::Signal>,
    #[cfg(windows)]
    interrupt: Option<windows::CtrlC>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> Self {
        let listen = |kind| unix::signal(kind).ok();
        Self { terminate: listen(unix::SignalKind::terminate()), interrupt: listen(unix::SignalKind::interrupt()) }
    }

    /// Waits for the next signal, for ever if the process cannot listen to signals.
    ///
    /// # Cancel safety
    /// Cancel safe: a signal that was not returned is returned by the next call.
    async fn next(&mut self) {
        async fn recv(signal: &mut Option<unix::Signal>) {
            if let Some(signal) = signal {
                if signal.recv().await.is_some() {
                    return;
                }
            }
            pending::<()>().await;
        }
        select(recv(&mut self.terminate), recv(&mut self.interrupt)).await;
    }
}

#[cfg(windows)]
impl Signals {
    fn new() -> Self {
        Signals { interrupt: windows::ctrl_c().ok() }
    }

    /// Waits for the next Ctrl-C, for ever if the process cannot listen to it.
    ///
    /// # Cancel safety
    /// Cancel safe: a signal that was not returned is returned by the next call.
    async fn next(&mut self) {
        if let Some(interrupt) = &mut self.interrupt {
            if interrupt.recv().await.is_some() {
                return;
            }
        }
        pending::<()>().await;
    }
}
