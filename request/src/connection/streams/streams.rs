//! A connection of HTTP/2 seen as many requests at once.

use std::{
    fmt,
    future::{Future, poll_fn},
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use h2::{
    Reason, RecvStream,
    server::{Builder, Connection, SendResponse},
};
use http::request::Parts;
use quintet_conn::{Phase, Pipe, Tick, Wire, WireError};
use quintet_listener::Stream;

use super::{
    alarm::Alarm,
    incoming::Incoming,
    pings::{Due, Pings},
    reset_meter::ResetMeter,
    serving::Serving,
    stream_reply::StreamReply,
    streams_error::StreamsError,
    turn_waker::TurnWaker,
};
use crate::{
    Body, CloseReason, Framing, Http2Config, Limits, Request,
    body::received_body::{BodyReader, ReceivedBody, give_back},
};

/// The bytes of the preface and of the shortest SETTINGS frame: the client has then said all that begins a connection.
const PREFACE_BYTES: u64 = 24 + 9;
/// The GOAWAY for a client that sent no preface: PROTOCOL_ERROR, and no stream was processed.
const NO_PREFACE: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// The largest window, and the range of the size of a frame. RFC 9113 §6.9.1, §4.2.
const MAX_WINDOW: u32 = (1 << 31) - 1;
const MIN_FRAME: u32 = 1 << 14;
const MAX_FRAME: u32 = (1 << 24) - 1;
/// The least window of a connection. RFC 9113 §6.9.2.
const MIN_CONNECTION_WINDOW: u32 = (1 << 16) - 1;

/// A connection of HTTP/2 as many requests at once. Each comes with the handle of its reply, and may be answered in any
/// task and in any order.
///
/// ```text
///              ╭── poll_next ──▶ Request + StreamReply ──▶ a task ──▶ head, data, trailers ──╮
///  Wire ──▶ Streams ◀───────────────────────── frames that wait to be sent ◀─────────────────╯
///              ╰── poll_drive: the same, accepting nothing (enough handlers are at work)
/// ```
///
/// One task polls it, which drives all streams of the connection: it reads frames, and sends those of the replies. It
/// takes all requests that wait before it sends a byte, and sends all that is to be sent in one write
/// ([`Pipe`]). Before that it wakes itself once if requests are in progress in other tasks: those
/// that are ready run first, and their frames leave in the same write.
///
/// The requests are those of HTTP/1.1 ([`Requests`](crate::Requests)): the same rules for heads, the same bodies,
/// timeouts and trailers. A client that resets a request is told to its handler, which goes on.
pub struct Streams<S: Stream> {
    h2: Connection<Pipe<S>, Bytes>,
    pipe: Pipe<S>,
    limits: Arc<Limits>,
    /// `None` on a wire without an entry: nothing is late.
    alarm: Option<Alarm>,
    pings: Pings,
    turn: TurnWaker,
    /// The streams that clients reset since the last turn.
    resets: Arc<AtomicU32>,
    meter: ResetMeter,
    /// Why the connection takes no new requests, and until when those on their way are served.
    closing: Option<(CloseReason, Option<Tick>)>,
    /// Why the connection ends, once that is decided.
    ended: Option<CloseReason>,
    /// Whether the wire has failed: no frame can be sent or read.
    failed: bool,
    /// Whether the task has woken itself, so that others run before the bytes are sent.
    yielded: bool,
}

impl<S: Stream> Streams<S> {
    /// Begins a connection of HTTP/2: sends our SETTINGS and reads the preface, within the time of a head. Nothing of the
    /// preface may have been consumed from the wire's [`input`](Wire::input).
    ///
    /// A value of `config` outside the range that HTTP/2 allows counts as the nearest one.
    ///
    /// # Errors
    /// [`StreamsError`] if the client sends no preface in time. For other bytes it is sent a GOAWAY; close the connection.
    ///
    /// # Cancel safety
    /// Not cancel safe: the wire is lost.
    ///
    /// # Spec
    /// RFC 9113 §3.4. Go: `(*serverConn).readPreface`.
    pub async fn handshake(mut wire: Wire<S>, limits: Arc<Limits>, config: &Http2Config) -> Result<Self, StreamsError> {
        wire.enter(Phase::Head);
        let alarm = wire.child().map(|guard| Alarm::new(guard.uncounted()));
        let pipe = wire.into_pipe();
        let mut handshake = Box::pin(builder(config).handshake(pipe.clone()));
        let h2 = poll_fn(|cx| {
            pipe.wire().register_waker(cx);
            match handshake.as_mut().poll(cx) {
                Poll::Ready(Ok(h2)) => Poll::Ready(Ok(h2)),
                Poll::Ready(Err(error)) => {
                    let error = refused(&error);
                    if matches!(error, StreamsError::Preface) {
                        let mut wire = pipe.wire();
                        wire.output.extend(&NO_PREFACE);
                        let _ = wire.poll_flush(cx); // what does not leave at once is not worth a wait
                    }
                    Poll::Ready(Err(error))
                }
                Poll::Pending => match wait(&pipe, cx) {
                    Ok(()) => Poll::Pending,
                    Err(error) => Poll::Ready(Err(StreamsError::Wire(error))),
                },
            }
        })
        .await?;
        Ok(Self {
            h2,
            pipe,
            limits,
            alarm,
            pings: Pings::new(config),
            turn: TurnWaker::new(),
            resets: Arc::default(),
            meter: ResetMeter::new(config.max_resets, config.resets_per_second),
            closing: None,
            ended: None,
            failed: false,
            yielded: false,
        })
    }

    /// The next request that waits, or a refused head. Drives all streams; `at_work` is the number of requests that are
    /// in progress, and decides which timeouts run. Pending: no request waits, and all bytes were sent that the client
    /// takes. `None`: the connection has ended ([`close_reason`](Self::close_reason)), and all its requests are reset.
    pub fn poll_next(&mut self, cx: &mut Context<'_>, at_work: usize) -> Poll<Option<Incoming>> {
        self.pipe.wire().register_waker(cx);
        loop {
            if self.failed {
                return Poll::Ready(None);
            }
            self.turn.begin(cx);
            match self.h2.poll_accept(&mut Context::from_waker(self.turn.waker())) {
                Poll::Ready(Some(Ok((request, send)))) => {
                    if let Some(incoming) = self.accept(request, send) {
                        return Poll::Ready(Some(incoming));
                    }
                }
                Poll::Ready(end) => {
                    self.end(end.and_then(Result::err).as_ref());
                    return Poll::Ready(None);
                }
                Poll::Pending if self.end_turn(cx, at_work) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Drives all streams without taking a request, while as many handlers are at work as may be. The arguments are
    /// those of [`poll_next`](Self::poll_next); ready when the connection has ended.
    pub fn poll_drive(&mut self, cx: &mut Context<'_>, at_work: usize) -> Poll<()> {
        self.pipe.wire().register_waker(cx);
        loop {
            if self.failed {
                return Poll::Ready(());
            }
            self.turn.begin(cx);
            match self.h2.poll_closed(&mut Context::from_waker(self.turn.waker())) {
                Poll::Ready(end) => {
                    self.end(end.err().as_ref());
                    return Poll::Ready(());
                }
                Poll::Pending if self.end_turn(cx, at_work) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Sends what the client takes at once, before the task yields to others; accepts nothing and waits for nothing. An
    /// error is found by the next [`poll_next`](Self::poll_next).
    pub fn flush_ready(&mut self, cx: &mut Context<'_>) {
        if !self.failed {
            self.turn.begin(cx);
            let _ = self.h2.poll_closed(&mut Context::from_waker(self.turn.waker()));
            let _ = self.pipe.poll_send(cx);
        }
    }

    /// Takes no new requests (GOAWAY), for this reason. Those in progress are served, and so are those that the client
    /// has sent before it reads the GOAWAY, if they arrive within [`Timeouts::drain`](quintet_conn::Timeouts::drain);
    /// later ones are refused, and may be sent again on another connection. Then the connection ends. The first reason
    /// stays.
    ///
    /// # Spec
    /// RFC 9113 §6.8. Go: `(*serverConn).startGracefulShutdown`.
    pub fn graceful_shutdown(&mut self, reason: CloseReason) {
        if self.closing.is_none() {
            let until = self.alarm.as_ref().and_then(|alarm| alarm.guard().limits().end(Phase::Drain, alarm.now()));
            self.closing = Some((reason, until));
            self.h2.graceful_shutdown();
        }
    }

    /// The reason for which the connection takes no new requests, if it does not.
    pub fn closing(&self) -> Option<CloseReason> {
        self.closing.map(|(reason, _)| reason)
    }

    /// The reason why the connection ends, or has ended.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.ended.or(self.closing())
    }

    /// Whether the wire has failed, so that nothing can be sent.
    pub fn is_failed(&self) -> bool {
        self.failed
    }

    /// Access to the wire, to look at its stream. Drop the guard before the connection is polled.
    pub fn wire(&self) -> MutexGuard<'_, Wire<S>> {
        self.pipe.wire()
    }

    /// Whether frames may wait behind those that are in the wire's [`output`](Wire::output), as that is full.
    pub fn is_full(&self) -> bool {
        self.pipe.is_full()
    }

    /// Takes the wire, to close it. All requests in progress are reset.
    pub fn into_wire(self) -> Wire<S> {
        let Self { h2, pipe, .. } = self;
        drop(h2);
        pipe.into_wire().expect("the other clone of the pipe was dropped with the connection of h2")
    }

    /// Takes a request. `None` if it needs no reply: the client has reset it already, or it is refused.
    fn accept(&mut self, request: http::Request<RecvStream>, mut send: SendResponse<Bytes>) -> Option<Incoming> {
        let late = self
            .closing
            .and_then(|(_, until)| until)
            .is_some_and(|until| self.alarm.as_ref().is_some_and(|alarm| until <= alarm.now()));
        if late {
            send.send_reset(Reason::REFUSED_STREAM);
            return None;
        }
        let (parts, mut stream) = request.into_parts();
        let ended = stream.is_end_stream();
        let mut first = None;
        if !ended {
            // What has arrived already: a small body is then in memory, without a lock for each piece. A request that was
            // reset is found here too, as its stream is not at its end.
            match stream.poll_data(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Some(Ok(data))) => first = Some(data),
                Poll::Ready(Some(Err(_))) => {
                    self.resets.fetch_add(1, Relaxed);
                    return None;
                }
                Poll::Ready(None) | Poll::Pending => {}
            }
        }
        Some(self.request(&parts, ended, stream, first, send))
    }

    fn request(
        &self,
        parts: &Parts,
        ended: bool,
        mut stream: RecvStream,
        first: Option<Bytes>,
        send: SendResponse<Bytes>,
    ) -> Incoming {
        let guard = self.pipe.wire().child();
        // The memory of a connection's last requests: the number of a child is small and reused.
        let number = guard.as_ref().map_or(0, |guard| guard.connection().slot() + guard.slot());
        let mut request = Request::blank(number);
        let mut serving = Serving::new(guard, Arc::clone(&self.resets));
        if let Err(error) = request.head_mut().fill(parts, ended, &self.limits) {
            if let Some(first) = &first {
                give_back(&mut stream, first);
            }
            let reply = StreamReply::new(send, serving);
            return Incoming::Refused { error, method: parts.method.clone(), reply };
        }
        let active = serving.active();
        if !ended {
            match first {
                Some(data) if stream.is_end_stream() => {
                    give_back(&mut stream, &data); // taken
                    *request.body_mut() = data.into();
                }
                first => {
                    let expects = first.is_none() && request.head().expects_continue();
                    let left = match request.head().framing() {
                        Framing::Length(length) => Some(length),
                        _ => None,
                    };
                    let expects = active.clone().filter(|_| expects);
                    let body = Arc::new(ReceivedBody::new(stream, first, left, expects, &self.limits));
                    request.set_trailers(Some(body.trailers()));
                    serving.set_body(Arc::clone(&body));
                    *request.body_mut() = Body::received(BodyReader(body));
                }
            }
        }
        request.set_active(active);
        Incoming::Request(request, StreamReply::new(send, serving))
    }

    /// Ends a turn: sends what waits, and times the waits in progress. `true` if there is more to do for the library.
    fn end_turn(&mut self, cx: &mut Context<'_>, at_work: usize) -> bool {
        let resets = self.resets.swap(0, Relaxed);
        if resets > 0 {
            let now = self.alarm.as_ref().map_or(Tick::START, Alarm::now);
            if !self.meter.count(resets, now) {
                self.goodbye(CloseReason::ExcessiveLoad, Reason::ENHANCE_YOUR_CALM);
                return true;
            }
        }
        if at_work > 0 && !self.yielded && !self.pipe.wire().output.is_empty() {
            // To the back of the queue: other tasks of this connection that are ready run first, and their frames leave
            // in the same write. On a multi-threaded runtime this task would otherwise run after each of them.
            self.yielded = true;
            self.turn.suspend();
            cx.waker().wake_by_ref();
            return false;
        }
        self.yielded = false;
        self.enter_phase(at_work);
        if let Err(error) = wait(&self.pipe, cx) {
            return self.late(&error);
        }
        (at_work > 0 && self.ping(cx)) || !self.turn.end()
    }

    /// Sets the phase of the wire: what the server waits for its client to do.
    fn enter_phase(&self, at_work: usize) {
        let mut wire = self.pipe.wire();
        if at_work > 0 || self.ended.is_some() {
            wire.clear_phase();
        } else if self.closing.is_some() {
            wire.enter(Phase::Drain);
        } else if self.pipe.received() < PREFACE_BYTES {
            wire.enter(Phase::Head);
        } else {
            // Entered again in each turn, which changes nothing: a PING does not prolong the time.
            wire.enter(Phase::Idle);
        }
    }

    /// The wire is late, aborted or failed. `true` if there is more to do for the library.
    fn late(&mut self, error: &WireError) -> bool {
        if let WireError::TimedOut(Phase::Idle | Phase::Head | Phase::Drain) = error {
            match (self.closing(), self.asked_to_end()) {
                // The wait ended early and is not late. A handler that has left its place may be about to queue its
                // reply, in another thread: what is in progress is served.
                (None, Some(reason)) => self.graceful_shutdown(reason),
                (closing, _) => self.goodbye(closing.unwrap_or(error.into()), Reason::NO_ERROR),
            }
            return true;
        }
        self.ended.get_or_insert(error.into());
        self.failed = true;
        true
    }

    /// Why the server ends this connection early, if it does: a wait for the client's first byte is then over at once.
    fn asked_to_end(&self) -> Option<CloseReason> {
        let wire = self.pipe.wire();
        let connection = wire.connection()?;
        connection.retirement().map(CloseReason::from)
    }

    /// Ends the connection with a GOAWAY, and resets the requests in progress.
    fn goodbye(&mut self, reason: CloseReason, code: Reason) {
        self.ended.get_or_insert(reason);
        self.h2.abrupt_shutdown(code);
    }

    /// Sends a PING if the client is silent for long. `true` if there is more to do for the library.
    fn ping(&mut self, cx: &mut Context<'_>) -> bool {
        // Once only: the GOAWAY of a connection that has ended may wait for its client, while handlers are at work.
        let Some(alarm) = self.alarm.as_mut().filter(|_| self.ended.is_none()) else { return false };
        // A client that reads slowly answers a PING only after all that it has not read yet. What it takes tells as well.
        let heard = self.pipe.received().wrapping_add(self.pipe.taken());
        match self.pings.turn(alarm, heard, cx) {
            Due::Nothing => return false,
            Due::Ping => self.pings.send(cx, || self.h2.ping_pong()),
            Due::End => self.goodbye(CloseReason::PingTimeout, Reason::NO_ERROR),
        }
        true
    }

    /// The library's connection has ended.
    fn end(&mut self, error: Option<&h2::Error>) {
        let reason = match error {
            None => self.closing().unwrap_or(CloseReason::ClientClosed),
            Some(error) if error.is_io() => CloseReason::Io,
            Some(error) if error.reason() == Some(Reason::ENHANCE_YOUR_CALM) && error.is_library() => {
                CloseReason::ExcessiveLoad
            }
            Some(_) => CloseReason::ProtocolError,
        };
        self.ended.get_or_insert(reason);
    }
}

/// Sends what waits; then begins or continues the wait of the phase, if all was sent. While the client reads it is not
/// late with anything else.
fn wait<S: Stream>(pipe: &Pipe<S>, cx: &mut Context<'_>) -> Result<(), WireError> {
    match pipe.poll_send(cx) {
        Poll::Ready(Ok(())) => pipe.wire().wait(),
        Poll::Ready(Err(error)) => Err(error),
        Poll::Pending => Ok(()),
    }
}

/// The settings of the library, in the ranges that HTTP/2 allows: it panics on others.
fn builder(config: &Http2Config) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(config.max_concurrent_streams.max(1))
        .max_header_list_size(config.max_header_list_size)
        .max_frame_size(config.max_read_frame_size.clamp(MIN_FRAME, MAX_FRAME))
        .initial_window_size(config.max_receive_buffer_per_stream.min(MAX_WINDOW))
        .initial_connection_window_size(
            config.max_receive_buffer_per_connection.clamp(MIN_CONNECTION_WINDOW, MAX_WINDOW),
        )
        .max_send_buffer_size(config.max_send_buffer_per_stream.clamp(1, MAX_WINDOW as usize))
        .max_pending_accept_reset_streams(config.max_pending_accept_resets)
        .max_local_error_reset_streams(Some(config.max_local_resets));
    builder
}

/// Why the preface was not read.
fn refused(error: &h2::Error) -> StreamsError {
    match error.get_io() {
        None => StreamsError::Preface,
        Some(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => StreamsError::UnexpectedEof,
        Some(io) => StreamsError::Wire(WireError::Io(io.kind().into())),
    }
}

impl<S: Stream> fmt::Debug for Streams<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").field("close_reason", &self.close_reason()).finish_non_exhaustive()
    }
}
