//! How a shutdown went: how many connections ended by themselves and how many were aborted.

/// How a shutdown went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Connections that ended by themselves, and those whose last reply was sent whole: that only their client had not
    /// closed when the time was over is no loss.
    pub drained: usize,
    /// Connections that were aborted.
    pub aborted: usize,
}
