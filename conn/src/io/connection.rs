//! The handle of one connection, for handlers and hooks: addresses, state, age, close reason and values.

use std::{
    any::Any,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{
            AtomicBool, AtomicU8, AtomicU32,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use quintet_listener::{Addr, HostScope, Opened, TlsState};

use super::{
    child::{Child, Children},
    current::Current,
    entry::Entry,
    shared::{Hook, Shared},
};
use crate::{CloseCode, State, Stopping, Tick, WaitLimits};
#[cfg(feature = "live")]
use crate::{Phase, Timeouts, tick::millis};

/// Called at every change of a connection's state, with the state before and the state after. For a new connection
/// both are [`State::New`]. A panic in the hook is caught and ignored; the connection goes on. Go: `Server.ConnState`.
pub type StateHook = Hook<Connection>;

/// The connection is kept alive.
const KEPT_ALIVE: u8 = 0;
/// The reply in progress, or else the next one, is the connection's last.
const RETIRING: u8 = 1;
/// As [`RETIRING`], and the connection ends at once if no request has begun.
const CLOSING_IF_IDLE: u8 = 2;
/// The final reply and FIN were sent. The connection only waits for the client to close.
const LINGERING: u8 = 3;

/// For whose sake a connection [retires](Connection::retirement).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retirement {
    /// The server is about to stop, or stops ([`Connections::retire_all`](super::Connections::retire_all),
    /// [`stop`](super::Connections::stop)): all connections retire.
    Server,
    /// This connection alone makes room for others ([`Connections::retire`](super::Connections::retire)).
    Connection,
}

/// The handle of one connection, for handlers and hooks: addresses, state, age, whether and why the connection ends, and
/// its values. Shared by the tasks that serve the connection, its requests and the sweeper.
///
/// It reads and waits, and changes nothing. [`ActiveRequest`](super::ActiveRequest) has what belongs to one request
/// (whether its client disconnected, its deadlines). The state and the task to wake belong to the serving task
/// ([`ConnGuard`](super::ConnGuard), [`Wire`](super::Wire)). The server's [`Connections`](super::Connections) retire and
/// end connections. A `Connection` gives access to none of these owners.
pub struct Connection {
    ends: Ends,
    pub(super) shared: Arc<Shared<Self>>,
    /// The number in the register. Four bytes, as every field that a wait does not read: this struct is most of the
    /// memory of an idle connection.
    pub(super) slot: u32,
    /// When the connection was accepted, in [`QUARTERS`], rounded up.
    accepted: u32,
    pub(super) entry: Entry,
    /// How many [`ConnGuard`](super::ConnGuard)s exist: the serving task's, and the wire's.
    pub(super) holders: AtomicU8,
    state: AtomicU8,
    /// [`KEPT_ALIVE`], [`RETIRING`], [`CLOSING_IF_IDLE`] or [`LINGERING`]; it only grows.
    ending: AtomicU8,
    /// Why the connection ends, as a [`CloseCode`]; zero if no reason was set.
    close_code: AtomicU8,
    /// When the state last became [`State::Idle`], in [`QUARTERS`] of the connections' clock, rounded down.
    idle_since: AtomicU32,
    /// The request in progress, where there is one at a time.
    pub(super) current: Current,
    /// Allocated at the first use, so that most connections do not pay for it.
    rare: OnceLock<Box<Rare>>,
}

/// The fields that few connections use.
#[derive(Default)]
struct Rare {
    /// See [`ConnGuard::set_value`](super::ConnGuard::set_value).
    value: OnceLock<Arc<dyn Any + Send + Sync>>,
    /// What opening the stream has told, if it told anything; in a box, since most that are here for something else have
    /// none. See [`Wire::open`](super::Wire::open).
    opened: OnceLock<Box<Opened>>,
    /// The requests in progress, where there are many at once.
    children: Children,
}

/// The two addresses of a connection. It is no larger than one address.
enum Ends {
    /// The peer's address. The local address is the listener's.
    Peer(Addr),
    /// The peer's and the local address, of a connection accepted on a wildcard address. Boxed, so that other connections
    /// do not pay for the second address.
    Both(Box<(Addr, Addr)>),
}

/// The number of bits by which milliseconds are shifted to get quarters of a second (256 ms).
const QUARTERS: u32 = 8;

/// A time of the connections' clock in quarters of a second. It wraps after 34 years.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "34 years")]
fn quarters(at: Tick) -> u32 {
    (at.as_millis() >> QUARTERS) as u32
}

#[inline]
fn from_quarters(quarters: u32) -> Tick {
    Tick::from_millis(u64::from(quarters) << QUARTERS)
}

impl Connection {
    /// `own` is the local address if it is not the listener's.
    pub(super) fn new(peer: Addr, own: Option<Addr>, shared: Arc<Shared<Self>>, slot: u32) -> Self {
        Self {
            ends: match own {
                None => Ends::Peer(peer),
                Some(own) => Ends::Both(Box::new((peer, own))),
            },
            accepted: quarters(shared.clock.now().saturating_after_millis((1 << QUARTERS) - 1)),
            shared,
            slot,
            entry: Entry::new(),
            holders: AtomicU8::new(0),
            state: AtomicU8::new(State::New as u8),
            ending: AtomicU8::new(KEPT_ALIVE),
            idle_since: AtomicU32::new(0),
            close_code: AtomicU8::new(0),
            current: Current::new(),
            rare: OnceLock::new(),
        }
    }

    /// The address of the client: the one in the PROXY header of a trusted proxy, else the peer of the socket. Go:
    /// `Request.RemoteAddr`.
    pub fn peer_addr(&self) -> &Addr {
        self.opened().and_then(|opened| opened.peer.as_ref()).unwrap_or_else(|| self.socket_peer_addr())
    }

    /// The socket's peer: the client, or the proxy in front of us that speaks for it.
    pub fn socket_peer_addr(&self) -> &Addr {
        match &self.ends {
            Ends::Peer(peer) => peer,
            Ends::Both(both) => &both.0,
        }
    }

    /// The number of this connection among those of its accept loop: small, and reused after the connection ended.
    #[inline]
    pub fn slot(&self) -> usize {
        self.slot as usize
    }

    /// The local address: the one that the client connected to, also on a wildcard listener (`0.0.0.0`, `[::]`). On a Unix
    /// socket it is the listener's. The address in the PROXY header of a trusted proxy replaces it. `None`
    /// if no address is known. Go: `LocalAddrContextKey`.
    pub fn local_addr(&self) -> Option<&Addr> {
        if let Some(local) = self.opened().and_then(|opened| opened.local.as_ref()) {
            return Some(local);
        }
        match &self.ends {
            Ends::Peer(_) => self.shared.local.as_ref(),
            Ends::Both(both) => Some(&both.1),
        }
    }

    /// What the TLS handshake agreed on, with us or, as its PROXY header says, with a proxy in front of us; `None` without
    /// TLS. Go: `Request.TLS`.
    #[doc(alias = "TLS")]
    pub fn tls(&self) -> Option<&TlsState> {
        self.opened()?.tls.as_deref()
    }

    /// The protocol that ALPN chose in the TLS handshake with us: that of the bytes that follow. Empty if the client named
    /// none; `None` without TLS, or with TLS that ends at a proxy in front of us.
    #[doc(alias = "ALPN")]
    pub fn negotiated_protocol(&self) -> Option<&[u8]> {
        let opened = self.opened().filter(|opened| opened.own_tls)?;
        Some(&opened.tls.as_deref()?.negotiated_protocol)
    }

    /// The hosts that the client may ask for on this connection; `None`: every one. A request for another host is to be
    /// answered 421 (Misdirected Request).
    pub fn hosts(&self) -> Option<&HostScope> {
        self.opened()?.hosts.as_ref()
    }

    /// The identifier that a proxy in front of us gave this connection (PROXY protocol v2), to find it in its log.
    pub fn unique_id(&self) -> Option<&[u8]> {
        self.opened()?.unique_id.as_deref()
    }

    /// What opening the stream has told. Nothing, of a bare socket.
    #[inline]
    fn opened(&self) -> Option<&Opened> {
        self.rare.get()?.opened.get().map(|opened| &**opened)
    }

    /// See [`Wire::open`](super::Wire::open).
    pub(super) fn set_opened(&self, opened: Opened) {
        if opened != Opened::default() {
            // Opened twice, it tells the same twice.
            let _ = self.rare().opened.set(Box::new(opened));
        }
    }

    /// The state of the connection.
    pub fn state(&self) -> State {
        State::from_u8(self.state.load(Relaxed))
    }

    /// How long ago the connection was accepted, to about a quarter of a second.
    pub fn age(&self) -> Duration {
        Duration::from_millis(self.shared.clock.now().millis_since(from_quarters(self.accepted)))
    }

    /// A number of this connection that never changes and looks random: for what is to happen to all connections, but not to
    /// all at once. It is made of the [slot](Self::slot) and the time of the accept, and is no secret.
    pub fn seed(&self) -> u32 {
        mix(u64::from(self.accepted) << 32 | u64::from(self.slot))
    }

    /// The reason why the connection ended or is about to end. `None` if the serving task set no reason
    /// ([`ConnGuard::set_close_reason`]), or if `R` has no reason of that number. It is set before the state hook sees
    /// [`State::Closed`].
    ///
    /// [`ConnGuard::set_close_reason`]: super::ConnGuard::set_close_reason
    pub fn close_reason<R: TryFrom<CloseCode>>(&self) -> Option<R> {
        R::try_from(CloseCode::new(self.close_code.load(Relaxed))?).ok()
    }

    /// See [`ConnGuard::set_close_reason`](super::ConnGuard::set_close_reason).
    pub(super) fn set_close_reason(&self, code: CloseCode) {
        // The first reason stays: an error that follows it (a failed write after an abort) is a consequence.
        let _ = self.close_code.compare_exchange(0, code.get(), Relaxed, Relaxed);
    }

    /// The value of type `T` of this connection ([`ConnGuard::set_value`](super::ConnGuard::set_value)), else that of all
    /// connections of its accept loop ([`Connections::set_value`](super::Connections::set_value)), else that of its server
    /// ([`Connections::set_server_value`](super::Connections::set_server_value)). `None` if none has this type. Go: `Request.Context().Value`, with what `Server.ConnContext` and `Server.BaseContext` set.
    pub fn value<T: Any>(&self) -> Option<&T> {
        let own = self.rare.get().and_then(|rare| rare.value.get()).and_then(|value| value.downcast_ref());
        own.or_else(|| self.shared.value.get()?.downcast_ref())
            .or_else(|| self.shared.server_value.get()?.downcast_ref())
    }

    /// See [`ConnGuard::set_value`](super::ConnGuard::set_value).
    pub(super) fn set_value(&self, value: Arc<dyn Any + Send + Sync>) -> Result<(), Arc<dyn Any + Send + Sync>> {
        self.rare().value.set(value)
    }

    fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }

    /// See [`ConnGuard::set_disconnected`](super::ConnGuard::set_disconnected).
    pub(super) fn set_disconnected(&self) {
        self.current.set_disconnected();
        self.children(|_| true).iter().for_each(|child| child.current.set_disconnected());
    }

    /// Wakes the task that serves the connection and those that serve its children.
    pub(super) fn wake(&self) {
        self.entry.wake();
        self.children(|_| true).iter().for_each(|child| child.entry.wake());
    }

    /// Sweeps this connection and its children, `gap` milliseconds after the last sweep: wakes the tasks past their
    /// deadline.
    pub(super) fn advance(&self, gap: u64) {
        if self.entry.advance(gap) {
            self.entry.wake();
        }
        self.children(|child| child.entry.advance(gap)).iter().for_each(|child| child.entry.wake());
    }

    /// The children for which `wanted` is true. The caller wakes them without the lock: a task that is dropped as it is
    /// woken removes its child. A connection that never had a child takes no lock, and nothing is allocated for none.
    fn children(&self, wanted: impl Fn(&Child) -> bool) -> Vec<Arc<Child>> {
        let Some(rare) = self.rare.get() else { return Vec::new() };
        rare.children.lock().iter().filter(|child| wanted(child)).cloned().collect()
    }

    /// Adds a child. It is disconnected if the connection is.
    pub(super) fn add_child(&self) -> Arc<Child> {
        let (entry, current) = (Entry::new(), Current::new());
        let child =
            self.rare().children.lock().add(|slot| Child { slot, entry, current, is_request: AtomicBool::new(true) });
        // After it was added: `set_disconnected` either finds it or was seen here.
        if self.current.is_gone() {
            child.current.set_disconnected();
        }
        child
    }

    pub(super) fn remove_child(&self, slot: u32) {
        let removed = self.rare().children.lock().remove(slot);
        drop(removed); // not under the lock: its waker may be the last reference to a task
    }

    /// Whether the server stops the connections of this accept loop ([`Connections::stop`](super::Connections::stop)).
    #[inline]
    pub fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    /// Resolves when the server [stops](Self::is_stopping) the connections of this accept loop. For handlers that would
    /// otherwise never finish.
    ///
    /// # Cancel safety
    /// Cancel safe: it can be called again.
    pub async fn stopping(&self) {
        self.shared.stopping().await;
    }

    /// How many requests are in progress.
    #[inline]
    pub(super) fn requests(&self) -> usize {
        let children = self.rare.get().map_or(0, |rare| rare.children.requests());
        // A connection with many requests at once is active for as long as a handler is at work, also after its client has
        // reset the request.
        if self.state() == State::Active { children.max(1) } else { children }
    }

    /// The number of this connection among those of the process that are open: less than 2⁵³, so that any JSON has room for
    /// it. Two connections have the same number only if one ended and the other was accepted in the same quarter of a
    /// second.
    #[cfg(feature = "live")]
    pub fn id(&self) -> u64 {
        u64::from(self.accepted & 0x1f_ffff) << 32 | u64::from(self.shared.number & 0xff) << 24 | u64::from(self.slot)
    }

    /// The timeouts of its accept loop.
    #[cfg(feature = "live")]
    pub fn timeouts(&self) -> &Timeouts {
        &self.shared.timeouts
    }

    /// Whether its protocol has many requests at once (HTTP/2).
    #[cfg(feature = "live")]
    pub fn is_multiplexed(&self) -> bool {
        self.rare.get().is_some_and(|rare| rare.children.lock().len() > 0)
    }

    /// Whether a trusted proxy in front of us told the addresses, by a PROXY header.
    #[cfg(feature = "live")]
    pub fn is_proxied(&self) -> bool {
        self.opened().is_some_and(|opened| opened.peer.is_some())
    }

    /// The wait in progress: its phase, and the milliseconds until its deadline.
    #[cfg(feature = "live")]
    #[inline]
    fn wait_left(&self) -> Option<(Phase, u64)> {
        let own = self.entry.wait_left();
        if self.rare.get().is_some() { self.wait_left_of_all(own) } else { own }
    }

    /// Of its own wait and those of its children, the one whose deadline comes first. Not inlined: a survey asks each
    /// connection, and most of them have no children.
    #[cfg(feature = "live")]
    #[inline(never)]
    fn wait_left_of_all(&self, own: Option<(Phase, u64)>) -> Option<(Phase, u64)> {
        let Some(rare) = self.rare.get() else { return own };
        let children = rare.children.lock();
        let of_children = children.iter().filter_map(|child| child.entry.wait_left());
        own.into_iter().chain(of_children).min_by_key(|(_, left)| *left)
    }

    /// The wait in progress: its phase, the milliseconds until its deadline, and those of its limit.
    #[cfg(feature = "live")]
    pub(super) fn wait(&self) -> Option<(Phase, u64, u64)> {
        self.wait_left().map(|(phase, left)| (phase, left, millis(self.shared.timeouts.limit(phase))))
    }

    /// For how many milliseconds the wait in progress has lasted; zero without one. `limits` are those of all phases.
    #[cfg(feature = "live")]
    #[inline]
    pub(super) fn waited(&self, limits: &[u64; Phase::ALL.len()]) -> u64 {
        self.wait_left().map_or(0, |(phase, left)| limits[phase as usize].saturating_sub(left))
    }

    /// See [`Connections::retire`](super::Connections::retire).
    pub(super) fn retire(&self) {
        self.ending.fetch_max(RETIRING, SeqCst);
    }

    /// Whether the reply in progress, or else the next one, is the connection's last
    /// ([`Connections::retire`](super::Connections::retire), [`retire_all`](super::Connections::retire_all)).
    #[inline]
    pub fn is_retiring(&self) -> bool {
        self.shared.is_retiring() || self.is_retired_alone()
    }

    /// For whose sake the reply in progress, or else the next one, is the connection's last; `None` if the connection goes
    /// on after it.
    #[inline]
    pub fn retirement(&self) -> Option<Retirement> {
        if self.shared.is_retiring() {
            Some(Retirement::Server)
        } else if self.is_retired_alone() {
            Some(Retirement::Connection)
        } else {
            None
        }
    }

    /// Whether this connection was retired, and not all.
    #[inline]
    pub(super) fn is_retired_alone(&self) -> bool {
        self.ending.load(Relaxed) != KEPT_ALIVE
    }

    /// See [`Connections::close_if_idle`](super::Connections::close_if_idle).
    pub(super) fn close_if_idle(&self) {
        // Woken once: the wait that follows asks `stops`, which says so from now on.
        if self.ending.fetch_max(CLOSING_IF_IDLE, SeqCst) < CLOSING_IF_IDLE {
            self.wake();
        }
    }

    /// Whether a wait for the first byte of a request is to end.
    #[inline]
    pub(super) fn stops(&self) -> Stopping {
        if self.ending.load(Relaxed) == CLOSING_IF_IDLE {
            Stopping::Now
        } else if self.shared.is_stopping() {
            Stopping::Drain
        } else {
            Stopping::No
        }
    }

    #[inline]
    pub(super) fn limits(&self) -> &WaitLimits {
        &self.shared.limits
    }

    /// Whether the connection lingers: the final reply and FIN were sent, and it only waits for the client to close
    /// ([`Wire::linger`](super::Wire::linger)).
    pub fn is_lingering(&self) -> bool {
        self.ending.load(Relaxed) == LINGERING
    }

    pub(super) fn set_lingering(&self) {
        self.ending.store(LINGERING, SeqCst);
    }

    /// When the state last became [`State::Idle`], by the connections' clock.
    pub(super) fn idle_since(&self) -> Tick {
        from_quarters(self.idle_since.load(Relaxed))
    }

    /// See [`ConnGuard::set_state`](super::ConnGuard::set_state). Only the task that serves the connection calls it, so a
    /// load and a store are enough: of two callers at once both could change the state from the same one.
    // Always inlined: a request changes its state twice, and each caller passes a constant.
    #[inline(always)]
    pub(super) fn set_state(&self, to: State) {
        let from = self.state();
        if from.go(to).is_ok() {
            if to == State::Idle {
                self.idle_since.store(quarters(self.shared.clock.now()), Relaxed);
            }
            self.state.store(to as u8, Relaxed);
            self.shared.tell(self, from, to);
        }
    }
}

/// Mixes all bits of a number into 32 (the finalizer of SplitMix64).
fn mix(n: u64) -> u32 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (n >> 32) as u32
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", self.peer_addr())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_of_connections_are_spread() {
        for accepted in [0, 1, 1 << 20] {
            let mut eighths = [0; 8];
            (0..8000u64).for_each(|slot| eighths[(mix(accepted << 32 | slot) >> 29) as usize] += 1);
            assert!(eighths.iter().all(|n| (800..1200).contains(n)), "{eighths:?}");
        }
    }

    #[test]
    fn a_second_address_makes_no_connection_larger() {
        assert_eq!(size_of::<Ends>(), size_of::<Addr>());
    }
}
