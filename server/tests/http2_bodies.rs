//! Bodies over HTTP/2: of requests and of replies, with flow control, trailers and 100 Continue.

#![cfg(feature = "http2")]

mod http2_kit;
mod support;

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Wake, Waker},
    time::Duration,
};

use bytes::Bytes;
use h2::{Reason, client::Builder};
use http::{HeaderMap, HeaderValue};
use http_body::Body as _;
use http_body_util::BodyExt;
use http2_kit::{config, connect, connect_with, read, read_body, request, send_all, start, start_with};
use quintet_server::{Body, BodyError, IntoResponse, Request, Response};
use support::bounded;
use tokio::time::{Instant, sleep};

/// Answers with the body of the request, and with its trailers.
async fn echo(request: Request) -> Response {
    Response::new(request.into_body())
}

/// Answers with the number of bytes and the error of the body.
async fn count(mut request: Request) -> Response {
    let mut n = 0;
    loop {
        match request.body_mut().chunk().await {
            Ok(Some(piece)) => n += piece.len(),
            Ok(None) => return format!("{n}").into_response(),
            Err(error) => return (error.status(), format!("{n}, {error}")).into_response(),
        }
    }
}

fn pattern(len: usize) -> Bytes {
    (0..251).cycle().take(len).collect()
}

#[tokio::test(start_paused = true)]
async fn bodies_of_any_size_go_both_ways() {
    bounded(async {
        let (_server, dial) = start(echo);
        let mut client = connect(&dial).await;
        for size in [0, 1, 100, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 65_535, 65_536, 200_000, 3 << 20] {
            let body = pattern(size);
            let reply = client.post("/", body.clone()).await;
            assert_eq!((reply.status.as_u16(), reply.body.len()), (200, size));
            assert!(reply.body == body, "{size} bytes");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn many_bodies_at_once_share_one_connection() {
    bounded(async {
        let (_server, dial) = start(echo);
        let mut client = connect(&dial).await;
        let mut replies = Vec::new();
        for n in 0..50_usize {
            let (reply, stream) = client.open(request("POST", "/"), false).await;
            replies.push((n, tokio::spawn(send_all(stream, pattern(n * 5000))), tokio::spawn(read(reply))));
        }
        for (n, sent, reply) in replies {
            sent.await.unwrap().unwrap();
            assert!(reply.await.unwrap().unwrap().body == pattern(n * 5000), "{n}");
        }
    })
    .await;
}

/// The window of a stream grows by what the handler takes. A handler that takes nothing is sent no more than a window.
#[tokio::test(start_paused = true)]
async fn a_client_sends_no_more_than_the_handler_takes() {
    bounded(async {
        let taken = Arc::new(Mutex::new(0));
        let takes = Arc::clone(&taken);
        let handler = move |mut request: Request| {
            let takes = Arc::clone(&takes);
            async move {
                sleep(Duration::from_secs(1)).await;
                while let Some(piece) = request.body_mut().chunk().await.unwrap() {
                    *takes.lock().unwrap() += piece.len();
                    sleep(Duration::from_millis(1)).await;
                }
            }
        };
        let mut config = config();
        config.http2.max_receive_buffer_per_stream = 100_000;
        let (_server, dial) = start_with(handler, config);
        let mut client = connect(&dial).await;
        let (reply, mut stream) = client.open(request("POST", "/"), false).await;
        stream.reserve_capacity(1 << 20);
        sleep(Duration::from_millis(500)).await;
        let mut sent = 0;
        while stream.capacity() > 0 {
            let room = stream.capacity();
            stream.send_data(Bytes::from(vec![0; room]), false).unwrap();
            stream.reserve_capacity(1 << 20);
            sent += room;
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!((sent, *taken.lock().unwrap()), (100_000, 0));
        sleep(Duration::from_secs(1)).await;
        assert!(stream.capacity() >= 50_000, "{} bytes after the handler took them", stream.capacity());
        stream.send_data(Bytes::new(), true).unwrap();
        assert_eq!(read(reply).await.unwrap().status, 200);
        assert_eq!(*taken.lock().unwrap(), 100_000);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn trailers_go_both_ways_and_forbidden_ones_are_dropped() {
    bounded(async {
        let handler = async |mut request: Request| {
            while request.body_mut().chunk().await.unwrap().is_some() {}
            let seen = request.trailers().cloned().unwrap_or_default();
            let text = format!("{seen:?}");
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let body = http_body_util::Full::new(Bytes::from(text)).with_trailers(async { Some(Ok(trailers)) });
            Response::new(Body::new(body))
        };
        let (_server, dial) = start(handler);
        let mut client = connect(&dial).await;
        let (reply, mut stream) = client.open(request("POST", "/"), false).await;
        stream.send_data(Bytes::from_static(b"data"), false).unwrap();
        let mut trailers = HeaderMap::new();
        for (name, value) in [("x-sum", "7"), ("content-length", "7"), ("authorization", "x"), ("te", "trailers")] {
            trailers.insert(name, HeaderValue::from_static(value));
        }
        stream.send_trailers(trailers).unwrap();
        let reply = read(reply).await.unwrap();
        assert_eq!(reply.text(), r#"{"x-sum": "7"}"#);
        assert_eq!(reply.trailers.unwrap()["grpc-status"], "0");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn trailers_past_the_limits_are_431() {
    bounded(async {
        let (_server, dial) = start(count);
        let mut client = connect(&dial).await;
        for (fields, len, status) in [(32, 1, 200), (33, 1, 431), (1, 8000, 200), (1, 8200, 431)] {
            let (reply, mut stream) = client.open(request("POST", "/"), false).await;
            let mut trailers = HeaderMap::new();
            for n in 0..fields {
                let name = http::HeaderName::try_from(format!("x-{n}")).unwrap();
                trailers.insert(name, HeaderValue::try_from("v".repeat(len)).unwrap());
            }
            stream.send_trailers(trailers).unwrap();
            assert_eq!(read(reply).await.unwrap().status.as_u16(), status, "{fields} fields of {len}");
        }
    })
    .await;
}

/// A head without END_STREAM, and then an empty DATA frame with it.
#[tokio::test(start_paused = true)]
async fn an_empty_body_may_end_after_its_head() {
    bounded(async {
        let (_server, dial) = start(count);
        let mut client = connect(&dial).await;
        let (reply, mut stream) = client.open(request("POST", "/"), false).await;
        sleep(Duration::from_secs(1)).await;
        stream.send_data(Bytes::new(), true).unwrap();
        assert_eq!(read(reply).await.unwrap().text(), "0");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_content_length_that_is_wrong_breaks_the_body() {
    bounded(async {
        let (told, tells) = tokio::sync::mpsc::unbounded_channel();
        let handler = move |mut request: Request| {
            let told = told.clone();
            async move {
                let error = loop {
                    match request.body_mut().chunk().await {
                        Ok(Some(_)) => {}
                        Ok(None) => break None,
                        Err(error) => break Some(error),
                    }
                };
                told.send(matches!(error, Some(BodyError::UnexpectedEof))).unwrap();
            }
        };
        let (_server, dial) = start(handler);
        let mut tells = tells;
        let mut client = connect(&dial).await;
        for (announced, sent) in [("5", "four"), ("3", "four")] {
            let mut head = request("POST", "/");
            head.headers_mut().insert("content-length", HeaderValue::from_static(announced));
            let (reply, mut stream) = client.open(head, false).await;
            sleep(Duration::from_millis(1)).await; // the handler begins
            stream.send_data(Bytes::from(sent), true).unwrap();
            let error = read(reply).await.unwrap_err();
            assert_eq!(error.reason(), Some(Reason::PROTOCOL_ERROR), "{announced}");
            assert!(tells.recv().await.unwrap(), "the handler is told");
        }
        assert_eq!(client.get("/").await.status, 200, "the connection goes on");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_100_continue_is_sent_when_the_body_is_read() {
    bounded(async {
        let handler = async |mut request: Request| {
            sleep(Duration::from_secs(3)).await;
            match request.path() {
                "/unread" => String::new(),
                _ => format!("{:?}", request.body_mut().chunk().await.unwrap()),
            }
        };
        let (_server, dial) = start(handler);
        let mut client = connect(&dial).await;
        for (path, continued) in [("/", true), ("/unread", false)] {
            let mut head = request("POST", path);
            head.headers_mut().insert("expect", HeaderValue::from_static("100-continue"));
            let began = Instant::now();
            let (mut reply, mut stream) = client.open(head, false).await;
            let interim = poll_fn(|cx| reply.poll_informational(cx)).await;
            assert_eq!(interim.map(|interim| interim.unwrap().status().as_u16()), continued.then_some(100));
            assert!(began.elapsed() >= Duration::from_secs(3));
            if continued {
                stream.send_data(Bytes::from_static(b"hi"), true).unwrap();
            }
            let reply = read(reply).await.unwrap();
            assert_eq!((reply.status.as_u16(), reply.text()), (200, if continued { "Some(b\"hi\")" } else { "" }));
        }
    })
    .await;
}

/// A body in the memory of the connection is one piece of bytes, and one that is not whole is none.
#[tokio::test(start_paused = true)]
async fn a_small_body_that_arrived_is_in_memory() {
    bounded(async {
        let handler = async |request: Request| format!("{:?}", request.body().as_bytes().map(<[u8]>::len));
        let (_server, dial) = start(handler);
        let mut client = connect(&dial).await;
        // The client's frames leave together, as nothing waits between them.
        for (size, seen) in [(1, "Some(1)"), (16_384, "Some(16384)"), (16_385, "None")] {
            let (reply, mut stream) = client.open(request("POST", "/"), false).await;
            stream.send_data(pattern(size), true).unwrap();
            assert_eq!(read(reply).await.unwrap().text(), seen, "{size} bytes");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_kept_fails_after_the_reply() {
    bounded(async {
        let (kept, mut keeps) = tokio::sync::mpsc::unbounded_channel();
        let handler = move |request: Request| {
            kept.send(request.into_body()).unwrap();
            async { "done" }
        };
        let (_server, dial) = start(handler);
        let mut client = connect(&dial).await;
        let (reply, stream) = client.open(request("POST", "/"), false).await;
        assert_eq!(read(reply).await.unwrap().text(), "done");
        let mut body: Body = keeps.recv().await.unwrap();
        assert!(matches!(body.chunk().await, Err(BodyError::AfterReply)));
        drop(stream);
    })
    .await;
}

/// What a handler leaves unread of a body is given back to the window of the connection, or else others would wait for it.
#[tokio::test(start_paused = true)]
async fn unread_bodies_do_not_use_up_the_window_of_the_connection() {
    bounded(async {
        let handler = async |request: Request| match request.path() {
            "/unread" => String::new(),
            _ => request.into_body().to_bytes(u64::MAX).await.unwrap().len().to_string(),
        };
        let (_server, dial) = start(handler);
        let mut client = connect(&dial).await;
        for _ in 0..10 {
            let (reply, stream) = client.open(request("POST", "/unread"), false).await;
            let sent = tokio::spawn(send_all(stream, pattern(1 << 20)));
            assert_eq!(read(reply).await.unwrap().status, 200);
            let _ = sent.await.unwrap(); // a RST_STREAM with NO_ERROR may end it
        }
        assert_eq!(client.post("/", pattern(1 << 20)).await.text(), (1 << 20).to_string());
    })
    .await;
}

/// The piece that arrives with a head is given back too, and does not wait for the end of the reply.
#[tokio::test(start_paused = true)]
async fn unread_pieces_of_long_replies_do_not_use_up_the_window() {
    bounded(async {
        let handler = async |request: Request| match request.path() {
            "/unread" => Response::new(Body::writer(|mut w| async move {
                w.write(b"begun".to_vec()).await?;
                w.flush().await?;
                std::future::pending().await
            })),
            _ => request.into_body().to_bytes(u64::MAX).await.unwrap().len().to_string().into_response(),
        };
        let mut config = config();
        config.http2.max_receive_buffer_per_connection = 65_535;
        let (_server, dial) = start_with(handler, config);
        let mut client = connect(&dial).await;
        let mut begun = Vec::new();
        for _ in 0..8 {
            let (reply, mut stream) = client.open(request("POST", "/unread"), false).await;
            stream.send_data(pattern(14_000), false).unwrap();
            begun.push((reply.await.unwrap(), stream));
        }
        assert_eq!(client.post("/", pattern(60_000)).await.text(), "60000");
    })
    .await;
}

/// A handler that wraps the waker anew for each poll waits, and is not polled without end.
#[tokio::test(start_paused = true)]
async fn a_body_is_read_with_another_waker_for_each_poll() {
    struct Wrapped(Waker);
    impl Wake for Wrapped {
        fn wake(self: Arc<Self>) {
            self.0.wake_by_ref();
        }
    }
    bounded(async {
        let handler = async |request: Request| {
            let (mut body, mut polls, mut n) = (request.into_body(), 0, 0);
            loop {
                let frame = poll_fn(|cx| {
                    polls += 1;
                    let waker = Waker::from(Arc::new(Wrapped(cx.waker().clone())));
                    Pin::new(&mut body).poll_frame(&mut Context::from_waker(&waker))
                });
                match frame.await {
                    Some(frame) => n += frame.unwrap().into_data().unwrap().len(),
                    None => return format!("{n}, {}", polls < 100),
                }
            }
        };
        let (_server, dial) = start(handler);
        let mut client = connect(&dial).await;
        let (reply, mut stream) = client.open(request("POST", "/"), false).await;
        for end in [false, false, true] {
            sleep(Duration::from_secs(2)).await;
            stream.send_data(pattern(1000), end).unwrap();
        }
        assert_eq!(read(reply).await.unwrap().text(), "3000, true");
    })
    .await;
}

/// A reply waits for the window of its stream, and another goes on meanwhile.
#[tokio::test(start_paused = true)]
async fn a_reply_without_a_window_does_not_hold_others() {
    bounded(async {
        let handler = async |request: Request| match request.path() {
            "/large" => pattern(500_000),
            _ => Bytes::from_static(b"small"),
        };
        let (_server, dial) = start(handler);
        let mut client = connect_with(&dial, Builder::new().initial_connection_window_size(1 << 20)).await;
        let (large, _) = client.open(request("GET", "/large"), true).await;
        let mut large = large.await.unwrap().into_body();
        sleep(Duration::from_millis(10)).await;
        assert_eq!(client.get("/").await.text(), "small");
        assert!(read_body(&mut large).await.unwrap().0 == pattern(500_000));
    })
    .await;
}

/// A reply in pieces, larger than the windows with which a client begins.
#[tokio::test(start_paused = true)]
async fn a_streamed_reply_goes_on_when_the_client_gives_room() {
    bounded(async {
        let handler = async |_| {
            Response::new(Body::writer(|mut w| async move {
                for _ in 0..40 {
                    w.write(vec![b'x'; 5000]).await?;
                    w.flush().await?;
                }
                Ok(())
            }))
        };
        let (_server, dial) = start(handler);
        let mut client = connect(&dial).await;
        for _ in 0..3 {
            assert_eq!(client.get("/").await.body.len(), 200_000);
        }
    })
    .await;
}
