//! Interim replies (1xx) that a handler pushes: sent while it runs, always before its final reply, only to its client.

use std::sync::Arc;

use quintet_server::{Request, conn::InterimError};
use support::{bounded, in_memory};
use tokio::sync::Notify;

mod support;

const HINTS: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn an_interim_103_is_sent_while_the_handler_runs() {
    bounded(async {
        let go_on = Arc::new(Notify::new());
        let told = Arc::clone(&go_on);
        let server = support::server(move |request: Request| {
            let told = Arc::clone(&told);
            async move {
                request.active().expect("a connection").push_interim(HINTS).expect("there is room");
                told.notified().await;
                "done\n"
            }
        });
        let (dial, _serving) = in_memory(&server);
        let mut client = dial.connect();
        for _ in 0..2 {
            client.get("/").await;
            assert_eq!(client.exactly(HINTS.len()).await.as_deref(), Some(HINTS));
            go_on.notify_one();
            let reply = client.reply().await;
            assert_eq!((reply.status, reply.is_last(), &reply.body[..]), (200, false, &b"done\n"[..]));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_interim_103_of_a_ready_handler_comes_before_its_reply() {
    bounded(async {
        let server = support::server(async |request: Request| {
            request.active().expect("a connection").push_interim(HINTS).expect("there is room");
            "done\n"
        });
        let (dial, _serving) = in_memory(&server);
        let mut client = dial.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        for _ in 0..2 {
            assert_eq!(client.exactly(HINTS.len()).await.as_deref(), Some(HINTS));
            assert_eq!(client.reply().await.body, b"done\n");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn no_interim_reply_goes_to_http_1_0_or_after_the_final_reply() {
    bounded(async {
        let server = support::server(async |request: Request| {
            let active = request.active().expect("a connection").clone();
            let before = active.push_interim(HINTS);
            assert_eq!(before, Err(InterimError::Over), "the client is of HTTP/1.0");
            quintet_server::Body::writer(async move |mut writer| {
                assert_eq!(active.push_interim(HINTS), Err(InterimError::Over), "the reply has begun");
                writer.write("done\n").await
            })
        });
        let (dial, _serving) = in_memory(&server);
        let mut client = dial.connect();
        client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n").await;
        let reply = client.rest().await;
        let text = String::from_utf8(reply).expect("text");
        assert!(text.starts_with("HTTP/1.0 200 OK\r\n") && text.ends_with("\r\n\r\ndone\n"), "{text}");
    })
    .await;
}

/// A handler that pushes without end to a client that does not read gets an error, and no buffer grows.
#[tokio::test(start_paused = true)]
async fn interim_replies_to_a_client_that_does_not_read_are_bounded() {
    bounded(async {
        let server = support::server(async |request: Request| {
            let active = request.active().expect("a connection");
            let mut pushed = 0;
            while active.push_interim(HINTS).is_ok() {
                pushed += HINTS.len();
                tokio::task::yield_now().await;
            }
            format!("{pushed}\n")
        });
        let (dial, _serving) = in_memory(&server);
        let mut client = dial.connect_sized(1024);
        client.get("/").await;
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
        let mut pushed = 0;
        let reply = loop {
            let (status, _) = client.head().await.expect("a head");
            if status != 103 {
                break client.exactly(6).await.expect("a number");
            }
            pushed += HINTS.len();
        };
        assert_eq!(String::from_utf8(reply).expect("text"), format!("{pushed}\n"));
        assert!((16_000..64_000).contains(&pushed), "{pushed} bytes were taken");
    })
    .await;
}
