//! Fairness: a connection that never has to wait does not delay the others. One thread, streams in memory.
//!
//! The tests count how often the handler of the busy connection (or the body of its reply) ran between the moment when
//! another client sent its request and the moment when the handler of that request was called.

mod support;

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use http_body::Frame;
use quintet_server::{Body, Bytes, Request, Response, ServeMux};
use support::{bounded, in_memory};
use tokio::{io::AsyncReadExt, task::yield_now};

/// How often the busy connection may run before another one does: the turn that was under way, and one more turn for
/// each task that the other request needs (the client, the accept loop, the connection).
const TURNS: u64 = 3;
const REQUESTS: u64 = 32;
const PIECES: u64 = 128;

/// How often the busy connection ran so far, and the count at which another handler was called.
#[derive(Clone, Default)]
struct Count {
    busy: Arc<AtomicU64>,
    called_at: Arc<AtomicU64>,
}

fn mux(count: &Count) -> ServeMux {
    let mux = ServeMux::new();
    let busy = Arc::clone(&count.busy);
    mux.handle("/busy", move |_: Request| {
        busy.fetch_add(1, Relaxed);
        std::future::ready("busy")
    });
    let busy = Arc::clone(&count.busy);
    mux.handle("/pieces", move |_: Request| {
        let body = Body::new(Pieces { left: 1_000_000, busy: Arc::clone(&busy) });
        std::future::ready(Response::new(body).with_content_type("text/plain"))
    });
    let count = count.clone();
    mux.handle("/other", move |_: Request| {
        count.called_at.store(count.busy.load(Relaxed), Relaxed);
        std::future::ready("other")
    });
    mux
}

/// A body whose next piece is always ready and small.
struct Pieces {
    left: u64,
    busy: Arc<AtomicU64>,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.busy.fetch_add(1, Relaxed);
        self.left = self.left.saturating_sub(1);
        Poll::Ready((self.left > 0).then(|| Ok(Frame::data(Bytes::from_static(b"x")))))
    }
}

/// A busy client sends these bytes without end and reads the replies, while another client sends `rounds` requests.
/// Returns the largest count of the busy connection before one of those requests reached its handler.
async fn worst(request: &'static str, rounds: u64) -> u64 {
    let count = Count::default();
    let server = support::server(mux(&count));
    let (dial, _) = in_memory(&server);

    let busy = dial.connect_sized(1 << 20).io;
    let (mut reader, mut writer) = tokio::io::split(busy);
    let many = request.repeat(2_000);
    tokio::spawn(
        async move { while tokio::io::AsyncWriteExt::write_all(&mut writer, many.as_bytes()).await.is_ok() {} },
    );
    tokio::spawn(async move {
        let mut replies = vec![0; 1 << 20];
        while reader.read(&mut replies).await.is_ok_and(|n| n > 0) {}
    });
    while count.busy.load(Relaxed) < 10 * PIECES {
        yield_now().await;
    }

    let (mut other, mut worst) = (dial.connect(), 0);
    for _ in 0..rounds {
        let sent_at = count.busy.load(Relaxed);
        assert_eq!(other.fetch("/other").await.text(), "other");
        worst = worst.max(count.called_at.load(Relaxed) - sent_at);
        let replied_at = count.busy.load(Relaxed);
        yield_now().await;
        assert!(count.busy.load(Relaxed) >= replied_at);
    }
    assert!(count.busy.load(Relaxed) > 10 * PIECES, "the busy connection goes on meanwhile");
    worst
}

#[tokio::test]
async fn a_pipelining_client_yields_to_other_clients() {
    bounded(async {
        let worst = worst("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n", 200).await;
        assert!(worst <= TURNS * REQUESTS, "{worst} calls");
    })
    .await;
}

#[tokio::test]
async fn a_reply_of_ready_pieces_yields_to_other_clients() {
    bounded(async {
        let worst = worst("GET /pieces HTTP/1.1\r\nHost: a\r\n\r\n", 200).await;
        assert!(worst <= TURNS * PIECES, "{worst} pieces");
    })
    .await;
}
