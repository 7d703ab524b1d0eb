//! The connections of one accept loop: the server admits, counts, retires and stops them here.

#[cfg(feature = "live")]
use std::cmp::Reverse;
use std::{any::Any, collections::BinaryHeap, fmt, sync::Arc, time::Duration};

use quintet_listener::{Addr, Stream};

#[cfg(feature = "live")]
use super::survey::{ConnectionSnapshot, Survey};
use super::{
    conn_guard::ConnGuard,
    connection::{Connection, StateHook},
    counts::Counts,
    shared::Shared,
    sweeper::Sweeper,
    wire::Wire,
};
#[cfg(feature = "live")]
use crate::{Phase, tick::millis};
use crate::{State, Timeouts};

/// The connections of one accept loop.
///
/// Their timeouts end only while their [`Sweeper`] runs: spawn it.
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
    /// Whether the address listened on is a wildcard: then each connection has a local address of its own.
    wildcard: bool,
}

impl Connections {
    /// An empty set of connections, and the task to spawn for them. `local` is the address listened on; `hook` is called
    /// at every change of a connection's state.
    ///
    /// Only if `local` is a wildcard address (`0.0.0.0`, `[::]`), each admission asks the stream for the connection's own
    /// address ([`Stream::local_addr`]), which is a system call.
    pub fn new(timeouts: Timeouts, local: Option<Addr>, hook: Option<StateHook>) -> (Arc<Self>, Sweeper) {
        let wildcard = local.as_ref().is_some_and(is_wildcard);
        let shared = Arc::new(Shared::new(timeouts, local, hook));
        let sweeper = Sweeper::new(&shared);
        (Arc::new(Self { shared, wildcard }), sweeper)
    }

    /// Admits an accepted connection: its state is [`State::New`], and it waits for its first head.
    pub fn admit<S: Stream>(self: &Arc<Self>, stream: S, peer: Addr) -> (ConnGuard, Wire<S>) {
        // Not under the lock: this is a system call.
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

    /// Retires all connections, also those that are admitted from now on: the reply in progress, or else the next one, is
    /// the last of each ([`Connection::retirement`]). Nothing ends because of this alone: a connection that waits for a
    /// request goes on waiting. Their tasks are woken, so that a protocol that can tell its clients (HTTP/2) does.
    pub fn retire_all(&self) {
        self.shared.set_retiring();
        self.wake_all();
    }

    /// Stops all connections: one that waits for a request ends after [`Timeouts::drain`], and a request that has begun is
    /// answered.
    pub fn stop(&self) {
        self.shared.set_stopping();
        self.wake_all();
    }

    /// Aborts all connections: every wait fails at once with [`WireError::Aborted`](super::WireError::Aborted).
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
    /// Cancel safe: it can be called again.
    pub async fn stopping(&self) {
        self.shared.stopping().await;
    }

    /// Resolves when no connection is left.
    ///
    /// # Cancel safety
    /// Cancel safe: it can be called again.
    pub async fn drained(&self) {
        self.shared.drained_to(0).await;
    }

    /// Resolves when at most `left` connections are left.
    ///
    /// # Cancel safety
    /// Cancel safe: it can be called again.
    #[cfg(feature = "live")]
    pub async fn drained_to(&self, left: usize) {
        self.shared.drained_to(left).await;
    }

    /// The number of connections in each state.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.shared.register().connections.iter().for_each(|connection| counts.count(connection.state()));
        counts
    }

    /// The number of requests in progress: one for each active connection that has one at a time (also if its head is not
    /// whole yet), and the [children](ConnGuard::child) of the others.
    pub fn requests(&self) -> usize {
        self.shared.register().connections.iter().map(|connection| connection.requests()).sum()
    }

    /// The number of connections that [linger](Connection::is_lingering).
    pub fn lingering(&self) -> usize {
        self.shared.register().connections.iter().filter(|connection| connection.is_lingering()).count()
    }

    /// The `n` connections that have been idle for the longest, the longest first, each with its time in [`State::Idle`]
    /// to about a quarter of a second. A connection that was [retired](Self::retire) by itself is left out.
    pub fn idlest(&self, n: usize) -> Vec<(Duration, Arc<Connection>)> {
        if n == 0 {
            return Vec::new();
        }
        let register = self.shared.register();
        // A heap of the n longest so far, with the shortest of them on top: memory for n and not for all connections.
        let mut longest = BinaryHeap::new();
        for connection in register.connections.iter() {
            if connection.state() != State::Idle || connection.is_retired_alone() {
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

    /// What is to be told of these connections now: how many there are, and of `n` of them how long each has waited, the
    /// longest waits first. A wait without a deadline counts as none, so that a connection whose handler is at work comes
    /// last.
    ///
    /// One walk over all connections, under the lock that admissions take: 5,000 of them take it some 50 µs.
    #[cfg(feature = "live")]
    pub fn survey(&self, n: usize) -> Survey {
        // Once, and not for each connection.
        let limits = Phase::ALL.map(|phase| millis(self.timeouts().limit(phase)));
        let register = self.shared.register();
        let (mut survey, mut longest) = (Survey::default(), BinaryHeap::new());
        for connection in register.connections.iter() {
            survey.counts.count(connection.state());
            survey.requests += connection.requests();
            if n == 0 {
                continue;
            }
            let wait = (Reverse(connection.waited(&limits)), connection.slot);
            if longest.len() == n {
                // The shortest of the longest is on top.
                if longest.peek().is_some_and(|shortest| *shortest <= wait) {
                    continue;
                }
                longest.pop();
            }
            longest.push(wait);
        }
        let longest = longest.into_sorted_vec().into_iter();
        survey.connections =
            longest.filter_map(|(_, slot)| register.connections.get(slot).map(ConnectionSnapshot::of)).collect();
        survey
    }

    /// Retires a connection: the reply in progress, or else the next one, is its last. The layer that writes replies must
    /// ask [`Connection::is_retiring`]. A second call does nothing, and so does a call for a connection that other
    /// [`Connections`] admitted.
    pub fn retire(&self, connection: &Connection) {
        if self.admitted(connection) {
            connection.retire();
        }
    }

    /// [Retires](Self::retire) a connection, and ends it now if it waits for the first byte of a request: that wait fails
    /// with [`WireError::TimedOut`](super::WireError::TimedOut) of [`Phase::Drain`](crate::Phase::Drain). A request whose
    /// first byte was received is answered. Go: `closeIdleConns`, which may lose such a request.
    pub fn close_if_idle(&self, connection: &Connection) {
        if self.admitted(connection) {
            connection.close_if_idle();
        }
    }

    /// Whether these connections admitted it. A handler can make [`Connections`] of its own, and they must not retire the
    /// server's.
    fn admitted(&self, connection: &Connection) -> bool {
        Arc::ptr_eq(&connection.shared, &self.shared)
    }

    /// The address listened on, as given to [`new`](Self::new). It may be a wildcard address.
    pub fn local_addr(&self) -> Option<&Addr> {
        self.shared.local.as_ref()
    }

    /// Sets a value of all these connections: [`Connection::value`] returns it where the connection's own value has
    /// another type. Set it before the first admission. Go: `Server.BaseContext`.
    ///
    /// # Errors
    /// Returns the value if one is set already.
    pub fn set_value(&self, value: Arc<dyn Any + Send + Sync>) -> Result<(), Arc<dyn Any + Send + Sync>> {
        self.shared.value.set(value)
    }

    /// Sets a value of the server that these connections belong to: [`Connection::value`] returns it where neither the
    /// connection nor its accept loop has a value of this type. Set it before the first admission.
    ///
    /// # Errors
    /// Returns the value if one is set already.
    pub fn set_server_value(&self, value: Arc<dyn Any + Send + Sync>) -> Result<(), Arc<dyn Any + Send + Sync>> {
        self.shared.server_value.set(value)
    }

    /// The number of these connections among all that the process has made; see [`Connection::id`].
    #[cfg(feature = "live")]
    pub fn number(&self) -> u32 {
        self.shared.number
    }

    /// The timeouts of these connections.
    #[inline]
    pub fn timeouts(&self) -> &Timeouts {
        &self.shared.timeouts
    }

    /// The time of day for a `Date` field, in seconds of Unix time.
    ///
    /// It is exact below 320 calls a second. Above that it is the time of the last sweep, usually at most 200 ms ago, and
    /// every 64th call of a thread is exact, however late the sweeper is. So a busy server does not read the system's
    /// clock for each reply.
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
