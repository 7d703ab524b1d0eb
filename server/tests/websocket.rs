//! WebSocket by its frames: what each costs, which code closes it, and its times. Time is paused.

#![cfg(feature = "websocket")]

mod support;

use std::time::Duration;

use quintet_server::{
    Request, Response, ServeMux, Server, ShutdownReport, StatusCode, WebSocketError, WebSocketOptions, websocket,
};
use support::{Client, Dial, bounded, eventually, in_memory};
use tokio::{
    io::DuplexStream,
    sync::mpsc,
    time::{Instant, timeout},
};

const SECOND: Duration = Duration::from_secs(1);

/// A handshake for this path, with more fields.
fn handshake(path: &str, fields: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
    )
}

/// A frame of a client: its first byte, and its payload, which is masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [1, 2, 3, 4];
    let mut frame = vec![first];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(len @ ..126), _) => frame.push(0x80 | len),
        (_, Ok(len)) => frame.extend([&[0x80 | 126], &len.to_be_bytes()[..]].concat()),
        _ => frame.extend([&[0x80 | 127], &(payload.len() as u64).to_be_bytes()[..]].concat()),
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// The next frame of the server: its first byte and its payload. `None` at the end of the connection.
async fn read(client: &mut Client<DuplexStream>) -> Option<(u8, Vec<u8>)> {
    let head = client.exactly(2).await?;
    let len = match head[1] {
        126 => u64::from(u16::from_be_bytes(client.exactly(2).await?.try_into().ok()?)),
        127 => u64::from_be_bytes(client.exactly(8).await?.try_into().ok()?),
        len => u64::from(len),
    };
    Some((head[0], client.exactly(usize::try_from(len).ok()?).await?))
}

/// Reads a close frame and the end of the connection after it; returns the code.
async fn closes(client: &mut Client<DuplexStream>) -> Option<u16> {
    let (first, payload) = read(client).await?;
    assert_eq!(first, CLOSE, "{payload:?}");
    Some(payload.first_chunk().map_or(0, |code| u16::from_be_bytes(*code)))
}

fn close_frame(code: u16) -> Vec<u8> {
    frame(CLOSE, &code.to_be_bytes())
}

/// Sends back what it is sent, and tells how the session ended.
fn start(options: WebSocketOptions) -> (Server<ServeMux>, Dial, mpsc::UnboundedReceiver<String>) {
    let (tell, told) = mpsc::unbounded_channel();
    let mux = ServeMux::new();
    mux.handle("/echo", move |request: Request| {
        let (tell, options) = (tell.clone(), options.clone());
        async move {
            websocket(&request, &options, async move |mut socket| {
                let outcome = loop {
                    match socket.next().await {
                        None => break "closed".to_owned(),
                        Some(Err(error)) => break format!("{error:?}"),
                        Some(Ok(message)) => {
                            if let Err(error) = socket.send(message).await {
                                break format!("sending: {error:?}");
                            }
                        }
                    }
                };
                let _ = tell.send(outcome); // not all tests listen
                Ok(())
            })
        }
    });
    mux.handle("/dropped", async |request: Request| {
        websocket(&request, &WebSocketOptions::default(), async |mut socket| socket.send("bye").await)
    });
    mux.handle("/failed", async |request: Request| {
        websocket(&request, &WebSocketOptions::default(), async |_socket| Err(WebSocketError::TimedOut))
    });
    mux.handle("/reason", async |request: Request| {
        websocket(&request, &WebSocketOptions::default(), async |socket| {
            socket.close(4000, &"é".repeat(100));
            Ok(())
        })
    });
    mux.handle("/panics", async |request: Request| {
        websocket(&request, &WebSocketOptions::default(), async |_socket| panic!("as asked"))
    });
    let server = support::server(mux);
    let (dial, _) = in_memory(&server);
    (server, dial, told)
}

async fn open(dial: &Dial, path: &str) -> Client<DuplexStream> {
    let mut client = dial.connect();
    client.send(handshake(path, "")).await;
    let (status, head) = client.head().await.expect("a head");
    assert_eq!(status, 101, "{head}");
    assert!(head.contains("Sec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    client
}

#[tokio::test(start_paused = true)]
async fn messages_are_echoed_also_those_sent_with_the_handshake() {
    bounded(async {
        let (_server, dial, mut told) = start(WebSocketOptions::default());
        let mut client = dial.connect_sized(1 << 20);
        let long = vec![7; 200_000];
        let early = [frame(TEXT, b"early"), frame(BINARY, b"too"), frame(TEXT, &[])].concat();
        client.send([handshake("/echo", "").as_bytes(), &early].concat()).await;
        assert_eq!(client.head().await.expect("a head").0, 101);
        for (first, payload) in [(TEXT, &b"early"[..]), (BINARY, b"too"), (TEXT, b"")] {
            assert_eq!(read(&mut client).await, Some((first, payload.to_vec())));
        }
        client.send(frame(BINARY, &long)).await;
        assert_eq!(read(&mut client).await, Some((BINARY, long)));
        // Byte by byte, in three fragments with a ping between them.
        let pieces =
            [frame(0x01, "h\u{e9}".as_bytes()), frame(PING, b"x"), frame(0x00, b"l"), frame(0x80, b"lo")].concat();
        for byte in pieces {
            client.send([byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(read(&mut client).await, Some((PONG, b"x".to_vec())));
        assert_eq!(read(&mut client).await, Some((TEXT, "h\u{e9}llo".as_bytes().to_vec())));
        client.send(close_frame(1000)).await;
        assert_eq!(closes(&mut client).await, Some(1000));
        client.finish().await;
        assert!(client.ends().await);
        assert_eq!(told.recv().await.as_deref(), Some("closed"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_malformed_frame_closes_with_its_code() {
    bounded(async {
        let options = WebSocketOptions { max_message_bytes: 1000, max_frame_bytes: 600, ..WebSocketOptions::default() };
        for (what, bytes, code) in [
            ("a reserved bit", frame(0xc1, b"x"), 1002),
            ("an unknown data opcode", frame(0x83, b"x"), 1002),
            ("an unknown control opcode", frame(0x8b, b"x"), 1002),
            ("a continuation of nothing", frame(0x80, b"x"), 1002),
            ("a message inside a message", [frame(0x01, b"x"), frame(TEXT, b"y")].concat(), 1002),
            ("a fragmented ping", frame(0x09, b"x"), 1002),
            ("a ping of 126 bytes", frame(PING, &[0; 126]), 1002),
            ("a frame without a mask", vec![TEXT, 1, b'x'], 1002),
            ("a close of one byte", frame(CLOSE, b"x"), 1002),
            ("a close with a code that is never sent", close_frame(1005), 1002),
            ("text that is not UTF-8", frame(TEXT, b"\xff"), 1007),
            ("text that is cut in a character", [frame(0x01, b"\xc3"), frame(0x80, b"x")].concat(), 1007),
            ("a long frame", frame(BINARY, &[0; 601]), 1009),
            (
                "a frame that says it is long",
                vec![BINARY, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4],
                1009,
            ),
            ("a long message", [frame(0x02, &[0; 600]), frame(0x80, &[0; 401])].concat(), 1009),
        ] {
            let (server, dial, mut told) = start(options.clone());
            let mut client = open(&dial, "/echo").await;
            client.send(bytes).await;
            assert_eq!(closes(&mut client).await, Some(code), "{what}");
            let end = client.rest().await;
            assert!(end.is_empty(), "{what}: {end:?}");
            assert!(told.recv().await.is_some());
            eventually("no connection is left", || server.counts().total() == 0).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_is_dropped_is_closed_with_1000_or_1011() {
    bounded(async {
        let (_server, dial, _) = start(WebSocketOptions::default());
        let mut client = open(&dial, "/dropped").await;
        assert_eq!(read(&mut client).await, Some((TEXT, b"bye".to_vec())));
        assert_eq!(closes(&mut client).await, Some(1000));
        let since = Instant::now();
        assert!(client.ends().await);
        assert_eq!(since.elapsed().as_secs(), 5, "a client that does not answer the close");

        let mut client = open(&dial, "/failed").await;
        assert_eq!(closes(&mut client).await, Some(1011));
        client.send(close_frame(1011)).await;
        let since = Instant::now();
        client.finish().await;
        assert!(client.ends().await && since.elapsed() < SECOND);

        let mut client = open(&dial, "/reason").await;
        let (_, payload) = read(&mut client).await.expect("a close");
        assert_eq!(payload, [&4000_u16.to_be_bytes(), "é".repeat(61).as_bytes()].concat());

        let mut client = open(&dial, "/panics").await;
        assert!(client.rest().await.is_empty(), "neither a close nor anything else");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_closes_a_websocket_with_1001() {
    bounded(async {
        for answers in [true, false] {
            let (server, dial, mut told) = start(WebSocketOptions::default());
            let mut client = open(&dial, "/echo").await;
            let since = Instant::now();
            let shutdown = tokio::spawn(async move { server.shutdown(60 * SECOND).await });
            assert_eq!(closes(&mut client).await, Some(1001));
            // A message that was on its way is delivered, and cannot be answered.
            if answers {
                client.send(close_frame(1001)).await;
                client.finish().await;
            }
            assert!(client.ends().await);
            assert_eq!(shutdown.await.unwrap(), ShutdownReport { drained: 1, aborted: 0 });
            assert_eq!(told.recv().await.as_deref(), Some("closed"));
            let limit = if answers { SECOND } else { 11 * SECOND };
            assert!(since.elapsed() < limit, "{:?}", since.elapsed());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_pinged_after_30_s_and_closed_after_75_s() {
    bounded(async {
        let (server, dial, mut told) = start(WebSocketOptions::default());
        let mut client = open(&dial, "/echo").await;
        let since = Instant::now();
        // It answers pings, and so is not idle.
        for n in 1..=10 {
            assert_eq!(read(&mut client).await, Some((PING, Vec::new())));
            assert_eq!(since.elapsed().as_secs(), n * 30);
            client.send(frame(PONG, b"")).await;
        }
        let since = Instant::now();
        assert_eq!(read(&mut client).await, Some((PING, Vec::new())));
        assert_eq!(since.elapsed().as_secs(), 30);
        assert_eq!(closes(&mut client).await, Some(1001));
        assert_eq!(since.elapsed().as_secs(), 75);
        assert_eq!(told.recv().await.as_deref(), Some("TimedOut"));
        drop(client);
        eventually("no connection is left", || server.counts().total() == 0).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_given_up() {
    bounded(async {
        let (server, dial, mut told) = start(WebSocketOptions::default());
        let mut client = dial.connect_sized(4096);
        client.send(handshake("/echo", "")).await;
        assert_eq!(client.head().await.expect("a head").0, 101);
        client.send(frame(BINARY, &[0; 100_000])).await;
        let outcome = timeout(100 * SECOND, told.recv()).await.expect("it ends");
        assert_eq!(outcome.as_deref(), Some("sending: TimedOut"));
        eventually("no connection is left", || server.counts().total() == 0).await;
    })
    .await;
}

/// The pongs of a flood of pings are not kept for a client that does not read them.
#[tokio::test(start_paused = true)]
async fn a_client_that_floods_with_pings_and_does_not_read_is_not_read() {
    const PIPE_BYTES: usize = 4096;
    bounded(async {
        let (server, dial, mut told) = start(WebSocketOptions::default());
        let mut client = dial.connect_sized(PIPE_BYTES);
        client.send(handshake("/echo", "")).await;
        assert_eq!(client.head().await.expect("a head").0, 101);
        let (ping, mut taken) = (frame(PING, &[b'p'; 125]), 0);
        while timeout(SECOND, client.send(&ping)).await.is_ok() {
            taken += ping.len();
            // Both directions of the pipe, and what the server buffers of each.
            assert!(taken < 2 * PIPE_BYTES + 2 * 8 * 1024, "{taken} bytes of pings were taken");
        }
        let outcome = timeout(100 * SECOND, told.recv()).await.expect("it ends");
        assert_eq!(outcome.as_deref(), Some("TimedOut"));
        eventually("no connection is left", || server.counts().total() == 0).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_disconnects_ends_the_session() {
    bounded(async {
        let (server, dial, mut told) = start(WebSocketOptions::default());
        for half in [true, false] {
            let mut client = open(&dial, "/echo").await;
            if half {
                client.finish().await;
            }
            drop(client);
            let outcome = told.recv().await.expect("an outcome");
            assert!(outcome.contains("UnexpectedEof"), "{outcome}");
            eventually("no connection is left", || server.counts().total() == 0).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_is_refused_has_its_status() {
    bounded(async {
        let mut options = WebSocketOptions { protocols: vec!["chat".into()], ..WebSocketOptions::default() };
        options.origins.add_trusted_origin("https://trusted.example").unwrap();
        let (_server, dial, _) = start(options);
        for (fields, status, expected) in [
            ("", 101, ""),
            ("Origin: https://a.example\r\n", 101, ""),
            ("Origin: http://A.example\r\n", 101, ""),
            ("Origin: https://trusted.example\r\nSec-Fetch-Site: cross-site\r\n", 101, ""),
            ("Sec-WebSocket-Protocol: x, chat\r\n", 101, "Sec-Websocket-Protocol: chat"),
            ("Sec-WebSocket-Protocol: x\r\n", 101, ""),
            ("Sec-WebSocket-Extensions: permessage-deflate\r\n", 101, ""),
            ("Origin: https://attacker.example\r\n", 403, ""),
            ("Origin: null\r\n", 403, ""),
            ("Origin: https://a.example\r\nSec-Fetch-Site: cross-site\r\n", 403, ""),
            ("Sec-WebSocket-Protocol: x, x\r\n", 400, ""),
            ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400, ""),
            ("Sec-WebSocket-Version: 8\r\n", 426, "Sec-Websocket-Version: 13"),
        ] {
            let mut client = dial.connect();
            client.send(handshake("/echo", fields)).await;
            let (seen, head) = client.head().await.expect("a head");
            assert_eq!(seen, status, "{fields:?}: {head}");
            assert!(head.contains(expected) && !head.contains("Extensions"), "{fields:?}: {head}");
        }
        let mut client = dial.connect();
        client.get("/echo").await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.field("upgrade")), (426, Some("websocket")));
        assert_eq!(reply.field("sec-websocket-version"), Some("13"));
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(client.reply().await.status, 405, "the connection goes on after a refusal");
    })
    .await;
}

/// Over HTTP/2 there is no 101, and no extended CONNECT (RFC 8441): browsers open a connection of HTTP/1.1.
#[test]
fn a_websocket_over_http2_is_501() {
    let get = http::Request::get("http://a.example/echo").version(http::Version::HTTP_2);
    let request = Request::try_from(get.body(quintet_server::Body::empty()).unwrap()).unwrap();
    let reply: Response = websocket(&request, &WebSocketOptions::default(), async |_| Ok(()));
    assert_eq!(reply.status(), StatusCode::NOT_IMPLEMENTED);
}
