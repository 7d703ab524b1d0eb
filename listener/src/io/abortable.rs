//! A stream that a handle elsewhere can make end with a reset.
//!
//! A server that hands a connection over (an upgrade, a tunnel) cannot call [`Stream::abort`] afterwards. If its
//! new owner fails in the middle, dropping the stream would tell the client that all was sent.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

use super::{Stream, stream::pass_through};

/// A stream whose drop is a reset (RST) if its [`AbortHandle`] was used before or a panic drops it, and an orderly
/// close (FIN) otherwise.
///
/// ```
/// # use quintet_listener::Abortable;
/// # let (stream, _client) = tokio::io::duplex(16);
/// let (stream, handle) = Abortable::new(stream);
/// // The stream goes to another task, which panics.
/// handle.abort();
/// drop(stream); // a reset, if the stream knows one
/// ```
#[derive(Debug)]
pub struct Abortable<S> {
    stream: S,
    aborted: Arc<AtomicBool>,
    /// [`Stream::abort`], as a pointer: `Drop` cannot require more of `S` than the struct does.
    abort: fn(&mut S),
}

/// Makes the drop of one [`Abortable`] a reset.
#[derive(Clone, Debug)]
pub struct AbortHandle(Arc<AtomicBool>);

impl<S: Stream> Abortable<S> {
    /// Wraps a stream; the handle is for the caller to keep.
    pub fn new(stream: S) -> (Self, AbortHandle) {
        let aborted = Arc::<AtomicBool>::default();
        (Self { stream, aborted: Arc::clone(&aborted), abort: S::abort }, AbortHandle(aborted))
    }
}

impl AbortHandle {
    /// Makes the drop of the stream a reset, so that its client learns that not all was sent. See [`Stream::abort`].
    pub fn abort(&self) {
        self.0.store(true, SeqCst);
    }
}

impl<S> Drop for Abortable<S> {
    fn drop(&mut self) {
        // A panic drops what its task holds before the handle can be used.
        if self.aborted.load(SeqCst) || thread::panicking() {
            (self.abort)(&mut self.stream);
        }
    }
}

pass_through!(Abortable<S>, stream);

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    /// How the client of a stream sees its end.
    async fn end(abort: bool) -> std::io::Result<usize> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut stream, handle) = Abortable::new(listener.accept().await.unwrap().0);
        stream.write_all(b"hello").await.unwrap();
        if abort {
            handle.abort();
        }
        client.read_exact(&mut [0; 5]).await.unwrap();
        drop(stream);
        client.read(&mut [0; 5]).await
    }

    #[tokio::test]
    async fn a_handle_that_was_used_makes_the_drop_a_reset() {
        assert_eq!(end(true).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
        assert_eq!(end(false).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_panic_that_drops_it_is_a_reset() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _handle) = Abortable::new(listener.accept().await.unwrap().0);
        let session = tokio::spawn(async move {
            let _stream = stream;
            panic!("in the middle");
        });
        assert!(session.await.unwrap_err().is_panic());
        assert_eq!(client.read(&mut [0; 5]).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    }
}
