//! An axum router served by Quintet, and a Quintet handler inside it.
//!
//! You learn: how a tower service becomes a handler and a handler a service; the server's limits hold for both.
//!
//! Run:      `cargo run --example 09_tower`
//! Then:     `curl localhost:9090/axum/you`, `curl localhost:9090/quintet/you`
//! You see:  a reply of an axum handler to the first command, and of a Quintet handler in the same router to the
//!           second.
//! End:      Ctrl-C. Requests in progress are answered first.

use anyhow::Context;
use axum::{Router, extract::Path, routing::get};
use quintet_examples::{NoArguments, arguments, outln};
use quintet_server::{HandlerService, Listener, Request, ServeMux, Server, TowerHandler, listen};
use std::time::Duration;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let NoArguments {} = arguments(include_str!("09_tower.rs"));
    let ours = ServeMux::new();
    ours.handle("GET /quintet/{name}", async |request: Request| {
        format!("quintet says hello to {}\n", request.path_value("name").unwrap_or_default())
    });
    let router = Router::new()
        .route("/axum/{name}", get(async |Path(name): Path<String>| format!("axum says hello to {name}\n")))
        .fallback_service(HandlerService::new(ours));

    let listener = listen(":9090").context("cannot listen on :9090")?;
    outln!("listening on {}", listener.local_addr()?);
    Server::new(TowerHandler(router)).serve_until_signal(listener, Duration::from_secs(5)).await?;
    Ok(())
}
