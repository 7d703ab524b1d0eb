//! What everyone may know of one connection while it lives: who it is, where it stands, and how it ended.

use std::{
    any::Any,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{
            AtomicU8, AtomicU32,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use quintet_listener::Addr;

use super::{
    child::{Child, Children},
    current::Current,
    entry::Entry,
    shared::{Hook, Shared},
};
use crate::{CloseCode, State, Stopping, Tick, WaitLimits};

/// Called at every move of a connection's state with where it stood and where it stands now; for a new connection
/// both are [`State::New`]. A panic in the hook is caught and ignored; the connection goes on. Go: `Server.ConnState`.
pub type StateHook = Hook<Connection>;

/// A connection that goes on.
const STAYS: u8 = 0;
/// The reply under way or the next one is the connection's last.
const RETIRES: u8 = 1;
/// And it ends at once if no request has begun.
const LEAVES: u8 = 2;
/// It has come to its end, and only the client's is waited for.
const LINGERS: u8 = 3;

/// The handle of one connection, for handlers and hooks: addresses, state, age, whether it is to end and why it did, and
/// a value that was given to it. Shared by the tasks that serve the connection, its requests and the sweeper.
///
/// It looks and waits. What belongs to one request (whether its client is still there, its deadlines) is in
/// [`ActiveRequest`](super::ActiveRequest). What changes more is not for handlers: the state and the task to wake are
/// the serving task's ([`ConnGuard`](super::ConnGuard), [`Wire`](super::Wire)), and how long a connection may stay is
/// decided by who holds its [`Connections`](super::Connections). Neither can be had from here.
pub struct Connection {
    ends: Ends,
    pub(super) shared: Arc<Shared<Connection>>,
    /// In four bytes, as all that is not asked for with every wait: an idle connection holds little else than this.
    pub(super) slot: u32,
    /// In [`QUARTERS`], rounded up.
    accepted: u32,
    pub(super) entry: Entry,
    /// How many [`ConnGuard`](super::ConnGuard) there are.
    pub(super) holders: AtomicU8,
    state: AtomicU8,
    /// [`STAYS`], [`RETIRES`], [`LEAVES`] or [`LINGERS`]; it only grows.
    retires: AtomicU8,
    /// Why it ends, as a [`CloseCode`]; zero if that was not said.
    close_code: AtomicU8,
    /// When the state last became [`State::Idle`], in [`QUARTERS`] of the connections' clock, rounded down.
    idle_since: AtomicU32,
    /// The request in progress, where there is one at a time.
    pub(super) current: Current,
    /// Made when it is first needed: an idle connection holds little else than this struct.
    rare: OnceLock<Box<Rare>>,
}

/// What few connections have.
#[derive(Default)]
struct Rare {
    /// See [`ConnGuard::set_value`](super::ConnGuard::set_value).
    value: OnceLock<Arc<dyn Any + Send + Sync>>,
    /// The requests in progress, where there are many at once.
    children: Children,
}

/// Where the two ends of a connection are: no larger than one address where the listener's is ours as well.
enum Ends {
    /// The client's. Ours is where all were accepted.
    Peer(Addr),
    /// The client's and ours, accepted at a wildcard address: apart, as the two would be too much for everybody.
    Both(Box<(Addr, Addr)>),
}

/// A quarter of a second (256 ms) is so many bits of milliseconds.
const QUARTERS: u32 = 8;

/// A time of the connections' clock in quarters of a second; it goes round after 34 years.
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
    /// `own` is our address if it is another than that of all.
    pub(super) fn new(peer: Addr, own: Option<Addr>, shared: Arc<Shared<Connection>>, slot: u32) -> Self {
        Connection {
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
            retires: AtomicU8::new(STAYS),
            idle_since: AtomicU32::new(0),
            close_code: AtomicU8::new(0),
            current: Current::new(),
            rare: OnceLock::new(),
        }
    }

    /// Where the client is. Go: `Request.RemoteAddr`.
    pub fn peer_addr(&self) -> &Addr {
        match &self.ends {
            Ends::Peer(peer) => peer,
            Ends::Both(both) => &both.0,
        }
    }

    /// Its number among the connections of its loop: small, and used again once it is closed.
    #[inline]
    pub fn slot(&self) -> usize {
        self.slot as usize
    }

    /// Our end: the address the client connected to, also where a wildcard (`0.0.0.0`, `[::]`) is listened on; of a Unix
    /// socket the listener's. `None` if neither was told. Go: `LocalAddrContextKey`.
    pub fn local_addr(&self) -> Option<&Addr> {
        match &self.ends {
            Ends::Peer(_) => self.shared.local.as_ref(),
            Ends::Both(both) => Some(&both.1),
        }
    }

    /// Where the connection stands.
    pub fn state(&self) -> State {
        State::from_u8(self.state.load(Relaxed))
    }

    /// How long ago the connection was accepted, to about a quarter of a second.
    pub fn age(&self) -> Duration {
        Duration::from_millis(self.shared.clock.now().millis_since(from_quarters(self.accepted)))
    }

    /// Why the connection ended or is about to, if the task that serves it said so ([`ConnGuard::set_close_reason`]), and
    /// if the number is one of `R`'s. The state hook has it when it is told of [`State::Closed`].
    ///
    /// [`ConnGuard::set_close_reason`]: super::ConnGuard::set_close_reason
    pub fn close_reason<R: TryFrom<CloseCode>>(&self) -> Option<R> {
        R::try_from(CloseCode::new(self.close_code.load(Relaxed))?).ok()
    }

    /// See [`ConnGuard::set_close_reason`](super::ConnGuard::set_close_reason).
    pub(super) fn set_close_reason(&self, code: CloseCode) {
        // That there was one already is no failure: the first one is the reason, what follows are its consequences.
        let _ = self.close_code.compare_exchange(0, code.get(), Relaxed, Relaxed);
    }

    /// The value of this connection ([`ConnGuard::set_value`](super::ConnGuard::set_value)), if it has this type; else the
    /// value of all its loop's connections ([`Connections::set_value`](super::Connections::set_value)), if that has. Go: `Request.Context().Value`, of
    /// what `Server.ConnContext` and `Server.BaseContext` put there.
    pub fn value<T: Any>(&self) -> Option<&T> {
        let own = self.rare.get().and_then(|rare| rare.value.get()).and_then(|value| value.downcast_ref());
        own.or_else(|| self.shared.value.get()?.downcast_ref())
    }

    /// See [`ConnGuard::set_value`](super::ConnGuard::set_value).
    pub(super) fn set_value(&self, value: Arc<dyn Any + Send + Sync>) -> Result<(), Arc<dyn Any + Send + Sync>> {
        self.rare().value.set(value)
    }

    fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }

    /// See [`ConnGuard::cancel`](super::ConnGuard::cancel).
    pub(super) fn cancel(&self) {
        self.current.cancel();
        if let Some(rare) = self.rare.get() {
            rare.children.lock().iter().for_each(|child| child.current.cancel());
        }
    }

    /// Wakes the tasks that serve it.
    pub(super) fn wake(&self) {
        self.entry.wake();
        if let Some(rare) = self.rare.get() {
            rare.children.lock().iter().for_each(|child| child.entry.wake());
        }
    }

    /// The sweeper looks, `gap` milliseconds after it did the last time, and wakes what is late.
    pub(super) fn advance(&self, gap: u64) {
        if self.entry.advance(gap) {
            self.entry.wake();
        }
        if let Some(rare) = self.rare.get() {
            rare.children.lock().iter().filter(|child| child.entry.advance(gap)).for_each(|child| child.entry.wake());
        }
    }

    pub(super) fn add_child(&self) -> Arc<Child> {
        let (entry, current) = (Entry::new(), Current::new());
        self.rare().children.lock().add(|slot| Child { slot, entry, current })
    }

    pub(super) fn remove_child(&self, slot: u32) {
        let removed = self.rare().children.lock().remove(slot);
        drop(removed); // not under the lock
    }

    /// Whether the connections of this one's accept loop are to come to an end.
    #[inline]
    pub fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    /// Resolves when the connections of this one's accept loop are to come to an end, for handlers that would
    /// otherwise never finish.
    ///
    /// # Cancel safety
    /// Nothing is lost: what stops does not go on again.
    pub async fn stopping(&self) {
        self.shared.stopping().await;
    }

    /// See [`Connections::retire`](super::Connections::retire).
    pub(super) fn retire(&self) {
        self.retires.fetch_max(RETIRES, SeqCst);
    }

    /// Whether the reply under way, or else the next one, is to be the connection's last ([`Connections::retire`](super::Connections::retire)).
    #[inline]
    pub fn is_retiring(&self) -> bool {
        self.retires.load(Relaxed) != STAYS
    }

    /// See [`Connections::close_if_idle`](super::Connections::close_if_idle).
    pub(super) fn close_if_idle(&self) {
        if self.retires.fetch_max(LEAVES, SeqCst) < LEAVES {
            self.wake();
        }
    }

    /// Whether it is to end where no request has begun.
    #[inline]
    pub(super) fn stops(&self) -> Stopping {
        if self.retires.load(Relaxed) == LEAVES {
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

    /// Whether all was said, the end of it too, and only the client's end is waited for
    /// ([`Wire::linger`](super::Wire::linger)).
    pub fn is_lingering(&self) -> bool {
        self.retires.load(Relaxed) == LINGERS
    }

    pub(super) fn set_lingering(&self) {
        self.retires.store(LINGERS, SeqCst);
    }

    /// When the state last became [`State::Idle`], by the connections' clock.
    pub(super) fn idle_since(&self) -> Tick {
        from_quarters(self.idle_since.load(Relaxed))
    }

    /// See [`ConnGuard::set_state`](super::ConnGuard::set_state). For the task that serves the connection
    /// alone: two at once could both be told that theirs was the move.
    // Always: two moves for each request, and each caller knows where to.
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
    fn a_second_address_makes_no_connection_larger() {
        assert_eq!(size_of::<Ends>(), size_of::<Addr>());
    }
}
