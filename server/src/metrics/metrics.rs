//! Metrics of a server, through the `metrics` facade.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use metrics::{Counter, Label, counter};

use super::{
    names::{self, FAULTS, REFUSALS, UNMATCHED},
    series::AllSeries,
    totals::Totals,
};
use crate::{
    known_method,
    served::{Outcome, Served},
    stats::Stats,
};

/// Metrics of a server, through the `metrics` facade: the program chooses the recorder that has them (for Prometheus,
/// `StatsD` and others).
///
/// Install the recorder first: a handle that is made before goes nowhere. [`hook`](Self::hook) counts requests, and
/// [`update`](Self::update) sets what the server counts anyway; call it before the metrics are read. A clone has the same
/// metrics.
///
/// | metric | labels |
/// |---|---|
/// | `http_server_requests_total`, `http_server_request_duration_seconds`, `http_server_request_body_size_bytes`, `http_server_response_body_size_bytes` | `method`, `status` (`2xx`), `pattern` |
/// | `http_server_refusals_total` | `kind`: the rule ([`Refusal::as_str`](crate::Refusal::as_str)) |
/// | `http_server_request_faults_total` | `outcome`: `panicked`, `reset`, `broken`, `cut` |
/// | `http_server_connections` (gauge) | `state`: `new`, `active`, `idle`, `hijacked` |
/// | `http_server_active_requests`, `http_server_accepting`, `http_server_accept_failing`, `http_server_retiring`, `http_server_permits_available` (with a limit) (gauges) | |
/// | `http_server_accepted_total`, `http_server_peer_limit_refusals_total`, `http_server_hook_panics_total`, `http_server_lost_log_lines_total`, `http_server_access_log_reopen_errors_total`, `http_server_streams_refused_total` | |
/// | `http_server_accept_errors_total` | `kind`: `transient`, `waited`, `fatal` |
/// | `http_server_access_log_lines_total` | `result`: `written`, `dropped`, `failed` |
/// | `http_server_tls_handshakes_total`, `http_server_proxy_headers_total` | `result`: `ok`, or what failed |
///
/// A client cannot make series. The pattern is that of the route and never the path; a request that no route matched has
/// the pattern `unmatched`, one of an unknown method the method `_OTHER`, and one without a reply the status `none`. Each
/// series is made once, at its first request; after that a request costs one look-up.
///
/// # Example
/// ```
/// use quintet_server::{Config, Hooks, Metrics, Server};
///
/// let metrics = Metrics::new();
/// let hooks = Hooks { served: Some(metrics.hook()), ..Hooks::default() };
/// let server = Server::with_config(async |_| "hello\n", Config { hooks, ..Config::default() });
/// metrics.update(&server.stats()); // before each time that the recorder is read
/// ```
#[doc(alias = "prometheus")]
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    labels: Vec<Label>,
    series: AllSeries,
    refusals: Mutex<HashMap<&'static str, Counter>>,
    faults: Mutex<HashMap<&'static str, Counter>>,
    totals: Totals,
}

impl Metrics {
    /// Metrics of the recorder that is installed now.
    #[must_use]
    pub fn new() -> Self {
        Self::with_labels(Vec::new())
    }

    /// The same with one more label on each: the name of this server, where a program has several.
    #[must_use]
    pub fn with_label(name: &'static str, value: impl Into<String>) -> Self {
        Self::with_labels(vec![Label::new(name, value.into())])
    }

    fn with_labels(labels: Vec<Label>) -> Self {
        names::describe();
        Self(Arc::new(Inner {
            series: AllSeries::new(labels.clone()),
            refusals: Mutex::default(),
            faults: Mutex::default(),
            totals: Totals::new(&labels),
            labels,
        }))
    }

    /// The function for [`Hooks::served`](crate::Hooks::served), which counts each request. For several functions there,
    /// call [`count`](Self::count) in one of your own.
    #[must_use]
    pub fn hook(&self) -> Arc<dyn Fn(&Served<'_>) + Send + Sync> {
        let metrics = self.clone();
        Arc::new(move |served| metrics.count(served))
    }

    /// Counts a request.
    pub fn count(&self, served: &Served<'_>) {
        let (method, class) = (known_method::place(served.method()), names::class(served.status()));
        self.0.series.with(method, class, served.pattern().unwrap_or(UNMATCHED), |series| {
            series.requests.increment(1);
            series.duration.record(served.duration());
            series.request_body.record(bytes(served.request_body_bytes()));
            series.response_body.record(bytes(served.reply_body_bytes()));
        });
        match served.outcome() {
            Outcome::Refused(refusal) => self.add_one(&self.0.refusals, REFUSALS, "kind", refusal.as_str()),
            fault @ (Outcome::Panicked | Outcome::Reset | Outcome::Broken | Outcome::Cut) => {
                self.add_one(&self.0.faults, FAULTS, "outcome", fault.as_str());
            }
            _ => {}
        }
    }

    /// Sets the metrics that the server counts anyway: connections, accept loops, limits, handshakes, hooks. Walks over all
    /// connections.
    pub fn update(&self, stats: &Stats) {
        self.0.totals.update(stats);
    }

    /// Adds one to the counter of this value of a label. The values are names of the library: there are few.
    fn add_one(
        &self,
        counters: &Mutex<HashMap<&'static str, Counter>>,
        name: &'static str,
        label: &'static str,
        value: &'static str,
    ) {
        let mut counters = counters.lock().unwrap_or_else(PoisonError::into_inner);
        let one = counters.entry(value).or_insert_with(|| {
            let mut labels = self.0.labels.clone();
            labels.push(Label::from_static_parts(label, value));
            counter!(name, labels)
        });
        one.increment(1);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Metrics").field(&self.0.series).finish()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a histogram has floats; above 2^53 bytes they are rounded")]
fn bytes(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
