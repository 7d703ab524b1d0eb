//! Which accept errors pass by themselves, and how soon to try again.
//!
//! An accept error is either about one client, about the moment, or about the listener. Only the last is a reason
//! to stop. `accept(2)` mixes the three: Linux even hands over the network errors of a connection that died in the
//! queue. Go asks `Temporary()`, which forgets ENFILE's kin ENOBUFS and ENOMEM, so a busy Go server exits on them.

use std::io::{self, ErrorKind};

/// What an accept error says about the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// It was about one client, which is gone, or about nothing at all: try again at once.
    Now,
    /// Something has run out (descriptors, memory): try again later, or the attempts make it worse.
    Later,
    /// It is about the listener itself: the next attempt would fail the same way.
    Fatal,
}

/// Sorts an error of `accept`.
///
/// By errno where this system's numbers are known, else by [`ErrorKind`]:
///
/// | class | errno of accept(2) | why |
/// |---|---|---|
/// | [`Now`](Class::Now) | EINTR, EAGAIN, ERESTARTSYS | nothing happened |
/// | | ECONNABORTED, EPROTO, ECONNRESET, ECONNREFUSED, ETIMEDOUT | that client is gone |
/// | | ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH | a network error of that client, which Linux passes on |
/// | | EPERM | a firewall rule forbids that client |
/// | [`Later`](Class::Later) | EMFILE, ENFILE | no descriptor free, in the process or in the system |
/// | | ENOBUFS, ENOMEM, ENOSR | no memory for a socket |
/// | [`Fatal`](Class::Fatal) | EBADF, EFAULT, EINVAL, ENOTSOCK, ESOCKTNOSUPPORT, EPROTONOSUPPORT, and whatever is not listed | not a listening socket |
///
/// `Now` is a belief: EOPNOTSUPP and EPERM can also be about the listener. Therefore [`Patience`](crate::Patience)
/// stops believing after 64 of them in a row.
///
/// # Spec
/// accept(2), "Error handling". Go: `net.Error.Temporary` (syscall_unix.go:134, net.go:552), which knows neither
/// ENOBUFS, ENOMEM, EPROTO nor the network errors.
pub fn classify(error: &io::Error) -> Class {
    error.raw_os_error().and_then(by_errno).unwrap_or_else(|| by_kind(error.kind()))
}

/// Where std names the error: every system, and errors made by a listener that is not a socket.
fn by_kind(kind: ErrorKind) -> Class {
    match kind {
        ErrorKind::Interrupted
        | ErrorKind::WouldBlock
        | ErrorKind::ConnectionAborted
        | ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::NetworkUnreachable
        | ErrorKind::TimedOut => Class::Now,
        ErrorKind::OutOfMemory => Class::Later,
        _ => Class::Fatal,
    }
}

/// Numbers of Linux, except on the architectures that number differently (MIPS, SPARC).
#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(any(target_arch = "mips", target_arch = "mips32r6", target_arch = "mips64", target_arch = "mips64r6")),
    not(any(target_arch = "sparc", target_arch = "sparc64")),
))]
fn by_errno(errno: i32) -> Option<Class> {
    Some(match errno {
        1 | 4 | 11 | 512 => Class::Now,                     // EPERM EINTR EAGAIN ERESTARTSYS
        71 | 103 | 104 | 110 | 111 => Class::Now,           // EPROTO ECONNABORTED ECONNRESET ETIMEDOUT ECONNREFUSED
        64 | 92 | 95 | 100 | 101 | 112 | 113 => Class::Now, // ENONET ENOPROTOOPT EOPNOTSUPP ENETDOWN ENETUNREACH EHOSTDOWN EHOSTUNREACH
        12 | 23 | 24 | 63 | 105 => Class::Later,            // ENOMEM ENFILE EMFILE ENOSR ENOBUFS
        _ => Class::Fatal,                                  // EBADF 9, EFAULT 14, EINVAL 22, ENOTSOCK 88, 93, 94 …
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
fn by_errno(errno: i32) -> Option<Class> {
    const EPROTO: i32 = match () {
        () if cfg!(target_vendor = "apple") => 100,
        () if cfg!(target_os = "netbsd") => 96,
        () if cfg!(target_os = "openbsd") => 95,
        () => 92,
    };
    match errno {
        EPROTO | 42 | 64 => Some(Class::Now), // EPROTO ENOPROTOOPT EHOSTDOWN
        23 | 24 | 55 => Some(Class::Later),   // ENFILE EMFILE ENOBUFS
        _ => None,
    }
}

/// Winsock: what std does not name.
#[cfg(windows)]
fn by_errno(errno: i32) -> Option<Class> {
    match errno {
        10004 | 10050 | 10064 => Some(Class::Now), // WSAEINTR WSAENETDOWN WSAEHOSTDOWN
        10024 | 10055 => Some(Class::Later),       // WSAEMFILE WSAENOBUFS
        _ => None,
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
fn by_errno(errno: i32) -> Option<Class> {
    match errno {
        23 | 24 if cfg!(unix) => Some(Class::Later), // ENFILE EMFILE
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every errno that accept(2) names, with the text by which the system proves that the number is right.
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    #[test]
    fn every_errno_of_accept_2_has_its_class() {
        #[rustfmt::skip]
        let table = [
            ("EAGAIN",          11,  "Resource temporarily unavailable",     Class::Now),
            ("EBADF",           9,   "Bad file descriptor",                  Class::Fatal),
            ("ECONNABORTED",    103, "Software caused connection abort",     Class::Now),
            ("EFAULT",          14,  "Bad address",                          Class::Fatal),
            ("EINTR",           4,   "Interrupted system call",              Class::Now),
            ("EINVAL",          22,  "Invalid argument",                     Class::Fatal),
            ("EMFILE",          24,  "Too many open files",                  Class::Later),
            ("ENFILE",          23,  "Too many open files in system",        Class::Later),
            ("ENOBUFS",         105, "No buffer space available",            Class::Later),
            ("ENOMEM",          12,  "Cannot allocate memory",               Class::Later),
            ("ENOTSOCK",        88,  "Socket operation on non-socket",       Class::Fatal),
            ("EOPNOTSUPP",      95,  "Operation not supported",              Class::Now),
            ("EPERM",           1,   "Operation not permitted",              Class::Now),
            ("EPROTO",          71,  "Protocol error",                       Class::Now),
            ("ENOSR",           63,  "Out of streams resources",             Class::Later),
            ("ESOCKTNOSUPPORT", 94,  "Socket type not supported",            Class::Fatal),
            ("EPROTONOSUPPORT", 93,  "Protocol not supported",               Class::Fatal),
            ("ETIMEDOUT",       110, "Connection timed out",                 Class::Now),
            ("ERESTARTSYS",     512, "Unknown error 512",                    Class::Now),
            ("ENETDOWN",        100, "Network is down",                      Class::Now),
            ("ENOPROTOOPT",     92,  "Protocol not available",               Class::Now),
            ("EHOSTDOWN",       112, "Host is down",                         Class::Now),
            ("ENONET",          64,  "Machine is not on the network",        Class::Now),
            ("EHOSTUNREACH",    113, "No route to host",                     Class::Now),
            ("ENETUNREACH",     101, "Network is unreachable",               Class::Now),
            // Not in accept(2), but peers of ours have met them.
            ("ECONNRESET",      104, "Connection reset by peer",             Class::Now),
            ("ECONNREFUSED",    111, "Connection refused",                   Class::Now),
            // About the listener, or not heard of.
            ("EACCES",          13,  "Permission denied",                    Class::Fatal),
            ("EIO",             5,   "Input/output error",                   Class::Fatal),
        ];
        for (name, errno, text, class) in table {
            let error = io::Error::from_raw_os_error(errno);
            assert_eq!(classify(&error), class, "{name}");
            assert!(error.to_string().starts_with(text), "{name} is {error}");
        }
    }

    #[test]
    fn out_of_descriptors_is_later_on_every_unix() {
        if cfg!(unix) {
            assert_eq!(classify(&io::Error::from_raw_os_error(23)), Class::Later);
            assert_eq!(classify(&io::Error::from_raw_os_error(24)), Class::Later);
        }
    }

    #[test]
    fn an_error_without_an_errno_is_sorted_by_its_kind() {
        let table = [
            (ErrorKind::Interrupted, Class::Now),
            (ErrorKind::WouldBlock, Class::Now),
            (ErrorKind::ConnectionAborted, Class::Now),
            (ErrorKind::ConnectionRefused, Class::Now),
            (ErrorKind::ConnectionReset, Class::Now),
            (ErrorKind::HostUnreachable, Class::Now),
            (ErrorKind::NetworkDown, Class::Now),
            (ErrorKind::NetworkUnreachable, Class::Now),
            (ErrorKind::TimedOut, Class::Now),
            (ErrorKind::OutOfMemory, Class::Later),
            (ErrorKind::InvalidInput, Class::Fatal),
            (ErrorKind::NotConnected, Class::Fatal),
            (ErrorKind::PermissionDenied, Class::Fatal),
            (ErrorKind::Unsupported, Class::Fatal),
            (ErrorKind::Other, Class::Fatal),
        ];
        for (kind, class) in table {
            assert_eq!(classify(&io::Error::from(kind)), class, "{kind:?}");
            assert_eq!(classify(&io::Error::new(kind, "from a listener that is not a socket")), class, "{kind:?}");
        }
    }

    #[test]
    fn no_number_of_any_system_panics() {
        for errno in [i32::MIN, -1, 0, i32::MAX].into_iter().chain(0..20_000) {
            let _ = classify(&io::Error::from_raw_os_error(errno));
        }
    }
}
