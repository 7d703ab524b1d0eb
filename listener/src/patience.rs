//! What an accept loop does after an error: at once again, later again, or never.
//!
//! [`classify`](crate::classify) judges one error; this judges the errors in a row. A `Now` that comes 64 times
//! without a success in between was not about one client, and trying at once for ever would be spinning.

use crate::{Backoff, Class};

use std::time::Duration;

/// The errors since the last success, and what follows from them.
///
/// ```
/// # use quintet_listener::{Class, Patience, Verdict};
/// # use std::time::Duration;
/// let mut patience = Patience::new();
/// assert_eq!(patience.failed(Class::Now), Verdict::AtOnce);
/// assert_eq!(patience.failed(Class::Later), Verdict::After(Duration::from_millis(5)));
/// assert_eq!(patience.failed(Class::Later), Verdict::After(Duration::from_millis(10)));
/// patience.succeeded();
/// assert_eq!(patience.failed(Class::Fatal), Verdict::Never);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    backoff: Backoff,
    /// Errors of class `Now` since the last success.
    passing: u32,
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Without waiting.
    AtOnce,
    /// After this long: the [`Backoff`]'s next delay.
    After(Duration),
    /// Not at all: give the error to the caller.
    Never,
}

impl Patience {
    /// So many errors of class [`Now`](Class::Now) in a row are believed; further ones back off.
    pub const BELIEVED: u32 = 64;

    /// No error yet.
    pub const fn new() -> Patience {
        Patience { backoff: Backoff::new(), passing: 0 }
    }

    /// An accept failed with an error of this class.
    pub fn failed(&mut self, class: Class) -> Verdict {
        match class {
            Class::Now if self.passing < Self::BELIEVED => {
                self.passing += 1;
                Verdict::AtOnce
            }
            Class::Now | Class::Later => Verdict::After(self.backoff.next()),
            Class::Fatal => Verdict::Never,
        }
    }

    /// An accept succeeded: everything before is forgotten.
    pub const fn succeeded(&mut self) {
        *self = Patience::new();
    }

    /// The delay in force, zero if the last accept succeeded or nothing had to wait since.
    pub const fn delay(&self) -> Duration {
        self.backoff.delay()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(ms: u64) -> Verdict {
        Verdict::After(Duration::from_millis(ms))
    }

    #[test]
    fn a_passing_error_is_believed_64_times_in_a_row() {
        let mut patience = Patience::new();
        for _ in 0..Patience::BELIEVED {
            assert_eq!(patience.failed(Class::Now), Verdict::AtOnce);
        }
        assert_eq!(patience.failed(Class::Now), after(5));
        assert_eq!(patience.failed(Class::Now), after(10));
        patience.succeeded();
        assert_eq!(patience.failed(Class::Now), Verdict::AtOnce);
    }

    #[test]
    fn a_passing_error_does_not_shorten_the_delay() {
        let mut patience = Patience::new();
        assert_eq!(patience.failed(Class::Later), after(5));
        assert_eq!(patience.failed(Class::Now), Verdict::AtOnce);
        assert_eq!(patience.failed(Class::Later), after(10));
        assert_eq!(patience.delay(), Duration::from_millis(10));
    }

    #[test]
    fn a_fatal_error_is_never_retried_and_changes_nothing() {
        let mut patience = Patience::new();
        patience.failed(Class::Later);
        let before = patience;
        assert_eq!(patience.failed(Class::Fatal), Verdict::Never);
        assert_eq!(patience, before);
    }
}
