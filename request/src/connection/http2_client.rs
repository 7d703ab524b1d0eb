//! A client of HTTP/2, for the test kit of the server. Hidden: nothing about it is promised.

use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use h2::{
    Reason, RecvStream, SendStream,
    client::{self, ResponseFuture, SendRequest},
};
use http::{HeaderMap, StatusCode};
use quintet_listener::Stream;

/// A client of HTTP/2. Clones share the connection.
#[derive(Clone)]
pub struct Http2Client(SendRequest<Bytes>);

/// The body of a request: its pieces, and the trailers after them. `None`: the request has no body.
type Pieces = Option<(Vec<Bytes>, HeaderMap)>;
/// The rest of a request that is sent while its reply is read.
type Sending = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A reply whose head has arrived.
pub struct Http2Reply {
    /// The status.
    pub status: StatusCode,
    /// The fields.
    pub headers: HeaderMap,
    /// The interim replies before it.
    pub informational: Vec<(StatusCode, HeaderMap)>,
    body: RecvStream,
    sending: Option<Sending>,
}

impl Http2Client {
    /// Begins a connection. The future that is returned beside the client drives it, and ends with it.
    ///
    /// # Errors
    /// The error of the connection.
    pub async fn handshake<S: Stream>(io: S) -> io::Result<(Self, impl Future<Output = ()> + Send)> {
        let (send, connection) = client::Builder::new().enable_push(false).handshake(io).await.map_err(failed)?;
        let driver = async move {
            // Its error is also that of each request.
            let _ = connection.await;
        };
        Ok((Self(send), driver))
    }

    /// Whether another request can be sent, as far as the server has told.
    pub async fn is_open(&self) -> bool {
        let mut send = self.0.clone();
        poll_fn(|cx| Poll::Ready(!matches!(send.poll_ready(cx), Poll::Ready(Err(_))))).await
    }

    /// Sends a request, and waits for the head of its reply.
    ///
    /// # Errors
    /// The error of the connection, or of the stream: a reset, for example.
    pub async fn send(&self, head: http::Request<()>, body: Pieces) -> io::Result<Http2Reply> {
        let mut send = self.0.clone().ready().await.map_err(failed)?;
        let (mut response, stream) = send.send_request(head, body.is_none()).map_err(failed)?;
        let mut sending = body.map(|(pieces, trailers)| -> Sending { Box::pin(send_pieces(stream, pieces, trailers)) });
        let mut informational = Vec::new();
        let response = poll_fn(|cx| {
            poll_sending(&mut sending, cx);
            poll_head(&mut response, &mut informational, cx)
        });
        let (parts, body) = response.await.map_err(failed)?.into_parts();
        Ok(Http2Reply { status: parts.status, headers: parts.headers, informational, body, sending })
    }
}

fn poll_head(
    response: &mut ResponseFuture,
    informational: &mut Vec<(StatusCode, HeaderMap)>,
    cx: &mut Context<'_>,
) -> Poll<Result<http::Response<RecvStream>, h2::Error>> {
    while let Poll::Ready(Some(interim)) = response.poll_informational(cx) {
        match interim {
            Ok(interim) => informational.push((interim.status(), interim.into_parts().0.headers)),
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
    Pin::new(response).poll(cx)
}

fn poll_sending(sending: &mut Option<Sending>, cx: &mut Context<'_>) {
    if sending.as_mut().is_some_and(|sending| sending.as_mut().poll(cx).is_ready()) {
        *sending = None;
    }
}

/// Sends a body within the windows, and ends it. A server that wants no more of it resets the stream, which ends this.
async fn send_pieces(mut stream: SendStream<Bytes>, pieces: Vec<Bytes>, trailers: HeaderMap) {
    for mut piece in pieces {
        while !piece.is_empty() {
            stream.reserve_capacity(piece.len());
            match poll_fn(|cx| stream.poll_capacity(cx)).await {
                Some(Ok(room)) if stream.send_data(piece.split_to(room.min(piece.len())), false).is_ok() => {}
                _ => return,
            }
        }
    }
    let _ = if trailers.is_empty() { stream.send_data(Bytes::new(), true) } else { stream.send_trailers(trailers) };
}

impl Http2Reply {
    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// The error of the connection, or of the stream.
    pub async fn chunk(&mut self) -> io::Result<Option<Bytes>> {
        let data = poll_fn(|cx| {
            poll_sending(&mut self.sending, cx);
            self.body.poll_data(cx)
        });
        match data.await {
            Some(Ok(data)) => {
                self.body.flow_control().release_capacity(data.len()).map_err(failed)?;
                Ok(Some(data))
            }
            // A server that has sent its whole reply may refuse the rest of the request (RFC 9113 §8.1).
            Some(Err(error)) if error.is_reset() && error.reason() == Some(Reason::NO_ERROR) => Ok(None),
            Some(Err(error)) => Err(failed(error)),
            None => Ok(None),
        }
    }

    /// The trailers, after the end of the body.
    ///
    /// # Errors
    /// The error of the connection, or of the stream.
    pub async fn trailers(&mut self) -> io::Result<HeaderMap> {
        Ok(self.body.trailers().await.map_err(failed)?.unwrap_or_default())
    }
}

fn failed(error: h2::Error) -> io::Error {
    if error.is_io() {
        if let Some(kind) = error.get_io().map(io::Error::kind) {
            return io::Error::new(kind, error);
        }
    }
    io::Error::other(error)
}

impl fmt::Debug for Http2Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http2Client")
    }
}

impl fmt::Debug for Http2Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Reply")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}
