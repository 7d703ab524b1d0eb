//! A listener that does what a test says.

use crate::{Addr, Listener, UnixName};

use std::{collections::VecDeque, future::pending, io};

use tokio::{
    io::{DuplexStream, duplex},
    time::Instant,
};

/// What one call of accept does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Accept,
    /// Fails with this errno.
    Fail(i32),
    /// Fails without an errno.
    FailKind(io::ErrorKind),
}

/// Plays its steps, then waits for ever, and remembers when it was called.
#[derive(Debug, Default)]
pub(super) struct Script {
    steps: VecDeque<Step>,
    /// The moments of the calls.
    pub(super) called: Vec<Instant>,
}

impl Script {
    pub(super) fn new(steps: impl IntoIterator<Item = Step>) -> Script {
        Script { steps: steps.into_iter().collect(), called: Vec::new() }
    }

    /// The milliseconds between one call and the next.
    pub(super) fn gaps(&self) -> Vec<u128> {
        self.called.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect()
    }
}

impl Listener for Script {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, Addr)> {
        self.called.push(Instant::now());
        match self.steps.pop_front() {
            Some(Step::Accept) => Ok((duplex(64).0, Addr::Unix(UnixName::Unnamed))),
            Some(Step::Fail(errno)) => Err(io::Error::from_raw_os_error(errno)),
            Some(Step::FailKind(kind)) => Err(io::Error::new(kind, "no errno")),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Ok(Addr::Unix(UnixName::Unnamed))
    }
}

/// Every errno of Linux, and numbers that mean nothing anywhere, then every kind of error without one.
pub(super) fn every_failure() -> impl Iterator<Item = Step> {
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
    (1..=133).chain([0, -1, 512, 4095, i32::MAX]).map(Step::Fail).chain(kinds.map(Step::FailKind))
}

pub(super) const EMFILE: i32 = 24;
pub(super) const EBADF: i32 = 9;
pub(super) const EIO: i32 = 5;
/// One of kind `Transient` on every system of ours.
pub(super) const EINTR: i32 = if cfg!(windows) { 10004 } else { 4 };
