//! A whole HTTP server from listener, conn and request, without the server crate.
//!
//! You learn: what the server hides: how a connection is a sequence of requests, and when it may be used again.
//!
//! Run:      `cargo run --example 06_by_hand`
//! Then:     `curl -d hello localhost:9090/x localhost:9090/y`, or
//!           `printf 'GET / HTTP/1.1\r\n\r\n' | nc localhost 9090`
//! You see:  the request line and the body again, twice on one connection; and a refusal with its reason.
//! End:      Ctrl-C. Requests that are under way are finished first.

use anyhow::Context;
use quintet_conn::{ConnGuard, Connections, Timeouts, Wire};
use quintet_examples::{NoArguments, arguments, outln};
use quintet_listener::{Listener, Retry, Stream, listen};
use quintet_request::{Limits, Requests, Reuse};
use std::sync::Arc;

/// Appends a reply: nothing is sent before the next flush.
fn reply(output: &mut quintet_conn::Output, to: &str, status: &str, close: bool, body: &str) {
    let connection = if close { "Connection: close\r\n" } else { "" };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{connection}\r\n", body.len());
    output.extend(head.as_bytes());
    // Whoever sent HEAD takes what follows the head for the next reply (RFC 9112 §6.3).
    if to != "HEAD" {
        output.extend(body.as_bytes());
    }
}

/// Serves one connection, which is over when the guard and the wire are dropped.
async fn serve<S: Stream>(connection: ConnGuard, wire: Wire<S>, limits: Arc<Limits>) {
    let mut requests = Requests::new(wire, limits);
    let end = loop {
        let mut request = match requests.next().await {
            Ok(Some(request)) => request,
            Ok(None) => break Reuse::No, // the client is done, or was idle for too long
            Err(error) => {
                // Nobody knows where the next request would begin: answer, and close.
                let Some(status) = error.status() else { break Reuse::No };
                reply(&mut requests.wire().output, "", &status.to_string(), true, &format!("{error}\n"));
                break Reuse::Unread;
            }
        };
        let body = request.to_bytes(1 << 20).await;
        let close = body.is_err() || !request.head().keep_alive() || connection.is_stopping();
        let (method, target) = (request.method(), request.target().raw());
        match body {
            Ok(body) => {
                let text = format!("{method} {target}\n{}\n", String::from_utf8_lossy(&body));
                reply(&mut requests.wire().output, method, "200 OK", close, &text);
            }
            Err(error) => {
                let status = error.status().to_string();
                reply(&mut requests.wire().output, method, &status, true, &format!("{error}\n"));
            }
        }
        drop(request);
        // Takes the wire back from the body, and says whether the next byte begins a request.
        match requests.settle(64 << 10).await {
            Ok(Reuse::Yes) if !close => {}
            Ok(Reuse::Yes) => break Reuse::No,
            Ok(reuse) => break reuse,
            Err(_) => break Reuse::No,
        }
    };
    let mut wire = requests.into_wire();
    let _ = if end == Reuse::Unread { wire.linger(1 << 20).await } else { wire.flush().await };
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let NoArguments {} = arguments(include_str!("06_by_hand.rs"));
    let mut listener = Retry::new(listen(":9090").context("cannot listen on :9090")?);
    outln!("listening on {}", listener.local_addr()?);
    let limits = Arc::<Limits>::default();
    let (connections, sweeper) = Connections::new(Timeouts::default(), None, None);
    tokio::spawn(sweeper);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = tokio::signal::ctrl_c() => break,
        };
        let (connection, wire) = connections.admit(stream, peer);
        tokio::spawn(serve(connection, wire, Arc::clone(&limits)));
    }
    drop(listener);
    connections.stop();
    connections.drained().await;
    Ok(())
}
