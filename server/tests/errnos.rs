//! Every error number of the system, at accept, read, write, flush and shutdown. The next client is served, no resource
//! is held, and the log reports accept errors once a second at most. Time is paused.

mod support;

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use quintet_listener::testing::{Dialer, MemoryListener};
use quintet_server::{Body, Request, Response, ServeError, ServeMux, Server, listener::Stream};
use support::{Client, bounded, eventually};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex},
    task::JoinHandle,
    time::sleep,
};

/// The error numbers of Linux.
const ERRNOS: std::ops::RangeInclusive<i32> = 1..=133;

/// The call in which a stream fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Read,
    Write,
    Flush,
    Shutdown,
}

/// A stream that fails at its `n`-th call of one kind, and from then on.
struct Faulty {
    io: DuplexStream,
    fault: Option<(At, u32, i32)>,
    open: Arc<AtomicUsize>,
}

impl Faulty {
    fn fails(&mut self, at: At) -> io::Result<()> {
        match &mut self.fault {
            Some((known, left, errno)) if *known == at => match left.checked_sub(1) {
                Some(rest) => *left = rest,
                None => return Err(io::Error::from_raw_os_error(*errno)),
            },
            _ => {}
        }
        Ok(())
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.open.fetch_sub(1, SeqCst);
    }
}

impl Stream for Faulty {}

impl AsyncRead for Faulty {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_read(cx, buffer);
        if polled.is_ready() { Poll::Ready(self.fails(At::Read)) } else { polled }
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.fails(At::Write)?;
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.fails(At::Flush)?;
        Pin::new(&mut self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.fails(At::Shutdown)?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A server, its dialer, the number of its open streams, and its accept errors.
struct World {
    server: Server<ServeMux>,
    serving: JoinHandle<Result<(), ServeError>>,
    dial: Dialer<Faulty>,
    open: Arc<AtomicUsize>,
    said: Arc<AtomicU64>,
}

fn mux() -> ServeMux {
    let mux = ServeMux::new();
    mux.handle("/", async |_: Request| "hello\n");
    mux.handle("/large", async |_: Request| vec![b'x'; 1 << 20]);
    mux.handle("/echo", async |request: Request| Response::new(request.into_body()));
    mux.handle("/collect", async |mut request: Request| {
        format!("{}", request.to_bytes(u64::MAX).await.map_or(0, |body| body.len()))
    });
    mux.handle("/wait", async |_: Request| {
        sleep(Duration::from_secs(2)).await;
        "waited\n"
    });
    mux.handle("/pieces", async |_: Request| {
        Response::new(Body::writer(|mut w| async move {
            for _ in 0..20 {
                w.write([b'x'; 1024]).await?;
                w.flush().await?;
                sleep(Duration::from_millis(100)).await;
            }
            Ok(())
        }))
    });
    mux
}

impl World {
    fn new() -> Self {
        let (listener, dial) = MemoryListener::new();
        let said = Arc::<AtomicU64>::default();
        let mut config = support::config();
        config.hooks.accept_error = Some(Arc::new({
            let said = Arc::clone(&said);
            move |_| {
                said.fetch_add(1, SeqCst);
            }
        }));
        let server = Server::with_config(mux(), config);
        let serving = tokio::spawn({
            let server = server.clone();
            async move { server.serve(listener).await }
        });
        Self { server, serving, dial, open: Arc::default(), said }
    }

    fn connect(&self, fault: Option<(At, u32, i32)>) -> Client<DuplexStream> {
        let (ours, io) = duplex(16 * 1024);
        self.open.fetch_add(1, SeqCst);
        let faulty = Faulty { io, fault, open: Arc::clone(&self.open) };
        assert!(self.dial.send(faulty), "the accept loop has ended");
        Client::new(ours)
    }

    /// Checks that the next client is served, and that nothing is held when it has disconnected.
    async fn is_well(&self, after: &str) {
        let mut next = self.connect(None);
        assert_eq!(next.fetch("/").await.text(), "hello\n", "{after}");
        drop(next);
        let (open, server) = (&self.open, &self.server);
        eventually(&format!("{after}: something is held"), || open.load(SeqCst) == 0 && server.counts().total() == 0)
            .await;
    }
}

/// Requests, and the call of the stream that fails during each.
const FAULTS: [(&str, At, u32); 16] = [
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", At::Read, 0),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", At::Read, 1), // idle, at the client's end
    ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", At::Read, 1), // lingering
    ("GET /wait HTTP/1.1\r\nHost: a\r\n\r\nGET", At::Read, 1),
    ("POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\nx", At::Read, 1),
    ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", At::Read, 1),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 600\r\n\r\nx", At::Read, 1), // thrown away
    ("nonsense\r\n\r\n", At::Read, 1),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", At::Write, 0),
    ("GET /large HTTP/1.1\r\nHost: a\r\n\r\n", At::Write, 3),
    ("GET /pieces HTTP/1.1\r\nHost: a\r\n\r\n", At::Write, 3),
    ("nonsense\r\n\r\n", At::Write, 0),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", At::Flush, 0),
    ("GET /large HTTP/1.1\r\nHost: a\r\n\r\n", At::Flush, 0),
    ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", At::Shutdown, 0),
    ("nonsense\r\n\r\n", At::Shutdown, 0),
];

#[tokio::test(start_paused = true)]
async fn a_failing_stream_ends_only_its_connection() {
    bounded(async {
        let world = World::new();
        for errno in ERRNOS {
            for (request, at, after) in FAULTS {
                let mut client = world.connect(Some((at, after, errno)));
                let _ = client.try_send(request).await;
                sleep(Duration::from_millis(10)).await;
                let _ = client.try_send("more").await;
                client.finish().await;
                client.rest().await;
                drop(client);
                world.is_well(&format!("errno {errno} at {at:?} {after} of {request:?}")).await;
            }
        }
        assert_eq!(world.said.load(SeqCst), 0, "an error of one connection is none of the accept loop");
    })
    .await;
}

/// The errors of the listening socket itself, which retrying cannot mend.
const FATAL: [i32; 3] = [9, 22, 88]; // EBADF, EINVAL, ENOTSOCK

#[tokio::test(start_paused = true)]
async fn an_accept_error_is_retried_and_reported_once_a_second() {
    bounded(async {
        for errno in ERRNOS.filter(|errno| !FATAL.contains(errno)) {
            let world = World::new();
            for _ in 0..100 {
                assert!(world.dial.fail(io::Error::from_raw_os_error(errno)), "it has ended");
            }
            let start = tokio::time::Instant::now();
            world.is_well(&format!("100 times errno {errno} at accept")).await;
            let said = world.said.load(SeqCst);
            assert!(
                said <= start.elapsed().as_secs() + 1,
                "errno {errno} was told {said} times in {:?}",
                start.elapsed()
            );
            assert!(!world.serving.is_finished());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_accept_loop_that_fails_drains_before_it_returns() {
    bounded(async {
        for errno in FATAL {
            let world = World::new();
            let (mut at_work, mut idle) = (world.connect(None), world.connect(None));
            at_work.get("/wait").await;
            assert_eq!(idle.fetch("/").await.status, 200);
            assert!(world.dial.fail(io::Error::from_raw_os_error(errno)), "it has ended");
            let reply = at_work.reply().await;
            assert_eq!((reply.text(), reply.is_last()), ("waited\n", true), "errno {errno}");
            assert!(idle.ends().await);
            drop((at_work, idle));
            let ended = world.serving.await.expect("no panic");
            assert!(matches!(ended, Err(ServeError::Accept(error)) if error.raw_os_error() == Some(errno)));
            assert_eq!(world.open.load(SeqCst), 0, "errno {errno}");
        }
    })
    .await;
}
