//! A bound socket that joins a runtime only when it is first waited for.
//!
//! So a listener can be bound before there is a runtime (before privileges are dropped, say), and one thread can bind
//! the listeners of many runtimes.

use std::io;

/// `Bound` until the first accept, `Registered` with that accept's runtime from then on.
#[derive(Debug)]
pub(super) enum Lazy<B, R> {
    Bound(B),
    Registered(R),
    /// Registering failed, which took the socket with it.
    Lost,
}

impl<B, R> Lazy<B, R> {
    /// The socket as the runtime knows it.
    ///
    /// # Errors
    /// Without an errno, so that nobody retries it: what `register` said, the first time and in other words ever after.
    pub(super) fn get(&mut self, register: impl FnOnce(B) -> io::Result<R>) -> io::Result<&R> {
        if let Lazy::Bound(_) = self {
            let Lazy::Bound(bound) = std::mem::replace(self, Lazy::Lost) else { unreachable!("matched above") };
            *self = Lazy::Registered(register(bound).map_err(io::Error::other)?);
        }
        match self {
            Lazy::Registered(registered) => Ok(registered),
            Lazy::Bound(_) | Lazy::Lost => Err(io::Error::other("the listener could not join the runtime")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Class, classify};

    #[test]
    fn a_socket_joins_once() {
        let mut lazy = Lazy::Bound(1);
        assert_eq!(lazy.get(|n| Ok(n + 1)).unwrap(), &2);
        assert_eq!(lazy.get(|_| panic!("joined twice")).unwrap(), &2);
    }

    #[test]
    fn a_socket_that_cannot_join_is_never_retried() {
        let mut lazy: Lazy<i32, i32> = Lazy::Bound(1);
        let out_of_memory = |_| Err(io::Error::from_raw_os_error(12));
        assert_eq!(classify(&lazy.get(out_of_memory).unwrap_err()), Class::Fatal);
        assert_eq!(classify(&lazy.get(out_of_memory).unwrap_err()), Class::Fatal);
    }
}
