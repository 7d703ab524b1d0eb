//! The test kit itself: its servers in memory, and its clients over each protocol. Time is paused.

#![cfg(feature = "httptest")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use quintet_server::{
    Body, Config, IntoResponse, Request, Response, ServeMux, SetCookie, StatusCode,
    httptest::{SendError, TestClient, TestServer, TestServerOptions},
    mux::{Event, Upgraded, events},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep},
};

const SECOND: Duration = Duration::from_secs(1);

/// Says what it was sent.
async fn echo(mut request: Request) -> Response {
    let (method, target) = (request.method().to_owned(), request.target().raw().to_owned());
    let mut fields: Vec<_> = request.headers().filter(|(name, _)| name.starts_with("x-")).collect();
    fields.sort_unstable();
    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", value.escape_ascii())).collect();
    let (fields, host) = (fields.join(","), request.host().unwrap_or_default().to_owned());
    let body = match request.to_bytes(1 << 20).await {
        Ok(body) => body,
        Err(error) => return error.into_response(),
    };
    let sum =
        request.trailers().and_then(|trailers| trailers.get("x-sum")).map(|sum| sum.to_str().expect("text").to_owned());
    Response::new(format!("{method} {host} {target} [{fields}] {} {sum:?}", body.escape_ascii()))
}

/// How a server is started, and a client of it made.
type Start = (&'static str, fn(ServeMux) -> TestServer<ServeMux>, fn(&TestServer<ServeMux>) -> TestClient);

/// Each protocol that the features of this run have.
const PROTOCOLS: &[Start] = &[
    ("HTTP/1.1", TestServer::start, TestServer::client),
    #[cfg(feature = "http2")]
    ("HTTP/2", TestServer::start, TestServer::http2_client),
    #[cfg(feature = "ring")]
    ("HTTP/1.1 over TLS", TestServer::start_tls, TestServer::client),
    #[cfg(all(feature = "ring", feature = "http2"))]
    ("HTTP/2 over TLS", TestServer::start_tls, TestServer::http2_client),
];

/// A server and a client of it for each protocol, one after another.
fn each_protocol(mux: fn() -> ServeMux) -> impl Iterator<Item = (&'static str, TestServer<ServeMux>, TestClient)> {
    PROTOCOLS.iter().map(move |(protocol, start, client)| {
        let server = start(mux());
        let client = client(&server);
        (*protocol, server, client)
    })
}

fn app() -> ServeMux {
    let mux = ServeMux::new();
    mux.handle("/", echo);
    mux.handle("/hints", async |request: Request| {
        request.inform(StatusCode::EARLY_HINTS, [("link", "</a.css>")]).expect("a hint");
        "page"
    });
    mux.handle("/pieces", async |_: Request| {
        Response::new(Body::writer(async |mut w| {
            for piece in ["one ", "two ", "three"] {
                w.write(piece).await?;
                w.flush().await?;
                sleep(SECOND).await;
            }
            Ok(())
        }))
    });
    mux.handle("/large", async |_: Request| vec![b'x'; 1 << 20]);
    mux.handle("/empty", async |_: Request| StatusCode::NO_CONTENT);
    mux.handle("/unread", async |_: Request| StatusCode::PAYLOAD_TOO_LARGE);
    mux.handle("/abort", async |_: Request| Response::abort());
    mux.handle("/slow", async |_: Request| sleep(3600 * SECOND).await);
    mux.handle("/protocol", async |request: Request| format!("{:?} {}", request.version(), request.tls().is_some()));
    mux
}

#[tokio::test(start_paused = true)]
async fn the_test_client_sends_each_method_and_body() {
    for (protocol, server, mut client) in each_protocol(app) {
        assert_eq!(client.get("/a?b").await.text(), "GET example.com /a?b []  None", "{protocol}");
        assert_eq!(client.post("/", "body").await.text(), "POST example.com / [] body None", "{protocol}");
        assert_eq!(client.put("/", vec![0, 1]).await.text(), "PUT example.com / [] \\x00\\x01 None", "{protocol}");
        assert_eq!(client.patch("/", "").await.text(), "PATCH example.com / []  None", "{protocol}");
        assert_eq!(client.delete("/").await.text(), "DELETE example.com / []  None", "{protocol}");
        let head = client.head("/").await;
        assert_eq!((head.status.as_u16(), head.text(), head.header("content-length").is_some()), (200, "", true));
        let reply = client.request("BREW", "/").header("x-a", "1").header("x-a", "2").chunks(["ab", "", "c"]);
        let reply = reply.trailer("x-sum", "7").send().await;
        assert_eq!(reply.text(), "BREW example.com / [x-a=1,x-a=2] abc Some(\"7\")", "{protocol}");
        let reply = client.request("POST", "/").form([("q", "a b&c"), ("\u{e9}", "*")]).send().await;
        assert_eq!(reply.text(), "POST example.com / [] q=a+b%26c&%C3%A9=* None", "{protocol}");
        client.set_header("x-b", "3");
        let reply = client.request("GET", "/").header("host", "www.example.com").send().await;
        assert_eq!(reply.text(), "GET www.example.com / [x-b=3]  None", "{protocol}");
        assert!(server.close().await.is_clean(), "{protocol}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_test_client_reads_each_kind_of_reply() {
    for (protocol, server, mut client) in each_protocol(app) {
        let reply = client.get("/hints").await;
        let interim: Vec<_> = reply.informational.iter().map(|(status, fields)| (*status, &fields["link"])).collect();
        assert_eq!((interim.len(), interim[0].0.as_u16(), reply.text()), (1, 103, "page"), "{protocol}");
        assert_eq!(client.get("/pieces").await.text(), "one two three", "{protocol}");
        assert_eq!(client.get("/large").await.body.len(), 1 << 20, "{protocol}");
        let reply = client.get("/empty").await;
        assert_eq!((reply.status, reply.headers.get("content-length")), (StatusCode::NO_CONTENT, None), "{protocol}");
        assert!(client.get("/").await.header("date").is_some(), "{protocol}");
        assert!(server.close().await.is_clean(), "{protocol}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_test_client_speaks_the_protocol_that_it_is_made_for() {
    for (protocol, _server, mut client) in each_protocol(app) {
        let version = if protocol.starts_with("HTTP/2") { "Http2" } else { "Http11" };
        let reply = client.get("/protocol").await;
        assert!(reply.text().starts_with(version), "{protocol}: {}", reply.text());
        assert_eq!(reply.text().ends_with("true"), protocol.ends_with("TLS"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_early_reply_to_a_large_body_is_read() {
    for (protocol, server, mut client) in each_protocol(app) {
        for _ in 0..2 {
            assert_eq!(client.post("/unread", vec![b'x'; 2 << 20]).await.status, 413, "{protocol}");
        }
        assert_eq!(client.post("/", vec![b'x'; 2 << 20]).await.status, 413, "{protocol}");
        assert!(server.close().await.is_clean(), "{protocol}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_without_a_reply_is_an_error_of_the_test_client() {
    for (protocol, _server, mut client) in each_protocol(app) {
        let error = client.request("GET", "/abort").try_send().await.unwrap_err();
        assert!(matches!(error, SendError::Closed | SendError::Http2(_)), "{protocol}: {error}");
        assert_eq!(client.get("/").await.status, 200, "{protocol}: a new connection");
        let since = Instant::now();
        let error = client.request("GET", "/slow").try_send().await.unwrap_err();
        assert!(matches!(error, SendError::TimedOut(limit) if limit == 60 * SECOND), "{protocol}: {error}");
        assert_eq!(since.elapsed().as_secs(), 60);
        client.set_timeout(7200 * SECOND);
        assert_eq!(client.get("/slow").await.status, 200, "{protocol}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_test_client_keeps_its_connection_alive() {
    for (protocol, server, mut client) in each_protocol(app) {
        for _ in 0..3 {
            client.get("/").await;
        }
        assert_eq!(server.server().health()[0].snapshot().accepted, 1, "{protocol}");
        client.request("GET", "/").header("x-a", "1").send().await;
        sleep(3600 * SECOND).await; // the server closes an idle connection
        assert_eq!(client.get("/").await.status, 200, "{protocol}");
        assert_eq!(server.server().health()[0].snapshot().accepted, 2, "{protocol}");
        assert!(server.close().await.is_clean(), "{protocol}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_test_client_keeps_cookies_if_it_is_told_to() {
    fn login() -> ServeMux {
        let mux = ServeMux::new();
        mux.handle("/", async |request: Request| {
            let cookies: Vec<_> = request.cookies().iter().map(|cookie| cookie.name.to_owned()).collect();
            cookies.join(" ")
        });
        mux.handle("/in", async |request: Request| {
            let cookie = SetCookie::new("id", "a3").path("/").http_only();
            let cookie = if request.tls().is_some() { cookie.secure() } else { cookie };
            Response::new(()).with_cookie(&cookie).with_cookie(&SetCookie::new("sub", "1").path("/sub"))
        });
        mux.handle("/out", async |_: Request| {
            Response::new(()).with_cookie(&SetCookie::new("id", "").path("/").max_age(Duration::ZERO))
        });
        mux
    }
    for (protocol, server, client) in each_protocol(login) {
        let mut client = client.with_cookies();
        assert_eq!(client.get("/").await.text(), "", "{protocol}");
        assert_eq!(client.get("/in").await.set_cookie("id").unwrap().value(), "a3");
        assert_eq!(client.get("/").await.text(), "id", "{protocol}");
        assert_eq!(client.get("/sub/x").await.text(), "sub id", "{protocol}");
        assert_eq!(client.request("GET", "/").header("cookie", "own=1").send().await.text(), "own", "{protocol}");
        client.get("/out").await;
        assert_eq!(client.get("/").await.text(), "", "{protocol}");
        let mut other = server.client();
        other.get("/in").await;
        assert_eq!(other.get("/").await.text(), "", "a client without cookies");
    }
}

fn endless() -> ServeMux {
    let mux = ServeMux::new();
    mux.handle("/events", async |_: Request| {
        events(async |mut out| {
            for n in 1.. {
                out.send(&Event::new(n.to_string())).await?;
                sleep(SECOND).await;
            }
            Ok(())
        })
    });
    mux.handle("/cut", async |_: Request| {
        Response::new(Body::writer(async |mut w| {
            w.write("part").await?;
            w.flush().await?;
            sleep(SECOND).await;
            Err(std::io::Error::other("cut"))
        }))
    });
    mux
}

#[tokio::test(start_paused = true)]
async fn a_body_without_end_is_read_piece_by_piece() {
    for (protocol, server, mut client) in each_protocol(endless) {
        let mut first = client.request("GET", "/events").open().await;
        assert_eq!(first.status, 200);
        assert_eq!(first.read_until("\n\n").await, "data: 1\n\n", "{protocol}");
        // Another one at the same time.
        let mut second = client.request("GET", "/events").open().await;
        assert_eq!(second.read_until("data: 2").await, "data: 1\n\ndata: 2", "{protocol}");
        assert_eq!(second.chunk().await.as_deref(), Some(&b"\n\n"[..]), "{protocol}: the rest of the piece");
        assert_eq!(first.read_until("2\n\n").await, "data: 2\n\n", "{protocol}");
        drop((first, second, client));
        let report = server.close().await;
        assert!(report.is_clean(), "{protocol}: {report:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_cut_is_an_error() {
    for (protocol, _server, mut client) in each_protocol(endless) {
        let error = client.request("GET", "/cut").try_send().await.unwrap_err();
        assert!(matches!(error, SendError::Reply(_) | SendError::Http2(_)), "{protocol}: {error}");
        let mut reply = client.request("GET", "/cut").open().await;
        assert_eq!(reply.chunk().await.as_deref(), Some(&b"part"[..]), "{protocol}");
        assert!(reply.try_chunk().await.is_err(), "{protocol}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_gives_the_connection_to_the_test() {
    let server = TestServer::start(async |_: Request| {
        let then = async |mut upgraded: Upgraded| {
            let mut bytes = [0; 4];
            upgraded.io.read_exact(&mut bytes).await.unwrap();
            upgraded.io.write_all(&bytes).await.unwrap();
        };
        Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, then).with_header("upgrade", "echo")
    });
    let mut client = server.client();
    let reply = client.request("GET", "/").header("connection", "upgrade").header("upgrade", "echo").open().await;
    let (mut io, early) = reply.into_upgraded();
    assert!(early.is_empty());
    io.write_all(b"ping").await.unwrap();
    let mut bytes = Vec::new();
    io.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes, b"ping");
    assert!(server.close().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn the_settings_of_a_test_server_are_used() {
    let config = Config { max_requests: 1, ..Config::default() };
    let peer_addr = "198.51.100.7:5000".parse().unwrap();
    let options = TestServerOptions { config, peer_addr, pipe_bytes: 64, ..TestServerOptions::default() };
    let server = TestServer::start_with(async |request: Request| request.peer_addr().unwrap().to_string(), options);
    assert_eq!(server.url(), "http://example.com");
    let reply = server.client().get("/").await;
    assert_eq!((reply.text(), reply.header("connection")), ("198.51.100.7:5000", Some("close")));
    #[cfg(feature = "http2")]
    {
        // The settings do not allow HTTP/2 without TLS.
        let error = server.http2_client().request("GET", "/").try_send().await.unwrap_err();
        assert!(matches!(error, SendError::Connect(_) | SendError::Http2(_)), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_raw_client_shows_the_bytes_of_the_wire() {
    let server = TestServer::start(app());
    let mut client = server.raw_client().await;
    client.send("GET /empty HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(client.reply().await.head.lines().next(), Some("HTTP/1.1 204 No Content"));
    let reply = client.reply().await;
    assert_eq!(
        (reply.status, reply.field("Content-Type"), reply.is_last()),
        (200, Some("text/plain; charset=utf-8"), true)
    );
    assert!(client.ends().await);
    assert!(server.close().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn close_tells_of_a_handler_that_does_not_end() {
    let server = TestServer::start(app());
    let mut client = server.raw_client().await;
    client.get("/slow").await;
    sleep(SECOND).await;
    let since = Instant::now();
    let report = server.close().await;
    assert_eq!((report.aborted, report.connections_left, report.tasks_left), (1, 0, 0));
    assert!(!report.is_clean());
    assert!(since.elapsed() < 7 * SECOND, "{:?}", since.elapsed());
    assert!(client.ends().await);
}

#[tokio::test(start_paused = true)]
async fn close_tells_of_tasks_that_a_handler_left() {
    let server = TestServer::start(async |_: Request| {
        tokio::spawn(std::future::pending::<()>());
        tokio::spawn(sleep(SECOND / 2));
    });
    let mut client = server.client();
    client.get("/").await;
    client.get("/").await;
    let since = Instant::now();
    let report = server.close().await;
    assert_eq!((report.aborted, report.connections_left, report.tasks_left), (0, 0, 2));
    assert!(since.elapsed() < 3 * SECOND, "{:?}", since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_closed_test_server_is_left_by_its_clients() {
    for (protocol, server, mut client) in each_protocol(app) {
        client.get("/").await;
        assert!(server.close().await.is_clean(), "{protocol}: a client that is kept alive is not left");
        let error = client.request("GET", "/").try_send().await.unwrap_err();
        assert!(matches!(error, SendError::Connect(_)), "{protocol}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_test_server_aborts_its_connections() {
    /// Counts when it is dropped.
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&dropped);
    let server = TestServer::start(move |_: Request| {
        let dropped = Dropped(Arc::clone(&count));
        async move {
            let _dropped = dropped;
            std::future::pending::<()>().await;
        }
    });
    let mut client = server.raw_client().await;
    client.get("/").await;
    sleep(SECOND).await;
    drop(server);
    assert!(client.ends().await);
    assert_eq!(dropped.load(SeqCst), 1);
}

#[test]
fn a_test_server_may_be_dropped_after_its_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(async {
        let server = TestServer::start(app());
        server.client().get("/").await;
        server
    });
    drop(runtime);
    drop(server);
}

#[cfg(feature = "json")]
#[tokio::test(start_paused = true)]
async fn json_is_sent_and_read() {
    use quintet_server::mux::{HttpError, Json};
    fn sum() -> ServeMux {
        let mux = ServeMux::new();
        mux.handle("POST /sum", async |mut request: Request| -> Result<Json<u32>, HttpError> {
            Ok(Json(request.json::<Vec<u32>>(100).await?.iter().sum()))
        });
        mux
    }
    for (protocol, _server, mut client) in each_protocol(sum) {
        let reply = client.request("POST", "/sum").json(&[1, 2, 3]).send().await;
        assert_eq!(reply.json::<u32>(), 6, "{protocol}");
        assert_eq!(client.post("/sum", "[1]").await.status, 415, "{protocol}");
    }
}
