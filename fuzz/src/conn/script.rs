//! A stream that does what it is told.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
};

use quintet_listener::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream; a clone is the same one, for whoever tells it what to do.
#[derive(Clone, Debug, Default)]
pub(super) struct Script(Arc<Mutex<Peer>>);

/// The other end. What cannot be done now is `Pending`; nobody is ever woken.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// What will be read, a call at a time.
    pub(super) sends: VecDeque<Vec<u8>>,
    /// How much the next writes take, in bytes; without a limit they take everything.
    pub(super) room: Option<usize>,
    /// Writes at most so much at once.
    pub(super) sip: Option<usize>,
    /// What was written and not yet flushed, if the stream buffers.
    pub(super) held: Option<Vec<u8>>,
    pub(super) flushes: bool,
    pub(super) vectored: bool,
    pub(super) written: Vec<u8>,
}

impl Script {
    pub(super) fn peer(&self) -> MutexGuard<'_, Peer> {
        self.0.lock().expect("no panic in here")
    }
}

impl AsyncRead for Script {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut peer = self.peer();
        let Some(mut bytes) = peer.sends.pop_front() else { return Poll::Pending };
        assert!(buf.remaining() > 0, "a read of nothing looks like the end");
        let n = bytes.len().min(buf.remaining());
        buf.put_slice(&bytes[..n]);
        if n < bytes.len() {
            peer.sends.push_front(bytes.split_off(n));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut peer = self.peer();
        let total: usize = slices.iter().map(|slice| slice.len()).sum();
        assert!(total > 0, "a write of nothing");
        let n = total.min(peer.room.unwrap_or(usize::MAX)).min(peer.sip.unwrap_or(usize::MAX));
        if n == 0 {
            return Poll::Pending;
        }
        if let Some(room) = &mut peer.room {
            *room -= n;
        }
        let peer = &mut *peer;
        let taken = peer.held.as_mut().unwrap_or(&mut peer.written);
        let mut left = n;
        for slice in slices {
            taken.extend_from_slice(&slice[..left.min(slice.len())]);
            left = left.saturating_sub(slice.len());
        }
        Poll::Ready(Ok(n))
    }

    fn is_write_vectored(&self) -> bool {
        self.peer().vectored
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut peer = self.peer();
        if peer.held.is_some() && !peer.flushes {
            return Poll::Pending;
        }
        let held = peer.held.as_mut().map(std::mem::take).unwrap_or_default();
        peer.written.extend(held);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Stream for Script {}
