//! What you learn: the accept loop that hyper leaves to you, without its traps.
//!
//! Run it:                 cargo build --example 15_hyper_on_listener
//!                         (ulimit -n 40; target/debug/examples/15_hyper_on_listener)
//! In another terminal:    curl http://127.0.0.1:9090/
//!                         for i in $(seq 60); do nc 127.0.0.1 9090 & done; sleep 5; kill $(jobs -p)
//! What you see:           a greeting; then, with every descriptor taken, one line a second here and no core burnt;
//!                         curl works again at once when the clients are gone, because each closed connection
//!                         tells the loop that a descriptor is free. Ctrl-C ends it at once, even in a back-off.

use std::convert::Infallible;

use anyhow::Context;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use quintet_examples::{NoArguments, arguments, errln, outln};
use quintet_listener::{Addr, Limit, Listener, Retry, listen};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let NoArguments {} = arguments(include_str!("15_hyper_on_listener.rs"));
    let limited = Limit::new(listen(":9090").context("cannot listen on :9090")?, 1000);
    let mut listener = Retry::new(limited).on_error(|error| errln!("{error}"));
    outln!("listening on {}", listener.local_addr()?);

    let fd_released = listener.fd_released();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        // The permit is inside the stream: it is given back when hyper drops it, upgraded or not.
        let stream = TokioIo::new(fd_released.on_drop(stream));
        tokio::spawn(async move {
            let service = service_fn(|request| hello(request, &peer));
            let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(stream, service);
            if let Err(error) = connection.await {
                errln!("{peer}: {error}");
            }
        });
    }
}

async fn hello(request: Request<Incoming>, peer: &Addr) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
    Ok(Response::new(format!("hello {peer}, you asked for {}\n", request.uri().path()).into()))
}
