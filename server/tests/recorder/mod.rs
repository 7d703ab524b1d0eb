//! A recorder of `metrics` that keeps the counters, and every value of the histograms, by their names and labels.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, SharedString, Unit};

/// Keeps every series. It is that of a thread: `set_default_local_recorder`.
#[derive(Default)]
pub struct Recorder(Mutex<BTreeMap<String, Arc<Series>>>);

/// A series: what was counted or set, and the values of a histogram.
#[derive(Default)]
struct Series {
    number: Arc<AtomicU64>,
    values: Mutex<Vec<f64>>,
}

impl HistogramFn for Series {
    fn record(&self, value: f64) {
        self.values.lock().expect("no panic").push(value);
    }
}

impl Recorder {
    fn series(&self, key: &Key) -> Arc<Series> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let name = format!("{}{{{}}}", key.name(), labels.join(","));
        Arc::clone(self.0.lock().expect("no panic").entry(name).or_default())
    }

    fn named<T>(&self, metric: &str, read: impl Fn(&Series) -> T) -> BTreeMap<String, T> {
        let all = self.0.lock().expect("no panic");
        let own = all.iter().filter_map(|(name, series)| Some((name.strip_prefix(metric)?, series)));
        own.filter(|(labels, _)| labels.starts_with('{')).map(|(labels, one)| (labels.to_owned(), read(one))).collect()
    }

    /// The counters of this metric that have counted, by their labels, as `{method=GET}`.
    pub fn counters(&self, metric: &str) -> BTreeMap<String, u64> {
        let mut all = self.named(metric, |series| series.number.load(Relaxed));
        all.retain(|_, count| *count > 0);
        all
    }

    /// The gauge with this name and these labels, as `http_server_connections{state=idle}`.
    pub fn gauge(&self, name: &str) -> f64 {
        let series = self.0.lock().expect("no panic").get(name).map(Arc::clone);
        f64::from_bits(series.expect("a gauge of this name").number.load(Relaxed))
    }

    /// The values of the histograms of this metric, by their labels.
    pub fn values(&self, metric: &str) -> BTreeMap<String, Vec<f64>> {
        self.named(metric, |series| series.values.lock().expect("no panic").clone())
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::clone(&self.series(key).number))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Arc::clone(&self.series(key).number))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.series(key))
    }
}
