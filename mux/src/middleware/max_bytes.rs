//! A handler whose requests have bodies of a bounded size.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use quintet_request::{Body, BodyError, Request};

use crate::{Handler, Response};

/// Serves requests by `handler`; reading more than `limit` bytes of a body fails with
/// [`BodyError::TooLarge`] (413). Go: `http.MaxBytesHandler`.
///
/// # Example
/// ```
/// use quintet_mux::{Handler, max_bytes};
/// use quintet_request::{BodyError, Request};
///
/// async fn upload(mut request: Request) -> Result<String, BodyError> {
///     let bytes = request.to_bytes(u64::MAX).await?;
///     Ok(format!("{} bytes\n", bytes.len()))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let handler = max_bytes(10, upload);
/// for (body, status) in [("0123456789", 200), ("0123456789a", 413)] {
///     let request = http::Request::post("/upload").body(body).unwrap().try_into().unwrap();
///     assert_eq!(handler.call(request).await.status(), status);
/// }
/// # }
/// ```
#[doc(alias = "middleware")]
#[doc(alias = "MaxBytesHandler")]
#[doc(alias = "body limit")]
pub fn max_bytes(limit: u64, handler: impl Handler) -> impl Handler {
    MaxBytes { limit, handler }
}

struct MaxBytes<H> {
    limit: u64,
    handler: H,
}

impl<H: Handler> Handler for MaxBytes<H> {
    fn call(&self, mut request: Request) -> impl Future<Output = Response> + Send {
        if request.body().len().is_none_or(|len| len > self.limit) {
            let body = request.take_body();
            *request.body_mut() = Body::new(Limited { body, left: self.limit, limit: self.limit, over: false });
        }
        self.handler.call(request)
    }
}

/// The first bytes of a body, then an error if there are more.
struct Limited {
    body: Body,
    left: u64,
    limit: u64,
    over: bool,
}

impl HttpBody for Limited {
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
        // As Go's MaxBytesReader, give what is allowed before saying that there is more.
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
