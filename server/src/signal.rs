//! Serving until the process is told to stop.

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
    /// Serves until SIGTERM or Ctrl-C, then [shuts down](Server::shutdown) with this grace period; a second signal cuts
    /// everything off. A [service manager](ServiceManager) is told when the server is ready and when it stops.
    ///
    /// # Errors
    /// [`ServeError`].
    ///
    /// # Cancel safety
    /// Dropping the future closes the listener; connections go on, and are not waited for.
    pub async fn serve_until_signal<L: Listener>(
        &self,
        listener: L,
        grace_period: Duration,
    ) -> Result<ShutdownReport, ServeError> {
        let mut signals = Signals::new();
        let manager = ServiceManager::from_env();
        let mut serving = pin!(self.serve(listener));
        if let Either::First(ended) = select(serving.as_mut(), until(&mut signals, &manager)).await {
            // Shut down from elsewhere: whoever did it has the report, and what is under way is finished here, too.
            ended?;
            manager.notify(Notification::Stopping);
            manager.attend(self.drained()).await;
            return Ok(ShutdownReport::default());
        }
        // The accept loop hears of it by itself, and may still have connections to accept.
        let closing = async {
            let _ = serving.await;
            pending::<Infallible>().await
        };
        match select(self.drain(grace_period, &mut signals, &manager), closing).await {
            Either::First(report) => Ok(report),
            Either::Second(never) => match never {},
        }
    }

    /// Waits for SIGTERM or Ctrl-C, then [shuts down](Server::shutdown) with this grace period; a second signal cuts
    /// everything off. Serve in another task meanwhile, as many listeners as you like. A [service
    /// manager](ServiceManager) is told that the server is ready now, and when it stops.
    ///
    /// # Cancel safety
    /// Dropped before a signal, nothing happened; afterwards the server goes on shutting down without a deadline.
    pub async fn until_signal(&self, grace_period: Duration) -> ShutdownReport {
        let mut signals = Signals::new();
        let manager = ServiceManager::from_env();
        until(&mut signals, &manager).await;
        self.drain(grace_period, &mut signals, &manager).await
    }

    async fn drain(&self, grace_period: Duration, signals: &mut Signals, manager: &ServiceManager) -> ShutdownReport {
        manager.notify(Notification::Stopping);
        match manager.attend(select(self.shutdown(grace_period), signals.next())).await {
            Either::First(report) => report,
            Either::Second(()) => self.close().await,
        }
    }
}

/// Waits for a signal while the server serves.
async fn until(signals: &mut Signals, manager: &ServiceManager) {
    manager.notify(Notification::Ready);
    manager.attend(signals.next()).await;
}

/// SIGTERM and Ctrl-C, from when this was made: a signal that comes between two waits is there at the second. Several
/// of one kind that come before one of them was seen are one, as everywhere on Unix.
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
        Signals { terminate: listen(unix::SignalKind::terminate()), interrupt: listen(unix::SignalKind::interrupt()) }
    }

    /// Resolves at the next signal; never, where signals cannot be had.
    ///
    /// # Cancel safety
    /// Nothing is lost: a signal that was not returned comes at the next call.
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

    /// Resolves at the next Ctrl-C; never, where it cannot be had.
    ///
    /// # Cancel safety
    /// Nothing is lost: a signal that was not returned comes at the next call.
    async fn next(&mut self) {
        if let Some(interrupt) = &mut self.interrupt {
            if interrupt.recv().await.is_some() {
                return;
            }
        }
        pending::<()>().await;
    }
}
