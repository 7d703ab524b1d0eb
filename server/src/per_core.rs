//! One runtime per core, each with a listener of its own.
//!
//! A connection stays on the thread that accepted it: nothing of it is ever moved between cores, and no lock is
//! waited for. The kernel spreads new connections over the listeners (`SO_REUSEPORT`).

use std::{io, num::NonZeroUsize, thread};

use quintet_listener::{Tcp, reuse_port};
use quintet_mux::Handler;

use crate::server::{ServeError, Server};

impl<H: Handler> Server<H> {
    /// Serves an address with `threads` threads, each with a runtime and a listener of its own, until the server is
    /// shut down. Blocks this thread, so it is called without a runtime; shut down from a handler, or from a runtime in
    /// another thread.
    ///
    /// # Errors
    /// [`ServeError::Listen`] if the address cannot be listened on, else the first error of a thread.
    pub fn serve_per_core(&self, addr: &str, threads: NonZeroUsize) -> Result<(), ServeError> {
        let failed = |source| ServeError::Listen { addr: addr.to_owned(), source };
        let listeners = reuse_port(addr, threads.get()).map_err(failed)?;
        let threads: Vec<_> = listeners
            .into_iter()
            .map(|listener| {
                let server = self.clone();
                thread::Builder::new().name("quintet".into()).spawn(move || server.serve_alone(listener))
            })
            .collect::<io::Result<_>>()
            .map_err(failed)?;
        let ended = threads.into_iter().map(|thread| match thread.join() {
            Ok(ended) => ended,
            Err(payload) => std::panic::resume_unwind(payload),
        });
        ended.fold(Ok(()), Result::and)
    }

    fn serve_alone(&self, listener: Tcp) -> Result<(), ServeError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::Accept)?;
        runtime.block_on(async {
            self.serve(listener).await?;
            self.drained().await;
            Ok(())
        })
    }
}
