//! A WebSocket echo server, on a connection that is handed over from HTTP.
//!
//! You learn: how a handler answers 101 and then speaks another protocol, beginning with the bytes that the client sent
//!           early; and how such a connection learns that the server is stopping.
//!
//! Run:      `cargo run --example 10_websocket`
//! Then:     in a browser's console: `ws = new WebSocket('ws://localhost:9090/echo')`,
//!           `ws.onmessage = m => console.log(m.data)`, `ws.send('hello')`
//! You see:  `hello` in the console.
//! End:      Ctrl-C. The server closes the WebSocket with a close frame.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use quintet_examples::{NoArguments, arguments, outln};
use quintet_server::{Connection, Listener, Request, Response, ServeMux, Server, listen, mux::Upgraded};
use tokio_tungstenite::{WebSocketStream, tungstenite::handshake::derive_accept_key, tungstenite::protocol::Role};

/// The value of `Sec-WebSocket-Accept` if the request is a WebSocket handshake (RFC 6455 §4.2.1), else the reply that
/// refuses it.
fn accept(request: &Request) -> Result<String, Response> {
    let values = |name: &'static str| request.headers().filter(move |field| field.0.eq_ignore_ascii_case(name));
    // `Connection: upgrade` and HTTP/1.1 are `wants_upgrade`; `Upgrade` is a list of protocols.
    let protocols = values("upgrade").flat_map(|(_, value)| value.split(|byte| *byte == b','));
    let offered = protocols.map(<[u8]>::trim_ascii).any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"));
    let versions: Vec<&[u8]> = values("sec-websocket-version").map(|(_, value)| value).collect();
    if !offered || !request.head().wants_upgrade() || versions != [b"13"] {
        // RFC 6455 §4.4: the reply names the version that this server speaks.
        return Err(Response::text(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket of version 13")
            .with_header("upgrade", "websocket")
            .with_header("sec-websocket-version", "13"));
    }
    let keys: Vec<&[u8]> = values("sec-websocket-key").map(|(_, value)| value).collect();
    match keys[..] {
        [key] if is_sixteen_bytes(key) => Ok(derive_accept_key(key)),
        _ => Err(Response::text(StatusCode::BAD_REQUEST, "a WebSocket key is 16 bytes in base64")),
    }
}

/// Whether a key is base64 (RFC 4648 §4) of 16 bytes: 22 digits and two padding characters.
fn is_sixteen_bytes(key: &[u8]) -> bool {
    let digits = key.strip_suffix(b"==").unwrap_or_default();
    digits.len() == 22 && digits.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte))
}

async fn echo(request: Request) -> Response {
    let accept = match accept(&request) {
        Ok(accept) => accept,
        Err(refusal) => return refusal,
    };
    let connection = request.connection().cloned();
    Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, move |upgraded| converse(upgraded, connection))
        .with_header("upgrade", "websocket")
        .with_header("sec-websocket-accept", accept)
}

async fn converse(Upgraded { io, leftover, .. }: Upgraded, connection: Option<Arc<Connection>>) {
    let mut socket = WebSocketStream::from_partially_read(io, leftover, Role::Server, None).await;
    let stopping = async {
        match connection {
            Some(connection) => connection.stopping().await,
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
    let NoArguments {} = arguments(include_str!("10_websocket.rs"));
    let mux = ServeMux::new();
    mux.handle("GET /echo", echo);
    let listener = listen(":9090").context("cannot listen on :9090")?;
    outln!("listening on {}", listener.local_addr()?);
    Server::new(mux).serve_until_signal(listener, Duration::from_secs(5)).await?;
    Ok(())
}
