//! Sending a response: at once if it is whole, and what takes longer afterwards.

use std::future::poll_fn;

use http::{StatusCode, header};
use quintet_conn::{ConnGuard, WireError};
use quintet_listener::Stream;
use quintet_mux::{Response, Upgrade};
use quintet_request::{
    Body, CloseReason, Exchange, RequestBody, Requests,
    reply::{Head, TakeoverError},
};

use crate::{
    shared::Shared,
    stream_body::{MAX_OUTPUT_BYTES, stream},
};

/// More than what is read ahead of a request, in bytes.
const MIN_PASSED_BODY_BYTES: u64 = 256 * 1024;

/// What is left to do of a reply.
pub(crate) enum Rest {
    /// The end of the connection without a reply, once what was answered before is sent. Go: http.ErrAbortHandler,
    /// finalFlush.
    Abort,
    /// Its head waits in the wire's output, and another protocol follows.
    Upgrade(Upgrade),
    /// All is written, and it is much, or something of the request is left on the wire.
    Flush,
    /// Nothing is written yet: the body is made as it is sent.
    Stream(Response, Body),
    /// Nothing is written yet: what is left of the request's body comes before the other protocol.
    Takeover(Response, Upgrade),
}

/// Writes a response to the wire's output, where it waits for the next flush. What would have to be waited for is left
/// to [`finish`]: usually nothing.
#[inline]
pub(crate) fn write<H, S: Stream>(
    server: &Shared<H>,
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    exchange: &mut Exchange,
    mut response: Response,
) -> Option<Box<Rest>> {
    if response.is_unusual() || response.status() < StatusCode::OK {
        match unusual(server, connection, requests, exchange, response) {
            Ok(rest) => return Some(Box::new(rest)),
            Err(reply) => response = reply,
        }
    }
    send_interim(connection, requests);
    requests.report_body(exchange, server.config.max_drain_bytes);
    let bytes = match response.take_body().try_into_bytes() {
        Ok(bytes) => bytes,
        Err(body) => return Some(Box::new(Rest::Stream(response, body))),
    };
    let head = head(&response, Some(bytes.len() as u64));
    let plan = exchange.begin_reply(&head);
    let waiting = {
        let mut wire = requests.wire();
        plan.write_head(wire.output.tail(), &head, connection.unix(), &bytes);
        if plan.has_body() {
            wire.output.push(bytes);
        }
        wire.output.len()
    };
    exchange.end_reply(&plan);
    if waiting < MAX_OUTPUT_BYTES && (plan.close().is_some() || requests.try_settle(exchange)) {
        return None;
    }
    Some(Box::new(Rest::Flush))
}

/// What a response says in its head.
#[inline]
fn head(response: &Response, length: Option<u64>) -> Head<'_> {
    Head { status: response.status(), headers: response.headers(), content_type: response.content_type(), length }
}

/// Sends what [`write`] has left, and reports to the exchange what came of it. What another protocol is to be spoken
/// with, if one follows.
pub(crate) async fn finish<H, S: Stream>(
    server: &Shared<H>,
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    exchange: &mut Exchange,
    rest: Box<Rest>,
) -> Option<Upgrade> {
    match send(server, connection, requests, exchange, rest).await {
        Ok(upgrade) => upgrade,
        Err(error) => {
            exchange.fail(CloseReason::from(&error));
            None
        }
    }
}

async fn send<H, S: Stream>(
    server: &Shared<H>,
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    exchange: &mut Exchange,
    rest: Box<Rest>,
) -> Result<Option<Upgrade>, WireError> {
    let mut rest = Some(rest);
    while let Some(one) = rest {
        rest = match *one {
            Rest::Upgrade(upgrade) => return Ok(Some(upgrade)),
            Rest::Abort => {
                requests.reclaim().flush().await?;
                None
            }
            Rest::Flush => {
                poll_fn(|cx| requests.poll_flush(cx, server.config.max_drain_bytes)).await?;
                if exchange.close_reason().is_none() {
                    requests.settle(exchange, server.config.max_drain_bytes).await?;
                }
                None
            }
            Rest::Stream(response, body) => {
                let head = head(&response, body.len());
                match stream(server, connection, requests, exchange, &head, body).await? {
                    None => Some(Box::new(Rest::Flush)),
                    Some(error) => write(server, connection, requests, exchange, error),
                }
            }
            Rest::Takeover(response, upgrade) => {
                // What fits into the buffer was passed over when it was there at once. A lower limit for what comes
                // later would make the answer depend on how the request arrived.
                let limit =
                    server.config.max_drain_bytes.max(server.config.limits.head as u64).max(MIN_PASSED_BODY_BYTES);
                requests.pass_body(exchange, limit).await?;
                if exchange.request_body() == RequestBody::Read {
                    Some(Box::new(hand_over(connection, requests, exchange, &response, upgrade)))
                } else {
                    write(server, connection, requests, exchange, unended())
                }
            }
        };
    }
    Ok(None)
}

/// Appends the interim replies that wait to be sent; none comes after them, as the final reply begins.
#[inline(always)]
fn send_interim<S: Stream>(connection: &ConnGuard, requests: &mut Requests<S>) {
    if let Some(interim) = connection.begin_reply() {
        requests.wire().output.extend(&interim);
    }
}

/// What few responses have: a field that cannot be sent is reported, and another protocol or the end of the connection
/// ([`Response::abort`]) may follow.
///
/// # Errors
/// What is answered.
#[cold]
fn unusual<H, S: Stream>(
    server: &Shared<H>,
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    exchange: &mut Exchange,
    mut response: Response,
) -> Result<Rest, Response> {
    if let Some(error) = response.field_error() {
        server.observer.field_error(connection, error);
    }
    if response.is_abort() {
        exchange.fail(CloseReason::HandlerAsked);
        return Ok(Rest::Abort);
    }
    let upgrade = response.take_upgrade();
    if upgrade.is_none() && response.status() >= StatusCode::OK {
        return Err(response);
    }
    take_over(connection, requests, exchange, response, upgrade)
}

/// Lets another protocol follow this response, if one may.
///
/// # Errors
/// What is answered instead; also to a status that is not final where nothing follows, which a client would take for
/// the promise of another reply.
#[cold]
fn take_over<S: Stream>(
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    exchange: &mut Exchange,
    response: Response,
    upgrade: Option<Upgrade>,
) -> Result<Rest, Response> {
    send_interim(connection, requests);
    let Some(upgrade) = upgrade else {
        exchange.close(CloseReason::ReplyBroken);
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return Err(Response::text(status, status).with_header("connection", "close"));
    };
    if let Err(error) = exchange.check_takeover(&head(&response, None)) {
        exchange.close(CloseReason::TakeoverRefused);
        return Err(refused(error, &response));
    }
    if requests.try_settle(exchange) {
        return Ok(hand_over(connection, requests, exchange, &response, upgrade));
    }
    Ok(Rest::Takeover(response, upgrade))
}

/// Writes the head after which another protocol follows. Nothing of the request is left on the wire: the next byte is
/// the first of that protocol.
#[cold]
fn hand_over<S: Stream>(
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    exchange: &mut Exchange,
    response: &Response,
    upgrade: Upgrade,
) -> Rest {
    let head = head(response, Some(0));
    let plan = exchange.begin_takeover(&head);
    plan.write_head(requests.wire().output.tail(), &head, connection.unix(), &[]);
    Rest::Upgrade(upgrade)
}

/// What is answered if no other protocol may follow.
fn refused(error: TakeoverError, response: &Response) -> Response {
    let status = error.status();
    let text = if status.is_server_error() { status.to_string() } else { format!("{status}: {error}") };
    let mut refused = Response::text(status, text).with_header("connection", "close");
    if let (TakeoverError::Unasked, Some(headers)) = (error, response.headers()) {
        for protocol in headers.get_all(header::UPGRADE) {
            refused.headers_mut().append(header::UPGRADE, protocol.clone());
        }
    }
    refused
}

/// What is answered if the request's body has no end behind which another protocol could begin: it is broken, too long
/// or too slow.
#[cold]
fn unended() -> Response {
    let status = StatusCode::BAD_REQUEST;
    Response::text(status, format_args!("{status}: a body before an upgrade")).with_header("connection", "close")
}
