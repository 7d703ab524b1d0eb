//! The trailers of a request, for when its body was read to the end.

use std::sync::{Arc, OnceLock};

use http::HeaderMap;

/// A place for the trailers of one chunked body, shared by the request and the wire: the body may be taken out of its
/// request, read in another task and dropped, and the request has its trailers all the same.
///
/// Boxed, as few bodies have any: the place itself costs four words for each chunked body.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReceivedTrailers(Arc<OnceLock<Box<HeaderMap>>>);

impl ReceivedTrailers {
    /// Once, at the end of the body.
    pub(super) fn set(&self, trailers: HeaderMap) {
        let _ = self.0.set(Box::new(trailers));
    }

    /// `None` before the end of the body, or if there are none.
    pub(crate) fn get(&self) -> Option<&HeaderMap> {
        self.0.get().map(|trailers| &**trailers)
    }
}
