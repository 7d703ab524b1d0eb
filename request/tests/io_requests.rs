//! Tests of `Requests`: a connection as a sequence of requests, without a server.

#![cfg(feature = "io")]

mod common;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use quintet_conn::Wire;
use quintet_request::{CloseReason, Exchange, Limits, Next, RequestBody, Requests, RequestsError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::timeout,
};

/// A client and its connection as a sequence of requests.
fn pair() -> (DuplexStream, Requests<DuplexStream>) {
    let (client, server) = duplex(1 << 20);
    (client, Requests::new(Wire::new(server), Arc::new(Limits::default())))
}

const GOES_ON: (Next, Option<CloseReason>) = (Next::Continue, None);

fn ends(reason: CloseReason) -> (Next, Option<CloseReason>) {
    (Next::Linger, Some(reason))
}

/// Reads the next request and drops it, as a handler that ignores it.
async fn next(requests: &mut Requests<DuplexStream>) -> Exchange {
    Exchange::new(requests.next().await.expect("no error").expect("a request").head())
}

/// Settles a request after its reply: what is next, and the close reason.
async fn settle(
    requests: &mut Requests<DuplexStream>,
    exchange: &mut Exchange,
    limit: u64,
) -> (Next, Option<CloseReason>) {
    (common::io::settle(requests, exchange, limit).await, exchange.close_reason())
}

/// The bytes of memory that a piece of a body holds.
fn kept(piece: Bytes) -> usize {
    piece.try_into_mut().expect("the only reference").capacity()
}

#[tokio::test]
async fn a_small_piece_of_a_large_body_keeps_little_memory() {
    let (mut client, mut requests) = pair();
    client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n").await.unwrap();
    let mut request = requests.next().await.unwrap().unwrap();
    for len in [1, 10, 1000, 10_000, 100_000] {
        client.write_all(&vec![b'x'; len]).await.unwrap();
        let mut left = len;
        while left > 0 {
            let piece = request.body_mut().chunk().await.unwrap().unwrap();
            left -= piece.len();
            let size = piece.len();
            let kept = kept(piece);
            assert!(kept <= 8 * size.max(8), "{size} bytes keep {kept}");
        }
    }
}

#[tokio::test]
async fn connection_close_from_the_client_ends_keep_alive() {
    let close = "Connection: close\r\n";
    for (head, expected) in [
        ("POST / HTTP/1.1\r\nHost: a\r\n".to_owned(), GOES_ON),
        (format!("POST / HTTP/1.1\r\nHost: a\r\n{close}"), ends(CloseReason::ClientAsked)),
        ("POST / HTTP/1.0\r\n".to_owned(), ends(CloseReason::ClientAsked)),
        ("POST / HTTP/1.0\r\nConnection: keep-alive\r\n".to_owned(), GOES_ON),
    ] {
        for late in [0, 1, 3] {
            let (mut client, mut requests) = pair();
            client.write_all(format!("{head}Content-Length: 3\r\n\r\n").as_bytes()).await.unwrap();
            client.write_all(&b"abc"[..3 - late]).await.unwrap();
            let mut exchange = next(&mut requests).await;
            client.write_all(&b"abc"[3 - late..]).await.unwrap();
            assert_eq!(settle(&mut requests, &mut exchange, 10).await, expected, "{head:?}, {late} bytes late");
        }
    }
}

#[tokio::test]
async fn pipelined_requests_follow_read_and_unread_bodies() {
    let (mut client, mut requests) = pair();
    let bodies = ["3\r\nabc\r\n0\r\n\r\n", "0\r\n\r\n", "1\r\nx\r\n2;e=1\r\nyz\r\n0\r\nt: 1\r\n\r\n"];
    for body in bodies {
        client.write_all(b"POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
        client.write_all(body.as_bytes()).await.unwrap();
        client.write_all(b"PUT /length HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345").await.unwrap();
    }
    for n in 0..bodies.len() {
        let mut request = requests.next().await.unwrap().unwrap();
        assert_eq!(request.path(), "/chunked");
        let mut exchange = Exchange::new(request.head());
        match n {
            0 => drop(request),
            1 => assert_eq!(request.to_bytes(10).await.unwrap(), ""),
            _ => assert_eq!(request.body_mut().chunk().await.unwrap().unwrap(), "x"),
        }
        assert_eq!(settle(&mut requests, &mut exchange, 1000).await, GOES_ON);
        let mut request = requests.next().await.unwrap().unwrap();
        let mut exchange = Exchange::new(request.head());
        requests.report_body(&mut exchange, 1000);
        assert_eq!((request.path(), exchange.request_body()), ("/length", RequestBody::Read));
        assert_eq!(request.to_bytes(10).await.unwrap(), "12345");
        assert_eq!(settle(&mut requests, &mut exchange, 1000).await, GOES_ON);
    }
    drop(client);
    assert!(requests.next().await.unwrap().is_none());
    assert_eq!(requests.close_reason(), Some(CloseReason::ClientClosed));
}

#[tokio::test]
async fn unread_body_is_reported_when_the_reply_begins() {
    let unread = RequestBody::Lost(CloseReason::RequestBodyUnread);
    let table: [(&str, u64, RequestBody); 6] = [
        ("Content-Length: 3\r\n\r\nabc", 10, RequestBody::Read),
        ("Content-Length: 10\r\n\r\nabc", 10, RequestBody::Unread),
        ("Content-Length: 11\r\n\r\nabc", 10, unread),
        ("Transfer-Encoding: chunked\r\n\r\n", 10, RequestBody::Unread),
        ("Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", 10, unread),
        ("Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", 10, RequestBody::Read),
    ];
    for (rest, limit, expected) in table {
        let (mut client, mut requests) = pair();
        client.write_all(format!("POST / HTTP/1.1\r\nHost: a\r\n{rest}").as_bytes()).await.unwrap();
        let request = requests.next().await.unwrap().unwrap();
        let mut exchange = Exchange::new(request.head());
        if expected != RequestBody::Read {
            requests.report_body(&mut exchange, limit);
            assert_eq!(exchange.request_body(), RequestBody::Held, "{rest:?}: it is held");
        }
        drop(request);
        if !rest.starts_with("Expect") {
            requests.report_body(&mut exchange, limit);
            assert_eq!(exchange.request_body(), expected, "{rest:?}");
        }
    }
    // A body that is still held when the reply begins is asked for with a 100; one that was dropped is not.
    let (mut client, mut requests) = pair();
    client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n").await.unwrap();
    let mut exchange = next(&mut requests).await;
    requests.report_body(&mut exchange, 10);
    assert_eq!(exchange.request_body(), unread);
    assert_eq!(settle(&mut requests, &mut exchange, 10).await, ends(CloseReason::RequestBodyUnread));
    let mut seen = [0; 1];
    assert!(timeout(Duration::from_millis(50), client.read(&mut seen)).await.is_err(), "nothing was said");
}

#[tokio::test]
async fn keep_alive_needs_a_body_read_to_its_end() {
    let table = [
        ("Content-Length: 3\r\n\r\nabc", GOES_ON),
        ("Content-Length: 1000\r\n\r\nabc", ends(CloseReason::RequestBodyUnread)),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", GOES_ON),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabcd", ends(CloseReason::RequestBodyBroken)),
        ("Transfer-Encoding: chunked\r\n\r\n64\r\n", ends(CloseReason::RequestBodyBroken)),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nno field\r\n\r\n", ends(CloseReason::RequestBodyBroken)),
    ];
    for (rest, expected) in table {
        let (mut client, mut requests) = pair();
        client.write_all(format!("POST / HTTP/1.1\r\nHost: a\r\n{rest}").as_bytes()).await.unwrap();
        client.write_all(&[b'x'; 200]).await.unwrap();
        client.shutdown().await.unwrap();
        let mut exchange = next(&mut requests).await;
        assert_eq!(settle(&mut requests, &mut exchange, 100).await, expected, "{rest:?}");
    }
}

#[tokio::test]
async fn body_is_discarded_while_the_reply_is_flushed() {
    let (client, server) = duplex(1000);
    let mut requests = Requests::new(Wire::new(server), Arc::new(Limits::default()));
    let (mut reader, mut writer) = tokio::io::split(client);
    let sending = tokio::spawn(async move {
        writer.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n").await.unwrap();
        writer.write_all(&[b'x'; 50_000]).await.unwrap();
        writer
    });
    let mut exchange = next(&mut requests).await;
    requests.wire().output.push(vec![b'y'; 100_000].into());
    let flushing = tokio::spawn(async move {
        std::future::poll_fn(|cx| requests.poll_flush(cx, 60_000)).await.unwrap();
        requests
    });
    // The client reads no byte of the reply before it has sent the whole body.
    let _writer = timeout(Duration::from_secs(10), sending).await.expect("each waits for the other").unwrap();
    let mut reply = vec![0; 100_000];
    reader.read_exact(&mut reply).await.unwrap();
    let mut requests = flushing.await.unwrap();
    assert_eq!(settle(&mut requests, &mut exchange, 60_000).await, GOES_ON);
}

#[tokio::test]
async fn requests_error_has_the_status_of_the_reply() {
    use CloseReason::{ClientClosed, HeadRefused, UnexpectedEof};
    let table: [(&str, Option<Option<u16>>, CloseReason); 6] = [
        ("", None, ClientClosed),
        ("GET / HT", Some(Some(400)), UnexpectedEof),
        ("GET / HTTP/2.0\r\n\r\n", Some(Some(505)), HeadRefused),
        ("GET / HTTP/1.1\r\n\r\n", Some(Some(400)), HeadRefused),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", Some(Some(400)), HeadRefused),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", Some(Some(501)), HeadRefused),
    ];
    for (bytes, expected, why) in table {
        let (mut client, mut requests) = pair();
        client.write_all(bytes.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let (seen, reason) = match requests.next().await {
            Ok(None) => (None, requests.close_reason()),
            Ok(Some(request)) => panic!("{request:?}"),
            Err(error) => (Some(error.status().map(|status| status.as_u16())), Some(error.close_reason())),
        };
        assert_eq!(seen, expected, "{bytes:?}");
        assert_eq!(reason, Some(why), "{bytes:?}");
    }
    let (client, mut requests) = pair();
    drop(client);
    assert!(matches!(requests.next().await, Ok(None)));
    assert_eq!(RequestsError::TimedOut.status(), Some(StatusCode::REQUEST_TIMEOUT));
}

#[tokio::test]
async fn next_is_cancel_safe_at_every_byte() {
    let request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    let (mut client, mut requests) = pair();
    let head = request.len() - 3;
    for byte in &request[..head - 1] {
        client.write_all(&[*byte]).await.unwrap();
        assert!(timeout(Duration::from_millis(1), requests.next()).await.is_err(), "too early");
    }
    client.write_all(&request[head - 1..]).await.unwrap();
    let mut request = requests.next().await.unwrap().unwrap();
    assert_eq!(request.to_bytes(3).await.unwrap(), "abc");
}

/// Malformed heads without an end have the same status in every split as in one piece.
#[test]
fn malformed_incomplete_head_has_one_error_in_every_split() {
    let long = "A".repeat(40);
    for (head, status, why) in [
        ("GET / HTTP/5.6", 505, "version is not http/1 at byte 6"),
        (long.as_str(), 501, "method is too long at byte 32"),
        ("GET / HTTP/1.1\r\n x", 400, "field line is folded at byte 16"),
        ("GET / HTTP/1.1\r\nX : 1", 400, "whitespace before the colon at byte 17"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nX", 400, "host is repeated at byte 25"),
        ("GET / HTTP/1.1\r\nExpect: x\r\nX: 1", 417, "expectation is not 100-continue at byte 24"),
        ("GET / HTTP/1.1\r\nX: a\x01", 400, "field value has a control character at byte 20"),
        ("GET / HTTP/1.1\r\nX: a\rb", 400, "carriage return without line feed at byte 20"),
        ("GET / HTTP/1.1\r\nX: a\n", 400, "line ends without carriage return at byte 20"),
        ("GET /\r", 400, "version is malformed at byte 5"),
        ("GET /a#", 400, "target has a byte that is not allowed at byte 6"),
        ("GET * HTTP/1.1\r\nH", 400, "target has no form for this method at byte 4"),
        ("GET /%zz HTTP/1.1\r\nH", 400, "target has a malformed percent escape at byte 5"),
        ("\r\n\r", 400, "more than one empty line before the request at byte 2"),
        ("\rG", 400, "carriage return without line feed at byte 0"),
        ("GET / HTTP/1.1\r\nHost: a\r\n", 400, "the head ended early"),
        ("GET / HT", 400, "the head ended early"),
        ("G", 400, "the head ended early"),
    ] {
        let expected = Err((Some(status), why.to_owned()));
        let single: Vec<_> = (0..head.len()).collect();
        assert_eq!(common::io::verdict(head.as_bytes(), &[]), expected, "{head:?} at once");
        assert_eq!(common::io::verdict(head.as_bytes(), &single), expected, "{head:?} in single bytes");
        for split in 0..=head.len() {
            assert_eq!(common::io::verdict(head.as_bytes(), &[split]), expected, "{head:?} split at {split}");
        }
    }
}

#[tokio::test]
async fn complete_head_is_kept_for_a_caller_that_waits_for_fin() {
    let (mut client, mut requests) = pair();
    client.write_all(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    client.shutdown().await.unwrap();
    assert!(requests.readable().await.unwrap());
    assert!(requests.readable().await.unwrap(), "a request is here");
    assert_eq!(requests.try_next().unwrap().unwrap().path(), "/a");
    assert!(!requests.readable().await.unwrap());
}
