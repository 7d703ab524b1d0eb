//! Writing a response: a whole one at once, and the slow steps of the others afterwards.

use std::future::poll_fn;

use http::{StatusCode, header};
#[cfg(feature = "sendfile")]
use quintet_conn::FileSection;
use quintet_conn::{ConnGuard, WireError};
use quintet_listener::Stream;
use quintet_mux::{Response, Upgrade};
use quintet_request::{
    Body, CloseReason, Exchange, RequestBody, Requests,
    reply::{Head, TakeoverError},
};

use crate::{
    config::HandlerError,
    served::{is_observed, observe, observe_wire},
    shared::Shared,
    stream_body::{MAX_OUTPUT_BYTES, stream},
};

/// The least limit, in bytes, for a request body before a takeover: more than the buffer reads ahead.
const MIN_PASSED_BODY_BYTES: u64 = 256 * 1024;

/// The rest of a reply, which may have to wait for the client.
pub(crate) enum Rest {
    /// Close the connection without a reply, after the earlier replies are sent. Go: `http.ErrAbortHandler`, `finalFlush`.
    Abort,
    /// Hand over to another protocol: the head is in the output.
    Upgrade(Upgrade),
    /// Flush: the reply is in the output, which is full, or a part of the request is still on the wire.
    Flush,
    /// Stream the body. Nothing is written yet.
    Stream(Response, Body),
    /// Read the rest of the request's body, then hand over. Nothing is written yet.
    Takeover(Response, Upgrade),
}

/// Writes a response to the output, where it waits for the next flush. Steps that may wait are returned for [`finish_reply`];
/// the usual reply has none.
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
    end_interim(connection, requests);
    // Before the head is planned: if the rest of the request is too long to drain, the head says `Connection: close`.
    requests.report_body(exchange, server.config.max_drain_bytes);
    let bytes = match response.take_body().try_into_bytes() {
        Ok(bytes) => bytes,
        #[cfg(feature = "sendfile")]
        Err(body) => return write_later(connection, requests, exchange, response, body),
        #[cfg(not(feature = "sendfile"))]
        Err(body) => return Some(Box::new(Rest::Stream(response, body))),
    };
    let head = head(&response, Some(bytes.len() as u64));
    let plan = exchange.begin_reply(&head);
    let waiting = {
        // In a block: the wire is shared with the request's body, and `try_settle` below takes it again.
        let mut wire = requests.wire();
        let before = if is_observed::<S>() { wire.output.len() } else { 0 };
        let len = if is_observed::<S>() && plan.has_body() { bytes.len() } else { 0 };
        plan.write_head(wire.output.tail(), &head, connection.unix(), &bytes);
        if plan.has_body() {
            wire.output.push(bytes);
        }
        observe_wire(&mut wire, |notes, unsent| notes.put_reply(response.status(), before, len, unsent));
        wire.output.len()
    };
    exchange.end_reply(&plan);
    // The usual reply is not flushed here, but before the next wait: pipelined replies leave in one write. After a last
    // reply nothing is settled, because no next request is read.
    if waiting < MAX_OUTPUT_BYTES && (plan.close().is_some() || requests.try_settle(exchange)) {
        return None;
    }
    Some(Box::new(Rest::Flush))
}

/// Writes a response whose body is not in memory: a file goes to the output, where the wire sends it; any other body is
/// streamed.
#[cfg(feature = "sendfile")]
#[cold]
fn write_later<S: Stream>(
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    exchange: &mut Exchange,
    response: Response,
    body: Body,
) -> Option<Box<Rest>> {
    match file(&response, body) {
        Ok(file) => write_file(connection, requests, exchange, &response, file),
        Err(body) => Some(Box::new(Rest::Stream(response, body))),
    }
}

/// The file that is the body, if its length fits into the output (on a system of 32 bits, it may not), and no content type
/// is sniffed from its first bytes.
///
/// # Errors
/// The body, to be streamed.
#[cfg(feature = "sendfile")]
fn file(response: &Response, body: Body) -> Result<Box<FileSection>, Body> {
    let fits = body.len().is_some_and(|len| len <= isize::MAX as u64);
    if fits && !head(response, None).is_sniffed() { body.try_into_file() } else { Err(body) }
}

/// As [`write`], for a body that is a file.
#[cfg(feature = "sendfile")]
fn write_file<S: Stream>(
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    exchange: &mut Exchange,
    response: &Response,
    file: Box<FileSection>,
) -> Option<Box<Rest>> {
    let head = head(response, Some(file.left()));
    let plan = exchange.begin_reply(&head);
    let waiting = {
        let mut wire = requests.wire();
        observe_wire(&mut wire, |notes, unsent| notes.begin_reply(response.status(), unsent));
        plan.write_head(wire.output.tail(), &head, connection.unix(), &[]);
        if plan.has_body() {
            let before = wire.output.len();
            wire.output.push_file(file);
            observe_wire(&mut wire, |notes, unsent| notes.put_body(unsent - before, unsent));
        }
        observe_wire(&mut wire, |notes, unsent| notes.end_reply(unsent));
        wire.output.len()
    };
    exchange.end_reply(&plan);
    if waiting < MAX_OUTPUT_BYTES && (plan.close().is_some() || requests.try_settle(exchange)) {
        return None;
    }
    Some(Box::new(Rest::Flush))
}

/// The head of a response.
#[inline]
fn head(response: &Response, length: Option<u64>) -> Head<'_> {
    Head { status: response.status(), headers: response.headers(), content_type: response.content_type(), length }
}

/// Does the steps that [`write`] returned, and tells the exchange how they ended. Returns the other protocol, if one
/// follows.
///
/// # Cancel safety
/// Not cancel safe: the rest of the reply is lost.
pub(crate) async fn finish_reply<H, S: Stream>(
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
    // A loop and no recursion: a refused takeover, or a body that broke before its first byte, is written anew, and an async
    // function that calls itself would be boxed for each reply.
    let mut rest = Some(rest);
    while let Some(one) = rest {
        rest = match *one {
            Rest::Upgrade(upgrade) => return Ok(Some(upgrade)),
            Rest::Abort => {
                requests.reclaim().flush().await?;
                None
            }
            Rest::Flush => {
                // Reads the rest of the request meanwhile: a client that sends its whole body before it reads would
                // otherwise wait for us while we wait for it.
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
                // A body that fits into the buffer is skipped if it arrived with its head. A lower limit for one that
                // arrives later would make the answer depend on how the request was split.
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

/// Appends the interim replies that are not sent yet. The final reply begins, so the handler can push no more.
#[inline(always)]
fn end_interim<S: Stream>(connection: &ConnGuard, requests: &mut Requests<S>) {
    if let Some(interim) = connection.end_interim() {
        requests.wire().output.extend(&interim);
    }
}

/// The rare parts of a response: a field that cannot be sent and the cause of an error (they are reported), a takeover, and
/// [`Response::abort`].
///
/// # Errors
/// The response to send, if no takeover and no abort follows.
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
    if let Some(source) = response.error_source() {
        server.observer.handler_error(&HandlerError { connection, status: response.status(), source });
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

/// Decides whether another protocol may follow this response.
///
/// # Errors
/// The response that is sent instead. So is a 500 for a status of 1xx without a takeover: the client would wait for a
/// final reply.
#[cold]
fn take_over<S: Stream>(
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    exchange: &mut Exchange,
    response: Response,
    upgrade: Option<Upgrade>,
) -> Result<Rest, Response> {
    // Here too, as a takeover is not written by `write`: interim replies come before the 101.
    end_interim(connection, requests);
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

/// Writes the head before another protocol. The whole request was read, so the next byte of the client is the first of
/// that protocol.
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
    observe(requests, |notes, unsent| notes.begin_reply(response.status(), unsent));
    plan.write_head(requests.wire().output.tail(), &head, connection.unix(), &[]);
    observe(requests, |notes, unsent| notes.end_reply(unsent));
    Rest::Upgrade(upgrade)
}

/// The response if a takeover is refused.
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

/// The response if the request's body did not end before a takeover: it is broken, too long or too slow.
#[cold]
fn unended() -> Response {
    let status = StatusCode::BAD_REQUEST;
    Response::text(status, format_args!("{status}: a body before an upgrade")).with_header("connection", "close")
}
