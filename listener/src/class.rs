//! Which accept errors pass by themselves, and how soon to try again.
//!
//! An accept error is either about one client, about the moment, or about the listener. Only the last is a reason
//! to stop, so what is fatal is a short list, and an error that nobody has foreseen is waited for and reported: a
//! server that ends at an unknown error drops every request it has. `accept(2)` mixes the three: Linux even hands over
//! the network errors of a connection that died in the queue. What registers the accepted socket with the event queue
//! (`epoll_ctl`) adds its own. Go asks `Temporary()`, which forgets ENFILE's kin ENOBUFS and ENOMEM, so a busy Go
//! server exits on them.

use std::io::{self, ErrorKind};

/// What an accept error says about the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// It was about one client, which is gone, or about nothing at all: try again at once.
    Now,
    /// Something has run out (descriptors, memory), or the error is not known: try again later, and report it.
    Later,
    /// It is about the listener itself: the next attempt would fail the same way.
    Fatal,
}

/// Sorts an error of `accept`.
///
/// By errno where this system's numbers are known, else by [`ErrorKind`]:
///
/// | class | errno of accept(2) and epoll_ctl(2) | without an errno | why |
/// |---|---|---|---|
/// | [`Now`](Class::Now) | EINTR, EAGAIN, ERESTARTSYS | `Interrupted`, `WouldBlock` | nothing happened |
/// | | ECONNABORTED, EPROTO, ECONNRESET, ECONNREFUSED, ETIMEDOUT, ENOTCONN, EPIPE | the same, `UnexpectedEof`, `InvalidData` | that client is gone, or broke off its handshake |
/// | | ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH | the same | a network error of that client, which Linux passes on |
/// | | EPERM | | a firewall rule forbids that client |
/// | [`Later`](Class::Later) | EMFILE, ENFILE | | no descriptor free, in the process or in the system |
/// | | ENOBUFS, ENOMEM, ENOSR | `OutOfMemory` | no memory for a socket |
/// | | ENOSPC | `StorageFull` | the system's limit of epoll watches is reached |
/// | | whatever is not listed | the same | not known, so it may pass |
/// | [`Fatal`](Class::Fatal) | EBADF | | the listener's descriptor is closed |
/// | | ENOTSOCK | | the descriptor is another file by now |
/// | | EINVAL | `InvalidInput` | the socket does not listen, or not any more (`shutdown(2)`) |
///
/// A listener that is not a socket says that it has ended with an error of the kind `InvalidInput`.
///
/// `Now` is a belief: EOPNOTSUPP and EPERM can also be about the listener. Therefore [`Patience`](crate::Patience)
/// stops believing after 64 of them in a row.
///
/// # Spec
/// accept(2), "Error handling"; epoll_ctl(2). Go: `net.Error.Temporary` (syscall_unix.go:134, net.go:552), which knows
/// neither ENOBUFS, ENOMEM, EPROTO nor the network errors.
pub fn classify(error: &io::Error) -> Class {
    error.raw_os_error().and_then(by_errno).unwrap_or_else(|| by_kind(error.kind()))
}

/// Whether the error says that descriptors, memory or watches have run out, of which closing a connection gives some
/// back.
#[cfg(feature = "tokio")]
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

/// Where std names the error: every system, and errors made by a listener that is not a socket.
fn by_kind(kind: ErrorKind) -> Class {
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
        | ErrorKind::UnexpectedEof => Class::Now,
        ErrorKind::InvalidInput => Class::Fatal,
        _ => Class::Later, // OutOfMemory, StorageFull, and what is not known
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
        32 | 107 => Class::Now,                             // EPIPE ENOTCONN
        64 | 92 | 95 | 100 | 101 | 112 | 113 => Class::Now, // ENONET ENOPROTOOPT EOPNOTSUPP ENETDOWN ENETUNREACH EHOSTDOWN EHOSTUNREACH
        9 | 22 | 88 => Class::Fatal,                        // EBADF EINVAL ENOTSOCK
        _ => Class::Later, // ENOMEM 12, ENFILE 23, EMFILE 24, ENOSPC 28, ENOSR 63, ENOBUFS 105 …
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
        9 | 38 => Some(Class::Fatal),         // EBADF ENOTSOCK; EINVAL has a kind
        _ => None,                            // Later: ENFILE 23, EMFILE 24, ENOBUFS 55 …
    }
}

/// Winsock: what std does not name.
#[cfg(windows)]
fn by_errno(errno: i32) -> Option<Class> {
    match errno {
        10004 | 10050 | 10064 => Some(Class::Now), // WSAEINTR WSAENETDOWN WSAEHOSTDOWN
        10009 | 10038 => Some(Class::Fatal),       // WSAEBADF WSAENOTSOCK; WSAEINVAL has a kind
        _ => None,                                 // Later: WSAEMFILE 10024, WSAENOBUFS 10055 …
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
        9 if cfg!(unix) => Some(Class::Fatal), // EBADF; EINVAL has a kind, and ENOTSOCK has many numbers
        _ => None,                             // Later: ENFILE 23, EMFILE 24 …
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every errno of Linux, with the text by which the system proves that the number is right.
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    #[rustfmt::skip]
    const LINUX: [(&str, i32, &str, Class, &str); 134] = [
        ("EPERM", 1, "Operation not permitted", Class::Now, "a firewall rule forbids that client"),
        ("ENOENT", 2, "No such file or directory", Class::Later, "epoll_ctl: about that socket, not known why"),
        ("ESRCH", 3, "No such process", Class::Later, "not known"),
        ("EINTR", 4, "Interrupted system call", Class::Now, "nothing happened"),
        ("EIO", 5, "Input/output error", Class::Later, "not known"),
        ("ENXIO", 6, "No such device or address", Class::Later, "not known"),
        ("E2BIG", 7, "Argument list too long", Class::Later, "not known"),
        ("ENOEXEC", 8, "Exec format error", Class::Later, "not known"),
        ("EBADF", 9, "Bad file descriptor", Class::Fatal, "the listener's descriptor is closed"),
        ("ECHILD", 10, "No child processes", Class::Later, "not known"),
        ("EAGAIN", 11, "Resource temporarily unavailable", Class::Now, "nothing happened"),
        ("ENOMEM", 12, "Cannot allocate memory", Class::Later, "no memory for a socket"),
        ("EACCES", 13, "Permission denied", Class::Later, "a policy (seccomp, LSM) that may change"),
        ("EFAULT", 14, "Bad address", Class::Later, "accept(2) has it, Linux does not give it"),
        ("ENOTBLK", 15, "Block device required", Class::Later, "not known"),
        ("EBUSY", 16, "Device or resource busy", Class::Later, "not known"),
        ("EEXIST", 17, "File exists", Class::Later, "epoll_ctl: about that socket, not known why"),
        ("EXDEV", 18, "Invalid cross-device link", Class::Later, "not known"),
        ("ENODEV", 19, "No such device", Class::Later, "not known"),
        ("ENOTDIR", 20, "Not a directory", Class::Later, "not known"),
        ("EISDIR", 21, "Is a directory", Class::Later, "not known"),
        ("EINVAL", 22, "Invalid argument", Class::Fatal, "the socket does not listen"),
        ("ENFILE", 23, "Too many open files in system", Class::Later, "no descriptor free"),
        ("EMFILE", 24, "Too many open files", Class::Later, "no descriptor free"),
        ("ENOTTY", 25, "Inappropriate ioctl for device", Class::Later, "not known"),
        ("ETXTBSY", 26, "Text file busy", Class::Later, "not known"),
        ("EFBIG", 27, "File too large", Class::Later, "not known"),
        ("ENOSPC", 28, "No space left on device", Class::Later, "epoll_ctl: no watch free"),
        ("ESPIPE", 29, "Illegal seek", Class::Later, "not known"),
        ("EROFS", 30, "Read-only file system", Class::Later, "not known"),
        ("EMLINK", 31, "Too many links", Class::Later, "not known"),
        ("EPIPE", 32, "Broken pipe", Class::Now, "that client is gone"),
        ("EDOM", 33, "Numerical argument out of domain", Class::Later, "not known"),
        ("ERANGE", 34, "Numerical result out of range", Class::Later, "not known"),
        ("EDEADLK", 35, "Resource deadlock avoided", Class::Later, "not known"),
        ("ENAMETOOLONG", 36, "File name too long", Class::Later, "not known"),
        ("ENOLCK", 37, "No locks available", Class::Later, "not known"),
        ("ENOSYS", 38, "Function not implemented", Class::Later, "a policy (seccomp, LSM) that may change"),
        ("ENOTEMPTY", 39, "Directory not empty", Class::Later, "not known"),
        ("ELOOP", 40, "Too many levels of symbolic links", Class::Later, "not known"),
        ("-", 41, "Unknown error 41", Class::Later, "not assigned"),
        ("ENOMSG", 42, "No message of desired type", Class::Later, "not known"),
        ("EIDRM", 43, "Identifier removed", Class::Later, "not known"),
        ("ECHRNG", 44, "Channel number out of range", Class::Later, "not known"),
        ("EL2NSYNC", 45, "Level 2 not synchronized", Class::Later, "not known"),
        ("EL3HLT", 46, "Level 3 halted", Class::Later, "not known"),
        ("EL3RST", 47, "Level 3 reset", Class::Later, "not known"),
        ("ELNRNG", 48, "Link number out of range", Class::Later, "not known"),
        ("EUNATCH", 49, "Protocol driver not attached", Class::Later, "not known"),
        ("ENOCSI", 50, "No CSI structure available", Class::Later, "not known"),
        ("EL2HLT", 51, "Level 2 halted", Class::Later, "not known"),
        ("EBADE", 52, "Invalid exchange", Class::Later, "not known"),
        ("EBADR", 53, "Invalid request descriptor", Class::Later, "not known"),
        ("EXFULL", 54, "Exchange full", Class::Later, "not known"),
        ("ENOANO", 55, "No anode", Class::Later, "not known"),
        ("EBADRQC", 56, "Invalid request code", Class::Later, "not known"),
        ("EBADSLT", 57, "Invalid slot", Class::Later, "not known"),
        ("-", 58, "Unknown error 58", Class::Later, "not assigned"),
        ("EBFONT", 59, "Bad font file format", Class::Later, "not known"),
        ("ENOSTR", 60, "Device not a stream", Class::Later, "not known"),
        ("ENODATA", 61, "No data available", Class::Later, "not known"),
        ("ETIME", 62, "Timer expired", Class::Later, "not known"),
        ("ENOSR", 63, "Out of streams resources", Class::Later, "no memory for a socket"),
        ("ENONET", 64, "Machine is not on the network", Class::Now, "a network error of that client"),
        ("ENOPKG", 65, "Package not installed", Class::Later, "not known"),
        ("EREMOTE", 66, "Object is remote", Class::Later, "not known"),
        ("ENOLINK", 67, "Link has been severed", Class::Later, "not known"),
        ("EADV", 68, "Advertise error", Class::Later, "not known"),
        ("ESRMNT", 69, "Srmount error", Class::Later, "not known"),
        ("ECOMM", 70, "Communication error on send", Class::Later, "not known"),
        ("EPROTO", 71, "Protocol error", Class::Now, "that client is gone"),
        ("EMULTIHOP", 72, "Multihop attempted", Class::Later, "not known"),
        ("EDOTDOT", 73, "RFS specific error", Class::Later, "not known"),
        ("EBADMSG", 74, "Bad message", Class::Later, "not known"),
        ("EOVERFLOW", 75, "Value too large for defined data type", Class::Later, "not known"),
        ("ENOTUNIQ", 76, "Name not unique on network", Class::Later, "not known"),
        ("EBADFD", 77, "File descriptor in bad state", Class::Later, "not known"),
        ("EREMCHG", 78, "Remote address changed", Class::Later, "not known"),
        ("ELIBACC", 79, "Can not access a needed shared library", Class::Later, "not known"),
        ("ELIBBAD", 80, "Accessing a corrupted shared library", Class::Later, "not known"),
        ("ELIBSCN", 81, ".lib section in a.out corrupted", Class::Later, "not known"),
        ("ELIBMAX", 82, "Attempting to link in too many shared libraries", Class::Later, "not known"),
        ("ELIBEXEC", 83, "Cannot exec a shared library directly", Class::Later, "not known"),
        ("EILSEQ", 84, "Invalid or incomplete multibyte or wide character", Class::Later, "not known"),
        ("ERESTART", 85, "Interrupted system call should be restarted", Class::Later, "not known"),
        ("ESTRPIPE", 86, "Streams pipe error", Class::Later, "not known"),
        ("EUSERS", 87, "Too many users", Class::Later, "not known"),
        ("ENOTSOCK", 88, "Socket operation on non-socket", Class::Fatal, "the descriptor is another file"),
        ("EDESTADDRREQ", 89, "Destination address required", Class::Later, "not known"),
        ("EMSGSIZE", 90, "Message too long", Class::Later, "not known"),
        ("EPROTOTYPE", 91, "Protocol wrong type for socket", Class::Later, "not known"),
        ("ENOPROTOOPT", 92, "Protocol not available", Class::Now, "a network error of that client"),
        ("EPROTONOSUPPORT", 93, "Protocol not supported", Class::Later, "accept(2) has it, Linux does not give it"),
        ("ESOCKTNOSUPPORT", 94, "Socket type not supported", Class::Later, "accept(2) has it, Linux does not give it"),
        ("EOPNOTSUPP", 95, "Operation not supported", Class::Now, "a network error of that client"),
        ("EPFNOSUPPORT", 96, "Protocol family not supported", Class::Later, "not known"),
        ("EAFNOSUPPORT", 97, "Address family not supported by protocol", Class::Later, "not known"),
        ("EADDRINUSE", 98, "Address already in use", Class::Later, "not known"),
        ("EADDRNOTAVAIL", 99, "Cannot assign requested address", Class::Later, "not known"),
        ("ENETDOWN", 100, "Network is down", Class::Now, "a network error of that client"),
        ("ENETUNREACH", 101, "Network is unreachable", Class::Now, "a network error of that client"),
        ("ENETRESET", 102, "Network dropped connection on reset", Class::Later, "not known"),
        ("ECONNABORTED", 103, "Software caused connection abort", Class::Now, "that client is gone"),
        ("ECONNRESET", 104, "Connection reset by peer", Class::Now, "that client is gone"),
        ("ENOBUFS", 105, "No buffer space available", Class::Later, "no memory for a socket"),
        ("EISCONN", 106, "Transport endpoint is already connected", Class::Later, "not known"),
        ("ENOTCONN", 107, "Transport endpoint is not connected", Class::Now, "that client is gone"),
        ("ESHUTDOWN", 108, "Cannot send after transport endpoint shutdown", Class::Later, "not known"),
        ("ETOOMANYREFS", 109, "Too many references: cannot splice", Class::Later, "not known"),
        ("ETIMEDOUT", 110, "Connection timed out", Class::Now, "that client is gone"),
        ("ECONNREFUSED", 111, "Connection refused", Class::Now, "that client is gone"),
        ("EHOSTDOWN", 112, "Host is down", Class::Now, "a network error of that client"),
        ("EHOSTUNREACH", 113, "No route to host", Class::Now, "a network error of that client"),
        ("EALREADY", 114, "Operation already in progress", Class::Later, "not known"),
        ("EINPROGRESS", 115, "Operation now in progress", Class::Later, "not known"),
        ("ESTALE", 116, "Stale file handle", Class::Later, "not known"),
        ("EUCLEAN", 117, "Structure needs cleaning", Class::Later, "not known"),
        ("ENOTNAM", 118, "Not a XENIX named type file", Class::Later, "not known"),
        ("ENAVAIL", 119, "No XENIX semaphores available", Class::Later, "not known"),
        ("EISNAM", 120, "Is a named type file", Class::Later, "not known"),
        ("EREMOTEIO", 121, "Remote I/O error", Class::Later, "not known"),
        ("EDQUOT", 122, "Disk quota exceeded", Class::Later, "not known"),
        ("ENOMEDIUM", 123, "No medium found", Class::Later, "not known"),
        ("EMEDIUMTYPE", 124, "Wrong medium type", Class::Later, "not known"),
        ("ECANCELED", 125, "Operation canceled", Class::Later, "not known"),
        ("ENOKEY", 126, "Required key not available", Class::Later, "not known"),
        ("EKEYEXPIRED", 127, "Key has expired", Class::Later, "not known"),
        ("EKEYREVOKED", 128, "Key has been revoked", Class::Later, "not known"),
        ("EKEYREJECTED", 129, "Key was rejected by service", Class::Later, "not known"),
        ("EOWNERDEAD", 130, "Owner died", Class::Later, "not known"),
        ("ENOTRECOVERABLE", 131, "State not recoverable", Class::Later, "not known"),
        ("ERFKILL", 132, "Operation not possible due to RF-kill", Class::Later, "not known"),
        ("EHWPOISON", 133, "Memory page has hardware error", Class::Later, "not known"),
        ("ERESTARTSYS", 512, "Unknown error 512", Class::Now, "nothing happened"),
    ];

    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    #[test]
    fn every_errno_of_linux_has_its_class() {
        for (at, (name, errno, text, class, why)) in LINUX.into_iter().enumerate() {
            assert!(errno == 512 || usize::try_from(errno) == Ok(at + 1), "the table leaves none out before {name}");
            let error = io::Error::from_raw_os_error(errno);
            assert_eq!(classify(&error), class, "{name}: {why}");
            // Other libraries than glibc have other words for what is not assigned.
            if name != "-" && cfg!(target_env = "gnu") {
                assert_eq!(error.to_string(), format!("{text} (os error {errno})"), "{name}");
            }
        }
    }

    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    #[test]
    fn fatal_is_a_short_list_about_the_listener() {
        let fatal = LINUX.iter().filter(|row| row.3 == Class::Fatal).map(|row| row.0);
        assert_eq!(fatal.collect::<Vec<_>>(), ["EBADF", "EINVAL", "ENOTSOCK"]);
    }

    #[cfg(all(feature = "tokio", target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    #[test]
    fn what_has_run_out_is_descriptors_memory_and_watches() {
        let error = |errno: &i32| has_run_out(&io::Error::from_raw_os_error(*errno));
        let lacking = LINUX.iter().filter(|row| error(&row.1)).map(|row| row.0);
        let expected = ["ENOMEM", "ENFILE", "EMFILE", "ENOSPC", "ENOSR", "ENOBUFS"];
        assert_eq!(lacking.collect::<Vec<_>>(), expected);
        assert!(has_run_out(&ErrorKind::OutOfMemory.into()));
        assert!(!has_run_out(&ErrorKind::Other.into()));
        assert!(expected.iter().all(|name| LINUX.iter().any(|row| row.0 == *name && row.3 == Class::Later)));
    }

    #[test]
    fn out_of_descriptors_is_later_on_every_unix() {
        if cfg!(unix) {
            assert_eq!(classify(&io::Error::from_raw_os_error(23)), Class::Later);
            assert_eq!(classify(&io::Error::from_raw_os_error(24)), Class::Later);
        }
    }

    #[test]
    fn a_closed_descriptor_is_fatal_on_every_unix() {
        if cfg!(unix) {
            assert_eq!(classify(&io::Error::from_raw_os_error(9)), Class::Fatal);
            assert_eq!(classify(&io::Error::from_raw_os_error(22)), Class::Fatal);
        }
    }

    #[test]
    fn an_error_without_an_errno_is_sorted_by_its_kind() {
        let table = [
            (ErrorKind::Interrupted, Class::Now),
            (ErrorKind::WouldBlock, Class::Now),
            (ErrorKind::BrokenPipe, Class::Now),
            (ErrorKind::ConnectionAborted, Class::Now),
            (ErrorKind::ConnectionRefused, Class::Now),
            (ErrorKind::ConnectionReset, Class::Now),
            (ErrorKind::HostUnreachable, Class::Now),
            (ErrorKind::InvalidData, Class::Now),
            (ErrorKind::NetworkDown, Class::Now),
            (ErrorKind::NetworkUnreachable, Class::Now),
            (ErrorKind::NotConnected, Class::Now),
            (ErrorKind::TimedOut, Class::Now),
            (ErrorKind::UnexpectedEof, Class::Now),
            (ErrorKind::OutOfMemory, Class::Later),
            (ErrorKind::StorageFull, Class::Later),
            (ErrorKind::AddrInUse, Class::Later),
            (ErrorKind::NotFound, Class::Later),
            (ErrorKind::PermissionDenied, Class::Later),
            (ErrorKind::Unsupported, Class::Later),
            (ErrorKind::WriteZero, Class::Later),
            (ErrorKind::Other, Class::Later),
            (ErrorKind::InvalidInput, Class::Fatal),
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
