//! A body that is compressed while it is sent.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};
use quintet_request::{Body, BodyError, ReplyBody, quintet_conn::ActiveRequest};

use super::encoder::Encoder;

/// The most data that is compressed at once. Gzip takes about 0.15 ms for it.
const SLICE_BYTES: usize = 16 * 1024;
/// The most data of one poll, after which the task yields.
const POLL_BYTES: usize = 64 * 1024;
/// What a frame counts of it at least: a source of tiny or empty frames yields too.
const MIN_FRAME_COST: usize = 256;
/// Compressed bytes that make a frame while the source goes on.
const FRAME_BYTES: usize = 8 * 1024;

/// A body that is compressed while it is sent.
///
/// **The encoder is flushed whenever the source waits**: what the source has given is then with the client, and can be
/// decoded. So events that come one by one are seen one by one, and a source that is always ready is compressed as well
/// as a whole body. An error of the source is passed on, and the content is then without its end, so that no client
/// takes it for complete.
#[derive(Debug)]
pub(super) struct CompressedBody {
    source: Body,
    state: State,
    /// Data of the source that is not compressed yet.
    pending: Bytes,
}

#[derive(Debug)]
enum State {
    /// The source goes on. `dirty`: data was written since the last flush.
    Encoding {
        encoder: Encoder,
        dirty: bool,
    },
    /// The content has ended, and the trailers are to be sent.
    Trailers(HeaderMap),
    /// The source failed, and the content has no end.
    Failed,
    Ended,
}

impl CompressedBody {
    pub(super) fn new(source: Body, encoder: Encoder) -> Self {
        Self { source, state: State::Encoding { encoder, dirty: false }, pending: Bytes::new() }
    }

    /// Ends the content.
    fn finish(&mut self, trailers: Option<HeaderMap>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let next = trailers.map_or(State::Ended, State::Trailers);
        match mem::replace(&mut self.state, next) {
            State::Encoding { encoder, .. } => Poll::Ready(Some(Ok(Frame::data(encoder.finish().into())))),
            _ => Poll::Ready(None),
        }
    }
}

impl HttpBody for CompressedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let mut left = POLL_BYTES;
        loop {
            let (encoder, dirty) = match &mut this.state {
                State::Encoding { encoder, dirty } => (encoder, dirty),
                State::Trailers(trailers) => {
                    let trailers = mem::take(trailers);
                    this.state = State::Ended;
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                State::Failed => return Poll::Ready(Some(Err(BodyError::source("the source of the body has failed")))),
                State::Ended => return Poll::Ready(None),
            };
            if this.pending.is_empty() {
                match Pin::new(&mut this.source).poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                        Ok(data) => this.pending = data,
                        Err(frame) => return this.finish(frame.into_trailers().ok()),
                    },
                    Poll::Ready(Some(Err(error))) => {
                        this.state = State::Failed;
                        return Poll::Ready(Some(Err(error)));
                    }
                    Poll::Ready(None) => return this.finish(None),
                    Poll::Pending if mem::take(dirty) => {
                        encoder.flush();
                        return Poll::Ready(Some(Ok(Frame::data(encoder.take().into()))));
                    }
                    Poll::Pending => return Poll::Pending,
                }
            }
            let slice = this.pending.split_to(this.pending.len().min(SLICE_BYTES));
            encoder.write(&slice);
            *dirty |= !slice.is_empty();
            left = left.saturating_sub(slice.len().max(MIN_FRAME_COST));
            if encoder.len() >= FRAME_BYTES || (left == 0 && encoder.len() > 0) {
                return Poll::Ready(Some(Ok(Frame::data(encoder.take().into()))));
            }
            if left == 0 {
                // The encoder holds all of it. Yield, and go on.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended)
    }
}

impl ReplyBody for CompressedBody {
    fn set_active(mut self: Pin<&mut Self>, active: &ActiveRequest) {
        self.source.set_active(active);
    }
}
