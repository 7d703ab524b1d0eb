//! The service of the example `15_grpc`, called in memory.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use example::{call_each, config, grpc_timeout, mux};
use futures_util::stream;
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use quintet_examples::calls::{Number, Text, calls_client::CallsClient};
use quintet_listener::testing::MemoryListener;
use quintet_server::Server;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tonic::{Code, Request};
use tower_service::Service;

#[path = "../15_grpc.rs"]
#[allow(dead_code, reason = "its `main` is not called")]
mod example;

/// A connection to the service, as tonic wants it.
struct Connection(http2::SendRequest<tonic::body::Body>);

impl Service<http::Request<tonic::body::Body>> for Connection {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

/// A client of a server of its own.
async fn client() -> CallsClient<Connection> {
    let (listener, dialer) = MemoryListener::new();
    tokio::spawn(async move { Server::with_config(mux(), config()).serve(listener).await });
    let io = TokioIo::new(dialer.connect(64 * 1024).0);
    let (send, connection) = http2::handshake(TokioExecutor::new(), io).await.expect("a handshake");
    tokio::spawn(connection);
    CallsClient::with_origin(Connection(send), "http://a.example".parse().expect("a URI"))
}

/// Messages that are sent when a test sends them.
fn messages<T: Send + 'static>() -> (mpsc::UnboundedSender<T>, impl stream::Stream<Item = T> + Send + 'static) {
    let (send, sent) = mpsc::unbounded_channel();
    (send, stream::unfold(sent, async |mut sent| Some((sent.recv().await?, sent))))
}

fn text(text: &str) -> Text {
    Text { text: text.to_owned() }
}

#[tokio::test(start_paused = true)]
async fn a_call_of_each_kind_is_answered() {
    let said = call_each(&mut client().await).await.expect("replies");
    assert_eq!(
        said,
        [
            "unary: HELLO",
            "a stream from the server: [1, 2, 3, 4, 5]",
            "a stream from the client: 5050",
            "streams both ways: one",
            "streams both ways: two",
            "streams both ways: three",
            "streams both ways: None",
            "a deadline: DeadlineExceeded",
            "cancelled: true",
        ]
    );
}

/// A layer that bounds only the first message would let such a call go on for ever.
#[tokio::test(start_paused = true)]
async fn a_deadline_ends_a_stream_of_messages() {
    let mut calls = client().await;
    let (send, sent) = messages();
    let mut request = Request::new(sent);
    request.set_timeout(Duration::from_millis(500));
    let began = Instant::now();
    let mut echoed = calls.echo(request).await.expect("a reply").into_inner();
    send.send(text("in time")).expect("the call goes on");
    assert_eq!(echoed.message().await.expect("a message"), Some(text("in time")));
    let late = echoed.message().await.expect_err("the deadline");
    assert_eq!(late.code(), Code::DeadlineExceeded);
    let waited = began.elapsed();
    assert!((Duration::from_millis(499)..Duration::from_millis(600)).contains(&waited), "{waited:?}");
}

/// The time limits for bodies and idle connections end no call, as long as the client answers PING.
#[tokio::test(start_paused = true)]
async fn messages_of_a_stream_may_be_minutes_apart() {
    let mut calls = client().await;
    let (send, sent) = messages();
    let mut echoed = calls.echo(sent).await.expect("a reply").into_inner();
    for one in ["one", "two", "three"] {
        sleep(Duration::from_secs(300)).await;
        send.send(text(one)).expect("the call goes on");
        assert_eq!(echoed.message().await.expect("a message"), Some(text(one)));
    }
    drop(send);
    assert_eq!(echoed.message().await.expect("the end"), None);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_call_has_its_code_and_text() {
    let mut calls = client().await;
    let large = stream::iter([u64::MAX, 1].map(|number| Number { number }));
    let status = calls.sum(large).await.expect_err("an error");
    assert_eq!((status.code(), status.message()), (Code::OutOfRange, "more than 64 bits"));
    // The connection goes on.
    assert_eq!(calls.upper(text("a")).await.expect("a reply").into_inner(), text("A"));
}

#[test]
fn a_grpc_timeout_has_up_to_eight_digits_and_a_unit() {
    for (value, read) in [
        ("1H", Some(Duration::from_secs(3600))),
        ("2M", Some(Duration::from_secs(120))),
        ("99999999S", Some(Duration::from_secs(99_999_999))),
        ("250m", Some(Duration::from_millis(250))),
        ("7u", Some(Duration::from_micros(7))),
        ("0n", Some(Duration::ZERO)),
        ("100000000S", None),
        ("S", None),
        ("", None),
        ("1", None),
        ("+1S", None),
        ("1 S", None),
        ("1s", None),
        ("1\u{e9}", None),
    ] {
        assert_eq!(grpc_timeout(value), read, "{value:?}");
    }
}
