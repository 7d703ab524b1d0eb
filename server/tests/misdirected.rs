//! A request for a host that its TLS connection is not for (421): its event, its line in the log, and its metric, on both
//! protocols.

#![cfg(all(feature = "http2", feature = "metrics", feature = "ring"))]

mod http2_kit;
mod recorder;
mod served_kit;
mod support;
mod tls_kit;

use std::{path::PathBuf, sync::Arc, time::Duration};

use h2::client::Builder;
use http::Request as Head;
use http2_kit::{config, over, read};
use metrics::set_default_local_recorder;
use quintet_server::{AccessLog, Metrics, Outcome, Refusal, ServeMux, access_log::AccessLogOptions};
use recorder::Recorder;
use serde_json::Value;
use served_kit::{Events, mux, observed};
use support::{bounded, eventually};
use tls_kit::{Kit, Site, serve};

/// The log, in a file that goes with it.
struct LogFile(PathBuf);

impl Drop for LogFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Asks for `/` of this host, over a connection for `a.example` that speaks this protocol; returns the status.
async fn ask(kit: &Kit<ServeMux>, site: &Site, protocol: &str, host: &str) -> u16 {
    let mut client = (*site.client(None)).clone();
    client.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let mut stream = kit.connect(&Arc::new(client), "a.example").await.expect("a handshake");
    if protocol == "http/1.1" {
        return tls_kit::get(&mut stream, host).await.0;
    }
    let mut client = over(stream, &Builder::new()).await;
    let head = Head::get(format!("https://{host}/")).body(()).expect("a request");
    let (reply, _) = client.open(head, true).await;
    read(reply).await.expect("a reply").status.as_u16()
}

/// The last event, which is the n-th.
async fn nth_event(events: &Events, n: usize) -> served_kit::Event {
    eventually("its event", || events.lock().expect("no panic").len() == n).await;
    events.lock().expect("no panic").last().expect("an event").clone()
}

#[tokio::test(start_paused = true)]
async fn a_421_has_its_event_log_line_and_metric_on_both_protocols() {
    bounded(async {
        let file = LogFile(std::env::temp_dir().join(format!("quintet-misdirected-{}.log", std::process::id())));
        let log = AccessLog::open_with(&file.0, AccessLogOptions::default()).expect("a log file");
        let recorder = Recorder::default();
        let _recording = set_default_local_recorder(&recorder);
        let site = Site::new();
        let secret = Arc::new(site.rustls_config("b.example"));
        let tls = site.config(None).config_for_client(move |hello| {
            hello.server_name()?.strip_suffix("b.example").map(|_| Arc::clone(&secret))
        });
        let mut config = config();
        config.access_log = Some(log.clone());
        config.hooks.served = Some(Metrics::new().hook());
        let (server, events) = observed(mux(), config);
        let kit = serve(server, tls);
        for (n, protocol) in ["http/1.1", "h2"].into_iter().enumerate() {
            assert_eq!(ask(&kit, &site, protocol, "a.example").await, 200, "{protocol}");
            let event = nth_event(&events, 2 * n + 1).await;
            assert_eq!((event.outcome, event.pattern.as_deref()), (Outcome::Complete, Some("GET /{$}")));
            assert_eq!(ask(&kit, &site, protocol, "b.example").await, 421, "{protocol}");
            let event = nth_event(&events, 2 * n + 2).await;
            assert_eq!(event.outcome, Outcome::Refused(Refusal::Misdirected), "{protocol}");
            assert_eq!((event.status, event.is_whole, event.pattern), (421, true, None), "{protocol}");
            assert_eq!(event.request.as_deref(), Some("GET /"), "{protocol}");
        }
        assert!(log.flush(Duration::from_secs(10)), "the log is written");
        let text = std::fs::read_to_string(&file.0).expect("the log");
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
        let refused: Vec<_> = lines.iter().filter(|line| line["status"] == 421).collect();
        let of = |name: &str| refused.iter().map(|line| line[name].as_str()).collect::<Vec<_>>();
        assert_eq!((lines.len(), of("outcome")), (4, vec![Some("refused"); 2]), "{text}");
        assert_eq!((of("refused"), of("host")), (vec![Some("misdirected"); 2], vec![Some("b.example"); 2]), "{text}");
        assert_eq!(of("version"), [Some("HTTP/1.1"), Some("HTTP/2.0")], "{text}");

        assert_eq!(recorder.counters("http_server_refusals_total"), [("{kind=misdirected}".to_owned(), 2)].into());
        let requests = recorder.counters("http_server_requests_total");
        assert_eq!(requests["{method=GET,status=4xx,pattern=unmatched}"], 2);
        assert_eq!(requests["{method=GET,status=2xx,pattern=GET /{$}}"], 2);
    })
    .await;
}
