//! The span that a handler runs in. Without the feature `tracing` it is nothing, and takes no memory.

#[cfg(feature = "tracing")]
use std::mem::replace;
use std::sync::Arc;

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
        // `run` is called at one place, in a span or not: a handler that is called at two is inlined at neither, for
        // sixty instructions a request.
        #[cfg(feature = "tracing")]
        let _entered = self.on.as_ref().map(SpanOn::enter);
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
    #[cold]
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

    #[cold]
    fn enter(&self) -> Entered<'_> {
        self.observer.call(|| self.span.with_subscriber(|(id, subscriber)| subscriber.enter(id)));
        Entered(self)
    }
}

/// A span in which this thread is, until this is dropped.
#[cfg(feature = "tracing")]
#[derive(Debug)]
struct Entered<'a>(&'a SpanOn);

#[cfg(feature = "tracing")]
impl Drop for Entered<'_> {
    /// Leaves the span, also if it could not be entered: a layer that panics leaves the registry under it with the span on
    /// its stack, and what this thread logs next, for another request, would be told as a part of this one. A panic of
    /// the subscriber is caught in here, so it does not meet that of a handler which drops this.
    #[cold]
    fn drop(&mut self) {
        let SpanOn { span, observer } = self.0;
        observer.call(|| span.with_subscriber(|(id, subscriber)| subscriber.exit(id)));
    }
}

#[cfg(feature = "tracing")]
impl Drop for SpanOn {
    fn drop(&mut self) {
        let span = replace(&mut self.span, Span::none());
        self.observer.call(|| drop(span));
    }
}
