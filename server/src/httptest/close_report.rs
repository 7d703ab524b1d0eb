//! What is left after a test server was closed.

/// What is left after a test server was closed: nothing, if the program under test has no leak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "a leak is found only by reading the report"]
#[non_exhaustive]
pub struct CloseReport {
    /// The connections that were aborted: their requests had not ended 5 s after the server was told to shut down.
    pub aborted: usize,
    /// The connections that are there after that: the task of each never yields.
    pub connections_left: usize,
    /// The tasks that the runtime has more than when the server was started, 1 s after its last connection. Those that the
    /// test itself spawned meanwhile count, if they still run.
    pub tasks_left: usize,
}

impl CloseReport {
    /// Whether nothing is left, and nothing was aborted.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }
}
