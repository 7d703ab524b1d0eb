//! What connections over TLS cost in memory, in bytes of the heap: at work, and before they have said anything useful.
#![cfg(feature = "ring")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;
mod tls_kit;

use std::{
    future::pending,
    io::{self, Read, Write},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
};

use allocation_counter::{measure, opt_out};
use quintet_server::{
    Listener, Server, TlsConfig,
    listener::{Addr, Stream},
};
use rustls::{
    ClientConfig, ClientConnection,
    version::{TLS12, TLS13},
};
use tls_kit::Site;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::Runtime,
};

/// How far a client goes before it falls silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    Connected,
    HalfAClientHello,
    /// It has read what the server sends after its ClientHello.
    ServerFlight,
    /// It has read the reply to its request, and keeps the connection.
    Reply,
}

/// A client of TLS whose own memory is not counted. All of it is taken, and given back, outside the count.
struct Client {
    tls: ClientConnection,
    until: Until,
    /// What the server has not read yet.
    unread: Vec<u8>,
    reply: Vec<u8>,
    asked: bool,
    /// The server is told that there is something to read.
    waker: Option<Waker>,
    /// The number of clients that are silent from now on.
    silent: Option<Arc<AtomicUsize>>,
}

impl Client {
    fn new(config: &Arc<ClientConfig>, until: Until, silent: &Arc<AtomicUsize>) -> Self {
        let mut tls = ClientConnection::new(Arc::clone(config), "a.example".try_into().unwrap()).unwrap();
        let mut unread = Vec::new();
        if until != Until::Connected {
            tls.write_tls(&mut unread).unwrap();
        }
        if until == Until::HalfAClientHello {
            unread.truncate(unread.len() / 2);
        }
        let silent = Some(Arc::clone(silent));
        Self { tls, until, unread, reply: Vec::new(), asked: false, waker: None, silent }
    }

    /// Takes what the server has sent.
    fn hear(&mut self, mut bytes: &[u8]) {
        if self.until != Until::Reply {
            self.reply.extend_from_slice(bytes);
            return;
        }
        while !bytes.is_empty() {
            self.tls.read_tls(&mut bytes).unwrap();
            self.tls.process_new_packets().unwrap();
        }
        if !self.tls.is_handshaking() && !self.asked {
            self.asked = true;
            self.tls.writer().write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n").unwrap();
        }
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.unread).unwrap();
        }
        // That no more is there is an error, after what was.
        let _ = self.tls.reader().read_to_end(&mut self.reply);
    }

    fn is_silent(&self) -> bool {
        match self.until {
            Until::Connected | Until::HalfAClientHello => true,
            Until::ServerFlight => !self.reply.is_empty(),
            Until::Reply => self.reply.ends_with(b"\r\n\r\nhello"),
        }
    }
}

/// The server's side of a connection to a [`Client`].
struct Quiet(Box<Client>);

impl AsyncRead for Quiet {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let client = &mut self.0;
        if !client.unread.is_empty() {
            opt_out(|| {
                let read = client.unread.len().min(buffer.remaining());
                buffer.put_slice(&client.unread[..read]);
                client.unread.drain(..read);
            });
            return Poll::Ready(Ok(()));
        }
        client.waker = Some(cx.waker().clone());
        if client.is_silent() {
            client.silent.take().into_iter().for_each(|silent| _ = silent.fetch_add(1, SeqCst));
        }
        Poll::Pending
    }
}

impl AsyncWrite for Quiet {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        opt_out(|| self.0.hear(bytes));
        self.0.waker.take().into_iter().for_each(Waker::wake);
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

/// Yields these clients.
struct Crowd(Vec<Quiet>);

impl Listener for Crowd {
    type Stream = Quiet;

    async fn accept(&mut self) -> io::Result<(Quiet, Addr)> {
        match self.0.pop() {
            Some(client) => Ok((client, self.local_addr()?)),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Ok("unix:".parse().expect("an address"))
    }
}

/// Serves so many clients until all are silent, and keeps them.
fn serve(clients: usize, until: Until, client: &Arc<ClientConfig>, config: &TlsConfig) -> Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let silent = Arc::<AtomicUsize>::default();
        let mut crowd = Vec::new();
        opt_out(|| {
            let new = || Quiet(Box::new(Client::new(client, until, &silent)));
            crowd = (0..clients).map(|_| new()).collect();
        });
        let server = Server::new(async |_| "hello");
        let serving = server.clone();
        let listener = server.tls_listener(Crowd(crowd), config.clone());
        tokio::spawn(async move { serving.serve(listener).await });
        while silent.load(SeqCst) < clients {
            tokio::task::yield_now().await;
        }
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(server.counts().total(), clients);
    });
    runtime
}

/// How many bytes of the heap each client costs while it is silent.
fn kept(until: Until, version: &'static rustls::SupportedProtocolVersion) -> i64 {
    let site = Site::new();
    let (client, config) = (site.client_of(version), site.config(None));
    drop(serve(10, until, &client, &config));
    let mut kept = Vec::with_capacity(2);
    let few = measure(|| kept.push(serve(10, until, &client, &config))).bytes_current;
    let many = measure(|| kept.push(serve(210, until, &client, &config))).bytes_current;
    (many - few) / 200
}

#[test]
fn an_idle_tls_connection_costs_at_most_ten_kibibytes() {
    for version in [&TLS13, &TLS12] {
        let bytes = kept(Until::Reply, version);
        assert!(bytes <= 10 << 10, "{version:?}: {bytes} bytes");
    }
}

#[test]
fn a_silent_tls_client_costs_at_most_two_kibibytes() {
    let bytes = kept(Until::Connected, &TLS13);
    assert!(bytes <= 2 << 10, "{bytes} bytes");
}

#[test]
fn half_a_client_hello_costs_at_most_two_kibibytes() {
    let bytes = kept(Until::HalfAClientHello, &TLS13);
    assert!(bytes <= 2 << 10, "{bytes} bytes");
}

/// rustls holds 7.8 KiB of this, and we 1.7: a buffer of 4 KiB to read into, which it takes for the ClientHello and keeps,
/// its connection (1.2), both ciphers (1.1), and the places of handshake messages (0.6). An open connection keeps the
/// same.
#[test]
fn after_the_server_flight_a_client_costs_what_an_open_one_does() {
    for version in [&TLS13, &TLS12] {
        let bytes = kept(Until::ServerFlight, version);
        assert!(bytes <= 10 << 10, "{version:?}: {bytes} bytes");
    }
}
