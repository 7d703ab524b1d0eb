//! The guard of an open accept loop: made when serving begins; its drop marks the loop as closed.

use std::{sync::Arc, time::Duration};

use quintet_conn::{ConnGuard, Connections, Wire};
use quintet_listener::{Addr, Listener, ListenerHealth, Pressure, Retry};
use quintet_mux::Handler;
use tokio::{task::yield_now, time::timeout};

use crate::{accept_loops::Loop, select::at_once, serve_error::ServeError, shared::Shared};

/// The most connections that are accepted after a shutdown began. No more can be waiting: it is the longest backlog (the
/// kernel's queue of connections that are not accepted yet) that a listener asks for.
const BACKLOG: usize = 4096;

/// How long connections may go on after their accept loop, or that of another thread, ended with an error.
pub(crate) const GRACE_PERIOD: Duration = Duration::from_secs(5);

/// An open accept loop; its drop marks the loop as closed.
pub(crate) struct AcceptLoopGuard<'a, H> {
    shared: &'a Shared<H>,
    /// How many times a connection was looked for after the shutdown began.
    late: usize,
    pub(crate) connections: Arc<Connections>,
    /// Raised by the listener while clients wait because descriptors or permits have run out.
    pub(crate) pressure: Pressure,
}

impl<H: Handler> Shared<H> {
    /// Opens an accept loop: wraps the listener in [`Retry`], and registers the loop with the server.
    ///
    /// # Errors
    /// [`ServeError::Closed`] if the server was told to shut down.
    pub(crate) fn open<L: Listener>(&self, listener: L) -> Result<(Retry<L>, AcceptLoopGuard<'_, H>), ServeError> {
        let local: Option<Addr> = listener.local_addr().ok();
        let observer = Arc::clone(&self.observer);
        let pressure = Pressure::new();
        let mut listener =
            Retry::new(listener).wake_on(&self.fd_released).on_error(move |error| observer.accept_error(error));
        listener.set_pressure(&pressure);
        let (connections, sweeper) = Connections::new(self.config.timeouts.clone(), local, self.observer.state_hook());
        self.observer.base_context(&connections);
        // Cannot fail: set once.
        let _ = connections.set_server_value(Arc::new(self.stats.downgrade()));
        let mut listener_health = ListenerHealth::default();
        listener.add_health(&mut listener_health);
        let mut accept_loops = self.accept_loops();
        // Checked under the lock that `Shared::stop` takes: a shutdown either sees this loop or refuses it here.
        if accept_loops.stopping {
            return Err(ServeError::Closed);
        }
        // The list must not grow with each loop that ended; `counts` and `health` need only those with connections.
        accept_loops.loops.retain(|one| one.open || one.connections.counts().total() > 0);
        accept_loops.loops.push(Loop {
            connections: Arc::clone(&connections),
            health: listener.health(),
            listener: listener_health,
            open: true,
        });
        // Under the same lock as in `Shared::retire`.
        if accept_loops.retiring_since.is_some() {
            connections.retire_all();
        }
        drop(accept_loops);
        tokio::spawn(sweeper);
        Ok((listener, AcceptLoopGuard { shared: self, late: 0, connections, pressure }))
    }
}

impl<H> AcceptLoopGuard<'_, H> {
    /// Ends an accept loop after an error: closes the listener, and drains its connections for [`GRACE_PERIOD`].
    pub(crate) async fn give_up<L: Listener>(&self, listener: Retry<L>) {
        drop(listener);
        self.connections.stop();
        let _ = timeout(GRACE_PERIOD, self.connections.drained()).await;
    }

    /// Accepts the next connection of the backlog after a shutdown began; `None` when the backlog is empty.
    ///
    /// These clients connected before the shutdown and may have sent a request. Closing the listener would reset them.
    pub(crate) async fn admit_late<L: Listener>(&mut self, listener: &mut L) -> Option<(ConnGuard, Wire<L::Stream>)> {
        if self.late == 0 {
            // The runtime learns of new connections only when it polls the kernel. `yield_now` makes it poll once.
            yield_now().await;
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
