//! The memory of a connection, in bytes of the heap.

mod support;

use std::{
    future::pending,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use allocation_counter::measure;
use quintet_server::{
    Body, Handler, Listener, Request, Response, Server,
    listener::{Addr, Stream},
};
use support::{bounded, in_memory};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::Runtime,
    time::{sleep, timeout},
};

/// A client that allocates nothing: it sends its bytes, reads the replies, and waits for ever.
struct Quiet(&'static [u8]);

impl AsyncRead for Quiet {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Pending;
        }
        let (now, later) = self.0.split_at(self.0.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Quiet {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Stream for Quiet {}

/// A listener that accepts this many clients with these bytes.
struct Crowd(usize, &'static [u8]);

impl Listener for Crowd {
    type Stream = Quiet;
    async fn accept(&mut self) -> io::Result<(Quiet, Addr)> {
        if self.0 == 0 {
            return pending().await;
        }
        self.0 -= 1;
        Ok((Quiet(self.1), "unix:".parse().expect("an address")))
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Ok("unix:".parse().expect("an address"))
    }
}

/// Serves many clients until all have sent their bytes, and keeps their connections.
fn serve<H: Handler>(crowd: usize, said: &'static [u8], server: &Server<H>) -> Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let serving = server.clone();
        tokio::spawn(async move { serving.serve(Crowd(crowd, said)).await });
        while server.counts().total() < crowd || server.counts().new > 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(server.counts().total(), crowd);
    });
    runtime
}

/// The bytes of the heap for each client while it waits.
fn kept(said: Vec<u8>) -> i64 {
    kept_by(said, &async |mut request: Request| {
        let length = request.to_bytes(1 << 20).await.map(|body| body.len());
        length.map(|length| format!("{length}\n"))
    })
}

/// The same with this handler. The task of a connection has room for what its handler keeps while it waits.
fn kept_by<H: Handler + Clone>(said: Vec<u8>, handler: &H) -> i64 {
    kept_of(said, || Server::new(handler.clone()))
}

fn kept_of<H: Handler>(said: Vec<u8>, server: impl Fn() -> Server<H>) -> i64 {
    let said: &'static [u8] = said.leak();
    drop(serve(100, said, &server()));
    let mut kept = Vec::with_capacity(2);
    let few = measure(|| kept.push(serve(100, said, &server()))).bytes_current;
    let many = measure(|| kept.push(serve(1100, said, &server()))).bytes_current;
    (many - few) / 1000
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n";

#[test]
fn an_idle_connection_costs_at_most_1600_bytes_with_a_small_handler() {
    let bytes = kept_by(GET.to_vec(), &async |_| "hello");
    assert!(bytes <= 1600, "{bytes} bytes");
}

#[test]
fn an_idle_connection_costs_at_most_two_kibibytes() {
    let bytes = kept(GET.to_vec());
    assert!(bytes <= 2048, "{bytes} bytes");
}

#[test]
fn an_idle_connection_costs_no_more_after_a_large_body() {
    let mut request = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 65536\r\n\r\n".to_vec();
    request.extend([b'x'; 65_536]);
    let bytes = kept(request);
    assert!(bytes <= 2048, "{bytes} bytes");
    let bytes = kept(GET.repeat(16));
    assert!(bytes <= 2048, "{bytes} bytes after sixteen at once");
}

#[test]
fn half_a_head_costs_what_was_sent_and_four_kibibytes() {
    for len in [10, 1000, 5000, 20_000] {
        let mut head = b"GET / HTTP/1.1\r\nHost: a\r\nX: ".to_vec();
        head.resize(len.max(head.len()), b'x');
        let sent = i64::try_from(head.len()).unwrap();
        let bytes = kept(head) - sent;
        assert!(bytes <= 2048 + 4096, "{bytes} bytes besides the {sent} that were sent");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stalls_stops_the_writer() {
    bounded(async {
        let written = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&written);
        let server = Server::new(move |_| {
            let count = Arc::clone(&count);
            async move {
                Response::new(Body::writer(move |mut w| async move {
                    for _ in 0..1 << 20 {
                        w.write([b'x'; 1024]).await?;
                        count.fetch_add(1024, SeqCst);
                    }
                    Ok(())
                }))
            }
        });
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        client.get("/").await;
        for n in 0..20 {
            sleep(Duration::from_secs(1)).await;
            let (read, written) = (n * 1024, written.load(SeqCst));
            assert!(written <= read + 320 * 1024, "{written} bytes were made for {read}");
            timeout(Duration::from_secs(1), client.exactly(1024)).await.unwrap().unwrap();
        }
    })
    .await;
}

/// Most of this are the buffers of the library, of which an idle connection has used the half: 22 KiB of real memory.
#[cfg(feature = "http2")]
#[test]
fn an_idle_http2_connection_costs_at_most_40_kib() {
    use quintet_server::{Config, Protocols};
    // The preface, SETTINGS, and `GET /` on stream 1.
    let said = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x06\x01\x05\0\0\0\x01\x82\x84\x86\x41\x01a";
    let protocols = Protocols { unencrypted_http2: true, ..Protocols::default() };
    let config = Config { protocols, ..Config::default() };
    let kept = kept_of(said.to_vec(), || Server::with_config(async |_| "hello\n", config.clone()));
    assert!(kept <= 40 * 1024, "{kept} bytes");
}
