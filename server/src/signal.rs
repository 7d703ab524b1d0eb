//! Serving until the process gets SIGTERM or Ctrl-C.

use std::{convert::Infallible, future::pending, pin::pin, time::Duration};

use quintet_listener::Listener;
use quintet_mux::Handler;
#[cfg(unix)]
use tokio::signal::unix;
#[cfg(windows)]
use tokio::signal::windows;

use crate::{
    access_log::ReopenOnSignals,
    select::{Either, select},
    serve_error::ServeError,
    server::Server,
    service_manager::{Notification, ServiceManager},
    shutdown_report::ShutdownReport,
};

impl<H: Handler> Server<H> {
    /// Serves until SIGTERM or Ctrl-C, then [shuts down](Server::shutdown) with this grace period. Ctrl-C skips the
    /// [`shutdown_delay`](crate::Config::shutdown_delay), which is for balancers. A second signal, also in the delay, aborts
    /// every connection. A [service manager](ServiceManager) is told when the server is ready and when it stops, which is
    /// the beginning of the delay.
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
        let _reopening = self.reopen_log_on_signals();
        let manager = ServiceManager::from_env();
        let mut serving = pin!(self.serve(listener));
        let signal = match select(serving.as_mut(), self.signaled(&mut signals, &manager)).await {
            Either::First(ended) => {
                // Another task called `shutdown` and has the report. Wait for the connections all the same: the caller
                // usually ends the process when this returns.
                ended?;
                manager.attend(Notification::Stopping, self.drained()).await;
                self.flush_log().await;
                return Ok(ShutdownReport::default());
            }
            Either::Second(signal) => signal,
        };
        // The accept loop must be polled meanwhile: it sees the shutdown by itself, and accepts what is in its backlog.
        let closing = async {
            let _ = serving.await;
            pending::<Infallible>().await
        };
        match select(self.drain(signal, grace_period, &mut signals, &manager), closing).await {
            Either::First(report) => Ok(report),
            Either::Second(never) => match never {},
        }
    }

    /// Waits for SIGTERM or Ctrl-C, then [shuts down](Server::shutdown) with this grace period. Ctrl-C skips the
    /// [`shutdown_delay`](crate::Config::shutdown_delay), which is for balancers. A second signal, also in the delay, aborts
    /// every connection. Other tasks serve meanwhile, any number of listeners. A [service manager](ServiceManager) is
    /// told that the server is ready now, and when it stops.
    ///
    /// # Cancel safety
    /// Cancel safe before a signal. Dropped after one, the server goes on shutting down without a deadline.
    pub async fn until_signal(&self, grace_period: Duration) -> ShutdownReport {
        let mut signals = Signals::new();
        let _reopening = self.reopen_log_on_signals();
        let manager = ServiceManager::from_env();
        let signal = self.signaled(&mut signals, &manager).await;
        self.drain(signal, grace_period, &mut signals, &manager).await
    }

    /// Opens the access log again at SIGHUP and SIGUSR1, until the result is dropped.
    pub(crate) fn reopen_log_on_signals(&self) -> Option<ReopenOnSignals> {
        self.shared.config.access_log.clone().and_then(ReopenOnSignals::new)
    }

    /// Waits for a signal while the server serves. The manager is told that it does, and that it stops if another task shuts
    /// it down meanwhile.
    async fn signaled(&self, signals: &mut Signals, manager: &ServiceManager) -> Signal {
        match manager.attend(Notification::Ready, select(signals.next(), self.retiring())).await {
            Either::First(signal) => signal,
            Either::Second(()) => manager.attend(Notification::Stopping, signals.next()).await,
        }
    }

    /// Shuts the server down after a signal, until the next one.
    async fn drain(
        &self,
        signal: Signal,
        grace_period: Duration,
        signals: &mut Signals,
        manager: &ServiceManager,
    ) -> ShutdownReport {
        let shutdown = async {
            match signal {
                Signal::Terminate => self.shutdown(grace_period).await,
                Signal::Interrupt => self.shutdown_now(grace_period).await,
            }
        };
        match manager.attend(Notification::Stopping, select(shutdown, signals.next())).await {
            Either::First(report) => report,
            Either::Second(_) => self.close().await,
        }
    }
}

/// A signal that ends the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    /// SIGTERM: a service manager or a container asks for the end.
    #[cfg_attr(windows, expect(dead_code, reason = "there is no such signal"))]
    Terminate,
    /// Ctrl-C (SIGINT): a person at a terminal waits.
    Interrupt,
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
    async fn next(&mut self) -> Signal {
        async fn recv(signal: &mut Option<unix::Signal>) {
            if let Some(signal) = signal {
                if signal.recv().await.is_some() {
                    return;
                }
            }
            pending::<()>().await;
        }
        match select(recv(&mut self.terminate), recv(&mut self.interrupt)).await {
            Either::First(()) => Signal::Terminate,
            Either::Second(()) => Signal::Interrupt,
        }
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
    async fn next(&mut self) -> Signal {
        if let Some(interrupt) = &mut self.interrupt {
            if interrupt.recv().await.is_some() {
                return Signal::Interrupt;
            }
        }
        pending().await
    }
}
