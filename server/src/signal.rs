//! Serving until the process is told to stop.

use std::{io, time::Duration};

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
    pub async fn serve_until_signal<L: Listener>(&self, listener: L, patience: Duration) -> Result<Report, ServeError> {
        match select(self.serve(listener), self.until_signal(patience)).await {
            // Shut down from elsewhere: whoever did it has the report.
            Either::First(ended) => ended.map(|()| Report::default()),
            Either::Second(report) => Ok(report),
        }
    }

    /// Waits for SIGTERM or Ctrl-C, then [shuts down](Server::shutdown) with this patience; a second signal cuts
    /// everything off. Serve in another task meanwhile, as many listeners as you like.
    pub async fn until_signal(&self, patience: Duration) -> Report {
        if signal().await.is_err() {
            // Signals cannot be had here: then none will ever come.
            std::future::pending::<()>().await;
        }
        match select(self.shutdown(patience), signal()).await {
            Either::First(report) => report,
            Either::Second(_) => self.close().await,
        }
    }
}

/// Resolves at the next SIGTERM or Ctrl-C.
#[cfg(unix)]
async fn signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    select(terminate.recv(), interrupt.recv()).await;
    Ok(())
}

/// Resolves at the next Ctrl-C.
#[cfg(not(unix))]
async fn signal() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
