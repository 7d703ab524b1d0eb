//! The kinds of accept errors, and how soon to try again after each.
//!
//! An accept error is about one client, about resources that have run out, or about the listener itself. Only the last is
//! a reason to stop, so what is fatal is a short list, and an unknown error is waited for and reported: a server that
//! ends at an unknown error drops every request it has. `accept(2)` mixes the three: Linux even hands over the network
//! errors of a connection that died in the queue. What registers the accepted socket with the event queue (`epoll_ctl`)
//! adds its own. Go asks `Temporary()`, which knows neither ENOBUFS nor ENOMEM (out of memory for sockets), so a busy Go
//! server exits on them.

use std::io::{self, ErrorKind};

/// What an accept error says about the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AcceptErrorKind {
    /// It was about one client, which is gone, or about nothing at all: try again at once.
    Transient,
    /// Something has run out (descriptors, memory), or the error is not known: try again later, and report it.
    Exhausted,
    /// It is about the listener itself: the next attempt would fail the same way.
    Fatal,
}

/// Sorts an error of `accept`.
///
/// By errno where this system's numbers are known, else by [`ErrorKind`]:
///
/// | kind | errno of accept(2) and epoll_ctl(2) | without an errno | why |
/// |---|---|---|---|
/// | [`Transient`](AcceptErrorKind::Transient) | EINTR, EAGAIN, ERESTARTSYS | `Interrupted`, `WouldBlock` | nothing happened |
/// | | ECONNABORTED, EPROTO, ECONNRESET, ECONNREFUSED, ETIMEDOUT, ENOTCONN, EPIPE | the same, `UnexpectedEof`, `InvalidData` | that client is gone, or broke off its handshake |
/// | | ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH | the same | a network error of that client, which Linux passes on |
/// | | EPERM | | a firewall rule forbids that client |
/// | [`Exhausted`](AcceptErrorKind::Exhausted) | EMFILE, ENFILE | | no descriptor free, in the process or in the system |
/// | | ENOBUFS, ENOMEM, ENOSR | `OutOfMemory` | no memory for a socket |
/// | | ENOSPC | `StorageFull` | the system's limit of epoll watches is reached |
/// | | whatever is not listed | the same | not known, so it may pass |
/// | [`Fatal`](AcceptErrorKind::Fatal) | EBADF | | the listener's descriptor is closed |
/// | | ENOTSOCK | | the descriptor is another file by now |
/// | | EINVAL | `InvalidInput` | the socket does not listen, or not any more (`shutdown(2)`) |
///
/// A listener that is not a socket says that it has ended with an error of the kind `InvalidInput`.
///
/// `Transient` is an assumption: EOPNOTSUPP and EPERM can also be about the listener. Therefore
/// [`RetryPolicy`](crate::RetryPolicy) backs off after 64 of them in a row.
///
/// # Spec
/// accept(2), "Error handling"; epoll_ctl(2). Go: `net.Error.Temporary` (syscall_unix.go:134, net.go:552), which knows
/// neither ENOBUFS, ENOMEM, EPROTO nor the network errors.
pub fn classify(error: &io::Error) -> AcceptErrorKind {
    error.raw_os_error().and_then(by_errno).unwrap_or_else(|| by_kind(error.kind()))
}

/// Whether the error says that descriptors, memory or watches have run out, of which closing a connection gives some
/// back.
#[cfg(feature = "io")]
pub(crate) fn has_run_out(error: &io::Error) -> bool {
    let descriptors_or_memory = match error.raw_os_error() {
        Some(errno) if cfg!(windows) => matches!(errno, 10024 | 10055), // WSAEMFILE WSAENOBUFS
        // ENOMEM and ENOSPC have kinds. ENFILE EMFILE; ENOBUFS and ENOSR where they have these numbers.
        Some(errno) => {
            matches!(errno, 23 | 24)
                || cfg!(any(target_os = "linux", target_os = "android")) && matches!(errno, 63 | 105)
                || !cfg!(any(target_os = "linux", target_os = "android")) && errno == 55
        }
        None => false,
    };
    descriptors_or_memory || matches!(error.kind(), ErrorKind::OutOfMemory | ErrorKind::StorageFull)
}

/// The kind where std names the error: on every system, and for errors made by a listener that is not a socket.
fn by_kind(kind: ErrorKind) -> AcceptErrorKind {
    match kind {
        ErrorKind::Interrupted
        | ErrorKind::WouldBlock
        | ErrorKind::BrokenPipe
        | ErrorKind::ConnectionAborted
        | ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::HostUnreachable
        | ErrorKind::InvalidData
        | ErrorKind::NetworkDown
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NotConnected
        | ErrorKind::TimedOut
        | ErrorKind::UnexpectedEof => AcceptErrorKind::Transient,
        ErrorKind::InvalidInput => AcceptErrorKind::Fatal,
        _ => AcceptErrorKind::Exhausted, // OutOfMemory, StorageFull, and what is not known
    }
}

/// Numbers of Linux, except on the architectures that number differently (MIPS, SPARC).
#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(any(target_arch = "mips", target_arch = "mips32r6", target_arch = "mips64", target_arch = "mips64r6")),
    not(any(target_arch = "sparc", target_arch = "sparc64")),
))]
fn by_errno(errno: i32) -> Option<AcceptErrorKind> {
    use AcceptErrorKind::{Exhausted, Fatal, Transient};
    Some(match errno {
        1 | 4 | 11 | 512 => Transient,           // EPERM EINTR EAGAIN ERESTARTSYS
        71 | 103 | 104 | 110 | 111 => Transient, // EPROTO ECONNABORTED ECONNRESET ETIMEDOUT ECONNREFUSED
        32 | 107 => Transient,                   // EPIPE ENOTCONN
        // ENONET ENOPROTOOPT EOPNOTSUPP ENETDOWN ENETUNREACH EHOSTDOWN EHOSTUNREACH
        64 | 92 | 95 | 100 | 101 | 112 | 113 => Transient,
        9 | 22 | 88 => Fatal, // EBADF EINVAL ENOTSOCK
        _ => Exhausted,       // ENOMEM 12, ENFILE 23, EMFILE 24, ENOSPC 28, ENOSR 63, ENOBUFS 105 …
    })
}

/// The BSDs, macOS included: what std does not name.
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
fn by_errno(errno: i32) -> Option<AcceptErrorKind> {
    const EPROTO: i32 = match () {
        () if cfg!(target_vendor = "apple") => 100,
        () if cfg!(target_os = "netbsd") => 96,
        () if cfg!(target_os = "openbsd") => 95,
        () => 92,
    };
    match errno {
        EPROTO | 42 | 64 => Some(AcceptErrorKind::Transient), // EPROTO ENOPROTOOPT EHOSTDOWN
        9 | 38 => Some(AcceptErrorKind::Fatal),               // EBADF ENOTSOCK; EINVAL has a kind
        _ => None,                                            // Exhausted: ENFILE 23, EMFILE 24, ENOBUFS 55 …
    }
}

/// Winsock: what std does not name.
#[cfg(windows)]
fn by_errno(errno: i32) -> Option<AcceptErrorKind> {
    match errno {
        10004 | 10050 | 10064 => Some(AcceptErrorKind::Transient), // WSAEINTR WSAENETDOWN WSAEHOSTDOWN
        10009 | 10038 => Some(AcceptErrorKind::Fatal),             // WSAEBADF WSAENOTSOCK; WSAEINVAL has a kind
        _ => None,                                                 // Exhausted: WSAEMFILE 10024, WSAENOBUFS 10055 …
    }
}

/// Every other system: what std does not name and all of Unix numbers alike.
#[cfg(not(any(
    all(
        any(target_os = "linux", target_os = "android"),
        not(any(target_arch = "mips", target_arch = "mips32r6", target_arch = "mips64", target_arch = "mips64r6")),
        not(any(target_arch = "sparc", target_arch = "sparc64")),
    ),
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd",
    windows,
)))]
fn by_errno(errno: i32) -> Option<AcceptErrorKind> {
    match errno {
        9 if cfg!(unix) => Some(AcceptErrorKind::Fatal), // EBADF; EINVAL has a kind, and ENOTSOCK has many numbers
        _ => None,                                       // Exhausted: ENFILE 23, EMFILE 24 …
    }
}
