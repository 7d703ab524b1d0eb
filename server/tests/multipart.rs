//! Forms with files behind a server, over HTTP/1.1 and HTTP/2: what arrives, what hostile clients get, 100 Continue, slow
//! clients, and clients that must wait.

#![cfg(feature = "multipart")]

#[cfg(feature = "http2")]
mod http2_kit;
mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use quintet_server::{
    Request, Response, ServeMux, Server,
    request::{MultipartForm, MultipartLimits, MultipartReadError},
};
use support::{Client, Dial, bounded, in_memory};
use tokio::{
    io::DuplexStream,
    time::{Instant, sleep, timeout},
};

const SECOND: Duration = Duration::from_secs(1);
const PART: &str = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n";
const FILE: &str = "--b\r\nContent-Disposition: form-data; name=file; filename=\"../x.txt\"\r\n\r\n";
const END: &str = "\r\n--b--\r\n";
const TYPE: &str = "multipart/form-data; boundary=b";

/// Says what is in a form that was read as a whole. Files are on disk.
async fn whole(mut request: Request) -> Result<String, MultipartReadError> {
    let form = request.parse_multipart_form(0).await?;
    let mut said: Vec<String> = form.values.iter().map(|(name, value)| format!("{name}={}", value.len())).collect();
    for file in &form.files {
        let bytes = file.to_bytes(file.size()).await?;
        said.push(format!("{}:{}={}", file.form_name(), file.file_name(), bytes.len()));
    }
    Ok(said.join(" ") + "\n")
}

/// Says the same of a form that is read as it arrives.
async fn parts(mut request: Request) -> Result<String, MultipartReadError> {
    let mut parts = request.multipart_reader()?;
    let mut said = Vec::new();
    while let Some(part) = parts.next_part().await? {
        let file = part.file_name().map(|name| format!(":{name}")).unwrap_or_default();
        let name = part.form_name().to_owned();
        said.push(format!("{name}{file}={}", part.copy_to(&mut tokio::io::sink(), u64::MAX).await?));
    }
    Ok(said.join(" ") + "\n")
}

fn mux() -> ServeMux {
    let mux = ServeMux::new();
    mux.handle("/{$}", async |_| "hello\n");
    mux.handle("/whole", whole);
    mux.handle("/parts", parts);
    mux.handle("/small", async |mut request: Request| {
        request.set_multipart_limits(MultipartLimits { total: 1_000, ..MultipartLimits::default() });
        whole(request).await
    });
    mux.handle("/unread", async |mut request: Request| {
        let mut parts = request.multipart_reader()?;
        let part = parts.next_part().await?;
        Ok::<_, MultipartReadError>(format!("{}\n", part.is_some()))
    });
    mux
}

fn start() -> (Server<ServeMux>, Dial) {
    let server = support::server(mux());
    let (dial, _) = in_memory(&server);
    (server, dial)
}

fn head(path: &str, content_type: &str, fields: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\n{fields}\r\n")
}

fn with_length(path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    [head(path, content_type, &format!("Content-Length: {}\r\n", body.len())).as_bytes(), body].concat()
}

fn chunked(path: &str, content_type: &str, body: &[u8], size: usize) -> Vec<u8> {
    let mut sent = head(path, content_type, "Transfer-Encoding: chunked\r\n").into_bytes();
    for chunk in body.chunks(size) {
        sent.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        sent.extend(chunk);
        sent.extend(b"\r\n");
    }
    sent.extend(b"0\r\n\r\n");
    sent
}

/// Sends all of a request while its reply is read: the server need not read what it refuses.
async fn exchange(dial: &Dial, bytes: Vec<u8>) -> (u16, String) {
    let (reader, mut writer) = tokio::io::split(dial.connect().io);
    let sending = tokio::spawn(async move {
        let _ = tokio::io::AsyncWriteExt::write_all(&mut writer, &bytes).await;
        writer
    });
    let mut client = Client::new(tokio::io::join(reader, tokio::io::sink()));
    let reply = client.reply().await;
    drop(client);
    let _ = sending.await;
    (reply.status, reply.text().to_owned())
}

/// The same request over HTTP/2.
#[cfg(feature = "http2")]
async fn exchange_http2(dial: &Dial, path: &str, content_type: &str, body: &[u8]) -> (u16, String) {
    let mut client = http2_kit::connect(dial).await;
    let mut request = http2_kit::request("POST", path);
    request.headers_mut().insert("content-type", http::HeaderValue::from_bytes(content_type.as_bytes()).expect("text"));
    let (reply, stream) = client.open(request, false).await;
    let sent = tokio::spawn(http2_kit::send_all(stream, bytes::Bytes::copy_from_slice(body)));
    let reply = http2_kit::read(reply).await.expect("a reply");
    let _ = sent.await;
    (reply.status.as_u16(), reply.text().to_owned())
}

/// The status and the text that a body gets from each way to read it, over each protocol; all must agree.
async fn every_way(content_type: &str, body: &[u8]) -> (u16, String) {
    let (_server, dial) = start();
    let first = exchange(&dial, with_length("/whole", content_type, body)).await;
    for path in ["/whole", "/parts"] {
        let seen = exchange(&dial, with_length(path, content_type, body)).await;
        assert_eq!(seen, first, "{path}, with a length");
        for size in [3, 4_096] {
            let seen = exchange(&dial, chunked(path, content_type, body, size)).await;
            assert_eq!(seen, first, "{path}, in chunks of {size}");
        }
        #[cfg(feature = "http2")]
        {
            let (_server, dial) = http2_kit::start(mux());
            assert_eq!(exchange_http2(&dial, path, content_type, body).await, first, "{path}, over HTTP/2");
        }
    }
    // The server goes on, whatever became of the connection.
    assert_eq!(dial.connect().fetch("/").await.text(), "hello\n");
    first
}

#[tokio::test(start_paused = true)]
async fn a_form_arrives_over_http_1_and_2_in_each_way() {
    bounded(async {
        let data = "0123456789\r\n--".repeat(5_000);
        for (body, said) in [
            ("--b--\r\n".to_owned(), "\n".to_owned()),
            (format!("{PART}{END}"), "a=0\n".into()),
            (format!("{PART}é\r\n{FILE}data{END}"), "a=2 file:x.txt=4\n".into()),
            (format!("{PART}1\r\n{PART}2{END}"), "a=1 a=1\n".into()),
            (format!("{FILE}{data}\r\n{FILE}{data}{END}"), format!("file:x.txt={0} file:x.txt={0}\n", data.len())),
        ] {
            assert_eq!(every_way(TYPE, body.as_bytes()).await, (200, said));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn hostile_uploads_get_a_clear_status() {
    bounded(async {
        let one = format!("{PART}x{END}");
        let parts = format!("{PART}x\r\n");
        let lines = "X-A: b\r\n".repeat(100_000);
        for (content_type, body, status, said) in [
            ("multipart/form-data", one.clone(), 400, "the content type has no boundary"),
            ("multipart/form-data; boundary=b; boundary=c", one.clone(), 400, "more than one boundary"),
            ("multipart/form-data; boundary=\u{e9}", one.clone(), 400, "the boundary is malformed"),
            ("text/plain", one.clone(), 415, "the content type is not multipart/form-data"),
            (TYPE, String::new(), 400, "before its last boundary at byte 0"),
            (TYPE, "junk".repeat(100_000), 400, "does not begin with the boundary at byte 0"),
            (TYPE, format!("{PART}x"), 400, "before its last boundary"),
            (TYPE, format!("--b\r\n{lines}\r\n\r\nx{END}"), 413, "too many lines in a part's header"),
            (TYPE, format!("--b\r\nX: {}", "y".repeat(1 << 20)), 413, "a part's header is too long"),
            (TYPE, format!("--b\r\n{}", "y".repeat(1 << 20)), 413, "a part's header is too long"),
            (TYPE, parts.repeat(10_000) + "--b--", 413, "too many parts"),
            (TYPE, format!("{one}epilogue"), 400, "after its last boundary"),
            (TYPE, one.replace("=a", &format!("={}", "a".repeat(1_025))), 413, "a part's name is too long"),
            (TYPE, one.replace("=a", "=a; filename*=utf-8''..%2fx"), 400, "an extended name"),
            (TYPE, one.replace("\r\n", "\n"), 400, "the boundary line is malformed at byte 3"),
        ] {
            let (seen, text) = every_way(content_type, body.as_bytes()).await;
            assert_eq!(seen, status, "{text}");
            assert!(text.contains(said), "{text:?} and not {said:?}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_form_past_the_total_is_413_with_a_length_or_without() {
    bounded(async {
        let (_server, dial) = start();
        for (size, status) in [(1_000, 200), (1_001, 413), (1 << 20, 413)] {
            let body = format!("{FILE}{}{END}", "x".repeat(size - FILE.len() - END.len()));
            for bytes in [with_length("/small", TYPE, body.as_bytes()), chunked("/small", TYPE, body.as_bytes(), 100)] {
                assert_eq!(exchange(&dial, bytes).await.0, status, "{size} bytes");
            }
        }
    })
    .await;
}

/// A compressed form is told what to send instead, before a byte of it is read.
#[tokio::test(start_paused = true)]
async fn a_compressed_form_is_415_with_accept_encoding() {
    bounded(async {
        let (_server, dial) = start();
        let mut client = dial.connect();
        let fields = "Content-Encoding: gzip\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n";
        client.send(head("/whole", TYPE, fields)).await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.field("accept-encoding")), (415, Some("identity")));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_100_continue_is_sent_only_for_a_form_that_is_read() {
    bounded(async {
        let (_server, dial) = start();
        let body = format!("{FILE}data{END}");
        for path in ["/whole", "/parts"] {
            let fields = format!("Content-Length: {}\r\nExpect: 100-continue\r\n", body.len());
            let mut client = dial.connect();
            client.send(head(path, TYPE, &fields)).await;
            assert_eq!(client.head().await.expect("an interim reply").0, 100);
            client.send(&body).await;
            assert_eq!(client.reply().await.text(), "file:x.txt=4\n");
            // Refused by the head alone: the client need not send the body.
            let mut client = dial.connect();
            client.send(head(path, "multipart/form-data", &fields)).await;
            assert_eq!(client.head().await.expect("a reply").0, 400);
        }
    })
    .await;
}

/// Sends a byte a second, until the reply comes.
async fn dribble(mut client: Client<DuplexStream>) -> (u16, Duration) {
    let since = Instant::now();
    let reply = loop {
        if client.try_send("x").await.is_err() {
            break client.reply().await;
        }
        if let Ok(reply) = timeout(SECOND, client.reply()).await {
            break reply;
        }
    };
    (reply.status, since.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_slow_upload_is_408_in_each_part_of_it() {
    if support::without_timeouts() {
        return;
    }
    bounded(async {
        let (_server, dial) = start();
        for path in ["/whole", "/parts"] {
            for begun in ["", "--", "--b\r\nContent-Disp", PART, FILE, "--b--\r\n"] {
                let mut client = dial.connect();
                client.send(head(path, TYPE, "Content-Length: 100000\r\n") + begun).await;
                let (status, took) = dribble(client).await;
                // Malformed as it is, the first byte of the end may be refused before the time is over.
                let expected = if matches!(begun, "" | "--" | "--b--\r\n") { 400 } else { 408 };
                assert_eq!(status, expected, "{path} after {begun:?}");
                assert!(took < 10 * SECOND, "{took:?}");
            }
        }
    })
    .await;
}

/// While a handler does not ask for more, the client cannot send more than the buffers between them hold.
#[tokio::test(start_paused = true)]
async fn a_client_waits_while_the_handler_does() {
    bounded(async {
        let read = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&read);
        let server = support::server(move |mut request: Request| {
            let read = Arc::clone(&counter);
            async move {
                let mut parts = request.multipart_reader()?;
                while let Some(mut part) = parts.next_part().await? {
                    while let Some(piece) = part.chunk().await? {
                        read.fetch_add(piece.len() as u64, Ordering::Relaxed);
                        sleep(SECOND).await;
                    }
                }
                Ok::<_, MultipartReadError>("done\n")
            }
        });
        let (dial, _) = in_memory(&server);
        const LEN: usize = 8 << 20;
        let mut client = dial.connect();
        let data = vec![b'x'; LEN];
        client.send(head("/", TYPE, &format!("Content-Length: {}\r\n", FILE.len() + LEN + END.len())) + FILE).await;
        let (reader, mut writer) = tokio::io::split(client.io);
        let sent = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&sent);
        let sending = tokio::spawn(async move {
            for piece in data.chunks(1 << 10).chain([END.as_bytes()]) {
                tokio::io::AsyncWriteExt::write_all(&mut writer, piece).await.expect("the server reads");
                counter.fetch_add(piece.len() as u64, Ordering::Relaxed);
            }
            writer
        });
        let mut most = 0;
        while !sending.is_finished() {
            sleep(SECOND / 10).await;
            let (sent, read) = (sent.load(Ordering::Relaxed), read.load(Ordering::Relaxed));
            most = most.max(sent.saturating_sub(read));
        }
        // The pipe, the read ahead, and one piece that the handler has begun.
        assert!(most <= 512 << 10, "{most} bytes were sent ahead");
        let mut client = Client::new(tokio::io::join(reader, tokio::io::sink()));
        assert_eq!((client.reply().await.text(), read.load(Ordering::Relaxed)), ("done\n", LEN as u64));
        drop(sending);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_form_that_is_left_unread_does_not_delay_the_reply() {
    bounded(async {
        let (_server, dial) = start();
        let mut client = dial.connect();
        client.send(head("/unread", TYPE, "Content-Length: 1000000\r\n") + FILE + "first bytes").await;
        let since = Instant::now();
        assert_eq!(client.reply().await.text(), "true\n");
        assert!(since.elapsed() < SECOND);
        // A short one leaves the connection in step.
        let mut client = dial.connect();
        client.send(with_length("/unread", TYPE, format!("{FILE}data{END}").as_bytes())).await;
        assert_eq!(client.reply().await.text(), "true\n");
        assert_eq!(client.fetch("/").await.text(), "hello\n");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_vanishes_ends_the_handler() {
    bounded(async {
        let (ended, mut end) = tokio::sync::mpsc::unbounded_channel();
        let server = support::server(move |mut request: Request| {
            let ended = ended.clone();
            async move {
                let error = request.parse_multipart_form(MultipartForm::DEFAULT_MAX_MEMORY).await.err();
                ended.send(error.map(|error| error.to_string())).expect("the test waits");
                Response::new("")
            }
        });
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        client.send(head("/", TYPE, "Content-Length: 1000000\r\n") + FILE + "first bytes").await;
        sleep(SECOND).await;
        drop(client);
        assert_eq!(end.recv().await.flatten().as_deref(), Some("the body ended early"));
    })
    .await;
}
