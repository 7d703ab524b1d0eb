//! Handlers of HTTP/2 that panic, abort, or whose replies cannot be sent: each costs one stream.

#![cfg(feature = "http2")]

mod http2_kit;
mod support;

use std::{
    future::poll_fn,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, HeaderValue, StatusCode};
use http2_kit::{Client, config, connect, read, request, start, start_with};
use quintet_server::{Body, Request, Response, request::InformError};
use support::bounded;
use tokio::time::sleep;

/// The reports of the hook: the message and the request line.
type Told = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// The status of the reply, or the code of its reset.
async fn outcome(client: &mut Client, method: &str, path: &str) -> Result<u16, Option<Reason>> {
    let (reply, _) = client.open(request(method, path), true).await;
    match read(reply).await {
        Ok(reply) => Ok(reply.status.as_u16()),
        Err(error) => Err(error.reason()),
    }
}

async fn broken(request: Request) -> Response {
    match request.path() {
        "/panic" => panic!("at once"),
        "/panic-later" => {
            sleep(Duration::from_secs(1)).await;
            panic!("later")
        }
        "/panic-in-body" => Response::new(Body::writer(|mut w| async move {
            w.write("some").await?;
            w.flush().await?;
            panic!("in the body")
        })),
        "/panic-in-first" => Response::new(Body::writer(|_| async move { panic!("in the first piece") })),
        "/error-in-body" => Response::new(Body::writer(|mut w| async move {
            w.write("some").await?;
            w.flush().await?;
            Err(std::io::Error::other("broken"))
        })),
        "/error-in-first" => Response::new(Body::writer(|_| async move { Err(std::io::Error::other("broken")) })),
        "/short" => streamed("3").with_header("content-length", "5"),
        "/long" => streamed("7 bytes").with_header("content-length", "5"),
        "/abort" => Response::abort(),
        "/upgrade" => Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, async |_| {}).with_header("upgrade", "x"),
        "/102" => Response::new("").with_status(StatusCode::PROCESSING),
        "/field" => Response::new("").with_header("bad name", "x"),
        _ => Response::new("fine\n"),
    }
}

/// A body whose length is not known before it ends.
fn streamed(text: &'static str) -> Response {
    Response::new(Body::writer(move |mut w| async move {
        w.write(text).await?;
        w.flush().await
    }))
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_breaks_costs_one_stream() {
    bounded(async {
        let told = Told::default();
        let hook = Arc::clone(&told);
        let mut config = config();
        config.hooks.panicked = Some(Arc::new(move |panicked| {
            hook.lock().unwrap().push((panicked.message.to_owned(), panicked.request.map(str::to_owned)));
        }));
        config.hooks.field_error = Some(Arc::new(|_, _| {}));
        let (_server, dial) = start_with(broken, config);
        let mut client = connect(&dial).await;
        let internal = Err(Some(Reason::INTERNAL_ERROR));
        for (path, expected, panics) in [
            ("/panic", Ok(500), Some("at once")),
            ("/panic-later", Ok(500), Some("later")),
            ("/panic-in-body", internal, Some("in the body")),
            ("/panic-in-first", Ok(500), Some("in the first piece")),
            ("/error-in-body", internal, None),
            ("/error-in-first", Ok(500), None),
            ("/short", internal, None),
            ("/long", internal, None),
            ("/abort", internal, None),
            ("/upgrade", Ok(501), None),
            ("/102", Ok(500), None),
            ("/field", Ok(500), None),
            ("/", Ok(200), None),
        ] {
            assert_eq!(outcome(&mut client, "GET", path).await, expected, "{path}");
            let told = std::mem::take(&mut *told.lock().unwrap());
            assert_eq!(
                told.iter().map(|(message, _)| message.as_str()).collect::<Vec<_>>(),
                Vec::from_iter(panics),
                "{path}"
            );
            if path.starts_with("/panic") && !path.contains("-in-") {
                assert_eq!(told[0].1.as_deref(), Some(&*format!("GET {path}")));
            }
        }
    })
    .await;
}

/// Other requests of the connection go on while a handler panics.
#[tokio::test(start_paused = true)]
async fn a_panic_does_not_touch_the_other_requests() {
    bounded(async {
        let mut config = config();
        config.hooks.panicked = Some(Arc::new(|_| {}));
        let handler = async |request: Request| {
            let body = request.path() == "/panic";
            sleep(Duration::from_secs(1)).await;
            assert!(!body, "a panic");
            "fine\n"
        };
        let (_server, dial) = start_with(handler, config);
        let mut client = connect(&dial).await;
        let mut replies = Vec::new();
        for n in 0..20 {
            let path = if n % 2 == 0 { "/panic" } else { "/" };
            replies.push((n, client.open(request("GET", path), true).await.0));
        }
        for (n, reply) in replies {
            assert_eq!(read(reply).await.unwrap().status, if n % 2 == 0 { 500 } else { 200 });
        }
    })
    .await;
}

/// Interim replies come before the final one, also those that a handler pushes while it works.
#[tokio::test(start_paused = true)]
async fn interim_replies_of_a_handler_come_first() {
    bounded(async {
        let handler = async |request: Request| {
            let active = request.active().unwrap();
            active.push_interim(b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n").unwrap();
            sleep(Duration::from_secs(1)).await;
            active.push_interim(b"HTTP/1.1 102 Processing\r\nconnection: x\r\n\r\n").unwrap();
            "done\n"
        };
        let (_server, dial) = start(handler);
        let mut client = connect(&dial).await;
        let (mut reply, _) = client.open(request("GET", "/"), true).await;
        let mut seen = Vec::new();
        while let Some(interim) = poll_fn(|cx| reply.poll_informational(cx)).await {
            let interim = interim.unwrap();
            seen.push((interim.status().as_u16(), interim.headers().clone()));
        }
        let hints = HeaderMap::from_iter([(http::header::LINK, HeaderValue::from_static("</a.css>"))]);
        assert_eq!(seen, [(103, hints), (102, HeaderMap::new())]);
        assert_eq!(read(reply).await.unwrap().text(), "done\n");
    })
    .await;
}

/// Two 103s go to the stream of their request, while the handler works, and none after the reply has begun.
#[tokio::test(start_paused = true)]
async fn two_103s_of_http2_come_before_the_reply_on_their_stream() {
    bounded(async {
        let handler = async |request: Request| {
            for name in ["a", "b"] {
                let link = format!("<{}/{name}.css>", request.path());
                request
                    .inform(StatusCode::EARLY_HINTS, [("link", link), ("x-a", " b ".into())])
                    .expect("it can be sent");
                sleep(Duration::from_secs(1)).await;
            }
            Response::new(Body::writer(async move |mut w| {
                w.write("done\n").await?;
                w.flush().await?;
                assert_eq!(request.inform(StatusCode::EARLY_HINTS, [("link", "x")]), Err(InformError::Over));
                Ok(())
            }))
        };
        let (_server, dial) = start(handler);
        let mut client = connect(&dial).await;
        let mut readers = Vec::new();
        for path in ["/one", "/two"] {
            let (mut reply, _) = client.open(request("GET", path), true).await;
            readers.push(tokio::spawn(async move {
                let mut links = Vec::new();
                while let Some(interim) = poll_fn(|cx| reply.poll_informational(cx)).await {
                    let interim = interim.expect("no reset");
                    let (status, trimmed) = (interim.status().as_u16(), &interim.headers()["x-a"]);
                    assert_eq!((status, trimmed), (103, &HeaderValue::from_static("b")));
                    links.push(interim.headers()["link"].to_str().expect("text").to_owned());
                }
                assert_eq!(links, [format!("<{path}/a.css>"), format!("<{path}/b.css>")]);
                assert_eq!(read(reply).await.unwrap().text(), "done\n");
            }));
        }
        for reader in readers {
            reader.await.expect("both hints and the reply");
        }
    })
    .await;
}

/// A reply that is made while it is sent leaves piece by piece.
#[tokio::test(start_paused = true)]
async fn a_flushed_piece_arrives_before_the_next_is_made() {
    bounded(async {
        let handler = async |_| {
            Response::new(Body::writer(|mut w| async move {
                for n in 0..3 {
                    w.write(format!("{n}\n")).await?;
                    w.flush().await?;
                    sleep(Duration::from_secs(1)).await;
                }
                Ok(())
            }))
        };
        let (_server, dial) = start(handler);
        let mut client = connect(&dial).await;
        let (reply, _) = client.open(request("GET", "/"), true).await;
        let mut stream = reply.await.unwrap().into_body();
        let began = tokio::time::Instant::now();
        for n in 0..3 {
            let data = stream.data().await.unwrap().unwrap();
            assert_eq!(data, Bytes::from(format!("{n}\n")));
            assert_eq!(began.elapsed().as_secs(), n);
        }
        assert!(stream.data().await.is_none_or(|data| data.unwrap().is_empty()));
    })
    .await;
}
