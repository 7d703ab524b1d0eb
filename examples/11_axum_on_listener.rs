//! An axum application behind Quintet's accept loop: back-off after accept errors, and a limit of connections.
//!
//! You learn: `axum::serve` takes a `Retry` or a `Limit` as its listener (feature `axum` of `quintet-listener`).
//!
//! Run:      `cargo build --example 11_axum_on_listener`, then
//!           `(ulimit -n 40; target/debug/examples/11_axum_on_listener)`
//! Then:     `curl http://127.0.0.1:9090/`, and
//!           `for i in $(seq 60); do nc 127.0.0.1 9090 & done; sleep 5; kill $(jobs -p)`
//! You see:  the first command prints the client's address and the health of the accept loop. The second one uses up
//!           the file descriptors: this terminal has one line a second, and the processor is idle. As soon as the
//!           clients have gone, curl works again. (With 2,000 descriptors instead of 40, `Limit` would make clients
//!           wait first.)
//! TLS:      `--cert target/cert.pem --key target/key.pem`, with the pair that `13_tls` makes, and
//!           `curl --cacert target/cert.pem https://localhost:9090/`: a client that says nothing delays no other,
//!           since accepting does not wait for a handshake, and each has 10 s.
//! End:      Ctrl-C.

use std::future::IntoFuture;

use anyhow::Context;
use axum::{Router, extract::ConnectInfo, routing::get};
use quintet_examples::{MaybeTls, arguments, errln, outln};
use quintet_listener::{Addr, Limit, Listener, Retry, Tls, listen};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: MaybeTls = arguments(include_str!("11_axum_on_listener.rs"));
    let limited = Limit::new(listen(":9090").context("cannot listen on :9090")?, 1000);
    match arguments.config()? {
        Some(config) => {
            config.fill_alpn(&[b"h2", b"http/1.1"]);
            let tls = Tls::new(limited, config).on_certificate_expired(|expired| errln!("{expired}"));
            serve(tls.on_error(|error| errln!("{error}"))).await
        }
        None => serve(limited).await,
    }
}

async fn serve(listener: impl Listener) -> anyhow::Result<()> {
    let listener = Retry::new(listener).on_error(|error| errln!("{error}"));
    outln!("listening on {}", Listener::local_addr(&listener)?);

    let health = listener.health();
    let index = get(move |ConnectInfo(peer): ConnectInfo<Addr>| async move {
        let report = health.snapshot();
        format!("hello {peer}\naccepted {}, waited {} times\n", report.accepted, report.waited)
    });
    let app = Router::new().route("/", index);
    let app = app.into_make_service_with_connect_info::<Addr>();

    // The `accept` of an axum listener returns no error: the listener must retry and log by itself, as `Retry` does.
    let serve = axum::serve(listener, app).into_future();
    tokio::select! {
        served = serve => served?,
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}
