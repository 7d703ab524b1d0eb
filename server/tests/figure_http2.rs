//! The live figure over HTTP/2: streams as samples of one connection, and the feed itself as a stream. Time is paused.

#![cfg(all(feature = "live", feature = "http2"))]

mod figure_kit;
mod http2_kit;
mod served_kit;
mod support;

use std::time::Duration;

use figure_kit::{Viewer, list, number};
use http2_kit::{config, connect, read, request};
use quintet_listener::Addr;
use quintet_server::{
    FigureOptions, ServeMux, Server, figure,
    httptest::{TestServer, TestServerOptions},
};
use serde_json::{Value, json};
use served_kit::observed;
use support::{bounded, eventually, in_memory};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

fn with_figure(mux: ServeMux) -> ServeMux {
    mux.handle("/live/", figure(FigureOptions { public: true, ..FigureOptions::default() }));
    mux
}

#[tokio::test(start_paused = true)]
async fn samples_of_http2_have_the_outcomes_of_their_events() {
    bounded(async {
        let (server, events) = observed(with_figure(served_kit::mux()), config());
        let (dial, _) = in_memory(&server);
        let mut viewer = Viewer::open(dial.connect()).await;
        viewer.tick().await;
        let mut client = connect(&dial).await;
        for (n, (method, path)) in [
            ("GET", "/later"),
            ("GET", "/pieces"),
            ("GET", "/big/300000"),
            ("HEAD", "/pieces"),
            ("GET", "/empty"),
            ("GET", "/nowhere"),
            ("GET", "/fails"),
            ("GET", "/bomb"),
            ("GET", "/panic"),
            ("GET", "/abort"),
        ]
        .into_iter()
        .enumerate()
        {
            let (reply, _) = client.open(request(method, path), true).await;
            let _ = read(reply).await;
            eventually("its event", || events.lock().unwrap().len() > n).await;
            let event = events.lock().unwrap()[n].clone();
            let tick = viewer.tick_when("a sample", |tick| !list(&tick["samples"]).is_empty()).await;
            let sample = &list(&tick["samples"])[0];
            let status = (event.status != 0).then_some(event.status);
            assert_eq!(
                (&sample["method"], &sample["pattern"], &sample["status"], &sample["outcome"], &sample["version"]),
                (&json!(method), &json!(event.pattern), &json!(status), &json!(event.outcome.as_str()), &json!("2")),
                "{path}"
            );
            assert_eq!((&sample["us"]["parsed"], sample["stream"].is_u64()), (&Value::Null, true), "{path}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_streams_of_one_connection_are_its_lanes() {
    bounded(async {
        let mux = with_figure(ServeMux::new());
        mux.handle("/wait", async |_| sleep(SECOND).await);
        let server = Server::with_config(mux, config());
        let (dial, _) = in_memory(&server);
        let mut viewer = Viewer::open(dial.connect()).await;
        viewer.tick().await;
        let mut client = connect(&dial).await;
        let mut replies = Vec::new();
        for _ in 0..5 {
            replies.push(client.open(request("GET", "/wait"), true).await.0);
        }
        let tick = viewer.tick_when("five wait", |tick| tick["requests"] == 5).await;
        let listed = &list(&tick["connections"])[0];
        assert_eq!(
            (&listed["protocol"], &listed["requests"], &listed["state"]),
            (&json!("h2"), &json!(5), &json!("active"))
        );
        assert_eq!(server.stats().requests(), 6, "with the feed");
        for reply in replies {
            read(reply).await.unwrap();
        }
        let tick = viewer.tick_when("five samples", |tick| list(&tick["samples"]).len() == 5).await;
        let samples = list(&tick["samples"]);
        assert!(samples.iter().all(|one| one["connection"] == listed["id"] && one["pattern"] == "/wait"));
        let mut lanes: Vec<u64> = samples.iter().map(|one| number(&one["stream"])).collect();
        lanes.sort_unstable();
        lanes.dedup();
        assert_eq!(lanes.len(), 5, "each in its own");
        let head = http::Request::put("http://a/").header("expect", "magic").body(()).unwrap();
        let (reply, _) = client.open(head, true).await;
        assert_eq!(read(reply).await.unwrap().status, 417);
        let tick = viewer.tick_when("a refusal", |tick| tick["refused"] == 1).await;
        assert_eq!(tick["refusals"][0]["name"], "expect");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_feed_over_http2_is_told_the_drain_and_does_not_delay_it() {
    bounded(async {
        let mux = with_figure(ServeMux::new());
        mux.handle("/wait", async |_| sleep(2 * SECOND).await);
        let server = Server::with_config(mux, config());
        let (dial, _) = in_memory(&server);
        let mut viewer = connect(&dial).await;
        let (feed, _) = viewer.open(request("GET", "/live/events"), true).await;
        let feed = tokio::spawn(read(feed));
        let mut client = dial.connect();
        client.get("/wait").await;
        sleep(SECOND).await;
        let (since, stopping) = (Instant::now(), server.clone());
        let shutdown = tokio::spawn(async move { stopping.shutdown(60 * SECOND).await });
        assert_eq!(client.reply().await.status, 200);
        assert!(client.ends().await);
        drop(client);
        assert_eq!(shutdown.await.unwrap().aborted, 0);
        // The handler has a second left; then its connection and that of the viewer linger.
        assert!(since.elapsed() < 3 * SECOND, "{:?}", since.elapsed());
        let text = feed.await.unwrap().unwrap().text().to_owned();
        assert!(text.starts_with("event: hello\n") && text.ends_with("event: bye\ndata: {}\n\n"), "{text}");
        assert!(text.contains("\"state\":\"stopping\",\"counts\":{\"new\":0,\"active\":1,"), "{text}");
        assert!(
            text.contains("\"state\":\"stopping\",\"counts\":{\"new\":0,\"active\":0,\"idle\":0,\"hijacked\":0}"),
            "{text}"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_is_told_until_the_own_requests_of_a_viewer_end() {
    bounded(async {
        let mux = with_figure(ServeMux::new());
        mux.handle("/wait", async |_| sleep(3 * SECOND).await);
        let server = Server::with_config(mux, config());
        let (dial, _) = in_memory(&server);
        let mut viewer = connect(&dial).await;
        let (feed, _) = viewer.open(request("GET", "/live/events"), true).await;
        let feed = tokio::spawn(async move {
            let text = read(feed).await.unwrap().text().to_owned();
            (text, Instant::now())
        });
        sleep(SECOND).await;
        let since = Instant::now();
        let (reply, _) = viewer.open(request("GET", "/wait"), true).await;
        let reply = tokio::spawn(async move { read(reply).await.unwrap().status });
        sleep(SECOND / 2).await;
        let stopping = server.clone();
        let shutdown = tokio::spawn(async move { stopping.shutdown(60 * SECOND).await });
        let (text, ended) = feed.await.unwrap();
        assert!(text.ends_with("event: bye\ndata: {}\n\n"), "{text}");
        let after = ended - since;
        assert!((3 * SECOND..4 * SECOND).contains(&after), "the request ends after 3 s, the feed after {after:?}");
        // Two and a half seconds of ticks, four a second; some come early.
        let told = text.matches("\"state\":\"stopping\"").count();
        assert!((8..=25).contains(&told), "{told} ticks");
        assert!(text.contains("\"own\":1,\"requests\":1,"), "the request is counted, the feed is not: {text}");
        assert_eq!(reply.await.unwrap(), 200);
        drop(viewer);
        assert_eq!(shutdown.await.unwrap().aborted, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_part_of_the_figure_is_refused_alike_in_both_protocols() {
    let mux = ServeMux::new();
    mux.handle("/live/", figure(FigureOptions::default()));
    let peer_addr = Addr::Tcp(([127, 0, 0, 1], 1234).into());
    let server = TestServer::start_with(mux, TestServerOptions { peer_addr, ..TestServerOptions::default() });
    for mut client in [server.client(), server.http2_client()] {
        for part in ["", "head", "events", "explain?path=/", "relation?a=/&b=/", "chapters.json", "figure.js", "none"] {
            for (host, field, reason) in [
                ("a.example", "user-agent", "the host is neither"),
                ("localhost.a.example", "user-agent", "the host is neither"),
                ("localhost", "via", "a proxy sent the request on"),
                ("127.0.0.1:9090", "x-forwarded-for", "a proxy sent the request on"),
            ] {
                for method in ["GET", "POST", "OPTIONS"] {
                    let request = client.request(method, &format!("/live/{part}"));
                    let reply = request.header("host", host).header(field, "127.0.0.1").send().await;
                    assert_eq!(reply.status, 403, "{method} {part} {host} {field}");
                    assert!(reply.text().contains(reason), "{}", reply.text());
                    assert_eq!(reply.header("access-control-allow-origin"), None);
                }
            }
        }
        let own =
            client.request("GET", "/live/head").header("host", "localhost:9090").header("x-own", "mine").send().await;
        assert!(own.status == 200 && own.text().contains("\"mine\""), "{}", own.text());
        assert!(own.text().ends_with("\"error\":null}") && !own.text().contains("\"bad\""), "{}", own.text());
        // A page of another site can send this, but not read the reply.
        let request =
            client.request("POST", "/live/head").header("host", "localhost").header("origin", "http://a.example");
        let reply = request.body("GET / HTTP/1.1\r\n").send().await;
        assert_eq!((reply.status.as_u16(), reply.header("access-control-allow-origin")), (200, None));
        assert_eq!(reply.header("cross-origin-resource-policy"), Some("same-origin"));
    }
    assert!(server.close().await.is_clean());
}
