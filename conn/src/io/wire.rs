//! The stream to one client with what was read and what is to be written, under its deadlines.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{BufMut, BytesMut};
use quintet_listener::Stream;
use tokio::io::{AsyncReadExt, ReadBuf};

use super::link::Link;
use crate::{Buffer, Output, Pace, Phase, deadlines::NEVER};

/// The stream to one client: what was read from it, what is to be written to it, and until when.
///
/// Reading fills [`input`](Self::input); writing appends to [`output`](Self::output) and happens when flushed. A wire
/// that waits gives back the memory it does not need.
///
/// The deadlines are those of the [`Conns`](crate::Conns) that admitted it. A wire made by [`new`](Self::new) has
/// none.
#[derive(Debug)]
pub struct Wire<S> {
    io: S,
    /// Bytes received and not yet understood.
    pub input: Buffer,
    /// Bytes to be sent.
    pub output: Output,
    link: Option<Arc<Link>>,
    phase: Option<Phase>,
    ended: bool,
    /// The stream took everything and has not passed it on yet (TLS does that).
    unflushed: bool,
    /// The task that is woken when the wire is late, by the address of its waker.
    task: usize,
    /// [`UNBEGUN`] until the client was first waited for in this phase.
    phase_end: u64,
    /// When the present wait for bytes ends. Whatever ends the wait sets it back to [`NEVER`].
    read_by: u64,
    /// The same of the present wait for room.
    write_by: u64,
    read_pace: Pace,
    write_pace: Pace,
}

/// The end of a phase in which nobody waited yet. (No other ends when the clock begins.)
const UNBEGUN: u64 = 0;
/// The address of no waker.
const NO_TASK: usize = usize::MAX;

/// What came of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// This many bytes more (at least one).
    Bytes(usize),
    /// The client sends nothing more (FIN).
    End,
    /// As many bytes as allowed are waiting already; nothing was read.
    Full,
}

/// Why a wire failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The client took longer than it may in this phase.
    #[error("the client was too slow ({0:?})")]
    Late(Phase),
    /// The server closes every connection.
    #[error("the connection was cut")]
    Cut,
    /// The stream failed.
    #[error("the stream failed")]
    Io(#[from] io::Error),
}

impl<S> Wire<S> {
    /// A wire without deadlines, for a stream that nobody else counts.
    pub fn new(io: S) -> Self {
        Wire {
            io,
            input: Buffer::new(),
            output: Output::new(),
            link: None,
            phase: None,
            ended: false,
            unflushed: false,
            task: NO_TASK,
            phase_end: NEVER,
            read_by: NEVER,
            write_by: NEVER,
            read_pace: Pace::default(),
            write_pace: Pace::default(),
        }
    }

    pub(super) fn linked(io: S, link: Arc<Link>) -> Self {
        let mut wire = Wire::new(io);
        wire.link = Some(link);
        wire.enter(Phase::Head);
        wire
    }

    /// The connection's entry, if it has one.
    #[inline]
    pub fn link(&self) -> Option<&Arc<Link>> {
        self.link.as_ref()
    }

    /// What the client is waited for from now on. Entering the phase it is in changes nothing: a head's time is not
    /// prolonged by each of its bytes.
    ///
    /// The time begins to run when the client is first waited for, which is after everything was sent to it.
    #[inline]
    pub fn enter(&mut self, phase: Phase) {
        if self.phase != Some(phase) {
            self.phase = Some(phase);
            self.phase_end = UNBEGUN;
            self.read_by = NEVER;
            if phase == Phase::Body {
                self.read_pace = Pace::default();
            }
        }
    }

    /// The client is not waited for (a handler is at work): no phase is under way, and no read is late.
    #[inline]
    pub fn rest(&mut self) {
        self.phase = None;
        self.read_by = NEVER;
    }

    /// As [`rest`](Self::rest) for the moment: a body goes on afterwards with what it has used up of its time. (The
    /// time of the other phases runs on.)
    pub fn pause(&mut self) {
        self.read_pace.pause(self.now());
        self.read_by = NEVER;
    }

    /// Whether the client has sent all it will send (FIN).
    #[inline]
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether everything was sent.
    #[inline]
    fn is_sent(&self) -> bool {
        self.output.is_empty() && !self.unflushed
    }

    /// The stream, what was read and not consumed, and what was to be sent and was not.
    pub fn into_parts(self) -> (S, Buffer, Output) {
        (self.io, self.input, self.output)
    }

    fn now(&self) -> u64 {
        self.link.as_ref().map_or(0, |link| link.conns.now())
    }

    /// Stores until when this wait may last; an error if that is over already.
    fn wait(&mut self) -> Poll<Result<(), WireError>> {
        let Some(link) = &self.link else { return Poll::Pending };
        let deadline = self.read_by.min(self.write_by);
        link.set_deadline(deadline);
        if link.conns.is_cut() {
            return Poll::Ready(Err(WireError::Cut));
        }
        if deadline > link.conns.now() {
            return Poll::Pending;
        }
        Poll::Ready(Err(self.late()))
    }

    /// The wait that is over is told once; what follows (the answer that says so) has a time of its own.
    #[cold]
    fn late(&mut self) -> WireError {
        if let Some(link) = &self.link {
            link.set_deadline(NEVER);
        }
        if self.write_by < self.read_by {
            self.write_by = NEVER;
            return WireError::Late(Phase::Reply);
        }
        self.read_by = NEVER;
        WireError::Late(self.phase.unwrap_or(Phase::Head))
    }

    fn relax(&mut self) {
        self.input.relax();
        self.output.relax();
    }

    fn wait_for_bytes(&mut self) -> Poll<Result<(), WireError>> {
        self.relax();
        let Some(link) = &self.link else { return Poll::Pending };
        let conns = &link.conns;
        self.read_by = match self.phase {
            None => NEVER,
            Some(Phase::Body) => match link.moved_read() {
                Some(read_by) => read_by,
                None => self.read_pace.wait(conns.now(), conns.coarse()),
            },
            Some(phase) => {
                if conns.is_stopping() && matches!(phase, Phase::Idle | Phase::Head) && self.input.is_empty() {
                    self.phase = Some(Phase::LastCall);
                    self.phase_end = conns.end(Phase::LastCall);
                } else if self.phase_end == UNBEGUN {
                    self.phase_end = conns.end(phase);
                    // Whatever was replied is sent, unless somebody waits for it still: the next reply has a pace of
                    // its own.
                    if !self.write_pace.is_waiting() {
                        self.write_pace = Pace::default();
                    }
                }
                self.phase_end
            }
        };
        self.wait()
    }

    fn wait_for_room(&mut self) -> Poll<Result<(), WireError>> {
        self.relax();
        let Some(link) = &self.link else { return Poll::Pending };
        self.write_by = match link.moved_write() {
            Some(write_by) => write_by,
            None => self.write_pace.wait(link.conns.now(), link.conns.coarse()),
        };
        self.wait()
    }

    /// The client took this much: a wait, if there was one, is over.
    #[inline]
    fn taken(&mut self, n: usize) {
        if self.write_pace.is_waiting() {
            self.write_pace.moved(n, self.now());
            self.write_by = NEVER;
        } else {
            self.write_pace.count(n);
        }
    }
}

impl<S: Stream> Wire<S> {
    /// Names the task that owns this connection: it is woken when the wire is late. The last call counts; those of the
    /// same task cost a comparison.
    #[inline]
    pub fn attend(&mut self, cx: &Context<'_>) {
        // While the entry keeps a clone of a waker, no other has its address.
        let task = cx.waker().data().addr();
        if self.task != task {
            self.task = task;
            if let Some(link) = &self.link {
                link.attend(cx.waker());
            }
        }
    }

    /// Sends everything, then reads: one turn of a conversation. Flush before you wait.
    ///
    /// # Errors
    /// See [`poll_flush`](Self::poll_flush) and [`poll_fill`](Self::poll_fill).
    #[inline]
    pub fn poll_turn(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<Result<Filled, WireError>> {
        self.attend(cx);
        if !self.is_sent() {
            // The client is not waited for while it is busy reading.
            self.read_by = NEVER;
            ready!(self.poll_send(cx))?;
        }
        self.poll_fill(cx, limit)
    }

    /// Reads once, unless `limit` bytes are waiting already. A task that was not [named](Self::attend) is not woken when
    /// it is late.
    ///
    /// # Errors
    /// [`WireError::Late`] if the time of the phase is over, [`WireError::Io`] if the stream fails.
    #[inline]
    pub fn poll_fill(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<Result<Filled, WireError>> {
        match self.poll_read(cx, limit) {
            Poll::Pending => self.wait_for_bytes().map_ok(|()| Filled::Full),
            ready => ready,
        }
    }

    #[inline]
    fn poll_read(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<Result<Filled, WireError>> {
        if self.ended {
            return Poll::Ready(Ok(Filled::End));
        }
        let spare = self.input.spare(limit);
        if spare.is_empty() {
            return Poll::Ready(Ok(Filled::Full));
        }
        let mut read = ReadBuf::new(spare);
        let polled = Pin::new(&mut self.io).poll_read(cx, &mut read);
        let n = read.filled().len();
        ready!(polled)?;
        if n == 0 {
            self.ended = true;
            self.relax();
            return Poll::Ready(Ok(Filled::End));
        }
        self.input.commit(n);
        self.moved(n);
        Poll::Ready(Ok(Filled::Bytes(n)))
    }

    /// Something arrived: a wait, if there was one, is over.
    #[inline]
    fn moved(&mut self, n: usize) {
        if self.phase == Some(Phase::Body) {
            self.read_pace.moved(n, self.now());
        }
        self.read_by = NEVER;
    }

    /// Sends what is to be sent, gathering small pieces and large ones in as few system calls as it takes. A task that
    /// was not [named](Self::attend) is not woken when it is late.
    ///
    /// # Errors
    /// [`WireError::Late`] if the client does not take it, [`WireError::Io`] if the stream fails.
    #[inline]
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WireError>> {
        if self.is_sent() { Poll::Ready(Ok(())) } else { self.poll_send(cx) }
    }

    /// Reads once, straight into the spare capacity of `into`, at most `limit` bytes: for large bodies, which need
    /// not pass through [`input`](Self::input). Whatever waits there comes first and must be consumed first.
    ///
    /// # Errors
    /// As [`poll_fill`](Self::poll_fill).
    pub fn poll_fill_into(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        limit: usize,
    ) -> Poll<Result<Filled, WireError>> {
        if self.ended {
            return Poll::Ready(Ok(Filled::End));
        }
        if limit == 0 {
            return Poll::Ready(Ok(Filled::Full));
        }
        let mut limited = into.limit(limit);
        // The future holds nothing but the two borrows: dropping it loses nothing.
        match pin!(self.io.read_buf(&mut limited)).poll(cx) {
            Poll::Ready(Ok(0)) => {
                self.ended = true;
                Poll::Ready(Ok(Filled::End))
            }
            Poll::Ready(Ok(n)) => {
                self.moved(n);
                Poll::Ready(Ok(Filled::Bytes(n)))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Pending => self.wait_for_bytes().map_ok(|()| Filled::Full),
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WireError>> {
        while !self.output.is_empty() {
            let io = Pin::new(&mut self.io);
            let polled = if self.output.is_plain() || !io.is_write_vectored() {
                io.poll_write(cx, self.output.first())
            } else {
                self.output.gather(|slices| io.poll_write_vectored(cx, slices))
            };
            match polled {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into())),
                Poll::Ready(Ok(n)) => {
                    self.output.advance(n);
                    self.taken(n);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => return self.wait_for_room(),
            }
        }
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.unflushed = flushed.is_pending();
        match flushed {
            Poll::Ready(done) => {
                self.taken(0);
                Poll::Ready(done.map_err(WireError::from))
            }
            Poll::Pending => self.wait_for_room(),
        }
    }

    /// While a handler is at work: sends what is to be sent, and looks whether the client is still there, reading
    /// ahead at most `limit` bytes. Ready only when something happened that ends the connection; a client that sends
    /// nothing more (FIN) may still wait for its reply.
    ///
    /// # Errors
    /// As [`poll_turn`](Self::poll_turn); nothing is late while a handler is at work, but the client may be gone.
    pub fn poll_watch(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<Result<Filled, WireError>> {
        self.attend(cx);
        if let Poll::Ready(Err(error)) = self.poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        let outcome = loop {
            match self.poll_read(cx, limit) {
                Poll::Ready(Ok(Filled::Bytes(_))) => {}
                Poll::Ready(Ok(Filled::End)) => {
                    if let Some(link) = &self.link {
                        link.cancel();
                    }
                    break Filled::End;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(Filled::Full)) | Poll::Pending => break Filled::Full,
            }
        };
        self.pause();
        self.relax();
        self.wait().map_ok(|()| outcome)
    }

    /// While a reply is made and nothing is to be sent: a client that has sent its last (FIN) may still be reading or be
    /// gone altogether, which only sending would tell. It is believed for [`Deadlines::stall`](crate::Deadlines::stall),
    /// or as long as the handler [said](Link::set_write_deadline), until [`trust`](Self::trust).
    ///
    /// # Errors
    /// [`WireError::Late`] after that time, [`WireError::Cut`].
    pub fn doubt(&mut self) -> Result<(), WireError> {
        let Some(link) = self.link.as_ref().filter(|_| self.ended) else { return Ok(()) };
        if self.phase != Some(Phase::Reply) {
            self.phase = Some(Phase::Reply);
            self.phase_end = link.conns.end(Phase::Reply);
        }
        self.read_by = link.moved_write().unwrap_or(self.phase_end);
        match self.wait() {
            Poll::Ready(Err(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Ends a [`doubt`](Self::doubt): there is something to send.
    #[inline]
    pub fn trust(&mut self) {
        if self.phase == Some(Phase::Reply) {
            self.rest();
        }
    }

    /// Whether this wire is past its deadline or cut: for the owner, while the wire is lent to somebody else.
    ///
    /// # Errors
    /// [`WireError::Late`] or [`WireError::Cut`].
    pub fn check(&mut self) -> Result<(), WireError> {
        self.adopt_moved();
        match self.wait() {
            Poll::Ready(Err(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// A handler moved a deadline of a wait that is under way, and whoever waits has not looked since.
    fn adopt_moved(&mut self) {
        let Some(link) = &self.link else { return };
        if let (Some(Phase::Body), Some(read_by)) = (self.phase, link.moved_read().filter(|_| self.read_by != NEVER)) {
            self.read_by = read_by;
        }
        if let Some(write_by) = link.moved_write().filter(|_| self.write_by != NEVER) {
            self.write_by = write_by;
        }
    }

    /// Sends everything.
    ///
    /// # Errors
    /// See [`poll_flush`](Self::poll_flush).
    ///
    /// # Cancel safety
    /// Nothing is lost: what was not sent stays in [`output`](Self::output).
    pub async fn flush(&mut self) -> Result<(), WireError> {
        poll_fn(|cx| {
            self.attend(cx);
            self.poll_flush(cx)
        })
        .await
    }

    /// Sends everything, then reads once.
    ///
    /// # Errors
    /// See [`poll_turn`](Self::poll_turn).
    ///
    /// # Cancel safety
    /// Nothing is lost: what was read is in [`input`](Self::input).
    pub async fn turn(&mut self, limit: usize) -> Result<Filled, WireError> {
        poll_fn(|cx| self.poll_turn(cx, limit)).await
    }

    /// Sends everything and says that nothing more comes (FIN); the client may still send.
    ///
    /// # Errors
    /// See [`poll_flush`](Self::poll_flush).
    ///
    /// # Cancel safety
    /// Nothing is lost: it can be called again.
    pub async fn half_close(&mut self) -> Result<(), WireError> {
        self.flush().await?;
        poll_fn(|cx| {
            // Shutting down a socket does not wait; a stream that does (TLS) has the reply's patience.
            match Pin::new(&mut self.io).poll_shutdown(cx) {
                Poll::Ready(done) => {
                    self.taken(0);
                    Poll::Ready(done.map_err(WireError::from))
                }
                Poll::Pending => self.wait_for_room(),
            }
        })
        .await
    }

    /// Half-closes, then reads and discards what the client still sends: until it closes too, for `limit` bytes, or
    /// for the time of [`Phase::Linger`].
    ///
    /// Closing a socket with unread bytes makes the kernel send a reset, and a reset makes the client's kernel throw
    /// away the reply it has not read yet. RFC 9112 §9.6. Go: `closeWriteAndWait`, which sleeps without reading.
    ///
    /// # Errors
    /// Those of the half-close; whatever happens while lingering is an end like any other.
    ///
    /// # Cancel safety
    /// What the client has still sent is thrown away in any case.
    pub async fn linger(&mut self, mut limit: u64) -> Result<(), WireError> {
        self.half_close().await?;
        self.rest();
        self.enter(Phase::Linger);
        loop {
            limit = limit.saturating_sub(self.input.len() as u64);
            self.input.consume(self.input.len());
            if limit == 0 {
                return Ok(());
            }
            match self.turn(usize::MAX).await {
                Ok(Filled::Bytes(_)) => {}
                Ok(Filled::End | Filled::Full) | Err(_) => return Ok(()),
            }
        }
    }
}
