//! A TCP listener with the socket options of a server.
//!
//! tokio's `bind` asks for a backlog (the queue of finished handshakes) of 1024, std's for 128, and both leave Nagle's
//! algorithm on (it holds a small packet back until the one before is acknowledged) and keep-alive off. Go asks for the
//! longest backlog that the system allows and sets the rest; so do we, with every option a named field.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    time::Duration,
};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpStream;

use super::{Listener, lazy::Lazy};
use crate::{Addr, Endpoint, EndpointError};

/// Options of a TCP listener. The defaults are Go's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpOptions {
    /// The backlog: how many finished handshakes may wait to be accepted. `None`: as many as the system allows
    /// (`/proc/sys/net/core/somaxconn`, else 4096 on Linux and 128 elsewhere).
    pub backlog: Option<u32>,
    /// Bind although connections of an earlier process linger (`SO_REUSEADDR`; on Unix only, for on Windows it
    /// would let another process take the port). Default: true.
    pub reuse_address: bool,
    /// Let several sockets bind the same port, and the kernel share out the clients (`SO_REUSEPORT`; on Linux and
    /// the BSDs, macOS included).
    /// Default: false. See [`reuse_port`].
    pub reuse_port: bool,
    /// Send small replies at once, without Nagle's algorithm (`TCP_NODELAY`). Default: true.
    pub nodelay: bool,
    /// How many bytes of a reply, besides those on their way, the kernel takes before it says that it is full
    /// (`TCP_NOTSENT_LOWAT`; on Linux, nothing elsewhere). `None`: as many as its send buffer holds, by default up to
    /// 4 MiB. Default: 64 KiB.
    ///
    /// Fewer, and a client that reads slowly holds less memory in the kernel and is seen to make progress in smaller
    /// steps: when half of the bytes have been sent, there is room again. It does not slow down a fast client, for
    /// what is on its way, as much as the network holds, does not count; but a value below 32 KiB means more system
    /// calls for large replies.
    ///
    /// # Spec
    /// tcp(7); <https://lwn.net/Articles/560082/>. Go leaves it as the system has it (`net.ipv4.tcp_notsent_lowat`).
    pub notsent_lowat: Option<u32>,
    /// Probe a silent peer. Default: after 15 s, every 15 s, 9 times.
    pub keep_alive: Option<KeepAlive>,
    /// Let an IPv6 socket refuse IPv4 clients (`IPV6_V6ONLY`). With `:port` this listens on IPv6 alone. Default: false.
    pub only_v6: bool,
}

/// Keep-alive: when a silent peer is probed, and when its connection is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// Silence before the first probe, in whole seconds. Default: 15 s.
    pub idle: Duration,
    /// Between two probes, in whole seconds. Default: 15 s.
    pub interval: Duration,
    /// Unanswered probes before the connection is reset. Default: 9.
    pub count: u32,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self {
            backlog: None,
            reuse_address: true,
            reuse_port: false,
            nodelay: true,
            notsent_lowat: Some(64 * 1024),
            keep_alive: Some(KeepAlive::default()),
            only_v6: false,
        }
    }
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self { idle: Duration::from_secs(15), interval: Duration::from_secs(15), count: 9 }
    }
}

/// A TCP socket that listens.
///
/// Binding needs no runtime; the first [`accept`](Listener::accept) registers with the runtime it is called on and stays there.
#[derive(Debug)]
pub struct TcpListener {
    socket: Lazy<std::net::TcpListener, tokio::net::TcpListener>,
    local: SocketAddr,
    /// What accepted sockets do not inherit from it.
    each: Each,
}

/// Options to set on every accepted socket.
#[derive(Debug)]
struct Each {
    nodelay: bool,
    keep_alive: Option<TcpKeepalive>,
    notsent_lowat: Option<u32>,
    /// Whether every accepted socket has them from its listener. Not if that listened before they were set: a client
    /// that was in its queue by then has the options of that time.
    inherited: bool,
}

/// On Linux an accepted socket inherits the options of its listener: two system calls less for each connection.
const INHERITED: bool = cfg!(any(target_os = "linux", target_os = "android"));

impl TcpListener {
    /// Opens a socket at `addr`: an [`Endpoint`], what one is written as, or a [`SocketAddr`].
    ///
    /// `:port` is IPv6 and IPv4 in one socket, or IPv4 alone where there is no IPv6. A host name is resolved here,
    /// which blocks the thread; of several addresses the first that can be bound is taken, IPv4 before IPv6.
    ///
    /// # Errors
    /// `InvalidInput` if `addr` is not a TCP endpoint, else the system's.
    ///
    /// # Spec
    /// Go: `net.Listen("tcp", addr)`.
    pub fn bind<A>(addr: A, options: &TcpOptions) -> io::Result<Self>
    where
        A: TryInto<Endpoint, Error: Into<EndpointError>>,
    {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        match addr.try_into().map_err(|error| invalid(error.into()))? {
            Endpoint::Any { port } => match open((Ipv6Addr::UNSPECIFIED, port).into(), options) {
                Err(error) if no_ipv6(&error) && !options.only_v6 => {
                    open((Ipv4Addr::UNSPECIFIED, port).into(), options)
                }
                opened => opened,
            },
            Endpoint::Ip(addr) => open(addr, options),
            Endpoint::Host { name, port } => open_first((name.as_str(), port).to_socket_addrs()?.collect(), options),
            Endpoint::Unix(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "a Unix socket is no TCP endpoint")),
            Endpoint::Inherited(_) => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, "an inherited socket is bound already"))
            }
        }
    }

    /// Takes over a socket that listens already, made elsewhere or inherited from another process. It stays bound as it
    /// is, with its backlog; `nodelay`, `keep_alive` and `notsent_lowat` of `options` are applied to each accepted socket.
    ///
    /// # Errors
    /// The system's.
    ///
    /// # Spec
    /// Go: `net.FileListener`.
    pub fn from_std(listener: std::net::TcpListener, options: &TcpOptions) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let local = listener.local_addr()?;
        let each = Each { inherited: false, ..Each::new(options) };
        Ok(Self { socket: Lazy::Bound(listener), local, each })
    }

    /// The port, also when 0 was asked for.
    pub fn port(&self) -> u16 {
        self.local.port()
    }
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, Addr)> {
        let (stream, peer) =
            self.socket.get(|bound| tokio::net::TcpListener::from_std(bound.try_clone()?))?.accept().await?;
        if !self.each.inherited {
            self.each.apply(&stream);
        }
        Ok((stream, peer.into()))
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Ok(Addr::Tcp(self.local))
    }
}

impl Each {
    fn new(options: &TcpOptions) -> Self {
        let keep_alive = options.keep_alive.map(keep_alive);
        Self { nodelay: options.nodelay, keep_alive, notsent_lowat: options.notsent_lowat, inherited: INHERITED }
    }

    /// A failure concerns the client: the socket is already reset, and the first read will say so.
    fn apply(&self, stream: &TcpStream) {
        let socket = SockRef::from(stream);
        let _ = self.nodelay.then(|| socket.set_tcp_nodelay(true));
        let _ = self.keep_alive.as_ref().map(|keep_alive| socket.set_tcp_keepalive(keep_alive));
        let _ = set_notsent_lowat(&socket, self.notsent_lowat);
    }
}

/// Opens `n` sockets on one port, one for each of `n` runtimes; the kernel shares out the clients.
///
/// With port 0, the first finds a port and the others take the same.
///
/// # Errors
/// As [`TcpListener::bind`]; `Unsupported` where there is no `SO_REUSEPORT`.
pub fn reuse_port<A>(addr: A, n: usize) -> io::Result<Vec<TcpListener>>
where
    A: TryInto<Endpoint, Error: Into<EndpointError>>,
{
    if n == 0 {
        return Ok(Vec::new());
    }
    let options = TcpOptions { reuse_port: true, ..TcpOptions::default() };
    let first = TcpListener::bind(addr, &options)?;
    let local = first.local;
    let mut all = vec![first];
    for _ in 1..n {
        all.push(open(local, &options)?);
    }
    Ok(all)
}

/// The first of `addrs` that can be bound, IPv4 before IPv6.
fn open_first(mut addrs: Vec<SocketAddr>, options: &TcpOptions) -> io::Result<TcpListener> {
    addrs.sort_by_key(SocketAddr::is_ipv6);
    let mut failed = io::Error::new(io::ErrorKind::AddrNotAvailable, "the host name has no address");
    for addr in addrs {
        match open(addr, options) {
            Ok(tcp) => return Ok(tcp),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn open(addr: SocketAddr, options: &TcpOptions) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(options.only_v6)?;
    }
    #[cfg(unix)]
    if options.reuse_address {
        socket.set_reuse_address(true)?;
    }
    if options.reuse_port {
        share_port(&socket)?;
    }
    let each = Each::new(options);
    if each.inherited {
        if each.nodelay {
            socket.set_tcp_nodelay(true)?;
        }
        if let Some(keep_alive) = &each.keep_alive {
            socket.set_tcp_keepalive(keep_alive)?;
        }
    }
    set_notsent_lowat(&socket, options.notsent_lowat)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(backlog(options.backlog))?;
    let socket = std::net::TcpListener::from(socket);
    let local = socket.local_addr()?;
    Ok(TcpListener { socket: Lazy::Bound(socket), local, each })
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd",
))]
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd",
)))]
fn share_port(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Every accepted socket inherits it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_notsent_lowat(socket: &Socket, bytes: Option<u32>) -> io::Result<()> {
    bytes.map_or(Ok(()), |bytes| socket.set_tcp_notsent_lowat(bytes))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_notsent_lowat(_: &Socket, _: Option<u32>) -> io::Result<()> {
    Ok(())
}

fn keep_alive(options: KeepAlive) -> TcpKeepalive {
    let keep_alive = TcpKeepalive::new().with_time(options.idle);
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "freebsd", windows))]
    let keep_alive = keep_alive.with_interval(options.interval).with_retries(options.count);
    keep_alive
}

/// Whether the system has no IPv6: EAFNOSUPPORT at `socket`, or EADDRNOTAVAIL at `bind` (IPv6 switched off).
fn no_ipv6(error: &io::Error) -> bool {
    let unsupported = if cfg!(any(target_os = "linux", target_os = "android")) { 97 } else { 47 };
    let unsupported = if cfg!(windows) { 10047 } else { unsupported };
    error.raw_os_error() == Some(unsupported)
        || matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
}

/// What to give to `listen`.
pub(super) fn backlog(asked: Option<u32>) -> i32 {
    let allowed = || std::fs::read_to_string("/proc/sys/net/core/somaxconn").ok()?.trim().parse().ok();
    let backlog = asked.or_else(allowed).unwrap_or(if INHERITED { 4096 } else { 128 });
    i32::try_from(backlog).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn of_several_addresses_the_first_that_can_be_bound_is_taken() {
        let not_ours = addr("192.0.2.1:0");
        let tcp = open_first(vec![not_ours, addr("127.0.0.1:0")], &TcpOptions::default()).unwrap();
        assert!(tcp.local.ip().is_loopback());
        let error = open_first(vec![not_ours], &TcpOptions::default()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
        assert!(open_first(Vec::new(), &TcpOptions::default()).is_err());
    }

    #[test]
    fn ipv4_is_tried_before_ipv6() {
        let tcp = open_first(vec![addr("[::1]:0"), addr("127.0.0.1:0")], &TcpOptions::default()).unwrap();
        assert!(tcp.local.is_ipv4());
    }

    #[test]
    fn the_backlog_asked_for_is_the_one_given() {
        assert_eq!(backlog(Some(7)), 7);
        assert_eq!(backlog(Some(u32::MAX)), i32::MAX);
        assert!(backlog(None) >= 128);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_system_without_ipv6_is_recognised() {
        assert!(no_ipv6(&io::Error::from_raw_os_error(97))); // EAFNOSUPPORT
        assert!(no_ipv6(&io::Error::from_raw_os_error(99))); // EADDRNOTAVAIL
        assert!(!no_ipv6(&io::Error::from_raw_os_error(98))); // EADDRINUSE
    }
}
