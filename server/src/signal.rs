//! Serving until the process is told to stop.

use std::{convert::Infallible, future::pending, io, pin::pin, time::Duration};

use quintet_listener::Listener;
use quintet_mux::Handler;

use crate::{
    select::{Either, select},
    server::{Report, ServeError, Server},
};

impl<H: Handler> Server<H> {
    /// Serves until SIGTERM or Ctrl-C, then [shuts down](Server::shutdown) with this patience; a second signal cuts
    /// everything off.
    ///
    /// # Errors
    /// [`ServeError`].
    ///
    /// # Cancel safety
    /// Dropping the future closes the listener; connections go on, and are not waited for.
    pub async fn serve_until_signal<L: Listener>(&self, listener: L, patience: Duration) -> Result<Report, ServeError> {
        let mut serving = pin!(self.serve(listener));
        if let Either::First(ended) = select(serving.as_mut(), signal()).await {
            // Shut down from elsewhere: whoever did it has the report, and what is under way is finished here, too.
            ended?;
            self.drained().await;
            return Ok(Report::default());
        }
        // The accept loop hears of it by itself, and may still have connections to accept.
        let closing = async {
            let _ = serving.await;
            pending::<Infallible>().await
        };
        match select(self.drain(patience), closing).await {
            Either::First(report) => Ok(report),
            Either::Second(never) => match never {},
        }
    }

    /// Waits for SIGTERM or Ctrl-C, then [shuts down](Server::shutdown) with this patience; a second signal cuts
    /// everything off. Serve in another task meanwhile, as many listeners as you like.
    ///
    /// # Cancel safety
    /// Dropped before a signal, nothing happened; afterwards the server goes on shutting down without a deadline.
    pub async fn until_signal(&self, patience: Duration) -> Report {
        signal().await;
        self.drain(patience).await
    }

    async fn drain(&self, patience: Duration) -> Report {
        match select(self.shutdown(patience), signal()).await {
            Either::First(report) => report,
            Either::Second(()) => self.close().await,
        }
    }
}

/// Resolves at the next SIGTERM or Ctrl-C; never, where signals cannot be had.
async fn signal() {
    if next_signal().await.is_err() {
        pending::<()>().await;
    }
}

/// Resolves at the next SIGTERM or Ctrl-C.
#[cfg(unix)]
async fn next_signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    select(terminate.recv(), interrupt.recv()).await;
    Ok(())
}

/// Resolves at the next Ctrl-C.
#[cfg(not(unix))]
async fn next_signal() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
