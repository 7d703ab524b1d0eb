//! A listener behind a proxy that says who its clients are.

use std::{io, time::Duration};

use super::{
    ProxiedError, ProxiedHealth, ProxiedStream, UntrustedPolicy,
    opening::{Open, Opening, too_many},
};
use crate::{Addr, Listener, ListenerHealth, Nets, Pressure, io::peer_limit::PeerLimit};

/// Accepts connections that begin with a PROXY header, version 1 or 2, from trusted proxies: HAProxy's `send-proxy` and
/// `send-proxy-v2`, nginx's `proxy_protocol on`, a cloud's network balancer.
///
/// - From a [trusted](Self::new) peer a header is *required*: a connection without one is closed.
/// - From any other peer none is read; what happens instead is [said](Self::untrusted) and never guessed from the bytes.
/// - [Five seconds](Self::timeout) after the connection is first read from the header must be whole.
///
/// Accepting does not wait for the header: the task that serves the connection reads it, by
/// [`Stream::poll_open`](crate::Stream::poll_open) or its first read. The address that [`accept`](Listener::accept)
/// returns is therefore the proxy's; the client's is in [`Opened::peer`](crate::Opened::peer). If the proxy says that
/// the connection is its own (`LOCAL`, a health check) or that it does not know the client (`UNKNOWN`), that is `None`,
/// and the socket's addresses hold.
///
/// The order is TCP, PROXY, TLS: `Tls::new(Proxied::new(listen(":443")?, trusted), config)`.
///
/// ```no_run
/// use quintet_listener::{Proxied, Retry, listen};
///
/// let behind = Proxied::new(listen(":9090")?, "10.0.0.0/8, unix".parse()?)
///     .on_error(|error| eprintln!("{error}"));
/// let listener = Retry::new(behind);
/// # drop(listener);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Spec
/// [`ProxyHeader`](crate::ProxyHeader) has the rules of the header. Caddy: `proxy_protocol`, with the same five
/// seconds. Go: none in its standard library.
#[doc(alias = "PROXY protocol")]
#[doc(alias = "HAProxy")]
#[derive(Debug)]
pub struct Proxied<L> {
    listener: L,
    trusted: Nets,
    untrusted: UntrustedPolicy,
    timeout: Duration,
    per_peer: Option<PeerLimit>,
    health: ProxiedHealth,
}

impl<L> Proxied<L> {
    /// How long a proxy may take for its header, unless said otherwise. Caddy: the same.
    pub const TIMEOUT: Duration = Duration::from_secs(5);

    /// Reads a header from those peers of `listener` that are in `trusted`, and closes the connections of all others.
    ///
    /// A peer is trusted to name any client, so a list as wide as `0.0.0.0/0` is only right where a firewall lets in
    /// nobody but the proxy. `unix` stands for every peer of a Unix socket.
    pub fn new(listener: L, trusted: Nets) -> Self {
        Self {
            listener,
            trusted,
            untrusted: UntrustedPolicy::default(),
            timeout: Self::TIMEOUT,
            per_peer: None,
            health: ProxiedHealth::new(),
        }
    }

    /// What is done with peers that are not trusted. Default: [`Reject`](UntrustedPolicy::Reject).
    #[must_use]
    pub fn untrusted(self, policy: UntrustedPolicy) -> Self {
        Self { untrusted: policy, ..self }
    }

    /// How long after its first poll a connection may take until its header is whole. Default:
    /// [`TIMEOUT`](Self::TIMEOUT), 5 s; the specification asks for at least 3 s, for a packet may be lost.
    #[must_use]
    pub fn timeout(self, limit: Duration) -> Self {
        Self { timeout: limit, ..self }
    }

    /// At most `n` connections (at least 1) of one client at once, by the address that the header says: an IPv4 address
    /// or the first 64 bits of an IPv6 address. One more is closed when its header has been read, and counted. Clients
    /// of Unix sockets, and what a proxy sends of its own accord, are not limited. [`Limit`](crate::Limit) inside counts
    /// the proxy.
    #[must_use]
    pub fn per_peer(self, n: usize) -> Self {
        Self { per_peer: Some(PeerLimit::default().at_most(n)), ..self }
    }

    /// Reports connections that were not opened, at most once a second, each time with the number left out. Only the
    /// first function that is given is called.
    ///
    /// A panic in `report` is caught and counted, and nothing else comes of it.
    #[must_use]
    pub fn on_error(self, report: impl Fn(&ProxiedError<'_>) + Send + Sync + 'static) -> Self {
        self.health.report_to(Box::new(report));
        self
    }

    /// The handle that tells how it has been going.
    pub fn health(&self) -> ProxiedHealth {
        self.health.clone()
    }

    /// The listener inside.
    pub fn get_ref(&self) -> &L {
        &self.listener
    }

    /// The listener inside.
    pub fn into_inner(self) -> L {
        self.listener
    }

    /// A connection of a peer that is not trusted: served as it is, or not.
    fn stranger(&self, peer: &Addr) -> io::Result<Open> {
        match (self.untrusted, &self.per_peer) {
            (UntrustedPolicy::Reject, _) => Err(io::Error::new(io::ErrorKind::PermissionDenied, "not a trusted proxy")),
            (UntrustedPolicy::Skip, None) => Ok(Open::default()),
            (UntrustedPolicy::Skip, Some(limit)) => {
                let place = limit.admit(peer).ok_or_else(too_many)?;
                Ok(Open { place: Some(place), ..Open::default() })
            }
        }
    }
}

impl<L: Listener> Listener for Proxied<L> {
    type Stream = ProxiedStream<L::Stream>;

    /// # Cancel safety
    /// Nothing is lost.
    async fn accept(&mut self) -> io::Result<(Self::Stream, Addr)> {
        loop {
            let (stream, peer) = self.listener.accept().await?;
            if self.trusted.contains(&peer) {
                let opening = Opening::new(peer.clone(), self.timeout, self.per_peer.clone(), self.health.clone());
                return Ok((ProxiedStream::opening(stream, opening), peer));
            }
            match self.stranger(&peer) {
                Ok(open) => return Ok((ProxiedStream::bare(stream, open), peer)),
                Err(error) => self.health.failed(&peer, &error),
            }
        }
    }

    fn local_addr(&self) -> io::Result<Addr> {
        self.listener.local_addr()
    }

    fn set_pressure(&mut self, pressure: &Pressure) {
        self.listener.set_pressure(pressure);
    }

    fn add_health(&self, health: &mut ListenerHealth) {
        self.listener.add_health(health);
        health.proxied = Some(self.health());
    }
}
