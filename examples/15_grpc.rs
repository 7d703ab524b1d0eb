//! gRPC: a service of tonic inside a mux, over HTTP/2 without TLS.
//!
//! You learn: `TowerHandler` runs what tonic generates; where deadlines and cancelled calls come in; `unencrypted_http2`.
//!
//! Run:      `cargo run --example 15_grpc`
//! Then:     `cargo run --example 15_grpc -- --call` calls each method of `data/calls.proto`, one that misses its deadline
//!           and one that is cancelled; `curl localhost:9090/` speaks HTTP/1.1 on the same port
//! You see:  the replies; and the server says that the two calls did not go on without their client.
//! End:      Ctrl-C. Calls in progress are answered first.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use http_body::{Frame, SizeHint};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use quintet_examples::{
    arguments,
    calls::{
        Number, Text,
        calls_client::CallsClient,
        calls_server::{Calls, CallsServer},
    },
    outln,
};
use quintet_server::{Config, Protocols, ServeMux, Server, TowerHandler, conn::ActiveRequest};
use tokio::time::{Instant, Sleep, sleep, timeout_at};
use tonic::{Code, Request, Response, Status, Streaming, client::GrpcService, codegen::StdError};
use tower_service::Service;

type Many<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The service: a method of each kind.
#[derive(Debug, Default)]
struct Example;

#[tonic::async_trait]
impl Calls for Example {
    type CountStream = Many<Number>;
    type EchoStream = Many<Text>;

    async fn upper(&self, request: Request<Text>) -> Result<Response<Text>, Status> {
        let text = request.into_inner().text.to_uppercase();
        Ok(Response::new(Text { text }))
    }

    async fn count(&self, request: Request<Number>) -> Result<Response<Many<Number>>, Status> {
        let numbers = 1..=request.into_inner().number;
        Ok(Response::new(stream::iter(numbers.map(|number| Ok(Number { number }))).boxed()))
    }

    async fn sum(&self, request: Request<Streaming<Number>>) -> Result<Response<Number>, Status> {
        let add = async |sum: u64, one: Number| {
            sum.checked_add(one.number).ok_or_else(|| Status::out_of_range("more than 64 bits"))
        };
        let number = request.into_inner().try_fold(0, add).await?;
        Ok(Response::new(Number { number }))
    }

    async fn echo(&self, request: Request<Streaming<Text>>) -> Result<Response<Many<Text>>, Status> {
        Ok(Response::new(request.into_inner().boxed()))
    }

    async fn wait(&self, request: Request<Number>) -> Result<Response<Number>, Status> {
        let call = Dropped;
        sleep(Duration::from_millis(request.get_ref().number)).await;
        std::mem::forget(call);
        Ok(Response::new(request.into_inner()))
    }
}

/// Says that a call was dropped before its end.
struct Dropped;

impl Drop for Dropped {
    fn drop(&mut self) {
        outln!("a call was dropped: its client has gone, or its deadline is over");
    }
}

/// A layer for `grpc-timeout`: a call that is not done at its deadline ends with `DEADLINE_EXCEEDED`, also in the middle of a
/// stream of messages. tonic has one of its own only in its own server, and for the first message.
///
/// With a deadline or without, the messages of a stream may be far apart. So the time limits for slow bodies do not apply, and
/// clients that are gone without a word are found by PING (`Http2Config::send_ping_timeout`).
#[derive(Clone, Debug)]
struct Deadlines<S>(S);

impl<S, B> Service<http::Request<B>> for Deadlines<S>
where
    S: Service<http::Request<B>, Response = http::Response<tonic::body::Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let limit = request.headers().get("grpc-timeout").and_then(|value| grpc_timeout(value.to_str().ok()?));
        if let Some(active) = request.extensions().get::<ActiveRequest>() {
            active.set_read_deadline(limit.unwrap_or(Duration::MAX));
            active.set_write_deadline(Duration::MAX);
        }
        let answered = self.0.call(request);
        let Some(deadline) = limit.and_then(|limit| Instant::now().checked_add(limit)) else {
            return Box::pin(answered);
        };
        Box::pin(async move {
            match timeout_at(deadline, answered).await {
                Ok(answered) => answered.map(|response| {
                    response.map(|messages| {
                        let sleep = Box::pin(tokio::time::sleep_until(deadline));
                        tonic::body::Body::new(Until { messages, sleep, over: false })
                    })
                }),
                Err(_) => Ok(too_late().into_http()),
            }
        })
    }
}

fn too_late() -> Status {
    Status::deadline_exceeded("the deadline of the call is over")
}

/// The messages of a reply up to a deadline, and then the status.
struct Until {
    messages: tonic::body::Body,
    sleep: Pin<Box<Sleep>>,
    over: bool,
}

impl http_body::Body for Until {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.over {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.messages).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if self.sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.over = true;
        // Dropped here, and not when the client has read the reply.
        self.messages = tonic::body::Body::empty();
        let mut trailers = http::HeaderMap::new();
        let said = too_late().add_header(&mut trailers);
        Poll::Ready(Some(said.map(|()| Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.messages.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Reads a `grpc-timeout`: up to eight digits and a unit. A malformed one is none.
pub(crate) fn grpc_timeout(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// A mux with the service, and a page for HTTP/1.1.
pub(crate) fn mux() -> ServeMux {
    let mux = ServeMux::new();
    mux.handle("POST /quintet.example.Calls/", TowerHandler(Deadlines(CallsServer::new(Example))));
    mux.handle("GET /{$}", async |_| "gRPC is at /quintet.example.Calls/\n");
    mux
}

pub(crate) fn config() -> Config {
    Config { protocols: Protocols { unencrypted_http2: true, ..Protocols::default() }, ..Config::default() }
}

/// Calls each method of a server, and returns a line about each.
pub(crate) async fn call_each<T>(calls: &mut CallsClient<T>) -> Result<Vec<String>, Status>
where
    T: GrpcService<tonic::body::Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: http_body::Body<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static,
{
    let mut said = Vec::new();

    let text = calls.upper(Text { text: "hello".to_owned() }).await?.into_inner().text;
    said.push(format!("unary: {text}"));

    let numbers = calls.count(Number { number: 5 }).await?.into_inner();
    let numbers: Vec<u64> = numbers.map_ok(|one| one.number).try_collect().await?;
    said.push(format!("a stream from the server: {numbers:?}"));

    let numbers = stream::iter(1..=100).map(|number| Number { number });
    let sum = calls.sum(numbers).await?.into_inner().number;
    said.push(format!("a stream from the client: {sum}"));

    // Each message is sent when the one before it has come back.
    let (ask, asked) = tokio::sync::mpsc::unbounded_channel();
    let asked = stream::unfold(asked, async |mut asked| Some((asked.recv().await?, asked)));
    let mut echoed = calls.echo(asked).await?.into_inner();
    for text in ["one", "two", "three"] {
        let _ = ask.send(Text { text: text.to_owned() });
        let back = echoed.message().await?.unwrap_or_default().text;
        said.push(format!("streams both ways: {back}"));
    }
    drop(ask);
    said.push(format!("streams both ways: {:?}", echoed.message().await?));

    let mut late = Request::new(Number { number: 60_000 });
    late.set_timeout(Duration::from_millis(200));
    let code = calls.wait(late).await.map_or_else(|status| status.code(), |_| Code::Ok);
    said.push(format!("a deadline: {code:?}"));

    // Dropping the future of a call cancels it.
    let cancelled = tokio::time::timeout(Duration::from_millis(200), calls.wait(Number { number: 60_000 })).await;
    said.push(format!("cancelled: {}", cancelled.is_err()));
    Ok(said)
}

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// Where to listen, or where to call
    #[arg(long, default_value = "127.0.0.1:9090")]
    addr: String,
    /// Be a client: call each method of the server there
    #[arg(long)]
    call: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { addr, call } = arguments(include_str!("15_grpc.rs"));
    if call {
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let mut calls = CallsClient::with_origin(client, format!("http://{addr}").parse()?);
        for line in call_each(&mut calls).await? {
            outln!("{line}");
        }
        return Ok(());
    }
    outln!("listening on {addr}");
    let report = Server::with_config(mux(), config()).run(&addr, Duration::from_secs(5)).await?;
    outln!("drained {}, aborted {}", report.drained, report.aborted);
    Ok(())
}
