//! A WebSocket that says everything back: a connection taken over from HTTP.
//!
//! You learn: how a handler answers 101 and speaks another protocol from there on, bytes sent ahead included; and how
//! such a connection learns that the server is stopping.
//!
//! Run:      `cargo run --example 16_websocket`
//! Then:     in a browser's console: `ws = new WebSocket('ws://localhost:9090/echo')`,
//!           `ws.onmessage = m => console.log(m.data)`, `ws.send('hello')`
//! You see:  `hello` again. Ctrl-C here closes the socket in an orderly way.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use quintet_examples::{NoArguments, arguments, outln};
use quintet_server::{Link, Listener, Request, Response, ServeMux, Server, Upgraded, listen};
use tokio_tungstenite::{WebSocketStream, tungstenite::handshake::derive_accept_key, tungstenite::protocol::Role};

async fn echo(request: Request) -> Response {
    let offered = request.header("upgrade").is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"));
    let (Some(key), true) = (request.header("sec-websocket-key"), offered && request.head().wants_upgrade()) else {
        return Response::text(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket").with_header("upgrade", "websocket");
    };
    let accept = derive_accept_key(key.as_bytes());
    let link = request.link().cloned();
    Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, move |upgraded| converse(upgraded, link))
        .with_header("upgrade", "websocket")
        .with_header("sec-websocket-accept", accept)
}

async fn converse(Upgraded { io, leftover, .. }: Upgraded, link: Option<Arc<Link>>) {
    let mut socket = WebSocketStream::from_partially_read(io, leftover, Role::Server, None).await;
    let stopping = async {
        match link {
            Some(link) => link.stopping().await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(stopping);
    loop {
        let message = tokio::select! {
            message = socket.next() => message,
            () = &mut stopping => break,
        };
        match message {
            Some(Ok(message)) if message.is_text() || message.is_binary() => {
                if socket.send(message).await.is_err() {
                    return;
                }
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return,
        }
    }
    let _ = socket.close(None).await;
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let NoArguments {} = arguments(include_str!("16_websocket.rs"));
    let mux = ServeMux::new();
    mux.handle("GET /echo", echo);
    let listener = listen(":9090").context("cannot listen on :9090")?;
    outln!("listening on {}", listener.local_addr()?);
    Server::new(mux).serve_until_signal(listener, Duration::from_secs(5)).await?;
    Ok(())
}
