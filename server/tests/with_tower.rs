//! Layers of `tower-http` around a handler, and its `ServeDir` behind `strip_prefix`.
#![cfg(feature = "tower")]

mod support;

use std::{path::PathBuf, time::Duration};

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use quintet_server::{
    Body, Handler, Request, Response, ServeMux, Server, TowerHandler, WithTower, mux::Upgraded, strip_prefix,
};
use support::{bounded, config, in_memory};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_http::{
    compression::CompressionLayer, cors::CorsLayer, services::ServeDir, set_header::SetResponseHeaderLayer,
    timeout::TimeoutLayer, trace::TraceLayer,
};

fn routes() -> ServeMux {
    let mux = ServeMux::new();
    mux.handle("GET /page", async |_: Request| "a page ".repeat(1000));
    mux.handle("GET /items/{id}", async |request: Request| {
        let id = request.path_value("id").unwrap_or_default();
        format!("{id} by {} from {}", request.pattern(), request.peer_addr().is_some())
    });
    mux.handle("GET /never", async |_: Request| std::future::pending::<&str>().await);
    mux.handle("GET /abort", async |_: Request| Response::abort());
    mux.handle("GET /echo", async |_: Request| {
        let then = async |mut upgraded: Upgraded| {
            let _ = upgraded.io.write_all(&upgraded.leftover).await;
            let mut byte = [0];
            if upgraded.io.read_exact(&mut byte).await.is_ok() {
                let _ = upgraded.io.write_all(&byte).await;
            }
        };
        Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, then).with_header("upgrade", "echo")
    });
    mux
}

/// Every layer in one line; the last one is the outermost.
fn layered() -> impl Handler {
    let name = HeaderName::from_static("x-layer");
    routes()
        .with_tower(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_tower(CompressionLayer::new())
        .with_tower(
            CorsLayer::new()
                .allow_origin("https://app.example".parse::<HeaderValue>().expect("an origin"))
                .allow_methods([Method::PUT]),
        )
        .with_tower(SetResponseHeaderLayer::overriding(name, HeaderValue::from_static("1")))
        .with_tower(TraceLayer::new_for_http())
}

#[tokio::test(start_paused = true)]
async fn layers_of_tower_http_wrap_a_handler_in_one_line() {
    bounded(async {
        let (dial, _serving) = in_memory(&Server::with_config(layered(), config()));
        let mut client = dial.connect();
        client.send("GET /page HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nOrigin: https://app.example\r\n\r\n").await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.field("Content-Encoding"), reply.field("X-Layer")), (200, Some("gzip"), Some("1")));
        assert_eq!(reply.field("Access-Control-Allow-Origin"), Some("https://app.example"));

        client.send("OPTIONS /page HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\nAccess-Control-Request-Method: PUT\r\n\r\n").await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.field("Access-Control-Allow-Methods")), (200, Some("PUT")));

        // The handler still sees its route, its values and its connection, and the mux answers 404 and 405.
        assert_eq!(client.fetch("/items/7").await.text(), "7 by GET /items/{id} from true");
        assert_eq!(client.fetch("/none").await.status, 404);
        assert_eq!(client.fetch("/never").await.status, 504);
        client.get("/abort").await;
        assert!(client.ends().await, "an abort is no reply");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_passes_through_layers() {
    bounded(async {
        let (dial, _serving) = in_memory(&Server::with_config(layered(), config()));
        let mut client = dial.connect();
        client.send("GET /echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nab").await;
        let (status, head) = client.head().await.expect("a head");
        assert_eq!(status, 101, "{head}");
        assert!(
            head.to_ascii_lowercase().contains("upgrade: echo") && head.to_ascii_lowercase().contains("x-layer: 1"),
            "{head}"
        );
        assert_eq!(client.exactly(2).await.as_deref(), Some(&b"ab"[..]));
        client.send("c").await;
        assert_eq!(client.exactly(1).await.as_deref(), Some(&b"c"[..]));
    })
    .await;
}

/// A handler goes on when its client has gone, also inside layers.
#[tokio::test(start_paused = true)]
async fn a_layered_handler_runs_to_its_end() {
    bounded(async {
        let (told, mut done) = tokio::sync::mpsc::channel(1);
        let handler = move |request: Request| {
            let told = told.clone();
            async move {
                request.disconnected().await;
                tokio::time::sleep(Duration::from_secs(1)).await;
                let _ = told.send(()).await;
                "done"
            }
        };
        let (dial, _serving) =
            in_memory(&Server::with_config(handler.with_tower(TraceLayer::new_for_http()), config()));
        let mut client = dial.connect();
        client.get("/").await;
        drop(client);
        done.recv().await.expect("the handler has run to its end");
    })
    .await;
}

/// A folder of its own, which is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("quintet-serve-dir-{}", std::process::id()));
        std::fs::create_dir_all(path.join("sub dir")).expect("a folder");
        for (file, text) in
            [("index.html", "the index"), ("a.txt", "a"), ("sub dir/b.txt", "b"), ("sub dir/index.html", "inner")]
        {
            std::fs::write(path.join(file), text).expect("a file");
        }
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn ask(handler: &impl Handler, target: &str) -> String {
    let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut reply = handler.call(Request::parse(request.as_bytes()).expect("a request")).await;
    let location = reply.header("location").map(|value| value.to_str().expect("text").to_owned());
    let body = reply.take_body().to_bytes(1000).await.expect("a short body");
    match location {
        Some(location) => format!("{} {location}", reply.status().as_u16()),
        None => format!("{} {}", reply.status().as_u16(), String::from_utf8_lossy(&body)),
    }
}

#[tokio::test]
async fn serve_dir_is_mounted_under_any_prefix() {
    let folder = Folder::new();
    let service = TowerHandler(ServeDir::new(&folder.0));
    // The pattern, the prefix that is removed, and the path that clients ask for.
    for (pattern, prefix, mount) in [
        ("/static/", "/static", "/static"),
        ("/static/", "/static/", "/static"),
        ("/a/b/c/", "/a/b/c", "/a/b/c"),
        ("/", "", ""),
        ("/", "/", ""),
        ("/{user}/files/", "/ann/files", "/ann/files"),
        ("/caf%C3%A9/", "/caf%C3%A9", "/caf%C3%A9"),
        ("/caf\u{e9}/", "/caf\u{e9}", "/caf%C3%A9"),
        ("/with%20blank/", "/with%20blank", "/with%20blank"),
        ("a/h.example/", "/h.example", "/h.example"),
        ("/localhost:80/", "/localhost:80", "/localhost:80"),
        ("/@x/", "/@x", "/@x"),
    ] {
        let mux = ServeMux::new();
        mux.handle(pattern, strip_prefix(prefix, service.clone()));
        for (path, expected) in [
            ("/a.txt", "200 a"),
            ("/", "200 the index"),
            ("/sub%20dir/b.txt", "200 b"),
            ("/sub%20dir/", "200 inner"),
            ("/none.txt", "404 "),
            ("/a.txt/", "404 "),
            ("/%2e%2e/a.txt", "404 "),
            ("/..%2fa.txt", "404 "),
        ] {
            assert_eq!(ask(&mux, &format!("{mount}{path}")).await, expected, "{pattern} {prefix}: {mount}{path}");
        }
    }
}

/// `Body` is the body of requests that layers see.
#[tokio::test]
async fn a_layer_may_replace_the_body_of_a_request() {
    let handler = async |mut request: Request| request.to_bytes(100).await.map(|bytes| bytes.len().to_string());
    let layer = tower_http::map_request_body::MapRequestBodyLayer::new(|_: Body| Body::from("four"));
    let reply = ask(&handler.with_tower(layer), "/").await;
    assert_eq!((reply.as_str(), header::LOCATION.as_str()), ("200 4", "location"));
}
