//! Two signals close together: neither is lost. One test, because a signal goes to the whole process.

#![cfg(unix)]

mod support;

use std::{process::Command, time::Duration};

use quintet_server::{Server, ShutdownReport};
use support::{bounded, eventually, in_memory};
use tokio::task::JoinHandle;

/// Sends these signals to this process without a pause.
fn send(signals: &[&str]) {
    let pid = std::process::id();
    let script: String = signals.iter().map(|name| format!("kill -s {name} {pid};")).collect();
    assert!(Command::new("sh").args(["-c", &script]).status().expect("a shell").success());
}

/// A server with one request that is never answered, which [`Server::until_signal`] shuts down.
async fn at_work() -> (Server<impl quintet_server::Handler>, JoinHandle<ShutdownReport>) {
    let server = Server::new(async |_| {
        std::future::pending::<()>().await;
    });
    let (dial, _) = in_memory(&server);
    let mut client = dial.connect();
    client.get("/").await;
    eventually("at work", || server.counts().active == 1).await;
    tokio::spawn(async move { client.rest().await });
    let own = server.clone();
    let waits = tokio::spawn(async move { own.until_signal(Duration::from_secs(3600)).await });
    // The first poll installs the signal handlers. A signal before it would end the process.
    tokio::task::yield_now().await;
    (server, waits)
}

#[tokio::test]
async fn a_signal_between_two_waits_is_not_lost() {
    bounded(async {
        for round in 0..100 {
            let (_server, waits) = at_work().await;
            // Both signals may have arrived before the first one is returned.
            send(if round % 2 == 0 { &["TERM", "INT"] } else { &["INT", "TERM"] });
            assert_eq!(waits.await.expect("no panic"), ShutdownReport { drained: 0, aborted: 1 }, "round {round}");
        }
        for round in 0..50 {
            let (server, waits) = at_work().await;
            send(&["TERM"]);
            server.stopping().await;
            send(&["TERM"]); // the same signal again, as soon as the first one was returned
            assert_eq!(waits.await.expect("no panic"), ShutdownReport { drained: 0, aborted: 1 }, "round {round}");
        }
    })
    .await;
}
