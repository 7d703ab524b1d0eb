//! Events of requests, copied, and a server that keeps them.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use http_body::Frame;
use quintet_server::{
    Body, Bytes, Config, Handler, IntoResponse, Outcome, Request, Response, ServeMux, Served, Server, StatusCode,
    mux::Upgraded, request::CloseReason,
};
use tokio::{task::yield_now, time::sleep};

/// An event, copied.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub request: Option<String>,
    pub pattern: Option<String>,
    pub status: u16,
    /// Bytes of the bodies of the request and of the reply.
    pub bodies: (u64, u64),
    pub outcome: Outcome,
    pub is_whole: bool,
    pub close: Option<CloseReason>,
    pub first: Option<Duration>,
    pub duration: Duration,
}

impl Event {
    pub fn of(served: &Served<'_>) -> Self {
        Self {
            request: served.method().map(|method| format!("{method} {}", served.target().unwrap_or_default())),
            pattern: served.pattern().map(str::to_owned),
            status: served.status().map_or(0, |status| status.as_u16()),
            bodies: (served.request_body_bytes(), served.reply_body_bytes()),
            outcome: served.outcome(),
            is_whole: served.is_whole(),
            close: served.close_reason(),
            first: served.time_to_first_byte(),
            duration: served.duration(),
        }
    }

    pub fn short(&self) -> Short {
        (self.status, self.outcome.as_str(), self.is_whole, self.close)
    }
}

/// The parts of an event that do not depend on time or on how much was sent: status, outcome, whether the reply is whole,
/// and the reason why the connection ends.
pub type Short = (u16, &'static str, bool, Option<CloseReason>);

pub type Events = Arc<Mutex<Vec<Event>>>;

/// A server whose events are kept, after the hook that is there has seen them.
pub fn observed<H: Handler>(handler: H, mut config: Config) -> (Server<H>, Events) {
    let events = Events::default();
    let (keep, before) = (Arc::clone(&events), config.hooks.served.take());
    config.hooks.served = Some(Arc::new(move |served| {
        before.iter().for_each(|hook| hook(served));
        keep.lock().expect("no panic").push(Event::of(served));
    }));
    config.hooks.panicked = Some(Arc::new(|_| {}));
    (Server::with_config(handler, config), events)
}

/// A body that has some pieces, and then fails, panics or ends.
pub struct Pieces(pub u8, pub End);

#[derive(Clone, Copy)]
pub enum End {
    Whole,
    Fails,
    Panics,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        // Every other poll is pending, so that the pieces before are sent.
        self.0 = self.0.saturating_sub(1);
        match (self.0, self.1) {
            (0, End::Whole) => Poll::Ready(None),
            (0, End::Fails) => Poll::Ready(Some(Err(std::io::ErrorKind::Other.into()))),
            (0, End::Panics) => panic!("as asked"),
            (left, _) if left % 2 == 0 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"piece of a body "))))),
        }
    }
}

pub fn mux() -> ServeMux {
    let mux = ServeMux::new();
    mux.handle("GET /{$}", async |_: Request| "hello\n");
    mux.handle("GET /later", async |_: Request| {
        yield_now().await;
        "later\n"
    });
    mux.handle("GET /big/{n}", async |request: Request| {
        vec![b'x'; request.path_value("n").and_then(|n| n.parse().ok()).unwrap_or(0)]
    });
    mux.handle("GET /pieces", async |_: Request| Response::new(Body::new(Pieces(9, End::Whole))));
    mux.handle("GET /fails", async |_: Request| Response::new(Body::new(Pieces(9, End::Fails))));
    mux.handle("GET /fails-at-once", async |_: Request| Response::new(Body::new(Pieces(1, End::Fails))));
    mux.handle("GET /bomb", async |_: Request| Response::new(Body::new(Pieces(9, End::Panics))));
    mux.handle("GET /empty", async |_: Request| StatusCode::NO_CONTENT);
    mux.handle("POST /read", async |mut request: Request| match request.to_bytes(1 << 20).await {
        Ok(bytes) => format!("{}", bytes.len()).into_response(),
        Err(error) => error.status().into_response(),
    });
    mux.handle("POST /ignore", async |_: Request| "ignored\n");
    mux.handle("GET /panic", async |_: Request| -> &'static str { panic!("as asked") });
    mux.handle("GET /abort", async |_: Request| Response::abort());
    mux.handle("GET /sleep", async |_: Request| {
        sleep(Duration::from_millis(1500)).await;
        "slept\n"
    });
    mux.handle("GET /upgrade", async |_: Request| {
        let upgrade = Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, |mut upgraded: Upgraded| async move {
            use tokio::io::AsyncWriteExt;
            let _ = upgraded.io.write_all(b"other").await;
        });
        upgrade.with_header("upgrade", "x")
    });
    mux
}
