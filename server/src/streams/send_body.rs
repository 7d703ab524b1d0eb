//! Sending the streamed body of a reply on a stream of HTTP/2.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use quintet_request::{
    Body, StreamError, StreamReply, StreamWriter,
    reply::{Length, finish_trailers},
};
use tokio::task::yield_now;

use crate::{
    fair::{PIECES, Turn},
    stream_body::{EMPTY, Failure, First, poll_frame},
};

/// Why a reply broke.
pub(super) enum Broken {
    /// Its stream.
    Stream(StreamError),
    /// Its body.
    Body(Failure),
}

impl From<StreamError> for Broken {
    fn from(error: StreamError) -> Self {
        Self::Stream(error)
    }
}

/// The first frame of a body that is not empty, if it is ready. So a body that breaks at once is answered with an error.
/// If the content type is sniffed from the first bytes, they are waited for, while the client is watched. `None` if it is
/// gone, or the server aborted the connection.
pub(super) async fn first_frame(
    body: &mut Body,
    reply: &mut StreamReply,
    is_sniffed: bool,
) -> Option<Result<First, Failure>> {
    poll_fn(|cx| {
        for _ in 0..EMPTY {
            match poll_frame(body, cx) {
                Poll::Ready(Ok(Some(frame))) if frame.data_ref().is_some_and(Bytes::is_empty) => {}
                Poll::Ready(frame) => return Poll::Ready(Some(frame.map(First::Asked))),
                Poll::Pending if is_sniffed => return poll_gone(reply, cx),
                Poll::Pending => return Poll::Ready(Some(Ok(First::Unasked))),
            }
        }
        // A body of ready empty frames without end must not keep the thread: yield, and poll on.
        cx.waker().wake_by_ref();
        poll_gone(reply, cx)
    })
    .await
}

fn poll_gone<T>(reply: &mut StreamReply, cx: &mut Context<'_>) -> Poll<Option<T>> {
    if reply.poll_watch(cx).is_ready() || reply.is_gone() { Poll::Ready(None) } else { Poll::Pending }
}

/// Sends bytes, as many at a time as the client gives room for; with `end` they end the reply.
///
/// # Errors
/// [`StreamError`].
///
/// # Cancel safety
/// Not cancel safe: the rest of the bytes is lost.
pub(super) async fn send_bytes(writer: &mut StreamWriter, mut bytes: Bytes, end: bool) -> Result<(), StreamError> {
    while !bytes.is_empty() {
        let room = poll_fn(|cx| writer.poll_room(cx, bytes.len())).await?;
        let piece = bytes.split_to(room);
        writer.send_data(piece, end && bytes.is_empty())?;
    }
    Ok(())
}

/// Sends a body: its frames are sent as they come, as far as the client gives room. While it gives none, the body is not
/// polled (back-pressure).
///
/// # Errors
/// [`Broken`]: the rest of the reply is not sent. The caller resets the stream.
///
/// # Cancel safety
/// Not cancel safe: the rest of the body is lost.
pub(super) async fn send_body(
    writer: &mut StreamWriter,
    body: &mut Body,
    mut first: First,
    length: Length,
) -> Result<(), Broken> {
    let mut left = match length {
        Length::Exact(length) => length,
        _ => u64::MAX,
    };
    let (mut trailers, mut turn) = (None, Turn::of(PIECES));
    loop {
        let asked = match std::mem::replace(&mut first, First::Unasked) {
            First::Asked(frame) => frame,
            First::Unasked => match poll_fn(|cx| poll_next(writer, body, &mut turn, cx)).await? {
                First::Asked(frame) => frame,
                First::Unasked => {
                    yield_now().await;
                    turn.begin();
                    continue;
                }
            },
        };
        let Some(frame) = asked else { return finish(writer, left, length, trailers) };
        match frame.into_data() {
            Ok(data) if data.is_empty() => {}
            Ok(data) => {
                // Checked before a byte of the frame is sent: a client must not get more than was announced.
                left = left.checked_sub(data.len() as u64).ok_or(Broken::Body(Failure::Length))?;
                // The last bytes end the reply, if nothing can follow them: a frame of its own for the end costs as much.
                let is_last = left == 0 && http_body::Body::is_end_stream(body);
                send_bytes(writer, data, is_last).await?;
                if is_last {
                    return Ok(());
                }
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
}

/// The next frame of a body, while the client is watched; [`First::Unasked`] if the turn is over and the task has to
/// yield.
fn poll_next(
    writer: &mut StreamWriter,
    body: &mut Body,
    turn: &mut Turn,
    cx: &mut Context<'_>,
) -> Poll<Result<First, Broken>> {
    if turn.is_over() {
        return Poll::Ready(Ok(First::Unasked));
    }
    match poll_frame(body, cx) {
        Poll::Ready(Ok(frame)) => Poll::Ready(Ok(First::Asked(frame))),
        Poll::Ready(Err(failure)) => Poll::Ready(Err(Broken::Body(failure))),
        Poll::Pending => {
            turn.begin();
            writer.poll_watch(cx).map(|error| Err(Broken::Stream(error)))
        }
    }
}

/// Ends the body: checks its length, and sends the trailers or the end.
fn finish(writer: &mut StreamWriter, left: u64, length: Length, trailers: Option<HeaderMap>) -> Result<(), Broken> {
    if matches!(length, Length::Exact(_)) && left > 0 {
        return Err(Broken::Body(Failure::Length));
    }
    match trailers {
        Some(mut trailers) => {
            finish_trailers(&mut trailers);
            writer.send_trailers(trailers)?;
        }
        None => writer.send_data(Bytes::new(), true)?,
    }
    Ok(())
}
