//! The live figure: what its feed tells is what the server counts. Time is paused.

#![cfg(feature = "live")]

mod figure_kit;
mod support;

use std::{fs, path::Path, sync::Arc, time::Duration};

use figure_kit::{Viewer, list, number};
use quintet_listener::testing::{AcceptStep, ScriptedListener};
use quintet_server::{
    Config, FigureOptions, Handler, Hooks, Response, ServeMux, Server, ShutdownReport, Stats, StatusCode, figure,
    listener::Limit, mux::Mux,
};
use serde_json::{Value, json};
use support::{bounded, eventually, in_memory, memory};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::Handle,
    sync::Notify,
    time::{Instant, sleep, timeout},
};

/// The error of a process that is out of descriptors.
const EMFILE: i32 = 24;
const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(250);

/// A figure for every client: in memory there is no loopback.
fn shown(stats: Option<Stats>) -> impl Handler {
    figure(FigureOptions { stats, public: true, ..FigureOptions::default() })
}

/// A server with the figure, and with a handler that waits.
fn start() -> (Server<ServeMux>, Arc<Notify>) {
    let answer = Arc::<Notify>::default();
    let waits = Arc::clone(&answer);
    let mux = ServeMux::new();
    mux.handle("/wait/{name}", move |_| {
        let waits = Arc::clone(&waits);
        async move { waits.notified().await }
    });
    mux.handle("/{$}", async |_| "hello\n");
    mux.handle("/live/", shown(None));
    (support::server(mux), answer)
}

/// The counts of a tick, in the order new, active, idle, hijacked.
fn counts(tick: &Value) -> [u64; 4] {
    ["new", "active", "idle", "hijacked"].map(|state| number(&tick["counts"][state]))
}

#[tokio::test(start_paused = true)]
async fn the_figure_is_for_loopback_peers_by_default() {
    bounded(async {
        let mux = ServeMux::new();
        mux.handle("/live/", figure(FigureOptions::default()));
        let server = support::server(mux);
        let (dial, _) = in_memory(&server);
        for path in ["/live/", "/live/events", "/live/figure.js", "/live/none"] {
            let reply = dial.connect().fetch(path).await;
            assert_eq!(reply.status, 403, "{path}");
            assert!(reply.text().contains("not on the loopback interface"), "{}", reply.text());
            assert!(reply.text().contains("FigureOptions::public"), "{}", reply.text());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_page_of_the_figure_loads_only_its_own_files() {
    bounded(async {
        let (server, _) = start();
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        assert_eq!(client.fetch("/live").await.field("location"), Some("/live/"));
        let page = client.fetch("/live/").await;
        assert_eq!((page.status, page.field("content-type")), (200, Some("text/html; charset=utf-8")));
        let policy = page.field("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
        for (path, kind) in [("figure.css", "text/css; charset=utf-8"), ("figure.js", "text/javascript; charset=utf-8")]
        {
            assert!(page.text().contains(path), "{path}");
            let file = client.fetch(&format!("/live/{path}")).await;
            assert_eq!((file.status, file.field("content-type")), (200, Some(kind)));
            assert_eq!(file.field("x-content-type-options"), Some("nosniff"));
        }
        for outside in ["http://", "https://", "//cdn"] {
            let loads = [format!("src=\"{outside}"), format!("href=\"{outside}\" rel=\"stylesheet")];
            assert!(!loads.iter().any(|load| page.text().contains(load)), "{outside}");
        }
        assert_eq!(client.fetch("/live/none").await.status, 404);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_tick_has_the_counts_of_the_server_without_its_viewer() {
    bounded(async {
        let (server, answer) = start();
        let (dial, _) = in_memory(&server);
        let mut clients: Vec<_> = (0..6).map(|_| dial.connect()).collect();
        let mut viewer = Viewer::open(dial.connect()).await;
        assert_eq!(viewer.hello["tick_ms"], 250);
        assert_eq!(counts(&viewer.tick().await), [6, 0, 0, 0]);
        clients[0].fetch("/").await;
        clients[1].fetch("/").await;
        clients[2].get("/wait/a").await;
        clients[3].send("GET /").await;
        let tick = viewer.tick_when("all have begun", |tick| counts(tick) == [2, 2, 2, 0]).await;
        let truth = server.counts();
        assert_eq!([truth.new, truth.active, truth.idle, truth.hijacked], [2, 3, 2, 0], "with the viewer");
        assert_eq!((&tick["own"], &tick["requests"], server.stats().requests()), (&json!(1), &json!(2), 3));
        assert_eq!(tick["state"], "serving");
        let accept = &tick["accept"];
        assert_eq!((&accept["accepted"], &accept["open"], &accept["limit"]), (&json!(7), &json!(true), &Value::Null));
        let listed = list(&tick["connections"]);
        assert_eq!((listed.len(), &tick["more_connections"]), (6, &json!(0)));
        assert!(listed.iter().all(|one| one["id"] != viewer.hello["own"]), "the viewer's own is not listed");
        assert!(listed.iter().all(|one| one["tls"] == support::over_tls() && one["proxied"] == false));
        answer.notify_waiters();
        clients.remove(2).reply().await;
        drop(clients);
        viewer.tick_when("all have left", |tick| counts(tick) == [0; 4]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_head_is_listed_with_its_phase_and_shrinking_time() {
    if support::without_timeouts() {
        return;
    }
    bounded(async {
        let (server, _) = start();
        let (dial, _) = in_memory(&server);
        let mut slow = dial.connect();
        slow.send("GET / HTTP/1.1\r\nHost:").await;
        let mut idle = dial.connect();
        idle.fetch("/").await;
        let mut viewer = Viewer::open(dial.connect()).await;
        let mut before = u64::MAX;
        for _ in 0..20 {
            let tick = viewer.tick().await;
            let of = |phase: &str| {
                let listed = list(&tick["connections"]);
                listed.iter().find(|one| one["phase"] == phase).unwrap_or_else(|| panic!("{phase}: {tick}")).clone()
            };
            let (head, idle) = (of("head"), of("idle"));
            assert_eq!(
                (&head["state"], &head["limit_ms"], &head["requests"]),
                (&json!("active"), &json!(10_000), &json!(1))
            );
            assert_eq!(
                (&idle["state"], &idle["limit_ms"], &idle["requests"]),
                (&json!("idle"), &json!(75_000), &json!(0))
            );
            assert_eq!(idle["protocol"], "http/1.1");
            let left = number(&head["left_ms"]);
            assert!(left <= before && left <= 10_000, "{left} after {before}");
            before = left;
        }
        assert!((4_500..=5_500).contains(&before), "{before}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_back_off_at_emfile_is_told_and_the_recovery() {
    bounded(async {
        let (server, _) = start();
        let (dial, _) = in_memory(&server);
        let mut viewer = Viewer::open(dial.connect()).await;
        assert!(list(&viewer.tick().await["accept"]["events"]).is_empty());
        let steps = [AcceptStep::Fail(EMFILE); 9].into_iter().chain([AcceptStep::Accept]);
        let listener = ScriptedListener::new(steps);
        let failing = server.clone();
        tokio::spawn(async move { failing.serve(listener).await });
        let (mut delays, mut shown) = (Vec::new(), Vec::new());
        let tick = loop {
            let tick = viewer.tick().await;
            shown.push(number(&tick["accept"]["delay_ms"]));
            let events = list(&tick["accept"]["events"]).to_vec();
            for event in events.iter().filter(|event| event["kind"] == "error") {
                assert_eq!((&event["errno"], &event["class"]), (&json!("EMFILE"), &json!("exhausted")));
                delays.push(number(&event["delay_ms"]));
            }
            if events.iter().any(|event| event["kind"] == "recovered") {
                break tick;
            }
        };
        assert_eq!(delays, [5, 10, 20, 40, 80, 160, 320, 640, 1000], "also those that are shorter than a tick");
        assert!(shown.contains(&1000), "{shown:?}");
        let accept = &tick["accept"];
        assert_eq!((&accept["waited"], &accept["delay_ms"]), (&json!(9), &json!(0)));
        assert!(list(&viewer.tick().await["accept"]["events"]).is_empty(), "each event is told once");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_connections_is_told() {
    bounded(async {
        let (server, _) = start();
        let (listener, dial) = memory();
        let serving = server.clone();
        tokio::spawn(async move { serving.serve(Limit::new(listener, 10)).await });
        let mut viewer = Viewer::open(dial.connect()).await;
        assert_eq!(viewer.tick().await["accept"]["limit"], json!({"available": 9, "max": 10}));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_is_told_until_zero_and_not_delayed_by_viewers() {
    bounded(async {
        for viewers in [1, 2] {
            let (server, answer) = start();
            let (dial, _) = in_memory(&server);
            let mut viewers: Vec<_> = {
                let mut open = Vec::new();
                for _ in 0..viewers {
                    open.push(Viewer::open(dial.connect()).await);
                }
                open
            };
            let mut clients: Vec<_> = (0..3).map(|_| dial.connect()).collect();
            for client in &mut clients {
                client.get("/wait/a").await;
            }
            viewers[0].tick_when("three wait", |tick| counts(tick) == [0, 3, 0, 0]).await;
            let watching = tokio::spawn(async move {
                let mut seen = Vec::new();
                while let Some((name, data)) = viewers[0].event().await {
                    seen.push((name, data));
                }
                // The other ones are told the same.
                for viewer in &mut viewers[1..] {
                    let mut last = String::new();
                    while let Some((name, _)) = viewer.event().await {
                        last = name;
                    }
                    assert_eq!(last, "bye");
                }
                seen
            });
            let stopping = server.clone();
            let shutdown = tokio::spawn(async move { stopping.shutdown(60 * SECOND).await });
            sleep(3 * SECOND).await;
            assert!(!shutdown.is_finished(), "three handlers are at work");
            answer.notify_waiters();
            for client in &mut clients {
                assert_eq!(client.reply().await.status, 200);
            }
            drop(clients);
            let since = Instant::now();
            let report = shutdown.await.unwrap();
            assert!(since.elapsed() < TICK, "viewers delay the shutdown by {:?}", since.elapsed());
            assert_eq!(report.aborted, 0);
            let seen = watching.await.unwrap();
            let (bye, ticks) = seen.split_last().expect("events");
            assert_eq!(bye.0, "bye");
            assert!(ticks.iter().any(|(_, tick)| tick["state"] == "stopping" && counts(tick) == [0, 3, 0, 0]));
            let last = &ticks.last().expect("a tick").1;
            assert_eq!((counts(last), &last["accept"]["open"]), ([0; 4], &json!(false)));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_does_not_read_delays_a_shutdown_by_a_second() {
    if support::without_timeouts() {
        return;
    }
    bounded(async {
        let (server, _) = start();
        let (dial, _) = in_memory(&server);
        let mut deaf = dial.connect_sized(512);
        deaf.get("/live/events").await;
        sleep(4 * SECOND).await; // its buffers are full, and its rate is not too low yet
        let since = Instant::now();
        let report = server.shutdown(60 * SECOND).await;
        assert!(since.elapsed() < SECOND, "{:?}", since.elapsed());
        assert_eq!(report, ShutdownReport { drained: 1, aborted: 0 });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_figure_of_another_server_ends_with_its_own() {
    bounded(async {
        let (main, _) = start();
        let (main_dial, _) = in_memory(&main);
        let mux = ServeMux::new();
        mux.handle("/live/", shown(Some(main.stats())));
        let admin = support::server(mux);
        let (dial, _) = in_memory(&admin);
        let _client = main_dial.connect();
        let mut viewer = Viewer::open(dial.connect()).await;
        let tick = viewer.tick().await;
        assert_eq!((counts(&tick), &tick["own"]), ([1, 0, 0, 0], &json!(0)));
        let since = Instant::now();
        admin.shutdown(60 * SECOND).await;
        assert!(since.elapsed() < SECOND, "{:?}", since.elapsed());
        while viewer.event().await.is_some() {}
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn two_viewers_share_their_ticks() {
    bounded(async {
        let (server, _) = start();
        let (dial, _) = in_memory(&server);
        let mut one = Viewer::open(dial.connect()).await;
        one.tick().await;
        let tasks = Handle::current().metrics().num_alive_tasks();
        let mut other = Viewer::open(dial.connect()).await;
        assert_eq!(Handle::current().metrics().num_alive_tasks(), tasks + 1, "that of its connection");
        let first = other.tick().await;
        let (mut of_one, mut of_other) = (Vec::new(), vec![first.clone()]);
        while of_one.last() != Some(&first) {
            of_one.push(one.tick().await);
        }
        of_one.drain(..of_one.len() - 1);
        for _ in 0..8 {
            of_one.push(one.tick().await);
            of_other.push(other.tick().await);
        }
        assert_eq!(of_one, of_other);
        assert_eq!(of_one[8]["own"], 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_task_of_the_ticks_ends_with_the_last_viewer() {
    bounded(async {
        let (server, _) = start();
        let (dial, _) = in_memory(&server);
        sleep(SECOND).await; // the accept loop has begun
        let before = Handle::current().metrics().num_alive_tasks();
        for _ in 0..3 {
            let mut one = Viewer::open(dial.connect()).await;
            let mut other = Viewer::open(dial.connect()).await;
            one.tick().await;
            drop(one);
            eventually("its connection has gone", || server.counts().total() == 1).await;
            other.tick().await;
            other.tick().await;
            drop(other);
            let gone = || Handle::current().metrics().num_alive_tasks() == before;
            timeout(TICK, eventually("all tasks have gone", gone)).await.expect("at once");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_tick_of_ten_thousand_connections_is_bounded() {
    bounded(async {
        let (server, _) = start();
        let (dial, _) = in_memory(&server);
        let _clients: Vec<_> = (0..10_000).map(|_| dial.connect_sized(16)).collect();
        eventually("all are accepted", || server.counts().new == 10_000).await;
        let mut viewer = Viewer::open(dial.connect()).await;
        let mut before = viewer.seen.len();
        let mut listings = 0;
        for _ in 0..38 {
            let tick = viewer.tick().await;
            assert_eq!(counts(&tick), [10_000, 0, 0, 0]);
            if tick["connections"].is_null() {
                assert_eq!(tick["more_connections"], 10_000);
            } else {
                assert_eq!((list(&tick["connections"]).len(), &tick["more_connections"]), (60, &json!(9_940)));
                listings += 1;
            }
            assert!(viewer.seen.len() - before < 64 * 1024, "a tick of {} bytes", viewer.seen.len() - before);
            before = viewer.seen.len();
        }
        assert_eq!(listings, 1, "one walk in nine seconds");
    })
    .await;
}

/// The paragraphs of a README, each as one line, without its blocks of code and its headings.
fn paragraphs(readme: &str) -> Vec<String> {
    let (mut paragraphs, mut lines, mut is_code) = (Vec::new(), Vec::new(), false);
    for line in readme.lines().chain([""]) {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        if is_code || is_fence || line.is_empty() || line.starts_with('#') {
            if !lines.is_empty() {
                paragraphs.push(std::mem::take(&mut lines).join(" "));
            }
        } else {
            lines.push(line);
        }
    }
    paragraphs
}

#[tokio::test(start_paused = true)]
async fn the_chapters_of_the_figure_are_those_of_the_readmes() {
    bounded(async {
        let mux = ServeMux::new();
        let chapters = Some("/chapters/".to_owned());
        mux.handle("/live/", figure(FigureOptions { public: true, chapters, ..FigureOptions::default() }));
        let server = support::server(mux);
        let (dial, _) = in_memory(&server);
        let reply = dial.connect().fetch("/live/chapters.json").await;
        assert_eq!(reply.field("content-type"), Some("application/json"));
        let all: Value = serde_json::from_str(reply.text()).expect("JSON");
        let names: Vec<_> = list(&all["chapters"]).iter().map(|one| one["crate"].as_str().expect("a name")).collect();
        assert_eq!(names, ["listener", "conn", "request", "mux", "server"]);
        for chapter in list(&all["chapters"]) {
            let name = chapter["crate"].as_str().expect("a name");
            assert_eq!(chapter["link"], format!("/chapters/{name}/README.md"));
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
            let readme = paragraphs(&fs::read_to_string(root.join(name).join("README.md")).expect("a README"));
            let shown = list(&chapter["paragraphs"]);
            assert!(shown.len() > 1 && shown[0] == readme[0], "src/figure/chapters/{name}.txt: {}", readme[0]);
            for one in shown {
                assert!(
                    readme.iter().any(|of| one == of),
                    "src/figure/chapters/{name}.txt has what the README has not: {one}"
                );
            }
            assert!(!list(&chapter["go"]).is_empty(), "{name}");
        }
        for (loop_name, first) in [("serve", "pub async fn serve<"), ("serve_connection", "async fn serve_connection<")]
        {
            let lines = list(&all["replay"][loop_name]);
            assert!(lines[0]["text"].as_str().expect("a line").starts_with(first));
            assert!(lines.iter().any(|line| line["step"] == "accept" || line["step"] == "dispatch"));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_figure_explains_patterns_and_heads() {
    bounded(async {
        let mux = ServeMux::new();
        mux.handle("GET /items/{id}", async |_| "item\n");
        let routes = mux.with_routes(Mux::clone);
        mux.handle("/live/", figure(FigureOptions { public: true, routes, ..FigureOptions::default() }));
        let server = support::server(mux);
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        let json = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        let found = json(client.fetch("/live/explain?method=GET&host=&path=/items/7").await.text());
        assert_eq!(found["candidates"][0]["pattern"], "GET /items/{id}");
        let at = found["candidates"][0]["at"].as_str().expect("a place");
        assert!(at.starts_with("server/tests/figure.rs:"), "{at}");
        let missed = json(client.fetch("/live/explain?method=GET&path=%2Fitem%2F7").await.text());
        assert_eq!(missed["misses"][0]["pattern"], "GET /items/{id}");
        let related = json(client.fetch("/live/relation?a=/%7Bx%7D/b&b=/a/%7By%7D").await.text());
        assert_eq!((&related["relation"], &related["witness"]["both"]), (&json!("Overlaps"), &json!("GET /a/b")));
        let own = json(client.fetch("/live/head").await.text());
        assert_eq!((&own["bytes"][0]["text"], &own["error"]), (&json!("GET"), &Value::Null));
        let typed = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let post =
            |body: &str| format!("POST /live/head HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        client.send(post(typed)).await;
        let typed = json(client.reply().await.text());
        assert_eq!(typed["error"]["status"], 400);
        client.send(post(&"x".repeat(8193))).await;
        assert_eq!(client.reply().await.status, 413);
        let mut client = dial.connect();
        client.send("DELETE /live/ HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let refused = client.reply().await;
        assert_eq!((refused.status, refused.field("allow")), (405, Some("GET, HEAD")));
    })
    .await;
}

/// The samples of the next ticks until there are `n`, without those of the figure itself.
async fn samples<S: AsyncRead + AsyncWrite + Unpin>(viewer: &mut Viewer<S>, n: usize) -> Vec<Value> {
    let mut samples = Vec::new();
    for _ in 0..20 {
        let tick = viewer.tick().await;
        samples.extend(list(&tick["samples"]).iter().filter(|one| one["pattern"] != "/live/").cloned());
        if samples.len() >= n {
            return samples;
        }
    }
    panic!("{n} samples: {samples:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sample_has_method_pattern_status_outcome_and_times() {
    bounded(async {
        let mux = ServeMux::new();
        mux.handle("/slow/{n}", async |_| {
            sleep(Duration::from_millis(80)).await;
            (StatusCode::CREATED, "made\n")
        });
        mux.handle("/long", async |_| sleep(2 * SECOND).await);
        mux.handle("/panic", async |_| -> &'static str { panic!("on purpose") });
        mux.handle("/abort", async |_| Response::abort());
        mux.handle("/live/", shown(None));
        let hooks = Hooks { panicked: Some(Arc::new(|_| ())), ..Hooks::default() };
        let server = Server::with_config(mux, Config { hooks, ..support::config() });
        let (dial, _) = in_memory(&server);
        let mut viewer = Viewer::open(dial.connect()).await;
        let tick = viewer.tick().await;
        assert_eq!((&tick["served"], &tick["samples"], &tick["skipped"]), (&json!(0), &json!([]), &json!(0)));
        let since = Instant::now();
        for (request, expected) in [
            ("GET /slow/1 HTTP/1.1", json!(["GET", "/slow/{n}", 201, "complete", "1.1"])),
            ("GET /slow/2 HTTP/1.0", json!(["GET", "/slow/{n}", 201, "complete", "1.0"])),
            ("SECRET /none HTTP/1.1", json!(["_OTHER", null, 404, "complete", "1.1"])),
            ("GET /panic HTTP/1.1", json!(["GET", "/panic", 500, "panicked", "1.1"])),
            ("GET /abort HTTP/1.1", json!(["GET", "/abort", null, "broken", "1.1"])),
        ] {
            let mut client = dial.connect();
            client.send(format!("{request}\r\nHost: a\r\n\r\n")).await;
            let sample = samples(&mut viewer, 1).await.remove(0);
            let shown = ["method", "pattern", "status", "outcome", "version"].map(|key| sample[key].clone());
            assert_eq!(json!(shown), expected, "{request}");
            assert_eq!(sample["stream"], Value::Null);
            let us = ["parsed", "handled", "sent"].map(|key| number(&sample["us"][key]));
            let handled = if request.contains("slow") { 80_000 } else { 0 };
            assert!(us[0] < 1000 && us[1] - us[0] == handled && us[2] >= us[1], "{us:?}");
            assert!(u128::from(number(&sample["at"])) <= since.elapsed().as_millis() + 250, "{sample}");
        }
        // A client that goes while the handler is at work.
        let mut client = dial.connect();
        client.get("/long").await;
        let listed = viewer.tick_when("it waits", |tick| counts(tick)[1] == 1).await;
        let id = list(&listed["connections"]).iter().find(|one| one["state"] == "active").expect("it")["id"].clone();
        drop(client);
        assert_eq!(samples(&mut viewer, 1).await[0]["connection"], id);
        assert_eq!(viewer.tick().await["served"], 6);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_tick_has_at_most_25_samples_and_counts_the_others() {
    bounded(async {
        let (server, _) = start();
        let (dial, _) = in_memory(&server);
        let mut viewer = Viewer::open(dial.connect()).await;
        viewer.tick().await;
        let mut client = dial.connect();
        // After a tick of a busy server fewer begin in the next one.
        for (n, most) in [(100, 25), (1000, 25), (1000, 4), (10, 4)] {
            for _ in 0..n {
                client.fetch("/").await;
            }
            let tick = viewer.tick().await;
            let shown = list(&tick["samples"]).len() as u64;
            assert_eq!((shown, shown + number(&tick["skipped"])), (most, n));
        }
        for _ in 0..40 {
            let tick = viewer.tick().await;
            assert_eq!((list(&tick["samples"]).len(), &tick["skipped"]), (0, &json!(0)));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_with_its_rule_status_and_chapter() {
    bounded(async {
        let (server, _) = start();
        let (dial, _) = in_memory(&server);
        let refuse = async |head: &str| {
            let mut client = dial.connect();
            client.send(head).await;
            client.reply().await.status
        };
        let smuggled = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(refuse(smuggled).await, 400);
        let mut viewer = Viewer::open(dial.connect()).await;
        let tick = viewer.tick().await;
        assert_eq!(tick["refused"], 1, "also before there was a viewer");
        let told = &list(&tick["refusals"])[0];
        assert_eq!(
            (&told["seq"], &told["status"], &told["name"], &told["chapter"]),
            (&json!(1), &json!(400), &json!("length_and_coding"), &json!("request/README.md#where-does-a-message-end"))
        );
        assert!(told["rule"].as_str().expect("a text").starts_with("content-length and transfer-encoding together"));
        for _ in 0..100 {
            assert_eq!(refuse("GET / HTTP/2.0\r\nHost: a\r\n\r\n").await, 505);
        }
        let mut seqs = Vec::new();
        for _ in 0..12 {
            let tick = viewer.tick().await;
            assert_eq!(tick["refused"], 101);
            assert!(list(&tick["refusals"]).len() <= 10);
            seqs.extend(list(&tick["refusals"]).iter().map(|one| number(&one["seq"])));
        }
        assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");
        assert!(seqs.len() >= 64 && seqs.last() == Some(&101), "{seqs:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn no_byte_of_the_feed_is_client_data() {
    bounded(async {
        let (server, _) = start();
        let (dial, _) = in_memory(&server);
        let mut viewer = Viewer::open(dial.connect()).await;
        viewer.tick().await;
        for head in [
            "GET /wait/SECRET?SECRET=SECRET HTTP/1.1\r\nHost: SECRET\r\nCookie: SECRET\r\nSECRET: SECRET\r\n\r\n",
            "SECRET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nSECRET",
            "GET /SECRET HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /SECRET HTTP/SECRET\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: SECRET SECRET\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: SECRET\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nSECRET\r\n\r\n",
            "GET SECRET HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            let mut client = dial.connect();
            client.send(head).await;
            viewer.tick().await;
            viewer.tick().await;
        }
        let feed = String::from_utf8(viewer.seen.clone()).expect("text");
        assert!(feed.contains("/wait/{name}") || feed.contains("_OTHER"), "there were samples");
        assert!(!feed.to_lowercase().contains("secret"), "{feed}");
    })
    .await;
}
