//! Sending files by the streams: sockets can, wrappers pass the calls on, and TLS cannot.
#![cfg(all(feature = "sendfile", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    fs::{self, File, OpenOptions},
    future::poll_fn,
    io::{self, Write},
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use quintet_listener::{Abortable, AnyStream, FdReleased, Limit, Listener, Stream, TcpListener, TcpOptions};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::{TcpStream, UnixStream},
};

/// More than the buffers of two sockets hold.
const LEN: usize = 16 << 20;

/// Bytes in which a missing or moved piece is noticed.
fn content() -> Vec<u8> {
    let pattern: Vec<u8> = (0..4093).map(|at| (at % 251) as u8).collect();
    let mut content = pattern.repeat(LEN / pattern.len() + 1);
    content.truncate(LEN);
    content
}

/// A file that is removed at once: only the descriptor keeps it.
fn file() -> File {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("quintet-send-file-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
    let path = std::env::temp_dir().join(name);
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    file.write_all(&content()).unwrap();
    fs::remove_file(path).unwrap();
    file
}

/// Sends a head and a whole file, which is larger than what the sockets hold; returns how many calls sent the file.
async fn send(stream: &mut impl Stream, file: &File) -> io::Result<usize> {
    assert_eq!(poll_fn(|cx| stream.poll_send_file(cx, file, 0, 0)).await?, Some(0), "it can");
    assert_eq!(poll_fn(|cx| stream.poll_write_more(cx, b"head")).await?, 4);
    let (mut at, mut calls) = (0, 0);
    while at < LEN {
        let sent = poll_fn(|cx| stream.poll_send_file(cx, file, at as u64, LEN - at)).await?;
        at += sent.expect("it can");
        calls += 1;
    }
    assert_eq!(poll_fn(|cx| stream.poll_send_file(cx, file, LEN as u64, 10)).await?, Some(0), "the end of the file");
    Ok(calls)
}

/// Sends a file, and checks that the client receives it.
async fn sends(mut stream: impl Stream, mut client: impl AsyncRead + Unpin) {
    let (file, mut received) = (file(), vec![0; 4 + LEN]);
    let (calls, read) = tokio::join!(send(&mut stream, &file), client.read_exact(&mut received));
    read.unwrap();
    assert!(calls.unwrap() > 1, "the file is larger than what the sockets hold");
    assert!(received == [b"head", &content()[..]].concat());
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (listener.accept().await.unwrap().0, client)
}

#[tokio::test]
async fn a_socket_sends_a_file_behind_its_head() {
    let (stream, client) = tcp().await;
    sends(stream, client).await;
    let (stream, client) = UnixStream::pair().unwrap();
    sends(stream, client).await;
}

#[tokio::test]
async fn what_wraps_a_stream_passes_files_on() {
    let (stream, client) = tcp().await;
    sends(AnyStream::Tcp(stream), client).await;
    let (stream, client) = UnixStream::pair().unwrap();
    sends(AnyStream::Unix(stream), client).await;
    let (stream, client) = tcp().await;
    sends(FdReleased::new().on_drop(stream), client).await;
    let (stream, client) = tcp().await;
    sends(Abortable::new(stream).0, client).await;
    let mut limit = Limit::new(TcpListener::bind("127.0.0.1:0", &TcpOptions::default()).unwrap(), 1);
    let addr = SocketAddr::from(([127, 0, 0, 1], limit.get_ref().port()));
    let client = TcpStream::connect(addr).await.unwrap();
    sends(limit.accept().await.unwrap().0, client).await;
}

#[cfg(feature = "proxy")]
#[tokio::test]
async fn a_proxied_stream_sends_files_behind_its_header() {
    use quintet_listener::Proxied;
    use tokio::io::AsyncWriteExt;
    let listener = TcpListener::bind("127.0.0.1:0", &TcpOptions::default()).unwrap();
    let addr = SocketAddr::from(([127, 0, 0, 1], listener.port()));
    let mut proxied = Proxied::new(listener, "127.0.0.1".parse().unwrap());
    let mut client = TcpStream::connect(addr).await.unwrap();
    client.write_all(b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n").await.unwrap();
    sends(proxied.accept().await.unwrap().0, client).await;
}

#[tokio::test]
async fn a_stream_in_memory_sends_no_files() {
    let (mut stream, _client) = tokio::io::duplex(64);
    assert_eq!(poll_fn(|cx| stream.poll_send_file(cx, &file(), 0, 10)).await.unwrap(), None);
    assert_eq!(poll_fn(|cx| stream.poll_write_more(cx, b"head")).await.unwrap(), 4);
}

/// What a file of /proc holds is made when it is read; the system refuses to send it.
#[tokio::test]
async fn a_file_that_cannot_be_sent_is_none_and_no_error() {
    let (mut stream, _client) = tcp().await;
    let status = File::open("/proc/self/status").unwrap();
    assert_eq!(poll_fn(|cx| stream.poll_send_file(cx, &status, 0, 10)).await.unwrap(), None);
}

#[tokio::test]
async fn a_file_to_a_client_that_has_gone_is_an_error() {
    let (mut stream, client) = tcp().await;
    drop(client);
    let kind = send(&mut stream, &file()).await.unwrap_err().kind();
    assert!(matches!(kind, io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset), "{kind:?}");
}
