//! The metrics of requests over HTTP/2: method, pattern, class of the status, durations, sizes, resets and refusals.

#![cfg(all(feature = "http2", feature = "metrics"))]

mod http2_kit;
mod recorder;
mod served_kit;
mod support;

use std::{collections::BTreeMap, time::Duration};

use h2::Reason;
use http::Request as Head;
use http2_kit::{config, connect, read, request};
use metrics::set_default_local_recorder;
use quintet_server::{Http2Config, Metrics, Server};
use recorder::Recorder;
use served_kit::mux;
use support::{bounded, eventually, in_memory};
use tokio::time::sleep;

fn map<T: Copy>(rows: &[(&str, T)]) -> BTreeMap<String, T> {
    rows.iter().map(|(labels, value)| ((*labels).to_owned(), *value)).collect()
}

/// How many requests were counted.
fn requests(recorder: &Recorder) -> u64 {
    recorder.counters("http_server_requests_total").values().sum()
}

#[tokio::test(start_paused = true)]
async fn http2_requests_are_counted_by_method_class_and_pattern() {
    bounded(async {
        let recorder = Recorder::default();
        let _recording = set_default_local_recorder(&recorder);
        let metrics = Metrics::new();
        let mut config = config();
        config.hooks.served = Some(metrics.hook());
        let server = Server::with_config(mux(), config);
        let (dial, _serving) = in_memory(&server);
        let mut client = connect(&dial).await;
        for path in ["/big/7", "/big/3000", "/nowhere", "/never", "/sleep", "/panic"] {
            client.get(path).await;
        }
        client.post("/read", "21 bytes of a body...").await;
        let (reply, _) = client.open(request("QUERY", "/big/7"), true).await;
        assert_eq!(read(reply).await.expect("a reply").status, 405);
        let (reply, _) = client.open(request("GET", "/abort"), true).await;
        read(reply).await.expect_err("a reset");
        eventually("all are counted", || requests(&recorder) == 9).await;

        let big = "{method=GET,status=2xx,pattern=GET /big/{n}}";
        let slept = "{method=GET,status=2xx,pattern=GET /sleep}";
        let posted = "{method=POST,status=2xx,pattern=POST /read}";
        let expected = [
            (big, 2),
            (slept, 1),
            (posted, 1),
            ("{method=GET,status=4xx,pattern=unmatched}", 2),
            ("{method=GET,status=5xx,pattern=GET /panic}", 1),
            ("{method=GET,status=none,pattern=GET /abort}", 1),
            ("{method=_OTHER,status=4xx,pattern=unmatched}", 1),
        ];
        assert_eq!(recorder.counters("http_server_requests_total"), map(&expected));
        let faults = [("{outcome=broken}", 1), ("{outcome=panicked}", 1)];
        assert_eq!(recorder.counters("http_server_request_faults_total"), map(&faults));
        assert_eq!(recorder.values("http_server_response_body_size_bytes")[big], [7.0, 3000.0]);
        assert_eq!(recorder.values("http_server_request_body_size_bytes")[posted], [21.0]);
        // The time is paused: what waits takes as long as it waits, and the rest no time.
        let durations = recorder.values("http_server_request_duration_seconds");
        assert_eq!((&*durations[slept], &*durations[big]), (&[1.5][..], &[0.0, 0.0][..]));

        // One connection with several requests.
        let held =
            [client.open(request("GET", "/sleep"), true).await, client.open(request("GET", "/sleep"), true).await];
        eventually("both are at work", || server.stats().requests() == 2).await;
        metrics.update(&server.stats());
        assert_eq!(recorder.gauge("http_server_active_requests{}"), 2.0);
        assert_eq!(recorder.gauge("http_server_connections{state=active}"), 1.0);
        drop(held);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn http2_resets_and_refusals_are_counted() {
    bounded(async {
        if support::without_timeouts() {
            return; // a stream that finds no place is refused after a time
        }
        let recorder = Recorder::default();
        let _recording = set_default_local_recorder(&recorder);
        let metrics = Metrics::new();
        let mut config = config();
        config.http2 = Http2Config { max_concurrent_streams: 1, ..Http2Config::default() };
        config.hooks.served = Some(metrics.hook());
        let server = Server::with_config(
            async |_| {
                sleep(Duration::from_secs(60)).await;
                "late"
            },
            config,
        );
        let (dial, _serving) = in_memory(&server);
        let mut client = connect(&dial).await;
        let head = Head::put("http://a/").header("expect", "magic").body(()).expect("a request");
        let (reply, _) = client.open(head, true).await;
        assert_eq!(read(reply).await.expect("a reply").status, 417);
        // The handler of a request that is reset goes on, so that there is no place for the next one.
        let (first, mut stream) = client.open(request("GET", "/"), false).await;
        sleep(Duration::from_millis(10)).await;
        stream.send_reset(Reason::CANCEL);
        drop(first);
        let (second, _) = client.open(request("GET", "/"), true).await;
        assert_eq!(read(second).await.expect_err("no place").reason(), Some(Reason::REFUSED_STREAM));
        sleep(Duration::from_secs(60)).await;
        eventually("all are counted", || requests(&recorder) == 3).await;

        let refusals = [("{kind=expect}", 1), ("{kind=no_place}", 1)];
        assert_eq!(recorder.counters("http_server_refusals_total"), map(&refusals));
        assert_eq!(recorder.counters("http_server_request_faults_total"), map(&[("{outcome=reset}", 1)]));
        metrics.update(&server.stats());
        assert_eq!(recorder.counters("http_server_streams_refused_total"), map(&[("{}", 1)]));
    })
    .await;
}
