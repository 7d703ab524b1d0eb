//! The example `proxy`, in front of servers on the loopback that are strict about what they get, or misbehave.

use std::{
    future::{pending, ready},
    net::SocketAddr,
    time::Duration,
};

use example::{Proxy, in_front};
use futures_util::{SinkExt, StreamExt};
use governor::Quota;
use http::StatusCode;
use quintet_examples::rate_limit::rate_limit;
use quintet_listener::{
    Listener, listen,
    testing::{Dialer, MemoryListener},
};
use quintet_mux::{Handler, Response, ServeMux, Upgraded};
use quintet_request::{Body, Request};
use quintet_server::Server;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    net::TcpListener,
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key, protocol::Role},
};

#[path = "../proxy.rs"]
#[allow(dead_code, reason = "its `main` is not called")]
mod example;

/// No step of a test takes longer.
const BOUND: Duration = Duration::from_secs(30);

/// A server on the loopback; returns its address.
fn upstream(handler: impl Handler) -> SocketAddr {
    let listener = listen("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("an address").tcp().expect("a port");
    tokio::spawn(async move { Server::new(handler).serve(listener).await });
    addr
}

/// A proxy in memory in front of this address; clients in memory are peers of a Unix socket.
fn proxy(upstream: SocketAddr, trusted: &str) -> Dialer {
    let proxy = Proxy::new(upstream.to_string().parse().expect("an authority"), Duration::from_secs(5));
    serve(in_front(proxy, trusted.parse().expect("networks")))
}

fn serve(handler: impl Handler) -> Dialer {
    let (listener, dialer) = MemoryListener::new();
    tokio::spawn(async move { Server::new(handler).serve(listener).await });
    dialer
}

fn connect(dialer: &Dialer) -> DuplexStream {
    dialer.connect(1 << 20).0
}

/// Sends these bytes, and reads until the proxy closes.
async fn ask(dialer: &Dialer, bytes: &str) -> String {
    let mut client = connect(dialer);
    client.write_all(bytes.as_bytes()).await.expect("the pipe holds it");
    let mut reply = Vec::new();
    timeout(BOUND, client.read_to_end(&mut reply)).await.expect("the connection ends").expect("the reply");
    String::from_utf8(reply).expect("text")
}

fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n{fields}Connection: close\r\n\r\n")
}

/// All that the server is told, a line for each field.
async fn mirror(mut request: Request) -> Response {
    let mut text = format!("{} {}\n", request.method(), request.target().raw());
    let mut fields: Vec<_> = request
        .headers()
        .map(|(name, value)| format!("{}: {}\n", name.to_lowercase(), String::from_utf8_lossy(value)))
        .collect();
    fields.sort();
    text.extend(fields);
    let body = request.to_bytes(1000).await.expect("a body");
    text.push_str(&String::from_utf8_lossy(&body));
    if let Some(trailers) = request.trailers() {
        text.push_str(&format!("\ntrailers {trailers:?}"));
    }
    Response::new(text)
}

#[tokio::test]
async fn hop_by_hop_fields_are_not_passed_on_and_forwarded_ones_are_added() {
    let dialer = proxy(upstream(mirror), "");
    let spoofed = "X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Forwarded-Host: evil.example\r\n\
        Connection: x-secret, x-forwarded-for\r\nX-Secret: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy-Authorization: Basic eA==\r\n\
        X-Kept: 3\r\n";
    let reply = ask(&dialer, &get("/a%2Fb/%7E?q=100%", spoofed)).await;
    let (head, body) = reply.split_once("\r\n\r\n").expect("a head");
    assert_eq!(
        body,
        "GET /a%2Fb/%7E?q=100%\nconnection: te\nhost: shop.example\nte: trailers\nvia: 1.1 quintet-proxy\nx-forwarded-for: unix:\n\
         x-forwarded-host: shop.example\nx-forwarded-proto: http\nx-kept: 3\n"
    );
    assert!(head.to_lowercase().contains("via: 1.1 quintet-proxy"), "{head}");

    let reply = "HTTP/1.1 200 OK\r\nConnection: x-own, close\r\nX-Own: 1\r\nKeep-Alive: timeout=5\r\nX-Kept: 2\r\n\
        Content-Length: 2\r\n\r\nok";
    let seen = ask(&proxy(raw(reply, true).await, ""), &get("/", "")).await.to_lowercase();
    assert!(seen.contains("x-kept: 2") && seen.ends_with("\r\n\r\nok"), "{seen}");
    assert!(!seen.contains("keep-alive:") && !seen.contains("x-own"), "{seen}");
}

#[tokio::test]
async fn a_trusted_proxy_in_front_is_added_to() {
    let dialer = proxy(upstream(mirror), "unix");
    let told =
        "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example\r\nVia: 1.1 edge\r\n";
    let reply = ask(&dialer, &get("/", told)).await;
    for line in [
        "x-forwarded-for: 192.0.2.1\nx-forwarded-for: unix:\n",
        "x-forwarded-host: a.example\n",
        "x-forwarded-proto: https\n",
        "via: 1.1 edge\nvia: 1.1 quintet-proxy\n",
    ] {
        assert!(reply.contains(line), "{line} is not in {reply}");
    }
    assert!(!reply.contains("x-forwarded-proto: http\n"), "{reply}");
}

#[tokio::test]
async fn bodies_and_trailers_pass_in_both_directions() {
    let dialer = proxy(upstream(mirror), "");
    let head =
        "POST /up HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n";
    let reply = ask(&dialer, &format!("{head}3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n")).await;
    assert!(reply.contains("abcde") && reply.contains(r#"trailers {"x-sum": "5"}"#), "{reply}");

    let with_trailers = upstream(async |_: Request| {
        let body = Body::writer(async |mut w| {
            w.write("one").await?;
            w.flush().await?;
            w.write("two").await?;
            let mut trailers = http::HeaderMap::new();
            trailers.insert("x-sum", http::HeaderValue::from_static("6"));
            w.trailers(trailers);
            Ok(())
        });
        Response::new(body).with_header("trailer", "x-sum")
    });
    let reply = ask(&proxy(with_trailers, ""), &get("/", "TE: trailers\r\n")).await.to_lowercase();
    assert!(reply.contains("one") && reply.contains("two") && reply.ends_with("0\r\nx-sum: 6\r\n\r\n"), "{reply}");
}

/// A client library may take it that a GET has no body, and drop one that has no length.
#[tokio::test]
async fn a_chunked_body_of_any_method_is_passed_on() {
    let dialer = proxy(upstream(mirror), "");
    for method in ["GET", "DELETE", "OPTIONS", "POST"] {
        let head =
            format!("{method} /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
        let reply = ask(&dialer, &format!("{head}3\r\nabc\r\n0\r\n\r\n")).await;
        assert!(reply.contains("\ntransfer-encoding: chunked\n") && reply.contains("\nabc"), "{reply}");
    }
    let reply = ask(&dialer, &get("/", "")).await;
    assert!(!reply.contains("\ntransfer-encoding") && !reply.contains("\ncontent-length"), "{reply}");
}

#[tokio::test]
async fn a_reply_with_two_lengths_is_a_502() {
    let reply = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let seen = ask(&proxy(raw(reply, true).await, ""), &get("/", "")).await;
    assert!(seen.starts_with("HTTP/1.1 502 "), "{seen}");
}

#[tokio::test]
async fn a_reply_streams_before_it_ends() {
    let (tell, told) = mpsc::channel::<&str>(1);
    let told = std::sync::Mutex::new(Some(told));
    let addr = upstream(move |_: Request| {
        let mut told = told.lock().expect("no panic").take().expect("one request");
        ready(Response::new(Body::writer(async move |mut w| {
            while let Some(text) = told.recv().await {
                w.write(text).await?;
                w.flush().await?;
            }
            Ok(())
        })))
    });
    let mut client = connect(&proxy(addr, ""));
    client.write_all(get("/", "").as_bytes()).await.expect("the pipe holds it");
    let mut seen = String::new();
    for text in ["first", "second"] {
        tell.send(text).await.expect("the handler is at work");
        while !seen.contains(text) {
            let mut bytes = [0; 1000];
            let n = timeout(BOUND, client.read(&mut bytes)).await.expect("in time").expect("bytes");
            assert!(n > 0, "{seen}");
            seen.push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
    }
    drop(tell);
    timeout(BOUND, client.read_to_string(&mut seen)).await.expect("in time").expect("the end");
    assert!(seen.ends_with("0\r\n\r\n"), "{seen}");
}

#[tokio::test]
async fn an_upgrade_passes_bytes_in_both_directions() {
    let mux = ServeMux::new();
    mux.handle("/echo", async |request: Request| {
        assert_eq!(request.header("upgrade"), Some("echo"));
        let then = async |mut upgraded: Upgraded| {
            let mut bytes = upgraded.leftover;
            while bytes.len() < 4 {
                let mut more = [0; 4];
                match upgraded.io.read(&mut more).await {
                    Ok(n @ 1..) => bytes.extend_from_slice(&more[..n]),
                    _ => return,
                }
            }
            bytes.reverse();
            let _ = upgraded.io.write_all(&bytes).await;
            let _ = upgraded.io.shutdown().await;
        };
        Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, then)
            .with_header("upgrade", "echo")
            .with_header("x-kept", "1")
    });
    mux.handle("/", mirror);
    let dialer = proxy(upstream(mux), "");
    let mut client = connect(&dialer);
    let head = "HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
    client.write_all(format!("GET /echo {head}ab").as_bytes()).await.expect("the pipe holds it");
    client.write_all(b"cd").await.expect("the pipe holds it");
    let mut reply = String::new();
    timeout(BOUND, client.read_to_string(&mut reply)).await.expect("in time").expect("the reply");
    assert!(reply.starts_with("HTTP/1.1 101 ") && reply.to_lowercase().contains("upgrade: echo"), "{reply}");
    assert!(reply.to_lowercase().contains("x-kept: 1") && reply.ends_with("\r\n\r\ndcba"), "{reply}");

    // The server does not change: an ordinary reply.
    let reply =
        ask(&dialer, &format!("GET / {}", head.replace("Connection: Upgrade", "Connection: Upgrade, close"))).await;
    assert!(reply.starts_with("HTTP/1.1 200 ") && reply.contains("upgrade: echo\n"), "{reply}");
}

/// Frames of a client and of a server by `tokio-tungstenite`, with the proxy between them.
#[tokio::test]
async fn a_websocket_passes_through() {
    let mux = ServeMux::new();
    mux.handle("/echo", async |request: Request| {
        let accept = derive_accept_key(request.header_bytes("sec-websocket-key").expect("the key passes"));
        let then = async |Upgraded { io, leftover, .. }: Upgraded| {
            let mut socket = WebSocketStream::from_partially_read(io, leftover, Role::Server, None).await;
            while let Some(Ok(message)) = socket.next().await {
                if message.is_text() {
                    socket.send(message).await.expect("the client reads");
                }
            }
        };
        let reply = Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, then).with_header("upgrade", "websocket");
        reply.with_header("sec-websocket-accept", accept)
    });
    let dialer = proxy(upstream(mux), "");
    let (mut socket, reply) =
        tokio_tungstenite::client_async("ws://a.example/echo", connect(&dialer)).await.expect("a handshake");
    assert_eq!(reply.status().as_u16(), 101);
    for text in ["one", "two"] {
        socket.send(Message::text(text)).await.expect("it is sent");
        let echo = timeout(BOUND, socket.next()).await.expect("in time").expect("a message").expect("no error");
        assert_eq!(echo.to_text().expect("text"), text);
    }
    socket.close(None).await.expect("a close frame");
    while let Some(Ok(_)) = timeout(BOUND, socket.next()).await.expect("the server closes, too") {}
}

/// A server that answers each connection with these bytes once it has read a head, and then closes, or waits for ever.
async fn raw(reply: &'static str, closes: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(reply.as_bytes()).await;
                if !closes {
                    pending::<()>().await;
                }
            });
        }
    });
    addr
}

#[tokio::test]
async fn a_server_that_is_gone_is_a_502_and_a_silent_one_a_504() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("an address");
    for (addr, status) in [
        (closed, "502"),
        (raw("", true).await, "502"),
        (raw("garbage\r\n\r\n", true).await, "502"),
        // Nobody asked for another protocol.
        (raw("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", false).await, "502"),
    ] {
        let reply = ask(&proxy(addr, ""), &get("/", "")).await;
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{reply}");
    }
    let silent = raw("", false).await;
    let proxy = Proxy::new(silent.to_string().parse().expect("an authority"), Duration::from_millis(50));
    let reply = ask(&serve(proxy), &get("/", "")).await;
    assert!(reply.starts_with("HTTP/1.1 504 "), "{reply}");
}

#[tokio::test]
async fn a_server_that_breaks_off_breaks_the_reply() {
    for (reply, end) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "abc"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "3\r\nabc\r\n"),
    ] {
        let dialer = proxy(raw(reply, true).await, "");
        let mut client = connect(&dialer);
        client.write_all(get("/", "").as_bytes()).await.expect("the pipe holds it");
        let mut seen = Vec::new();
        let _ = timeout(BOUND, client.read_to_end(&mut seen)).await.expect("the connection ends");
        let seen = String::from_utf8(seen).expect("text");
        // Neither the last chunk nor the rest of the length: the client sees that it is not the whole.
        assert!(seen.starts_with("HTTP/1.1 200 ") && (seen.ends_with(end) || seen.ends_with("\r\n\r\n")), "{seen}");
        assert!(!seen.ends_with("0\r\n\r\n"), "{seen}");
    }
}

#[tokio::test]
async fn a_reply_to_head_keeps_its_content_length() {
    let dialer = proxy(raw("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: \"a\"\r\n\r\n", true).await, "");
    let reply = ask(&dialer, &get("/", "").replacen("GET", "HEAD", 1)).await.to_lowercase();
    assert!(reply.contains("content-length: 1234\r\n") && reply.ends_with("\r\n\r\n"), "{reply}");
    // A reply that ends with its connection is whole.
    let dialer = proxy(raw("HTTP/1.1 200 OK\r\n\r\nto the end", true).await, "");
    let reply = ask(&dialer, &get("/", "")).await;
    assert!(reply.contains("to the end") && reply.ends_with("0\r\n\r\n"), "{reply}");
}

/// Tells when it is dropped.
struct TellsOfDrop(mpsc::Sender<&'static str>);

impl Drop for TellsOfDrop {
    fn drop(&mut self) {
        let _ = self.0.try_send("the reply broke");
    }
}

#[tokio::test]
async fn a_client_that_is_gone_is_told_to_the_server() {
    let (told, mut gone) = mpsc::channel(2);
    let began = std::sync::Arc::new(tokio::sync::Notify::new());
    let addr = {
        let began = began.clone();
        upstream(move |request: Request| {
            let (told, began) = (told.clone(), began.clone());
            async move {
                began.notify_one();
                if request.path() == "/streamed" {
                    // Either a write fails, or the whole body is dropped.
                    let dropped = TellsOfDrop(told);
                    let body = Body::writer(async move |mut w| {
                        let _dropped = dropped;
                        loop {
                            w.write("more ".repeat(1000)).await?;
                            w.flush().await?;
                        }
                    });
                    return Response::new(body);
                }
                request.disconnected().await;
                let _ = told.send("disconnected").await;
                Response::new("late")
            }
        })
    };
    let dialer = proxy(addr, "");
    for (path, expected) in [("/waits", "disconnected"), ("/streamed", "the reply broke")] {
        let (mut client, reset) = dialer.connect(1000);
        client.write_all(get(path, "").as_bytes()).await.expect("the pipe holds it");
        timeout(BOUND, began.notified()).await.expect("the request arrives");
        reset.reset();
        drop(client);
        assert_eq!(timeout(BOUND, gone.recv()).await.expect(path), Some(expected));
    }
}

#[tokio::test]
async fn a_malformed_body_is_a_400_and_a_loop_a_508() {
    let dialer = proxy(upstream(mirror), "");
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let reply = ask(&dialer, &format!("{head}3\r\nabcXX")).await;
    assert!(reply.starts_with("HTTP/1.1 400 "), "{reply}");
    let reply = ask(&dialer, &get("/", "Via: 1.0 a, 1.1 quintet-proxy\r\n")).await;
    assert!(reply.starts_with("HTTP/1.1 508 "), "{reply}");
    let reply = ask(&dialer, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nConnection: close\r\n\r\n").await;
    assert!(reply.starts_with("HTTP/1.1 405 "), "{reply}");
}

#[tokio::test]
async fn requests_of_one_client_above_the_rate_are_answered_429() {
    let quota =
        Quota::with_period(Duration::from_secs(3600)).expect("not zero").allow_burst(2.try_into().expect("not zero"));
    let limited = rate_limit(quota, async |_: Request| "served");
    let dialer = serve(in_front(limited, "unix".parse().expect("networks")));
    for (client, status) in [
        ("192.0.2.1", 200),
        ("192.0.2.1", 200),
        ("192.0.2.1", 429),
        ("192.0.2.2", 200),
        // Of the same 64 bits.
        ("2001:db8::1", 200),
        ("2001:db8::2", 200),
        ("2001:db8::3", 429),
        ("2001:db8:0:1::1", 200),
        // What a client writes before the address that the proxy wrote is nothing.
        ("192.0.2.7, 192.0.2.1", 429),
    ] {
        let reply = ask(&dialer, &get("/", &format!("X-Forwarded-For: {client}\r\n"))).await;
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{client}: {reply}");
        let seconds = reply.lines().find_map(|line| line.strip_prefix("Retry-After: "));
        let seconds: Option<u64> = seconds.map(|text| text.parse().expect("a number"));
        assert_eq!(seconds.is_some_and(|n| (1..=3600).contains(&n)), status == 429, "{reply}");
    }
}
