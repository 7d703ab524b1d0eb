//! What the tests of this crate share: a stream that does what a script says, and connections under a paused clock.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::{
    collections::VecDeque,
    future::Future,
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use quintet_conn::{ConnGuard, Connection, Connections, StateHook, Timeouts, Wire};
use quintet_listener::{Addr, Stream};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    time::Instant,
};

/// What one call of the stream does.
#[derive(Clone, Debug)]
pub enum Step {
    /// Reads these bytes (if they do not fit, the rest comes next), or writes at most so many.
    Bytes(Vec<u8>),
    Take(usize),
    /// `Pending`, and the task is woken at once.
    Later,
    /// `Pending`, and nobody is woken.
    Never,
    /// The stream ends.
    End,
    Error(io::ErrorKind),
}

/// A stream that does what a script says. Without a step left, a read waits and a write takes everything (or waits, if
/// the peer is [`deaf`](Peer::deaf)).
#[derive(Debug)]
pub struct Script(Peer);

/// The other end of a [`Script`], and its author.
#[derive(Clone, Debug, Default)]
pub struct Peer(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    reads: VecDeque<Step>,
    writes: VecDeque<Step>,
    flushes: VecDeque<Step>,
    shutdowns: VecDeque<Step>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    deaf: bool,
    plain: bool,
    /// Written, but held back until flushed, if the stream buffers.
    held: Option<Vec<u8>>,
    written: Vec<u8>,
    calls: usize,
    is_shut: bool,
    is_aborted: bool,
}

impl Script {
    pub fn new() -> (Script, Peer) {
        let peer = Peer::default();
        (Script(peer.clone()), peer)
    }
}

impl Peer {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no test panics in here")
    }

    pub fn sends(&self, bytes: impl Into<Vec<u8>>) -> &Self {
        self.reads([Step::Bytes(bytes.into())])
    }

    pub fn reads(&self, steps: impl IntoIterator<Item = Step>) -> &Self {
        let mut inner = self.inner();
        inner.reads.extend(steps);
        if let Some(waker) = inner.reader.take() {
            waker.wake();
        }
        drop(inner);
        self
    }

    pub fn writes(&self, steps: impl IntoIterator<Item = Step>) -> &Self {
        let mut inner = self.inner();
        inner.writes.extend(steps);
        if let Some(waker) = inner.writer.take() {
            waker.wake();
        }
        drop(inner);
        self
    }

    pub fn flushes(&self, steps: impl IntoIterator<Item = Step>) -> &Self {
        self.inner().flushes.extend(steps);
        self
    }

    pub fn shutdowns(&self, steps: impl IntoIterator<Item = Step>) -> &Self {
        self.inner().shutdowns.extend(steps);
        self
    }

    /// From now on, a write without a step waits.
    pub fn deaf(&self) -> &Self {
        self.inner().deaf = true;
        self
    }

    /// The stream does not write vectored.
    pub fn plain(&self) -> &Self {
        self.inner().plain = true;
        self
    }

    /// What is written is held back until the stream is flushed, as TLS does.
    pub fn buffers(&self) -> &Self {
        self.inner().held = Some(Vec::new());
        self
    }

    /// Everything that arrived here.
    pub fn written(&self) -> Vec<u8> {
        self.inner().written.clone()
    }

    /// How many calls of write there were.
    pub fn calls(&self) -> usize {
        self.inner().calls
    }

    pub fn is_shut(&self) -> bool {
        self.inner().is_shut
    }

    /// Whether dropping the stream would be a reset.
    pub fn is_aborted(&self) -> bool {
        self.inner().is_aborted
    }
}

impl AsyncRead for Script {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.inner();
        match inner.reads.pop_front() {
            None => {
                inner.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(Step::Bytes(bytes)) => {
                let n = bytes.len().min(buf.remaining());
                buf.put_slice(&bytes[..n]);
                if n < bytes.len() {
                    inner.reads.push_front(Step::Bytes(bytes[n..].to_vec()));
                }
                Poll::Ready(Ok(()))
            }
            Some(step) => other(&step, cx).map_ok(|()| ()),
        }
    }
}

impl AsyncWrite for Script {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.0.inner();
        inner.calls += 1;
        let most = match inner.writes.pop_front() {
            None if inner.deaf => {
                inner.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            None => usize::MAX,
            Some(Step::Take(n)) => n,
            Some(step) => return other(&step, cx).map_ok(|()| 0),
        };
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(most).collect();
        match &mut inner.held {
            Some(held) => held.extend(&bytes),
            None => inner.written.extend(&bytes),
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn is_write_vectored(&self) -> bool {
        !self.0.inner().plain
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.inner();
        if let Some(step) = inner.flushes.pop_front() {
            return other(&step, cx);
        }
        let held = inner.held.as_mut().map(std::mem::take).unwrap_or_default();
        inner.written.extend(held);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.inner();
        if let Some(step) = inner.shutdowns.pop_front() {
            return other(&step, cx);
        }
        inner.is_shut = true;
        Poll::Ready(Ok(()))
    }
}

impl Stream for Script {
    fn abort(&mut self) {
        self.0.inner().is_aborted = true;
    }
}

fn other(step: &Step, cx: &Context<'_>) -> Poll<io::Result<()>> {
    match step {
        Step::Later => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        Step::Never => Poll::Pending,
        Step::Error(kind) => Poll::Ready(Err((*kind).into())),
        Step::End => Poll::Ready(Ok(())),
        Step::Bytes(_) | Step::Take(_) => panic!("{step:?} does not belong here"),
    }
}

/// An address for a client that has none.
pub fn addr() -> Addr {
    "192.0.2.1:54321".parse().expect("an address")
}

/// Connections with a sweeper at work.
pub fn connections(timeouts: Timeouts) -> Arc<Connections> {
    hooked(timeouts, None)
}

/// The same, with a hook.
pub fn hooked(timeouts: Timeouts, hook: Option<StateHook>) -> Arc<Connections> {
    let (connections, sweeper) = Connections::new(timeouts, None, hook);
    tokio::spawn(sweeper);
    connections
}

/// A connection whose client is the other end of a pipe of `size` bytes.
pub fn piped(connections: &Arc<Connections>, size: usize) -> (ConnGuard, Wire<DuplexStream>, DuplexStream) {
    let (ours, client) = tokio::io::duplex(size);
    let (connection, wire) = connections.admit(ours, addr());
    (connection, wire, client)
}

/// A connection whose client is a script.
pub fn scripted(connections: &Arc<Connections>) -> (ConnGuard, Wire<Script>, Peer) {
    let (script, peer) = Script::new();
    let (connection, wire) = connections.admit(script, addr());
    (connection, wire, peer)
}

/// The limits of the documentation, at which a test can tell one from another.
pub fn limits() -> Timeouts {
    Timeouts::default()
}

/// Waits for what must end `limit` from now: not earlier, and at most half a second later.
pub async fn ends_after<T>(limit: Duration, wait: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let outcome = tokio::time::timeout(limit + Duration::from_secs(600), wait).await.expect("it never ends");
    let took = start.elapsed();
    assert!(took >= limit, "{took:?} is earlier than {limit:?}");
    assert!(took <= limit + Duration::from_millis(500), "{took:?} is more than half a second later than {limit:?}");
    outcome
}

/// A waker that counts.
#[derive(Debug, Default)]
pub struct Bell(AtomicUsize);

impl Bell {
    pub fn new() -> Arc<Bell> {
        Arc::default()
    }

    pub fn rings(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// One poll, by a task that this bell wakes.
pub fn poll_once<T>(bell: &Arc<Bell>, future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(&Waker::from(Arc::clone(bell))))
}

/// The connection alone, for a test that lets go of the connection.
pub fn connection_of(tracked: &ConnGuard) -> Arc<Connection> {
    Arc::clone(tracked)
}
