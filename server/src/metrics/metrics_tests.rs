//! The series that events make, with a recorder of their names and values.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    set_default_local_recorder,
};
use quintet_request::HeadError;

use super::*;
use crate::{Refusal, Server, served::ServedExample};

/// The values of a histogram.
#[derive(Default)]
struct Values(Mutex<Vec<f64>>);

impl HistogramFn for Values {
    fn record(&self, value: f64) {
        self.0.lock().unwrap().push(value);
    }
}

/// Keeps every series by its name and labels, and counts how often a handle was made.
#[derive(Default)]
struct Names {
    made: AtomicU64,
    counters: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    gauges: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    histograms: Mutex<BTreeMap<String, Arc<Values>>>,
}

fn name(key: &Key) -> String {
    let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
    format!("{}{{{}}}", key.name(), labels.join(","))
}

impl Names {
    fn entry<T: Default>(&self, all: &Mutex<BTreeMap<String, Arc<T>>>, key: &Key) -> Arc<T> {
        self.made.fetch_add(1, Relaxed);
        Arc::clone(all.lock().unwrap().entry(name(key)).or_default())
    }

    fn counter(&self, name: &str) -> u64 {
        self.counters.lock().unwrap().get(name).map_or(0, |counter| counter.load(Relaxed))
    }

    fn gauge(&self, name: &str) -> f64 {
        f64::from_bits(self.gauges.lock().unwrap().get(name).unwrap().load(Relaxed))
    }

    fn values(&self, name: &str) -> Vec<f64> {
        self.histograms.lock().unwrap().get(name).map_or(Vec::new(), |values| values.0.lock().unwrap().clone())
    }
}

impl Recorder for Names {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.entry(&self.counters, key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.entry(&self.gauges, key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.entry(&self.histograms, key))
    }
}

fn get(path: &str) -> ServedExample {
    ServedExample::new(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())
}

#[test]
fn a_request_is_counted_by_method_class_and_pattern() {
    let names = Names::default();
    let _installed = set_default_local_recorder(&names);
    let metrics = Metrics::new();
    let one = get("/items/7").pattern("GET /items/{id}").request_body_bytes(3).reply_body_bytes(1 << 40);
    one.duration(Duration::from_millis(1500)).show(|served| metrics.count(served));
    let labels = "{method=GET,status=2xx,pattern=GET /items/{id}}";
    let of = |name: &str| format!("{name}{labels}");
    assert_eq!(names.counter(&of("http_server_requests_total")), 1);
    assert_eq!(names.values(&of("http_server_request_duration_seconds")), [1.5]);
    assert_eq!(names.values(&of("http_server_request_body_size_bytes")), [3.0]);
    assert_eq!(names.values(&of("http_server_response_body_size_bytes")), [1_099_511_627_776.0]);
}

#[test]
fn a_client_cannot_make_series() {
    let names = Names::default();
    let _installed = set_default_local_recorder(&names);
    let metrics = Metrics::new();
    let before = names.made.load(Relaxed);
    for n in 0..100 {
        let head = format!("M{n} /path/{n}?{n} HTTP/1.1\r\nHost: h{n}\r\nUser-Agent: {n}\r\n\r\n");
        ServedExample::new(head.as_bytes()).status(404).show(|served| metrics.count(served));
        let head = format!("GET /items/{n} HTTP/1.1\r\nHost: a\r\n\r\n");
        ServedExample::new(head.as_bytes()).pattern("/items/{id}").show(|served| metrics.count(served));
    }
    assert_eq!(names.made.load(Relaxed) - before, 2 * 4, "the handles of two series, made once");
    assert_eq!(names.counter("http_server_requests_total{method=_OTHER,status=4xx,pattern=unmatched}"), 100);
    assert_eq!(names.counter("http_server_requests_total{method=GET,status=2xx,pattern=/items/{id}}"), 100);
}

#[test]
fn a_refused_request_is_counted_by_its_rule() {
    let names = Names::default();
    let _installed = set_default_local_recorder(&names);
    let metrics = Metrics::new();
    for refusal in [
        Refusal::Head(HeadError::BareLf { at: 3 }),
        Refusal::Head(HeadError::BareLf { at: 4 }),
        Refusal::HeadTimeout,
        Refusal::NoPlace,
    ] {
        ServedExample::refused(refusal).show(|served| metrics.count(served));
    }
    let of = |kind| names.counter(&format!("http_server_refusals_total{{kind={kind}}}"));
    assert_eq!((of("bare_lf"), of("head_timeout"), of("no_place")), (2, 1, 1));
    let of = |status| {
        names.counter(&format!("http_server_requests_total{{method=_OTHER,status={status},pattern=unmatched}}"))
    };
    assert_eq!((of("4xx"), of("none")), (3, 1));
}

#[test]
fn a_fault_is_counted_by_its_outcome() {
    let names = Names::default();
    let _installed = set_default_local_recorder(&names);
    let metrics = Metrics::with_label("server", "main");
    for outcome in [Outcome::Panicked, Outcome::Reset, Outcome::Broken, Outcome::Cut, Outcome::Cut] {
        get("/").status(0).outcome(outcome).show(|served| metrics.count(served));
    }
    for outcome in [Outcome::Complete, Outcome::TakenOver] {
        get("/").outcome(outcome).show(|served| metrics.count(served));
    }
    let of = |outcome| names.counter(&format!("http_server_request_faults_total{{server=main,outcome={outcome}}}"));
    assert_eq!(["panicked", "reset", "broken", "cut"].map(of), [1, 1, 1, 2]);
    assert_eq!(["complete", "taken_over"].map(of), [0, 0]);
    let none = "http_server_requests_total{server=main,method=GET,status=none,pattern=unmatched}";
    assert_eq!(names.counter(none), 5);
}

#[tokio::test(start_paused = true)]
async fn update_sets_what_the_server_counts() {
    use quintet_listener::{Limit, testing::MemoryListener};
    let names = Names::default();
    let _installed = set_default_local_recorder(&names);
    let (metrics, server) = (Metrics::new(), Server::new(async |_| "hello\n"));
    metrics.update(&server.stats());
    assert_eq!(names.gauge("http_server_accepting{}"), 0.0);
    assert!(!names.gauges.lock().unwrap().contains_key("http_server_permits_available{}"), "no limit, no number");
    let (listener, dialer) = MemoryListener::new();
    let serves = server.clone();
    tokio::spawn(async move { serves.serve(Limit::new(listener, 5)).await });
    let _clients = [dialer.connect(64), dialer.connect(64)];
    while server.counts().new < 2 {
        tokio::task::yield_now().await;
    }
    metrics.update(&server.stats());
    metrics.update(&server.stats());
    assert_eq!(names.counter("http_server_accepted_total{}"), 2);
    assert_eq!(names.gauge("http_server_connections{state=new}"), 2.0);
    assert_eq!(names.gauge("http_server_connections{state=idle}"), 0.0);
    assert_eq!(names.gauge("http_server_permits_available{}"), 3.0);
    assert_eq!(names.gauge("http_server_active_requests{}"), 0.0);
    assert_eq!((names.gauge("http_server_accepting{}"), names.gauge("http_server_retiring{}")), (1.0, 0.0));
    server.close().await;
    metrics.update(&server.stats());
    assert_eq!((names.gauge("http_server_accepting{}"), names.gauge("http_server_retiring{}")), (0.0, 1.0));
}

#[cfg(unix)]
#[test]
fn a_log_that_cannot_be_reopened_is_counted() {
    let names = Names::default();
    let _installed = set_default_local_recorder(&names);
    let folder = std::env::temp_dir().join(format!("quintet-metrics-reopen-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let log = crate::AccessLog::open(folder.join("log")).unwrap();
    let config = crate::Config { access_log: Some(log.clone()), ..crate::Config::default() };
    let server = Server::with_config(async |_| "hello\n", config);
    std::fs::remove_dir_all(&folder).unwrap();
    log.reopen();
    assert!(log.flush(Duration::from_secs(60)));
    Metrics::new().update(&server.stats());
    assert_eq!(names.counter("http_server_access_log_reopen_errors_total{}"), 1);
}
