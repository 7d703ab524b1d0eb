//! Every status with every kind of body, to GET, HEAD and CONNECT, from handlers, hooks and the server itself. Checked
//! are the content, the fields about it, and that the next reply begins where it should. RFC 9110 §15.

mod support;

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::StatusCode;
use http_body::Frame;
use quintet_server::{Body, BodyError, Config, Handler, Hooks, Request, Response, ServeMux, Server, redirect};
use support::{Client, Dial, bounded, in_memory};
use tokio::io::DuplexStream;

/// The content of a reply.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Content {
    /// No content, and no length.
    Nothing,
    /// No content, with `Content-Length: 0`.
    Empty,
    /// Four bytes, in any framing.
    Four,
}

/// How a body is made.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Made {
    Nothing,
    Bytes,
    Html,
    /// In pieces, of unknown length.
    Pieces,
    /// In pieces of which the first are empty.
    EmptyFirst,
    /// In pieces, of a length that the handler sets.
    Said,
    /// As an error, at once.
    Broken,
}

const MADE: [Made; 7] =
    [Made::Nothing, Made::Bytes, Made::Html, Made::Pieces, Made::EmptyFirst, Made::Said, Made::Broken];

/// How its content type is set.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Typed {
    Sniffed,
    Known,
    Field,
    Encoded,
    /// By an `http::Response` without one.
    Unsaid,
    /// By `without_content_type`.
    Without,
}

const TYPED: [Typed; 6] = [Typed::Sniffed, Typed::Known, Typed::Field, Typed::Encoded, Typed::Unsaid, Typed::Without];

/// A body that yields these pieces one by one, and waits before each. It waits before the first only if the flag is not
/// set.
struct Pieces(VecDeque<Result<&'static str, BodyError>>, bool);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = BodyError;
    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.1 = !self.1;
        if self.1 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.0.pop_front().map(|piece| piece.map(|piece| Frame::data(piece.into()))))
    }
}

fn pieces(pieces: impl IntoIterator<Item = &'static str>) -> Body {
    Body::new(Pieces(pieces.into_iter().map(Ok).collect(), false))
}

fn response(status: u16, made: Made, typed: Typed) -> Response {
    let body = match made {
        Made::Nothing => Body::empty(),
        Made::Bytes => "four".into(),
        Made::Html => "<p>4".into(),
        Made::Pieces | Made::Said => pieces(["fo", "ur"]),
        Made::EmptyFirst => pieces(["", "", "<p>", "4"]),
        Made::Broken => Body::new(Pieces([Err(BodyError::TooLarge { limit: 1 })].into(), true)),
    };
    let status = StatusCode::from_u16(status).expect("a status");
    let response = match typed {
        Typed::Unsaid => http::Response::new(body).into(),
        _ => Response::new(body),
    };
    let response = match typed {
        Typed::Known => response.with_content_type("text/x-known"),
        Typed::Field => response.with_header("content-type", "text/x-field"),
        Typed::Encoded => response.with_header("content-encoding", "gzip"),
        Typed::Without => response.without_content_type(),
        Typed::Sniffed | Typed::Unsaid => response,
    };
    let response = if made == Made::Said { response.with_header("content-length", "4") } else { response };
    response.with_status(status).with_header("x-own", "1")
}

/// Serves `/STATUS/MADE/TYPED`, by number.
async fn answer(request: Request) -> Response {
    let mut numbers = request.path().split('/').filter_map(|part| part.parse::<u16>().ok());
    let mut next = || numbers.next().unwrap_or(0);
    response(next(), MADE[usize::from(next())], TYPED[usize::from(next())])
}

fn connect() -> (Dial, Client<DuplexStream>) {
    let (dial, _) = in_memory(&support::server(answer));
    let client = dial.connect();
    (dial, client)
}

/// Whether a reply with this final status has content, by RFC 9110 §15.
fn content(status: u16) -> Content {
    match status {
        204 | 304 => Content::Nothing,
        205 => Content::Empty,
        _ => Content::Four,
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (known, value) = line.split_once(": ")?;
        known.eq_ignore_ascii_case(name).then_some(value)
    })
}

#[tokio::test(start_paused = true)]
async fn every_status_has_the_content_that_rfc_9110_says() {
    bounded(async {
        let (dial, mut client) = connect();
        for status in (200..=599).chain([600, 999]) {
            for (number, made) in MADE.into_iter().enumerate().filter(|(_, made)| *made != Made::Broken) {
                let reply = client.fetch(&format!("/{status}/{number}/1")).await;
                let context = format!("{status} {made:?}: {reply:?}");
                assert_eq!((reply.status, reply.field("x-own")), (status, Some("1")), "{context}");
                let (length, coding) = match (content(status), made) {
                    (Content::Nothing, _) => (None, None),
                    (Content::Empty, _) | (Content::Four, Made::Nothing) => (Some("0"), None),
                    (Content::Four, Made::Pieces | Made::EmptyFirst) => (None, Some("chunked")),
                    (Content::Four, _) => (Some("4"), None),
                };
                assert_eq!(reply.field("content-length"), length, "{context}");
                assert_eq!(reply.field("transfer-encoding"), coding, "{context}");
                let described = content(status) == Content::Four;
                let four = described && made != Made::Nothing;
                assert_eq!(reply.body.len(), if four { 4 } else { 0 }, "{context}");
                assert_eq!(reply.field("content-type"), described.then_some("text/x-known"), "{context}");
            }
        }
        // Each reply ended where it should. So does this last one.
        assert_eq!(client.fetch("/200/1/1").await.text(), "four");
        drop(dial);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_not_final_is_500_from_a_handler() {
    bounded(async {
        let (dial, _) = connect();
        for status in 100..200 {
            for number in 0..MADE.len() {
                let mut client = dial.connect();
                let reply = client.fetch(&format!("/{status}/{number}/0")).await;
                assert_eq!((reply.status, reply.is_last()), (500, true), "{status}");
                assert_eq!(reply.field("x-own"), None, "{status}: nothing of it is left");
                assert!(client.ends().await, "{status}");
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_2xx_to_connect_has_no_length_and_any_other_has_one() {
    bounded(async {
        let server = support::server(async |request: Request| {
            let status = request.header("x-status").and_then(|status| status.parse().ok()).expect("a status");
            response(status, Made::Bytes, Typed::Known)
        });
        let (dial, _) = in_memory(&server);
        for status in 200..=599 {
            let mut client = dial.connect();
            client.send(format!("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nX-Status: {status}\r\n\r\n")).await;
            let (seen, head) = client.head().await.expect("a reply");
            assert_eq!((seen, field(&head, "transfer-encoding")), (status, None));
            let length = match content(status) {
                _ if status < 300 => None,
                Content::Nothing => None,
                Content::Empty => Some("0"),
                Content::Four => Some("4"),
            };
            assert_eq!(field(&head, "content-length"), length, "{head}");
            assert_eq!(field(&head, "connection"), (status >= 300).then_some("close"), "{head}");
            client.finish().await;
            client.rest().await;
        }
    })
    .await;
}

/// The lines of a head in order, without those about framing, and without the date (a second may have passed).
fn said(head: &str) -> Vec<&str> {
    let framing = ["content-length", "transfer-encoding", "date"];
    assert!(field(head, "date").is_some(), "{head}");
    head.lines().filter(|line| !framing.iter().any(|name| line.to_ascii_lowercase().starts_with(name))).collect()
}

async fn head_of(dial: &Dial, method: &str, target: &str, version: &str) -> String {
    let mut client = dial.connect();
    client.send(format!("{method} {target} HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
    let (_, head) = client.head().await.expect("a reply");
    let rest = client.rest().await;
    assert!(method != "HEAD" || rest.is_empty(), "{target}: a body behind a reply to HEAD: {rest:?}");
    head
}

/// Asserts that two heads have the same fields. Those about framing may be missing in one; a length in both is equal.
async fn says_the_same(dial: &Dial, target: &str) {
    for version in ["1.1", "1.0"] {
        let get = head_of(dial, "GET", target, version).await;
        let head = head_of(dial, "HEAD", target, version).await;
        assert_eq!(said(&head), said(&get), "{target}");
        if let (Some(a), Some(b)) = (field(&head, "content-length"), field(&get, "content-length")) {
            assert_eq!(a, b, "{target}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_reply_has_the_fields_of_get_for_every_status() {
    bounded(async {
        let (dial, _) = connect();
        for status in
            [200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 304, 308, 400, 401, 404, 405, 426, 500, 503, 599]
        {
            for made in 0..MADE.len() {
                for typed in 0..TYPED.len() {
                    says_the_same(&dial, &format!("/{status}/{made}/{typed}")).await;
                }
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_head_reply_of_a_mux_has_the_fields_of_get() {
    bounded(async {
        let mux = ServeMux::new();
        mux.handle("/tree/", async |_| "tree\n");
        mux.handle("POST /post", async |_| "posted\n");
        mux.handle("/typed/{status}", async |request: Request| {
            let status = request.path_value("status").and_then(|status| status.parse().ok()).expect("a status");
            response(status, Made::Nothing, Typed::Known)
        });
        mux.handle("/redirect", async |request: Request| redirect(&request, "/tree/", StatusCode::FOUND));
        let (dial, _) = in_memory(&support::server(mux));
        for target in ["/tree/", "/tree", "/tree/../x", "//tree/", "/none", "/redirect", "/typed/201", "/typed/404"] {
            says_the_same(&dial, target).await;
        }
        let head = head_of(&dial, "HEAD", "/tree", "1.1").await;
        assert_eq!(field(&head, "content-type"), Some("text/html; charset=utf-8"), "{head}");
        let head = head_of(&dial, "HEAD", "/post", "1.1").await;
        assert!(head.starts_with("HTTP/1.1 405 ") && field(&head, "allow") == Some("POST"), "{head}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn empty_first_pieces_do_not_change_the_sniffed_type() {
    bounded(async {
        let (dial, _) = connect();
        let head = head_of(&dial, "GET", "/200/4/0", "1.1").await;
        assert_eq!(field(&head, "content-type"), Some("text/html; charset=utf-8"), "{head}");
    })
    .await;
}

/// A body of empty pieces without end.
struct Nothing;

impl http_body::Body for Nothing {
    type Data = Bytes;
    type Error = BodyError;
    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::new()))))
    }
}

#[tokio::test]
async fn a_body_of_empty_pieces_yields_to_other_clients() {
    bounded(async {
        let mux = ServeMux::new();
        mux.handle("/nothing", async |_| Response::new(Body::new(Nothing)));
        mux.handle("/", async |_| "hello\n");
        let server = support::server(mux);
        let (dial, _) = in_memory(&server);
        let mut stuck = dial.connect();
        stuck.get("/nothing").await;
        let mut other = dial.connect();
        for _ in 0..100 {
            assert_eq!(other.fetch("/").await.text(), "hello\n");
        }
        server.close().await;
        assert!(stuck.ends().await);
    })
    .await;
}

/// A hook that answers every refused client with this reply.
fn refusing(answer: impl Fn() -> Response + Send + Sync + 'static) -> (Server<impl Handler>, Dial) {
    let hooks = Hooks { refused: Some(Arc::new(move |_| Some(answer()))), ..Hooks::default() };
    let server = Server::with_config(async |_| "never", Config { hooks, ..support::config() });
    let (dial, _) = in_memory(&server);
    (server, dial)
}

#[tokio::test(start_paused = true)]
async fn a_refused_hooks_reply_follows_the_rules_of_a_handlers() {
    bounded(async {
        let next = Arc::new(Mutex::new((0, Made::Nothing)));
        let own = Arc::clone(&next);
        let (_server, dial) = refusing(move || {
            let (status, made) = *own.lock().expect("no panic");
            response(status, made, Typed::Known)
        });
        for status in (100..=511).chain([599]) {
            for made in MADE {
                *next.lock().expect("no panic") = (status, made);
                for method in ["GET", "HEAD"] {
                    let mut client = dial.connect();
                    client.send(format!("{method} / HTTP/1.1\r\n\r\n")).await;
                    let reply = client.try_reply_to(method).await.expect("a whole reply");
                    let context = format!("{method} {status} {made:?}: {reply:?}");
                    let bodiless = matches!(status, 204 | 205 | 304);
                    let expected = match made {
                        _ if status < 200 => 500,
                        Made::Broken if !bodiless => 413,
                        _ => status,
                    };
                    assert_eq!((reply.status, reply.is_last()), (expected, true), "{context}");
                    let four = expected == status && content(status) == Content::Four && made != Made::Nothing;
                    if method == "GET" && expected == status && made != Made::Broken {
                        assert_eq!(reply.body.len(), if four { 4 } else { 0 }, "{context}");
                    }
                    client.finish().await;
                    assert!(client.ends().await, "{context}");
                }
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_hooks_reply_cannot_take_the_connection_over() {
    bounded(async {
        for status in [StatusCode::SWITCHING_PROTOCOLS, StatusCode::OK] {
            let (_server, dial) =
                refusing(move || Response::upgrade(status, async |_| panic!("taken over")).with_header("upgrade", "x"));
            let mut client = dial.connect();
            client.send("GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").await;
            let reply = client.reply().await;
            assert_eq!((reply.status, reply.is_last()), (400, true), "the plain refusal");
            assert!(client.ends().await);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_head_request_gets_no_body() {
    bounded(async {
        let server = support::server(async |_| "never");
        let (dial, _) = in_memory(&server);
        let long = "x".repeat(9000);
        for (sent, status) in [
            ("HEAD / HTTP/1.1\r\n\r\n", 400),
            ("\r\nHEAD / HTTP/1.1\r\n\r\n", 400),
            ("HEAD / HTTP/1.1\nHost: a\n\n", 400),
            ("HEAD /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: magic\r\n\r\n", 417),
            ("HEAD / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
            (&format!("HEAD /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
            (&format!("HEAD / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", long.repeat(8)), 431),
            // An unfinished head: the timeout, or FIN.
            ("HEAD / HTTP/1.1\r\nHost: a\r\n", 408),
            ("HEAD ", 408),
        ] {
            if status == 408 && support::without_timeouts() {
                continue; // only a timeout ends it
            }
            let mut client = dial.connect();
            client.send(sent).await;
            let (seen, head) = client.head().await.expect("a reply");
            assert_eq!((seen, field(&head, "connection")), (status, Some("close")), "{sent:?}");
            assert!(field(&head, "content-length").is_some_and(|length| length != "0"), "{head}");
            assert!(client.ends().await, "{sent:?}: a body behind a reply to HEAD");
            // The same reply to GET has a body.
            let mut client = dial.connect();
            client.send(sent.replace("HEAD", "GET")).await;
            assert!(!client.reply().await.body.is_empty(), "{sent:?}");
        }
        let mut client = dial.connect();
        client.send("HEAD / HTTP/1.1\r\nHost: a\r\n").await;
        client.finish().await;
        assert_eq!(client.head().await.expect("a reply").0, 400);
        assert!(client.ends().await);
    })
    .await;
}

/// No type of the body, no type that was set before, and no sniffed type is sent.
#[tokio::test(start_paused = true)]
async fn no_content_type_is_sent_without_content_type() {
    bounded(async {
        let mux = ServeMux::new();
        mux.handle("/{made}/{typed}", async |request: Request| {
            let at = |name| request.path_value(name).and_then(|at| at.parse::<usize>().ok()).expect("a number");
            response(200, MADE[at("made")], TYPED[at("typed")]).without_content_type()
        });
        let (dial, _serving) = in_memory(&Server::new(mux));
        let broken = MADE.iter().position(|made| *made == Made::Broken);
        for made in (0..MADE.len()).filter(|made| Some(*made) != broken) {
            for typed in 0..TYPED.len() {
                let reply = dial.connect().fetch(&format!("/{made}/{typed}")).await;
                assert_eq!((reply.status, reply.field("content-type")), (200, None), "{made} {typed}: {}", reply.head);
            }
        }
    })
    .await;
}
