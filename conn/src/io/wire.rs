//! The stream to one client with what was read and what is to be written, under its timeouts.

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

use super::{
    active_request::ActiveRequest, conn_guard::ConnGuard, connection::Connection, entry_wait::EntryWait,
    wire_error::WireError,
};
use crate::{Buffer, Output, Phase, State};

/// The stream to one client: what was read from it, what is to be written to it, and until when.
///
/// Reading fills [`input`](Self::input); writing appends to [`output`](Self::output) and happens when flushed. A wire
/// that waits gives back the memory it does not need, and so does one that fails.
///
/// A wire is broken once its stream failed, its client did not take a reply in time, or it was aborted: what was to be
/// sent is thrown away, and sending fails from then on. After the last two it is [aborted](Self::abort), too, unless it
/// was aborted while nothing was half said: everything was sent, and a request or the client's end was waited for
/// ([`Phase::Idle`], [`Phase::Head`], [`Phase::Drain`], [`Phase::Linger`]). What was received stays in
/// [`input`](Self::input).
///
/// The timeouts are those of the [`Connections`](crate::Connections) that admitted it. A wire made by
/// [`new`](Self::new) has none.
#[derive(Debug)]
pub struct Wire<S> {
    pub(super) io: S,
    /// Bytes received and not yet understood.
    pub input: Buffer,
    /// Bytes to be sent.
    pub output: Output,
    pub(super) ended: bool,
    /// The stream took everything and has not passed it on yet (TLS does that).
    unflushed: bool,
    /// Nothing can be sent any more; then it is `unflushed` as well, so that nobody takes it for idle.
    pub(super) broken: bool,
    pub(super) waits: EntryWait,
}

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

impl<S> Wire<S> {
    /// A wire without timeouts, for a stream that nobody else counts.
    pub fn new(io: S) -> Self {
        Wire {
            io,
            input: Buffer::new(),
            output: Output::new(),
            ended: false,
            unflushed: false,
            broken: false,
            waits: EntryWait::new(None),
        }
    }

    pub(super) fn admitted(io: S, connection: ConnGuard) -> Self {
        let mut wire = Wire { waits: EntryWait::new(Some(connection)), ..Wire::new(io) };
        wire.enter(Phase::Head);
        wire
    }

    /// The connection's entry, if it has one.
    #[inline]
    pub fn connection(&self) -> Option<&Arc<Connection>> {
        self.waits.connection()
    }

    /// The request in progress on the connection, if that has an entry: for the request that was read last.
    #[inline]
    pub fn active(&self) -> Option<ActiveRequest> {
        self.waits.active()
    }

    /// As [`ConnGuard::set_state`]; nothing if the connection has no entry.
    #[inline(always)]
    pub fn set_state(&self, to: State) {
        if let Some(connection) = self.connection() {
            connection.set_state(to);
        }
    }

    /// As [`ConnGuard::cancel`]; nothing if the connection has no entry.
    pub fn cancel(&self) {
        if let Some(connection) = self.connection() {
            connection.cancel();
        }
    }

    /// What the client is waited for from now on. Entering the phase it is in changes nothing: a head's time is not
    /// prolonged by each of its bytes.
    ///
    /// The time begins to run when the client is first waited for, which is after everything was sent to it. To begin
    /// another of the same kind (the next head, the next line), [`clear_phase`](Self::clear_phase) first: otherwise a
    /// client that has always begun the next when one is understood is late for all of them together.
    #[inline]
    pub fn enter(&mut self, phase: Phase) {
        self.waits.enter(phase);
    }

    /// The client is not waited for (a handler is at work, what it sent was understood): no phase is under way, and no
    /// read is late.
    #[inline]
    pub fn clear_phase(&mut self) {
        self.waits.clear_phase();
    }

    /// As [`clear_phase`](Self::clear_phase) for the moment: a body goes on afterwards with what it has used up of its
    /// time. (The time of the other phases runs on.)
    pub fn pause(&mut self) {
        self.waits.pause();
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

    pub(super) fn release_memory(&mut self) {
        self.input.release_memory();
        self.output.release_memory();
    }
}

impl<S: Stream> Wire<S> {
    /// Names the task that owns this connection: it is woken when the wire is late. The last call counts; those of the
    /// same task cost a comparison.
    #[inline]
    pub fn register_waker(&mut self, cx: &Context<'_>) {
        self.waits.register_waker(cx);
    }

    /// Makes the end of this connection a reset (RST) instead of an orderly close (FIN): the client cannot take what it
    /// got for all there is, and the kernel keeps nothing of what was not taken. See [`Stream::abort`].
    pub fn abort(&mut self) {
        self.io.abort();
    }

    /// Pending, with the memory given back that the wait does not need; or the one that is over fails.
    fn wait_for_bytes<T>(&mut self) -> Poll<Result<T, WireError>> {
        self.release_memory();
        match self.waits.wait_for_bytes(self.input.is_empty()) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(self.fail(error))),
        }
    }

    /// As [`wait_for_bytes`](Self::wait_for_bytes), for room to send into.
    pub(super) fn wait_for_room<T>(&mut self) -> Poll<Result<T, WireError>> {
        self.release_memory();
        match self.waits.wait_for_room() {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(self.fail(error))),
        }
    }

    /// The one way out for an error: gives back the memory and, if nothing can be sent any more, what was to be sent.
    ///
    /// A handler may be at work for long after its client is gone, and a client may be gone in as many connections as
    /// it likes: none of them keeps a block to read into or a reply that nobody will take.
    #[cold]
    pub(super) fn fail(&mut self, error: impl Into<WireError>) -> WireError {
        let error = error.into();
        match &error {
            // What the kernel still has to pass on is whole, and a reset would take it away from its client.
            WireError::Aborted if self.broken || (self.is_sent() && self.waits.is_between_replies()) => {
                self.shatter();
            }
            WireError::TimedOut(Phase::Reply) | WireError::Aborted => {
                self.abort();
                self.shatter();
            }
            WireError::Io(_) => self.shatter(),
            WireError::TimedOut(_) => {} // it can still be told so
        }
        self.release_memory();
        error
    }

    /// What was to be sent never will be.
    fn shatter(&mut self) {
        (self.broken, self.unflushed) = (true, true);
        self.output = Output::new();
    }

    /// Sends everything, then reads: one turn of a conversation. Flush before you wait.
    ///
    /// # Errors
    /// See [`poll_flush`](Self::poll_flush) and [`poll_fill`](Self::poll_fill).
    #[inline]
    pub fn poll_flush_and_fill(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<Result<Filled, WireError>> {
        self.register_waker(cx);
        if !self.is_sent() {
            // The client is not waited for while it is busy reading.
            self.waits.wait_no_longer_for_bytes();
            ready!(self.poll_send(cx))?;
        }
        self.poll_fill(cx, limit)
    }

    /// Reads once, unless `limit` bytes are waiting already. A task that was not [named](Self::register_waker) is not
    /// woken when it is late.
    ///
    /// # Errors
    /// [`WireError::TimedOut`] if the time of the phase is over, [`WireError::Io`] if the stream fails.
    #[inline]
    pub fn poll_fill(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<Result<Filled, WireError>> {
        match self.poll_read(cx, limit) {
            Poll::Pending => self.wait_for_bytes(),
            ready => ready,
        }
    }

    #[inline]
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<Result<Filled, WireError>> {
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
        match polled {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(self.fail(error))),
            Poll::Pending => return Poll::Pending,
        }
        if n == 0 {
            self.ended = true;
            self.release_memory();
            return Poll::Ready(Ok(Filled::End));
        }
        self.input.commit(n);
        self.waits.arrived(n);
        Poll::Ready(Ok(Filled::Bytes(n)))
    }

    /// Sends what is to be sent, gathering small pieces and large ones in as few system calls as it takes. A task that
    /// was not [named](Self::register_waker) is not woken when it is late.
    ///
    /// # Errors
    /// [`WireError::TimedOut`] if the client does not take it, [`WireError::Io`] if the stream fails.
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
                self.release_memory();
                Poll::Ready(Ok(Filled::End))
            }
            Poll::Ready(Ok(n)) => {
                self.waits.arrived(n);
                Poll::Ready(Ok(Filled::Bytes(n)))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.fail(error))),
            Poll::Pending => self.wait_for_bytes(),
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WireError>> {
        if self.broken {
            return Poll::Ready(Err(self.fail(io::Error::from(io::ErrorKind::BrokenPipe))));
        }
        while !self.output.is_empty() {
            let io = Pin::new(&mut self.io);
            let polled = if self.output.is_plain() || !io.is_write_vectored() {
                io.poll_write(cx, self.output.first())
            } else {
                self.output.gather(|slices| io.poll_write_vectored(cx, slices))
            };
            match polled {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.fail(io::Error::from(io::ErrorKind::WriteZero)))),
                Poll::Ready(Ok(n)) => {
                    self.output.advance(n);
                    self.waits.taken(n);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.fail(error))),
                Poll::Pending => return self.wait_for_room(),
            }
        }
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.unflushed = flushed.is_pending();
        match flushed {
            Poll::Ready(Ok(())) => {
                self.waits.taken(0);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.fail(error))),
            Poll::Pending => self.wait_for_room(),
        }
    }

    /// Whether this wire is past its deadline or aborted: for the owner, while the wire is shared with a body.
    ///
    /// # Errors
    /// [`WireError::TimedOut`] or [`WireError::Aborted`].
    pub fn check(&mut self) -> Result<(), WireError> {
        self.waits.adopt_moved();
        match self.waits.wait() {
            Ok(()) => Ok(()),
            Err(error) => Err(self.fail(error)),
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
            self.register_waker(cx);
            self.poll_flush(cx)
        })
        .await
    }

    /// Sends everything, then reads once.
    ///
    /// # Errors
    /// See [`poll_flush_and_fill`](Self::poll_flush_and_fill).
    ///
    /// # Cancel safety
    /// Nothing is lost: what was read is in [`input`](Self::input).
    pub async fn flush_and_fill(&mut self, limit: usize) -> Result<Filled, WireError> {
        poll_fn(|cx| self.poll_flush_and_fill(cx, limit)).await
    }
}
