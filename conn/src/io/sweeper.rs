//! The sweeper: the task that moves the clocks of all connections of one accept loop and wakes those past their deadline.
//!
//! No request sets a timer. A connection that waits stores its deadline, which is one store to memory. The sweeper
//! compares all deadlines with the clock five times a second and wakes the tasks that are past theirs. It also moves the
//! clocks, so that reading the time is one load.
//!
//! The sweeper may itself be late: a handler blocks its thread, or the thread has too much to do. A wait that was in
//! progress at the last sweep has lasted the whole gap, and is charged with it. When a wait began in the gap is not known:
//! perhaps just now, with a clock as old as the gap. It is charged with at most 250 ms of the gap. So no deadline is
//! early, and a handler that blocks a thread lengthens the waits of other clients by one gap and not by all gaps.
//! Both kinds of wait exist at the same time, so each connection has a clock of its own ([`Entry::now`]).
//!
//! ```text
//!  sweeps            │    │    │                         │    │    │   every 200 ms, unless the thread is busy
//!  a wait in progress├────┼────┼─────────────────────────┼────┼────┤   charged with all of it
//!  a wait that begins                          ├─ ─ ─────┼────┼────┤   charged with at most 250 ms of the gap
//! ```
//!
//! [`Entry::now`]: super::entry::Entry::now

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use tokio::sync::Notify;

use super::{connection::Connection, shared::Shared};

/// The time between two sweeps.
const TICK: Duration = Duration::from_millis(200);

/// The task that moves the clocks of all connections of one accept loop and wakes those past their deadline. Spawn it. It
/// ends when the [`Connections`](super::Connections) and every connection of theirs were dropped.
///
/// # Cancel safety
/// Not cancel safe: dropping it stops the clocks, and no timeout ends from then on.
#[must_use = "without its sweeper no connection has timeouts: spawn it"]
pub struct Sweeper(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Sweeper {
    pub(super) fn new(shared: &Arc<Shared<Connection>>) -> Self {
        Self(Box::pin(sweep(Arc::downgrade(shared), Arc::clone(&shared.sweeper_notify))))
    }
}

impl Future for Sweeper {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Sweeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweeper").finish_non_exhaustive()
    }
}

/// Sweeps every [`TICK`] while there are connections. It holds `shared` weakly, so that it does not keep it alive.
async fn sweep(shared: Weak<Shared<Connection>>, sweeper_notify: Arc<Notify>) {
    loop {
        let Some(alive) = shared.upgrade() else { return };
        let empty = sweep_once(&alive);
        drop(alive);
        // Without connections it sets no timer. A connection admitted since the sweep has stored its notification, which
        // ends this wait at once.
        if empty {
            sweeper_notify.notified().await;
        } else {
            tokio::time::sleep(TICK).await;
        }
    }
}

/// Sweeps once. Returns whether there is no connection.
fn sweep_once(shared: &Shared<Connection>) -> bool {
    let mut register = shared.register();
    let elapsed = shared.clock.look();
    let gap = elapsed.saturating_sub(std::mem::replace(&mut register.swept, elapsed));
    register.connections.iter().for_each(|connection| connection.advance(gap));
    register.connections.len() == 0
}
