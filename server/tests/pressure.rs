//! Pressure: new clients connect while idle ones hold every permit or every descriptor. Time is paused.

mod support;

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use quintet_listener::testing::MemoryListener;
use quintet_server::{
    Listener, Request, ServeMux, Server,
    listener::{Addr, Limit, Permits, Stream},
};
use support::{Client, Dial, Memory, bounded};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    time::{Instant, sleep},
};

/// How long a new client waits: that long the connection that is closed for it may still send a request.
const GRACE: Duration = Duration::from_millis(50);
/// EMFILE, the error of a process that is out of descriptors, on Linux and on the BSDs.
const EMFILE: i32 = 24;

/// A listener with so many descriptors: accepting fails with EMFILE while all are in use.
struct Few {
    memory: MemoryListener<Memory>,
    next: Option<Memory>,
    left: Arc<AtomicUsize>,
}

/// A stream that holds a descriptor.
struct Open(Memory, Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.1.fetch_add(1, SeqCst);
    }
}

impl Listener for Few {
    type Stream = Open;

    async fn accept(&mut self) -> io::Result<(Open, Addr)> {
        let stream = match self.next.take() {
            Some(stream) => stream,
            None => self.memory.accept().await?.0,
        };
        if self.left.load(SeqCst) == 0 {
            self.next = Some(stream);
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        self.left.fetch_sub(1, SeqCst);
        Ok((Open(stream, Arc::clone(&self.left)), self.local_addr()?))
    }

    fn local_addr(&self) -> io::Result<Addr> {
        self.memory.local_addr()
    }
}

impl Stream for Open {}

impl AsyncRead for Open {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Open {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

fn server() -> Server<ServeMux> {
    let mux = ServeMux::new();
    mux.handle("/", async |_: Request| "hello\n");
    mux.handle("/wait", async |_: Request| {
        sleep(Duration::from_secs(20)).await;
        "waited\n"
    });
    let mut config = support::config();
    config.hooks.accept_error = Some(Arc::new(|_| {}));
    Server::with_config(mux, config)
}

/// Serves with room for two connections, by permits or by descriptors.
fn room_for_two(server: &Server<ServeMux>, what: &str) -> Dial {
    let (memory, dial) = support::memory();
    let server = server.clone();
    match what {
        "permits" => drop(tokio::spawn(async move { server.serve(Limit::new(memory, 2)).await })),
        _ => {
            let few = Few { memory, next: None, left: Arc::new(AtomicUsize::new(2)) };
            drop(tokio::spawn(async move { server.serve(few).await }));
        }
    }
    dial
}

async fn idle(dial: &Dial) -> Client<DuplexStream> {
    let mut client = dial.connect();
    assert_eq!(client.fetch("/").await.text(), "hello\n");
    // The sweeper's clock orders idle connections. It moves five times a second.
    sleep(Duration::from_secs(1)).await;
    client
}

#[tokio::test(start_paused = true)]
async fn a_new_client_replaces_the_longest_idle_connection() {
    bounded(async {
        for what in ["permits", "descriptors"] {
            let server = server();
            let dial = room_for_two(&server, what);
            let (mut first, mut second) = (idle(&dial).await, idle(&dial).await);
            // `second` connected last, and `first` sent the last request.
            assert_eq!(first.fetch("/").await.status, 200);
            let (start, mut new) = (Instant::now(), dial.connect());
            assert_eq!(new.fetch("/").await.text(), "hello\n", "{what}");
            assert_eq!(start.elapsed(), GRACE, "{what}");
            assert!(second.ends().await, "{what}: the longest idle one makes room");
            assert_eq!(first.fetch("/").await.status, 200, "{what}: the other one stays");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_to_a_retired_connection_is_answered_as_the_last() {
    bounded(async {
        for what in ["permits", "descriptors"] {
            let server = server();
            let dial = room_for_two(&server, what);
            let (mut first, _second) = (idle(&dial).await, idle(&dial).await);
            let mut new = dial.connect();
            sleep(GRACE / 2).await;
            let reply = first.fetch("/").await;
            assert!(reply.status == 200 && reply.is_last(), "{what}: {}", reply.head);
            drop(first);
            assert_eq!(new.fetch("/").await.text(), "hello\n", "{what}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_active_connection_is_never_closed_for_a_new_client() {
    bounded(async {
        for what in ["permits", "descriptors"] {
            let server = server();
            let dial = room_for_two(&server, what);
            let (mut first, mut second) = (dial.connect(), dial.connect());
            first.get("/wait").await;
            second.get("/wait").await;
            sleep(Duration::from_secs(5)).await;
            let mut new = dial.connect();
            let (one, other) = tokio::join!(first.reply(), second.reply());
            assert_eq!((one.text(), other.text()), ("waited\n", "waited\n"), "{what}");
            // Now they are idle, and one of them is closed within two grace periods.
            let start = Instant::now();
            assert_eq!(new.fetch("/").await.text(), "hello\n", "{what}");
            assert!(start.elapsed() <= 2 * GRACE, "{what}: {:?}", start.elapsed());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn idle_connections_stay_without_new_clients() {
    bounded(async {
        for what in ["permits", "descriptors"] {
            let server = server();
            let dial = room_for_two(&server, what);
            let (mut first, mut second) = (idle(&dial).await, idle(&dial).await);
            sleep(Duration::from_secs(60)).await;
            assert_eq!(first.fetch("/").await.status, 200, "{what}");
            assert_eq!(second.fetch("/").await.status, 200, "{what}");
        }
    })
    .await;
}

/// Listeners that share their permits: an idle connection of another listener may be closed.
#[tokio::test(start_paused = true)]
async fn an_idle_connection_of_another_accept_loop_makes_room() {
    bounded(async {
        let (server, permits) = (server(), Permits::new(1));
        let dials = [(); 2].map(|()| {
            let ((memory, dial), server) = (support::memory(), server.clone());
            let limit = Limit::shared(memory, &permits);
            tokio::spawn(async move { server.serve(limit).await });
            dial
        });
        let mut first = idle(&dials[0]).await;
        let start = Instant::now();
        let mut new = dials[1].connect();
        assert_eq!(new.fetch("/").await.text(), "hello\n");
        assert_eq!(start.elapsed(), GRACE);
        assert!(first.ends().await);
    })
    .await;
}

/// Listeners with limits of their own: closing an idle connection of another listener would give no permit.
#[tokio::test(start_paused = true)]
async fn an_idle_connection_with_other_permits_stays() {
    bounded(async {
        let server = server();
        let limited = room_for_two(&server, "permits");
        let (other, _) = support::in_memory(&server);
        let mut elsewhere = idle(&other).await;
        let (mut first, mut second) = (limited.connect(), limited.connect());
        first.get("/wait").await;
        second.get("/wait").await;
        sleep(Duration::from_secs(1)).await;
        let mut new = limited.connect();
        sleep(Duration::from_secs(5)).await;
        assert!(!elsewhere.fetch("/").await.is_last());
        assert_eq!(first.reply().await.text(), "waited\n");
        assert_eq!(new.fetch("/").await.text(), "hello\n", "its own idle connections make room");
        assert!(!elsewhere.fetch("/").await.is_last());
    })
    .await;
}
