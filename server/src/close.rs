//! How a connection ends: closed, refused, or handed over.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use http::StatusCode;
use quintet_conn::{ConnGuard, State};
use quintet_listener::{Abortable, Stream};
use quintet_mux::{Response, Upgrade, Upgraded};
use quintet_request::{CloseReason, Exchange, Next, Requests, RequestsError};

use crate::{
    config::Refused,
    dispatch::panicked,
    respond::{finish, write},
    shared::Shared,
};

/// Closes a connection as its exchange says: with a reset, at once, or, after its last reply, in order. Then it says
/// that nothing more comes (FIN) and reads until the client says the same, for up to [`Timeouts::linger`](crate::Timeouts::linger) and
/// [`Config::max_linger_bytes`](crate::Config::max_linger_bytes).
///
/// What the client has still sent would otherwise make the kernel reset the connection, and a reset can take away the
/// reply before the client has read it. It may be on its way however little was asked for: an empty line behind a body,
/// the next request of a client that did not expect this reply to be the last. RFC 9112 §9.6. Go lingers only if it
/// left a body unread (`closeWriteAndWait`).
pub(crate) async fn close<H, S: Stream>(server: &Shared<H>, requests: &mut Requests<S>, next: Next) {
    match next {
        Next::Linger => {}
        Next::Reset => return requests.wire().abort(),
        _ => return,
    }
    let wire = requests.reclaim();
    if wire.flush().await.is_err() {
        return;
    }
    if !wire.is_ended() {
        let _ = Box::pin(wire.linger(server.config.max_linger_bytes)).await;
    } else if wire.connection().is_some_and(|connection| connection.tls().is_some()) {
        // A client that has sent all it will send cannot be answered by a reset. But over TLS the end of a reply is no
        // end without close_notify, and this reply may be one that ends with the connection.
        let _ = Box::pin(wire.half_close()).await;
    }
}

/// Leaves a connection between two requests. Over TLS the client is told (close_notify), so that it does not take the end
/// for a cut (RFC 8446 §6.1); without, the close says it.
pub(crate) async fn part<S: Stream>(connection: &ConnGuard, requests: &mut Requests<S>) -> (Next, Option<CloseReason>) {
    let reason = requests.close_reason();
    if connection.tls().is_some() && !connection.is_aborted() {
        let _ = Box::pin(requests.reclaim().half_close()).await;
    }
    (Next::End, reason)
}

/// Answers a client that is refused, and says how the connection is to be closed and why. Go: the error replies of
/// `(*conn).serve`.
pub(crate) async fn refuse<H, S: Stream>(
    server: &Shared<H>,
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    error: RequestsError,
) -> (Next, Option<CloseReason>) {
    let reason = error.close_reason();
    let Some(status) = error.status() else { return (Next::End, Some(reason)) };
    let own = server.observer.refused(&Refused { connection, error: &error, status });
    let mut response = own.unwrap_or_else(|| plain(status, &error));
    if response.take_upgrade().is_some() {
        response = plain(status, &error); // what follows is no request, and nothing else either
    }
    if response.is_abort() {
        let _ = requests.reclaim().flush().await;
        return (Next::End, Some(reason));
    }
    let mut exchange = Exchange::refused(requests.wire().input.filled(), reason);
    if let Some(rest) = write(server, connection, requests, &mut exchange, response) {
        finish(server, connection, requests, &mut exchange, rest).await;
    }
    (exchange.finish(), exchange.close_reason())
}

fn plain(status: StatusCode, error: &RequestsError) -> Response {
    Response::text(status, format_args!("{status}: {error}"))
}

/// Hands a connection over, and keeps it counted until whoever has it is done. Go: `(*conn).hijackLocked`.
pub(crate) async fn hijack<H, S: Stream>(
    server: &Shared<H>,
    connection: &ConnGuard,
    requests: Requests<S>,
    upgrade: Upgrade,
) {
    let mut wire = requests.into_wire();
    if wire.flush().await.is_err() {
        return;
    }
    // Nobody is late from now on.
    wire.clear_phase();
    if wire.check().is_err() {
        return;
    }
    connection.set_state(State::Hijacked);
    let (io, mut input, _) = wire.into_parts();
    let (io, handle) = Abortable::new(io);
    let mut other = pin!(upgrade.run(Upgraded { io: Box::new(io), leftover: input.take() }));
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| other.as_mut().poll(cx))) {
        Ok(Poll::Pending) if connection.is_aborted() => {
            handle.abort(); // dropped in the middle of what it was saying
            Poll::Ready(())
        }
        Ok(polled) => polled,
        Err(payload) => {
            panicked(server, connection, payload);
            Poll::Ready(())
        }
    })
    .await;
}
