//! The span that a handler runs in. Without the feature `tracing` it is nothing, and takes no memory.

use std::sync::Arc;
#[cfg(feature = "tracing")]
use std::{
    mem::replace,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use quintet_request::Request;
#[cfg(feature = "tracing")]
use tracing::Span;

use crate::observe::Observer;
#[cfg(feature = "tracing")]
use crate::request_span;

/// The span that a handler runs in: off, unless [`Config::tracing`](crate::Config) is set and a subscriber listens.
#[derive(Debug)]
pub(crate) struct HandlerSpan {
    #[cfg(feature = "tracing")]
    on: Option<SpanOn>,
}

impl HandlerSpan {
    /// Begins the span of a request that the handler is about to get.
    #[inline(always)]
    pub(crate) fn begin(observer: &Arc<Observer>, request: &Request) -> Self {
        #[cfg(not(feature = "tracing"))]
        let _ = (observer, request);
        Self {
            #[cfg(feature = "tracing")]
            on: if observer.is_traced() { SpanOn::begin(observer, request) } else { None },
        }
    }

    /// Calls or polls the handler in the span.
    #[inline(always)]
    pub(crate) fn enter<T>(&self, run: impl FnOnce() -> T) -> T {
        #[cfg(feature = "tracing")]
        if let Some(on) = &self.on {
            return on.enter(run);
        }
        run()
    }
}

/// A span that is on. Each call of the subscriber is caught by itself: one that panics takes no reply from a client, and
/// the panic of a handler is not met by a second one on its way, which would end the process.
#[cfg(feature = "tracing")]
#[derive(Debug)]
struct SpanOn {
    span: Span,
    observer: Arc<Observer>,
}

#[cfg(feature = "tracing")]
impl SpanOn {
    /// `None` if nothing listens to the span.
    fn begin(observer: &Arc<Observer>, request: &Request) -> Option<Self> {
        let active = request.active()?;
        let span = observer.call(|| request_span::new(request.head(), active.connection()))?;
        if span.is_disabled() {
            return None;
        }
        let on = Self { span, observer: Arc::clone(observer) };
        observer.call(|| request_span::describe(&on.span, request.head(), active.connection()));
        observer.call(|| request_span::leave(&on.span, active));
        Some(on)
    }

    fn enter<T>(&self, run: impl FnOnce() -> T) -> T {
        self.observer.call(|| self.span.with_subscriber(|(id, subscriber)| subscriber.enter(id)));
        let result = catch_unwind(AssertUnwindSafe(run));
        // Also if it could not be entered: a layer that panics leaves the registry under it with the span on its stack,
        // and what this thread logs next, for another request, would be told as a part of this one.
        self.observer.call(|| self.span.with_subscriber(|(id, subscriber)| subscriber.exit(id)));
        result.unwrap_or_else(|payload| resume_unwind(payload))
    }
}

#[cfg(feature = "tracing")]
impl Drop for SpanOn {
    fn drop(&mut self) {
        let span = replace(&mut self.span, Span::none());
        self.observer.call(|| drop(span));
    }
}
