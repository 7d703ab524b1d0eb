//! The end of a connection: close, refuse, or hand over to another protocol.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use http::StatusCode;
use quintet_conn::{ConnGuard, State, WireError};
use quintet_listener::{Abortable, Stream};
use quintet_mux::{Response, Upgrade, Upgraded};
use quintet_request::{CloseReason, Exchange, Next, Requests, RequestsError};

use crate::{
    config::Refused,
    dispatch::panicked,
    respond::{finish_reply, write},
    sampling::note_refusal,
    served::{Refusal, finish, finish_wire, is_observed, observe},
    shared::Shared,
    watched_stream::WatchedStream,
};

/// Closes a connection as its exchange decided: with a reset, at once, or with a linger after the last reply.
///
/// To linger: the server sends FIN, and reads until the client sends FIN too, for up to
/// [`Timeouts::linger`](crate::Timeouts::linger) and [`Config::max_linger_bytes`](crate::Config::max_linger_bytes).
/// Without it, bytes of the client that arrive after the close make the kernel reset the connection, and a reset can
/// destroy the reply before the client has read it. Such bytes may always be on their way: an empty line after a body, or
/// a pipelined request of a client that did not expect this reply to be the last. RFC 9112 §9.6. Go lingers only if it
/// left a body unread (`closeWriteAndWait`).
///
/// The close reason is that of the exchange, unless the server cuts off the last reply: by a timeout or an abort, or
/// because a file became shorter. A client that disconnects while the last reply is sent does not change the reason.
///
/// # Cancel safety
/// Not cancel safe: unsent bytes of the reply are lost.
pub(crate) async fn close<H, S: Stream>(
    server: &Shared<H>,
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    next: Next,
    mut reason: Option<CloseReason>,
) {
    if is_observed::<S>() {
        requests.reclaim(); // tells how much of the request's body was received
        finish(connection, requests, next, reason);
    }
    if next == Next::Reset {
        requests.wire().abort();
    }
    let mut flushed = false;
    if next == Next::Linger {
        match requests.reclaim().flush().await {
            Ok(()) => flushed = true,
            Err(error @ (WireError::TimedOut(_) | WireError::Aborted | WireError::File(_))) => {
                reason = Some(CloseReason::from(&error));
            }
            Err(_) => {}
        }
    }
    if let Some(reason) = reason {
        connection.set_close_reason(reason);
    }
    if !flushed {
        return;
    }
    let wire = requests.reclaim();
    // After the FIN of the client no more bytes arrive, so nothing can cause a reset: no linger is needed.
    if !wire.is_ended() {
        let _ = Box::pin(wire.linger(server.config.max_linger_bytes)).await;
    } else if wire.connection().is_some_and(|connection| connection.tls().is_some()) {
        // A client that has sent all it will send cannot be answered by a reset. But over TLS the end of a reply is no
        // end without close_notify, and this reply may be one that ends with the connection.
        let _ = Box::pin(wire.half_close()).await;
    }
}

/// Closes a connection between two requests. Over TLS the client is told (close_notify), so that it does not take the end
/// for a cut (RFC 8446 §6.1); without, the close says it.
pub(crate) async fn close_idle<S: Stream>(
    connection: &ConnGuard,
    requests: &mut Requests<S>,
) -> (Next, Option<CloseReason>) {
    let reason = requests.close_reason();
    if connection.tls().is_some() && !connection.is_aborted() {
        let _ = Box::pin(requests.reclaim().half_close()).await;
    }
    (Next::End, reason)
}

/// Answers a refused client; returns how the connection closes, and why. Go: the error replies of `(*conn).serve`.
///
/// # Cancel safety
/// Not cancel safe: the reply is lost.
pub(crate) async fn refuse<H, S: Stream>(
    server: &Shared<H>,
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    error: RequestsError,
) -> (Next, Option<CloseReason>) {
    let reason = error.close_reason();
    let Some(status) = error.status() else { return (Next::End, Some(reason)) };
    if let Some(refusal) = Refusal::of(&error) {
        observe(requests, |notes, _| notes.refuse(refusal));
        note_refusal(server, refusal);
    }
    let own = server.observer.refused(&Refused { connection, error: &error, status });
    let mut response = own.unwrap_or_else(|| plain(status, &error));
    if response.take_upgrade().is_some() {
        response = plain(status, &error); // the request could not be read, so no protocol was agreed on
    }
    if response.is_abort() {
        let _ = requests.reclaim().flush().await;
        return (Next::End, Some(reason));
    }
    let mut exchange = Exchange::refused(requests.wire().input.filled(), reason);
    if let Some(rest) = write(server, connection, requests, &mut exchange, response) {
        finish_reply(server, connection, requests, &mut exchange, rest).await;
    }
    (exchange.finish(), exchange.close_reason())
}

fn plain(status: StatusCode, error: &RequestsError) -> Response {
    Response::text(status, format_args!("{status}: {error}"))
}

/// Runs the other protocol on a connection, which is counted until that protocol ends. Go: `(*conn).hijackLocked`.
///
/// # Cancel safety
/// Not cancel safe: the other protocol is dropped.
pub(crate) async fn hijack<H, S: Stream>(
    server: &Shared<H>,
    connection: &ConnGuard,
    requests: Requests<S>,
    upgrade: Upgrade,
) {
    let mut wire = requests.into_wire();
    finish_wire(connection, &mut wire, Next::TakeOver, Some(CloseReason::Takeover));
    let mut sent = wire.flush().await;
    // The timeouts of HTTP do not apply to the other protocol.
    wire.clear_phase();
    if sent.is_ok() {
        sent = wire.check();
    }
    if let Err(error) = sent {
        return connection.set_close_reason(CloseReason::from(&error));
    }
    connection.set_close_reason(CloseReason::Takeover);
    connection.set_state(State::Hijacked);
    let (io, mut input, _) = wire.into_parts();
    let (io, handle) = Abortable::new(io);
    let (io, end) = WatchedStream::new(io);
    let mut other = pin!(upgrade.run(Upgraded::new(Box::new(io), input.take(), Some(connection.active()))));
    let mut ended = pin!(end.wait());
    let mut is_gone = false;
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| other.as_mut().poll(cx))) {
        Ok(Poll::Pending) if connection.is_aborted() => {
            handle.abort(); // the protocol is cut in the middle: a FIN would look like its end
            Poll::Ready(())
        }
        Ok(Poll::Pending) => {
            // After the protocol, which may have met the end just now. It is woken by this if it waits for it.
            if !is_gone && ended.as_mut().poll(cx).is_ready() {
                is_gone = true;
                connection.set_disconnected();
            }
            Poll::Pending
        }
        Ok(polled) => polled,
        Err(payload) => {
            panicked(server, connection, payload);
            Poll::Ready(())
        }
    })
    .await;
}
