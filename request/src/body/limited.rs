//! A body with a limit on its bytes.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::body_error::BodyError;

/// The first bytes of a body, then an error if there are more.
#[derive(Debug)]
pub(super) struct Limited<B> {
    pub(super) body: B,
    left: u64,
    limit: u64,
    over: bool,
}

impl<B> Limited<B> {
    pub(super) fn new(body: B, limit: u64) -> Self {
        Self { body, left: limit, limit, over: false }
    }
}

impl<B: HttpBody<Data = Bytes, Error = BodyError> + Unpin> HttpBody for Limited<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let limit = self.limit;
        let too_large = move || Poll::Ready(Some(Err(BodyError::TooLarge { limit })));
        if self.over {
            return too_large();
        }
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)).transpose()? else {
            return Poll::Ready(None);
        };
        let mut data = match frame.into_data() {
            Ok(data) => data,
            Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
        };
        // As Go's MaxBytesReader: the bytes within the limit are returned before the error.
        self.over = data.len() as u64 > self.left;
        data.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= data.len() as u64;
        if self.over && data.is_empty() { too_large() } else { Poll::Ready(Some(Ok(Frame::data(data)))) }
    }

    fn is_end_stream(&self) -> bool {
        !self.over && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.over { SizeHint::default() } else { self.body.size_hint() }
    }
}
