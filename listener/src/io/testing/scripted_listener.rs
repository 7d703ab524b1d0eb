//! A listener that does what a test says, and remembers when it was asked.

use std::{collections::VecDeque, future::pending, io};

use tokio::{
    io::{DuplexStream, duplex},
    time::Instant,
};

use super::super::listener::Listener;
use crate::{Addr, UnixName};

/// What one call of accept does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptStep {
    /// Accepts a client that is gone.
    Accept,
    /// Fails with this errno.
    Fail(i32),
    /// Fails without an errno.
    FailKind(io::ErrorKind),
}

/// Plays its steps, then waits for ever.
#[derive(Debug, Default)]
pub struct ScriptedListener {
    steps: VecDeque<AcceptStep>,
    called: Vec<Instant>,
}

impl ScriptedListener {
    /// A listener with these steps.
    pub fn new(steps: impl IntoIterator<Item = AcceptStep>) -> Self {
        Self { steps: steps.into_iter().collect(), called: Vec::new() }
    }

    /// How often accept was called, to the point of being polled.
    pub fn calls(&self) -> usize {
        self.called.len()
    }

    /// The milliseconds between one call and the next.
    pub fn gaps(&self) -> Vec<u128> {
        self.called.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect()
    }
}

impl AcceptStep {
    /// The error that this step fails with, if it does.
    pub fn error(self) -> Option<io::Error> {
        match self {
            Self::Accept => None,
            Self::Fail(errno) => Some(io::Error::from_raw_os_error(errno)),
            Self::FailKind(kind) => Some(io::Error::new(kind, "no errno")),
        }
    }
}

impl Listener for ScriptedListener {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, Addr)> {
        self.called.push(Instant::now());
        match self.steps.pop_front().map(AcceptStep::error) {
            Some(None) => Ok((duplex(64).0, Addr::Unix(UnixName::Unnamed))),
            Some(Some(error)) => Err(error),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Ok(Addr::Unix(UnixName::Unnamed))
    }
}
