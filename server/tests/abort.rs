//! `Response::abort` closes a connection without a byte of a reply, and is not reported as a panic. Go:
//! `http.ErrAbortHandler`.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::StatusCode;
use quintet_mux::{max_bytes, strip_prefix, timeout};
use quintet_server::{Config, Handler, Request, Response, ServeMux, Server};
use support::{Client, bounded, config, in_memory};

mod support;

async fn abort(_: Request) -> Response {
    Response::abort().with_status(StatusCode::OK).with_header("x-a", "1")
}

fn routes() -> ServeMux {
    let mux = ServeMux::new();
    mux.handle("/abort", abort);
    mux.handle("/late", async |_| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Response::abort()
    });
    mux.handle("/read", async |mut request: Request| match request.to_bytes(100).await {
        Ok(_) => Response::abort(),
        Err(_) => Response::new("broken"),
    });
    mux.handle("/hello", async |_| "hello\n");
    mux
}

/// A server whose hook records the panics.
fn watched<H: Handler>(handler: H) -> (Server<H>, Arc<Mutex<Vec<String>>>) {
    let panics = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&panics);
    let mut config: Config = config();
    config.hooks.panicked = Some(Arc::new(move |panicked| {
        hook.lock().expect("no panic").push(panicked.message.to_owned());
    }));
    (Server::with_config(handler, config), panics)
}

#[tokio::test(start_paused = true)]
async fn an_abort_ends_the_connection_without_a_byte() {
    bounded(async {
        let (server, panics) =
            watched(timeout(strip_prefix("/x", max_bytes(10, routes())), Duration::from_secs(9), ""));
        let (dial, _serving) = in_memory(&server);
        for request in [
            "GET /x/abort HTTP/1.1\r\nHost: a\r\n\r\n",
            "HEAD /x/abort HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /x/abort HTTP/1.0\r\n\r\n",
            "GET /x/late HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /x/read HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok",
            // Neither a body nor a following request is read.
            "GET /x/abort HTTP/1.1\r\nHost: a\r\n\r\nGET /x/hello HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /x/abort HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nok",
            "POST /x/abort HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok",
        ] {
            for split in 0..=request.len() {
                let mut client = dial.connect();
                let (begin, end) = request.split_at(split);
                client.send(begin).await;
                tokio::task::yield_now().await;
                let _ = client.try_send(end).await;
                assert_eq!(client.rest().await, b"", "{request:?} at {split}");
            }
        }
        assert!(panics.lock().expect("no panic").is_empty());
        assert_eq!(server.counts().total(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn replies_before_an_abort_are_sent() {
    bounded(async {
        let (server, _) = watched(routes());
        let (dial, _serving) = in_memory(&server);
        for aborts in ["/abort", "/late"] {
            let mut client = dial.connect();
            client
                .send(format!("GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET {aborts} HTTP/1.1\r\nHost: a\r\n\r\n"))
                .await;
            assert_eq!(client.reply().await.text(), "hello\n");
            assert_eq!(client.rest().await, b"", "{aborts}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_may_be_aborted_by_the_hook() {
    bounded(async {
        let mut config = config();
        config.hooks.refused = Some(Arc::new(|_| Some(Response::abort())));
        let (dial, _serving) = in_memory(&Server::with_config(routes(), config));
        let mut client: Client<_> = dial.connect();
        client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/9.9\r\n\r\n").await;
        assert_eq!(client.reply().await.text(), "hello\n");
        assert_eq!(client.rest().await, b"");
    })
    .await;
}

/// `HandlerService` makes a 500 of it, for other servers; behind a layer that keeps the extensions it is an abort again.
#[cfg(feature = "tower")]
#[tokio::test(start_paused = true)]
async fn an_abort_passes_through_the_tower_bridge() {
    use quintet_server::{HandlerService, TowerHandler};
    bounded(async {
        let router = axum::Router::new().route_service("/abort", HandlerService::new(abort));
        let (dial, _serving) = in_memory(&watched(TowerHandler(router)).0);
        let mut client = dial.connect();
        client.get("/abort").await;
        assert_eq!(client.rest().await, b"");
        client = dial.connect();
        assert_eq!(client.fetch("/other").await.status, 404);
    })
    .await;
}
