//! In front of axum: its contract says that a listener must retry and log by itself, which is what this crate is.

#[cfg(unix)]
use crate::Unix;
use crate::{Addr, Class, FreesOnDrop, Limit, Listener, Patience, Retry, Socket, Tcp, Verdict, classify};

use std::{io, time::Duration};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener as AxumListener},
};
use tokio::time::sleep;

/// After an error that will not pass. axum gives a listener no way to stop, so it is asked again, but seldom.
const AFTER_FATAL: Duration = Duration::from_secs(1);

/// The streams report their descriptors as free when they are dropped, so a back-off ends early without further ado.
///
/// A fatal error goes to [`Retry::on_error`], and the next attempt is made a second later.
impl<L: Listener> AxumListener for Retry<L> {
    type Io = FreesOnDrop<L::Stream>;
    type Addr = Addr;

    async fn accept(&mut self) -> (Self::Io, Addr) {
        loop {
            match Listener::accept(self).await {
                Ok((stream, peer)) => return (self.freed().on_drop(stream), peer),
                Err(error) => self.pause(&error, Class::Fatal, AFTER_FATAL),
            }
        }
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Listener::local_addr(self)
    }
}

/// Implements axum's listener for one that does not retry, silently.
macro_rules! retrying {
    ($($(#[$attribute:meta])* [$($generics:tt)*] $listener:ty),* $(,)?) => {$(
        /// Errors are retried in silence; put [`Retry`] around it to hear of them.
        $(#[$attribute])*
        impl<$($generics)*> AxumListener for $listener {
            type Io = <$listener as Listener>::Stream;
            type Addr = Addr;

            async fn accept(&mut self) -> (Self::Io, Addr) {
                insist(self).await
            }

            fn local_addr(&self) -> io::Result<Addr> {
                Listener::local_addr(self)
            }
        }
    )*};
}
retrying!([L: Listener] Limit<L>, [] Socket, [] Tcp, #[cfg(unix)] [] Unix);

/// Accepts, whatever it takes.
async fn insist<L: Listener>(listener: &mut L) -> (L::Stream, Addr) {
    let mut patience = Patience::new();
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => match patience.failed(classify(&error)) {
                Verdict::AtOnce => {}
                Verdict::After(delay) => sleep(delay).await,
                Verdict::Never => sleep(AFTER_FATAL).await,
            },
        }
    }
}

/// `ConnectInfo<Addr>` tells a handler who the client is.
macro_rules! connected {
    ($($(#[$attribute:meta])* [$($generics:tt)*] $listener:ty),* $(,)?) => {$(
        $(#[$attribute])*
        impl<$($generics)*> Connected<IncomingStream<'_, $listener>> for Addr {
            fn connect_info(stream: IncomingStream<'_, $listener>) -> Addr {
                stream.remote_addr().clone()
            }
        }
    )*};
}
connected!([L: Listener] Retry<L>, [L: Listener] Limit<L>, [] Socket, [] Tcp, #[cfg(unix)] [] Unix);
