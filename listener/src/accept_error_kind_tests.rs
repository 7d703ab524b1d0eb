//! Tests of `classify`: every errno of Linux in a table, and what holds on every system.

use std::io::{self, ErrorKind};

#[cfg(feature = "io")]
use super::accept_error_kind::has_run_out;
use super::accept_error_kind::{AcceptErrorKind, classify};

/// Every errno of Linux, with the text by which the system proves that the number is right.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[rustfmt::skip]
const LINUX: [(&str, i32, &str, AcceptErrorKind, &str); 134] = [
    ("EPERM", 1, "Operation not permitted", AcceptErrorKind::Transient, "a firewall rule forbids that client"),
    ("ENOENT", 2, "No such file or directory", AcceptErrorKind::Exhausted, "epoll_ctl: about that socket, not known why"),
    ("ESRCH", 3, "No such process", AcceptErrorKind::Exhausted, "not known"),
    ("EINTR", 4, "Interrupted system call", AcceptErrorKind::Transient, "nothing happened"),
    ("EIO", 5, "Input/output error", AcceptErrorKind::Exhausted, "not known"),
    ("ENXIO", 6, "No such device or address", AcceptErrorKind::Exhausted, "not known"),
    ("E2BIG", 7, "Argument list too long", AcceptErrorKind::Exhausted, "not known"),
    ("ENOEXEC", 8, "Exec format error", AcceptErrorKind::Exhausted, "not known"),
    ("EBADF", 9, "Bad file descriptor", AcceptErrorKind::Fatal, "the listener's descriptor is closed"),
    ("ECHILD", 10, "No child processes", AcceptErrorKind::Exhausted, "not known"),
    ("EAGAIN", 11, "Resource temporarily unavailable", AcceptErrorKind::Transient, "nothing happened"),
    ("ENOMEM", 12, "Cannot allocate memory", AcceptErrorKind::Exhausted, "no memory for a socket"),
    ("EACCES", 13, "Permission denied", AcceptErrorKind::Exhausted, "a policy (seccomp, LSM) that may change"),
    ("EFAULT", 14, "Bad address", AcceptErrorKind::Exhausted, "accept(2) has it, Linux does not give it"),
    ("ENOTBLK", 15, "Block device required", AcceptErrorKind::Exhausted, "not known"),
    ("EBUSY", 16, "Device or resource busy", AcceptErrorKind::Exhausted, "not known"),
    ("EEXIST", 17, "File exists", AcceptErrorKind::Exhausted, "epoll_ctl: about that socket, not known why"),
    ("EXDEV", 18, "Invalid cross-device link", AcceptErrorKind::Exhausted, "not known"),
    ("ENODEV", 19, "No such device", AcceptErrorKind::Exhausted, "not known"),
    ("ENOTDIR", 20, "Not a directory", AcceptErrorKind::Exhausted, "not known"),
    ("EISDIR", 21, "Is a directory", AcceptErrorKind::Exhausted, "not known"),
    ("EINVAL", 22, "Invalid argument", AcceptErrorKind::Fatal, "the socket does not listen"),
    ("ENFILE", 23, "Too many open files in system", AcceptErrorKind::Exhausted, "no descriptor free"),
    ("EMFILE", 24, "Too many open files", AcceptErrorKind::Exhausted, "no descriptor free"),
    ("ENOTTY", 25, "Inappropriate ioctl for device", AcceptErrorKind::Exhausted, "not known"),
    ("ETXTBSY", 26, "Text file busy", AcceptErrorKind::Exhausted, "not known"),
    ("EFBIG", 27, "File too large", AcceptErrorKind::Exhausted, "not known"),
    ("ENOSPC", 28, "No space left on device", AcceptErrorKind::Exhausted, "epoll_ctl: no watch free"),
    ("ESPIPE", 29, "Illegal seek", AcceptErrorKind::Exhausted, "not known"),
    ("EROFS", 30, "Read-only file system", AcceptErrorKind::Exhausted, "not known"),
    ("EMLINK", 31, "Too many links", AcceptErrorKind::Exhausted, "not known"),
    ("EPIPE", 32, "Broken pipe", AcceptErrorKind::Transient, "that client is gone"),
    ("EDOM", 33, "Numerical argument out of domain", AcceptErrorKind::Exhausted, "not known"),
    ("ERANGE", 34, "Numerical result out of range", AcceptErrorKind::Exhausted, "not known"),
    ("EDEADLK", 35, "Resource deadlock avoided", AcceptErrorKind::Exhausted, "not known"),
    ("ENAMETOOLONG", 36, "File name too long", AcceptErrorKind::Exhausted, "not known"),
    ("ENOLCK", 37, "No locks available", AcceptErrorKind::Exhausted, "not known"),
    ("ENOSYS", 38, "Function not implemented", AcceptErrorKind::Exhausted, "a policy (seccomp, LSM) that may change"),
    ("ENOTEMPTY", 39, "Directory not empty", AcceptErrorKind::Exhausted, "not known"),
    ("ELOOP", 40, "Too many levels of symbolic links", AcceptErrorKind::Exhausted, "not known"),
    ("-", 41, "Unknown error 41", AcceptErrorKind::Exhausted, "not assigned"),
    ("ENOMSG", 42, "No message of desired type", AcceptErrorKind::Exhausted, "not known"),
    ("EIDRM", 43, "Identifier removed", AcceptErrorKind::Exhausted, "not known"),
    ("ECHRNG", 44, "Channel number out of range", AcceptErrorKind::Exhausted, "not known"),
    ("EL2NSYNC", 45, "Level 2 not synchronized", AcceptErrorKind::Exhausted, "not known"),
    ("EL3HLT", 46, "Level 3 halted", AcceptErrorKind::Exhausted, "not known"),
    ("EL3RST", 47, "Level 3 reset", AcceptErrorKind::Exhausted, "not known"),
    ("ELNRNG", 48, "Link number out of range", AcceptErrorKind::Exhausted, "not known"),
    ("EUNATCH", 49, "Protocol driver not attached", AcceptErrorKind::Exhausted, "not known"),
    ("ENOCSI", 50, "No CSI structure available", AcceptErrorKind::Exhausted, "not known"),
    ("EL2HLT", 51, "Level 2 halted", AcceptErrorKind::Exhausted, "not known"),
    ("EBADE", 52, "Invalid exchange", AcceptErrorKind::Exhausted, "not known"),
    ("EBADR", 53, "Invalid request descriptor", AcceptErrorKind::Exhausted, "not known"),
    ("EXFULL", 54, "Exchange full", AcceptErrorKind::Exhausted, "not known"),
    ("ENOANO", 55, "No anode", AcceptErrorKind::Exhausted, "not known"),
    ("EBADRQC", 56, "Invalid request code", AcceptErrorKind::Exhausted, "not known"),
    ("EBADSLT", 57, "Invalid slot", AcceptErrorKind::Exhausted, "not known"),
    ("-", 58, "Unknown error 58", AcceptErrorKind::Exhausted, "not assigned"),
    ("EBFONT", 59, "Bad font file format", AcceptErrorKind::Exhausted, "not known"),
    ("ENOSTR", 60, "Device not a stream", AcceptErrorKind::Exhausted, "not known"),
    ("ENODATA", 61, "No data available", AcceptErrorKind::Exhausted, "not known"),
    ("ETIME", 62, "Timer expired", AcceptErrorKind::Exhausted, "not known"),
    ("ENOSR", 63, "Out of streams resources", AcceptErrorKind::Exhausted, "no memory for a socket"),
    ("ENONET", 64, "Machine is not on the network", AcceptErrorKind::Transient, "a network error of that client"),
    ("ENOPKG", 65, "Package not installed", AcceptErrorKind::Exhausted, "not known"),
    ("EREMOTE", 66, "Object is remote", AcceptErrorKind::Exhausted, "not known"),
    ("ENOLINK", 67, "Link has been severed", AcceptErrorKind::Exhausted, "not known"),
    ("EADV", 68, "Advertise error", AcceptErrorKind::Exhausted, "not known"),
    ("ESRMNT", 69, "Srmount error", AcceptErrorKind::Exhausted, "not known"),
    ("ECOMM", 70, "Communication error on send", AcceptErrorKind::Exhausted, "not known"),
    ("EPROTO", 71, "Protocol error", AcceptErrorKind::Transient, "that client is gone"),
    ("EMULTIHOP", 72, "Multihop attempted", AcceptErrorKind::Exhausted, "not known"),
    ("EDOTDOT", 73, "RFS specific error", AcceptErrorKind::Exhausted, "not known"),
    ("EBADMSG", 74, "Bad message", AcceptErrorKind::Exhausted, "not known"),
    ("EOVERFLOW", 75, "Value too large for defined data type", AcceptErrorKind::Exhausted, "not known"),
    ("ENOTUNIQ", 76, "Name not unique on network", AcceptErrorKind::Exhausted, "not known"),
    ("EBADFD", 77, "File descriptor in bad state", AcceptErrorKind::Exhausted, "not known"),
    ("EREMCHG", 78, "Remote address changed", AcceptErrorKind::Exhausted, "not known"),
    ("ELIBACC", 79, "Can not access a needed shared library", AcceptErrorKind::Exhausted, "not known"),
    ("ELIBBAD", 80, "Accessing a corrupted shared library", AcceptErrorKind::Exhausted, "not known"),
    ("ELIBSCN", 81, ".lib section in a.out corrupted", AcceptErrorKind::Exhausted, "not known"),
    ("ELIBMAX", 82, "Attempting to link in too many shared libraries", AcceptErrorKind::Exhausted, "not known"),
    ("ELIBEXEC", 83, "Cannot exec a shared library directly", AcceptErrorKind::Exhausted, "not known"),
    ("EILSEQ", 84, "Invalid or incomplete multibyte or wide character", AcceptErrorKind::Exhausted, "not known"),
    ("ERESTART", 85, "Interrupted system call should be restarted", AcceptErrorKind::Exhausted, "not known"),
    ("ESTRPIPE", 86, "Streams pipe error", AcceptErrorKind::Exhausted, "not known"),
    ("EUSERS", 87, "Too many users", AcceptErrorKind::Exhausted, "not known"),
    ("ENOTSOCK", 88, "Socket operation on non-socket", AcceptErrorKind::Fatal, "the descriptor is another file"),
    ("EDESTADDRREQ", 89, "Destination address required", AcceptErrorKind::Exhausted, "not known"),
    ("EMSGSIZE", 90, "Message too long", AcceptErrorKind::Exhausted, "not known"),
    ("EPROTOTYPE", 91, "Protocol wrong type for socket", AcceptErrorKind::Exhausted, "not known"),
    ("ENOPROTOOPT", 92, "Protocol not available", AcceptErrorKind::Transient, "a network error of that client"),
    ("EPROTONOSUPPORT", 93, "Protocol not supported", AcceptErrorKind::Exhausted, "accept(2) has it, Linux does not give it"),
    ("ESOCKTNOSUPPORT", 94, "Socket type not supported", AcceptErrorKind::Exhausted, "accept(2) has it, Linux does not give it"),
    ("EOPNOTSUPP", 95, "Operation not supported", AcceptErrorKind::Transient, "a network error of that client"),
    ("EPFNOSUPPORT", 96, "Protocol family not supported", AcceptErrorKind::Exhausted, "not known"),
    ("EAFNOSUPPORT", 97, "Address family not supported by protocol", AcceptErrorKind::Exhausted, "not known"),
    ("EADDRINUSE", 98, "Address already in use", AcceptErrorKind::Exhausted, "not known"),
    ("EADDRNOTAVAIL", 99, "Cannot assign requested address", AcceptErrorKind::Exhausted, "not known"),
    ("ENETDOWN", 100, "Network is down", AcceptErrorKind::Transient, "a network error of that client"),
    ("ENETUNREACH", 101, "Network is unreachable", AcceptErrorKind::Transient, "a network error of that client"),
    ("ENETRESET", 102, "Network dropped connection on reset", AcceptErrorKind::Exhausted, "not known"),
    ("ECONNABORTED", 103, "Software caused connection abort", AcceptErrorKind::Transient, "that client is gone"),
    ("ECONNRESET", 104, "Connection reset by peer", AcceptErrorKind::Transient, "that client is gone"),
    ("ENOBUFS", 105, "No buffer space available", AcceptErrorKind::Exhausted, "no memory for a socket"),
    ("EISCONN", 106, "Transport endpoint is already connected", AcceptErrorKind::Exhausted, "not known"),
    ("ENOTCONN", 107, "Transport endpoint is not connected", AcceptErrorKind::Transient, "that client is gone"),
    ("ESHUTDOWN", 108, "Cannot send after transport endpoint shutdown", AcceptErrorKind::Exhausted, "not known"),
    ("ETOOMANYREFS", 109, "Too many references: cannot splice", AcceptErrorKind::Exhausted, "not known"),
    ("ETIMEDOUT", 110, "Connection timed out", AcceptErrorKind::Transient, "that client is gone"),
    ("ECONNREFUSED", 111, "Connection refused", AcceptErrorKind::Transient, "that client is gone"),
    ("EHOSTDOWN", 112, "Host is down", AcceptErrorKind::Transient, "a network error of that client"),
    ("EHOSTUNREACH", 113, "No route to host", AcceptErrorKind::Transient, "a network error of that client"),
    ("EALREADY", 114, "Operation already in progress", AcceptErrorKind::Exhausted, "not known"),
    ("EINPROGRESS", 115, "Operation now in progress", AcceptErrorKind::Exhausted, "not known"),
    ("ESTALE", 116, "Stale file handle", AcceptErrorKind::Exhausted, "not known"),
    ("EUCLEAN", 117, "Structure needs cleaning", AcceptErrorKind::Exhausted, "not known"),
    ("ENOTNAM", 118, "Not a XENIX named type file", AcceptErrorKind::Exhausted, "not known"),
    ("ENAVAIL", 119, "No XENIX semaphores available", AcceptErrorKind::Exhausted, "not known"),
    ("EISNAM", 120, "Is a named type file", AcceptErrorKind::Exhausted, "not known"),
    ("EREMOTEIO", 121, "Remote I/O error", AcceptErrorKind::Exhausted, "not known"),
    ("EDQUOT", 122, "Disk quota exceeded", AcceptErrorKind::Exhausted, "not known"),
    ("ENOMEDIUM", 123, "No medium found", AcceptErrorKind::Exhausted, "not known"),
    ("EMEDIUMTYPE", 124, "Wrong medium type", AcceptErrorKind::Exhausted, "not known"),
    ("ECANCELED", 125, "Operation canceled", AcceptErrorKind::Exhausted, "not known"),
    ("ENOKEY", 126, "Required key not available", AcceptErrorKind::Exhausted, "not known"),
    ("EKEYEXPIRED", 127, "Key has expired", AcceptErrorKind::Exhausted, "not known"),
    ("EKEYREVOKED", 128, "Key has been revoked", AcceptErrorKind::Exhausted, "not known"),
    ("EKEYREJECTED", 129, "Key was rejected by service", AcceptErrorKind::Exhausted, "not known"),
    ("EOWNERDEAD", 130, "Owner died", AcceptErrorKind::Exhausted, "not known"),
    ("ENOTRECOVERABLE", 131, "State not recoverable", AcceptErrorKind::Exhausted, "not known"),
    ("ERFKILL", 132, "Operation not possible due to RF-kill", AcceptErrorKind::Exhausted, "not known"),
    ("EHWPOISON", 133, "Memory page has hardware error", AcceptErrorKind::Exhausted, "not known"),
    ("ERESTARTSYS", 512, "Unknown error 512", AcceptErrorKind::Transient, "nothing happened"),
];

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[test]
fn every_errno_of_linux_has_its_kind() {
    for (at, (name, errno, text, kind, why)) in LINUX.into_iter().enumerate() {
        assert!(errno == 512 || usize::try_from(errno) == Ok(at + 1), "the table leaves none out before {name}");
        let error = io::Error::from_raw_os_error(errno);
        assert_eq!(classify(&error), kind, "{name}: {why}");
        // Other libraries than glibc have other words for what is not assigned.
        if name != "-" && cfg!(target_env = "gnu") {
            assert_eq!(error.to_string(), format!("{text} (os error {errno})"), "{name}");
        }
    }
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[test]
fn fatal_is_a_short_list_about_the_listener() {
    let fatal = LINUX.iter().filter(|row| row.3 == AcceptErrorKind::Fatal).map(|row| row.0);
    assert_eq!(fatal.collect::<Vec<_>>(), ["EBADF", "EINVAL", "ENOTSOCK"]);
}

#[cfg(all(feature = "io", target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[test]
fn what_has_run_out_is_descriptors_memory_and_watches() {
    let error = |errno: &i32| has_run_out(&io::Error::from_raw_os_error(*errno));
    let lacking = LINUX.iter().filter(|row| error(&row.1)).map(|row| row.0);
    let expected = ["ENOMEM", "ENFILE", "EMFILE", "ENOSPC", "ENOSR", "ENOBUFS"];
    assert_eq!(lacking.collect::<Vec<_>>(), expected);
    assert!(has_run_out(&ErrorKind::OutOfMemory.into()));
    assert!(!has_run_out(&ErrorKind::Other.into()));
    assert!(expected.iter().all(|name| LINUX.iter().any(|row| row.0 == *name && row.3 == AcceptErrorKind::Exhausted)));
}

#[test]
fn out_of_descriptors_is_later_on_every_unix() {
    if cfg!(unix) {
        assert_eq!(classify(&io::Error::from_raw_os_error(23)), AcceptErrorKind::Exhausted);
        assert_eq!(classify(&io::Error::from_raw_os_error(24)), AcceptErrorKind::Exhausted);
    }
}

#[test]
fn a_closed_descriptor_is_fatal_on_every_unix() {
    if cfg!(unix) {
        assert_eq!(classify(&io::Error::from_raw_os_error(9)), AcceptErrorKind::Fatal);
        assert_eq!(classify(&io::Error::from_raw_os_error(22)), AcceptErrorKind::Fatal);
    }
}

#[test]
fn an_error_without_an_errno_is_sorted_by_its_kind() {
    let table = [
        (ErrorKind::Interrupted, AcceptErrorKind::Transient),
        (ErrorKind::WouldBlock, AcceptErrorKind::Transient),
        (ErrorKind::BrokenPipe, AcceptErrorKind::Transient),
        (ErrorKind::ConnectionAborted, AcceptErrorKind::Transient),
        (ErrorKind::ConnectionRefused, AcceptErrorKind::Transient),
        (ErrorKind::ConnectionReset, AcceptErrorKind::Transient),
        (ErrorKind::HostUnreachable, AcceptErrorKind::Transient),
        (ErrorKind::InvalidData, AcceptErrorKind::Transient),
        (ErrorKind::NetworkDown, AcceptErrorKind::Transient),
        (ErrorKind::NetworkUnreachable, AcceptErrorKind::Transient),
        (ErrorKind::NotConnected, AcceptErrorKind::Transient),
        (ErrorKind::TimedOut, AcceptErrorKind::Transient),
        (ErrorKind::UnexpectedEof, AcceptErrorKind::Transient),
        (ErrorKind::OutOfMemory, AcceptErrorKind::Exhausted),
        (ErrorKind::StorageFull, AcceptErrorKind::Exhausted),
        (ErrorKind::AddrInUse, AcceptErrorKind::Exhausted),
        (ErrorKind::NotFound, AcceptErrorKind::Exhausted),
        (ErrorKind::PermissionDenied, AcceptErrorKind::Exhausted),
        (ErrorKind::Unsupported, AcceptErrorKind::Exhausted),
        (ErrorKind::WriteZero, AcceptErrorKind::Exhausted),
        (ErrorKind::Other, AcceptErrorKind::Exhausted),
        (ErrorKind::InvalidInput, AcceptErrorKind::Fatal),
    ];
    for (io_kind, kind) in table {
        assert_eq!(classify(&io::Error::from(io_kind)), kind, "{io_kind:?}");
        assert_eq!(classify(&io::Error::new(io_kind, "from a listener that is not a socket")), kind, "{io_kind:?}");
    }
}

#[test]
fn no_number_of_any_system_panics() {
    for errno in [i32::MIN, -1, 0, i32::MAX].into_iter().chain(0..20_000) {
        let _ = classify(&io::Error::from_raw_os_error(errno));
    }
}
