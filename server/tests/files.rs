//! Files as reply bodies: framing, order, HEAD, ranges, and files that change while they are sent.
#![cfg(feature = "sendfile")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::{
    fs::{self, File, OpenOptions},
    future::ready,
    io::Write,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use quintet_server::{Body, Request, Response, ServeMux, Server, conn::State, request::CloseReason};
use support::{Client, Dial, bounded, config, dial, in_memory, on_loopback};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// Bytes in which a missing or moved piece is noticed.
fn content(len: usize) -> Vec<u8> {
    let pattern: Vec<u8> = (0..4093).map(|at| (at % 251) as u8).collect();
    let mut content = pattern.repeat(len / pattern.len() + 1);
    content.truncate(len);
    content
}

/// A file that is removed at once: only the descriptor keeps it.
fn file(len: usize) -> Arc<File> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("quintet-server-files-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
    let path = std::env::temp_dir().join(name);
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    file.write_all(&content(len)).unwrap();
    fs::remove_file(path).unwrap();
    Arc::new(file)
}

/// A server whose path says which bytes of the file it sends: `/OFFSET/LEN`. The hook notes why connections ended.
struct Serving {
    server: Server<ServeMux>,
    dial: Dial,
    reasons: Arc<Mutex<Vec<Option<CloseReason>>>>,
}

fn serving(file: &Arc<File>) -> Serving {
    let mux = ServeMux::new();
    for (pattern, sniffed) in [("/{offset}/{len}", false), ("/sniffed/{offset}/{len}", true)] {
        let file = Arc::clone(file);
        mux.handle(pattern, move |request: Request| {
            let number = |name| request.path_value(name).unwrap().parse().unwrap();
            let reply = Response::new(Body::file(Arc::clone(&file), number("offset"), number("len")));
            ready(if sniffed { reply } else { reply.with_content_type("application/octet-stream") })
        });
    }
    mux.handle("/hello", async |_| "hello\n");
    let reasons = Arc::<Mutex<Vec<_>>>::default();
    let (mut config, told) = (config(), Arc::clone(&reasons));
    config.hooks.state = Some(Arc::new(move |connection, _, to| {
        if to == State::Closed {
            told.lock().unwrap().push(connection.close_reason());
        }
    }));
    let server = Server::with_config(mux, config);
    let (dial, _) = in_memory(&server);
    Serving { server, dial, reasons }
}

const LENGTHS: [usize; 9] = [0, 1, 8191, 16 * 1024, 16 * 1024 + 1, 65_536, 100_000, 300_000, 1 << 20];

#[tokio::test]
async fn a_file_is_a_reply_of_its_length() {
    bounded(async {
        let file = file(1 << 20);
        let serving = serving(&file);
        let (addr, _) = on_loopback(&serving.server);
        for len in LENGTHS {
            for offset in [0, 1, 4096] {
                let path = format!("/{offset}/{}", len.min((1 << 20) - offset));
                let expected = &content(1 << 20)[offset..(offset + len).min(1 << 20)];
                let reply = serving.dial.connect().fetch(&path).await;
                assert!(reply.status == 200 && reply.body == expected, "{path} in memory");
                assert_eq!(reply.field("content-length").unwrap(), expected.len().to_string());
                let reply = dial(&addr).await.fetch(&path).await;
                assert!(reply.status == 200 && reply.body == expected, "{path} by TCP");
            }
        }
        assert_eq!(reply_to_head(&serving.dial, "/0/100000").await, "100000");
    })
    .await;
}

/// The announced length of a reply to HEAD, and no body behind it.
async fn reply_to_head(dial: &Dial, path: &str) -> String {
    let mut client = dial.connect();
    client.send(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    let head = client.try_reply_to("HEAD").await.unwrap();
    assert_eq!(client.reply().await.text(), "hello\n");
    head.field("content-length").unwrap().to_owned()
}

#[tokio::test]
async fn a_file_has_its_place_among_pipelined_replies() {
    bounded(async {
        let file = file(1 << 20);
        let serving = serving(&file);
        let (addr, _) = on_loopback(&serving.server);
        let paths = ["/hello", "/0/20000", "/5/7", "/hello", "/1/600000", "/9/30000", "/0/0", "/3/17000", "/hello"];
        let asked: String = paths.iter().map(|path| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
        let mut in_memory = serving.dial.connect();
        let mut by_tcp = dial(&addr).await;
        in_memory.send(&asked).await;
        by_tcp.send(&asked).await;
        for path in paths {
            let expected = match path.split('/').collect::<Vec<_>>()[..] {
                [_, offset, len] => {
                    let (offset, len): (usize, usize) = (offset.parse().unwrap(), len.parse().unwrap());
                    content(1 << 20)[offset..offset + len].to_vec()
                }
                _ => b"hello\n".to_vec(),
            };
            assert!(in_memory.reply().await.body == expected, "{path} in memory");
            assert!(by_tcp.reply().await.body == expected, "{path} by TCP");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_sniffed_file_is_read_for_its_content_type() {
    bounded(async {
        let file = file(200_000);
        let serving = serving(&file);
        for len in [10, 16 * 1024, 100_000] {
            let reply = serving.dial.connect().fetch(&format!("/sniffed/0/{len}")).await;
            assert!(reply.body == content(len));
            assert_eq!(reply.field("content-type"), Some("application/octet-stream"));
            assert_eq!(reply.field("content-length").unwrap(), len.to_string());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_file_before_a_close_is_whole() {
    bounded(async {
        let file = file(1 << 20);
        let serving = serving(&file);
        let mut client = serving.dial.connect();
        client.send("GET /0/1000000 HTTP/1.0\r\n\r\n").await;
        assert!(client.reply().await.body == content(1_000_000));
        assert!(client.ends().await);
        drop(client);
        support::eventually("it ends", || !serving.reasons.lock().unwrap().is_empty()).await;
        assert_eq!(Arc::strong_count(&file), 3, "held by the connection that has ended");
        assert_eq!(*serving.reasons.lock().unwrap(), [Some(CloseReason::ClientAsked)]);
    })
    .await;
}

/// A file that is shorter than announced ends the connection before the announced length, with a reset.
#[tokio::test]
async fn a_file_that_shrank_breaks_its_reply() {
    for (len, asks) in [(20_000, "1.1"), (90_000, "1.1"), (1 << 20, "1.1"), (20_000, "1.0"), (1 << 20, "1.0")] {
        bounded(async {
            let file = file(len - 1);
            let serving = serving(&file);
            let (addr, _) = on_loopback(&serving.server);
            let request = format!("GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /0/{len} HTTP/{asks}\r\nHost: a\r\n\r\n");
            let mut in_memory = serving.dial.connect();
            in_memory.send(&request).await;
            let mut by_tcp = dial(&addr).await;
            by_tcp.send(&request).await;
            broken(in_memory, len).await;
            broken(by_tcp, len).await;
            support::eventually("both end", || serving.reasons.lock().unwrap().len() == 2).await;
            assert_eq!(*serving.reasons.lock().unwrap(), [Some(CloseReason::ReplyBroken); 2], "{len} HTTP/{asks}");
        })
        .await;
    }
}

async fn broken<S: AsyncRead + AsyncWrite + Unpin>(mut client: Client<S>, len: usize) {
    // The reset may overtake earlier bytes, so the reply before may be lost, too.
    let Some(hello) = client.try_reply().await else { return };
    assert_eq!(hello.text(), "hello\n");
    if let Some((status, head)) = client.head().await {
        assert!(status == 200 && head.contains(&format!("Content-Length: {len}")), "{head}");
        let body = client.rest().await;
        assert!(body.len() < len && content(len).starts_with(&body), "{} bytes", body.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_body_is_drained_behind_a_file() {
    bounded(async {
        let file = file(200_000);
        let serving = serving(&file);
        let mut client = serving.dial.connect();
        client.send("POST /0/200000 HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n").await;
        let body = vec![b'x'; 100_000];
        let (mut reader, mut writer) = tokio::io::split(client.io);
        let mut reads = Client::new(tokio::io::join(&mut reader, tokio::io::sink()));
        let (sent, reply) = tokio::join!(writer.write_all(&body), reads.reply());
        sent.unwrap();
        assert!(reply.body == content(200_000));
        let mut client = Client::new(reader.unsplit(writer));
        assert_eq!(client.fetch("/hello").await.text(), "hello\n");
    })
    .await;
}
