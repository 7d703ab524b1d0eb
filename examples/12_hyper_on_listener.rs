//! A hyper server behind Quintet's accept loop; hyper has no accept loop of its own.
//!
//! You learn: how the accept loop learns that a connection was closed and a file descriptor is free.
//!
//! Run:      `cargo build --example 12_hyper_on_listener`, then
//!           `(ulimit -n 40; target/debug/examples/12_hyper_on_listener)`
//! Then:     `curl http://127.0.0.1:9090/`, and
//!           `for i in $(seq 60); do nc 127.0.0.1 9090 & done; sleep 5; kill $(jobs -p)`
//! You see:  a greeting. Then, while all descriptors are in use, one line a second in this terminal, and the processor
//!           is idle. As soon as the clients have gone, curl works again, because each closed connection wakes the
//!           loop.
//! TLS:      `--cert target/cert.pem --key target/key.pem`, with the pair that `13_tls` makes, and
//!           `curl --cacert target/cert.pem https://localhost:9090/`: the reply says which version of TLS it was.
//! End:      Ctrl-C. The server ends at once, even during a back-off.

use std::{convert::Infallible, future::poll_fn, io};

use anyhow::Context;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use quintet_examples::{MaybeTls, arguments, errln, outln};
use quintet_listener::{Addr, Limit, Listener, Retry, Stream, Tls, listen};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: MaybeTls = arguments(include_str!("12_hyper_on_listener.rs"));
    let limited = Limit::new(listen(":9090").context("cannot listen on :9090")?, 1000);
    match arguments.config()? {
        Some(config) => {
            config.fill_alpn(&[b"h2", b"http/1.1"]);
            let tls = Tls::new(limited, config).on_certificate_expired(|expired| errln!("{expired}"));
            accept(tls.on_error(|error| errln!("{error}"))).await
        }
        None => accept(limited).await,
    }
}

async fn accept(listener: impl Listener) -> anyhow::Result<()> {
    let mut listener = Retry::new(listener).on_error(|error| errln!("{error}"));
    outln!("listening on {}", listener.local_addr()?);

    let fd_released = listener.fd_released();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        // The permit of `Limit` is inside the stream, so it is returned when hyper drops the stream, upgraded or not.
        let stream = fd_released.on_drop(stream);
        tokio::spawn(async move {
            // A handshake that fails is reported by its listener.
            if let Ok(Err(error)) = serve(stream, &peer).await {
                errln!("{peer}: {error}");
            }
        });
    }
}

/// Opens a stream, which for TLS is the handshake, and serves what comes. The error outside is one of opening.
///
/// Reading would open it, too; but this tells what the handshake agreed on.
async fn serve(mut stream: impl Stream + 'static, peer: &Addr) -> io::Result<hyper::Result<()>> {
    let opened = poll_fn(|cx| stream.poll_open(cx)).await?;
    let over = opened.tls.as_ref().and_then(|tls| tls.version_name()).unwrap_or("no TLS");
    let said = format!("hello {peer}, over {over} you asked for");
    // hyper serves each request of HTTP/2 in a task of its own, which borrows nothing.
    let service = service_fn(move |request| hello(request, said.clone()));
    let io = TokioIo::new(stream);
    if opened.tls.as_ref().is_some_and(|tls| *tls.negotiated_protocol == *b"h2") {
        return Ok(http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .serve_connection(io, service)
            .await);
    }
    Ok(http1::Builder::new().timer(TokioTimer::new()).serve_connection(io, service).await)
}

async fn hello(request: Request<Incoming>, said: String) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
    Ok(Response::new(format!("{said} {}\n", request.uri().path()).into()))
}
