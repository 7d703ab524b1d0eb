//! Interim replies (1xx) that a handler pushes: sent while it runs, always before its final reply, only to its client.

use std::sync::Arc;

use quintet_server::{Body, Request, Response, StatusCode, conn::InterimError, request::reply::InformError};
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
            Body::writer(async move |mut writer| {
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

/// A handler that informs twice and then replies, whole or as a stream. It waits between the steps if `wait`.
async fn informs(request: Request) -> Response {
    let wait = request.path().contains("wait");
    for name in ["a", "b"] {
        let link = format!("</{name}.css>; rel=preload");
        request.inform(StatusCode::EARLY_HINTS, [("link", &link)]).expect("it can be sent");
        if wait {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }
    if request.path().contains("stream") {
        let body = Body::writer(async move |mut writer| {
            let late = request.inform(StatusCode::EARLY_HINTS, [("link", "late")]);
            assert_eq!(late, Err(InformError::Over), "the reply has begun");
            writer.write("done\n").await
        });
        return Response::new(body).with_content_type("text/plain");
    }
    Response::new("done\n").with_content_type("text/plain")
}

/// All bytes of the server for a request that arrives in these pieces, without the date.
async fn answers(pieces: &[&[u8]]) -> String {
    let server = support::server(informs);
    let (dial, _serving) = in_memory(&server);
    let mut client = dial.connect();
    for piece in pieces {
        client.send(piece).await;
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
    }
    let all = String::from_utf8(client.rest().await).expect("text");
    all.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: ")).collect()
}

#[tokio::test(start_paused = true)]
async fn two_103s_come_before_the_reply_for_any_split_of_its_request() {
    bounded(async {
        for (path, end) in [("/", "Content-Length: 5\r\n"), ("/stream", "Transfer-Encoding: chunked\r\n")] {
            for path in [path.to_owned(), format!("{path}?wait"), format!("{path}wait")] {
                let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
                let body = if path.contains("stream") { "5\r\ndone\n\r\n0\r\n\r\n" } else { "done\n" };
                let hint = |name| format!("HTTP/1.1 103 Early Hints\r\nLink: </{name}.css>; rel=preload\r\n\r\n");
                let expected = format!(
                    "{}{}HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{end}Connection: close\r\n\r\n{body}",
                    hint("a"),
                    hint("b")
                );
                let bytes = request.as_bytes();
                assert_eq!(answers(&[bytes]).await, expected, "{path}");
                for at in 1..bytes.len() {
                    assert_eq!(answers(&[&bytes[..at], &bytes[at..]]).await, expected, "{path}, cut at {at}");
                }
            }
        }
    })
    .await;
}

/// A hint is for a client that knows it, and a handler need not ask which one it has.
#[tokio::test(start_paused = true)]
async fn inform_of_an_http_1_0_client_sends_nothing_and_is_no_error() {
    bounded(async {
        let request = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";
        let expected = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\ndone\n";
        let seen = answers(&[request.as_bytes()]).await;
        assert_eq!(seen.replace("Connection: close\r\n", ""), expected);
        let alone = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("a request");
        assert_eq!(alone.inform(StatusCode::EARLY_HINTS, [("link", "x")]), Ok(()), "it has no connection");
        assert_eq!(alone.inform(StatusCode::OK, [("link", "x")]), Err(InformError::Status), "a mistake is found");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn interim_replies_that_cannot_be_sent_change_nothing() {
    bounded(async {
        let server = support::server(async |request: Request| {
            let large = "x".repeat(15 * 1024);
            for (status, name, value, error) in [
                (StatusCode::OK, "link", "x", InformError::Status),
                (StatusCode::SWITCHING_PROTOCOLS, "upgrade", "x", InformError::Status),
                (StatusCode::EARLY_HINTS, "li nk", "x", InformError::FieldName),
                (StatusCode::EARLY_HINTS, "link", "a\r\n\r\nHTTP/1.1 200 OK", InformError::FieldValue),
                (StatusCode::EARLY_HINTS, "content-length", "3", InformError::Framing),
            ] {
                assert_eq!(request.inform(status, [(name, value)]), Err(error), "{name}: {value}");
            }
            assert_eq!(request.inform(StatusCode::EARLY_HINTS, [("link", &large)]), Ok(()));
            assert_eq!(request.inform(StatusCode::EARLY_HINTS, [("link", &large)]), Err(InformError::Full));
            "done\n"
        });
        let (dial, _serving) = in_memory(&server);
        let mut client = dial.connect();
        client.get("/").await;
        let (status, head) = client.head().await.expect("a head");
        assert_eq!((status, head.len()), (103, "HTTP/1.1 103 Early Hints\r\nLink: ".len() + 15 * 1024));
        assert_eq!(client.reply().await.text(), "done\n");
    })
    .await;
}
