//! A connection from a trusted proxy whose header is not whole yet.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use tokio::{
    io::ReadBuf,
    time::{Sleep, sleep},
};

use super::ProxiedHealth;
use crate::{
    Addr, Opened, ProxyHeader, Stream,
    io::{
        peer_limit::{PeerLimit, PeerPlace},
        wakers::{Caller, Wakers},
    },
};

/// How many bytes are asked for at once. All headers but those with long fields fit in.
const READ_BYTES: usize = 512;

/// What is known before the header is whole.
#[derive(Debug)]
pub(super) struct Opening {
    peer: Addr,
    limit: Duration,
    /// From the first poll on: until then the connection waits for us and not for the proxy.
    timer: Option<Pin<Box<Sleep>>>,
    /// The header so far, at most 4112 bytes of it, and what came with its last bytes.
    bytes: Vec<u8>,
    wakers: Arc<Wakers>,
    per_peer: Option<PeerLimit>,
    health: ProxiedHealth,
}

/// A header that was whole.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// What it said.
    pub(super) opened: Opened,
    /// What followed it and has not been read yet.
    pub(super) rest: Vec<u8>,
    /// The client's place among its own connections.
    #[expect(dead_code, reason = "held for its drop")]
    pub(super) place: Option<PeerPlace>,
}

impl Opening {
    pub(super) fn new(peer: Addr, limit: Duration, per_peer: Option<PeerLimit>, health: ProxiedHealth) -> Self {
        let (bytes, wakers) = (Vec::new(), Arc::default());
        Self { peer, limit, timer: None, bytes, wakers, per_peer, health }
    }

    /// Reads the header.
    pub(super) fn poll<S: Stream>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        caller: Caller,
    ) -> Poll<io::Result<Open>> {
        self.wakers.register(caller, cx.waker());
        let waker = Waker::from(Arc::clone(&self.wakers));
        let done = ready!(self.poll_header(stream, &mut Context::from_waker(&waker)));
        match &done {
            Ok(_) => self.health.opened(),
            Err(error) => self.health.failed(&self.peer, error),
        }
        self.wakers.wake_others(caller);
        Poll::Ready(done)
    }

    fn poll_header<S: Stream>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<Open>> {
        loop {
            let mut space = [0; READ_BYTES];
            let mut buffer = ReadBuf::new(&mut space);
            if Pin::new(&mut *stream).poll_read(cx, &mut buffer)?.is_pending() {
                let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(self.limit)));
                ready!(timer.as_mut().poll(cx));
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no whole PROXY header in time")));
            }
            if buffer.filled().is_empty() {
                let error = "the connection ended before its PROXY header did";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, error)));
            }
            self.bytes.extend_from_slice(buffer.filled());
            match ProxyHeader::parse(&self.bytes) {
                Ok(None) => {}
                Ok(Some((header, len))) => return Poll::Ready(self.open(header, len)),
                Err(error) => return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error))),
            }
        }
    }

    /// The header is whole and `len` bytes long.
    fn open(&mut self, header: ProxyHeader, len: usize) -> io::Result<Open> {
        let place = match (&self.per_peer, &header.source) {
            // What a proxy sends of its own accord, a health check, is not limited.
            (None, _) | (_, None) => None,
            (Some(limit), Some(client)) => Some(limit.admit(client).ok_or_else(too_many)?),
        };
        Ok(Open { opened: header.into(), rest: self.bytes.split_off(len), place })
    }
}

/// One client has as many connections as it may.
pub(super) fn too_many() -> io::Error {
    io::Error::new(io::ErrorKind::QuotaExceeded, "too many connections of one client")
}
