//! The connections of one accept loop: admitted, counted, retired, and brought to their end.

use std::{any::Any, collections::BinaryHeap, fmt, sync::Arc, time::Duration};

use quintet_listener::{Addr, Stream};

use super::{
    conn_guard::ConnGuard,
    connection::{Connection, StateHook},
    counts::Counts,
    shared::Shared,
    sweeper::Sweeper,
    wire::Wire,
};
use crate::{State, Timeouts};

/// The connections of one accept loop.
///
/// Their limits hold only while their [`Sweeper`] runs: spawn it.
///
/// ```
/// use quintet_conn::{Connections, State, Timeouts};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (connections, sweeper) = Connections::new(Timeouts::default(), None, None);
/// tokio::spawn(sweeper);
/// let (stream, _client) = tokio::io::duplex(1024); // or whatever a listener accepted
/// let (connection, wire) = connections.admit(stream, "192.0.2.1:54321".parse()?);
/// assert_eq!((connection.state(), connections.counts().new), (State::New, 1));
/// drop((connection, wire));
/// assert_eq!(connections.counts().total(), 0);
/// # Ok(()) }
/// ```
pub struct Connections {
    shared: Arc<Shared<Connection>>,
    /// Whether the address is no address of a connection: each has one of its own.
    wildcard: bool,
}

impl Connections {
    /// No connections yet, and the task to spawn for all that will be. `local` is where they will be accepted, `hook`
    /// sees every move of a state.
    ///
    /// If `local` is a wildcard address (`0.0.0.0`, `[::]`), each connection's stream is asked for its own
    /// ([`Stream::local_addr`]), which is a system call; otherwise none is.
    pub fn new(timeouts: Timeouts, local: Option<Addr>, hook: Option<StateHook>) -> (Arc<Self>, Sweeper) {
        let wildcard = local.as_ref().is_some_and(is_wildcard);
        let shared = Arc::new(Shared::new(timeouts, local, hook));
        let sweeper = Sweeper::new(&shared);
        (Arc::new(Connections { shared, wildcard }), sweeper)
    }

    /// Takes in a connection just accepted: it stands at [`State::New`] and its first head is awaited from now on.
    pub fn admit<S: Stream>(self: &Arc<Self>, stream: S, peer: Addr) -> (ConnGuard, Wire<S>) {
        // Not under the lock: it asks the system.
        let own = if self.wildcard { stream.local_addr() } else { None };
        let connection = {
            let mut register = self.shared.register();
            self.shared.clock.read();
            let shared = Arc::clone(&self.shared);
            let connection = register.connections.add(|slot| Connection::new(peer, own, shared, slot));
            if register.connections.len() == 1 {
                self.shared.sweeper_notify.notify_one();
            }
            ConnGuard::new(connection)
        };
        self.shared.tell(&connection, State::New, State::New);
        let wire = Wire::admitted(stream, ConnGuard::new(Arc::clone(&connection)));
        (connection, wire)
    }

    /// Tells every connection that this is the end: idle ones close, the others finish what they are doing.
    pub fn stop(&self) {
        self.shared.set_stopping();
        self.wake_all();
    }

    /// Cuts every connection off at once.
    pub fn abort(&self) {
        self.shared.set_aborted();
        self.stop();
    }

    /// Whether [`stop`](Self::stop) was called.
    #[inline]
    pub fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    /// Whether [`abort`](Self::abort) was called.
    #[inline]
    pub fn is_aborted(&self) -> bool {
        self.shared.is_aborted()
    }

    /// Resolves when [`stop`](Self::stop) is called.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn stopping(&self) {
        self.shared.stopping().await;
    }

    /// Resolves when no connection is left.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn drained(&self) {
        self.shared.drained().await;
    }

    /// How many connections stand where, now.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.shared.register().connections.iter().for_each(|connection| counts.count(connection.state()));
        counts
    }

    /// How many connections [linger](Connection::is_lingering), of all that are counted.
    pub fn lingering(&self) -> usize {
        self.shared.register().connections.iter().filter(|connection| connection.is_lingering()).count()
    }

    /// At most `n` connections in [`State::Idle`] that are not [retiring](Self::retire), the longest idle first,
    /// each with how long it has been idle, to about a quarter of a second.
    pub fn idlest(&self, n: usize) -> Vec<(Duration, Arc<Connection>)> {
        if n == 0 {
            return Vec::new();
        }
        let register = self.shared.register();
        // The n that are longest idle so far, the shortest of them on top: nothing is collected that is not returned.
        let mut longest = BinaryHeap::new();
        for connection in register.connections.iter() {
            if connection.state() != State::Idle || connection.is_retiring() {
                continue;
            }
            let since = connection.idle_since();
            if longest.len() == n {
                if longest.peek().is_some_and(|(shortest, _)| *shortest <= since) {
                    continue;
                }
                longest.pop();
            }
            longest.push((since, connection.slot));
        }
        let now = self.shared.clock.now();
        let idle = longest.into_sorted_vec().into_iter().filter_map(|(since, slot)| {
            let connection = register.connections.get(slot)?;
            Some((Duration::from_millis(now.millis_since(since)), Arc::clone(connection)))
        });
        idle.collect()
    }

    /// Retires a connection: the reply under way, or else the next one, is to be its last. Whoever replies must ask
    /// [`Connection::is_retiring`]. Retiring twice is retiring once; a connection that was admitted by others than these
    /// is left alone.
    pub fn retire(&self, connection: &Connection) {
        if self.admitted(connection) {
            connection.retire();
        }
    }

    /// [Retires](Self::retire) a connection, and ends it now if it is still waiting for the first byte of a request:
    /// that wait fails with [`WireError::TimedOut`](super::WireError::TimedOut) of
    /// [`Phase::Drain`](crate::Phase::Drain). A request whose first byte was received is answered. Go:
    /// `closeIdleConns`, without its race.
    pub fn close_if_idle(&self, connection: &Connection) {
        if self.admitted(connection) {
            connection.close_if_idle();
        }
    }

    /// Whether a connection is one of these. Anybody can make [`Connections`], but not those of a server.
    fn admitted(&self, connection: &Connection) -> bool {
        Arc::ptr_eq(&connection.shared, &self.shared)
    }

    /// Where these connections were accepted: what was told to [`new`](Self::new), perhaps a wildcard address.
    pub fn local_addr(&self) -> Option<&Addr> {
        self.shared.local.as_ref()
    }

    /// A value for all of these connections: [`Connection::value`] has it for each that has none of its type itself. To
    /// be set before the first is admitted. Go: `Server.BaseContext`.
    ///
    /// # Errors
    /// Gives the value back if there is one already.
    pub fn set_value(&self, value: Arc<dyn Any + Send + Sync>) -> Result<(), Arc<dyn Any + Send + Sync>> {
        self.shared.value.set(value)
    }

    /// The limits of these connections.
    #[inline]
    pub fn timeouts(&self) -> &Timeouts {
        &self.shared.timeouts
    }

    /// The wall clock, in seconds of Unix time: what a `Date` field says.
    ///
    /// It is exact while it is asked for fewer than 320 times a second. Above that it is as old as the sweeper's last
    /// look, usually a fifth of a second, and however long nobody looked a thread is told the exact time again at the
    /// latest when it asks for the 64th time. So no reply waits for the system's clock when there are many.
    #[inline]
    pub fn unix(&self) -> u64 {
        self.shared.clock.unix()
    }

    fn wake_all(&self) {
        for connection in self.shared.register().connections.iter() {
            connection.wake();
        }
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("counts", &self.counts()).field("stopping", &self.is_stopping()).finish()
    }
}

/// Whether an address stands for every address of this machine.
fn is_wildcard(addr: &Addr) -> bool {
    addr.ip().is_some_and(|ip| ip.to_canonical().is_unspecified())
}
