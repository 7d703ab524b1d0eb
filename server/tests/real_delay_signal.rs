//! SIGTERM waits for the shutdown delay, Ctrl-C skips it, and a second signal cuts it. One test, because a signal goes to the
//! whole process.

#![cfg(unix)]

mod support;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use quintet_server::{Config, Listener, Server, ShutdownReport, listen};
use support::{bounded, dial, eventually};
use tokio::time::sleep;

fn signal(name: &str) {
    let pid = std::process::id().to_string();
    assert!(Command::new("kill").args(["-s", name, &pid]).status().expect("kill is there").success());
}

#[tokio::test]
async fn sigterm_waits_for_the_shutdown_delay() {
    bounded(async {
        let long = Duration::from_secs(3600);
        for (signals, delay, aborted) in [
            (&["TERM"][..], Duration::from_millis(700), 0),
            (&["INT"], long, 0),
            (&["TERM", "TERM"], long, 1),
            (&["TERM", "INT"], long, 1),
        ] {
            let config = Config { shutdown_delay: delay, ..Config::default() };
            let server = Server::with_config(async |_| "hello\n", config);
            let listener = listen("127.0.0.1:0").unwrap();
            let addr = listener.local_addr().unwrap().to_string();
            let own = server.clone();
            let running = tokio::spawn(async move { own.serve_until_signal(listener, long).await });
            let mut kept = dial(&addr).await;
            assert!(!kept.fetch("/").await.is_last());
            eventually("it is idle", || server.counts().idle == 1).await;
            let began = Instant::now();
            signal(signals[0]);
            eventually("it retires", || server.stats().is_retiring()).await;
            // Not in the short delay, which may be over.
            if delay == long && signals[0] == "TERM" {
                let reply = dial(&addr).await.fetch("/").await;
                assert!(reply.status == 200 && reply.is_last(), "{signals:?}");
            }
            for name in &signals[1..] {
                sleep(Duration::from_millis(100)).await;
                assert!(!server.stats().is_stopping(), "{signals:?}");
                signal(name);
            }
            let report = running.await.unwrap().unwrap();
            assert_eq!(report, ShutdownReport { drained: 1 - aborted, aborted }, "{signals:?}");
            assert_eq!(began.elapsed() >= delay, signals == ["TERM"], "{signals:?}");
            assert!(began.elapsed() < Duration::from_secs(30), "{signals:?}");
            assert!(kept.ends().await, "{signals:?}");
        }
    })
    .await;
}
