//! A bound socket that registers with a runtime only at the first accept.
//!
//! So a listener can be bound before there is a runtime (before privileges are dropped, say), and one thread can bind
//! the listeners of many runtimes.

use std::io;

/// `Bound` until the first accept that could register it, `Registered` with that accept's runtime from then on.
#[derive(Debug)]
pub(super) enum Lazy<B, R> {
    Bound(B),
    Registered(R),
}

impl<B, R> Lazy<B, R> {
    /// The socket as registered with the runtime.
    ///
    /// `register` must leave the bound socket as it is (register a clone of it, for what the runtime refuses it
    /// closes): registering may fail because there is no descriptor, memory or watch left, and the next call tries
    /// again.
    ///
    /// # Errors
    /// What `register` said.
    pub(super) fn get(&mut self, register: impl FnOnce(&B) -> io::Result<R>) -> io::Result<&R> {
        if let Self::Bound(bound) = self {
            *self = Self::Registered(register(bound)?);
        }
        match self {
            Self::Registered(registered) => Ok(registered),
            Self::Bound(_) => unreachable!("registered above"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_joins_once() {
        let mut lazy = Lazy::Bound(1);
        assert_eq!(lazy.get(|n| Ok(n + 1)).unwrap(), &2);
        assert_eq!(lazy.get(|_| panic!("joined twice")).unwrap(), &2);
    }

    #[test]
    fn a_socket_that_cannot_join_is_kept_and_tried_again() {
        let mut lazy = Lazy::Bound(1);
        for errno in 1..=133 {
            let failed = lazy.get(|_| Err(io::Error::from_raw_os_error(errno))).unwrap_err();
            assert_eq!(failed.raw_os_error(), Some(errno));
        }
        assert_eq!(lazy.get(|n| Ok(n + 1)).unwrap(), &2);
    }
}
