//! HTTP/2 on sockets and many threads: no request is lost in a shutdown, and none hangs.

#![cfg(feature = "http2")]

mod http2_kit;
mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::{Reason, client::Builder};
use http2_kit::{Client, config, over, read, request, send_all};
use quintet_server::{Body, Request, Response, Server};
use support::{bounded, eventually, on_loopback};
use tokio::{net::TcpStream, time::sleep};

async fn dial(addr: &str) -> Client {
    let io = TcpStream::connect(addr).await.expect("a server listens");
    io.set_nodelay(true).expect("a socket");
    over(io, &Builder::new()).await
}

/// Answers at once, after a wait, or with a streamed body.
async fn handler(request: Request) -> Response {
    match request.path() {
        "/wait" => {
            sleep(Duration::from_millis(3)).await;
            Response::new("waited\n")
        }
        "/echo" => Response::new(request.into_body()),
        "/stream" => Response::new(Body::writer(|mut w| async move {
            for _ in 0..20 {
                w.write(vec![b'x'; 5000]).await?;
                w.flush().await?;
            }
            Ok(())
        })),
        _ => Response::new("hello\n"),
    }
}

/// What became of the requests of all clients.
#[derive(Default)]
struct Outcome {
    answered: AtomicUsize,
    lost: AtomicUsize,
}

/// Sends requests, eight at a time, until the connection takes no more.
async fn ask(client: Client, outcome: &Outcome) {
    loop {
        let mut replies = Vec::new();
        for path in ["/", "/wait", "/", "/stream", "/", "/wait", "/", "/"] {
            let Ok(mut send) = client.send.clone().ready().await else { break };
            let Ok((reply, _)) = send.send_request(request("GET", path), true) else { break };
            // Each in a task of its own: a reply that is not read would use up the window of all.
            replies.push(tokio::spawn(read(reply)));
        }
        if replies.is_empty() {
            return;
        }
        for reply in replies {
            match reply.await.expect("no panic") {
                Ok(reply) if reply.status == 200 => outcome.answered.fetch_add(1, SeqCst),
                // Sent after the answer to the PING: the GOAWAY says that it was not processed, and may be sent again.
                Err(error) if error.is_go_away() && error.reason() == Some(Reason::NO_ERROR) => 0,
                _ => outcome.lost.fetch_add(1, SeqCst),
            };
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_with_100_http2_clients_loses_no_request() {
    bounded(async {
        let server = Server::with_config(handler, config());
        let (addr, serving) = on_loopback(&server);
        let outcome = Arc::<Outcome>::default();
        let mut clients = Vec::new();
        for _ in 0..100 {
            let (addr, outcome) = (addr.clone(), Arc::clone(&outcome));
            clients.push(tokio::spawn(async move { ask(dial(&addr).await, &outcome).await }));
        }
        eventually("a thousand requests", || outcome.answered.load(SeqCst) >= 1000).await;
        let report = server.shutdown(Duration::from_secs(30)).await;
        for client in clients {
            client.await.unwrap();
        }
        assert_eq!((outcome.lost.load(SeqCst), report.aborted), (0, 0));
        serving.await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_go_both_ways_on_two_threads() {
    bounded(async {
        let server = Server::with_config(handler, config());
        let (addr, _) = on_loopback(&server);
        let mut tasks = Vec::new();
        for client in 0..4 {
            let mut connection = dial(&addr).await;
            for n in 0..30 {
                let body = Bytes::from(vec![b'a' + client; n * 7919]);
                let (reply, stream) = connection.open(request("POST", "/echo"), false).await;
                let sent = body.clone();
                tasks.push(tokio::spawn(async move {
                    let sent = tokio::spawn(send_all(stream, sent));
                    let reply = read(reply).await.unwrap();
                    sent.await.unwrap().unwrap();
                    assert!(reply.body == body);
                }));
            }
            tasks.push(tokio::spawn(async move {
                let _connection = connection;
                sleep(Duration::from_secs(2)).await;
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    })
    .await;
}
