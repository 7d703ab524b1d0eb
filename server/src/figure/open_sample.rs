//! A sample whose request is in progress.

#[cfg(feature = "http2")]
use std::sync::atomic::Ordering::Relaxed;
use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use quintet_conn::ActiveRequest;
use quintet_mux::Response;
use quintet_request::{Limits, Request, Version, route};
use tokio::time::Instant;

use super::{sample::Sample, watch::Watch};
use crate::{known_method::label, served::Outcome};

/// A sample whose request is in progress. Its drop gives it to the watch; it is cut, if nothing else was said.
#[derive(Debug)]
pub(crate) struct OpenSample {
    watch: Arc<Watch>,
    active: ActiveRequest,
    sample: Option<Sample>,
    has_panicked: AtomicBool,
}

impl OpenSample {
    /// Begins the sample of a request that becomes one.
    #[cold]
    pub(crate) fn begin(watch: &Arc<Watch>, limits: &Limits, request: &mut Request) -> Option<Box<Self>> {
        route::watch(request);
        let active = request.active()?.clone();
        let sample = Sample {
            connection: active.connection().id(),
            stream: active.slot(),
            method: label(Some(request.method())),
            pattern: None,
            status: None,
            outcome: Outcome::Cut,
            version: request.version(),
            parsed: parse_time(watch, limits, request),
            at: Instant::now(),
            handled: None,
            sent: Duration::ZERO,
        };
        Some(Box::new(Self {
            watch: Arc::clone(watch),
            active,
            sample: Some(sample),
            has_panicked: AtomicBool::new(false),
        }))
    }

    /// The handler has returned this response. Before the request ends: it then has no pattern any more.
    pub(crate) fn handled(&mut self, response: &Response) {
        let pattern = self.active.value();
        let status = (!response.is_abort()).then(|| response.status());
        if let Some(sample) = &mut self.sample {
            sample.handled = Some(sample.at.elapsed());
            (sample.status, sample.pattern) = (status, pattern);
        }
    }

    /// The handler or the body of the reply panicked. By a shared reference: the handler has borrowed the rest.
    #[cfg(feature = "http2")]
    pub(crate) fn panicked(&self) {
        self.has_panicked.store(true, Relaxed);
    }

    /// What became of the request. The first outcome that is told stays.
    pub(crate) fn set_outcome(&mut self, outcome: Outcome) {
        if let Some(sample) = self.sample.as_mut().filter(|sample| sample.outcome == Outcome::Cut) {
            sample.outcome = outcome;
        }
    }
}

impl Drop for OpenSample {
    fn drop(&mut self) {
        if let Some(mut sample) = self.sample.take() {
            sample.sent = sample.at.elapsed();
            if *self.has_panicked.get_mut() {
                sample.outcome = Outcome::Panicked;
            }
            self.watch.end(sample);
        }
    }
}

/// How long the parser takes for the head of this request: it is read a second time, so that requests that are no sample
/// pay for no clock.
fn parse_time(watch: &Watch, limits: &Limits, request: &Request) -> Option<Duration> {
    if request.version() == Version::Http2 {
        return None;
    }
    // Another thread reads its own: then this sample has no such time.
    let mut index = watch.index.try_lock().ok()?;
    let began = Instant::now();
    index.parse(request.head().as_bytes(), limits).ok()??;
    Some(began.elapsed())
}
