//! What became of the lines of an access log.

/// What became of the lines of an access log, since it was opened. From
/// [`AccessLog::counts`](super::AccessLog::counts).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessLogCounts {
    /// Lines that were written.
    pub written: u64,
    /// Lines that were dropped because the queue was full: they came faster than they could be written.
    pub dropped: u64,
    /// Lines that could not be written: the disk is full, or the reader of the pipe is gone.
    /// [`AccessLog::last_error`](super::AccessLog::last_error) has the error.
    pub failed: u64,
    /// How often the file could not be opened again; the old one stays in use.
    pub reopen_errors: u64,
}
