//! Sockets that listen already when the process starts: a service manager bound them, and keeps them while the process
//! is replaced, so that no client is refused meanwhile.

use std::{
    env, io, mem, net,
    os::{fd::OwnedFd, unix},
    process,
    sync::{Mutex, OnceLock, PoisonError},
};

use listenfd::ListenFd;
use socket2::{Domain, SockRef, Type};

use crate::{
    AnyListener, InheritedError, TcpListener, TcpOptions, UnixListener,
    inherited_names::{Environment, first_fd, inherited_names},
};

/// The process's inherited sockets. There is one environment, and each socket can be taken once.
static SOCKETS: OnceLock<Result<Mutex<Sockets>, InheritedError>> = OnceLock::new();

struct Sockets {
    /// The number of the first descriptor.
    first: usize,
    /// From the first descriptor on, with its name.
    sockets: Vec<(String, Inherited)>,
}

/// One inherited descriptor.
enum Inherited {
    Tcp(net::TcpListener),
    Unix(unix::net::UnixListener),
    /// A socket that is not for us. It stays open, since the program may know what to do with its number.
    #[expect(dead_code, reason = "held so that it is not closed")]
    OtherSocket(OwnedFd),
    /// No socket at all.
    Other,
    Taken,
}

/// Takes the sockets that this process inherited (systemd's socket activation), with their names, in their order; empty
/// if it inherited none or all have been taken. [`listen("fd:name")`](crate::listen) takes one.
///
/// The names are those of `LISTEN_FDNAMES` (systemd's `FileDescriptorName=`, by default the name of the `.socket`
/// unit). The sockets stay bound as they are; an accepted TCP socket has the options of [`TcpOptions::default`], and the
/// file of a Unix socket stays where it is when the listener is dropped.
///
/// The first call in a process, of this or of `listen` with `fd:`, removes `LISTEN_FDS` and `LISTEN_PID` from its
/// environment, so that its children do not take the sockets for theirs: call it before other threads are started
/// that read the environment. All inherited sockets become close-on-exec then, also those that are never taken: a child
/// that lives longer does not keep a port busy.
///
/// # Errors
/// `InvalidData` with an [`InheritedError`] if the environment is malformed; `InvalidInput` with one if a descriptor is
/// something else than a TCP or Unix socket that listens: it and those before it are closed then. Else the system's.
///
/// # Spec
/// sd_listen_fds(3), systemd.socket(5). Go: `coreos/go-systemd/activation.ListenersWithNames`, which is not of its
/// standard library.
pub fn inherited() -> io::Result<Vec<(String, AnyListener)>> {
    let sockets = match sockets() {
        Ok(sockets) => sockets,
        Err(InheritedError::NoSockets | InheritedError::Pid) => return Ok(Vec::new()),
        Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    };
    let mut sockets = sockets.lock().unwrap_or_else(PoisonError::into_inner);
    let mut taken = Vec::new();
    for at in 0..sockets.sockets.len() {
        if let Some(listener) = sockets.take(at)? {
            taken.push((sockets.sockets[at].0.clone(), listener));
        }
    }
    Ok(taken)
}

/// Takes the first inherited socket of this name that has not been taken.
pub(super) fn listen_inherited(name: &str) -> io::Result<AnyListener> {
    let sockets = sockets().map_err(|error| io::Error::new(io::ErrorKind::NotFound, error))?;
    let mut sockets = sockets.lock().unwrap_or_else(PoisonError::into_inner);
    for at in 0..sockets.sockets.len() {
        if sockets.sockets[at].0 == name {
            if let Some(listener) = sockets.take(at)? {
                return Ok(listener);
            }
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, InheritedError::NotFound))
}

fn sockets() -> Result<&'static Mutex<Sockets>, InheritedError> {
    SOCKETS.get_or_init(Sockets::from_env).as_ref().map_err(|error| *error)
}

impl Sockets {
    fn from_env() -> Result<Mutex<Self>, InheritedError> {
        let variable = |name| env::var(name).ok();
        let (fds, pid) = (variable("LISTEN_FDS"), variable("LISTEN_PID"));
        let names = variable("LISTEN_FDNAMES");
        let environment = Environment { fds: fds.as_deref(), pid: pid.as_deref(), names: names.as_deref() };
        // Asked before listenfd is: that one also takes sockets that name no process.
        let names = inherited_names(environment, process::id())?;
        let first = first_fd(variable("LISTEN_FDS_FIRST_FD").as_deref(), names.len())?;
        let mut fds = ListenFd::from_env();
        let sockets = names.into_iter().enumerate().map(|(at, name)| (name, Inherited::own(&mut fds, at))).collect();
        Ok(Mutex::new(Self { first, sockets }))
    }

    /// Takes a socket; `None` if it has been taken.
    fn take(&mut self, at: usize) -> io::Result<Option<AnyListener>> {
        let fd = self.first + at;
        let not_a_listener = || Err(io::Error::new(io::ErrorKind::InvalidInput, InheritedError::Socket { fd }));
        let socket = &mut self.sockets[at].1;
        match mem::replace(socket, Inherited::Taken) {
            Inherited::Tcp(tcp) if listens(&SockRef::from(&tcp)) => {
                TcpListener::from_std(tcp, &TcpOptions::default()).map(|tcp| Some(tcp.into()))
            }
            Inherited::Unix(unix) if listens(&SockRef::from(&unix)) => {
                UnixListener::from_std(unix).map(|unix| Some(unix.into()))
            }
            Inherited::Tcp(_) | Inherited::Unix(_) => not_a_listener(),
            other @ (Inherited::OtherSocket(_) | Inherited::Other) => {
                *socket = other;
                not_a_listener()
            }
            Inherited::Taken => Ok(None),
        }
    }
}

impl Inherited {
    /// Makes a descriptor ours, and close-on-exec, which listenfd does with each socket that it hands out. It says
    /// `InvalidInput` for a socket of another kind, and leaves it where it is.
    fn own(fds: &mut ListenFd, at: usize) -> Self {
        // What systemd binds else: ListenDatagram=, ListenSequentialPacket=, and AF_NETLINK for ListenNetlink=.
        let others = [
            (Domain::IPV4, Type::DGRAM),
            (Domain::UNIX, Type::DGRAM),
            (Domain::UNIX, Type::SEQPACKET),
            (Domain::from(16), Type::RAW),
        ];
        if let Ok(Some(tcp)) = fds.take_tcp_listener(at) {
            return Self::Tcp(tcp);
        }
        if let Ok(Some(unix)) = fds.take_unix_listener(at) {
            return Self::Unix(unix);
        }
        for (domain, kind) in others {
            if let Ok(Some(socket)) = fds.take_custom(at, domain.into(), kind.into(), "socket") {
                return Self::OtherSocket(socket);
            }
        }
        Self::Other
    }
}

/// Whether the socket listens: systemd's `Accept=yes` gives one that is connected.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn listens(socket: &socket2::Socket) -> bool {
    socket.is_listener().unwrap_or(false)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn listens(_: &socket2::Socket) -> bool {
    true
}
