//! A tool: a server for benchmarks, with their usual routes and one runtime per thread, over HTTP/1.1 and HTTP/2.
//!
//! You learn: how to write a server for measurements; it has the default limits and all checks, as any other server.
//!
//! Run:      `cargo run --release --example bench -- --port 8080 --threads 1 --root FOLDER`;
//!           `--routes 1000` adds as many; `--tls-port 8443 --cert target/cert.pem --key target/key.pem` adds TLS,
//!           with the pair that `13_tls` makes; `--access-log FILE` adds an access log
//! Then:     `wrk -c 64 -t 1 -d 5 http://127.0.0.1:8080/plaintext`, or
//!           `h2load -c 16 -m 32 -n 100000 http://127.0.0.1:8080/plaintext`, which speaks HTTP/2
//! You see:  requests per second. Only the ratio to another server, measured on the same machine, has a meaning.
//! End:      Ctrl-C.

use std::{
    num::NonZeroUsize,
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use quintet_examples::{MaybeTls, arguments};
use quintet_server::{
    AccessLog, Body, Config, Dir, IntoResponse, Protocols, Request, Response, ServeMux, Server,
    mux::{DirOptions, FileOptions, FileServer, Precompressed},
    with_state,
};
use serde::Serialize;

#[derive(Serialize)]
struct Message {
    message: &'static str,
}

const RESOURCES: [&str; 19] = [
    "repos",
    "orgs",
    "teams",
    "issues",
    "pulls",
    "commits",
    "branches",
    "tags",
    "releases",
    "labels",
    "milestones",
    "projects",
    "gists",
    "stars",
    "events",
    "hooks",
    "keys",
    "emails",
    "followers",
];

/// 64 pieces of 1 KiB, each a chunk of its own.
async fn stream(_: Request) -> Response {
    static PIECE: [u8; 1024] = [b'x'; 1024];
    let mut left = 64_u8;
    let pieces = std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        Some(Ok::<_, std::convert::Infallible>(http_body::Frame::data(Bytes::from_static(&PIECE))))
    });
    Response::new(Body::new(Pieces(pieces))).with_content_type("text/plain")
}

struct Pieces<I>(I);

impl<I: Iterator<Item = Result<http_body::Frame<Bytes>, E>> + Unpin, E> http_body::Body for Pieces<I> {
    type Data = Bytes;
    type Error = E;
    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<I::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// Where to listen, on 127.0.0.1
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// How many threads, each with a runtime and a listener of its own
    #[arg(long, default_value = "1")]
    threads: NonZeroUsize,
    /// The folder whose files `/file/…` sends
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Keep its files open so many milliseconds after they were asked for
    #[arg(long)]
    keep_open: Option<u64>,
    /// How many more routes
    #[arg(long, default_value_t = 0)]
    routes: usize,
    /// Append a line of JSON for each request to this file
    #[arg(long)]
    access_log: Option<PathBuf>,
    /// Where to listen for TLS, on 127.0.0.1, with as many threads again
    #[arg(long, requires = "cert")]
    tls_port: Option<u16>,
    #[command(flatten)]
    tls: MaybeTls,
}

fn main() -> anyhow::Result<()> {
    let arguments = arguments(include_str!("bench.rs"));
    let Arguments { port, threads, root, keep_open, routes, access_log, tls_port, tls } = arguments;
    let config = tls.config()?;

    let mux = ServeMux::new();
    for resource in RESOURCES {
        for rest in ["", "/{id}", "/{id}/edit", "/{id}/comments", "/{id}/comments/{cid}"] {
            mux.handle(&format!("/{resource}{rest}"), async |_| "other");
        }
    }
    for n in 0..routes {
        mux.handle(&format!("GET /r{n}/items/{{id}}"), async |_| "item");
    }
    mux.handle("GET /plaintext", async |_| Response::new("Hello, World!").with_content_type("text/plain"));
    mux.handle("GET /json", async |_| match serde_json::to_vec(&Message { message: "Hello, World!" }) {
        Ok(json) => Response::new(json).with_content_type("application/json"),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    });
    mux.handle("GET /users/{id}", async |request: Request| request.path_value("id").unwrap_or_default().into_owned());
    mux.handle("POST /echo", async |request: Request| {
        Response::new(request.into_body()).with_content_type("application/octet-stream")
    });
    mux.handle("GET /stream", stream);
    mux.handle("GET /bytes/64k", async |_| {
        Response::new(Bytes::from_static(&[b'x'; 64 * 1024])).with_content_type("application/octet-stream")
    });
    let descriptor_cache = keep_open.map(Duration::from_millis);
    let root = Dir::open_with(&root, DirOptions { descriptor_cache, ..DirOptions::default() });
    let files = FileServer::with_options(
        root?,
        FileOptions {
            index: None,
            precompressed: Precompressed::ALL.to_vec(),
            // As nginx: the names have no endings, and a guess would read each file once more.
            default_type: Some(HeaderValue::from_static("application/octet-stream")),
            ..FileOptions::default()
        },
    );
    mux.handle(
        "GET /file/{name...}",
        with_state(Arc::new(files), async |files: Arc<FileServer<Dir>>, request: Request| {
            let name = request.path_value("name").unwrap_or_default().into_owned();
            files.serve_file(&request, &name).await
        }),
    );
    let (ended, end) = mpsc::channel();
    // Clients of HTTP/2 may begin with its preface (`h2load http://…`), or choose it by ALPN on the port of TLS.
    let protocols = Protocols { unencrypted_http2: true, ..Protocols::default() };
    let access_log = access_log.map(AccessLog::open).transpose()?;
    let server = Server::with_config(mux, Config { protocols, access_log, ..Config::default() });
    if let Some((port, config)) = tls_port.zip(config) {
        let (server, ended) = (server.clone(), ended.clone());
        thread::spawn(move || ended.send(server.serve_per_core_tls(&format!("127.0.0.1:{port}"), threads, config)));
    }
    thread::spawn(move || ended.send(server.serve_per_core(&format!("127.0.0.1:{port}"), threads)));
    // The first one that ends, ends the process.
    end.recv()??;
    Ok(())
}
