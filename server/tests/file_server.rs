//! A file server on the wire: over TCP, where the kernel sends large files; in memory, over TLS and HTTP/2, where they are
//! read.
#![cfg(feature = "files")]
#![allow(clippy::unwrap_used, reason = "a test")]

#[cfg(feature = "http2")]
mod http2_kit;
mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use quintet_server::{
    Dir, ServeMux, Server,
    mux::{FileOptions, FileServer, Listing, Precompressed},
    strip_prefix,
};
use support::{Client, Reply, bounded, dial, eventually, in_memory, on_loopback, server};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("quintet-file-server-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file that was changed an hour ago.
    fn write(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        fs::File::options().write(true).open(&path).unwrap().set_modified(hour_ago).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Bytes in which a missing or moved piece is noticed.
fn content(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from((at / 3 + at) % 251).unwrap()).collect()
}

const LARGE: usize = 3 << 20;

fn tree(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("small.txt", content(1000));
    folder.write("large.bin", content(LARGE));
    folder.write("empty.txt", "");
    folder.write("page/index.html", "<h1>page</h1>");
    folder.write("page/index.html.gz", "not really gzip");
    folder
}

fn mux(folder: &Folder) -> ServeMux {
    let options = FileOptions {
        listing: Some(Listing::default()),
        precompressed: vec![Precompressed::Gzip],
        ..FileOptions::default()
    };
    let files = FileServer::with_options(Dir::open(&folder.0).unwrap(), options);
    let mux = ServeMux::new();
    mux.handle("GET /files/", strip_prefix("/files", files));
    mux
}

/// Sends requests one after the other on a connection that stays open.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(client: &mut Client<S>) {
    let ask = async |client: &mut Client<S>, method: &str, path: &str, fields: &str| -> Reply {
        client.send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).await;
        client.try_reply_to(method).await.unwrap()
    };
    let small = ask(client, "GET", "/files/small.txt", "").await;
    assert_eq!((small.status, small.field("content-length"), &small.body), (200, Some("1000"), &content(1000)));
    let large = ask(client, "GET", "/files/large.bin", "").await;
    assert_eq!((large.status, large.body == content(LARGE)), (200, true));
    let etag = large.field("etag").unwrap().to_owned();
    let head = ask(client, "HEAD", "/files/large.bin", "").await;
    assert_eq!((head.status, head.field("content-length"), head.field("etag")), (200, Some("3145728"), Some(&*etag)));
    assert!(head.body.is_empty());
    let fresh = ask(client, "GET", "/files/large.bin", &format!("If-None-Match: {etag}\r\n")).await;
    assert_eq!((fresh.status, fresh.field("content-length"), fresh.body.len()), (304, None, 0));
    let range = format!("Range: bytes=1000000-\r\nIf-Range: {etag}\r\n");
    let rest = ask(client, "GET", "/files/large.bin", &range).await;
    assert_eq!((rest.status, rest.body == content(LARGE)[1_000_000..]), (206, true));
    assert_eq!(rest.field("content-range"), Some("bytes 1000000-3145727/3145728"));
    let parts = ask(client, "GET", "/files/large.bin", "Range: bytes=0-9,100000-299999,-1\r\n").await;
    let boundary = parts.field("content-type").unwrap().split_once("boundary=").unwrap().1.to_owned();
    assert_eq!((parts.status, parts.body.len().to_string()), (206, parts.field("content-length").unwrap().to_owned()));
    let mut at = 0;
    for (start, end) in [(0, 10), (100_000, 300_000), (LARGE - 1, LARGE)] {
        let head = parts.body[at..].windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + at + 4;
        assert!(parts.body[at..head].windows(boundary.len()).any(|bytes| bytes == boundary.as_bytes()));
        at = head + end - start;
        assert!(parts.body[head..at] == content(LARGE)[start..end], "part {start}");
    }
    let unsatisfiable = ask(client, "GET", "/files/small.txt", "Range: bytes=1000-\r\n").await;
    assert_eq!((unsatisfiable.status, unsatisfiable.field("content-range")), (416, Some("bytes */1000")));
    let empty = ask(client, "GET", "/files/empty.txt", "Range: bytes=0-\r\n").await;
    assert_eq!((empty.status, empty.field("content-length")), (200, Some("0")));
    let moved = ask(client, "GET", "/files/page?q", "").await;
    assert_eq!((moved.status, moved.field("location")), (301, Some("page/?q")));
    let coded = ask(client, "GET", "/files/page/", "Accept-Encoding: gzip\r\n").await;
    assert_eq!((coded.field("content-encoding"), coded.text()), (Some("gzip"), "not really gzip"));
    let listed = ask(client, "GET", "/files/", "").await;
    assert_eq!((listed.status, listed.field("transfer-encoding")), (200, Some("chunked")));
    assert!(listed.text().contains("<a href=\"large.bin\">"));
    let refused = ask(client, "POST", "/files/small.txt", "Content-Length: 0\r\n").await;
    assert_eq!((refused.status, refused.field("allow")), (405, Some("GET, HEAD")));
    assert_eq!(ask(client, "GET", "/files/..%2fsmall.txt", "").await.status, 404);
    let again = ask(client, "GET", "/files/small.txt", "").await;
    assert_eq!(again.body, content(1000), "the connection is still in step");
}

#[tokio::test]
async fn files_over_tcp_are_sent_by_the_kernel() {
    bounded(async {
        let folder = tree("tcp");
        let server = server(mux(&folder));
        let (addr, serving) = on_loopback(&server);
        exchange(&mut dial(&addr).await).await;
        server.shutdown(Duration::ZERO).await;
        serving.await.unwrap().unwrap();
    })
    .await;
}

/// In memory, and with `QUINTET_OVER_TLS` over TLS.
#[tokio::test]
async fn files_over_other_streams_are_read_in_pieces() {
    bounded(async {
        let folder = tree("memory");
        let server = server(mux(&folder));
        let (dial, _serving) = in_memory(&server);
        exchange(&mut dial.connect()).await;
    })
    .await;
}

/// Replies to pipelined requests come in order, whether they are small, large or not there.
#[tokio::test]
async fn pipelined_requests_for_files_are_answered_in_order() {
    bounded(async {
        let folder = tree("pipeline");
        let server = server(mux(&folder));
        let (addr, _serving) = on_loopback(&server);
        let mut client = dial(&addr).await;
        let names = ["small.txt", "large.bin", "missing", "empty.txt", "large.bin", "small.txt"];
        let requests: String = names.map(|name| format!("GET /files/{name} HTTP/1.1\r\nHost: a\r\n\r\n")).concat();
        client.send(requests).await;
        for name in names {
            let reply = client.reply().await;
            match name {
                "small.txt" => assert!(reply.body == content(1000)),
                "large.bin" => assert!(reply.body == content(LARGE)),
                "empty.txt" => assert_eq!((reply.status, reply.body.len()), (200, 0)),
                _ => assert_eq!(reply.status, 404),
            }
        }
    })
    .await;
}

/// Clients that leave in the middle of a download leave no descriptor open: neither that of the file nor that of the socket.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn aborted_downloads_leave_no_descriptor_open() {
    bounded(async {
        let folder = tree("aborted");
        let server: Server<_> = server(mux(&folder));
        let (addr, _serving) = on_loopback(&server);
        // Whatever the process opens once is open now.
        dial(&addr).await.fetch("/files/large.bin").await;
        let open = || fs::read_dir("/proc/self/fd").unwrap().count();
        eventually("the first client is gone", || server.counts().total() == 0).await;
        let before = open();
        for round in 0..200 {
            let mut client = dial(&addr).await;
            let fields = if round % 2 == 0 { "" } else { "Range: bytes=0-9,20-3000000\r\n" };
            client.send(format!("GET /files/large.bin HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).await;
            if round % 3 == 0 {
                client.some().await;
            }
            if round % 5 == 0 {
                let _ = client.io.shutdown().await;
            }
        }
        eventually("all clients are gone", || server.counts().total() == 0).await;
        eventually("all descriptors are closed", || open() <= before).await;
    })
    .await;
}

/// The same files over HTTP/2: many at once on one connection.
#[cfg(feature = "http2")]
#[tokio::test]
async fn files_over_http2_are_sent_on_many_streams_at_once() {
    use http2_kit::{connect, read, request, start};

    bounded(async {
        let folder = tree("http2");
        let (_server, dial) = start(mux(&folder));
        let mut client = connect(&dial).await;
        let large = client.get("/files/large.bin").await;
        assert_eq!((large.status.as_u16(), large.field("content-length")), (200, Some("3145728")));
        assert!(large.body == content(LARGE));
        let etag = large.field("etag").unwrap().to_owned();

        let mut asked = Vec::new();
        for (method, name, value, status) in [
            ("GET", "accept", "*/*", 200),
            ("HEAD", "accept", "*/*", 200),
            ("GET", "if-none-match", &*etag, 304),
            ("GET", "range", "bytes=1000000-2999999", 206),
            ("GET", "range", "bytes=0-9,100-199", 206),
            ("GET", "range", "bytes=4000000-", 416),
            ("GET", "if-match", "\"other\"", 412),
        ] {
            let mut request = request(method, "/files/large.bin");
            request.headers_mut().insert(name, value.parse().unwrap());
            // Read at once, because all share the window of the connection.
            let reply = tokio::spawn(read(client.open(request, true).await.0));
            asked.push((method, value, status, reply));
        }
        for (method, value, status, reply) in asked {
            let reply = reply.await.unwrap().unwrap();
            assert_eq!(reply.status.as_u16(), status, "{method} {value}");
            match (status, value) {
                (200, _) if method == "GET" => assert!(reply.body == content(LARGE)),
                (200, _) => assert_eq!((reply.field("content-length"), reply.body.len()), (Some("3145728"), 0)),
                (206, "bytes=0-9,100-199") => {
                    assert_eq!(reply.field("content-length").unwrap(), reply.body.len().to_string());
                }
                (206, _) => assert!(reply.body == content(LARGE)[1_000_000..3_000_000]),
                (304, _) => assert_eq!((reply.field("etag"), reply.body.len()), (Some(&*etag), 0)),
                _ => assert_eq!(reply.field("cache-control"), None),
            }
        }
        assert_eq!(client.get("/files/page?q").await.field("location"), Some("page/?q"));
        let listed = client.get("/files/").await;
        assert!(listed.text().contains("<a href=\"small.txt\">"));
    })
    .await;
}
