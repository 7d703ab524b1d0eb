//! Calls a handler without a server, and keeps its reply.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Frame;
use quintet_request::{
    Body, BodyError, ContentType, Exchange, Request,
    reply::{Head, Plan, finish_trailers},
    sniff,
};

use super::{new_request::RequestConnection, record_error::RecordError, recorded::Recorded, reply_head::ReplyHead};
use crate::{Handler, Response};

/// The most bytes of a body.
const MAX_BODY_BYTES: u64 = 64 << 20;

/// Calls a handler, and keeps its reply with the whole body. Go: `Handler.ServeHTTP` with an `httptest.ResponseRecorder`.
///
/// It works for any handler: a function, a [`ServeMux`](crate::ServeMux), middleware. The request is one of
/// [`new_request`](super::new_request()), of [`Request::parse`], or of an `http::Request`. What a server adds is added as
/// far as it does not depend on a connection: a content type that is guessed, and no body to HEAD or with 204 and 304. Not
/// there are `Date`, `Content-Length` and `Connection`: a `TestServer` has them.
///
/// It waits as long as the handler and the body take. A body without end, such as events, is for a `TestServer`.
///
/// # Example
/// ```
/// use quintet_mux::{Handler, IntoResponse, Response, httptest::{new_request, record}};
/// use quintet_request::{Body, Request};
///
/// async fn countdown(request: Request) -> Response {
///     let from: u32 = request.query_value("from").and_then(|from| from.parse().ok()).unwrap_or(3);
///     let body = Body::writer(async move |mut w| {
///         for n in (1..=from).rev() {
///             w.write(format!("{n} ")).await?;
///             w.flush().await?;
///         }
///         w.write("go\n").await
///     });
///     Response::new(body)
/// }
///
/// # #[tokio::main(flavor = "current_thread")] // in a test: #[tokio::test]
/// # async fn main() {
/// let reply = record(&countdown, new_request("GET", "/?from=2", "")).await;
/// assert_eq!((reply.status.as_u16(), reply.text()), (200, "2 1 go\n"));
/// # }
/// ```
///
/// # Panics
/// If the handler does: the panic goes through. For the other reasons of [`RecordError`] too; [`try_record`] returns them.
///
/// # Cancel safety
/// Not cancel safe: the handler and its reply are dropped.
pub async fn record<H: Handler>(handler: &H, request: Request) -> Recorded {
    match call_and_read(handler, request).await {
        Ok(recorded) => recorded,
        Err(Failure::Panic(payload)) => resume_unwind(payload),
        Err(Failure::Error(error)) => match std::error::Error::source(&error) {
            Some(source) => panic!("{error}: {source}"),
            None => panic!("{error}"),
        },
    }
}

/// As [`record`], for a handler that may have no reply.
///
/// # Errors
/// [`RecordError`]; [`RecordError::Panicked`] if the handler panics. The hook of panics has then printed the panic.
///
/// # Cancel safety
/// Not cancel safe: the handler and its reply are dropped.
pub async fn try_record<H: Handler>(handler: &H, request: Request) -> Result<Recorded, RecordError> {
    call_and_read(handler, request).await.map_err(|failure| match failure {
        Failure::Error(error) => error,
        Failure::Panic(payload) => {
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let message = text.or_else(|| payload.downcast_ref::<String>().cloned());
            RecordError::Panicked { message: message.unwrap_or_else(|| "not text".to_owned()) }
        }
    })
}

/// Why there is no reply.
enum Failure {
    Panic(Box<dyn Any + Send>),
    Error(RecordError),
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        Self::Error(error)
    }
}

async fn call_and_read<H: Handler>(handler: &H, request: Request) -> Result<Recorded, Failure> {
    // Kept here: the handler may drop its request long before the body has ended.
    let connection = request.extension::<Arc<RequestConnection>>().cloned();
    let active = request.active().cloned();
    let mut exchange = Exchange::new(request.head());
    let call = catch_unwind(AssertUnwindSafe(|| handler.call(request))).map_err(Failure::Panic)?;
    let mut call = pin!(call);
    let mut response = poll_fn(|cx| caught(|| call.as_mut().poll(cx))).await?;
    check(&mut response)?;
    let interim = connection.as_ref().and_then(|connection| connection.guard.end_interim());
    let mut body = response.take_body();
    let plan = exchange.begin_reply(&Head {
        headers: response.headers(),
        content_type: response.content_type(),
        length: body.len(),
        ..Head::new(response.status())
    });
    if let Some(active) = &active {
        body.set_active(active);
    }
    let body = if plan.has_body() { read(body).await? } else { Read::of_head(body) };
    let mut recorded = Recorded::new(response.status());
    recorded.headers = fields(&mut response, &plan, &body.first);
    (recorded.body, recorded.trailers) = (body.bytes.freeze(), body.trailers);
    recorded.informational = interim.map(|bytes| informational(&bytes)).unwrap_or_default();
    Ok(recorded)
}

/// Calls a function that may panic.
fn caught<T>(poll: impl FnOnce() -> Poll<T>) -> Poll<Result<T, Failure>> {
    match catch_unwind(AssertUnwindSafe(poll)) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(Failure::Panic(payload))),
    }
}

/// Whether a server would send this reply as it is.
fn check(response: &mut Response) -> Result<(), RecordError> {
    if response.is_abort() {
        return Err(RecordError::Aborted);
    }
    if let Some(error) = response.field_error() {
        return Err(RecordError::Field(error.clone()));
    }
    if response.take_upgrade().is_some() {
        return Err(RecordError::Upgrade);
    }
    if response.status().is_informational() {
        return Err(RecordError::Informational(response.status()));
    }
    Ok(())
}

/// A body that was read.
#[derive(Default)]
struct Read {
    bytes: BytesMut,
    /// The first bytes that came, by which a content type is guessed.
    first: Bytes,
    trailers: HeaderMap,
}

impl Read {
    /// Nothing: the reply has only a head. The type of its body is guessed as far as the body is there.
    fn of_head(body: Body) -> Self {
        Self { first: body.try_into_bytes().unwrap_or_default(), ..Self::default() }
    }
}

/// Reads a body to its end.
async fn read(body: Body) -> Result<Read, Failure> {
    let (mut body, mut read) = (pin!(body), Read::default());
    while let Some(frame) = poll_fn(|cx| caught(|| poll_frame(body.as_mut(), cx))).await? {
        match frame.map_err(RecordError::Body)?.into_data() {
            Ok(data) => {
                if read.bytes.len() as u64 + data.len() as u64 > MAX_BODY_BYTES {
                    return Err(RecordError::Body(BodyError::TooLarge { limit: MAX_BODY_BYTES }).into());
                }
                if read.first.is_empty() {
                    read.first = data.clone();
                }
                read.bytes.extend_from_slice(&data);
            }
            Err(frame) => read.trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    finish_trailers(&mut read.trailers);
    Ok(read)
}

fn poll_frame(body: Pin<&mut Body>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
    http_body::Body::poll_frame(body, cx)
}

/// The fields of a reply, with its content type.
fn fields(response: &mut Response, plan: &Plan, first: &[u8]) -> HeaderMap {
    let content_type = response.content_type();
    let mut headers = response.take_headers();
    let content_type = match content_type {
        ContentType::Known(known) => Some(known),
        ContentType::Sniffed if !first.is_empty() && !headers.contains_key(header::CONTENT_ENCODING) => {
            Some(sniff(first))
        }
        _ => None,
    };
    if let Some(content_type) = content_type.filter(|_| plan.has_content()) {
        if !headers.contains_key(header::CONTENT_TYPE) {
            // A map that is full cannot take it; a server writes it then beside the map.
            let _ = headers.try_insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
    }
    headers
}

/// The interim replies that the handler sent, from the bytes that a server would send.
fn informational(mut bytes: &[u8]) -> Vec<(StatusCode, HeaderMap)> {
    let mut replies = Vec::new();
    while let Ok(Some((head, len))) = ReplyHead::read(bytes) {
        replies.push((head.status, head.headers));
        bytes = &bytes[len..];
    }
    replies
}
