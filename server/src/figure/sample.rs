//! One request as the live figure shows it: a dot with method, pattern, status and times.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use quintet_request::{Version, route::MatchedPattern};
use tokio::time::Instant;

use super::json::Object;
use crate::served::Outcome;

/// One request as the live figure shows it. It has no data of the client besides a known method.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(super) connection: u64,
    /// The number of the request among those in progress on its connection; `None` where there is one at a time.
    pub(super) stream: Option<usize>,
    pub(super) method: &'static str,
    pub(super) pattern: Option<Arc<MatchedPattern>>,
    pub(super) status: Option<StatusCode>,
    pub(super) outcome: Outcome,
    pub(super) version: Version,
    /// When its head was read.
    pub(super) at: Instant,
    /// How long the parser takes for its head; `None` in HTTP/2, where the library decodes it.
    pub(super) parsed: Option<Duration>,
    /// From the end of the head to the response of the handler.
    pub(super) handled: Option<Duration>,
    /// From the end of the head to the end of the reply.
    pub(super) sent: Duration,
}

impl Sample {
    /// Writes it; `began` is when the server did.
    pub(super) fn write(&self, out: &mut Object<'_>, id: u64, began: Instant) {
        let pattern = self.pattern.as_ref().map(|route| &*route.pattern).filter(|pattern| !pattern.is_empty());
        let micros =
            |time: Duration| u64::try_from((self.parsed.unwrap_or_default() + time).as_micros()).unwrap_or(u64::MAX);
        out.number("id", id);
        out.number("connection", self.connection);
        out.maybe_number("stream", self.stream.map(|stream| stream as u64));
        out.name("method", self.method);
        out.maybe_text("pattern", pattern);
        out.status("status", self.status);
        out.name("outcome", self.outcome.as_str());
        out.name("version", version(self.version));
        out.number("at", millis(self.at.saturating_duration_since(began)));
        out.object("us", |us| {
            us.maybe_number("parsed", self.parsed.map(|_| micros(Duration::ZERO)));
            us.maybe_number("handled", self.handled.map(micros));
            us.number("sent", micros(self.sent));
        });
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::Http10 => "1.0",
        Version::Http11 => "1.1",
        Version::Http2 => "2",
    }
}

/// Whole milliseconds.
#[inline]
pub(super) fn millis(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1000).saturating_add(u64::from(time.subsec_millis()))
}
