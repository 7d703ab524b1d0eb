//! Metrics for Prometheus: what a server counts, served as text by a handler of its own.
//!
//! You learn: how a `Metrics` counts requests by method, class of status and pattern, that the path is never a label, and how
//!           the text is made without a second HTTP library.
//!
//! Run:      `cargo run --example 18_metrics`
//! Then:     `curl localhost:9090/items/7`, `curl localhost:9090/nothing`, `curl localhost:9090/metrics`
//! You see:  `http_server_requests_total{method="GET",status="2xx",pattern="GET /items/{id}"} 1`, and `unmatched` for the path
//!           that no route matches, whatever it is; the durations by bucket; connections by state.
//! Try:      `curl -X QUERY localhost:9090/items/8`: an unknown method is `_OTHER`; `printf 'GET / HTTP/1.1\n\n' | nc localhost
//!           9090`: a refusal by its rule.
//! End:      Ctrl-C.

use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use quintet_examples::{arguments, outln};
use quintet_server::{Config, Hooks, Metrics, Request, Response, ServeMux, Server, Stats};

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// The address to listen on
    #[arg(long, default_value = ":9090")]
    addr: String,
}

/// The upper ends of the buckets of durations, in seconds: OpenTelemetry's.
const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// The upper ends of the buckets of sizes, in bytes.
const BYTES: [f64; 6] = [0.0, 1024.0, 16_384.0, 262_144.0, 4_194_304.0, 67_108_864.0];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { addr } = arguments(include_str!("18_metrics.rs"));
    // The recorder first: a handle that is made before goes nowhere.
    let recorder = builder()?.install_recorder()?;
    let upkeep = recorder.clone();
    tokio::spawn(async move {
        // Durations wait in memory until they are put into their buckets: at each scrape, or here.
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });
    outln!("metrics at {addr}/metrics");
    server(recorder).run(&addr, Duration::from_secs(10)).await?;
    Ok(())
}

/// A recorder of Prometheus, with buckets for durations and sizes. Without buckets a histogram is written as a summary.
pub(crate) fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), &BYTES)
}

/// The server. Its `/metrics` is for the scraper alone: a program for the internet serves it on an address of its own.
pub(crate) fn server(recorder: PrometheusHandle) -> Server<ServeMux> {
    let metrics = Metrics::new();
    let hooks = Hooks { served: Some(metrics.hook()), ..Hooks::default() };
    let mux = ServeMux::new();
    mux.handle("GET /items/{id}", async |request: Request| {
        format!("item {}\n", request.path_value("id").unwrap_or_default())
    });
    mux.handle("GET /slow", async |_| {
        tokio::time::sleep(Duration::from_millis(300)).await;
        "slow\n"
    });
    mux.handle("GET /metrics", move |request: Request| {
        let text = scrape(&metrics, &recorder, &request);
        async move { text }
    });
    Server::with_config(mux, Config { hooks, ..Config::default() })
}

/// The text of all metrics. Prometheus: the text-based exposition format, version 0.0.4.
fn scrape(metrics: &Metrics, recorder: &PrometheusHandle, request: &Request) -> Response {
    // What the server counts anyway is set now; the request itself is counted when it has been answered.
    if let Some(stats) = Stats::of(request) {
        metrics.update(&stats);
    }
    Response::new(recorder.render()).with_content_type("text/plain; version=0.0.4; charset=utf-8")
}
