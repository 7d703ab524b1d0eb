//! A shutdown under load, in real time.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use quintet_server::{Request, Server};
use support::{Client, bounded, on_loopback};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

const SECOND: Duration = Duration::from_secs(1);

/// Long enough for every client.
const GRACE_PERIOD: Duration = Duration::from_secs(60);

/// Clients that keep their connection, and connect again when a reply says `Connection: close`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_under_load_answers_every_earlier_request() {
    bounded(async {
        for round in 0..10 {
            let server = Server::new(async |request: Request| {
                if request.path() == "/slow" {
                    sleep(SECOND / 100).await;
                }
                "hello\n"
            });
            let (addr, _) = on_loopback(&server);
            let stopped = Arc::new(AtomicBool::new(false));
            let clients: Vec<_> = (0..32)
                .map(|n| {
                    let (addr, stopped) = (addr.clone(), Arc::clone(&stopped));
                    let path = if n % 4 == 0 { "/slow" } else { "/" };
                    tokio::spawn(async move { keep_asking(&addr, path, &stopped).await })
                })
                .collect();
            sleep(SECOND / 10 + SECOND / 1000 * round).await;
            stopped.store(true, SeqCst);
            let report = server.shutdown(GRACE_PERIOD).await;
            assert_eq!(report.aborted, 0);
            let mut answered = 0;
            for client in clients {
                let (good, lost) = timeout(10 * SECOND, client).await.expect("it ends").unwrap();
                assert_eq!(lost, 0, "round {round}: a request went unanswered");
                answered += good;
            }
            assert!(answered > 100, "{answered} requests are no load");
        }
    })
    .await;
}

/// The number of requests that were answered, and of those sent before the shutdown that were not.
async fn keep_asking(addr: &str, path: &str, stopped: &AtomicBool) -> (usize, usize) {
    let (mut answered, mut lost) = (0, 0);
    while let Ok(stream) = TcpStream::connect(addr).await {
        let mut client = Client::new(stream);
        loop {
            let was_stopped = stopped.load(SeqCst);
            if client.try_send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await.is_err() {
                lost += usize::from(!was_stopped);
                break;
            }
            match client.try_reply().await {
                Some(reply) => {
                    answered += 1;
                    if reply.is_last() {
                        break;
                    }
                }
                None => {
                    lost += usize::from(!was_stopped);
                    break;
                }
            }
        }
    }
    (answered, lost)
}
