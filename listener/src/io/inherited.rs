//! Sockets that listen already when the process starts: a service manager bound them, and keeps them while the process
//! is replaced, so that no client is refused meanwhile.

use std::{
    env, io, process,
    sync::{Mutex, OnceLock, PoisonError},
};

use listenfd::ListenFd;
use socket2::SockRef;

use crate::{
    AnyListener, InheritedError, TcpListener, TcpOptions, UnixListener,
    inherited_names::{Environment, first_fd, inherited_names},
};

/// The process's inherited sockets. There is one environment, and each socket can be taken once.
static SOCKETS: OnceLock<Result<Mutex<Sockets>, InheritedError>> = OnceLock::new();

struct Sockets {
    /// The number of the first descriptor.
    first: usize,
    /// Of the descriptors from the first on.
    names: Vec<String>,
    fds: ListenFd,
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
/// that read the environment.
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
    for at in 0..sockets.names.len() {
        if let Some(listener) = sockets.take(at)? {
            taken.push((sockets.names[at].clone(), listener));
        }
    }
    Ok(taken)
}

/// Takes the first inherited socket of this name that has not been taken.
pub(super) fn listen_inherited(name: &str) -> io::Result<AnyListener> {
    let sockets = sockets().map_err(|error| io::Error::new(io::ErrorKind::NotFound, error))?;
    let mut sockets = sockets.lock().unwrap_or_else(PoisonError::into_inner);
    for at in 0..sockets.names.len() {
        if sockets.names[at] == name {
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
        Ok(Mutex::new(Self { first, names, fds: ListenFd::from_env() }))
    }

    /// Takes a socket; `None` if it has been taken.
    fn take(&mut self, at: usize) -> io::Result<Option<AnyListener>> {
        let fd = self.first + at;
        let not_a_listener = || io::Error::new(io::ErrorKind::InvalidInput, InheritedError::Socket { fd });
        // It says `InvalidInput` for what is no such socket, and leaves it where it is.
        match self.fds.take_tcp_listener(at) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            taken => {
                let Some(tcp) = taken? else { return Ok(None) };
                if !listens(&SockRef::from(&tcp)) {
                    return Err(not_a_listener());
                }
                return TcpListener::from_std(tcp, &TcpOptions::default()).map(|tcp| Some(tcp.into()));
            }
        }
        let Some(unix) = self.fds.take_unix_listener(at).map_err(|_| not_a_listener())? else { return Ok(None) };
        if !listens(&SockRef::from(&unix)) {
            return Err(not_a_listener());
        }
        UnixListener::from_std(unix).map(|unix| Some(unix.into()))
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
