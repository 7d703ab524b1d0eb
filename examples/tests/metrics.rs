//! The text of the example `18_metrics`, read by the rules of the exposition format, and its numbers.

use std::collections::{BTreeMap, BTreeSet};

use example::{builder, server};
use metrics_exporter_prometheus::PrometheusRecorder;
use quintet_listener::testing::MemoryListener;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[path = "../18_metrics.rs"]
#[allow(dead_code, reason = "its `main` is not called")]
mod example;

/// The samples of a text by name and labels, as written.
type Samples = BTreeMap<String, f64>;

/// Reads a text of version 0.0.4, and checks it: each metric has one type before its samples, each series is there once,
/// counters end with `_total`, the buckets of a histogram only grow, and the last one is its count.
fn read(text: &str) -> Samples {
    let (mut types, mut samples, mut last) = (BTreeMap::new(), Samples::new(), BTreeMap::<String, f64>::new());
    let mut finished = BTreeSet::new();
    let mut current = "";
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a type");
            assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
            assert!(types.insert(name, kind).is_none(), "two types: {line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(finished.insert(name), "not in one piece: {line}");
            current = name;
            continue;
        }
        if line.starts_with('#') {
            assert!(line.starts_with("# HELP "), "{line}");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a series and a value");
        let name = series.split('{').next().unwrap_or_default();
        let value: f64 = value.parse().expect("a number");
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        assert!(name == current || base == Some(current), "without a type: {line}");
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{line}");
        if let Some((labels, _)) = series.split_once(",le=\"") {
            let before = last.insert(labels.to_owned(), value);
            assert!(before.is_none_or(|before| before <= value), "a bucket that shrinks: {line}");
        }
        assert!(samples.insert(series.to_owned(), value).is_none(), "twice: {line}");
    }
    for (labels, value) in last {
        let count = labels.replacen("_bucket", "_count", 1) + "}";
        assert_eq!(samples.get(&count), Some(&value), "{count}");
    }
    samples
}

/// What the server answers to these requests of one connection, until it closes.
async fn ask(dialer: &quintet_listener::testing::Dialer, requests: &str) -> String {
    let (mut client, _reset) = dialer.connect(1 << 20);
    client.write_all(requests.as_bytes()).await.expect("the server reads");
    let mut reply = String::new();
    client.read_to_string(&mut reply).await.expect("text");
    reply
}

#[tokio::test(start_paused = true)]
async fn the_text_of_metrics_has_what_the_clients_saw() {
    let recorder: PrometheusRecorder = builder().expect("buckets").build_recorder();
    let _installed = metrics::set_default_local_recorder(&recorder);
    let server = server(recorder.handle());
    let (listener, dialer) = MemoryListener::new();
    let serves = server.clone();
    tokio::spawn(async move { serves.serve(listener).await });
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let last = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    ask(&dialer, &(get("/items/1") + &get("/items/2") + &last("/items/3?x=y"))).await;
    ask(&dialer, &(get("/nothing") + &last("/nor/this"))).await;
    ask(&dialer, "QUERY /items/4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    ask(&dialer, "GET / HTTP/1.1\nHost: a\r\n\r\n").await;
    ask(&dialer, &last("/slow")).await;
    let reply = ask(&dialer, &last("/metrics")).await;
    let (head, text) = reply.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    let samples = read(text);
    let of = |series: &str| samples.get(series).copied();
    let requests = |labels: &str| of(&format!("http_server_requests_total{{{labels}}}"));
    assert_eq!(requests("method=\"GET\",status=\"2xx\",pattern=\"GET /items/{id}\""), Some(3.0));
    assert_eq!(requests("method=\"GET\",status=\"4xx\",pattern=\"unmatched\""), Some(2.0));
    assert_eq!(requests("method=\"GET\",status=\"2xx\",pattern=\"GET /slow\""), Some(1.0));
    assert_eq!(of("http_server_refusals_total{kind=\"bare_lf\"}"), Some(1.0));
    assert_eq!(of("http_server_accepted_total"), Some(6.0));
    assert_eq!(of("http_server_connections{state=\"active\"}"), Some(1.0), "the one of this request");
    let slow = "http_server_request_duration_seconds_bucket{method=\"GET\",status=\"2xx\",pattern=\"GET /slow\"";
    assert_eq!((of(&format!("{slow},le=\"0.25\"}}")), of(&format!("{slow},le=\"0.5\"}}"))), (Some(0.0), Some(1.0)));
    assert!(!text.contains("nothing") && !text.contains("QUERY"), "{text}");
}
