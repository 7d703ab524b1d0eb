//! The place for a request's trailers, filled when its body was read to the end.

use std::sync::{Arc, OnceLock};

use http::HeaderMap;

/// A place for the trailers (fields after the last chunk) of one body, shared by the request and the wire. The body may
/// be taken out of the request, read in another task and dropped; the request has the trailers all the same.
///
/// The map is boxed because few bodies have trailers: the place costs four words for each chunked body.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReceivedTrailers(Arc<OnceLock<Box<HeaderMap>>>);

impl ReceivedTrailers {
    /// Stores the trailers, once, at the end of the body.
    pub(super) fn set(&self, trailers: HeaderMap) {
        let _ = self.0.set(Box::new(trailers));
    }

    /// The trailers. `None` before the end of the body, and if the body has none.
    pub(crate) fn get(&self) -> Option<&HeaderMap> {
        self.0.get().map(|trailers| &**trailers)
    }
}
