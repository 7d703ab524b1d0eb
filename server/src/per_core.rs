//! Serving with one runtime per core, each with a listener of its own.
//!
//! A connection stays on the thread that accepted it: its data never moves between cores, and its requests wait for no
//! lock. The kernel spreads new connections over the listeners (`SO_REUSEPORT`).

use std::{future::Future, io, num::NonZeroUsize, pin::Pin, thread};

#[cfg(feature = "tls")]
use quintet_listener::TlsConfig;
use quintet_listener::{Listener, reuse_port};
use quintet_mux::Handler;
use tokio::runtime::Builder;

use crate::{accept_loop_guard::GRACE_PERIOD, serve_error::ServeError, server::Server};

impl<H: Handler> Server<H> {
    /// Serves an address with `threads` threads, each with a runtime and a listener of its own, until the server is
    /// shut down.
    ///
    /// Blocks the calling thread, so it is called outside a runtime. A handler, or a runtime in another thread, shuts
    /// the server down.
    ///
    /// # Errors
    /// [`ServeError::Closed`] if the server was shut down before; the address is then not opened.
    /// [`ServeError::Listen`] if the address cannot be listened on. Else the first error of a thread, which shuts the
    /// other threads down.
    pub fn serve_per_core(&self, addr: &str, threads: NonZeroUsize) -> Result<(), ServeError> {
        let failed = |source| ServeError::Listen { addr: addr.to_owned(), source };
        self.shared.check_open()?;
        let listeners = reuse_port(addr, threads.get()).map_err(failed)?;
        together(self.serve_each(listeners).map_err(failed)?)
    }

    /// As [`serve_per_core`](Self::serve_per_core), over TLS as [`serve_tls`](Self::serve_tls). A session that began on one
    /// thread is resumed on any other, since they share `config`.
    ///
    /// # Errors
    /// The same.
    #[cfg(feature = "tls")]
    pub fn serve_per_core_tls(&self, addr: &str, threads: NonZeroUsize, config: TlsConfig) -> Result<(), ServeError> {
        let failed = |source| ServeError::Listen { addr: addr.to_owned(), source };
        self.shared.check_open()?;
        let listeners = reuse_port(addr, threads.get()).map_err(failed)?;
        let listeners = listeners.into_iter().map(move |listener| self.tls_listener(listener, config.clone()));
        together(self.serve_each(listeners.collect()).map_err(failed)?)
    }

    /// Spawns a thread for each listener. The iterator joins the threads, and resumes the panic of one that panicked.
    fn serve_each<L: Listener>(
        &self,
        listeners: Vec<L>,
    ) -> io::Result<impl Iterator<Item = Result<(), ServeError>> + use<H, L>> {
        let runtime = |listener| Ok((listener, Builder::new_current_thread().enable_all().build()?));
        let ready = listeners.into_iter().map(runtime).collect::<io::Result<Vec<_>>>()?;
        let mut threads = Vec::new();
        for (listener, runtime) in ready {
            let server = self.clone();
            let serve = move || {
                let _ends_others = EndsOthers(&server);
                // As a trait object: the runtime's loop is compiled once for all kinds of listeners, and stays inlined.
                let serving: Pin<Box<dyn Future<Output = Result<(), ServeError>> + '_>> =
                    Box::pin(server.serve_alone(listener));
                runtime.block_on(serving)
            };
            match thread::Builder::new().name("quintet".into()).spawn(serve) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    self.shared.stop();
                    threads.into_iter().for_each(|thread| drop(thread.join()));
                    return Err(error);
                }
            }
        }
        Ok(threads.into_iter().map(|thread| match thread.join() {
            Ok(ended) => ended,
            Err(payload) => std::panic::resume_unwind(payload),
        }))
    }

    async fn serve_alone<L: Listener>(&self, listener: L) -> Result<(), ServeError> {
        let served = self.serve(listener).await;
        match served {
            Ok(()) => self.drained().await,
            Err(ServeError::Closed) => {} // another task shuts the server down, with a grace period of its own
            // One accept loop has failed: end the others too, else a part of the machine would silently stand idle.
            Err(_) => drop(self.shutdown(GRACE_PERIOD).await),
        }
        served
    }
}

/// A guard that stops the server when its thread panics (in a listener, say). Otherwise the other threads would go on
/// for ever, and the thread that panicked would never be joined.
struct EndsOthers<'a, H>(&'a Server<H>);

impl<H> Drop for EndsOthers<'_, H> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.shared.stop();
        }
    }
}

/// The result of all threads: the first error. Another error comes before `Closed`, which only follows from it.
fn together(ends: impl Iterator<Item = Result<(), ServeError>>) -> Result<(), ServeError> {
    let worse = |so_far: Result<_, _>, end: Result<_, _>| match (&so_far, &end) {
        (Ok(()) | Err(ServeError::Closed), Err(_)) => end,
        _ => so_far,
    };
    ends.reduce(worse).unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quintet_listener::{Addr, TcpListener, TcpOptions};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    /// A listener that cannot go on, or one that can.
    enum Either {
        Panics,
        Broken,
        Whole(TcpListener),
    }

    impl Listener for Either {
        type Stream = TcpStream;
        async fn accept(&mut self) -> io::Result<(Self::Stream, Addr)> {
            match self {
                Self::Panics => panic!("as asked"),
                Self::Broken => Err(io::Error::from(io::ErrorKind::InvalidInput)),
                Self::Whole(tcp) => tcp.accept().await,
            }
        }
        fn local_addr(&self) -> io::Result<Addr> {
            Ok("127.0.0.1:0".parse().unwrap())
        }
    }

    #[test]
    fn a_second_shutdown_keeps_the_first_deadline() {
        let server = Server::new(async |_| {
            tokio::time::sleep(GRACE_PERIOD * 2).await;
            "late\n"
        });
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0", &TcpOptions::default()).unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap().tcp().unwrap()).await.unwrap();
            let first = server.clone();
            tokio::spawn(async move { first.serve(listener).await });
            client.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
            while server.counts().active == 0 {
                tokio::task::yield_now().await;
            }
            let stopping = server.clone();
            let shutdown = tokio::spawn(async move { stopping.shutdown(GRACE_PERIOD * 4).await });
            tokio::task::yield_now().await;
            let late = TcpListener::bind("127.0.0.1:0", &TcpOptions::default()).unwrap();
            assert!(matches!(server.serve_alone(late).await, Err(ServeError::Closed)));
            let mut reply = String::new();
            client.read_to_string(&mut reply).await.unwrap();
            assert!(reply.ends_with("late\n"), "{reply:?}");
            assert_eq!(shutdown.await.unwrap().aborted, 0);
        });
    }

    #[test]
    fn a_thread_that_panics_ends_the_others() {
        let server = Server::new(async |_| "");
        let listeners =
            vec![Either::Whole(reuse_port("127.0.0.1:0", NonZeroUsize::MIN.get()).unwrap().remove(0)), Either::Panics];
        let ends = server.serve_each(listeners).unwrap();
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| together(ends)));
        assert_eq!(*ended.unwrap_err().downcast::<&str>().unwrap(), "as asked");
    }

    #[test]
    fn a_thread_whose_accept_loop_fails_ends_the_others() {
        let server = Server::new(async |_| "");
        let listeners =
            vec![Either::Whole(reuse_port("127.0.0.1:0", NonZeroUsize::MIN.get()).unwrap().remove(0)), Either::Broken];
        let end = together(server.serve_each(listeners).unwrap());
        assert!(matches!(end, Err(ServeError::Accept(_))), "{end:?}");
    }
}
