//! A stream that can be made to end with a reset by somebody who does not have it any more.
//!
//! A server that hands a connection over (an upgrade, a tunnel) cannot call [`Stream::abort`] afterwards. If whoever
//! has it fails in the middle, dropping the stream would say that all was sent.

use super::stream::pass_through;
use crate::Stream;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

/// A stream whose drop is a reset (RST) if its [`AbortHandle`] was used before or a panic drops it, and an orderly
/// close (FIN) otherwise.
///
/// ```
/// # use quintet_listener::Abortable;
/// # let (stream, _client) = tokio::io::duplex(16);
/// let (stream, handle) = Abortable::new(stream);
/// // The stream goes to somebody else, who panics.
/// handle.abort();
/// drop(stream); // says so to the client, where the stream can
/// ```
#[derive(Debug)]
pub struct Abortable<S> {
    stream: S,
    aborted: Arc<AtomicBool>,
    /// [`Stream::abort`]; kept, since a drop cannot ask for more of `S` than the type does.
    abort: fn(&mut S),
}

/// Makes the drop of one [`Abortable`] a reset.
#[derive(Clone, Debug)]
pub struct AbortHandle(Arc<AtomicBool>);

impl<S: Stream> Abortable<S> {
    /// The stream, to be given away, and its handle, to be kept.
    pub fn new(stream: S) -> (Self, AbortHandle) {
        let aborted = Arc::<AtomicBool>::default();
        (Self { stream, aborted: Arc::clone(&aborted), abort: S::abort }, AbortHandle(aborted))
    }
}

impl AbortHandle {
    /// When the stream is dropped, its client is told that not all was sent. See [`Stream::abort`].
    pub fn abort(&self) {
        self.0.store(true, SeqCst);
    }
}

impl<S> Drop for Abortable<S> {
    fn drop(&mut self) {
        // A panic drops what its task holds before anybody can use the handle.
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
