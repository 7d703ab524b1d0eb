//! Tests of wake-ups around a body that shares the wire. They run without timeouts, so a lost wake-up is a hang.

#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::{future::poll_fn, pin::Pin, sync::Arc, task::Context, task::Waker, time::Duration};

use http_body::Body as _;
use quintet_conn::{Connections, Timeouts, Wire};
use quintet_request::{Body, BodyError, Exchange, Limits, Next, RequestBody, Requests};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split},
    sync::oneshot,
    task::{JoinHandle, yield_now},
    time::{sleep, timeout},
};

const BODY: usize = 200_000;
const REPLY: usize = 20 << 20;
/// The most bytes of a body that are discarded.
const UNREAD: u64 = 256 * 1024;

/// A client behind a pipe of 1,000 bytes and its requests, without timeouts.
fn pair(counted: bool) -> (DuplexStream, Requests<DuplexStream>) {
    let (client, server) = duplex(1000);
    let wire = if counted {
        let (connections, sweeper) = Connections::new(Timeouts::none(), None, None);
        tokio::spawn(sweeper);
        let (connection, wire) = connections.admit(server, "192.0.2.1:1".parse().unwrap());
        tokio::spawn(async move {
            let _connection = connection;
            std::future::pending::<()>().await;
        });
        wire
    } else {
        Wire::new(server)
    };
    (client, Requests::new(wire, Arc::new(Limits::default())))
}

/// A client that sends its whole request before it reads the reply.
fn sends_first(client: DuplexStream, chunked: bool) -> JoinHandle<(ReadHalf<DuplexStream>, WriteHalf<DuplexStream>)> {
    let (mut reader, mut writer) = split(client);
    tokio::spawn(async move {
        let framing = if chunked { "Transfer-Encoding: chunked".into() } else { format!("Content-Length: {BODY}") };
        writer.write_all(format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n").as_bytes()).await.unwrap();
        for _ in 0..BODY / 100 {
            if chunked {
                writer.write_all(b"64\r\n").await.unwrap();
            }
            writer.write_all(&[b'x'; 100]).await.unwrap();
            if chunked {
                writer.write_all(b"\r\n").await.unwrap();
            }
        }
        if chunked {
            writer.write_all(b"0\r\n\r\n").await.unwrap();
        }
        let mut reply = vec![0; REPLY];
        reader.read_exact(&mut reply).await.unwrap();
        (reader, writer)
    })
}

/// The other task's use of the body before it drops it.
#[derive(Clone, Copy, Debug)]
enum Does {
    Nothing,
    /// Reads a piece to its end.
    Reads,
    /// Begins to read, and is dropped while it waits.
    Waits,
}

/// A handler gives its body to another task, which drops it while the reply is being sent. The client sends and does
/// not read, so nothing moves until the owner of the wire discards the body.
#[tokio::test(start_paused = true)]
async fn body_dropped_by_another_task_wakes_the_reply() {
    for does in [Does::Nothing, Does::Reads, Does::Waits] {
        for (counted, chunked) in [(false, false), (false, true), (true, false), (true, true)] {
            let (client, mut requests) = pair(counted);
            let client = sends_first(client, chunked);
            let mut request = requests.next().await.unwrap().unwrap();
            let mut exchange = Exchange::new(request.head());
            let mut body: Body = std::mem::take(request.body_mut());
            drop(request);
            let (tell, told) = oneshot::channel::<()>();
            let other = tokio::spawn(async move {
                match does {
                    Does::Nothing => {}
                    Does::Reads => assert!(body.chunk().await.unwrap().is_some()),
                    Does::Waits => {
                        let mut cx = Context::from_waker(Waker::noop());
                        while Pin::new(&mut body).poll_frame(&mut cx).is_ready() {}
                    }
                }
                told.await.unwrap();
                drop(body);
            });
            yield_now().await;
            requests.report_body(&mut exchange, UNREAD);
            assert_eq!(exchange.request_body(), RequestBody::Held);
            requests.wire().output.push(vec![b'y'; REPLY].into());
            let replying = tokio::spawn(async move {
                poll_fn(|cx| requests.poll_flush(cx, UNREAD)).await.unwrap();
                common::io::settle(&mut requests, &mut exchange, UNREAD).await
            });
            sleep(Duration::from_secs(1)).await;
            assert!(!replying.is_finished() && !client.is_finished(), "each waits for the other");
            tell.send(()).unwrap();
            let context = format!("{does:?}, {}", if chunked { "chunked" } else { "of known length" });
            let next = timeout(Duration::from_secs(3600), replying).await.expect(&context).unwrap();
            assert_eq!(next, Next::Continue, "{context}");
            timeout(Duration::from_secs(3600), client).await.expect(&context).unwrap();
            other.await.unwrap();
        }
    }
}

/// While a handler runs its client is watched, also after another task began to read the body and dropped it.
#[tokio::test(start_paused = true)]
async fn body_dropped_while_polled_keeps_the_disconnect_watch() {
    let (mut client, mut requests) = pair(true);
    client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n").await.unwrap();
    let mut request = requests.next().await.unwrap().unwrap();
    let active = request.active().unwrap().clone();
    let mut body: Body = std::mem::take(request.body_mut());
    let watching = tokio::spawn(async move { poll_fn(|cx| requests.poll_watch(cx)).await });
    yield_now().await;
    let reading = tokio::spawn(async move { poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await.is_some() });
    yield_now().await;
    reading.abort();
    assert!(reading.await.unwrap_err().is_cancelled());
    drop(client);
    timeout(Duration::from_secs(3600), active.disconnected()).await.expect("the client has left and was told of");
    watching.abort();
}

/// A reader that drops its wait takes the stall timeout with it. The other reader shows that the timeout is set.
#[tokio::test(start_paused = true)]
async fn dropped_read_of_a_limited_body_stops_its_timeout() {
    for (limited, drops) in [(false, true), (true, true), (true, false)] {
        let (mut client, server) = duplex(1000);
        let timeouts = Timeouts { stall: Duration::from_secs(5), ..Timeouts::none() };
        let (connections, sweeper) = Connections::new(timeouts, None, None);
        tokio::spawn(sweeper);
        let (_connection, wire) = connections.admit(server, "192.0.2.1:1".parse().unwrap());
        let mut requests = Requests::new(wire, Arc::new(Limits::default()));
        client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na").await.unwrap();
        let mut body = requests.next().await.unwrap().unwrap().take_body();
        if limited {
            body = body.limited(1);
        }
        let watching = tokio::spawn(async move { poll_fn(|cx| requests.poll_watch(cx)).await });
        assert_eq!(body.chunk().await.unwrap().unwrap(), "a");
        if drops {
            assert!(timeout(Duration::from_secs(1), body.chunk()).await.is_err(), "nothing to read");
            sleep(Duration::from_secs(60)).await;
            client.write_all(b"b").await.unwrap();
            match body.chunk().await {
                Ok(Some(piece)) => assert!(!limited && piece == "b"),
                Err(BodyError::TooLarge { limit: 1 }) => assert!(limited),
                other => panic!("limited: {limited}, {other:?}"),
            }
        } else {
            assert!(matches!(body.chunk().await, Err(BodyError::TimedOut)));
        }
        watching.abort();
    }
}

/// Every order of a handler that replies, a task that reads the body and a client that sends it, without timeouts.
#[tokio::test(start_paused = true)]
async fn body_read_by_another_task_never_hangs_in_any_order() {
    for (send, reply, read) in (0..27).map(|n| (n % 3, n / 3 % 3, n / 9)) {
        let (client, mut requests) = pair(true);
        let (mut reader, mut writer) = split(client);
        let sending = tokio::spawn(async move {
            writer.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n").await.unwrap();
            sleep(Duration::from_secs(send)).await;
            writer.write_all(&[b'x'; 50_000]).await.unwrap();
            writer
        });
        let receiving = tokio::spawn(async move {
            let mut got = vec![0; 100_000];
            reader.read_exact(&mut got).await.unwrap();
            reader
        });
        let mut request = requests.next().await.unwrap().unwrap();
        let mut exchange = Exchange::new(request.head());
        let mut body: Body = std::mem::take(request.body_mut());
        let reading = tokio::spawn(async move {
            sleep(Duration::from_secs(read)).await;
            let mut read = 0;
            loop {
                match body.chunk().await {
                    Ok(Some(piece)) => read += piece.len(),
                    Ok(None) => return Ok(read),
                    Err(error) => return Err(error),
                }
            }
        });
        let serving = tokio::spawn(async move {
            let mut working = Box::pin(sleep(Duration::from_secs(reply)));
            poll_fn(|cx| {
                let done = working.as_mut().poll(cx);
                if done.is_pending() {
                    assert!(requests.poll_watch(cx).is_pending());
                }
                done
            })
            .await;
            requests.report_body(&mut exchange, UNREAD);
            requests.wire().output.push(vec![b'y'; 100_000].into());
            poll_fn(|cx| requests.poll_flush(cx, UNREAD)).await.unwrap();
            common::io::settle(&mut requests, &mut exchange, UNREAD).await
        });
        let context =
            format!("the client sends after {send} s, the reply comes after {reply} s, the reader after {read}");
        assert_eq!(
            timeout(Duration::from_secs(3600), serving).await.expect(&context).unwrap(),
            Next::Continue,
            "{context}"
        );
        timeout(Duration::from_secs(3600), sending).await.expect(&context).unwrap();
        timeout(Duration::from_secs(3600), receiving).await.expect(&context).unwrap();
        let read = timeout(Duration::from_secs(3600), reading).await.expect(&context).unwrap();
        assert!(matches!(read, Ok(50_000) | Err(BodyError::AfterReply)), "{context}: {read:?}");
    }
}
