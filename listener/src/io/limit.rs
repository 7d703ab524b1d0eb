//! A listener that accepts at most n connections at once.
//!
//! One client beyond the limit is accepted and waits here; every further one waits in the kernel's queue, where it
//! costs nothing, instead of failing half-way through a request. The one is accepted because there is no other way to
//! know that a client waits, and only then is it right to close idle connections: the [`Pressure`] is raised while it
//! waits.
//!
//! The permit lives in the stream, so it follows the stream: a connection that a handler takes over is still counted.

use std::{fmt, io};

use super::{
    limit_health::{LimitHealth, WaitingFlag, WaitingGuard},
    limited_stream::LimitedStream,
    listener::Listener,
    listener_health::ListenerHealth,
    peer_limit::{PeerLimit, PeerPlace},
    permits::Permits,
    pressure::{Pressure, PressureGuard},
};
use crate::{Addr, Nets};

/// Accepts at most so many connections of `L` at once.
///
/// One client beyond the limit is accepted and kept until a connection is dropped, with the [`Pressure`] raised; no
/// further one is accepted before that. Of listeners that share their [`Permits`], each may keep one. Its descriptor
/// is open, so where descriptors are few (`ulimit -n`) the limit must leave one for each listener.
///
/// # Spec
/// Go: `golang.org/x/net/netutil.LimitListener`, which leaves that client in the queue.
#[doc(alias = "LimitListener")]
#[doc(alias = "max connections")]
#[doc(alias = "rate limit")]
pub struct Limit<L: Listener> {
    listener: L,
    permits: Permits,
    pressure: Pressure,
    /// The client without a permit. Kept here and not in the future of `accept`, so that a cancelled accept does not
    /// close its connection.
    waiting: Option<Waiting<L::Stream>>,
    is_waiting: WaitingFlag,
    peers: PeerLimit,
}

/// A client that has been accepted and waits for a permit.
struct Waiting<S> {
    stream: S,
    peer: Addr,
    /// Lowers the pressure when the client is served, or gone with the listener.
    guard: PressureGuard,
    place: PeerPlace,
    _flag: WaitingGuard,
}

impl<L: Listener> Limit<L> {
    /// At most `n` connections at once, at least 1.
    pub fn new(listener: L, n: usize) -> Self {
        Self::shared(listener, &Permits::new(n))
    }

    /// At most as many connections as `permits` has, together with all others that take from them.
    pub fn shared(listener: L, permits: &Permits) -> Self {
        permits.add_listener();
        Self {
            listener,
            permits: permits.clone(),
            pressure: Pressure::new(),
            waiting: None,
            is_waiting: WaitingFlag::default(),
            peers: PeerLimit::default(),
        }
    }

    /// At most `n` connections (at least 1) of one peer at once, too. One more is accepted and closed at once, and
    /// [counted](Self::health): waiting here it would keep others out, which is what it may be after.
    ///
    /// A peer is an IPv4 address, or the first 64 bits of an IPv6 address: a client has all addresses that begin with
    /// them. Unix sockets are not limited, unless [`limit_unix`](Self::limit_unix) says so. It is the socket's other end
    /// that is counted: behind a balancer that is one peer for all clients, so [except](Self::except) it, and count its
    /// clients in `Proxied::per_peer` (feature `proxy`).
    ///
    /// ```
    /// use quintet_listener::{Limit, listen};
    ///
    /// let listener = Limit::new(listen("127.0.0.1:0")?, 10_000).per_peer(100).except("10.0.0.0/8".parse()?);
    /// # drop(listener);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Spec
    /// nginx: `limit_conn $binary_remote_addr`. Go: none.
    #[doc(alias = "limit_conn")]
    #[must_use]
    pub fn per_peer(self, n: usize) -> Self {
        Self { peers: self.peers.at_most(n), ..self }
    }

    /// Those that [`per_peer`](Self::per_peer) does not limit: a balancer, a monitor.
    #[must_use]
    pub fn except(mut self, nets: Nets) -> Self {
        self.peers.except = nets;
        self
    }

    /// [`per_peer`](Self::per_peer) limits Unix sockets, too: all together, as one peer.
    #[must_use]
    pub fn limit_unix(mut self) -> Self {
        self.peers.unix = true;
        self
    }

    /// The handle that tells how full it is, and how many were kept out.
    pub fn health(&self) -> LimitHealth {
        LimitHealth::new(&self.permits, &self.is_waiting, &self.peers.counts)
    }

    /// The permits, to ask how many are left or to share them.
    pub fn permits(&self) -> &Permits {
        &self.permits
    }

    /// The listener inside.
    pub fn get_ref(&self) -> &L {
        &self.listener
    }

    /// The listener inside. The connection of a client that was kept waiting is closed.
    pub fn into_inner(self) -> L {
        self.listener
    }

    /// The next connection of a peer that may have one more.
    async fn accept_admitted(&mut self) -> io::Result<(L::Stream, Addr, PeerPlace)> {
        loop {
            let (stream, peer) = self.listener.accept().await?;
            if let Some(place) = self.peers.admit(&peer) {
                return Ok((stream, peer, place));
            }
        }
    }
}

impl<L: Listener> Listener for Limit<L> {
    type Stream = LimitedStream<L::Stream>;

    /// # Cancel safety
    /// Nothing is lost: the client that waits for a permit stays in the `Limit`. Only its place in the queue for
    /// permits is lost.
    async fn accept(&mut self) -> io::Result<(Self::Stream, Addr)> {
        if self.waiting.is_none() {
            // The client first and the permit after it: a listener without clients must not hold a permit that another
            // listener could use.
            let (stream, peer, place) = self.accept_admitted().await?;
            if let Some(permit) = self.permits.try_acquire() {
                return Ok((LimitedStream::new(stream, permit.with(place)), peer));
            }
            let (guard, _flag) = (self.permits.raise(&self.pressure), self.is_waiting.raise());
            self.waiting = Some(Waiting { stream, peer, guard, place, _flag });
        }
        // If this is cancelled here, `waiting` has the client. Between the permit and `take` nothing awaits.
        let permit = self.permits.acquire().await;
        let waiting = self.waiting.take().expect("set above, and taken only here");
        Ok((LimitedStream::new(waiting.stream, permit.with(waiting.place)), waiting.peer))
    }

    fn local_addr(&self) -> io::Result<Addr> {
        self.listener.local_addr()
    }

    fn set_pressure(&mut self, pressure: &Pressure) {
        self.listener.set_pressure(pressure);
        self.pressure = pressure.clone();
        if let Some(waiting) = &mut self.waiting {
            waiting.guard = self.permits.raise(pressure);
        }
    }

    fn add_health(&self, health: &mut ListenerHealth) {
        self.listener.add_health(health);
        health.limit = Some(self.health());
    }
}

impl<L: Listener + fmt::Debug> fmt::Debug for Limit<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limit")
            .field("listener", &self.listener)
            .field("permits", &self.permits)
            .field("waiting", &self.waiting.as_ref().map(|waiting| &waiting.peer))
            .finish_non_exhaustive()
    }
}
