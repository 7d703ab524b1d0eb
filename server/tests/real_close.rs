//! How a connection ends on real sockets, as the client's system sees it: in order (FIN), or with a reset.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use quintet_server::{Body, Config, Request, Response, ServeMux, Server, ShutdownReport, StatusCode, mux::Upgraded};
use socket2::{Domain, Socket, Type};
use support::{eventually, on_loopback};
use tokio::{io::AsyncWriteExt, time::sleep};

const REPLY_BYTES: usize = 20 << 20;

fn mux() -> ServeMux {
    let mux = ServeMux::new();
    mux.handle("/large", async |mut request: Request| {
        let _ = request.to_bytes(u64::MAX).await;
        Response::new(vec![b'x'; REPLY_BYTES]).with_content_type("application/octet-stream")
    });
    mux.handle("/fails", async |_: Request| {
        let body = Body::writer(|mut w| async move {
            w.write("partial\n").await?;
            w.flush().await?;
            sleep(Duration::from_millis(20)).await;
            Err(std::io::Error::other("the disk failed"))
        });
        Response::new(body).with_content_type("text/plain")
    });
    mux.handle("/panics", async |_: Request| {
        let body = Body::writer(|mut w| async move {
            w.write("partial\n").await?;
            w.flush().await?;
            sleep(Duration::from_millis(20)).await;
            panic!("in the middle of a body");
        });
        Response::new(body).with_content_type("text/plain")
    });
    mux.handle("/whole", async |_: Request| {
        let body = Body::writer(|mut w| async move {
            w.write("all\n").await?;
            w.flush().await?;
            sleep(Duration::from_millis(20)).await;
            w.write("of it\n").await
        });
        Response::new(body).with_content_type("text/plain")
    });
    mux
}

/// The end of a connection, as its client sees it.
#[derive(Debug, PartialEq, Eq)]
enum End {
    InOrder,
    Reset,
}

/// A client with a small receive buffer.
fn connect(addr: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.connect(&addr.parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Reads to the end, with this pause between two reads.
fn read(client: &mut TcpStream, pause: Duration) -> (Vec<u8>, End) {
    let (mut all, mut buffer) = (Vec::new(), vec![0; 256 * 1024]);
    loop {
        match client.read(&mut buffer) {
            Ok(0) => return (all, End::InOrder),
            Ok(n) => all.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return (all, End::Reset),
            Err(error) => panic!("{error} after {} bytes", all.len()),
        }
        thread::sleep(pause);
    }
}

/// Sends the parts with a pause after each, and reads to the end.
async fn ask(addr: &str, parts: &[&[u8]]) -> (Vec<u8>, End) {
    let (addr, parts) = (addr.to_owned(), parts.iter().map(|part| part.to_vec()).collect::<Vec<_>>());
    tokio::task::spawn_blocking(move || {
        let mut client = connect(&addr);
        for part in parts {
            client.write_all(&part).unwrap();
            thread::sleep(Duration::from_millis(50));
        }
        thread::sleep(Duration::from_millis(100));
        read(&mut client, Duration::from_millis(2))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_close_delimited_body_that_breaks_ends_with_a_reset() {
    let (addr, _) = on_loopback(&Server::new(mux()));
    for path in ["/fails", "/panics"] {
        let (_, end) = ask(&addr, &[format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()]).await;
        assert_eq!(end, End::Reset, "{path}: its end would be taken for the body's");
    }
    let (reply, end) = ask(&addr, &[b"GET /whole HTTP/1.0\r\n\r\n"]).await;
    assert!(reply.ends_with(b"\r\n\r\nall\nof it\n"), "{}", String::from_utf8_lossy(&reply));
    assert_eq!(end, End::InOrder);
}

#[tokio::test]
async fn a_chunked_body_that_breaks_ends_without_a_last_chunk() {
    let (addr, _) = on_loopback(&Server::new(mux()));
    for path in ["/fails", "/panics"] {
        let (reply, end) = ask(&addr, &[format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()]).await;
        assert!(reply.ends_with(b"8\r\npartial\n\r\n"), "{}", String::from_utf8_lossy(&reply));
        assert_eq!(end, End::InOrder);
    }
}

/// An empty line after a body (old clients send it), or another request, that the server has not read when it closes.
#[tokio::test]
async fn a_lingering_close_saves_the_last_reply_from_a_reset() {
    let limits =
        [(1, "HTTP/1.1\r\nHost: a"), (u64::MAX, "HTTP/1.0"), (u64::MAX, "HTTP/1.1\r\nHost: a\r\nConnection: close")];
    for (max_requests, version) in limits {
        let (addr, _) = on_loopback(&Server::with_config(mux(), Config { max_requests, ..Config::default() }));
        for behind in ["\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "x"] {
            let head = format!("POST /large {version}\r\nContent-Length: 20000\r\n\r\n");
            let (reply, end) = ask(&addr, &[head.as_bytes(), &[b'x'; 20_000], behind.as_bytes()]).await;
            assert!(reply.len() > REPLY_BYTES, "{} bytes, {version:?}, {behind:?}", reply.len());
            assert_eq!(end, End::InOrder, "{version:?}, {behind:?}");
        }
    }
}

/// The same at a shutdown, which makes the reply that is being sent the last one of its connection.
#[tokio::test]
async fn a_lingering_close_saves_the_reply_at_a_shutdown() {
    let server = Server::new(mux());
    let (addr, _) = on_loopback(&server);
    let asked = ask(&addr, &[b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n", b"", b"\r\n"]);
    let stopped = async {
        eventually("the request is read", || server.counts().active == 1).await;
        server.shutdown(Duration::from_secs(20)).await
    };
    let ((reply, end), report) = tokio::join!(asked, stopped);
    assert!(reply.len() > REPLY_BYTES, "{} bytes", reply.len());
    assert_eq!((end, report.aborted), (End::InOrder, 0));
}

/// A client that reads only after the grace period: its reply was sent whole, and is in the kernel.
#[tokio::test]
async fn a_whole_reply_is_not_reset_by_an_abort() {
    const WHOLE: usize = 110_000; // more than the client's kernel takes, and less than the server's
    for (connection, drained) in [("close", 1), ("keep-alive", 0)] {
        let answer = async |_: Request| Response::new(vec![b'x'; WHOLE]).with_content_type("application/octet-stream");
        let server = Server::new(answer);
        let (addr, _) = on_loopback(&server);
        let mut client = connect(&addr);
        client.write_all(format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\n\r\n").as_bytes()).unwrap();
        sleep(Duration::from_millis(300)).await;
        let report = server.shutdown(Duration::from_millis(100)).await;
        // A request may be on its way on an idle connection, so it counts as aborted.
        assert_eq!(report, ShutdownReport { drained, aborted: 1 - drained }, "{connection}");
        let reading = tokio::task::spawn_blocking(move || read(&mut client, Duration::ZERO));
        let (reply, end) = reading.await.unwrap();
        assert!(reply.len() > WHOLE, "{connection}: {} bytes", reply.len());
        assert_eq!(end, End::InOrder, "{connection}");
    }
}

/// A takeover whose protocol ends with the connection, like a close-delimited body.
#[tokio::test]
async fn a_takeover_that_panics_or_is_aborted_ends_with_a_reset() {
    let mux = ServeMux::new();
    for (path, panics) in [("CONNECT /", true), ("CONNECT whole/", false)] {
        mux.handle(path, move |_: Request| async move {
            Response::upgrade(StatusCode::OK, move |mut upgraded: Upgraded| async move {
                upgraded.io.write_all(b"partial\n").await.unwrap();
                sleep(Duration::from_millis(100)).await;
                assert!(!panics, "in the middle of another protocol");
            })
        });
    }
    mux.handle("CONNECT waits/", async |_: Request| {
        Response::upgrade(StatusCode::OK, |mut upgraded: Upgraded| async move {
            upgraded.io.write_all(b"partial\n").await.unwrap();
            sleep(Duration::from_secs(60)).await;
        })
    });
    let mut config = Config::default();
    config.hooks.panicked = Some(std::sync::Arc::new(|_| {}));
    let server = Server::with_config(mux, config);
    let (addr, _) = on_loopback(&server);
    let connect = |host: &str| format!("CONNECT {host}:1 HTTP/1.1\r\nHost: {host}:1\r\n\r\n");
    assert_eq!(ask(&addr, &[connect("panics").as_bytes()]).await.1, End::Reset);
    assert_eq!(ask(&addr, &[connect("whole").as_bytes()]).await.1, End::InOrder);
    let waits = connect("waits");
    let parts: [&[u8]; 1] = [waits.as_bytes()];
    let cut = async {
        sleep(Duration::from_millis(100)).await;
        server.close().await
    };
    let ((_, end), _) = tokio::join!(ask(&addr, &parts), cut);
    assert_eq!(end, End::Reset);
}
