//! The span that a handler runs in. Without the feature `tracing` it is nothing, and takes no memory.

use quintet_request::Request;

use crate::observe::Observer;
#[cfg(feature = "tracing")]
use crate::request_span::RequestSpan;

/// The span that a handler runs in: off, unless [`Config::tracing`](crate::Config) is set and a subscriber listens.
#[derive(Debug)]
pub(crate) struct HandlerSpan {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl HandlerSpan {
    /// Begins the span of a request that the handler is about to get.
    #[inline(always)]
    pub(crate) fn begin(observer: &Observer, request: &Request) -> Self {
        #[cfg(not(feature = "tracing"))]
        let _ = (observer, request);
        Self {
            #[cfg(feature = "tracing")]
            span: RequestSpan::begin(observer, request),
        }
    }

    /// Calls or polls the handler in the span.
    #[inline(always)]
    pub(crate) fn enter<T>(&self, run: impl FnOnce() -> T) -> T {
        // Asked here, so that a span that is off costs one look, and not the guard of an entered one.
        #[cfg(feature = "tracing")]
        if !self.span.is_none() {
            return self.span.in_scope(run);
        }
        run()
    }
}
