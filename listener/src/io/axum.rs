//! `axum::serve::Listener` for the listeners of this crate. axum requires that a listener retries and logs itself.

use std::{io, time::Duration};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener as AxumListener},
};
use tokio::time::sleep;

#[cfg(feature = "tls")]
use super::Tls;
use super::{AnyListener, Limit, Listener, NotifyingStream, Retry, TcpListener};
#[cfg(unix)]
use crate::UnixListener;
use crate::{AcceptErrorKind, Addr, RetryDecision, RetryPolicy, classify};

/// The delay after a fatal error. axum gives a listener no way to stop, so it retries, once a second.
const AFTER_FATAL: Duration = Duration::from_secs(1);

/// The streams report their descriptors as free when they are dropped, so a back-off ends early.
///
/// A fatal error goes to [`Retry::on_error`], and the next attempt is made a second later.
impl<L: Listener> AxumListener for Retry<L> {
    type Io = NotifyingStream<L::Stream>;
    type Addr = Addr;

    async fn accept(&mut self) -> (Self::Io, Addr) {
        loop {
            match Listener::accept(self).await {
                Ok((stream, peer)) => return (self.fd_released().on_drop(stream), peer),
                Err(error) => self.pause(&error, AcceptErrorKind::Fatal, AFTER_FATAL),
            }
        }
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Listener::local_addr(self)
    }
}

/// Implements axum's listener for a listener that does not retry: it retries here, without a log.
macro_rules! retrying {
    ($($(#[$attribute:meta])* [$($generics:tt)*] $listener:ty),* $(,)?) => {$(
        /// Errors are retried without a log; wrap it in [`Retry`] to report them.
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
retrying!(
    [L: Listener] Limit<L>,
    [] AnyListener,
    [] TcpListener,
    #[cfg(unix)] [] UnixListener,
    #[cfg(feature = "tls")] [L: Listener] Tls<L>,
);

/// Accepts; after a fatal error it tries again.
async fn insist<L: Listener>(listener: &mut L) -> (L::Stream, Addr) {
    let mut policy = RetryPolicy::new();
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => match policy.failed(classify(&error)) {
                RetryDecision::Now => {}
                RetryDecision::After(delay) => sleep(delay).await,
                RetryDecision::GiveUp => sleep(AFTER_FATAL).await,
            },
        }
    }
}

/// `ConnectInfo<Addr>` tells a handler the client's address; axum needs `into_make_service_with_connect_info::<Addr>()`.
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
connected!([L: Listener] Retry<L>, [L: Listener] Limit<L>, [] AnyListener, [] TcpListener, #[cfg(unix)] [] UnixListener, #[cfg(feature = "tls")] [L: Listener] Tls<L>);

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{
            AcceptStep::{Accept, Fail},
            EBADF, EINTR, EMFILE, ScriptedListener, every_failure,
        },
        *,
    };
    use crate::{FdReleased, TcpOptions};
    use axum::{Router, extract::ConnectInfo, routing::get};
    use std::{
        future::IntoFuture,
        sync::{Arc, Mutex},
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        time::timeout,
    };

    #[tokio::test(start_paused = true)]
    async fn a_fatal_error_is_reported_and_tried_again_a_second_later() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let log = lines.clone();
        let mut retry = Retry::new(ScriptedListener::new([Fail(EBADF), Fail(EMFILE), Fail(EBADF), Accept])).on_error(
            move |error| {
                log.lock().unwrap().push((error.kind, error.delay, error.suppressed));
            },
        );
        AxumListener::accept(&mut retry).await;
        assert_eq!(retry.get_ref().gaps(), [1000, 5, 1000]);
        let second = Duration::from_secs(1);
        assert_eq!(
            *lines.lock().unwrap(),
            [(AcceptErrorKind::Fatal, second, 0), (AcceptErrorKind::Exhausted, Duration::from_millis(5), 0)],
            "and the third within the second is only counted"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn after_every_errno_the_next_client_is_served() {
        for failure in every_failure() {
            let script = || ScriptedListener::new([failure; 70].into_iter().chain([Accept]));
            let mut retry = Retry::new(script());
            AxumListener::accept(&mut retry).await;
            assert!(retry.health().snapshot().is_well(), "{failure:?}");
            let mut limit = Limit::new(script(), 1);
            AxumListener::accept(&mut limit).await;
            for gaps in [retry.get_ref().gaps(), limit.get_ref().gaps()] {
                assert!(gaps.iter().sum::<u128>() >= 5, "{failure:?} is tried without end: {gaps:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_in_the_on_error_hook_is_caught_and_counted() {
        let mut retry = Retry::new(ScriptedListener::new([Fail(EBADF), Fail(EMFILE), Accept]))
            .on_error(|_| panic!("failed printing to stderr"));
        AxumListener::accept(&mut retry).await;
        assert_eq!(retry.get_ref().gaps(), [1000, 5]);
        assert_eq!(retry.health().snapshot().report_panics, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fatal_error_is_not_hurried_by_a_server_that_cancels() {
        let mut retry = Retry::new(ScriptedListener::new([Fail(EBADF), Accept]));
        while timeout(Duration::from_millis(1), AxumListener::accept(&mut retry)).await.is_err() {}
        assert_eq!(retry.get_ref().gaps(), [1000]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_retry_errors_are_waited_for_all_the_same() {
        let steps = [Fail(EINTR), Fail(EMFILE), Fail(EMFILE), Fail(EBADF), Accept];
        let mut limit = Limit::new(ScriptedListener::new(steps), 1);
        AxumListener::accept(&mut limit).await;
        assert_eq!(limit.get_ref().gaps(), [0, 5, 10, 1000]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_stream_reports_its_descriptor() {
        let mut retry = Retry::new(ScriptedListener::new([Accept, Fail(EMFILE), Fail(EMFILE), Fail(EMFILE), Accept]));
        let (stream, _) = AxumListener::accept(&mut retry).await;
        let ((), _) = tokio::join!(
            async {
                sleep(Duration::from_millis(20)).await; // in the wait of 20 ms that began at 15
                drop(stream);
            },
            AxumListener::accept(&mut retry),
        );
        assert_eq!(retry.get_ref().gaps(), [0, 5, 10, 5]);
    }

    /// What a client is told by an application behind this listener.
    async fn greeting<L>(listener: L, addr: std::net::SocketAddr) -> (String, String)
    where
        L: AxumListener<Addr = Addr>,
        Addr: for<'a> Connected<IncomingStream<'a, L>>,
    {
        let app = Router::new().route("/", get(async |ConnectInfo(peer): ConnectInfo<Addr>| peer.to_string()));
        let served = axum::serve(listener, app.into_make_service_with_connect_info::<Addr>());
        tokio::spawn(served.into_future());
        let mut client = TcpStream::connect(addr).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut reply = String::new();
        client.read_to_string(&mut reply).await.unwrap();
        (reply, client.local_addr().unwrap().to_string())
    }

    #[tokio::test]
    async fn an_application_learns_who_its_client_is() {
        let tcp = || TcpListener::bind("127.0.0.1:0", &TcpOptions::default()).unwrap();
        let at = |tcp: &TcpListener| std::net::SocketAddr::from(([127, 0, 0, 1], tcp.port()));

        let listener = tcp();
        let addr = at(&listener);
        let fd_released = FdReleased::new();
        let (reply, client) = greeting(Retry::new(Limit::new(listener, 2)).wake_on(&fd_released), addr).await;
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.ends_with(&client), "{reply}");

        let listener = tcp();
        let addr = at(&listener);
        let (reply, client) = greeting(Limit::new(Retry::new(AnyListener::from(listener)), 2), addr).await;
        assert!(reply.ends_with(&client), "{reply}");

        let listener = tcp();
        let addr = at(&listener);
        let (reply, client) = greeting(listener, addr).await;
        assert!(reply.ends_with(&client), "{reply}");
    }
}
