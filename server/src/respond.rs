//! Sending a response: at once if it is whole, and what takes longer afterwards.

use std::{future::poll_fn, io};

use http::StatusCode;
use quintet_conn::{ConnGuard, WireError};
use quintet_listener::Stream;
use quintet_mux::{Response, Upgrade};
use quintet_request::{Body, Requests, Reuse, Unread};

use crate::{
    encode,
    exchange::{Exchange, Keep, Length, Plan},
    shared::Shared,
    stream_body::{Streamed, stream},
};

/// How much may wait to be sent, in bytes, before the client must read: 64 KiB with all their framing leave at once.
pub(crate) const MAX_OUTPUT_BYTES: usize = 96 * 1024;
/// More than what is read ahead of a request, in bytes.
const MIN_PASSED_BODY_BYTES: u64 = 256 * 1024;

/// What came of a reply.
pub(crate) enum Replied {
    /// It is sent, or waits in the wire's output; the connection is good for this.
    Done(Reuse),
    /// Its head waits in the wire's output, and another protocol follows.
    Upgrade(Upgrade),
}

/// What a reply has come to without waiting.
pub(crate) enum Written {
    /// All of it is written.
    Whole(Replied),
    /// The rest has to wait, for the client or for whoever makes the body.
    Begun(Box<Begun>),
}

/// A reply of which there is more to do.
pub(crate) struct Begun {
    exchange: Exchange,
    unread: Unread,
    rest: Rest,
}

enum Rest {
    /// Nothing is written yet: the body is made as it is sent.
    All(Response, Body),
    /// Nothing is written yet: what is left of the request's body comes before the other protocol.
    HandOver(Response, Upgrade),
    /// All is written, and it is much, or something of the request is left on the wire.
    End(Plan),
}

/// Writes a response to the wire's output, where it waits for the next flush. What would have to be waited for is left
/// to [`finish`].
#[inline]
pub(crate) fn write<H, S: Stream>(
    server: &Shared<H>,
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    exchange: Exchange,
    mut response: Response,
) -> Written {
    if let Some(error) = response.field_error() {
        server.observer.field_error(connection, error);
    }
    let unread = requests.unread(server.config.max_drain_bytes);
    let upgrade = response.take_upgrade();
    if upgrade.is_some() || response.status() < StatusCode::OK {
        match takeover(&exchange, &response, upgrade) {
            Ok(upgrade) if unread == Unread::Nothing => {
                return Written::Whole(hand_over(connection, requests, &exchange, &response, upgrade));
            }
            Ok(upgrade) => {
                return Written::Begun(Box::new(Begun { exchange, unread, rest: Rest::HandOver(response, upgrade) }));
            }
            Err(refusal) => response = refusal,
        }
    }
    let bytes = match response.take_body().try_into_bytes() {
        Ok(bytes) => bytes,
        Err(body) => return Written::Begun(Box::new(Begun { exchange, unread, rest: Rest::All(response, body) })),
    };
    let plan = exchange.plan(&response, Some(bytes.len() as u64), unread);
    let waiting = {
        let mut wire = requests.wire();
        encode::head(wire.output.tail(), &response, &exchange, &plan, connection.unix(), &bytes);
        if plan.bodied {
            wire.output.push(bytes);
        }
        wire.output.len()
    };
    if waiting < MAX_OUTPUT_BYTES {
        if let Some(reuse) = over(&exchange, &plan, unread).or_else(|| requests.try_settle()) {
            return Written::Whole(Replied::Done(reuse));
        }
    }
    Written::Begun(Box::new(Begun { exchange, unread, rest: Rest::End(plan) }))
}

/// Sends what [`write`] has left.
///
/// # Errors
/// [`WireError`] if the client is gone, or the connection was aborted.
pub(crate) async fn finish<H, S: Stream>(
    server: &Shared<H>,
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    mut begun: Begun,
) -> Result<Replied, WireError> {
    let plan = loop {
        match begun.rest {
            Rest::End(plan) => break plan,
            Rest::HandOver(response, upgrade) => {
                // What fits into the buffer was passed over when it was there at once. A lower limit for what comes
                // later would make the answer depend on how the request arrived.
                let limit =
                    server.config.max_drain_bytes.max(server.config.limits.head as u64).max(MIN_PASSED_BODY_BYTES);
                if requests.pass_body(limit).await? != Reuse::Unread {
                    return Ok(hand_over(connection, requests, &begun.exchange, &response, upgrade));
                }
                let _ = write(server, connection, requests, begun.exchange, unended());
                return Ok(Replied::Done(Reuse::Unread));
            }
            Rest::All(response, body) => {
                match stream(server, connection, requests, begun.exchange, begun.unread, response, body).await? {
                    Streamed::Whole(plan) => break plan,
                    Streamed::Broken(Length::Close) => {
                        // Only a reset tells the client that this end is not the body's.
                        requests.wire().abort();
                        return Err(io::Error::from(io::ErrorKind::ConnectionAborted).into());
                    }
                    Streamed::Broken(_) => return Ok(Replied::Done(Reuse::No)),
                    Streamed::Failed(error) => match write(server, connection, requests, begun.exchange, error) {
                        Written::Whole(replied) => return Ok(replied),
                        Written::Begun(rest) => begun = *rest,
                    },
                }
            }
        }
    };
    poll_fn(|cx| requests.poll_flush(cx, server.config.max_drain_bytes)).await?;
    Ok(Replied::Done(match over(&begun.exchange, &plan, begun.unread) {
        Some(reuse) => reuse,
        None => requests.settle(server.config.max_drain_bytes).await?,
    }))
}

/// Whether another protocol may follow this response.
///
/// # Errors
/// What is answered instead; also to a status that is not final where nothing follows, which a client would take for
/// the promise of another reply.
#[cold]
fn takeover(exchange: &Exchange, response: &Response, upgrade: Option<Upgrade>) -> Result<Upgrade, Response> {
    let Some(upgrade) = upgrade else {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return Err(Response::text(status, status).with_header("connection", "close"));
    };
    exchange.takeover(response).map(|()| upgrade)
}

/// Writes the head after which another protocol follows. Nothing of the request is left on the wire: the next byte is
/// the first of that protocol.
#[cold]
fn hand_over<S: Stream>(
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    exchange: &Exchange,
    response: &Response,
    upgrade: Upgrade,
) -> Replied {
    let mut plan = exchange.plan(response, Some(0), Unread::Nothing);
    plan.hand_over();
    encode::head(requests.wire().output.tail(), response, exchange, &plan, connection.unix(), &[]);
    Replied::Upgrade(upgrade)
}

/// What is answered if the request's body has no end behind which another protocol could begin: it is broken, too long
/// or too slow.
#[cold]
fn unended() -> Response {
    let status = StatusCode::BAD_REQUEST;
    Response::text(status, format_args!("{status}: a body before an upgrade")).with_header("connection", "close")
}

/// After the last byte of a reply: what the connection is good for, unless what is left of the request decides it.
fn over(exchange: &Exchange, plan: &Plan, unread: Unread) -> Option<Reuse> {
    match (plan.keep, unread) {
        (Keep::Alive, _) => None,
        (Keep::Close, Unread::Nothing) if !exchange.is_expected_to_go_on() => Some(Reuse::No),
        // What the client sent, or sends before it reads this reply, would make the system reset the connection.
        (Keep::Close, _) => Some(Reuse::Unread),
    }
}
