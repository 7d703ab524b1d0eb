//! Everything above the wire is the same on HTTP/1.1 and on HTTP/2: routes, middleware, the bridge to tower, trailers,
//! bodies, statuses and fields. One server answers the same requests on both, and the replies are compared.

#![cfg(all(feature = "http2", feature = "tower"))]

mod http2_kit;
mod support;

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http2_kit::{connect, read, send_all, start};
use quintet_mux::{CrossOriginProtection, max_bytes, redirect_handler, timeout};
use quintet_server::{
    Body, Handler, HandlerService, Html, IntoResponse, Request, Response, ServeMux, SetCookie, TowerHandler,
    strip_prefix, with_state,
};
use support::{Dial, bounded};
use tokio::time::sleep;

/// A request, for both protocols.
#[derive(Clone, Copy, Debug)]
struct Asked {
    method: &'static str,
    path: &'static str,
    fields: &'static [(&'static str, &'static str)],
    body: Option<&'static [u8]>,
}

/// A request without a body.
const fn get(path: &'static str) -> Asked {
    ask("GET", path, &[], None)
}

const fn ask(
    method: &'static str,
    path: &'static str,
    fields: &'static [(&'static str, &'static str)],
    body: Option<&'static [u8]>,
) -> Asked {
    Asked { method, path, fields, body }
}

/// The parts of a reply that both protocols have.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: u16,
    /// The values of each field, in order.
    fields: BTreeMap<String, Vec<String>>,
    body: String,
    trailers: BTreeMap<String, Vec<String>>,
}

/// Fields by their names; those of a connection of HTTP/1.1 are left out, and the time of `Date`.
fn by_name<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, Vec<String>> {
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in fields {
        let name = name.to_ascii_lowercase();
        let value = match &*name {
            "connection" | "keep-alive" | "transfer-encoding" | "upgrade" => continue,
            "date" if value.len() == 29 && value.ends_with(" GMT") => "a date",
            _ => value,
        };
        seen.entry(name).or_default().push(value.to_owned());
    }
    seen
}

async fn on_http1(dial: &Dial, asked: &Asked) -> Seen {
    let mut client = dial.connect();
    let mut head = format!("{} {} HTTP/1.1\r\nHost: a.example\r\n", asked.method, asked.path);
    for (name, value) in asked.fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(body) = asked.body {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    client.send(head + "\r\n").await;
    if let Some(body) = asked.body {
        let _ = client.try_send(body).await;
    }
    let mut reply = client.try_reply_to(asked.method).await.expect("a whole reply");
    while reply.status < 200 {
        reply = client.try_reply_to(asked.method).await.expect("a whole reply");
    }
    let lines = |text: &str| {
        let pairs: Vec<(String, String)> = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        by_name(pairs.iter().map(|(name, value)| (&**name, &**value)))
    };
    Seen {
        status: reply.status,
        fields: lines(reply.head.split_once("\r\n").map_or("", |(_, fields)| fields)),
        body: reply.text().to_owned(),
        trailers: lines(&reply.trailers),
    }
}

async fn on_http2(dial: &Dial, asked: &Asked) -> Seen {
    let mut client = connect(dial).await;
    let uri = if asked.path == "*" { "*".to_owned() } else { format!("http://a.example{}", asked.path) };
    let mut request = http::Request::builder().method(asked.method).uri(uri);
    if asked.path == "*" {
        request = request.header("host", "a.example");
    }
    for (name, value) in asked.fields {
        request = request.header(*name, *value);
    }
    if let Some(body) = asked.body {
        request = request.header("content-length", body.len());
    }
    let (reply, stream) = client.open(request.body(()).expect("a request"), asked.body.is_none()).await;
    if let Some(body) = asked.body {
        tokio::spawn(send_all(stream, Bytes::from_static(body)));
    }
    let reply = read(reply).await.expect("a whole reply");
    let fields =
        |map: &HeaderMap| by_name(map.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("text"))));
    Seen {
        status: reply.status.as_u16(),
        fields: fields(&reply.fields),
        body: reply.text().to_owned(),
        trailers: reply.trailers.as_ref().map(fields).unwrap_or_default(),
    }
}

/// Asks both ways, and returns what is the same.
async fn same(dial: &Dial, asked: &Asked) -> Seen {
    let (one, other) = (on_http1(dial, asked).await, on_http2(dial, asked).await);
    assert_eq!(one, other, "{asked:?}");
    assert_eq!(one.fields.get("date").map(Vec::len), Some(1), "{asked:?}");
    one
}

/// Asks both ways for each request, and compares status and body with what is expected.
async fn each_is_the_same<H: Handler>(handler: H, rows: &[(Asked, u16, &str)]) {
    let (_server, dial) = start(handler);
    for (asked, status, body) in rows {
        let seen = same(&dial, asked).await;
        assert_eq!((seen.status, &*seen.body), (*status, *body), "{asked:?}");
    }
}

async fn values(request: Request) -> String {
    let named = |name| request.path_value(name).map(|value| value.into_owned());
    format!("{} {:?} {:?} {:?}", request.pattern(), named("id"), named("rest"), request.query())
}

#[tokio::test(start_paused = true)]
async fn routes_are_the_same_on_both_protocols() {
    bounded(async {
        let mux = ServeMux::new();
        mux.handle("GET /users/{id}", values);
        mux.handle("/files/{rest...}", values);
        mux.handle("a.example/host", async |request: Request| format!("{:?}", request.host()));
        mux.handle("b.example/other", async |_| "never");
        mux.handle("/{$}", async |_| "root");
        each_is_the_same(
            mux,
            &[
                (get("/"), 200, "root"),
                (get("/users/7?a=1&b=%20"), 200, "GET /users/{id} Some(\"7\") None Some(\"a=1&b=%20\")"),
                (get("/users/%C3%A9"), 200, "GET /users/{id} Some(\"\u{e9}\") None None"),
                (ask("HEAD", "/users/7", &[], None), 200, ""),
                (ask("DELETE", "/users/7", &[], None), 405, "Method Not Allowed\n"),
                (get("/files/a/b%2Fc"), 200, "/files/{rest...} None Some(\"a/b/c\") None"),
                (get("/files"), 307, "<a href=\"/files/\">Temporary Redirect</a>.\n\n"),
                (get("/x/../users/7"), 307, "<a href=\"/users/7\">Temporary Redirect</a>.\n\n"),
                (get("/host"), 200, "Some(\"a.example\")"),
                (get("/other"), 404, "404 page not found\n"),
                (ask("OPTIONS", "*", &[], None), 200, ""),
                (ask("PURGE", "/users/7", &[], None), 405, "Method Not Allowed\n"),
            ],
        )
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn statuses_and_sniffing_are_the_same_on_both_protocols() {
    /// A reply of this status, whose body, if it may have one, is sniffed.
    async fn status(request: Request) -> Response {
        let status = request.path_value("status").and_then(|status| StatusCode::from_bytes(status.as_bytes()).ok());
        Response::new("<html>").with_status(status.unwrap_or(StatusCode::BAD_REQUEST)).with_header("etag", "\"x\"")
    }
    fn pieces(pieces: &'static [&'static str]) -> Response {
        Response::new(Body::writer(move |mut w| async move {
            for piece in pieces {
                sleep(Duration::from_millis(10)).await;
                w.write(piece).await?;
                w.flush().await?;
            }
            Ok(())
        }))
    }
    bounded(async {
        let mux = ServeMux::new();
        mux.handle("/status/{status}", status);
        mux.handle("/text", async |_| "text");
        mux.handle("/html", async |_| Html("<p>"));
        mux.handle("/bytes", async |_| Response::new(&b"\x89PNG\r\n\x1a\n"[..8]).with_content_type("image/png"));
        mux.handle("/unsaid", async |_| Response::new("<html>").without_content_type());
        mux.handle("/encoded", async |_| Response::new("<html>").with_header("content-encoding", "x"));
        mux.handle("/pieces", async |_| pieces(&["<html>", "", "a"]));
        mux.handle("/none", async |_| pieces(&[]));
        mux.handle("/said", async |_| pieces(&["abc", "def"]).with_header("content-length", "6"));
        mux.handle("/dated", async |_| Response::new(()).with_header("date", "Sun, 06 Nov 1994 08:49:37 GMT"));
        mux.handle("/hop", async |_| Response::new("a").with_header("keep-alive", "9").with_header("x-a", "1"));
        mux.handle("/cookies", async |_| {
            Response::new(()).with_cookie(&SetCookie::new("a", "1")).with_cookie(&SetCookie::new("b", "2"))
        });
        let (_server, dial) = start(mux);
        for path in [
            "/status/200",
            "/status/201",
            "/status/204",
            "/status/205",
            "/status/304",
            "/status/404",
            "/status/500",
            "/status/599",
            "/text",
            "/html",
            "/unsaid",
            "/encoded",
            "/pieces",
            "/none",
            "/said",
            "/dated",
            "/hop",
            "/cookies",
        ] {
            for method in ["GET", "HEAD", "POST"] {
                let seen = same(&dial, &ask(method, path, &[], (method == "POST").then_some(b""))).await;
                let has_body = method != "HEAD" && !matches!(seen.status, 204 | 205 | 304);
                assert!(has_body || seen.body.is_empty(), "{method} {path}: {seen:?}");
            }
        }
        let seen = same(&dial, &get("/pieces")).await;
        assert_eq!((&*seen.fields["content-type"][0], &*seen.body), ("text/html; charset=utf-8", "<html>a"));
        assert!(!seen.fields.contains_key("content-length"));
        assert_eq!(same(&dial, &get("/said")).await.fields["content-length"], ["6"]);
        assert_eq!(same(&dial, &ask("HEAD", "/text", &[], None)).await.fields["content-length"], ["4"]);
        assert_eq!(same(&dial, &get("/cookies")).await.fields["set-cookie"], ["a=1", "b=2"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn middleware_is_the_same_on_both_protocols() {
    async fn read(mut request: Request) -> Response {
        match request.to_bytes(1 << 20).await {
            Ok(body) => Response::new(format!("{} bytes of {}", body.len(), request.path())),
            Err(error) => (error.status(), error.to_string()).into_response(),
        }
    }
    bounded(async {
        let mux = ServeMux::new();
        mux.handle("/prefix/", strip_prefix("/prefix", read));
        mux.handle("/limited", max_bytes(5, read));
        mux.handle(
            "/late",
            timeout(
                async |_: Request| {
                    sleep(Duration::from_secs(9)).await;
                    "late"
                },
                Duration::from_secs(1),
                "too late\n",
            ),
        );
        mux.handle("/moved", redirect_handler("/there?q", StatusCode::FOUND));
        mux.handle("/safe", CrossOriginProtection::new(quintet_mux::CrossOrigin::new()).handler(read));
        mux.handle("/state", with_state(7_u32, async |seven: u32, _: Request| format!("{seven}")));
        each_is_the_same(
            mux,
            &[
                (ask("POST", "/prefix/a", &[], Some(b"abc")), 200, "3 bytes of /a"),
                (ask("POST", "/limited", &[], Some(b"12345")), 200, "5 bytes of /limited"),
                (ask("POST", "/limited", &[], Some(b"123456")), 413, "the body is larger than 5 bytes"),
                (get("/late"), 503, "too late\n"),
                (get("/moved"), 302, "<a href=\"/there?q\">Found</a>.\n\n"),
                (ask("POST", "/safe", &[("sec-fetch-site", "same-origin")], Some(b"a")), 200, "1 bytes of /safe"),
                (
                    ask("POST", "/safe", &[("sec-fetch-site", "cross-site")], Some(b"a")),
                    403,
                    "cross-origin request detected from Sec-Fetch-Site header\n",
                ),
                (get("/state"), 200, "7"),
            ],
        )
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_handlers_read_is_the_same_on_both_protocols() {
    bounded(async {
        let mux = ServeMux::new();
        mux.handle("/fields", async |request: Request| {
            let fields: Vec<_> = request
                .headers()
                .map(|(name, value)| (name.to_ascii_lowercase(), value.escape_ascii().to_string()))
                .collect();
            format!("{:?} {fields:?}", request.header("X-A"))
        });
        mux.handle("/cookies", async |request: Request| {
            request.cookies().iter().map(|cookie| format!("{}={};", cookie.name, cookie.value)).collect::<String>()
        });
        mux.handle("/form", async |mut request: Request| {
            request.form_value("a").await.map_or_else(|| "none".to_owned(), |value| value.to_string())
        });
        mux.handle("/auth", async |request: Request| {
            request.basic_auth().map_or_else(|| "none".to_owned(), |auth| format!("{auth:?}").len().to_string())
        });
        mux.handle("/expects", async |mut request: Request| request.to_bytes(10).await.unwrap_or_default());
        each_is_the_same(
            mux,
            &[
                (
                    ask("GET", "/fields", &[("x-a", "1"), ("x-a", "2")], None),
                    200,
                    "Some(\"1\") [(\"host\", \"a.example\"), (\"x-a\", \"1\"), (\"x-a\", \"2\")]",
                ),
                (ask("GET", "/cookies", &[("cookie", "a=1; b=2")], None), 200, "a=1;b=2;"),
                (
                    ask(
                        "POST",
                        "/form?a=q",
                        &[("content-type", "application/x-www-form-urlencoded")],
                        Some(b"a=%20body&b=2"),
                    ),
                    200,
                    " body",
                ),
                (ask("POST", "/expects", &[("expect", "100-continue")], Some(b"later")), 200, "later"),
            ],
        )
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn trailers_are_the_same_on_both_protocols() {
    bounded(async {
        let mux = ServeMux::new();
        mux.handle("/trailers", async |_| {
            Response::new(Body::writer(|mut w| async move {
                w.write("body").await?;
                w.trailers(HeaderMap::from_iter([
                    (HeaderName::from_static("x-sum"), HeaderValue::from_static("7")),
                    (header::CONTENT_LENGTH, HeaderValue::from_static("4")),
                ]));
                Ok(())
            }))
        });
        let (_server, dial) = start(mux);
        let seen = same(&dial, &get("/trailers")).await;
        assert_eq!((&*seen.body, seen.trailers.len(), &*seen.trailers["x-sum"][0]), ("body", 1, "7"));
        assert!(same(&dial, &ask("HEAD", "/trailers", &[], None)).await.trailers.is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_breaks_is_the_same_on_both_protocols() {
    bounded(async {
        let mux = ServeMux::new();
        mux.handle("/panic", async |_| -> Response { panic!("as asked") });
        mux.handle("/field", async |_| Response::new("a").with_header("a b", "c"));
        mux.handle("/1xx", async |_| Response::new("a").with_status(StatusCode::EARLY_HINTS));
        mux.handle("/first", async |_| {
            Response::new(Body::writer(|_| async { Err(std::io::Error::other("before a byte")) }))
        });
        let internal = "500 Internal Server Error\n";
        each_is_the_same(
            mux,
            &[
                (get("/panic"), 500, internal),
                (get("/field"), 500, internal),
                (get("/1xx"), 500, internal),
                (get("/first"), 500, "the body could not be made\n"),
            ],
        )
        .await;
    })
    .await;
}

/// An axum router inside the server, and a handler of ours inside that.
#[tokio::test(start_paused = true)]
async fn the_tower_bridge_is_the_same_on_both_protocols() {
    use axum::{Router, extract::Path, routing};
    bounded(async {
        let inner = async |request: Request| format!("{} {}", request.method(), request.path());
        let router = Router::new()
            .route("/hello/{name}", routing::get(async |Path(name): Path<String>| format!("hello {name}")))
            .route("/echo", routing::post(async |body: Bytes| body))
            .route("/status", routing::get(async || StatusCode::NO_CONTENT))
            .route("/error", routing::get(async || (StatusCode::CONFLICT, [("x-why", "asked")], "conflict")))
            .route(
                "/seen",
                routing::any(async |method: Method, headers: HeaderMap| {
                    format!("{method} {:?} {:?}", headers.get("x-a"), headers.get("host"))
                }),
            )
            .route_service("/inner", HandlerService::new(inner));
        each_is_the_same(
            TowerHandler(router),
            &[
                (get("/hello/ann"), 200, "hello ann"),
                (ask("POST", "/echo", &[], Some(b"there and back")), 200, "there and back"),
                (get("/status"), 204, ""),
                (get("/error"), 409, "conflict"),
                (ask("PUT", "/seen", &[("x-a", "1")], None), 200, "PUT Some(\"1\") Some(\"a.example\")"),
                (ask("DELETE", "/inner", &[], None), 200, "DELETE /inner"),
                (get("/none"), 404, ""),
                (ask("PUT", "/echo", &[], None), 405, ""),
            ],
        )
        .await;
    })
    .await;
}

/// The service of a request whose client resets its stream is dropped, and that of the next one is not.
#[tokio::test(start_paused = true)]
async fn a_tower_service_is_dropped_when_its_stream_is_reset() {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    };
    struct Call(Arc<AtomicU32>);
    impl Drop for Call {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }
    bounded(async {
        let (begun, ended) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let calls = (Arc::clone(&begun), Arc::clone(&ended));
        let slow = async move || {
            calls.0.fetch_add(1, Relaxed);
            let _call = Call(calls.1.clone());
            sleep(Duration::from_secs(20)).await;
            "done"
        };
        let (_server, dial) = start(TowerHandler(axum::Router::new().route("/", axum::routing::get(slow))));
        let mut client = connect(&dial).await;
        let (first, mut stream) = client.open(http2_kit::request("GET", "/"), true).await;
        let (second, _) = client.open(http2_kit::request("GET", "/"), true).await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!((begun.load(Relaxed), ended.load(Relaxed)), (2, 0));
        stream.send_reset(h2::Reason::CANCEL);
        drop(first);
        sleep(Duration::from_secs(1)).await;
        assert_eq!((begun.load(Relaxed), ended.load(Relaxed)), (2, 1));
        assert_eq!(read(second).await.expect("a reply").text(), "done");
    })
    .await;
}

/// A body that has ended before its head is sent ends the stream with its head: clients of gRPC read an error there.
#[tokio::test(start_paused = true)]
async fn a_streamed_body_without_a_frame_is_the_end_of_its_head() {
    bounded(async {
        let mux = ServeMux::new();
        mux.handle("/none", async |_| Response::new(Body::writer(|_| async { Ok(()) })).with_content_type("a/b"));
        mux.handle("/short", async |_| {
            Response::new(Body::writer(|_| async { Ok(()) }))
                .with_content_type("a/b")
                .with_header("content-length", "1")
        });
        let (_server, dial) = start(mux);
        let mut client = connect(&dial).await;
        let (reply, _) = client.open(http2_kit::request("GET", "/none"), true).await;
        let reply = reply.await.expect("a reply");
        assert!(reply.body().is_end_stream() && !reply.headers().contains_key("content-length"), "{reply:?}");
        // Fewer bytes than announced are no whole body.
        let (reply, _) = client.open(http2_kit::request("GET", "/short"), true).await;
        assert!(read(reply).await.is_err());
    })
    .await;
}
