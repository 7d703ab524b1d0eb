//! Making room for new clients when descriptors or permits have run out.
//!
//! A client that has nothing to ask keeps a connection that another one waits for. So the connections that have been
//! idle for longest are ended, over all accept loops (of the own alone if a `Limit` of its own is reached): each is
//! first [retired](quintet_conn::Connections::retire), in case a request is on its way, and closed after [`GRACE`] if
//! none came. nginx does the same at `worker_connections`; Go lets the new client wait.

use std::{convert::Infallible, sync::Arc, time::Duration};

use quintet_conn::Connections;
use quintet_listener::Pressure;
use tokio::time::{Instant, sleep};

use crate::shared::Shared;

/// How long a connection is still read after it was chosen, for a request that may be on its way.
pub(crate) const GRACE: Duration = Duration::from_millis(50);
/// The most connections that are ended at once.
const MAX_BATCH: usize = 32;
/// A pressure that comes back within this time of the last relief asks for twice as many.
const SOON: Duration = Duration::from_secs(1);

/// How many connections to end at once: more and more while the pressure does not give way.
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
    /// Ends the connections that have been idle for longest, as long as this pressure lasts and whenever it comes back.
    /// `own` are those of the listener under pressure.
    pub(crate) async fn relieve(&self, pressure: Pressure, own: Arc<Connections>) -> Infallible {
        let mut batch = Batch::default();
        loop {
            pressure.raised().await;
            let own = pressure.is_own().then_some(&own);
            let idle = self.idlest(batch.next(Instant::now()), own);
            idle.iter().for_each(|(among, connection)| among.retire(connection));
            // Also if there is none: one may become idle, and this must not spin until then.
            sleep(GRACE).await;
            idle.iter().for_each(|(among, connection)| among.close_if_idle(connection));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pressure_that_comes_back_soon_ends_twice_as_many() {
        let (mut batch, start) = (Batch::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        let sizes = [0, 50, 100, 150, 200, 250, 300].map(|ms| batch.next(at(ms)));
        assert_eq!(sizes, [1, 2, 4, 8, 16, 32, 32]);
        assert_eq!(batch.next(at(1_300)), 1);
    }
}
