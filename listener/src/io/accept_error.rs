//! An accept error that is waited for, as a line for the log.

use std::{error::Error, fmt, io, time::Duration};

use crate::AcceptErrorKind;

/// An accept error that is waited for, as a line for the log.
///
/// Prints as Go does: `accept error: Too many open files (os error 24); retrying in 20ms`, and how many like it were
/// not reported. What the listener said is its [`source`](Error::source), and in the line already.
#[derive(Debug)]
#[non_exhaustive]
pub struct AcceptError<'a> {
    /// What the listener said.
    pub error: &'a io::Error,
    /// What it was taken for.
    pub kind: AcceptErrorKind,
    /// How long until the next attempt.
    pub delay: Duration,
    /// How many errors have not been reported since the last one that was.
    pub suppressed: u64,
}

impl fmt::Display for AcceptError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "accept error: {}; retrying in {:?}", self.error, self.delay)?;
        if self.suppressed > 0 {
            write!(f, " ({} more not shown)", self.suppressed)?;
        }
        Ok(())
    }
}

impl Error for AcceptError<'_> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::EMFILE, *};

    #[test]
    fn the_source_of_an_accept_error_is_what_the_listener_said() {
        let error = &io::Error::from_raw_os_error(EMFILE);
        let accept_error =
            AcceptError { error, kind: AcceptErrorKind::Exhausted, delay: Duration::from_millis(5), suppressed: 0 };
        let source = (&accept_error as &dyn Error).source().and_then(|source| source.downcast_ref::<io::Error>());
        assert_eq!(source.and_then(io::Error::raw_os_error), Some(EMFILE));
    }
}
