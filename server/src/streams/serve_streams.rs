//! The loop of a connection of HTTP/2, with the names of Go's `http2.serverConn` at the right.

use std::{
    future::poll_fn,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
};

use http::Method;
use quintet_conn::{State, Wire};
use quintet_listener::Stream;
use quintet_mux::Handler;
use quintet_request::{CloseReason, Incoming, Request, ResetReason, Streams, route};
use tokio::task::yield_now;

use super::{
    serve_stream::{refuse_stream, serve_stream},
    work::{Runner, Work},
};
use crate::{
    ended::Ended,
    sampling::{Sampling, note_refusal},
    served::{Refusal, StreamNote, is_observed, observe_wire},
    shared::Shared,
};

/// Serves one connection of HTTP/2 until it closes. Go: `(*http2.serverConn).serve`.
///
/// This task reads and writes the connection. Each request has a task of its own, which calls the handler and makes the
/// reply; its frames are sent here.
pub(crate) async fn serve_streams<H: Handler, S: Stream>(server: Arc<Shared<H>>, connection: Ended, wire: Wire<S>) {
    // Go: readPreface
    // Boxed, as the close below: both would keep room for another copy of the connection while it is idle.
    let handshake = Box::pin(Streams::handshake(wire, Arc::clone(&server.limits), &server.config.http2));
    let mut streams = match handshake.await {
        Ok(streams) => streams,
        Err(error) => return connection.set_close_reason(error.close_reason()),
    };
    let work = Work::new(server, connection);
    let (mut runner, mut served, mut waiting) = (Runner::new(), 0, None);
    while let Some(incoming) =
        poll_fn(|cx| poll_next(&mut streams, &work, &mut runner, &mut waiting, served > 0, cx)).await
    {
        if runner.is_turn_over() {
            give_way(&mut streams, &mut runner).await;
        }
        served += 1;
        work.connection.set_state(State::Active); //                     Go: setConnState(StateActive)
        if let Some(reason) = work.server.last_reason(&work.connection, served, false) {
            streams.graceful_shutdown(reason); //                        Go: startGracefulShutdown
        }
        let mut place = work.take_place();
        match incoming {
            Incoming::Request(mut request, reply) => {
                place.note = note(&streams, &mut request);
                place.sampling = Sampling::begin(&work.server, &mut request);
                // Go: go sc.runHandler
                runner.run(Box::pin(serve_stream(place, request, reply))).await;
            }
            Incoming::Refused { error, method, reply } => {
                place.note = note_refused(&streams, Refusal::Head(error), &method);
                runner.run(Box::pin(refuse_stream(place, error, method, reply))).await;
            }
        }
    }
    Box::pin(close_streams(streams, work)).await;
}

/// The note of a request, if the connection is observed.
#[inline(always)]
fn note<S: Stream>(streams: &Streams<S>, request: &mut Request) -> Option<Box<StreamNote>> {
    if !is_observed::<S>() {
        return None;
    }
    route::watch(request);
    let mut note = None;
    observe_wire(&mut streams.wire(), |notes, _| note = Some(notes.stream(request)));
    note
}

/// The note of a refused head, if the connection is observed.
#[inline(always)]
fn note_refused<S: Stream>(streams: &Streams<S>, refusal: Refusal, method: &Method) -> Option<Box<StreamNote>> {
    let mut note = None;
    if is_observed::<S>() {
        observe_wire(&mut streams.wire(), |notes, _| note = Some(notes.refuse_stream(refusal, method)));
    }
    note
}

/// The next request for which there is a place (Go: `scheduleHandler`, `curHandlers < advMaxStreams`). `None` when the
/// connection has ended.
fn poll_next<H, S: Stream>(
    streams: &mut Streams<S>,
    work: &Arc<Work<H>>,
    runner: &mut Runner,
    waiting: &mut Option<Box<Incoming>>,
    is_used: bool,
    cx: &mut Context<'_>,
) -> Poll<Option<Incoming>> {
    work.unpark();
    loop {
        if let Some(reason) = close_reason(work, is_used) {
            streams.graceful_shutdown(reason);
        }
        let at_work = work.at_work();
        let ended = if is_observed::<S>() { work.ended.len() } else { 0 };
        let polled = if work.is_full(at_work) {
            poll_full(streams, work, waiting, at_work, cx).map(|()| None)
        } else {
            match waiting.take() {
                Some(incoming) => return Poll::Ready(Some(*incoming)),
                None => streams.poll_next(cx, at_work),
            }
        };
        if polled.is_ready() {
            return polled;
        }
        if ended > 0 && !streams.is_full() {
            // The frames that were queued before this turn are in the output now, or sent.
            let ended = work.ended.take(ended);
            observe_wire(&mut streams.wire(), |notes, unsent| {
                ended.into_iter().for_each(|note| notes.end_stream(note, Some(unsent)));
            });
        }
        runner.begin_turn();
        if at_work == 0 {
            work.connection.set_state(State::Idle); //                   Go: setConnState(StateIdle)
        }
        if work.park(at_work) {
            return Poll::Pending;
        }
    }
}

/// Yields to the other tasks of the thread, after sending what the client takes at once; see `fair.rs`.
#[cold]
async fn give_way<S: Stream>(streams: &mut Streams<S>, runner: &mut Runner) {
    poll_fn(|cx| {
        streams.flush_ready(cx);
        Poll::Ready(())
    })
    .await;
    yield_now().await;
    runner.begin_turn();
}

/// The reason why the connection takes no new requests although none asks for it. `is_used`: it had a request.
fn close_reason<H>(work: &Work<H>, is_used: bool) -> Option<CloseReason> {
    if work.is_asked_to_close() {
        return Some(CloseReason::HandlerAsked);
    }
    // A new connection in the delay before a shutdown is told with its first request, as on HTTP/1.1: HAProxy has that
    // request in hand while it connects, and answers it 503 if the GOAWAY comes first.
    let is_early = !is_used && !work.connection.is_stopping();
    work.connection.retirement().filter(|_| !is_early).map(CloseReason::from)
}

/// Drives the connection while as many handlers are at work as may be. Ready when it has ended.
///
/// One request waits here for a place. If none is freed in the time of a head, it and those behind it are refused, and
/// the client may send them again elsewhere: handlers that go on after their clients have reset the requests would
/// otherwise block the connection for ever.
#[cold]
fn poll_full<H, S: Stream>(
    streams: &mut Streams<S>,
    work: &Work<H>,
    waiting: &mut Option<Box<Incoming>>,
    at_work: usize,
    cx: &mut Context<'_>,
) -> Poll<()> {
    loop {
        let mut incoming = match waiting.take() {
            Some(incoming) => incoming,
            None => match streams.poll_next(cx, at_work) {
                Poll::Ready(Some(incoming)) => Box::new(incoming),
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            },
        };
        let is_over = incoming.reply_mut().poll_place(cx).is_ready();
        // One that its client has reset waits no longer. The time of those behind it is not over.
        if is_over && incoming.reply_mut().is_gone() {
            continue;
        }
        *waiting = Some(incoming);
        if is_over {
            break;
        }
        return streams.poll_drive(cx, at_work);
    }
    let mut next = waiting.take().map(|incoming| *incoming);
    loop {
        if let Some(mut incoming) = next {
            if let Some(note) = note_without_place(streams, &mut incoming) {
                work.end_stream(*note);
            }
            incoming.into_reply().reset(ResetReason::Refused);
            work.server.stats.streams_refused_counter().fetch_add(1, Relaxed);
            note_refusal(&work.server, Refusal::NoPlace);
        }
        next = match streams.poll_next(cx, at_work) {
            Poll::Ready(Some(incoming)) => Some(incoming),
            Poll::Ready(None) => return Poll::Ready(()),
            Poll::Pending => return Poll::Pending,
        }
    }
}

/// The note of a request that is refused because there is no place for its handler, if the connection is observed.
fn note_without_place<S: Stream>(streams: &Streams<S>, incoming: &mut Incoming) -> Option<Box<StreamNote>> {
    let mut note = match incoming {
        Incoming::Request(request, _) => note(streams, request)?,
        Incoming::Refused { method, .. } => note_refused(streams, Refusal::NoPlace, method)?,
    };
    note.refuse(Refusal::NoPlace);
    Some(note)
}

/// Closes a connection of HTTP/2: tells the handlers that are still at work, and lingers, so that the client reads the
/// GOAWAY.
///
/// # Cancel safety
/// Not cancel safe: the linger ends.
async fn close_streams<H, S: Stream>(streams: Streams<S>, work: Arc<Work<H>>) {
    work.connection.set_close_reason(streams.close_reason().unwrap_or(CloseReason::ClientClosed));
    let is_failed = streams.is_failed();
    if is_observed::<S>() {
        observe_wire(&mut streams.wire(), |notes, unsent| {
            let unsent = (!is_failed).then_some(unsent);
            work.ended.close().into_iter().for_each(|note| notes.end_stream(note, unsent));
        });
    }
    let mut wire = streams.into_wire();
    work.connection.set_disconnected();
    if !is_failed {
        let _ = wire.linger(work.server.config.max_linger_bytes).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quintet_listener::AnyStream;
    use quintet_mux::ServeMux;

    fn size<H, S, F>(_: impl Fn(Arc<Shared<H>>, Ended, Wire<S>) -> F) -> usize {
        size_of::<F>()
    }

    /// It is hardly more than the connection of the library, which is most of `Streams`.
    #[test]
    fn the_task_of_an_http2_connection_is_its_streams_and_1_kib() {
        let (size, streams) = (size(serve_streams::<ServeMux, AnyStream>), size_of::<Streams<AnyStream>>());
        assert!(size <= streams + 1024, "{size} bytes, {streams} of them the streams");
    }
}
