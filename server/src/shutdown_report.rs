//! The result of a shutdown: how many connections ended by themselves, and how many were aborted.

/// The result of a shutdown: how many connections ended by themselves, and how many were aborted.
///
/// Fields may be added: read it by its fields, or take it apart with `..`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Connections that ended by themselves. Connections whose last reply was sent whole count here too, even if the
    /// client had not closed yet when the grace period ended: it lost nothing.
    pub drained: usize,
    /// Connections that were aborted at the end of the grace period, before their last reply was sent whole.
    pub aborted: usize,
}
