//! The metrics that a server counts already: their handles, and how they are read.

use std::sync::OnceLock;

use metrics::{Counter, Gauge, Label, counter, gauge};
use quintet_listener::ListenerHealth;

use super::names;
use crate::{access_log::AccessLogCounts, stats::Stats};

/// A counter, and how its value is read.
type Read<T> = (Counter, fn(&T) -> u64);

/// The handles of the metrics that a server counts already.
pub(super) struct Totals {
    /// By state: new, active, idle, hijacked.
    connections: [Gauge; 4],
    requests: Gauge,
    accepting: Gauge,
    accept_failing: Gauge,
    retiring: Gauge,
    /// Made with the first limit: 0 of a server without one would say that it lets nobody in.
    permits: OnceLock<Gauge>,
    labels: Vec<Label>,
    of_stats: Vec<Read<Stats>>,
    of_accept: Vec<Read<quintet_listener::HealthSnapshot>>,
    of_limits: Vec<Read<quintet_listener::LimitHealthSnapshot>>,
    of_log: Vec<Read<AccessLogCounts>>,
    #[cfg(feature = "tls")]
    of_tls: Vec<Read<quintet_listener::TlsHealthSnapshot>>,
    #[cfg(feature = "proxy")]
    of_proxied: Vec<Read<quintet_listener::ProxiedHealthSnapshot>>,
}

impl Totals {
    pub(super) fn new(labels: &[Label]) -> Self {
        let with = |label: &'static str, value: &'static str| {
            let mut labels = labels.to_vec();
            labels.push(Label::from_static_parts(label, value));
            labels
        };
        let errors = |kind| counter!(names::ACCEPT_ERRORS, with("kind", kind));
        let of_stats: Vec<Read<Stats>> = vec![
            (counter!(names::HOOK_PANICS, labels.to_vec()), |stats| stats.hook_failures().panics),
            (counter!(names::LOST_LINES, labels.to_vec()), |stats| stats.hook_failures().lost_lines),
            #[cfg(feature = "http2")]
            (counter!(names::STREAMS_REFUSED, labels.to_vec()), Stats::streams_refused),
        ];
        Self {
            connections: ["new", "active", "idle", "hijacked"]
                .map(|state| gauge!(names::CONNECTIONS, with("state", state))),
            requests: gauge!(names::ACTIVE_REQUESTS, labels.to_vec()),
            accepting: gauge!(names::ACCEPTING, labels.to_vec()),
            accept_failing: gauge!(names::ACCEPT_FAILING, labels.to_vec()),
            retiring: gauge!(names::RETIRING, labels.to_vec()),
            permits: OnceLock::new(),
            labels: labels.to_vec(),
            of_stats,
            of_accept: vec![
                (counter!(names::ACCEPTED, labels.to_vec()), |health| health.accepted),
                (errors("transient"), |health| health.transient),
                (errors("waited"), |health| health.waited),
                (errors("fatal"), |health| health.fatal),
            ],
            of_limits: vec![(counter!(names::PEER_REFUSALS, labels.to_vec()), |limit| limit.per_peer)],
            of_log: log(
                |result| counter!(names::LOG_LINES, with("result", result)),
                counter!(names::LOG_REOPEN_ERRORS, labels.to_vec()),
            ),
            #[cfg(feature = "tls")]
            of_tls: tls(|result| counter!(names::HANDSHAKES, with("result", result))),
            #[cfg(feature = "proxy")]
            of_proxied: proxied(|result| counter!(names::PROXY_HEADERS, with("result", result))),
        }
    }

    /// Sets all of them.
    pub(super) fn update(&self, stats: &Stats) {
        let counts = stats.counts();
        for (gauge, count) in self.connections.iter().zip([counts.new, counts.active, counts.idle, counts.hijacked]) {
            set(gauge, count);
        }
        set(&self.requests, stats.requests());
        set(&self.accepting, usize::from(stats.is_accepting()));
        set(&self.accept_failing, usize::from(stats.is_accept_failing()));
        set(&self.retiring, usize::from(stats.is_retiring()));
        sum(&self.of_stats, std::slice::from_ref(stats));
        let health: Vec<_> = stats.health().iter().map(quintet_listener::Health::snapshot).collect();
        sum(&self.of_accept, &health);
        sum(&self.of_log, stats.access_log().as_slice());
        self.update_listeners(&stats.listeners());
    }

    fn update_listeners(&self, listeners: &[ListenerHealth]) {
        let limits: Vec<_> = listeners.iter().filter_map(|one| Some(one.limit.as_ref()?.snapshot())).collect();
        sum(&self.of_limits, &limits);
        if !limits.is_empty() {
            let permits = self.permits.get_or_init(|| gauge!(names::PERMITS, self.labels.clone()));
            set(permits, limits.iter().map(|limit| limit.available).sum());
        }
        #[cfg(feature = "tls")]
        {
            let tls: Vec<_> = listeners.iter().filter_map(|one| Some(one.tls.as_ref()?.snapshot())).collect();
            sum(&self.of_tls, &tls);
        }
        #[cfg(feature = "proxy")]
        {
            let proxied: Vec<_> = listeners.iter().filter_map(|one| Some(one.proxied.as_ref()?.snapshot())).collect();
            sum(&self.of_proxied, &proxied);
        }
    }
}

/// Lines of the access log by their result, and how often its file could not be opened again.
fn log(counter: impl Fn(&'static str) -> Counter, reopen_errors: Counter) -> Vec<Read<AccessLogCounts>> {
    vec![
        (counter("written"), |log| log.written),
        (counter("dropped"), |log| log.dropped),
        (counter("failed"), |log| log.failed),
        (reopen_errors, |log| log.reopen_errors),
    ]
}

/// TLS handshakes by their result.
#[cfg(feature = "tls")]
fn tls(counter: impl Fn(&'static str) -> Counter) -> Vec<Read<quintet_listener::TlsHealthSnapshot>> {
    vec![
        (counter("ok"), |tls| tls.handshakes),
        (counter("plain_http"), |tls| tls.plain_http),
        (counter("not_tls"), |tls| tls.not_tls),
        (counter("timed_out"), |tls| tls.timed_out),
        (counter("disconnected"), |tls| tls.disconnected),
        (counter("refused_by_client"), |tls| tls.refused_by_client),
        (counter("incompatible"), |tls| tls.incompatible),
        (counter("client_certificate"), |tls| tls.client_certificate),
        (counter("protocol"), |tls| tls.protocol),
        (counter("panicked"), |tls| tls.panicked),
        (counter("dropped"), |tls| tls.dropped),
    ]
}

/// PROXY headers by their result.
#[cfg(feature = "proxy")]
fn proxied(counter: impl Fn(&'static str) -> Counter) -> Vec<Read<quintet_listener::ProxiedHealthSnapshot>> {
    vec![
        (counter("ok"), |proxied| proxied.opened),
        (counter("untrusted"), |proxied| proxied.untrusted),
        (counter("invalid"), |proxied| proxied.invalid),
        (counter("unexpected_eof"), |proxied| proxied.unexpected_eof),
        (counter("timed_out"), |proxied| proxied.timed_out),
        (counter("per_peer"), |proxied| proxied.per_peer),
    ]
}

/// Sets each counter to the sum of its value over these snapshots. A counter does not fall: the accept loops that have ended
/// are in the sum only until another one begins.
fn sum<T>(counters: &[Read<T>], snapshots: &[T]) {
    for (counter, read) in counters {
        counter.absolute(snapshots.iter().map(read).sum());
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; above 2^53 it is rounded")]
fn set(gauge: &Gauge, value: usize) {
    gauge.set(value as f64);
}
