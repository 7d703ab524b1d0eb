//! Request and reply bodies: reading, echoing, `100 Continue`, draining, errors. After each of them the connection is
//! in step (the next request is found where it begins) or closes.

mod support;

use std::{future::poll_fn, pin::Pin, sync::Mutex, time::Duration};

use http::HeaderMap;
use http_body::Body as _;
use quintet_server::{Body, BodyError, IntoResponse, Request, Response, ServeMux, Server};
use support::{Client, Dial, bounded, dial, in_memory, on_loopback};
use tokio::{
    io::{AsyncWriteExt, DuplexStream},
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

const SECOND: Duration = Duration::from_secs(1);

async fn echo(request: Request) -> Response {
    Response::new(request.into_body())
}

async fn count(mut request: Request) -> Result<String, BodyError> {
    Ok(format!("{}\n", request.to_bytes(u64::MAX).await?.len()))
}

fn start() -> (Server<ServeMux>, Dial) {
    let mux = ServeMux::new();
    mux.handle("/{$}", async |_| "hello\n");
    mux.handle("/echo", echo);
    mux.handle("/count", count);
    mux.handle("/ignore", async |_| "ignored\n");
    mux.handle("/413", async |mut request: Request| request.to_bytes(1024).await);
    mux.handle("/first", async |mut request: Request| {
        let first = request.body_mut().chunk().await?;
        Ok::<_, BodyError>(format!("{}\n", first.map_or(0, |first| first.len())))
    });
    let server = support::server(mux);
    let (dial, _) = in_memory(&server);
    (server, dial)
}

/// A server with one handler.
fn serve<F, Fut>(handler: F) -> Dial
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: IntoResponse> + Send + 'static,
{
    in_memory(&support::server(handler)).0
}

/// A pattern of bytes in which a missing or moved piece is noticed.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at % 251).expect("less than 251")).collect()
}

/// A chunked body, in chunks of this size.
fn chunks(body: &[u8], size: usize) -> Vec<u8> {
    let mut sent = Vec::new();
    for chunk in body.chunks(size) {
        sent.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        sent.extend(chunk);
        sent.extend(b"\r\n");
    }
    sent.extend(b"0\r\n\r\n");
    sent
}

fn with_length(path: &str, body: &[u8]) -> Vec<u8> {
    let mut sent = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    sent.extend(body);
    sent
}

fn chunked(path: &str, body: &[u8], size: usize) -> Vec<u8> {
    let mut sent = format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
    sent.extend(chunks(body, size));
    sent
}

/// Sends in pieces of this size while reading; returns the reply.
async fn exchange(client: &mut Client<DuplexStream>, bytes: &[u8], piece: usize) -> support::Reply {
    let (reader, writer) = tokio::io::split(std::mem::replace(&mut client.io, tokio::io::duplex(1).0));
    let mut both = Client::new(tokio::io::join(reader, tokio::io::sink()));
    let send = async {
        let mut writer = writer;
        for piece in bytes.chunks(piece) {
            writer.write_all(piece).await.expect("the server reads");
            tokio::task::yield_now().await;
        }
        writer
    };
    let (writer, reply) = tokio::join!(send, both.reply());
    client.io = both.io.into_inner().0.unsplit(writer);
    reply
}

mod echoes {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_echoed_body_is_the_same_for_any_split() {
        bounded(async {
            let (_server, dial) = start();
            let mut client = dial.connect();
            for len in [0, 1, 2, 255, 8191, 8192, 65_536, 100_001, 700_000] {
                let body = pattern(len);
                for piece in [1000, 4096, 65_536, 1 << 20] {
                    let reply = exchange(&mut client, &with_length("/echo", &body), piece).await;
                    assert_eq!(reply.field("content-length"), Some(&*len.to_string()));
                    assert!(reply.body == body, "{len} bytes with a length, in pieces of {piece}");
                    let reply = exchange(&mut client, &chunked("/echo", &body, 5000), piece).await;
                    assert!(reply.body == body, "{len} bytes in chunks, in pieces of {piece}");
                }
            }
            assert_eq!(client.fetch("/").await.text(), "hello\n");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_echoed_small_body_is_the_same_at_every_split() {
        bounded(async {
            let (_server, dial) = start();
            let mut client = dial.connect();
            for request in [with_length("/echo", b"0123456789"), chunked("/echo", b"0123456789", 3)] {
                for at in 0..=request.len() {
                    client.send(&request[..at]).await;
                    sleep(SECOND / 100).await;
                    client.send(&request[at..]).await;
                    assert_eq!(client.reply().await.text(), "0123456789", "split at {at}");
                }
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_echo_reads_and_writes_at_once() {
        bounded(async {
            let (_server, dial) = start();
            let mut client = dial.connect();
            client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n").await;
            let (status, head) = client.head().await.unwrap();
            assert_eq!((status, head.contains("Transfer-Encoding: chunked")), (200, true));
            let mut seen = client.some().await;
            for n in 1..100 {
                client.send(format!("4\r\n{n:04}\r\n")).await;
                seen.extend(client.some().await);
            }
            client.send("0\r\n\r\n").await;
            seen.extend(client.some().await);
            let expected: String = (1..100).map(|n| format!("4\r\n{n:04}\r\n")).collect();
            assert_eq!(String::from_utf8(seen).unwrap(), format!("1\r\n0\r\n{expected}0\r\n\r\n"));
            assert_eq!(client.fetch("/").await.status, 200);
        })
        .await;
    }
}

mod unread {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_unread_body_is_drained_up_to_256_kib() {
        bounded(async {
            let (_server, dial) = start();
            for len in [1, 1000, 65_536, 100_000, 256 << 10] {
                // The framing of a chunked body counts too.
                let data = pattern(len - len / 100);
                for request in [with_length("/ignore", &pattern(len)), chunked("/ignore", &data, 10_000)] {
                    let mut client = dial.connect();
                    let reply = exchange(&mut client, &request, 9999).await;
                    assert_eq!((reply.text(), reply.is_last()), ("ignored\n", false), "{len}");
                    assert_eq!(client.fetch("/").await.text(), "hello\n", "{len}");
                }
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_unread_body_of_one_byte_more_closes_the_connection() {
        bounded(async {
            let (_server, dial) = start();
            let mut client = dial.connect();
            let reply = exchange(&mut client, &with_length("/ignore", &pattern((256 << 10) + 1)), 9999).await;
            assert_eq!((reply.text(), reply.is_last()), ("ignored\n", true));
            assert!(client.ends().await);
            // The size of a chunked body is known only later: the connection then closes without `Connection: close`.
            let mut client = dial.connect();
            client.send("POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            assert_eq!(client.reply().await.text(), "ignored\n");
            for _ in 0..30 {
                let _ = client.try_send(format!("2710\r\n{}\r\n", "x".repeat(10_000))).await;
            }
            let _ = client.try_send("0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert!(client.ends().await);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_rest_of_a_half_read_body_is_drained() {
        bounded(async {
            let (_server, dial) = start();
            for request in [with_length("/first", &pattern(100_000)), chunked("/first", &pattern(100_000), 999)] {
                let mut client = dial.connect();
                let reply = exchange(&mut client, &request, 500).await;
                assert_eq!((reply.status, reply.is_last()), (200, false));
                assert_eq!(client.fetch("/").await.text(), "hello\n");
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_all_before_reading_gets_a_large_reply() {
        bounded(async {
            let dial = serve(async |_| vec![b'x'; 1 << 20]);
            for request in [with_length("/", &pattern(200_000)), chunked("/", &pattern(200_000), 5000)] {
                let mut client = dial.connect_sized(16 * 1024);
                let sent = timeout(20 * SECOND, client.send(&request)).await;
                assert!(sent.is_ok(), "each waits for the other");
                assert_eq!(client.reply().await.body.len(), 1 << 20);
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_all_before_reading_gets_a_stream() {
        bounded(async {
            let dial = serve(async |_| {
                let body = Body::writer(|mut w| async move {
                    for _ in 0..64 {
                        w.write([b'x'; 16 * 1024]).await?;
                    }
                    Ok(())
                });
                Response::new(body).with_content_type("text/plain")
            });
            for request in [with_length("/", &pattern(200_000)), chunked("/", &pattern(200_000), 5000)] {
                let mut client = dial.connect_sized(16 * 1024);
                let sent = timeout(20 * SECOND, client.send(&request)).await;
                assert!(sent.is_ok(), "each waits for the other");
                assert_eq!(client.reply().await.body.len(), 1 << 20);
            }
        })
        .await;
    }

    #[tokio::test]
    async fn a_client_gets_the_413_of_an_unread_upload_of_10_mib() {
        bounded(async {
            let mux = ServeMux::new();
            mux.handle("/413", async |mut request: Request| request.to_bytes(1024).await);
            let server = support::server(mux);
            let (addr, _) = on_loopback(&server);
            let body = vec![b'x'; 10 << 20];
            for request in [with_length("/413", &body), chunked("/413", &body, 10_000)] {
                let mut client = dial(&addr).await;
                client.try_send(&request).await.expect("the server reads on, and does not reset");
                assert_eq!(client.reply().await.status, 413);
                assert!(client.ends().await);
            }
            support::eventually("no connection is left", || server.counts().total() == 0).await;
        })
        .await;
    }

    #[tokio::test]
    async fn a_client_gets_the_404_of_an_unread_upload_of_10_mib() {
        bounded(async {
            let server = support::server(ServeMux::new());
            let (addr, _) = on_loopback(&server);
            let mut client = dial(&addr).await;
            client.try_send(with_length("/", &vec![b'x'; 10 << 20])).await.expect("the server reads on");
            assert_eq!(client.reply().await.status, 404);
        })
        .await;
    }
}

mod kept {
    use super::*;

    /// A handler that passes its body to the test and replies.
    fn gives_away() -> (Dial, mpsc::UnboundedReceiver<Body>) {
        let (give, given) = mpsc::unbounded_channel();
        let dial = serve(move |request: Request| {
            let give = give.clone();
            async move {
                give.send(request.into_body()).expect("the test listens");
                "given\n"
            }
        });
        (dial, given)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_kept_after_the_reply_fails_and_keep_alive_goes_on() {
        bounded(async {
            let (dial, mut given) = gives_away();
            let mut client = dial.connect();
            client.send(&with_length("/", &pattern(10_000))[..5000]).await;
            let mut body = given.recv().await.unwrap();
            client.send(&with_length("/", &pattern(10_000))[5000..]).await;
            assert_eq!(client.reply().await.text(), "given\n");
            sleep(SECOND).await;
            for _ in 0..3 {
                assert!(matches!(body.chunk().await, Err(BodyError::AfterReply)));
            }
            client.get("/").await;
            assert_eq!(client.reply().await.text(), "given\n");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_of_a_body_is_woken_when_the_reply_ends() {
        bounded(async {
            let (dial, mut given) = gives_away();
            let mut client = dial.connect();
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n").await;
            let body = given.recv().await.unwrap();
            let waits = tokio::spawn(async move { body.to_bytes(u64::MAX).await });
            assert!(matches!(waits.await.unwrap(), Err(BodyError::AfterReply)));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_kept_body_does_not_hold_the_socket() {
        bounded(async {
            let (dial, mut given) = gives_away();
            let mut client = dial.connect();
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\nConnection: close\r\n\r\nabc").await;
            let mut body = given.recv().await.unwrap();
            assert!(client.reply().await.is_last());
            assert!(client.ends().await);
            drop(client);
            assert!(matches!(body.chunk().await, Err(BodyError::AfterReply)));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_whose_connection_was_aborted_fails() {
        bounded(async {
            static HELD: Mutex<Option<Body>> = Mutex::new(None);
            let server = support::server(async |mut request: Request| {
                *HELD.lock().unwrap() = Some(request.take_body());
                std::future::pending::<()>().await;
            });
            let (dial, _) = in_memory(&server);
            let mut client = dial.connect();
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\nabc").await;
            sleep(SECOND).await;
            server.close().await;
            assert!(client.ends().await, "the socket is closed");
            let mut body = HELD.lock().unwrap().take().unwrap();
            assert!(matches!(body.chunk().await, Err(BodyError::AfterReply)));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_received_whole_outlives_its_request() {
        bounded(async {
            let (dial, mut given) = gives_away();
            let mut client = dial.connect();
            client.send(with_length("/", b"abc")).await;
            assert_eq!(client.reply().await.text(), "given\n");
            assert_eq!(given.recv().await.unwrap().to_bytes(10).await.unwrap(), "abc");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn another_task_may_read_the_body_for_the_handler() {
        bounded(async {
            let dial = serve(async |request: Request| {
                let reading = tokio::spawn(request.into_body().to_bytes(u64::MAX));
                Response::new(reading.await.expect("no panic").expect("a whole body"))
            });
            let mut client = dial.connect();
            for request in [with_length("/", &pattern(300_000)), chunked("/", &pattern(300_000), 7000)] {
                let reply = exchange(&mut client, &request, 3000).await;
                assert!(reply.body == pattern(300_000));
            }
        })
        .await;
    }

    #[tokio::test]
    async fn another_thread_may_read_the_body_for_the_handler() {
        bounded(async {
            let server = support::server(async |request: Request| {
                let body = request.into_body();
                let handle = tokio::runtime::Handle::current();
                let (tell, told) = oneshot::channel();
                std::thread::spawn(move || tell.send(handle.block_on(body.to_bytes(u64::MAX))));
                Response::new(told.await.expect("no panic").expect("a whole body"))
            });
            let (addr, _) = on_loopback(&server);
            let mut client = dial(&addr).await;
            for _ in 0..5 {
                client.send(with_length("/", &pattern(3_000_000))).await;
                assert!(client.reply().await.body == pattern(3_000_000));
            }
        })
        .await;
    }
}

mod trailers {
    use super::*;

    /// A handler that replies with the trailers.
    async fn show(mut request: Request) -> Result<String, BodyError> {
        let (mut length, mut trailers) = (0, HeaderMap::new());
        let body = request.body_mut();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            match frame?.into_data() {
                Ok(data) => length += data.len(),
                Err(frame) => trailers = frame.into_trailers().expect("a frame is one or the other"),
            }
        }
        Ok(format!("{length} {:?} {:?}", trailers.get("x-sum"), trailers.get("host")))
    }

    #[tokio::test(start_paused = true)]
    async fn trailers_reach_the_handler_except_forbidden_fields() {
        bounded(async {
            let dial = serve(show);
            let mut client = dial.connect();
            let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n";
            for _ in 0..2 {
                client.send(format!("{head}3\r\nabc\r\n0\r\nX-Sum: 7\r\nHost: evil\r\n\r\n")).await;
                assert_eq!(client.reply().await.text(), "3 Some(\"7\") None");
            }
            client.send(format!("{head}0\r\nbroken\r\n\r\n")).await;
            let reply = client.reply().await;
            assert_eq!((reply.status, reply.is_last()), (400, true));
        })
        .await;
    }
}

mod expect {
    use super::*;

    const EXPECT: &str = "HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    const GO_ON: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

    #[tokio::test(start_paused = true)]
    async fn a_100_continue_is_sent_when_the_handler_reads() {
        bounded(async {
            let dial = serve(async |request: Request| {
                sleep(SECOND).await;
                count(request).await
            });
            let mut client = dial.connect();
            client.send(format!("POST / {EXPECT}")).await;
            assert!(timeout(SECOND - SECOND / 10, client.some()).await.is_err(), "not before");
            assert_eq!(client.some().await, GO_ON);
            client.send("abc").await;
            assert_eq!(client.reply().await.text(), "3\n");
            // It is sent only once for each request.
            client.send(format!("POST / {EXPECT}")).await;
            assert_eq!(client.some().await, GO_ON);
            client.send("a").await;
            sleep(SECOND).await;
            client.send("bc").await;
            assert_eq!(client.reply().await.text(), "3\n");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_echo_sends_100_continue_before_its_head() {
        bounded(async {
            let (_server, dial) = start();
            let mut client = dial.connect();
            client.send(format!("POST /echo {EXPECT}")).await;
            assert_eq!(client.some().await, GO_ON);
            client.send("abc").await;
            assert_eq!(client.reply().await.text(), "abc");
            assert_eq!(client.fetch("/").await.status, 200);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_typed_echo_sends_100_continue_before_its_head() {
        bounded(async {
            let dial = serve(async |request: Request| {
                Response::new(request.into_body()).with_content_type("application/octet-stream")
            });
            let mut client = dial.connect();
            client.send(format!("POST / {EXPECT}")).await;
            let (status, _) = client.head().await.unwrap();
            assert_eq!(status, 100);
            let (status, head) = client.head().await.unwrap();
            assert_eq!((status, head.contains("Content-Length: 3")), (200, true));
            client.send("abc").await;
            assert_eq!(client.some().await, b"abc");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_unread_100_continue_body_closes_the_connection() {
        bounded(async {
            let (_server, dial) = start();
            let mut client = dial.connect();
            client.send(format!("POST /ignore {EXPECT}")).await;
            let reply = client.reply().await;
            assert_eq!((reply.status, reply.text(), reply.is_last()), (200, "ignored\n", true));
            // The connection closes whether or not the client sends the body.
            let _ = client.try_send("abcGET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert!(client.ends().await);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_wait_gets_no_100_continue() {
        bounded(async {
            let (_server, dial) = start();
            let mut client = dial.connect();
            client.send(format!("POST /count {EXPECT}abc")).await;
            let (status, head) = client.head().await.unwrap();
            assert_eq!(status, 200, "{head}");
            assert_eq!(client.some().await, b"3\n");
            client.send(format!("POST /ignore {EXPECT}abc")).await;
            assert!(!client.reply().await.is_last());
            assert_eq!(client.fetch("/").await.status, 200);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn http_1_0_and_empty_bodies_get_no_100_continue() {
        bounded(async {
            let (_server, dial) = start();
            let mut client = dial.connect();
            client.send("POST /count HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n").await;
            assert_eq!(client.head().await.unwrap().0, 200);
            let mut old = dial.connect();
            old.send("POST /count HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n").await;
            assert!(timeout(SECOND, old.some()).await.is_err());
            old.send("abc").await;
            assert_eq!(old.head().await.unwrap().0, 200);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn no_100_continue_comes_after_the_head_of_the_reply() {
        bounded(async {
            // The handler keeps the body, and reads it only while the reply is streamed.
            let dial = serve(async |request: Request| {
                let incoming = request.into_body();
                let body = Body::writer(move |mut w| async move {
                    w.write("reply, ").await?;
                    w.flush().await?;
                    let read = incoming.to_bytes(10).await.map_err(std::io::Error::other)?;
                    w.write(read).await
                });
                Response::new(body).with_content_type("text/plain")
            });
            let mut client = dial.connect();
            client.send(format!("POST / {EXPECT}")).await;
            assert_eq!(client.head().await.unwrap().0, 100, "the last moment for it is before the head");
            assert_eq!(client.head().await.unwrap().0, 200);
            sleep(SECOND).await;
            client.send("abc").await;
            let mut seen = Vec::new();
            while !seen.ends_with(b"0\r\n\r\n") {
                seen.extend(client.some().await);
            }
            assert_eq!(String::from_utf8(seen).unwrap(), "7\r\nreply, \r\n3\r\nabc\r\n0\r\n\r\n");
        })
        .await;
    }
}

mod elsewhere {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_reader_in_another_task_does_not_hold_up_the_reply() {
        bounded(async {
            for size in [5_000, 300_000] {
                let dial = serve(move |request: Request| async move {
                    if request.method() == "GET" {
                        return Response::new("second\n");
                    }
                    tokio::spawn(request.into_body().to_bytes(100));
                    Response::new(vec![b'x'; size])
                });
                let mut client = dial.connect_sized(1024);
                client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n").await;
                sleep(SECOND / 5).await; // the reply does not fit into the pipe, and the body is waited for
                client.send("0123456789GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
                let begun = Instant::now();
                assert_eq!(client.reply().await.body.len(), size);
                assert_eq!(client.reply().await.text(), "second\n");
                assert!(begun.elapsed() < SECOND / 10, "after {:?}", begun.elapsed());
            }
        })
        .await;
    }
}

mod broken {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_half_sent_body_is_unexpected_eof_to_the_handler() {
        bounded(async {
            let (_server, dial) = start();
            for request in [
                "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
                "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc",
                "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n",
                "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
                "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
                "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
            ] {
                let mut client = dial.connect();
                client.send(request).await;
                client.finish().await;
                let reply = client.reply().await;
                assert_eq!((reply.status, reply.text()), (400, "the body ended early\n"), "{request:?}");
                assert!(reply.is_last());
                assert!(client.ends().await);
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_malformed_chunk_is_an_error_to_the_handler() {
        bounded(async {
            let (_server, dial) = start();
            let mut client = dial.connect();
            let head = "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
            client.send(format!("{head}3\r\nabcX0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")).await;
            let reply = client.reply().await;
            assert_eq!((reply.status, reply.is_last()), (400, true));
            assert!(client.ends().await, "what follows is not taken for a request");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_unread_malformed_chunk_closes_the_connection() {
        bounded(async {
            let (_server, dial) = start();
            let mut client = dial.connect();
            let head = "POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
            client.send(format!("{head}3\r\nabcX0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")).await;
            assert_eq!(client.reply().await.text(), "ignored\n");
            assert!(client.ends().await);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_malformed_chunk_after_the_reply_head_cuts_the_reply() {
        bounded(async {
            let (_server, dial) = start();
            let mut client = dial.connect();
            client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
            assert_eq!(client.head().await.unwrap().0, 200);
            assert_eq!(client.exactly(8).await.unwrap(), b"3\r\nabc\r\n");
            client.send("nonsense\r\n").await;
            assert_eq!(client.rest().await, b"", "no last chunk");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_echo_of_a_half_sent_body_is_cut() {
        bounded(async {
            let (_server, dial) = start();
            let mut client = dial.connect();
            client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").await;
            let (_, head) = client.head().await.unwrap();
            assert!(head.contains("Content-Length: 10"));
            client.finish().await;
            assert_eq!(client.rest().await, b"abc");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_failed_keeps_failing() {
        bounded(async {
            let (tell, mut told) = mpsc::unbounded_channel();
            let dial = serve(move |mut request: Request| {
                let tell = tell.clone();
                async move {
                    let body = request.body_mut();
                    let mut seen = Vec::new();
                    for _ in 0..4 {
                        seen.push(format!("{:?}", body.chunk().await));
                    }
                    tell.send(seen).expect("the test listens");
                }
            });
            let mut client = dial.connect();
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").await;
            client.finish().await;
            let seen = told.recv().await.unwrap();
            assert_eq!(seen, ["Ok(Some(b\"abc\"))", "Err(UnexpectedEof)", "Err(UnexpectedEof)", "Err(UnexpectedEof)"]);
            assert_eq!(client.reply().await.status, 200);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_body_of_a_wrong_length_cuts_the_reply() {
        bounded(async {
            for (said, written) in [(5, 3), (3, 5)] {
                let dial = serve(move |_| async move {
                    let body = Body::writer(move |mut w| async move {
                        w.write("xx").await?;
                        w.flush().await?;
                        sleep(SECOND / 10).await;
                        w.write("x".repeat(written - 2)).await
                    });
                    Response::new(body).with_content_type("text/plain").with_header("content-length", said.to_string())
                });
                let mut client = dial.connect();
                client.get("/").await;
                let (_, head) = client.head().await.unwrap();
                assert!(head.contains(&format!("Content-Length: {said}")), "{head}");
                let begun = tokio::time::Instant::now();
                let sent = client.rest().await.len();
                assert!(sent < said, "{sent} bytes of {said}: it could be taken for whole");
                assert!(begun.elapsed() < SECOND, "the client waits for the rest: {:?}", begun.elapsed());
            }
        })
        .await;
    }

    /// Replies that break: a path, the body of the request, and the status and text if nothing was sent yet.
    const BROKEN_EARLY: [(&str, &str, u16); 9] = [
        ("/echo", "3\r\nabc\r\nZZ\r\n", 400),
        ("/echo", "ZZ\r\n", 400),
        ("/echo", "3\r\nabcd\r\n", 400),
        ("/typed", "3\r\nabc\r\n3\r\ndef\r\nZZ\r\n", 400),
        ("/typed", "3\r\nabc\r\n0\r\nbad trailer\r\n\r\n", 400),
        ("/at-most-4", "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n", 413),
        ("/error", "0\r\n\r\n", 500),
        ("/short", "0\r\n\r\n", 500),
        ("/long", "0\r\n\r\n", 500),
    ];

    fn breaks() -> Dial {
        let mux = ServeMux::new();
        mux.handle("/{$}", async |_| "hello\n");
        mux.handle("/echo", async |request: Request| Response::new(request.into_body()));
        mux.handle("/typed", async |request: Request| {
            Response::new(request.into_body()).with_content_type("text/plain")
        });
        let echo = async |request: Request| Response::new(request.into_body()).with_content_type("text/plain");
        mux.handle("/at-most-4", quintet_server::mux::max_bytes(4, echo));
        mux.handle("/error", async |_| {
            Response::new(Body::writer(|mut w| async move {
                w.write("begun").await?;
                w.write(vec![b'x'; 20_000]).await?;
                Err(std::io::Error::other("no idea"))
            }))
        });
        for (path, said) in [("/short", "5"), ("/long", "3")] {
            mux.handle(path, move |_| async move {
                Response::new(Body::writer(|mut w| async move { w.write("four").await }))
                    .with_content_type("text/plain")
                    .with_header("content-length", said)
            });
        }
        in_memory(&support::server(mux)).0
    }

    #[tokio::test(start_paused = true)]
    async fn an_unsent_reply_is_replaced_by_the_error_of_its_body() {
        bounded(async {
            let dial = breaks();
            for (path, body, status) in BROKEN_EARLY {
                let mut client = dial.connect();
                let post = format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
                client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n\r\n{post}")).await;
                // The replies before it stay.
                assert_eq!(client.reply().await.text(), "hello\n", "{path} {body:?}");
                let reply = client.reply().await;
                assert_eq!(reply.status, status, "{path} {body:?}: {reply:?}");
                assert_eq!(reply.field("content-length"), Some(reply.body.len().to_string().as_str()), "{reply:?}");
                client.finish().await;
                assert!(client.ends().await, "{path} {body:?}");
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_partly_sent_reply_is_cut_where_its_body_broke() {
        bounded(async {
            let dial = breaks();
            let mut client = dial.connect();
            client.send("POST /typed HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
            assert_eq!(client.head().await.unwrap().0, 200);
            assert_eq!(client.exactly(8).await.unwrap(), b"3\r\nabc\r\n");
            client.send("ZZ\r\n").await;
            assert!(client.ends().await, "neither a last chunk nor another reply");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_body_that_fails_at_once_is_answered_500() {
        bounded(async {
            let dial =
                serve(async |_| Response::new(Body::writer(|_| async { Err(std::io::Error::other("no idea")) })));
            let mut client = dial.connect();
            let reply = client.fetch("/").await;
            assert_eq!((reply.status, reply.is_last()), (500, true));
            assert!(!reply.text().contains("no idea"), "what went wrong is not the client's business");
        })
        .await;
    }
}

/// A body that counts how often it is polled after its end.
struct Strict(Vec<&'static str>, bool);

impl http_body::Body for Strict {
    type Data = bytes::Bytes;
    type Error = std::io::Error;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, std::io::Error>>> {
        assert!(!self.1, "asked after its end");
        if self.0.is_empty() {
            self.1 = true;
            return std::task::Poll::Ready(None);
        }
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(self.0.remove(0).into()))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_body_is_not_polled_after_its_end() {
    bounded(async {
        let dial = serve(async |request: Request| {
            let pieces = request.path().split('/').skip(2).map(|_| "piece").collect();
            let response = Response::new(Body::new(Strict(pieces, false)));
            if request.path().starts_with("/typed") { response.with_content_type("text/plain") } else { response }
        });
        let mut client = dial.connect();
        for path in ["/typed", "/typed/1", "/typed/1/2", "/sniffed", "/sniffed/1", "/sniffed/1/2"] {
            let reply = client.fetch(path).await;
            assert_eq!((reply.status, reply.body.len()), (200, 5 * (path.matches('/').count() - 1)), "{path}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reply_head_is_sent_before_its_body_is_ready() {
    bounded(async {
        let dial = serve(async |_| {
            let body = Body::writer(|mut w| async move {
                sleep(SECOND).await;
                w.write("late").await
            });
            Response::new(body).with_content_type("text/event-stream")
        });
        let mut client = dial.connect();
        client.get("/").await;
        let head = timeout(SECOND / 10, client.head()).await.expect("a head without a body");
        assert_eq!(head.unwrap().0, 200);
        assert_eq!(client.exactly(14).await.unwrap(), b"4\r\nlate\r\n0\r\n\r\n"[..14]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_length_of_a_body_is_known_before_it_is_read() {
    bounded(async {
        let dial = serve(async |request: Request| format!("{:?}\n", request.body().len()));
        let mut client = dial.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12345\r\n\r\n").await;
        assert_eq!(client.reply().await.text(), "Some(12345)\n");
        let mut client = dial.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        assert_eq!(client.reply().await.text(), "None\n");
    })
    .await;
}
