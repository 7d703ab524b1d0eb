//! The server at which the scenarios play: a few pages, and its live figure.

use std::time::Duration;

use quintet_server::{
    Config, FigureOptions, Request, ServeMux, Server, Timeouts, figure,
    mux::{Mux, max_bytes},
    request::BodyError,
};
use tokio::time::sleep;

/// The largest body that `/upload` takes.
pub const MAX_UPLOAD_BYTES: u64 = 64 * 1024;
/// The time for a head: half of the default, so that a class need not wait.
pub const READ_HEADER_TIMEOUT: Duration = Duration::from_secs(5);

async fn upload(mut request: Request) -> Result<String, BodyError> {
    let body = request.to_bytes(MAX_UPLOAD_BYTES).await?;
    Ok(format!("{} bytes\n", body.len()))
}

/// The server at which the scenarios play. The figure is at `/live/`.
#[must_use]
pub fn server() -> Server<ServeMux> {
    let mux = ServeMux::new();
    mux.handle("GET /{$}", async |_| "The figure is at /live/\n");
    mux.handle("GET /hello/{name}", async |request: Request| {
        format!("Hello, {}!\n", request.path_value("name").unwrap_or_default())
    });
    mux.handle("GET /slow", async |_| {
        sleep(Duration::from_secs(1)).await;
        "slow\n"
    });
    mux.handle("POST /upload", max_bytes(MAX_UPLOAD_BYTES, upload));
    mux.handle("GET /secret", async |_| "no client may see this\n");
    let routes = mux.with_routes(Mux::clone);
    mux.handle("GET /live/", figure(FigureOptions { routes, ..FigureOptions::default() }));
    let timeouts = Timeouts { read_header: READ_HEADER_TIMEOUT, ..Timeouts::default() };
    Server::with_config(mux, Config { timeouts, ..Config::default() })
}
