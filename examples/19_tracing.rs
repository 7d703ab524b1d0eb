//! A server that tells `tracing` what it does, and handlers that log in the span of their request.
//!
//! You learn: how one line switches spans on, and how a log line of a handler says which request it is about, also while
//!           many are in progress on one thread.
//!
//! Run:      `cargo run --example 19_tracing`
//! Then:     in another terminal: `curl localhost:9090/square/12` and `curl localhost:9090/square/x`,
//!           `curl -Z --parallel-immediate 'localhost:9090/square/{2,3,4,5}'` (four at once), and a request without a host:
//!           `printf 'GET / HTTP/1.1\r\n\r\n' | nc localhost 9090`
//! You see:  in this terminal, the lines of each handler with the fields of their request, and one line when the reply was
//!           sent; the last request is refused, which is a line without a span.
//! End:      Ctrl-C.

use std::{io, time::Duration};

use anyhow::Context;
use quintet_examples::{arguments, outln};
use quintet_server::{Config, IntoResponse, Listener, Request, Response, ServeMux, Server, StatusCode, listen};
use tokio::time::sleep;
use tracing::{info, warn};
use tracing_subscriber::fmt::format::FmtSpan;

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = ":9090")]
    addr: String,
}

/// The square of a number, after some work.
async fn square(request: Request) -> Response {
    let text = request.path_value("number").unwrap_or_default().into_owned();
    let Ok(number) = text.parse::<u32>() else {
        // A value goes into a field: the subscriber quotes it, so that a client cannot write lines of its own.
        warn!(text, "this is no number");
        return (StatusCode::BAD_REQUEST, "a number, please\n").into_response();
    };
    info!(number, "the work begins");
    sleep(Duration::from_millis(50)).await; // other requests go on meanwhile, each in its span
    info!(number, "the work is done");
    format!("{}\n", u64::from(number).pow(2)).into_response()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Arguments { addr } = arguments(include_str!("19_tracing.rs"));
    // A span is printed when it ends. Another layer in this place (`tracing-opentelemetry`) would send it to a collector.
    tracing_subscriber::fmt()
        .with_writer(io::stdout)
        .with_span_events(FmtSpan::CLOSE)
        // A terminal that is closed ends no request.
        .log_internal_errors(false)
        .init();

    let mux = ServeMux::new();
    mux.handle("GET /square/{number}", square);
    let server = Server::with_config(mux, Config { tracing: true, ..Config::default() });
    let listener = listen(&addr).with_context(|| format!("cannot listen on {addr}"))?;
    outln!("http://{}/square/12", listener.local_addr()?);
    server.serve_until_signal(listener, Duration::from_secs(10)).await?;
    Ok(())
}
