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
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Ok(Addr::Unix(UnixName::Unnamed))
    }
}

pub(super) const EMFILE: i32 = 24;
pub(super) const EBADF: i32 = 9;
/// One of class `Now` on every system of ours.
pub(super) const EINTR: i32 = if cfg!(windows) { 10004 } else { 4 };
