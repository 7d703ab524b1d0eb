//! Handlers that panic: each panic ends one connection, is reported once, and is answered 500 if nothing was sent yet.

mod support;

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use http_body::Frame;
use quintet_server::{Body, Config, Handler, Request, Response, ServeMux, Server, SetCookie, conn::Counts};
use support::{Client, Dial, bounded, dial, eventually, in_memory, on_loopback};
use tokio::{io::DuplexStream, time::sleep};

/// The reports of the hook: the message and the request line.
type Told = Arc<Mutex<Vec<(String, Option<String>)>>>;

fn config() -> (Config, Told) {
    let told = Told::default();
    let hook = Arc::clone(&told);
    let mut config = support::config();
    config.hooks.panicked = Some(Arc::new(move |panicked| {
        hook.lock().expect("no panic").push((panicked.message.to_owned(), panicked.request.map(str::to_owned)));
    }));
    (config, told)
}

fn start(handler: impl Handler) -> (Server<impl Handler>, Dial, Told) {
    let (config, told) = config();
    let server = Server::with_config(handler, config);
    let (dial, _) = in_memory(&server);
    (server, dial, told)
}

fn told(told: &Told) -> Vec<(String, Option<String>)> {
    std::mem::take(&mut *told.lock().expect("no panic"))
}

/// A body that yields its pieces, waits until they are sent (if there are any), and panics.
struct Panics {
    pieces: Vec<&'static str>,
    waits: bool,
}

impl Panics {
    fn after(pieces: &[&'static str]) -> Body {
        Body::new(Self { pieces: pieces.to_vec(), waits: !pieces.is_empty() })
    }
}

impl http_body::Body for Panics {
    type Data = Bytes;
    type Error = std::io::Error;
    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        if self.pieces.is_empty() && std::mem::take(&mut self.waits) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        assert!(!self.pieces.is_empty(), "no more pieces");
        Poll::Ready(Some(Ok(Frame::data(self.pieces.remove(0).into()))))
    }
}

async fn is_answered_500(client: &mut Client<DuplexStream>) {
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.is_last()), (500, true));
    assert_eq!(reply.text(), "500 Internal Server Error\n", "what was said is not the client's business");
    assert!(client.ends().await);
}

#[tokio::test(start_paused = true)]
async fn a_panic_before_the_first_await_is_answered_500() {
    bounded(async {
        let (server, dial, hook) = start(async |_: Request| -> &'static str { panic!("at once") });
        let mut client = dial.connect();
        client.get("/a?b=1").await;
        is_answered_500(&mut client).await;
        assert_eq!(told(&hook), [("at once".to_owned(), Some("GET /a?b=1".to_owned()))]);
        drop(client);
        eventually("no connection is left", || server.counts() == Counts::default()).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_after_an_await_is_answered_500() {
    bounded(async {
        let (server, dial, hook) = start(async |request: Request| -> &'static str {
            sleep(Duration::from_secs(1)).await;
            panic!("late, at {}", request.path())
        });
        let mut client = dial.connect();
        client.send("POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").await;
        is_answered_500(&mut client).await;
        assert_eq!(told(&hook), [("late, at /b".to_owned(), Some("POST /b".to_owned()))]);
        drop(client);
        eventually("no connection is left", || server.counts() == Counts::default()).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_after_a_takeover_is_reported() {
    bounded(async {
        let (server, dial, hook) = start(async |_: Request| {
            Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, async |_| panic!("after the takeover"))
                .with_header("upgrade", "x")
        });
        let mut client = dial.connect();
        client.get_upgrade("/a").await;
        assert_eq!(client.head().await.expect("a head").0, 101);
        assert!(client.ends().await);
        assert_eq!(told(&hook), [("after the takeover".to_owned(), None)]);
        eventually("no connection is left", || server.counts() == Counts::default()).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_before_there_is_a_future_is_answered_500() {
    struct Eager;
    impl Handler for Eager {
        fn call(&self, _: Request) -> impl Future<Output = Response> + Send {
            if true {
                panic!("no future");
            }
            std::future::ready(Response::default())
        }
    }
    bounded(async {
        let (_server, dial, hook) = start(Eager);
        let mut client = dial.connect();
        client.get("/c").await;
        is_answered_500(&mut client).await;
        assert_eq!(told(&hook), [("no future".to_owned(), Some("GET /c".to_owned()))]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_behind_a_mux_is_answered_500() {
    bounded(async {
        let mux = ServeMux::new();
        mux.handle("GET /users/{id}", async |request: Request| -> &'static str {
            panic!("user {}", request.path_value("id").expect("a wildcard"))
        });
        let (_server, dial, hook) = start(mux);
        let mut client = dial.connect();
        client.get("/users/7").await;
        is_answered_500(&mut client).await;
        assert_eq!(told(&hook), [("user 7".to_owned(), Some("GET /users/7".to_owned()))]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_without_a_text_is_answered_500() {
    bounded(async {
        let (_server, dial, hook) =
            start(async |_: Request| -> &'static str { std::panic::panic_any(std::num::NonZeroU8::MAX) });
        let mut client = dial.connect();
        client.get("/").await;
        is_answered_500(&mut client).await;
        assert_eq!(told(&hook), [("not text".to_owned(), Some("GET /".to_owned()))]);
    })
    .await;
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_whose_payload_panics_when_dropped_is_answered_500() {
    bounded(async {
        let (server, dial, hook) = start(async |request: Request| -> &'static str {
            if request.path() == "/late" {
                sleep(Duration::from_secs(1)).await;
            }
            std::panic::panic_any(Bomb)
        });
        for path in ["/", "/late"] {
            let mut client = dial.connect();
            client.get(path).await;
            is_answered_500(&mut client).await;
            assert_eq!(told(&hook), [("not text".to_owned(), Some(format!("GET {path}")))]);
        }
        eventually("no connection is left", || server.counts() == Counts::default()).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panicked_hook_that_panics_leaves_the_500() {
    bounded(async {
        let mut config = support::config();
        config.hooks.panicked = Some(Arc::new(|panicked| match panicked.message {
            "bomb" => std::panic::panic_any(Bomb),
            message => panic!("{message}, again"),
        }));
        let server = Server::with_config(
            async |request: Request| -> &'static str {
                match request.path() {
                    "/bomb" => panic!("bomb"),
                    _ => panic!("text"),
                }
            },
            config,
        );
        let (dial, _) = in_memory(&server);
        for path in ["/text", "/bomb"] {
            let mut client = dial.connect();
            client.get(path).await;
            is_answered_500(&mut client).await;
        }
        assert_eq!(server.hook_failures().panics, 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_state_hook_that_panics_is_counted() {
    bounded(async {
        let mut config = support::config();
        config.hooks.state = Some(Arc::new(|_, _, _| std::panic::panic_any(Bomb)));
        let server = Server::with_config(async |_| "hello\n", config);
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        assert_eq!(client.fetch("/").await.text(), "hello\n");
        drop(client);
        eventually("no connection is left", || server.counts() == Counts::default()).await;
        eventually("it saw all moves", || server.hook_failures().panics == 4).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_with_a_body_that_shares_the_wire() {
    bounded(async {
        let (server, dial, hook) = start(async |mut request: Request| -> &'static str {
            let first = request.body_mut().chunk().await;
            panic!("{first:?}")
        });
        let mut client = dial.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc").await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.is_last()), (500, true));
        drop(client);
        assert_eq!(told(&hook)[0].0, "Ok(Some(b\"abc\"))");
        eventually("no connection is left", || server.counts() == Counts::default()).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_body_before_its_first_byte_is_answered_500() {
    bounded(async {
        let (_server, dial, hook) = start(async |_| Response::new(Panics::after(&[])));
        let mut client = dial.connect();
        client.get("/").await;
        is_answered_500(&mut client).await;
        assert_eq!(told(&hook).len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_typed_body_before_a_byte_is_answered_500() {
    bounded(async {
        let (_server, dial, hook) = start(async |_| Response::new(Panics::after(&[])).with_content_type("text/plain"));
        let mut client = dial.connect();
        client.get("/").await;
        is_answered_500(&mut client).await;
        assert_eq!(told(&hook).len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_middle_of_a_body_cuts_the_reply() {
    bounded(async {
        let (server, dial, hook) = start(async |_| Response::new(Panics::after(&["one", "two"])));
        let mut client = dial.connect();
        client.get("/").await;
        assert_eq!(client.head().await.unwrap().0, 200);
        assert_eq!(client.rest().await, b"3\r\none\r\n3\r\ntwo\r\n", "no last chunk");
        assert_eq!(told(&hook), [("no more pieces".to_owned(), None)]);
        drop(client);
        eventually("no connection is left", || server.counts() == Counts::default()).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_body_of_which_nothing_was_sent_is_answered_500() {
    bounded(async {
        let (_server, dial, hook) = start(async |_| {
            let body = Panics { pieces: vec!["one", "two"], waits: false };
            Response::new(Body::new(body)).with_content_type("text/plain")
        });
        let mut client = dial.connect();
        client.get("/").await;
        is_answered_500(&mut client).await;
        assert_eq!(told(&hook), [("no more pieces".to_owned(), None)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_writer_cuts_the_reply() {
    bounded(async {
        let (_server, dial, hook) = start(async |_| {
            Response::new(Body::writer(|mut w| async move {
                w.write("begun").await?;
                w.flush().await?;
                sleep(Duration::from_secs(1)).await;
                panic!("mid-word")
            }))
        });
        let mut client = dial.connect();
        client.get("/").await;
        assert_eq!(client.head().await.unwrap().0, 200);
        assert_eq!(client.rest().await, b"5\r\nbegun\r\n");
        assert_eq!(told(&hook)[0].0, "mid-word");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_after_a_panic_are_not_answered() {
    bounded(async {
        let mux = ServeMux::new();
        mux.handle("/{$}", async |_| "hello\n");
        mux.handle("/panic", async |_: Request| -> &'static str { panic!("as asked") });
        let (_server, dial, _hook) = start(mux);
        let mut client = dial.connect();
        let request = |path| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        client.send([request("/"), request("/panic"), request("/")].concat()).await;
        assert_eq!(client.reply().await.text(), "hello\n");
        is_answered_500(&mut client).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_report_of_a_dropped_request_names_no_request() {
    bounded(async {
        let (_server, dial, hook) = start(async |request: Request| -> &'static str {
            drop(request);
            panic!("without it")
        });
        // Nor does it have the request line of another connection, whose panic was in another task.
        let other = Request::parse(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let elsewhere = tokio::spawn(async move {
            let _other = other;
            panic!("elsewhere")
        });
        assert!(elsewhere.await.is_err());
        let mut client = dial.connect();
        client.get("/mine").await;
        is_answered_500(&mut client).await;
        assert_eq!(told(&hook), [("without it".to_owned(), None)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_clients_are_served_after_a_thousand_panics() {
    bounded(async {
        // The panic hook of Rust would write a thousand lines to standard error.
        std::panic::set_hook(Box::new(|_| {}));
        let mux = ServeMux::new();
        mux.handle("/{$}", async |_| "hello\n");
        mux.handle("/sync", async |_: Request| -> &'static str { panic!("as asked") });
        mux.handle("/async", async |_: Request| -> &'static str {
            tokio::task::yield_now().await;
            panic!("as asked")
        });
        mux.handle("/body", async |_| Response::new(Panics::after(&["one"])));
        let (config, hook) = config();
        let server = Server::with_config(mux, config);
        let (addr, _) = on_loopback(&server);
        let mut good = dial(&addr).await;
        for n in 0..1000 {
            let mut bad = dial(&addr).await;
            match n % 3 {
                0 => assert_eq!(bad.fetch("/sync").await.status, 500),
                1 => assert_eq!(bad.fetch("/async").await.status, 500),
                _ => {
                    bad.get("/body").await;
                    assert!(bad.try_reply().await.is_none(), "a whole reply");
                }
            }
            if n % 100 == 0 {
                assert_eq!(good.fetch("/").await.text(), "hello\n");
            }
        }
        assert_eq!(good.fetch("/").await.text(), "hello\n");
        assert_eq!(told(&hook).len(), 1000);
        eventually("only the good one is left", || server.counts() == Counts { idle: 1, ..Counts::default() }).await;
        let _ = std::panic::take_hook();
    })
    .await;
}

/// In debug and release builds alike the client gets a 500, the hook gets the reason, and the connection goes on.
#[tokio::test(start_paused = true)]
async fn a_reply_with_an_invalid_field_is_500_and_reported() {
    bounded(async {
        let mux = ServeMux::new();
        mux.handle("/cookie", async |_| Response::new("x").with_cookie(&SetCookie::new("bad name", "v")));
        mux.handle("/header", async |_| {
            Response::new("x").with_header("x-a", "v\r\nset-cookie: a=b").with_status(StatusCode::OK)
        });
        mux.handle("/fine", async |_| "fine");
        let told = Arc::new(Mutex::new(Vec::new()));
        let hook = Arc::clone(&told);
        let mut config = Config::default();
        config.hooks.field_error = Some(Arc::new(move |_, error| hook.lock().unwrap().push(error.to_string())));
        let server = Server::with_config(mux, config);
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        for (path, status, body) in [
            ("/cookie", 500, "500 Internal Server Error\n"),
            ("/header", 500, "500 Internal Server Error\n"),
            ("/fine", 200, "fine"),
        ] {
            let reply = client.fetch(path).await;
            assert_eq!((reply.status, reply.text()), (status, body), "{path}");
            assert_eq!(reply.field("set-cookie"), None, "{path}");
        }
        assert_eq!(*told.lock().unwrap(), ["cookie cannot be sent", "value of x-a has a byte that cannot be sent"]);
    })
    .await;
}

/// The report of a panic names its own request, also if the connection served others before and a request is kept.
#[tokio::test(start_paused = true)]
async fn a_panic_report_never_names_another_request() {
    bounded(async {
        let (_server, dial, hook) = start(async |request: Request| -> &'static str {
            if request.path() == "/first" {
                let elsewhere = tokio::spawn(async move {
                    let _request = request;
                    panic!("elsewhere")
                });
                assert!(elsewhere.await.is_err());
                return "hello\n";
            }
            drop(request);
            panic!("without it")
        });
        let mut client = dial.connect();
        assert_eq!(client.fetch("/first").await.status, 200);
        client.get("/second").await;
        is_answered_500(&mut client).await;
        assert_eq!(told(&hook), [("without it".to_owned(), None)]);
    })
    .await;
}
