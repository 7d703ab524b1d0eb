//! When to accept again after an error: at once, after a delay, or never.
//!
//! [`classify`](crate::classify) judges one error; this one the errors in a row. 64 `Transient` errors without
//! a success in between were not about one client each, and retrying at once for ever would spin.

use std::time::Duration;

use super::{AcceptErrorKind, Backoff};

/// Decides when to retry, from the errors since the last success.
///
/// ```
/// # use quintet_listener::{AcceptErrorKind, RetryDecision, RetryPolicy};
/// # use std::time::Duration;
/// let mut policy = RetryPolicy::new();
/// assert_eq!(policy.failed(AcceptErrorKind::Transient), RetryDecision::Now);
/// assert_eq!(policy.failed(AcceptErrorKind::Exhausted), RetryDecision::After(Duration::from_millis(5)));
/// assert_eq!(policy.failed(AcceptErrorKind::Exhausted), RetryDecision::After(Duration::from_millis(10)));
/// policy.succeeded();
/// assert_eq!(policy.failed(AcceptErrorKind::Fatal), RetryDecision::GiveUp);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryPolicy {
    backoff: Backoff,
    /// Errors of kind `Transient` since the last success.
    transient: u32,
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDecision {
    /// Without waiting.
    Now,
    /// After this long: the [`Backoff`]'s next delay.
    After(Duration),
    /// Not at all: give the error to the caller.
    GiveUp,
}

impl RetryPolicy {
    /// So many errors of kind [`Transient`](AcceptErrorKind::Transient) in a row are retried at once; further ones back
    /// off.
    pub const MAX_TRANSIENT_IN_A_ROW: u32 = 64;

    /// No error yet.
    pub const fn new() -> Self {
        Self { backoff: Backoff::new(), transient: 0 }
    }

    /// An accept failed with an error of this kind.
    pub fn failed(&mut self, kind: AcceptErrorKind) -> RetryDecision {
        match kind {
            AcceptErrorKind::Transient if self.transient < Self::MAX_TRANSIENT_IN_A_ROW => {
                self.transient += 1;
                RetryDecision::Now
            }
            AcceptErrorKind::Transient | AcceptErrorKind::Exhausted => RetryDecision::After(self.backoff.next()),
            AcceptErrorKind::Fatal => RetryDecision::GiveUp,
        }
    }

    /// An accept succeeded: the delay and the counts are reset.
    pub const fn succeeded(&mut self) {
        *self = Self::new();
    }

    /// The last delay given out; zero if there was none since the last success.
    pub const fn delay(&self) -> Duration {
        self.backoff.delay()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(ms: u64) -> RetryDecision {
        RetryDecision::After(Duration::from_millis(ms))
    }

    #[test]
    fn a_transient_error_is_retried_at_once_64_times_in_a_row() {
        let mut policy = RetryPolicy::new();
        for _ in 0..RetryPolicy::MAX_TRANSIENT_IN_A_ROW {
            assert_eq!(policy.failed(AcceptErrorKind::Transient), RetryDecision::Now);
        }
        assert_eq!(policy.failed(AcceptErrorKind::Transient), after(5));
        assert_eq!(policy.failed(AcceptErrorKind::Transient), after(10));
        policy.succeeded();
        assert_eq!(policy.failed(AcceptErrorKind::Transient), RetryDecision::Now);
    }

    #[test]
    fn a_transient_error_does_not_shorten_the_delay() {
        let mut policy = RetryPolicy::new();
        assert_eq!(policy.failed(AcceptErrorKind::Exhausted), after(5));
        assert_eq!(policy.failed(AcceptErrorKind::Transient), RetryDecision::Now);
        assert_eq!(policy.failed(AcceptErrorKind::Exhausted), after(10));
        assert_eq!(policy.delay(), Duration::from_millis(10));
    }

    #[test]
    fn a_fatal_error_is_never_retried_and_changes_nothing() {
        let mut policy = RetryPolicy::new();
        policy.failed(AcceptErrorKind::Exhausted);
        let before = policy;
        assert_eq!(policy.failed(AcceptErrorKind::Fatal), RetryDecision::GiveUp);
        assert_eq!(policy, before);
    }
}
