//! Pressure relief: idle connections are closed when descriptors or permits have run out.
//!
//! An idle client holds a descriptor or a permit that a new client waits for. So the connections that have been idle for
//! longest are closed: those of all accept loops, or of one loop if the permits are its own. Each is first
//! [retired](quintet_conn::Connections::retire), because a request may be on its way: its next reply is its last. It is
//! closed after [`GRACE`] if no request came. nginx does the same at `worker_connections`; Go lets the new client wait.

use std::{convert::Infallible, sync::Arc, time::Duration};

use quintet_conn::Connections;
use quintet_listener::Pressure;
use tokio::time::{Instant, sleep};

use crate::shared::Shared;

/// How long a retired connection is still read, because a request may be on its way.
pub(crate) const GRACE: Duration = Duration::from_millis(50);
/// The most connections that are retired at once.
const MAX_BATCH: usize = 32;
/// Pressure that returns within this time after the last batch doubles the next one.
const SOON: Duration = Duration::from_secs(1);

/// The size of the next batch of connections to retire. It doubles while the pressure lasts.
#[derive(Debug, Default)]
struct Batch {
    size: usize,
    last: Option<Instant>,
}

impl Batch {
    fn next(&mut self, now: Instant) -> usize {
        let soon = self.last.is_some_and(|last| now.duration_since(last) < SOON);
        self.size = if soon { (self.size * 2).min(MAX_BATCH) } else { 1 };
        self.last = Some(now);
        self.size
    }
}

impl<H> Shared<H> {
    /// Closes the connections that have been idle for longest, each time this pressure is raised and while it lasts.
    /// `own` are the connections of the listener under pressure.
    ///
    /// # Cancel safety
    /// Cancel safe: a connection that was retired ends with its next reply, or at its idle timeout.
    pub(crate) async fn relieve(&self, pressure: Pressure, own: Arc<Connections>) -> Infallible {
        let mut batch = Batch::default();
        loop {
            pressure.raised().await;
            // Permits of a limit of its own come free only by its own connections; descriptors by any connection.
            let own = pressure.is_own().then_some(&own);
            let idle = self.idlest(batch.next(Instant::now()), own);
            idle.iter().for_each(|(among, connection)| among.retire(connection));
            // Wait also if there was no idle connection: the pressure is still raised, and the loop would spin.
            sleep(GRACE).await;
            // A request may have arrived meanwhile: `close_if_idle` leaves a connection that is no longer idle.
            idle.iter().for_each(|(among, connection)| among.close_if_idle(connection));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_that_returns_soon_retires_twice_as_many() {
        let (mut batch, start) = (Batch::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        let sizes = [0, 50, 100, 150, 200, 250, 300].map(|ms| batch.next(at(ms)));
        assert_eq!(sizes, [1, 2, 4, 8, 16, 32, 32]);
        assert_eq!(batch.next(at(1_300)), 1);
    }
}
