//! A size limit for the bodies of a handler's requests.

use std::future::Future;

use quintet_request::Request;

use crate::{Handler, Response};

/// Limits the bodies of the requests to `handler`: reading more than `limit` bytes of a body fails with
/// [`BodyError::TooLarge`](quintet_request::BodyError::TooLarge) (413). Go: `http.MaxBytesHandler`.
///
/// [`Body::limited`](quintet_request::Body::limited) limits the body of a single request.
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
#[must_use]
pub fn max_bytes(limit: u64, handler: impl Handler) -> impl Handler {
    MaxBytes { limit, handler }
}

struct MaxBytes<H> {
    limit: u64,
    handler: H,
}

impl<H: Handler> Handler for MaxBytes<H> {
    fn call(&self, mut request: Request) -> impl Future<Output = Response> + Send {
        // A body with a known length that fits needs no counting wrapper.
        if request.body().len().is_none_or(|len| len > self.limit) {
            *request.body_mut() = request.take_body().limited(self.limit);
        }
        self.handler.call(request)
    }
}
