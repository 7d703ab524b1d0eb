//! SIGTERM and Ctrl-C: the first drains, the second aborts. One test, because a signal goes to the whole process.

#![cfg(unix)]

mod support;

use std::{process::Command, time::Duration};

use quintet_server::{Listener, Request, Server, ShutdownReport, listen};
use support::{bounded, dial, eventually};
use tokio::time::sleep;

fn signal(name: &str) {
    let pid = std::process::id().to_string();
    assert!(Command::new("kill").args(["-s", name, &pid]).status().expect("kill is there").success());
}

#[tokio::test]
async fn the_first_signal_drains_and_the_second_aborts() {
    bounded(async {
        for (signals, report, answered) in [
            (&["TERM"][..], ShutdownReport { drained: 2, aborted: 0 }, true),
            (&["INT"], ShutdownReport { drained: 2, aborted: 0 }, true),
            (&["TERM", "TERM"], ShutdownReport { drained: 0, aborted: 2 }, false),
            (&["INT", "TERM"], ShutdownReport { drained: 0, aborted: 2 }, false),
        ] {
            let server = Server::new(async |request: Request| {
                if request.path() == "/slow" {
                    sleep(Duration::from_millis(1500)).await;
                }
                "done\n"
            });
            let listener = listen("127.0.0.1:0").unwrap();
            let addr = listener.local_addr().unwrap().to_string();
            let own = server.clone();
            let running = tokio::spawn(async move { own.serve_until_signal(listener, Duration::from_secs(20)).await });
            let (mut slow, mut idle) = (dial(&addr).await, dial(&addr).await);
            assert_eq!(idle.fetch("/").await.status, 200);
            slow.get("/slow").await;
            eventually("at work", || server.counts().active == 1 && server.counts().idle == 1).await;
            // The client closes its connection when it has its reply.
            let slow = tokio::spawn(async move { slow.try_reply().await.is_some() });
            for (n, name) in signals.iter().enumerate() {
                if n > 0 {
                    sleep(Duration::from_millis(200)).await;
                }
                signal(name);
            }
            assert_eq!(running.await.unwrap().unwrap(), report, "{signals:?}");
            assert_eq!(slow.await.unwrap(), answered, "{signals:?}");
            assert!(tokio::net::TcpStream::connect(&addr).await.is_err(), "{signals:?}");
        }
    })
    .await;
}
