//! Error numbers and kinds for scripts.

use std::io;

use super::scripted_listener::AcceptStep;

/// The process is out of descriptors.
pub const EMFILE: i32 = 24;
/// The descriptor is closed.
pub const EBADF: i32 = 9;
/// An error of a device: of no known meaning at an accept.
pub const EIO: i32 = 5;
/// A signal came: transient on every system.
pub const EINTR: i32 = if cfg!(windows) { 10004 } else { 4 };

/// Every errno of Linux, and numbers that mean nothing anywhere, then every kind of error without one.
pub fn every_failure() -> impl Iterator<Item = AcceptStep> {
    use io::ErrorKind::*;
    let kinds = [
        AddrInUse,
        AddrNotAvailable,
        AlreadyExists,
        ArgumentListTooLong,
        BrokenPipe,
        ConnectionAborted,
        ConnectionRefused,
        ConnectionReset,
        Deadlock,
        DirectoryNotEmpty,
        ExecutableFileBusy,
        FileTooLarge,
        HostUnreachable,
        Interrupted,
        InvalidData,
        InvalidInput,
        IsADirectory,
        NetworkDown,
        NetworkUnreachable,
        NotADirectory,
        NotConnected,
        NotFound,
        NotSeekable,
        Other,
        OutOfMemory,
        PermissionDenied,
        ReadOnlyFilesystem,
        ResourceBusy,
        StaleNetworkFileHandle,
        StorageFull,
        TimedOut,
        UnexpectedEof,
        Unsupported,
        WouldBlock,
        WriteZero,
    ];
    (1..=133).chain([0, -1, 512, 4095, i32::MAX]).map(AcceptStep::Fail).chain(kinds.map(AcceptStep::FailKind))
}
