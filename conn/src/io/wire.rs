//! The stream to one client with its two buffers, under its timeouts.

use std::{
    any::Any,
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

/// The stream to one client with its two buffers, under its timeouts.
///
/// Reading fills [`input`](Self::input). Writing appends to [`output`](Self::output), and a flush sends it. A wire
/// that waits gives back the memory it does not need, and so does a wire that fails.
///
/// A wire is broken once its stream failed, the client did not take a reply in time, or the server aborted it. From
/// then on sending fails, and unsent bytes are discarded. After a timeout or an abort the stream is also
/// [reset](Self::abort), except when the server aborts a wire between replies: everything was sent, and the phase is
/// [`Phase::Idle`], [`Phase::Head`], [`Phase::Drain`] or [`Phase::Linger`]. Received bytes stay in
/// [`input`](Self::input).
///
/// The timeouts are those of the [`Connections`](crate::Connections) that admitted it. A wire made by
/// [`new`](Self::new) has none.
#[derive(Debug)]
pub struct Wire<S> {
    pub(super) io: S,
    /// Bytes received and not yet consumed.
    pub input: Buffer,
    /// Bytes to be sent.
    pub output: Output,
    /// Whether the client sent FIN.
    pub(super) ended: bool,
    /// Whether the stream took bytes that it has not passed on yet (TLS buffers records).
    unflushed: bool,
    /// Whether sending fails from now on. A broken wire is `unflushed` too, so that a flush takes the path that
    /// returns the error: the hot path tests one flag and not two.
    pub(super) broken: bool,
    pub(super) waits: EntryWait,
}

/// The result of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// This many bytes more (at least one).
    Bytes(usize),
    /// The client sends nothing more (FIN).
    End,
    /// Nothing was read: the buffer already holds as many bytes as allowed.
    Full,
}

impl<S> Wire<S> {
    /// A wire without timeouts, for a stream that no [`Connections`](crate::Connections) admitted.
    pub fn new(io: S) -> Self {
        Self {
            io,
            input: Buffer::new(),
            output: Output::new(),
            ended: false,
            unflushed: false,
            broken: false,
            waits: EntryWait::new(None),
        }
    }

    /// The wire of an admitted connection, which waits for its first head.
    pub(super) fn admitted(io: S, connection: ConnGuard) -> Self {
        let mut wire = Self { waits: EntryWait::new(Some(connection)), ..Self::new(io) };
        wire.enter(Phase::Head);
        wire
    }

    /// The connection's entry, if it has one.
    #[inline]
    pub fn connection(&self) -> Option<&Arc<Connection>> {
        self.waits.connection()
    }

    /// The handle of the request that was read last, if the connection has an entry.
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

    /// As [`ConnGuard::set_disconnected`]; nothing if the connection has no entry.
    pub fn set_disconnected(&self) {
        if let Some(connection) = self.connection() {
            connection.set_disconnected();
        }
    }

    /// Sets the phase: what the wire waits for from now on. Entering the current phase again changes nothing, so that
    /// the bytes of a head do not prolong its time.
    ///
    /// The time of the phase starts at the first wait, which is after everything was sent. Call
    /// [`clear_phase`](Self::clear_phase) before the next phase of the same kind (the next head, the next line):
    /// otherwise a client that pipelines has one limit for all of them together.
    #[inline]
    pub fn enter(&mut self, phase: Phase) {
        self.waits.enter(phase);
    }

    /// Ends the phase: no read can be late while a handler works, or between two messages.
    #[inline]
    pub fn clear_phase(&mut self) {
        self.waits.clear_phase();
    }

    /// Interrupts the wait for a body: the meter of its rate stands still until the next read. The time of the other
    /// phases runs on.
    pub fn pause(&mut self) {
        self.waits.pause();
    }

    /// Whether the client has sent all it will send (FIN).
    #[inline]
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether every byte was sent, and the stream has flushed.
    #[inline]
    fn is_sent(&self) -> bool {
        self.output.is_empty() && !self.unflushed
    }

    /// The stream, for what it can do beside sending and receiving. Do not read from it or write to it: the wire has bytes
    /// that come before.
    #[inline]
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.io
    }

    /// The same wire with another stream, which wraps this one.
    pub fn map_stream<T>(self, wrap: impl FnOnce(S) -> T) -> Wire<T> {
        let Self { io, input, output, ended, unflushed, broken, waits } = self;
        Wire { io: wrap(io), input, output, ended, unflushed, broken, waits }
    }

    /// Leaves a value for the observers of the request that was read last, as [`ActiveRequest::set_value`]. It is made only
    /// if there are any.
    pub fn leave_value(&self, value: impl FnOnce() -> Arc<dyn Any + Send + Sync>) {
        if let Some(connection) = self.connection() {
            connection.current.leave_value(value);
        }
    }

    /// The stream, the received bytes that were not consumed, and the bytes that were not sent.
    pub fn into_parts(self) -> (S, Buffer, Output) {
        (self.io, self.input, self.output)
    }

    /// Gives back the memory that a wait does not need.
    pub(super) fn release_memory(&mut self) {
        self.input.release_memory();
        self.output.release_memory();
    }
}

impl<S: Stream> Wire<S> {
    /// Registers the task to wake when the wire is late. The last call counts; a repeated call by the same task costs
    /// one comparison.
    #[inline]
    pub fn register_waker(&mut self, cx: &Context<'_>) {
        self.waits.register_waker(cx);
    }

    /// Makes the end of this connection a reset (RST) instead of an orderly close (FIN): a client cannot mistake half a
    /// reply for a whole one, and the kernel discards what the client did not take. See [`Stream::abort`].
    pub fn abort(&mut self) {
        self.io.abort();
    }

    /// Releases memory and returns pending, or the error of a wait that is over.
    pub(super) fn wait_for_bytes<T>(&mut self) -> Poll<Result<T, WireError>> {
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

    /// Applies an error to the wire: releases its memory, and breaks it if nothing can be sent any more. Every error of
    /// a wire passes through here.
    ///
    /// A handler may work long after its client has gone, and a client may do this on many connections. Such a wire
    /// holds neither a block to read into nor an unsent reply.
    #[cold]
    pub(super) fn fail(&mut self, error: impl Into<WireError>) -> WireError {
        let error = error.into();
        match &error {
            // No reset: the kernel may still have a whole reply to deliver, and a reset would discard it.
            WireError::Aborted if self.broken || (self.is_sent() && self.waits.is_between_replies()) => {
                self.shatter();
            }
            // A file that is too short: with a reset the client does not take the reply for whole.
            WireError::TimedOut(Phase::Reply) | WireError::Aborted | WireError::File(_) => {
                self.abort();
                self.shatter();
            }
            WireError::Io(_) => self.shatter(),
            WireError::TimedOut(_) => {} // not broken: a reply (408) can still be sent
        }
        self.release_memory();
        error
    }

    /// Breaks the wire: discards unsent bytes.
    fn shatter(&mut self) {
        (self.broken, self.unflushed) = (true, true);
        self.output = Output::new();
    }

    /// Sends everything, then reads once. Flush before you wait.
    ///
    /// # Errors
    /// See [`poll_flush`](Self::poll_flush) and [`poll_fill`](Self::poll_fill).
    #[inline]
    pub fn poll_flush_and_fill(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<Result<Filled, WireError>> {
        self.register_waker(cx);
        if !self.is_sent() {
            // While the client reads its reply it is not late with its next request.
            self.waits.wait_no_longer_for_bytes();
            ready!(self.poll_send(cx))?;
        }
        self.poll_fill(cx, limit)
    }

    /// Whether a failed read is the end of what the client sends.
    ///
    /// Many clients of TLS close without saying so before (close_notify), and the stream cannot tell that from an
    /// attacker who cut the connection. A message says by itself where it ends, so one that was cut is noticed. Streams
    /// that are not ours to understand, those of a wire without an entry and those that were handed over, keep the error.
    #[cold]
    pub(super) fn is_end(&self, error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::UnexpectedEof && self.connection().is_some()
    }

    /// Reads once, unless [`input`](Self::input) holds `limit` bytes already. A timeout wakes only a task that was
    /// [registered](Self::register_waker).
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
            Poll::Ready(Err(error)) if self.is_end(&error) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(self.fail(error))),
            Poll::Pending => return Poll::Pending,
        }
        // There was room to read into, so that zero bytes are the end (FIN) and not a full buffer.
        if n == 0 {
            self.ended = true;
            self.release_memory();
            return Poll::Ready(Ok(Filled::End));
        }
        self.input.commit(n);
        self.waits.arrived(n);
        Poll::Ready(Ok(Filled::Bytes(n)))
    }

    /// Sends everything in [`output`](Self::output), gathered into as few system calls as possible. A timeout wakes
    /// only a task that was [registered](Self::register_waker). A file is sent without copying if the stream can
    /// ([`Stream::poll_send_file`]), at most 256 KiB in a poll.
    ///
    /// # Errors
    /// [`WireError::TimedOut`] if the client does not take it in time, [`WireError::Io`] if the stream fails,
    /// [`WireError::File`] if a file cannot be read or became shorter.
    #[inline]
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WireError>> {
        if self.is_sent() { Poll::Ready(Ok(())) } else { self.poll_send(cx) }
    }

    /// Reads once, at most `limit` bytes, directly into the spare capacity of `into`: a large body does not pass through
    /// [`input`](Self::input). Consume what is in [`input`](Self::input) first, as it was received earlier.
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
        let read = pin!(self.io.read_buf(&mut limited)).poll(cx);
        let read = read.map(|read| read.or_else(|error| if self.is_end(&error) { Ok(0) } else { Err(error) }));
        match read {
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
        // Before the loop, so that the loop of the usual reply is the same as without files.
        #[cfg(feature = "sendfile")]
        if !self.output.is_plain() {
            match self.poll_send_files(cx) {
                Poll::Ready(Ok(())) => {}
                unsent => return unsent,
            }
        }
        while !self.output.is_empty() {
            let before = self.io.bytes_sent();
            let polled = if self.output.is_plain() {
                Pin::new(&mut self.io).poll_write(cx, self.output.first())
            } else {
                self.poll_write_pieces(cx)
            };
            match polled {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.fail(io::Error::from(io::ErrorKind::WriteZero)))),
                Poll::Ready(Ok(n)) => {
                    self.output.advance(n);
                    match before {
                        None => self.waits.taken(n),
                        Some(before) => self.sent_since(before),
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.fail(error))),
                Poll::Pending => {
                    before.into_iter().for_each(|before| self.sent_since(before));
                    return self.wait_for_room();
                }
            }
        }
        let before = self.io.bytes_sent();
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.unflushed = flushed.is_pending();
        before.into_iter().for_each(|before| self.sent_since(before));
        match flushed {
            Poll::Ready(Ok(())) => {
                // Ends the wait of a flush that moved no byte: the client is no longer waited for.
                self.waits.taken(0);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.fail(error))),
            Poll::Pending => self.wait_for_room(),
        }
    }

    /// Counts what the stream has passed on since it had passed on `before` bytes. What it keeps has not been taken by
    /// the client, and does not end the wait for it.
    pub(super) fn sent_since(&mut self, before: usize) {
        let n = self.io.bytes_sent().map_or(0, |now| now.wrapping_sub(before));
        if n > 0 {
            self.waits.taken(n);
        }
    }

    /// Writes the first pieces of the output, which are in memory: as many as one call takes.
    // Not inlined: a reply of one piece does not come here, and its path is shorter without.
    #[inline(never)]
    pub(super) fn poll_write_pieces(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let io = Pin::new(&mut self.io);
        if io.is_write_vectored() {
            self.output.gather(|slices| io.poll_write_vectored(cx, slices))
        } else {
            io.poll_write(cx, self.output.first())
        }
    }

    /// Fails if this wire is past its deadline or aborted. For the serving task, while a body uses the wire.
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
    /// Cancel safe: unsent bytes stay in [`output`](Self::output).
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
    /// Cancel safe: unsent bytes stay in [`output`](Self::output), bytes read stay in [`input`](Self::input).
    pub async fn flush_and_fill(&mut self, limit: usize) -> Result<Filled, WireError> {
        poll_fn(|cx| self.poll_flush_and_fill(cx, limit)).await
    }
}
