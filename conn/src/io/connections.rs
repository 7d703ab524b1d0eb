//! The connections of one accept loop: their clock, their timeouts, their states, and their end.
//!
//! Nobody sets a timer for a request. A connection that waits stores when its wait ends, which is one store to
//! memory; one task, the sweeper, looks at all of them five times a second and wakes those that are late. The same
//! task moves the clocks, so that asking for the time is one load.
//!
//! The sweeper may be late itself: a handler blocks its thread, or there is more to do than time. A wait that was under
//! way at the last look has lasted the whole gap, and is charged with it. A wait that began in the gap did so nobody
//! knows when, perhaps just now, with a clock as old as the gap; it is charged with no more than a usual one. So no
//! deadline is ever early, and who keeps a thread busy lengthens other clients' time by one gap and not by all of them.
//! As both kinds of wait exist at the same time, each connection has a clock of its own ([`Connection::now`]).
//!
//! ```text
//!  looks       │    │    │                         │    │    │     every 200 ms, unless the thread is busy
//!  this waits  ├────┼────┼─────────────────────────┼────┼────┤     charged with all of it
//!  this begins                           ├─ ─ ─────┼────┼────┤     charged with at most 250 ms of the gap
//! ```

use std::{
    any::Any,
    cell::Cell,
    collections::BinaryHeap,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::AcqRel, Ordering::Relaxed, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use quintet_listener::{Addr, Stream};
use tokio::{sync::Notify, time::Instant};

use super::{connection::Connection, wire::Wire};
use crate::{
    CloseCode, State, Timeouts,
    timeouts::{NEVER, PhaseLimits, millis},
};

/// How often the sweeper looks.
const TICK: Duration = Duration::from_millis(200);
/// How much of the gap between two looks a wait is charged with that began in it, at most, in milliseconds.
pub(super) const STEP: u64 = 250;
/// Added to every limit: a clock that was right a step ago must not make a deadline early.
///
/// It is then late by at most this and a tick, less than half a second, if the sweeper looks in time. (Added to the
/// limits, and not to the deadline of each wait: a client that sends a byte in every wait would never come to its end.)
const SLACK: Duration = Duration::from_millis(STEP + 1);

/// How many times the time of day is asked for between two looks before an answer may be older than the question.
const EXACT: u32 = 64;

thread_local! {
    /// How often this thread asked for the time of day.
    static ASKED: Cell<u32> = const { Cell::new(0) };
}

/// Called at every move of a connection's state with where it stood and where it stands now; for a new connection
/// both are [`State::New`]. A panic in the hook is caught and ignored; the connection goes on. Go: `Server.ConnState`.
pub type StateHook = Box<dyn Fn(&Connection, State, State) + Send + Sync>;

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
    epoch: Instant,
    /// Milliseconds since the beginning, at the last look or admission.
    now: AtomicU64,
    /// The wall clock when somebody last looked, in seconds of Unix time.
    unix: AtomicU64,
    /// How many have asked for it since the sweeper did, up to [`EXACT`].
    asked: AtomicU32,
    timeouts: Timeouts,
    /// The timeouts by this clock.
    coarse: Timeouts,
    limits: PhaseLimits,
    local: Option<Addr>,
    /// Whether that is no address of a connection: each has one of its own.
    wildcard: bool,
    hook: Option<StateHook>,
    value: OnceLock<Arc<dyn Any + Send + Sync>>,
    slots: Mutex<Slots>,
    stopping: AtomicBool,
    aborted: AtomicBool,
    stop_notify: Notify,
    /// Notified at every departure while somebody waits for the last one.
    departure_notify: Notify,
    /// Wakes the sweeper when there is something to sweep again, or never will be.
    sweeper_notify: Arc<Notify>,
}

/// The connections by slot; a slot is used again.
#[derive(Default)]
struct Slots {
    connections: Vec<Option<Arc<Connection>>>,
    free: Vec<usize>,
    taken: usize,
    /// When the sweeper looked last, in milliseconds since the beginning.
    swept: u64,
}

/// How many connections stand in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// In [`State::New`].
    pub new: usize,
    /// In [`State::Active`].
    pub active: usize,
    /// In [`State::Idle`].
    pub idle: usize,
    /// In [`State::Hijacked`], and still open as far as is known.
    pub hijacked: usize,
}

impl Counts {
    /// All of them.
    pub fn total(&self) -> usize {
        self.new + self.active + self.idle + self.hijacked
    }
}

impl std::ops::Add for Counts {
    type Output = Counts;
    fn add(self, other: Counts) -> Counts {
        Counts {
            new: self.new + other.new,
            active: self.active + other.active,
            idle: self.idle + other.idle,
            hijacked: self.hijacked + other.hijacked,
        }
    }
}

impl Connections {
    /// No connections yet, and the task to spawn for all that will be. `local` is where they will be accepted, `hook`
    /// sees every move of a state.
    ///
    /// If `local` is a wildcard address (`0.0.0.0`, `[::]`), each connection's stream is asked for its own
    /// ([`Stream::local_addr`]), which is a system call; otherwise none is.
    pub fn new(timeouts: Timeouts, local: Option<Addr>, hook: Option<StateHook>) -> (Arc<Self>, Sweeper) {
        let coarse = timeouts.longer(SLACK);
        let connections = Arc::new(Connections {
            epoch: Instant::now(),
            now: AtomicU64::new(0),
            unix: AtomicU64::new(0),
            asked: AtomicU32::new(0),
            limits: PhaseLimits::new(&coarse),
            coarse,
            timeouts,
            wildcard: local.as_ref().is_some_and(is_wildcard),
            local,
            hook,
            value: OnceLock::new(),
            slots: Mutex::default(),
            stopping: AtomicBool::new(false),
            aborted: AtomicBool::new(false),
            stop_notify: Notify::new(),
            departure_notify: Notify::new(),
            sweeper_notify: Arc::default(),
        });
        let sweeper = Sweeper(Box::pin(sweep(Arc::downgrade(&connections), Arc::clone(&connections.sweeper_notify))));
        (connections, sweeper)
    }

    /// Takes in a connection just accepted: it stands at [`State::New`] and its first head is awaited from now on.
    pub fn admit<S: Stream>(self: &Arc<Self>, stream: S, peer: Addr) -> (ConnGuard, Wire<S>) {
        // Not under the lock: it asks the system.
        let own = if self.wildcard { stream.local_addr() } else { None };
        let connection = {
            let mut slots = self.slots();
            self.read_clocks();
            let slot = slots.free.pop().unwrap_or(slots.connections.len());
            let connection = Arc::new(Connection::new(peer, own, Arc::clone(self), slot));
            if slot == slots.connections.len() {
                slots.connections.push(Some(Arc::clone(&connection)));
            } else {
                slots.connections[slot] = Some(Arc::clone(&connection));
            }
            slots.taken += 1;
            if slots.taken == 1 {
                self.sweeper_notify.notify_one();
            }
            ConnGuard::new(connection)
        };
        self.tell(&connection, State::New, State::New);
        let wire = Wire::admitted(stream, ConnGuard::new(Arc::clone(&connection)));
        (connection, wire)
    }

    /// Tells every connection that this is the end: idle ones close, the others finish what they are doing.
    pub fn stop(&self) {
        self.stopping.store(true, SeqCst);
        self.stop_notify.notify_waiters();
        self.wake_all();
    }

    /// Cuts every connection off at once.
    pub fn abort(&self) {
        self.aborted.store(true, SeqCst);
        self.stop();
    }

    /// Whether [`stop`](Self::stop) was called.
    #[inline]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    /// Whether [`abort`](Self::abort) was called.
    #[inline]
    pub fn is_aborted(&self) -> bool {
        self.aborted.load(Relaxed)
    }

    /// Resolves when [`stop`](Self::stop) is called.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn stopping(&self) {
        let notified = self.stop_notify.notified();
        if !self.stopping.load(SeqCst) {
            notified.await;
        }
    }

    /// Resolves when no connection is left.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn drained(&self) {
        loop {
            let notified = self.departure_notify.notified();
            if self.slots().taken == 0 {
                return;
            }
            notified.await;
        }
    }

    /// How many connections stand where, now.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for connection in self.slots().connections.iter().flatten() {
            match connection.state() {
                State::New => counts.new += 1,
                State::Active => counts.active += 1,
                State::Idle => counts.idle += 1,
                State::Hijacked => counts.hijacked += 1,
                State::Closed => {}
            }
        }
        counts
    }

    /// How many connections [linger](Connection::is_lingering), of all that are counted.
    pub fn lingering(&self) -> usize {
        self.slots().connections.iter().flatten().filter(|connection| connection.is_lingering()).count()
    }

    /// At most `n` connections in [`State::Idle`] that are not [retiring](Self::retire), the longest idle first,
    /// each with how long it has been idle, to about a quarter of a second.
    pub fn idlest(&self, n: usize) -> Vec<(Duration, Arc<Connection>)> {
        if n == 0 {
            return Vec::new();
        }
        let slots = self.slots();
        // The n that are longest idle so far, the shortest of them on top: nothing is collected that is not returned.
        let mut longest = BinaryHeap::new();
        for connection in slots.connections.iter().flatten() {
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
            longest.push((since, connection.slot()));
        }
        let now = self.now();
        let idle = longest.into_sorted_vec().into_iter().filter_map(|(since, slot)| {
            let connection = slots.connections.get(slot)?.as_ref()?;
            Some((Duration::from_millis(now.saturating_sub(since)), Arc::clone(connection)))
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
        std::ptr::eq(&*connection.connections, self)
    }

    /// Where these connections were accepted: what was told to [`new`](Self::new), perhaps a wildcard address.
    pub fn local_addr(&self) -> Option<&Addr> {
        self.local.as_ref()
    }

    /// A value for all of these connections: [`Connection::value`] has it for each that has none of its type itself. To
    /// be set before the first is admitted. Go: `Server.BaseContext`.
    ///
    /// # Errors
    /// Gives the value back if there is one already.
    pub fn set_value(&self, value: Arc<dyn Any + Send + Sync>) -> Result<(), Arc<dyn Any + Send + Sync>> {
        self.value.set(value)
    }

    pub(super) fn value(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.value.get().map(|value| &**value)
    }

    /// The limits of these connections.
    #[inline]
    pub fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// The limits by the clocks of the connections.
    #[inline]
    pub(super) fn limits(&self) -> &PhaseLimits {
        &self.limits
    }

    /// The same, for what must move.
    #[inline]
    pub(super) fn coarse(&self) -> &Timeouts {
        &self.coarse
    }

    /// How long a wait may last by the clock of a connection if it may last `wait`.
    pub(super) fn longer(wait: Duration) -> u64 {
        millis(wait.saturating_add(SLACK))
    }

    /// The wall clock, in seconds of Unix time: what a `Date` field says.
    ///
    /// It is exact while it is asked for fewer than 320 times a second. Above that it is as old as the sweeper's last
    /// look, usually a fifth of a second, and however long nobody looked a thread is told the exact time again at the
    /// latest when it asks for the 64th time. So no reply waits for the system's clock when there are many.
    #[inline]
    pub fn unix(&self) -> u64 {
        let nth = ASKED.get().wrapping_add(1);
        ASKED.set(nth);
        if self.asked.load(Relaxed) < EXACT || nth % EXACT == 0 { self.exact_unix() } else { self.unix.load(Relaxed) }
    }

    #[cold]
    fn exact_unix(&self) -> u64 {
        // Nobody needs to know exactly how many have asked.
        self.asked.store(self.asked.load(Relaxed).saturating_add(1), Relaxed);
        self.read_wall_clock()
    }

    /// Milliseconds since the beginning, at most a look old.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        self.now.load(Relaxed)
    }

    /// Tells the hook. It only looks on: if it panics, neither the connection nor the accept loop ends with it.
    #[inline]
    pub(super) fn tell(&self, connection: &Connection, from: State, to: State) {
        if let Some(hook) = &self.hook {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook(connection, from, to))) {
                // What was thrown may panic as well when it is dropped.
                if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                    std::mem::forget(another);
                }
            }
        }
    }

    /// Asks the system for the time since the beginning, in milliseconds, and for the time of day.
    fn read_clocks(&self) -> u64 {
        // No clock comes near `NEVER`, not even doubled.
        let elapsed = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(NEVER).min(NEVER / 4);
        self.now.store(elapsed, Relaxed);
        self.read_wall_clock();
        elapsed
    }

    fn read_wall_clock(&self) -> u64 {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.unix.store(unix, Relaxed);
        unix
    }

    /// Moves the clocks and wakes the late; whether there is nobody.
    fn sweep_once(&self) -> bool {
        let mut slots = self.slots();
        let elapsed = self.read_clocks();
        self.asked.store(0, Relaxed);
        let gap = elapsed.saturating_sub(std::mem::replace(&mut slots.swept, elapsed));
        slots
            .connections
            .iter()
            .flatten()
            .filter(|connection| connection.advance(gap))
            .for_each(|connection| connection.wake());
        slots.taken == 0
    }

    fn wake_all(&self) {
        for connection in self.slots().connections.iter().flatten() {
            connection.wake();
        }
    }

    fn leave(&self, slot: usize) {
        let mut slots = self.slots();
        slots.connections[slot] = None;
        slots.taken -= 1;
        if slots.taken == 0 {
            (slots.connections, slots.free) = (Vec::new(), Vec::new());
        } else {
            slots.free.push(slot);
        }
        drop(slots);
        self.departure_notify.notify_waiters();
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("counts", &self.counts()).field("stopping", &self.is_stopping()).finish()
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.sweeper_notify.notify_one();
    }
}

/// Whether an address stands for every address of this machine.
fn is_wildcard(addr: &Addr) -> bool {
    addr.ip().is_some_and(|ip| ip.to_canonical().is_unspecified())
}

/// What the task that serves a connection owns of it: it looks as the [`Connection`] does, and it alone changes where the
/// connection stands.
///
/// It keeps the connection counted, together with its [`Wire`]: dropping the last of the two is the connection's end.
/// The state becomes [`State::Closed`] and whoever waits for the client is told. Go: the deferred block of `conn.serve`.
#[derive(Debug)]
pub struct ConnGuard(Arc<Connection>);

impl ConnGuard {
    fn new(connection: Arc<Connection>) -> Self {
        connection.holders.fetch_add(1, Relaxed);
        ConnGuard(connection)
    }

    /// Moves the state; a move that the table does not allow is not made. Tells the hook.
    // Always: two moves for each request, and each caller knows where to.
    #[inline(always)]
    pub fn set_state(&self, to: State) {
        self.0.set_state(to);
    }

    /// The client has gone away; whoever waits in [`Connection::disconnected`] is told.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Says why the connection ends, before it does: a reason of the layer that decides it. The first one stays.
    /// See [`Connection::close_reason`].
    pub fn set_close_reason(&self, reason: impl Into<CloseCode>) {
        self.0.set_close_reason(reason.into());
    }

    /// Gives the connection a value of its own, to be set once, before it is served: what a handler finds by
    /// [`Connection::value`]. Go: `Server.ConnContext`.
    ///
    /// # Errors
    /// Gives the value back if there is one already.
    pub fn set_value(&self, value: Arc<dyn Any + Send + Sync>) -> Result<(), Arc<dyn Any + Send + Sync>> {
        self.0.set_value(value)
    }

    /// Forgets deadlines that the last request's handler moved.
    #[inline]
    pub fn reset_deadlines(&self) {
        self.0.reset_deadlines();
    }

    /// The task to wake when the deadline passed, when stopping or when aborted: the one that serves the connection. A
    /// wire does so by itself ([`Wire::register_waker`]).
    pub fn register_waker(&self, task: &Waker) {
        self.0.register_waker(task);
    }

    /// Whether every connection was cut off ([`Connections::abort`]).
    #[inline]
    pub fn is_aborted(&self) -> bool {
        self.0.connections.is_aborted()
    }

    /// The wall clock, in seconds of Unix time; see [`Connections::unix`].
    #[inline]
    pub fn unix(&self) -> u64 {
        self.0.connections.unix()
    }
}

impl std::ops::Deref for ConnGuard {
    type Target = Arc<Connection>;
    #[inline]
    fn deref(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for ConnGuard {
    fn drop(&mut self) {
        // As in `Arc`: whatever the other one did is done before the end.
        if self.0.holders.fetch_sub(1, AcqRel) > 1 {
            return;
        }
        self.0.set_state(State::Closed);
        self.0.cancel();
        self.0.dismiss();
        self.0.connections.leave(self.0.slot());
    }
}

/// The task of all connections of one accept loop: it moves their clocks and wakes those that are late. Spawn it; it
/// ends when nobody holds these [`Connections`] any more.
///
/// # Cancel safety
/// Dropping it stops the clocks: nobody is late from then on.
#[must_use = "without its sweeper no connection has timeouts: spawn it"]
pub struct Sweeper(Pin<Box<dyn Future<Output = ()> + Send>>);

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

async fn sweep(connections: Weak<Connections>, sweeper_notify: Arc<Notify>) {
    loop {
        let Some(alive) = connections.upgrade() else { return };
        let empty = alive.sweep_once();
        drop(alive);
        if empty {
            sweeper_notify.notified().await;
        } else {
            tokio::time::sleep(TICK).await;
        }
    }
}
