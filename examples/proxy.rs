//! A reverse proxy: it passes requests on to a server behind it, and the replies back.
//!
//! You learn: which fields belong to one connection and are not passed on, and which ones tell the server who its client
//!           is; that bodies, trailers and WebSockets stream in both directions; that each side learns when the other is
//!           gone; and how the requests of each client are limited. Interim replies (1xx) of the server are not passed on.
//!
//! Run:      a server of HTTP/1.1, such as `cargo run --example 16_events -- --addr 127.0.0.1:9091`, and in another terminal
//!           `cargo run --example proxy -- 127.0.0.1:9091`
//! Then:     open <http://localhost:9090>, or `curl -v localhost:9090/`; then end the server, and again.
//!           `cargo run --example proxy -- --per-second 1 127.0.0.1:9091`, and ask three times in a second.
//! You see:  the pages of the server, and its events as they happen, through the proxy; a 502 when it is gone; a 429 with
//!           `Retry-After`.
//! End:      Ctrl-C. Requests in progress are answered first.

use std::{error::Error, num::NonZeroU32, time::Duration};

use anyhow::Context;
use governor::Quota;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, Version,
    header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TE, TRANSFER_ENCODING, UPGRADE, VIA},
    uri::{Authority, Scheme},
};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use quintet_examples::{arguments, outln, rate_limit::rate_limit};
use quintet_listener::{Addr, Listener, Nets, listen};
use quintet_mux::{Handler, Response, Upgraded, forwarded};
use quintet_request::{Body, BodyError, ForwardedHeader, HopByHop, Request};
use quintet_server::Server;
use tokio::io::{AsyncWriteExt, copy_bidirectional};

/// How this proxy calls itself in `Via`, by which it knows requests that it has seen before.
const NAME: &str = "quintet-proxy";
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// The server behind the proxy, host:port
    upstream: Authority,
    /// Where to listen
    #[arg(long, default_value = ":9090")]
    addr: String,
    /// Networks of proxies in front of this one, whose X-Forwarded-* fields are believed: `10.0.0.0/8, unix`
    #[arg(long, default_value = "")]
    trusted: Nets,
    /// Seconds until the server must have begun its reply
    #[arg(long, default_value_t = 60)]
    timeout: u64,
    /// Requests of one client in each second; more are answered by 429
    #[arg(long)]
    per_second: Option<NonZeroU32>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { upstream, addr, trusted, timeout, per_second } = arguments(include_str!("proxy.rs"));
    let listener = listen(&addr).with_context(|| format!("cannot listen on {addr}"))?;
    outln!("passing on requests from {} to {upstream}", listener.local_addr()?);
    let proxy = Proxy::new(upstream, Duration::from_secs(timeout));
    let report = match per_second {
        Some(n) => serve(listener, rate_limit(Quota::per_second(n), proxy), trusted).await?,
        None => serve(listener, proxy, trusted).await?,
    };
    outln!("drained {}, aborted {}", report.drained, report.aborted);
    Ok(())
}

async fn serve(
    listener: impl Listener,
    handler: impl Handler,
    trusted: Nets,
) -> anyhow::Result<quintet_server::ShutdownReport> {
    Ok(Server::new(in_front(handler, trusted)).serve_until_signal(listener, Duration::from_secs(10)).await?)
}

/// The handler with what stands in front of it: who the client is. Of a client that is no trusted proxy, all fields that say
/// so are removed here, so that what this proxy adds is true.
pub(crate) fn in_front(handler: impl Handler, trusted: Nets) -> impl Handler {
    handler.with(|handler| forwarded(trusted, ForwardedHeader::XForwardedForProtoHost, handler))
}

/// A handler that passes requests on to another server.
#[derive(Debug)]
pub(crate) struct Proxy {
    client: Client<HttpConnector, Body>,
    upstream: Authority,
    timeout: Duration,
}

impl Proxy {
    /// A proxy in front of this server, which has so long to begin a reply.
    pub(crate) fn new(upstream: Authority, timeout: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(timeout.min(Duration::from_secs(5))));
        connector.set_nodelay(true);
        // Shorter than the idle timeout of most servers: a connection that is closed as it is used again costs a request.
        let idle = Duration::from_secs(30);
        let client = Client::builder(TokioExecutor::new()).pool_idle_timeout(idle).build(connector);
        Self { client, upstream, timeout }
    }

    /// The request for the server, with the protocol that the client wants to change to; or the reply that refuses it.
    fn outgoing(&self, request: Request) -> Result<http::Request<Body>, Response> {
        if request.method() == "CONNECT" {
            return Err(text(StatusCode::METHOD_NOT_ALLOWED));
        }
        let sent = Sent::of(&request);
        let host = request.host().and_then(|host| HeaderValue::from_str(host).ok());
        let hop = HopByHop::of(request.headers());
        let removed: Vec<String> =
            request.headers().map(|(name, _)| name.to_owned()).filter(|name| hop.contains(name)).collect();
        let (upgrade, te) =
            (hop.upgrade().and_then(|value| HeaderValue::from_bytes(value).ok()), hop.accepts_trailers());
        let mut http = request.into_http().map_err(|_| text(StatusCode::BAD_REQUEST))?;

        let uri = std::mem::take(http.uri_mut()).into_parts().path_and_query;
        let uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.upstream.clone())
            .path_and_query(uri.map_or("/".to_owned(), |path| path.to_string()));
        *http.uri_mut() = uri.build().map_err(|_| text(StatusCode::BAD_REQUEST))?;
        *http.version_mut() = Version::HTTP_11;
        http.extensions_mut().clear();

        let has_body = !http.body().is_end_stream();
        let headers = http.headers_mut();
        removed.iter().for_each(|name| drop(headers.remove(name)));
        // This server has answered `Expect: 100-continue` by the time that it reads the body.
        headers.remove(EXPECT);
        host.map(|host| headers.insert(HOST, host));
        if headers.get_all(VIA).iter().any(|via| via.as_bytes().ends_with(NAME.as_bytes())) {
            return Err(text(StatusCode::LOOP_DETECTED));
        }
        headers.append(VIA, HeaderValue::from_static("1.1 quintet-proxy"));
        sent.add_to(headers);
        // Without this, hyper drops the body of a GET whose length is not known.
        if has_body && !headers.contains_key(CONTENT_LENGTH) {
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        add_hop_by_hop(headers, te, upgrade);
        Ok(http)
    }
}

impl Handler for Proxy {
    async fn call(&self, request: Request) -> Response {
        let active = request.active().cloned();
        let outgoing = match self.outgoing(request) {
            Ok(outgoing) => outgoing,
            Err(refused) => return refused,
        };
        let asks_upgrade = outgoing.headers().contains_key(UPGRADE);
        let gone = async {
            match &active {
                Some(active) => active.disconnected().await,
                None => std::future::pending().await,
            }
        };
        let replied = tokio::select! {
            replied = tokio::time::timeout(self.timeout, self.client.request(outgoing)) => replied,
            // The dropped call closes its connection, by which the server learns that the client is gone.
            () = gone => return Response::abort(),
        };
        match replied {
            Err(_elapsed) => text(StatusCode::GATEWAY_TIMEOUT),
            Ok(Err(error)) => failed(&error),
            Ok(Ok(reply)) if reply.status() == StatusCode::SWITCHING_PROTOCOLS => switched(reply, asks_upgrade),
            // A body that breaks off breaks the reply off, and a client that is gone drops the body, and its connection.
            Ok(Ok(reply)) => passed_back(reply),
        }
    }
}

/// Adds the fields of the connection to the server: that trailers are accepted, and a protocol to change to. `Connection` names
/// both, so that the server does not pass them on in turn.
fn add_hop_by_hop(headers: &mut HeaderMap, te: bool, upgrade: Option<HeaderValue>) {
    if te {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.append(CONNECTION, HeaderValue::from_static("te"));
    }
    if let Some(upgrade) = upgrade {
        headers.insert(UPGRADE, upgrade);
        headers.append(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

/// A reply of the proxy itself.
fn text(status: StatusCode) -> Response {
    Response::text(status, status)
}

/// The reply to a request that could not be passed on: 400, 408 or 413 if the body of the client is to blame, else 502, or 504
/// if nothing answers there.
fn failed(error: &(dyn Error + 'static)) -> Response {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(body) = error.downcast_ref::<BodyError>() {
            return Response::text(body.status(), body);
        }
        if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut) {
            return text(StatusCode::GATEWAY_TIMEOUT);
        }
        cause = error.source();
    }
    text(StatusCode::BAD_GATEWAY)
}

/// The reply of the server without the fields of its connection.
fn passed_back(mut reply: http::Response<Incoming>) -> Response {
    let headers = reply.headers_mut();
    // Two lengths: readers disagree about the end of such a reply (RFC 9112 §6.3).
    if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
        return text(StatusCode::BAD_GATEWAY);
    }
    let hop = HopByHop::of(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
    let removed: Vec<HeaderName> = headers.keys().filter(|name| hop.contains(name.as_str())).cloned().collect();
    removed.iter().for_each(|name| drop(headers.remove(name)));
    headers.append(VIA, HeaderValue::from_static("1.1 quintet-proxy"));
    reply.into()
}

/// The server changes to the protocol that the client asked for: bytes are passed on in both directions from now on.
fn switched(mut reply: http::Response<Incoming>, asked: bool) -> Response {
    let Some(protocol) = reply.headers().get(UPGRADE).filter(|_| asked).cloned() else {
        return text(StatusCode::BAD_GATEWAY);
    };
    let upstream = hyper::upgrade::on(&mut reply);
    let then = async move |upgraded: Upgraded| {
        let Upgraded { mut io, leftover, .. } = upgraded;
        let Ok(upstream) = upstream.await else { return };
        let mut upstream = TokioIo::new(upstream);
        if upstream.write_all(&leftover).await.is_ok() {
            // Ends when both sides have closed, or one fails. The connections are closed then.
            let _ = copy_bidirectional(&mut io, &mut upstream).await;
        }
    };
    let mut switched = Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, then).with_header(UPGRADE, protocol);
    for (name, value) in reply.headers() {
        if *name != UPGRADE && *name != CONNECTION {
            switched.headers_mut().append(name, value.clone());
        }
    }
    switched
}

/// What the proxy tells the server of its client.
struct Sent {
    peer: Option<HeaderValue>,
    /// Of the first trusted proxy; what another one has told stays.
    scheme: &'static str,
    host: Option<HeaderValue>,
}

impl Sent {
    fn of(request: &Request) -> Self {
        let peer = match request.peer_addr() {
            Some(Addr::Tcp(peer)) => HeaderValue::try_from(peer.ip().to_string()).ok(),
            Some(Addr::Unix(_)) => Some(HeaderValue::from_static("unix:")),
            None => None,
        };
        let host = request.host().and_then(|host| HeaderValue::from_str(host).ok());
        Self { peer, scheme: request.scheme(), host }
    }

    fn add_to(self, headers: &mut HeaderMap) {
        if let Some(peer) = self.peer {
            headers.append(X_FORWARDED_FOR, peer);
        }
        headers.entry(X_FORWARDED_PROTO).or_insert(HeaderValue::from_static(self.scheme));
        if let Some(host) = self.host {
            headers.entry(X_FORWARDED_HOST).or_insert(host);
        }
    }
}
