//! A whole HTTP server from listener, conn and request, without the server crate.
//!
//! You learn: what the server crate does for you: how a connection becomes a sequence of requests, how a reply is
//!           framed, and when the connection may be used again.
//!
//! Run:      `cargo run --example 06_by_hand`
//! Then:     `curl -d hello localhost:9090/x localhost:9090/y`, or
//!           `printf 'GET / HTTP/1.1\r\n\r\n' | nc localhost 9090`
//! You see:  the request line and the body in the reply, twice on one connection; for the second command a 400 with its
//!           reason. The server prints why each connection ended.
//! End:      Ctrl-C. Requests in progress are answered first.

use anyhow::Context;
use http::StatusCode;
use quintet_conn::{ConnGuard, Connections, State, Timeouts, Wire};
use quintet_examples::{NoArguments, arguments, outln};
use quintet_listener::{Listener, Retry, Stream, listen};
use quintet_request::{CloseReason, ContentType, Exchange, Limits, Next, Requests, reply::Head};
use std::sync::Arc;

/// Appends a reply to the output. The next flush sends it.
fn reply<S: Stream>(
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    exchange: &mut Exchange,
    status: StatusCode,
    text: &str,
) {
    let content_type = ContentType::Known("text/plain; charset=utf-8");
    let head = Head { content_type, length: Some(text.len() as u64), ..Head::new(status) };
    // The plan depends on the request: a reply to HEAD has no body, a reply to HTTP/1.0 may need `keep-alive`.
    let plan = exchange.begin_reply(&head);
    let mut wire = requests.wire();
    plan.write_head(wire.output.tail(), &head, connection.unix(), text.as_bytes());
    if plan.has_body() {
        wire.output.extend(text.as_bytes());
    }
    exchange.end_reply(&plan);
}

/// Serves one connection, which is closed when the guard and the wire are dropped.
async fn serve<S: Stream>(connection: ConnGuard, wire: Wire<S>, limits: Arc<Limits>) {
    let mut requests = Requests::new(wire, limits);
    let (next, reason) = loop {
        let mut request = match requests.next().await {
            Ok(Some(request)) => request,
            Ok(None) => break (Next::End, requests.close_reason()), // the client closed, or was idle for too long
            Err(error) => {
                // The start of a next request is unknown, so the connection is closed after the reply.
                let reason = error.close_reason();
                let Some(status) = error.status() else { break (Next::End, Some(reason)) };
                let mut exchange = Exchange::refused(requests.wire().input.filled(), reason);
                reply(&connection, &mut requests, &mut exchange, status, &format!("{error}\n"));
                break (exchange.finish(), exchange.close_reason());
            }
        };
        let mut exchange = Exchange::new(request.head());
        let (status, text) = match request.to_bytes(1 << 20).await {
            Ok(body) => {
                let line = format!("{} {}", request.method(), request.target().raw());
                (StatusCode::OK, format!("{line}\n{}\n", String::from_utf8_lossy(&body)))
            }
            Err(error) => (error.status(), format!("{error}\n")),
        };
        drop(request);
        // A body that is malformed, or too long to be read, ends the connection: the reply has `Connection: close`.
        requests.report_body(&mut exchange, 64 << 10);
        // Asked last: a reply that is the last of its connection says `Connection: close`, also if the shutdown began
        // while the body was read.
        if connection.is_stopping() {
            exchange.close(CloseReason::Stopping);
        }
        reply(&connection, &mut requests, &mut exchange, status, &text);
        // Takes the wire back from the body. The next byte is then the first of a request.
        if let Err(error) = requests.settle(&mut exchange, 64 << 10).await {
            exchange.fail(CloseReason::from(&error));
        }
        match exchange.finish() {
            Next::Continue => connection.end_request(),
            next => break (next, exchange.close_reason()),
        }
    };
    if let Some(reason) = reason {
        connection.set_close_reason(reason);
    }
    if next == Next::Linger {
        // Closing a connection while the client still sends makes the kernel reset it, and the client may lose the
        // reply. So the connection is half-closed, and read for a while.
        let _ = requests.into_wire().linger(1 << 20).await;
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let NoArguments {} = arguments(include_str!("06_by_hand.rs"));
    let mut listener = Retry::new(listen(":9090").context("cannot listen on :9090")?);
    outln!("listening on {}", listener.local_addr()?);
    let limits = Arc::<Limits>::default();
    let (connections, sweeper) = Connections::new(
        Timeouts::default(),
        None,
        Some(Box::new(|connection, _, to| {
            if let (State::Closed, Some(reason)) = (to, connection.close_reason::<CloseReason>()) {
                outln!("{}: {reason}", connection.peer_addr());
            }
        })),
    );
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
