//! Pipelined requests: answered in order, read in one call and answered in one call.

mod support;

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use quintet_listener::testing::MemoryListener;
use quintet_server::{Handler, Request, listener::Stream};
use support::{Client, bounded, in_memory};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex},
    sync::Notify,
    time::{sleep, timeout},
};

const SECOND: Duration = Duration::from_secs(1);
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// How often a server read and wrote. On a socket each of these is a system call.
#[derive(Default)]
struct Calls {
    reads: AtomicUsize,
    writes: AtomicUsize,
}

impl Calls {
    /// The counts since the last call of this function.
    fn take(&self) -> (usize, usize) {
        (self.reads.swap(0, SeqCst), self.writes.swap(0, SeqCst))
    }
}

/// A stream whose calls are counted.
struct Counted {
    io: DuplexStream,
    calls: Arc<Calls>,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        self.calls.reads.fetch_add(1, SeqCst);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.calls.writes.fetch_add(1, SeqCst);
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.calls.writes.fetch_add(1, SeqCst);
        let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        Pin::new(&mut self.io).poll_write(cx, &all)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl Stream for Counted {}

/// A client of one handler, and the read and write calls of its server.
fn counted(handler: impl Handler) -> (Client<DuplexStream>, Arc<Calls>) {
    let (ours, theirs) = duplex(1 << 20);
    let calls = Arc::<Calls>::default();
    let (listener, dialer) = MemoryListener::new();
    assert!(dialer.send(Counted { io: theirs, calls: Arc::clone(&calls) }));
    tokio::spawn(async move { support::server(handler).serve(listener).await });
    (Client::new(ours), calls)
}

#[tokio::test(start_paused = true)]
async fn two_pipelined_requests_in_one_packet_are_answered_in_order() {
    bounded(async {
        let server = support::server(async |request: Request| {
            if request.path() == "/slow" {
                sleep(SECOND).await;
            }
            request.path().to_owned()
        });
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /quick HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(client.reply().await.text(), "/slow");
        assert_eq!(client.reply().await.text(), "/quick");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pipelined_replies_keep_their_order_after_slow_handlers() {
    bounded(async {
        let server = support::server(async |request: Request| {
            let n: u64 = request.path()[1..].parse().expect("a number");
            if n % 3 != 0 {
                sleep(Duration::from_millis(n * 7919 % 100)).await;
            }
            format!("{n}")
        });
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        for n in 0..200 {
            client.get(&format!("/{n}")).await;
        }
        for n in 0..200 {
            assert_eq!(client.reply().await.text(), n.to_string());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sixteen_pipelined_requests_are_one_read_and_one_write() {
    bounded(async {
        let (mut client, calls) = counted(async |_: Request| "hello\n");
        for _ in 0..3 {
            client.send(GET.repeat(16)).await;
            for _ in 0..16 {
                assert_eq!(client.reply().await.text(), "hello\n");
            }
            assert_eq!(calls.take(), (1, 1));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_request_is_one_read_and_one_write() {
    bounded(async {
        let (mut client, calls) = counted(async |request: Request| vec![b'x'; request.path().len() * 16 * 1024]);
        for path in ["/", "/12", "/1234567"] {
            assert_eq!(client.fetch(path).await.body.len(), path.len() * 16 * 1024);
            assert_eq!(calls.take(), (1, 1), "a head and a large body go together");
        }
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789").await;
        assert_eq!(client.reply().await.status, 200);
        assert_eq!(calls.take(), (1, 1), "and so do a head and a small body that come");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_in_packets_of_a_byte_is_answered_the_same() {
    bounded(async {
        let request = "POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
        let (mut client, calls) = counted(async |mut request: Request| {
            let body = request.to_bytes(10).await.expect("a body");
            format!("{} {} {body:?}", request.method(), request.target().raw())
        });
        for byte in request.bytes() {
            client.send([byte]).await;
            sleep(SECOND / 100).await;
        }
        assert_eq!(client.reply().await.text(), "POST /a?b b\"abc\"");
        assert_eq!(calls.take(), (request.len(), 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_pipelined_reply_does_not_wait_for_the_next_handler() {
    bounded(async {
        let answer = Arc::new(Notify::new());
        let waits = Arc::clone(&answer);
        let (mut client, calls) = counted(move |request: Request| {
            let waits = Arc::clone(&waits);
            async move {
                if request.path() == "/wait" {
                    waits.notified().await;
                }
                "hello\n"
            }
        });
        client.send(format!("{GET}{GET}GET /wait HTTP/1.1\r\nHost: a\r\n\r\n{GET}")).await;
        for _ in 0..2 {
            let reply = timeout(SECOND, client.reply()).await.expect("flush before you wait");
            assert_eq!(reply.text(), "hello\n");
        }
        assert_eq!(calls.take(), (1, 1));
        answer.notify_one();
        for _ in 0..2 {
            assert_eq!(client.reply().await.text(), "hello\n");
        }
        assert_eq!(calls.take(), (0, 1));
    })
    .await;
}

/// No more requests are read from a client that does not read its replies: both stay few.
#[tokio::test(start_paused = true)]
async fn a_pipelining_client_that_never_reads_is_stopped() {
    if support::without_timeouts() || support::over_tls() {
        return; // only a timeout ends it, and the size of the buffers between counts
    }
    bounded(async {
        const REPLY: usize = 1000;
        let asked = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&asked);
        let server = support::server(move |_| {
            count.fetch_add(1, SeqCst);
            async { "x".repeat(REPLY) }
        });
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        let flood = async {
            let mut sent = 0;
            while client.try_send(GET.repeat(100)).await.is_ok() {
                sent += 100 * GET.len();
            }
            sent
        };
        let mut flood = std::pin::pin!(flood);
        assert!(timeout(10 * SECOND, flood.as_mut()).await.is_err(), "it is stopped");
        // The pipe holds that much in each direction; then there are the unsent output, and one block of input.
        let asked_for = asked.load(SeqCst);
        assert!(asked_for * REPLY < 3 * 64 * 1024, "{asked_for} replies were made");
        // In the end the client is cut off.
        let sent = timeout(60 * SECOND, flood).await.expect("it is cut off");
        assert!(sent < 4 * 64 * 1024, "{sent} bytes were taken");
        assert_eq!(asked.load(SeqCst), asked_for);
        assert_eq!(server.counts().total(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_pipelined_request_after_a_body_is_found() {
    bounded(async {
        let server = support::server(async |mut request: Request| {
            let read = request.to_bytes(1 << 20).await.expect("a body").len();
            format!("{} {read}", request.path())
        });
        let (dial, _) = in_memory(&server);
        for size in [1, 10, 5000, 1 << 20] {
            let mut client = dial.connect();
            let mut all = Vec::new();
            all.extend(b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
            all.extend(b"POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
            all.extend(b"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
            all.extend(b"POST /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n");
            all.extend([b'x'; 20_000]);
            all.extend(b"\r\nGET /5 HTTP/1.1\r\nHost: a\r\n\r\n");
            for piece in all.chunks(size) {
                client.send(piece).await;
                tokio::task::yield_now().await;
            }
            for expected in ["/1 3", "/2 3", "/3 0", "/4 20000", "/5 0"] {
                assert_eq!(client.reply().await.text(), expected, "in pieces of {size}");
            }
        }
    })
    .await;
}
