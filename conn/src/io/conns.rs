//! The connections of one accept loop: their clock, their deadlines, their states, and their end.
//!
//! Nobody sets a timer for a request. A connection that waits stores when its patience ends, which is one store to
//! memory; one task, the sweeper, looks at all of them five times a second and wakes those that are late. The same
//! task moves the clock, so that asking for the time is one load.
//!
//! The clock counts the time in which somebody looked. While the whole process stands still (a handler that blocks,
//! a machine that is suspended) no client can be served, and the time is nobody's: it is not counted. Without that, a
//! wait that begins with a clock an hour old would end as soon as the clock is right.
//!
//! ```text
//!  looks     │    │    │                         │    │    │     every 200 ms, unless the process stands still
//!  counted   ├────┼────┼─────                    ├────┼────┤     at most 250 ms of each gap
//! ```

use std::{
    collections::BinaryHeap,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};

use quintet_listener::{Addr, Stream};
use tokio::{sync::Notify, time::Instant};

use super::{link::Link, wire::Wire};
use crate::{
    Deadlines, Phase, State,
    deadlines::{Limits, NEVER, millis},
};

/// How often the sweeper looks.
const TICK: Duration = Duration::from_millis(200);
/// How much of the time between two looks counts, in milliseconds.
const STEP: u64 = 250;
/// Added to every limit: a clock that was right a step ago must not make a deadline early.
///
/// It is then late by at most this and a tick, less than half a second. (Added to the limits, and not to the deadline
/// of each wait: a client that sends a byte in every wait would never come to its end.)
const SLACK: Duration = Duration::from_millis(STEP + 1);

/// Called at every move of a connection's state with where it stood and where it stands now; for a new connection
/// both are [`State::New`]. A hook that panics is not heard; the connection goes on. Go: `Server.ConnState`.
pub type StateHook = Box<dyn Fn(&Link, State, State) + Send + Sync>;

/// The connections of one accept loop.
///
/// Their limits hold only while [`sweep`](Self::sweep) runs: spawn it once.
///
/// ```
/// use quintet_conn::{Conns, Deadlines, State};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let conns = Conns::new(Deadlines::default(), None, None);
/// tokio::spawn(conns.sweep());
/// let (stream, _client) = tokio::io::duplex(1024); // or whatever a listener accepted
/// let (link, wire) = conns.admit(stream, "192.0.2.1:54321".parse()?).split();
/// assert_eq!((link.state(), conns.counts().new), (State::New, 1));
/// drop((link, wire));
/// assert_eq!(conns.counts().total(), 0);
/// # Ok(()) }
/// ```
pub struct Conns {
    epoch: Instant,
    now: AtomicU64,
    /// The wall clock when the clock last moved, in seconds of Unix time.
    unix: AtomicU64,
    deadlines: Deadlines,
    /// The deadlines by this clock.
    coarse: Deadlines,
    limits: Limits,
    local: Option<Addr>,
    hook: Option<StateHook>,
    seats: Mutex<Seats>,
    stopping: AtomicBool,
    cut: AtomicBool,
    stop_bell: Notify,
    /// Rings at every departure while somebody waits for the last one.
    left_bell: Notify,
    /// Wakes the sweeper when there is something to sweep again, or never will be.
    broom: Arc<Notify>,
}

/// The links by seat; a seat is used again.
#[derive(Default)]
struct Seats {
    links: Vec<Option<Arc<Link>>>,
    free: Vec<usize>,
    taken: usize,
    /// When the clock was last moved, in milliseconds since the beginning.
    looked: u64,
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

impl Conns {
    /// No connections yet. `local` is where they will be accepted, `hook` sees every move of a state.
    pub fn new(deadlines: Deadlines, local: Option<Addr>, hook: Option<StateHook>) -> Arc<Self> {
        let coarse = deadlines.longer(SLACK);
        Arc::new(Conns {
            epoch: Instant::now(),
            now: AtomicU64::new(0),
            unix: AtomicU64::new(0),
            limits: Limits::new(&coarse),
            coarse,
            deadlines,
            local,
            hook,
            seats: Mutex::default(),
            stopping: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            stop_bell: Notify::new(),
            left_bell: Notify::new(),
            broom: Arc::default(),
        })
    }

    /// Takes in a connection just accepted: it stands at [`State::New`] and its first head is awaited from now on.
    pub fn admit<S: Stream>(self: &Arc<Self>, stream: S, peer: Addr) -> Conn<S> {
        let link = {
            let mut seats = self.seats();
            self.tick(&mut seats);
            let seat = seats.free.pop().unwrap_or(seats.links.len());
            let link = Arc::new(Link::new(peer, Arc::clone(self), seat));
            if seat == seats.links.len() {
                seats.links.push(Some(Arc::clone(&link)));
            } else {
                seats.links[seat] = Some(Arc::clone(&link));
            }
            seats.taken += 1;
            if seats.taken == 1 {
                self.broom.notify_one();
            }
            Tracked(link)
        };
        self.tell(&link, State::New, State::New);
        Conn { wire: Wire::linked(stream, Arc::clone(&link)), link }
    }

    /// The sweeper: moves the clock and wakes connections that are late. Spawn it once; it ends when nobody holds
    /// these connections any more.
    ///
    /// # Cancel safety
    /// Dropping it stops the clock: nobody is late until another one runs.
    pub fn sweep(self: &Arc<Self>) -> impl Future<Output = ()> + Send + 'static {
        let (conns, broom) = (Arc::downgrade(self), Arc::clone(&self.broom));
        async move {
            loop {
                let Some(alive) = conns.upgrade() else { return };
                let empty = alive.look();
                drop(alive);
                if empty {
                    broom.notified().await;
                } else {
                    tokio::time::sleep(TICK).await;
                }
            }
        }
    }

    /// Tells every connection that this is the end: idle ones close, the others finish what they are doing.
    pub fn stop(&self) {
        self.stopping.store(true, SeqCst);
        self.stop_bell.notify_waiters();
        self.wake_all();
    }

    /// Cuts every connection off at once.
    pub fn cut(&self) {
        self.cut.store(true, SeqCst);
        self.stop();
    }

    /// Whether [`stop`](Self::stop) was called.
    #[inline]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    /// Whether [`cut`](Self::cut) was called.
    #[inline]
    pub fn is_cut(&self) -> bool {
        self.cut.load(Relaxed)
    }

    /// Resolves when [`stop`](Self::stop) is called.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn stopping(&self) {
        let bell = self.stop_bell.notified();
        if !self.stopping.load(SeqCst) {
            bell.await;
        }
    }

    /// Resolves when no connection is left.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn empty(&self) {
        loop {
            let bell = self.left_bell.notified();
            if self.seats().taken == 0 {
                return;
            }
            bell.await;
        }
    }

    /// How many connections stand where, now.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for link in self.seats().links.iter().flatten() {
            match link.state() {
                State::New => counts.new += 1,
                State::Active => counts.active += 1,
                State::Idle => counts.idle += 1,
                State::Hijacked => counts.hijacked += 1,
                State::Closed => {}
            }
        }
        counts
    }

    /// At most `n` connections in [`State::Idle`] that are not [retiring](Link::retire), the longest idle first, each
    /// with how long it has been idle, to about a quarter of a second.
    pub fn idlest(&self, n: usize) -> Vec<(Duration, Arc<Link>)> {
        if n == 0 {
            return Vec::new();
        }
        let seats = self.seats();
        // The n that are longest idle so far, the shortest of them on top: nothing is collected that is not returned.
        let mut longest = BinaryHeap::new();
        for link in seats.links.iter().flatten() {
            if link.state() != State::Idle || link.is_retiring() {
                continue;
            }
            let since = link.idle_since();
            if longest.len() == n {
                if longest.peek().is_some_and(|(shortest, _)| *shortest <= since) {
                    continue;
                }
                longest.pop();
            }
            longest.push((since, link.seat()));
        }
        let now = self.now();
        let idle = longest.into_sorted_vec().into_iter().filter_map(|(since, seat)| {
            let link = seats.links.get(seat)?.as_ref()?;
            Some((Duration::from_millis(now.saturating_sub(since)), Arc::clone(link)))
        });
        idle.collect()
    }

    /// Where these connections were accepted.
    pub fn local(&self) -> Option<&Addr> {
        self.local.as_ref()
    }

    /// The limits of these connections.
    #[inline]
    pub fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    /// When a phase that begins now ends.
    #[inline]
    pub(super) fn end(&self, phase: Phase) -> u64 {
        self.limits.end(phase, self.now())
    }

    /// The limits by this clock.
    pub(super) fn coarse(&self) -> &Deadlines {
        &self.coarse
    }

    /// The wall clock, at most a tick old, in seconds of Unix time: what a `Date` field says.
    #[inline]
    pub fn unix(&self) -> u64 {
        self.unix.load(Relaxed)
    }

    /// Milliseconds that were counted since the beginning, at most a step old.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        self.now.load(Relaxed)
    }

    pub(super) fn after(&self, wait: Duration) -> u64 {
        self.now().saturating_add(millis(wait.saturating_add(SLACK)))
    }

    /// Tells the hook. It only looks on: if it panics, neither the connection nor the accept loop ends with it.
    #[inline]
    pub(super) fn tell(&self, link: &Link, from: State, to: State) {
        if let Some(hook) = &self.hook {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook(link, from, to))) {
                // What was thrown may panic as well when it is dropped.
                if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                    std::mem::forget(another);
                }
            }
        }
    }

    /// Moves the clock. Whoever does holds the seats, so that one step is not counted twice.
    fn tick(&self, seats: &mut Seats) {
        let elapsed = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(NEVER);
        let passed = elapsed.saturating_sub(std::mem::replace(&mut seats.looked, elapsed));
        // Nobody was there whose time could be counted wrongly.
        let counted = if seats.taken == 0 { passed } else { passed.min(STEP) };
        self.now.store(self.now().saturating_add(counted).min(NEVER - 1), Relaxed);
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.unix.store(unix, Relaxed);
    }

    /// Moves the clock and wakes the late; whether there is nobody.
    fn look(&self) -> bool {
        let mut seats = self.seats();
        self.tick(&mut seats);
        let now = self.now();
        seats.links.iter().flatten().filter(|link| link.is_late(now)).for_each(|link| link.wake());
        seats.taken == 0
    }

    fn wake_all(&self) {
        for link in self.seats().links.iter().flatten() {
            link.wake();
        }
    }

    fn leave(&self, seat: usize) {
        let mut seats = self.seats();
        seats.links[seat] = None;
        seats.taken -= 1;
        if seats.taken == 0 {
            (seats.links, seats.free) = (Vec::new(), Vec::new());
        } else {
            seats.free.push(seat);
        }
        drop(seats);
        self.left_bell.notify_waiters();
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Conns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conns").field("counts", &self.counts()).field("stopping", &self.is_stopping()).finish()
    }
}

impl Drop for Conns {
    fn drop(&mut self) {
        self.broom.notify_one();
    }
}

/// A connection as accepted: the wire to the client, and its entry among the [`Conns`].
#[derive(Debug)]
pub struct Conn<S> {
    wire: Wire<S>,
    link: Tracked,
}

impl<S> Conn<S> {
    /// The entry, which keeps the connection counted until it is dropped, and the wire. Keep it as long as the wire: with
    /// it end the wire's deadlines, and nobody waits for a connection that has none.
    pub fn split(self) -> (Tracked, Wire<S>) {
        (self.link, self.wire)
    }
}

/// Keeps a connection counted; dropping it is the connection's end: the state becomes [`State::Closed`] and whoever
/// waits for the client is told. Go: the deferred block of `conn.serve`.
#[derive(Debug)]
#[must_use = "dropping it is the connection's end: its wire has no deadlines any more"]
pub struct Tracked(Arc<Link>);

impl std::ops::Deref for Tracked {
    type Target = Arc<Link>;
    fn deref(&self) -> &Arc<Link> {
        &self.0
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.0.set_state(State::Closed);
        self.0.cancel();
        self.0.dismiss();
        self.0.conns.leave(self.0.seat);
    }
}
