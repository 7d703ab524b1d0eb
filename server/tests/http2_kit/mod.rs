//! A client of HTTP/2 for the tests, over the frame layer of the h2 crate.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use bytes::Bytes;
use h2::{
    Reason, RecvStream, SendStream,
    client::{Builder, ResponseFuture, SendRequest},
};
use http::{HeaderMap, Request, StatusCode};
use quintet_server::{Config, Handler, Server};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinHandle,
};

use crate::support::{self, Dial, in_memory};

/// A server that speaks HTTP/2 in cleartext, in memory.
pub fn start<H: Handler>(handler: H) -> (Server<H>, Dial) {
    start_with(handler, config())
}

pub fn start_with<H: Handler>(handler: H, config: Config) -> (Server<H>, Dial) {
    let server = Server::with_config(handler, config);
    let (dial, _) = in_memory(&server);
    (server, dial)
}

/// The settings of the tests, with HTTP/2 in cleartext.
pub fn config() -> Config {
    let mut config = support::config();
    config.protocols.unencrypted_http2 = true;
    config
}

/// A client, whose connection is driven by a task.
pub struct Client {
    pub send: SendRequest<Bytes>,
    pub connection: JoinHandle<Result<(), h2::Error>>,
}

/// A reply as it arrived.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub fields: HeaderMap,
    pub body: Vec<u8>,
    pub trailers: Option<HeaderMap>,
}

impl Reply {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.to_str().expect("a value that is text"))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body that is text")
    }
}

/// Connects a client.
pub async fn connect(dial: &Dial) -> Client {
    connect_with(dial, &Builder::new()).await
}

pub async fn connect_with(dial: &Dial, builder: &Builder) -> Client {
    over(dial.connect_in_cleartext(64 * 1024).io, builder).await
}

pub async fn over(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, builder: &Builder) -> Client {
    let (send, connection) = builder.handshake(io).await.expect("a handshake");
    Client { send, connection: tokio::spawn(connection) }
}

/// A request without a body.
pub fn request(method: &str, path: &str) -> Request<()> {
    let uri = if path == "*" { path.to_owned() } else { format!("http://a.example{path}") };
    Request::builder().method(method).uri(uri).body(()).expect("a request")
}

impl Client {
    /// Sends a head; with `end` it is the whole request.
    pub async fn open(&mut self, request: Request<()>, end: bool) -> (ResponseFuture, SendStream<Bytes>) {
        let mut send = self.send.clone().ready().await.expect("a connection that takes requests");
        send.send_request(request, end).expect("a request that can be sent")
    }

    pub async fn get(&mut self, path: &str) -> Reply {
        let (reply, _) = self.open(request("GET", path), true).await;
        read(reply).await.expect("a reply")
    }

    /// Sends a request with this body, as fast as the server takes it.
    pub async fn post(&mut self, path: &str, body: impl Into<Bytes>) -> Reply {
        let (reply, stream) = self.open(request("POST", path), false).await;
        let sent = tokio::spawn(send_all(stream, body.into()));
        let reply = read(reply).await.expect("a reply");
        let _ = sent.await;
        reply
    }
}

/// Sends a body within the windows, and ends it.
pub async fn send_all(mut stream: SendStream<Bytes>, mut body: Bytes) -> Result<(), h2::Error> {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let room = match std::future::poll_fn(|cx| stream.poll_capacity(cx)).await {
            Some(room) => room?,
            None => return Err(Reason::STREAM_CLOSED.into()),
        };
        stream.send_data(body.split_to(room.min(body.len())), false)?;
    }
    stream.send_data(Bytes::new(), true)
}

/// Reads a reply to its end, giving back the window as it goes.
pub async fn read(reply: ResponseFuture) -> Result<Reply, h2::Error> {
    let (head, mut stream) = reply.await?.into_parts();
    let (body, trailers) = read_body(&mut stream).await?;
    Ok(Reply { status: head.status, fields: head.headers, body, trailers })
}

pub async fn read_body(stream: &mut RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut body = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data?;
        body.extend_from_slice(&data);
        stream.flow_control().release_capacity(data.len())?;
    }
    Ok((body, stream.trailers().await?))
}
