//! The reply that opens a WebSocket.

use std::future::Future;

use http::{HeaderValue, StatusCode};
use quintet_mux::{CrossOriginProtection, IntoResponse, Response, Upgraded};
use quintet_request::Request;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::{
    handshake::WebSocketHandshake,
    options::WebSocketOptions,
    refusal::WebSocketRefusal,
    session::{Session, Times, config},
    socket::WebSocket,
    websocket_error::WebSocketError,
};

/// The reply to a handshake of WebSocket: 101, and then `then` is called with the socket. A request that is no handshake,
/// or comes from a page of another site, is [refused](WebSocketRefusal).
///
/// The socket is closed when `then` ends, or the socket is dropped: with 1000, or with 1011 if `then` returns an error.
/// Extensions are not agreed on: neither compression nor WebSocket over HTTP/2 (RFC 8441) is there, and a handshake over
/// HTTP/2 is answered 501. Browsers then open a connection of HTTP/1.1.
///
/// # Example
/// ```
/// use quintet_server::{Request, Response, WebSocketOptions, websocket};
///
/// async fn echo(request: Request) -> Response {
///     websocket(&request, &WebSocketOptions::default(), async |mut socket| {
///         while let Some(message) = socket.next().await {
///             socket.send(message?).await?;
///         }
///         Ok(())
///     })
/// }
/// # let mux = quintet_server::ServeMux::new();
/// # mux.handle("GET /echo", echo);
/// ```
///
/// # Spec
/// RFC 6455.
#[doc(alias = "tungstenite")]
#[doc(alias = "WebSocketUpgrade")]
#[must_use]
pub fn websocket<F, W>(request: &Request, options: &WebSocketOptions, then: W) -> Response
where
    W: FnOnce(WebSocket) -> F + Send + 'static,
    F: Future<Output = Result<(), WebSocketError>> + Send + 'static,
{
    let handshake = match check(request, options) {
        Ok(handshake) => handshake,
        Err(refusal) => return refusal.into_response(),
    };
    let protocol = handshake.protocol.and_then(|at| options.protocols.get(at)).cloned();
    let (config, times, agreed) = (config(options), Times::of(options), protocol.clone());
    let run = move |upgraded| run(upgraded, config, times, agreed, then);
    let reply = Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, run)
        .with_header("upgrade", HeaderValue::from_static("websocket"))
        .with_header("sec-websocket-accept", handshake.accept);
    match protocol {
        Some(protocol) => reply.with_header("sec-websocket-protocol", protocol),
        None => reply,
    }
}

/// The handshake by RFC 6455, and the origin by the rules against requests of other sites.
fn check(request: &Request, options: &WebSocketOptions) -> Result<WebSocketHandshake, WebSocketRefusal> {
    let handshake = WebSocketHandshake::of(request.head(), &options.protocols)?;
    CrossOriginProtection::check_any_method(&options.origins, request)?;
    Ok(handshake)
}

/// Runs the session of one WebSocket, and closes it.
async fn run<F, W>(upgraded: Upgraded, config: WebSocketConfig, times: Times, protocol: Option<String>, then: W)
where
    W: FnOnce(WebSocket) -> F + Send,
    F: Future<Output = Result<(), WebSocketError>> + Send,
{
    let session = Session::new(upgraded, config, times).await;
    let (home, back) = oneshot::channel();
    let outcome = then(WebSocket::new(session, protocol, home)).await;
    // A socket that another task has comes back when that task drops it.
    if let Ok(session) = back.await {
        session.finish(if outcome.is_ok() { 1000 } else { 1011 }).await;
    }
}
