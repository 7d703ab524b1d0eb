//! A stream that does what a script says, call by call.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, IoSlice, Read, Seek, SeekFrom},
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::stream::Stream;

/// What one call of the stream does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IoStep {
    /// A read yields these bytes; what does not fit comes next.
    Bytes(Vec<u8>),
    /// A write takes at most so many bytes.
    Take(usize),
    /// `Pending`, and the task is woken at once.
    Later,
    /// `Pending`, and no task is woken.
    Never,
    /// The stream ends (a read), or the call succeeds (a flush, a shutdown).
    End,
    /// Fails.
    Error(io::ErrorKind),
}

/// A stream that does what its [`ScriptedPeer`] says.
///
/// Without a step left, a read waits until there is one, and a write takes everything that [`room`](ScriptedPeer::room)
/// leaves.
#[derive(Debug)]
pub struct ScriptedStream(ScriptedPeer);

/// The other end of a [`ScriptedStream`], and its author. Clones are the same end.
#[derive(Clone, Debug, Default)]
pub struct ScriptedPeer(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    reads: VecDeque<IoStep>,
    writes: VecDeque<IoStep>,
    flushes: VecDeque<IoStep>,
    shutdowns: VecDeque<IoStep>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// How many bytes writes without a step may still take.
    room: Option<usize>,
    /// How many bytes one write without a step may take.
    most: Option<usize>,
    plain: bool,
    /// Whether the stream has `poll_send_file`.
    sends_files: bool,
    /// How many bytes of files it sent by itself.
    sent_files: usize,
    /// Written, but held back until flushed, if the stream buffers.
    held: Option<Vec<u8>>,
    holds_flush: bool,
    written: Vec<u8>,
    calls: usize,
    is_shut: bool,
    is_aborted: bool,
}

impl ScriptedStream {
    /// Both ends, without a step.
    pub fn new() -> (Self, ScriptedPeer) {
        let peer = ScriptedPeer::default();
        (Self(peer.clone()), peer)
    }
}

/// The script. Each step is used up by one call.
impl ScriptedPeer {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().expect("no test panics in here")
    }

    /// The stream reads these bytes.
    pub fn sends(&self, bytes: impl Into<Vec<u8>>) -> &Self {
        self.reads([IoStep::Bytes(bytes.into())])
    }

    /// What the next reads do.
    pub fn reads(&self, steps: impl IntoIterator<Item = IoStep>) -> &Self {
        let mut script = self.script();
        script.reads.extend(steps);
        wake(script.reader.take());
        drop(script);
        self
    }

    /// What the next writes do.
    pub fn writes(&self, steps: impl IntoIterator<Item = IoStep>) -> &Self {
        let mut script = self.script();
        script.writes.extend(steps);
        wake(script.writer.take());
        drop(script);
        self
    }

    /// What the next flushes do.
    pub fn flushes(&self, steps: impl IntoIterator<Item = IoStep>) -> &Self {
        self.script().flushes.extend(steps);
        self
    }

    /// What the next shutdowns do.
    pub fn shutdowns(&self, steps: impl IntoIterator<Item = IoStep>) -> &Self {
        self.script().shutdowns.extend(steps);
        self
    }
}

/// What holds for every call without a step.
impl ScriptedPeer {
    /// From now on, a write without a step waits.
    pub fn deaf(&self) -> &Self {
        self.room(Some(0))
    }

    /// So many bytes are taken by the next writes together, then they wait; `None`: no end.
    pub fn room(&self, bytes: Option<usize>) -> &Self {
        let mut script = self.script();
        script.room = bytes;
        wake(script.writer.take());
        drop(script);
        self
    }

    /// One write takes at most so many bytes.
    pub fn takes_at_most(&self, bytes: usize) -> &Self {
        self.script().most = Some(bytes);
        self
    }

    /// The stream does not write vectored.
    pub fn plain(&self) -> &Self {
        self.script().plain = true;
        self
    }

    /// The stream has `poll_send_file`. Such a call uses the steps and the room of writes.
    pub fn sends_files(&self) -> &Self {
        self.script().sends_files = true;
        self
    }

    /// What is written is held back until the stream is flushed, as TLS does.
    pub fn buffers(&self) -> &Self {
        self.script().held = Some(Vec::new());
        self
    }

    /// Whether a flush of a stream that [`buffers`](Self::buffers) waits.
    pub fn holds_flush(&self, holds: bool) -> &Self {
        self.script().holds_flush = holds;
        self
    }
}

/// What the stream did.
impl ScriptedPeer {
    /// Everything that arrived here.
    pub fn written(&self) -> Vec<u8> {
        self.script().written.clone()
    }

    /// How many bytes arrived here.
    pub fn written_len(&self) -> usize {
        self.script().written.len()
    }

    /// Whether something was written and waits to be flushed.
    pub fn is_holding(&self) -> bool {
        self.script().held.as_ref().is_some_and(|held| !held.is_empty())
    }

    /// How many calls of write there were.
    pub fn calls(&self) -> usize {
        self.script().calls
    }

    /// How many of the bytes that arrived here were sent from files by the stream itself.
    pub fn sent_files(&self) -> usize {
        self.script().sent_files
    }

    /// Whether the stream was shut down (half-closed).
    pub fn is_shut(&self) -> bool {
        self.script().is_shut
    }

    /// Whether dropping the stream would be a reset.
    pub fn is_aborted(&self) -> bool {
        self.script().is_aborted
    }
}

impl Script {
    /// Takes what a write may take of these bytes now; `None`: it must wait.
    fn take(&mut self, slices: &[IoSlice<'_>], step: Option<usize>) -> Option<usize> {
        let total: usize = slices.iter().map(|slice| slice.len()).sum();
        assert!(total > 0, "a write of nothing");
        let n = match step {
            Some(n) => total.min(n),
            None => {
                let n = total.min(self.room.unwrap_or(usize::MAX)).min(self.most.unwrap_or(usize::MAX));
                if n == 0 {
                    return None;
                }
                self.room = self.room.map(|room| room - n);
                n
            }
        };
        let (taken, mut left) = (self.held.as_mut().unwrap_or(&mut self.written), n);
        for slice in slices {
            let piece = &slice[..left.min(slice.len())];
            taken.extend_from_slice(piece);
            left -= piece.len();
        }
        Some(n)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A step that is the same for every kind of call.
fn other(step: &IoStep, cx: &Context<'_>) -> Poll<io::Result<()>> {
    match step {
        IoStep::Later => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        IoStep::Never => Poll::Pending,
        IoStep::Error(kind) => Poll::Ready(Err((*kind).into())),
        IoStep::End => Poll::Ready(Ok(())),
        IoStep::Bytes(_) | IoStep::Take(_) => panic!("{step:?} does not belong here"),
    }
}

impl AsyncRead for ScriptedStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut script = self.0.script();
        assert!(buf.remaining() > 0, "a read of nothing looks like the end");
        match script.reads.pop_front() {
            None => {
                script.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(IoStep::Bytes(mut bytes)) => {
                let rest = bytes.split_off(bytes.len().min(buf.remaining()));
                buf.put_slice(&bytes);
                if !rest.is_empty() {
                    script.reads.push_front(IoStep::Bytes(rest));
                }
                Poll::Ready(Ok(()))
            }
            Some(step) => other(&step, cx),
        }
    }
}

impl AsyncWrite for ScriptedStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut script = self.0.script();
        script.calls += 1;
        let step = match script.writes.pop_front() {
            None => None,
            Some(IoStep::Take(n)) => Some(n),
            Some(step) => return other(&step, cx).map_ok(|()| 0),
        };
        match script.take(slices, step) {
            Some(n) => Poll::Ready(Ok(n)),
            None => {
                script.writer = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        !self.0.script().plain
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut script = self.0.script();
        if let Some(step) = script.flushes.pop_front() {
            return other(&step, cx);
        }
        if script.holds_flush && script.held.is_some() {
            return Poll::Pending;
        }
        let held = script.held.as_mut().map(mem::take).unwrap_or_default();
        script.written.extend(held);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut script = self.0.script();
        if let Some(step) = script.shutdowns.pop_front() {
            return other(&step, cx);
        }
        script.is_shut = true;
        Poll::Ready(Ok(()))
    }
}

impl Stream for ScriptedStream {
    fn abort(&mut self) {
        self.0.script().is_aborted = true;
    }

    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        mut file: &File,
        offset: u64,
        len: usize,
    ) -> Poll<io::Result<Option<usize>>> {
        if !self.0.script().sends_files {
            return Poll::Ready(Ok(None));
        }
        if len == 0 {
            return Poll::Ready(Ok(Some(0)));
        }
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(offset))?;
        file.take(len as u64).read_to_end(&mut bytes)?;
        if bytes.is_empty() {
            return Poll::Ready(Ok(Some(0)));
        }
        let sent = ready!(Pin::new(&mut *self).poll_write(cx, &bytes))?;
        self.0.script().sent_files += sent;
        Poll::Ready(Ok(Some(sent)))
    }
}
