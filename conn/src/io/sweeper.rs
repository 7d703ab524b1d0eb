//! The task that moves the clocks of all connections of one accept loop and wakes those that are late.
//!
//! Nobody sets a timer for a request. A connection that waits stores when its wait ends, which is one store to
//! memory; one task, the sweeper, looks at all of them five times a second and wakes those that are late. The same
//! task moves the clocks, so that asking for the time is one load.
//!
//! The sweeper may be late itself: a handler blocks its thread, or there is more to do than time. A wait that was under
//! way at the last look has lasted the whole gap, and is charged with it. A wait that began in the gap did so nobody
//! knows when, perhaps just now, with a clock as old as the gap; it is charged with no more than a usual one. So no
//! deadline is ever early, and who keeps a thread busy lengthens other clients' time by one gap and not by all of them.
//! As both kinds of wait exist at the same time, each connection has a clock of its own ([`Entry::now`]).
//!
//! ```text
//!  looks       │    │    │                         │    │    │     every 200 ms, unless the thread is busy
//!  this waits  ├────┼────┼─────────────────────────┼────┼────┤     charged with all of it
//!  this begins                           ├─ ─ ─────┼────┼────┤     charged with at most 250 ms of the gap
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

/// How often the sweeper looks.
const TICK: Duration = Duration::from_millis(200);

/// The task of all connections of one accept loop: it moves their clocks and wakes those that are late. Spawn it; it
/// ends when their [`Connections`](super::Connections) and the connections themselves are gone.
///
/// # Cancel safety
/// Dropping it stops the clocks: nobody is late from then on.
#[must_use = "without its sweeper no connection has timeouts: spawn it"]
pub struct Sweeper(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Sweeper {
    pub(super) fn new(shared: &Arc<Shared<Connection>>) -> Self {
        Sweeper(Box::pin(sweep(Arc::downgrade(shared), Arc::clone(&shared.sweeper_notify))))
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

async fn sweep(shared: Weak<Shared<Connection>>, sweeper_notify: Arc<Notify>) {
    loop {
        let Some(alive) = shared.upgrade() else { return };
        let empty = sweep_once(&alive);
        drop(alive);
        if empty {
            sweeper_notify.notified().await;
        } else {
            tokio::time::sleep(TICK).await;
        }
    }
}

/// Moves the clocks and wakes the late; whether there is nothing to look at.
fn sweep_once(shared: &Shared<Connection>) -> bool {
    let mut register = shared.register();
    let elapsed = shared.clock.look();
    let gap = elapsed.saturating_sub(std::mem::replace(&mut register.swept, elapsed));
    register.connections.iter().for_each(|connection| connection.advance(gap));
    register.connections.len() == 0
}
