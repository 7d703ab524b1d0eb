//! An accept loop that is open: made when serving begins, and closed by its drop.

use std::{sync::Arc, time::Duration};

use quintet_conn::{ConnGuard, Connections, Wire};
use quintet_listener::{Addr, Listener, Pressure, Retry};
use quintet_mux::Handler;
use tokio::{task::yield_now, time::timeout};

use crate::{accept_loops::Loop, select::at_once, serve_error::ServeError, shared::Shared};

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
        self.observer.base_context(&connections);
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
