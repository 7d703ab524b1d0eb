//! The allocations and timers of an ordinary request, counted.

mod support;

use std::{
    io,
    panic::{set_hook, take_hook},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use allocation_counter::measure;
use quintet_listener::testing::MemoryListener;
use quintet_server::{Body, Config, Handler, Hooks, Request, Response, ServeMux, Server, listener::Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A client that sends the same request again after each reply, and closes in the end.
struct Again {
    request: &'static [u8],
    left: usize,
    replied: bool,
    /// How many bytes the server wrote.
    written: Arc<AtomicUsize>,
}

impl AsyncRead for Again {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !std::mem::take(&mut self.replied) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.left > 0 {
            self.left -= 1;
            buffer.put_slice(self.request);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Again {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.replied = true;
        self.written.fetch_add(bytes.len(), SeqCst);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Stream for Again {}

/// Serves this request `n` times; returns the bytes of the replies.
fn serve(server: &Server<impl Handler>, request: &'static str, n: usize) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let written = Arc::<AtomicUsize>::default();
    let stream = Again { request: request.as_bytes(), left: n, replied: true, written: Arc::clone(&written) };
    runtime.block_on(async {
        let serving = server.clone();
        let (listener, dialer) = MemoryListener::new();
        assert!(dialer.send(stream));
        tokio::spawn(async move { serving.serve(listener).await });
        loop {
            tokio::task::yield_now().await;
            if written.load(SeqCst) > 0 && server.counts().total() == 0 {
                return;
            }
        }
    });
    written.load(SeqCst)
}

/// How many times one request allocates, after the first requests of its connection.
fn allocations(handler: impl Handler, request: &'static str) -> f64 {
    allocations_of(&Server::new(handler), request)
}

fn allocations_of(server: &Server<impl Handler>, request: &'static str) -> f64 {
    serve(server, request, 100);
    let mut bytes = (0, 0);
    let few = measure(|| bytes.0 = serve(server, request, 100)).count_total;
    let many = measure(|| bytes.1 = serve(server, request, 1100)).count_total;
    assert!(bytes.1 > 10 * bytes.0 && bytes.0 > 100 * 40, "everything was answered");
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let each = (many.saturating_sub(few)) as f64 / 1000.0;
    each
}

const GET: &str = "GET /repos/quintet/issues/7 HTTP/1.1\r\nHost: a.example\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n";

fn routes() -> ServeMux {
    let mux = ServeMux::new();
    for n in 0..33 {
        mux.handle(&format!("GET /static{n}"), async |_| "static\n");
        mux.handle(&format!("GET /users{n}/{{id}}"), async |_| "user\n");
        mux.handle(&format!("POST /repos/{{owner}}/kind{n}"), async |_| "posted\n");
    }
    mux.handle("GET /repos/{owner}/issues/{id}", async |request: Request| {
        assert_eq!(request.path_value("id").as_deref(), Some("7"));
        "issue\n"
    });
    mux
}

#[test]
fn a_request_to_a_single_handler_allocates_at_most_once() {
    let each = allocations(async |_| "hello\n", GET);
    assert!(each <= 1.0, "{each} times");
}

#[test]
fn a_request_through_a_mux_of_a_hundred_routes_allocates_at_most_twice() {
    let each = allocations(routes(), GET);
    assert!(each <= 2.0, "{each} times");
}

#[test]
fn a_pipelined_request_allocates_no_more() {
    const AHEAD: &str = concat!(
        "GET /repos/a/issues/7 HTTP/1.1\r\nHost: a\r\n\r\nGET /repos/b/issues/7 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /repos/c/issues/7 HTTP/1.1\r\nHost: a\r\n\r\nGET /repos/d/issues/7 HTTP/1.1\r\nHost: a\r\n\r\n"
    );
    let each = allocations(routes(), AHEAD) / 4.0;
    assert!(each <= 2.0, "{each} times");
}

/// The notes of requests are memory that is used again, and so are those of the replies that wait in the output.
#[test]
fn a_served_hook_allocates_no_more() {
    let told = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&told);
    let hooks = Hooks {
        served: Some(Arc::new(move |served| {
            assert_eq!(served.pattern(), Some("GET /repos/{owner}/issues/{id}"));
            count.fetch_add(1, SeqCst);
        })),
        ..Hooks::default()
    };
    let server = Server::with_config(routes(), Config { hooks, ..Config::default() });
    let (each, without) = (allocations_of(&server, GET), allocations(routes(), GET));
    assert!(each <= without + 0.01, "{each} times, {without} without");
    assert_eq!(told.load(SeqCst), 1300);
}

#[test]
fn the_allocation_counter_counts() {
    let each = allocations(async |_| vec![b'x'; 10], GET);
    assert!(each >= 1.0, "{each} times");
}

/// In a runtime without timers a task that registers one panics. Only the sweeper, one task for all connections, does
/// that. Every request is still answered, so no request registered a timer.
#[test]
fn an_ordinary_request_registers_no_timer() {
    set_hook(Box::new(|_| {}));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let asks = tokio::spawn(async { tokio::time::sleep(std::time::Duration::ZERO).await });
        assert!(asks.await.is_err(), "there are no timers");
        let mux = routes();
        mux.handle("POST /echo", async |request: Request| Response::new(request.into_body()));
        mux.handle("POST /ignore", async |_| "ignored\n");
        mux.handle("GET /stream", async |_| {
            Response::new(Body::writer(|mut w| async move {
                for _ in 0..10 {
                    w.write("piece\n").await?;
                    w.flush().await?;
                }
                Ok(())
            }))
        });
        let server = Server::new(mux);
        let (addr, _) = support::on_loopback(&server);
        let mut client = support::dial(&addr).await;
        for _ in 0..3 {
            assert_eq!(client.fetch("/repos/a/issues/7").await.text(), "issue\n");
            assert_eq!(client.fetch("/static3").await.text(), "static\n");
            assert_eq!(client.fetch("/nowhere").await.status, 404);
            client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234").await;
            tokio::task::yield_now().await;
            client.send("56789").await;
            assert_eq!(client.reply().await.text(), "0123456789");
            client.send("POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
            assert_eq!(client.reply().await.text(), "ignored\n");
            client.send("0\r\n\r\n").await;
            assert_eq!(client.fetch("/stream").await.text(), "piece\n".repeat(10));
        }
        let mut last = support::dial(&addr).await;
        last.send("GET /static3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(last.reply().await.is_last());
        assert!(last.ends().await);
        let mut wrong = support::dial(&addr).await;
        wrong.send("nonsense\r\n\r\n").await;
        assert_eq!(wrong.reply().await.status, 400);
    });
    let _ = take_hook();
}
