//! A connection seen as a sequence of requests, without a server around it.

#![cfg(feature = "io")]

mod common;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use quintet_conn::Wire;
use quintet_request::{Limits, Requests, RequestsError, Reuse, Unread};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::timeout,
};

/// A client, and what it says as a sequence of requests.
fn pair() -> (DuplexStream, Requests<DuplexStream>) {
    let (client, server) = duplex(1 << 20);
    (client, Requests::new(Wire::new(server), Arc::new(Limits::default())))
}

/// How many bytes of memory a piece of a body keeps.
fn kept(piece: Bytes) -> usize {
    piece.try_into_mut().expect("nobody else has it").capacity()
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
async fn a_connection_that_the_client_wants_closed_is_not_used_again() {
    let close = "Connection: close\r\n";
    for (head, expected) in [
        ("POST / HTTP/1.1\r\nHost: a\r\n".to_owned(), Reuse::Yes),
        (format!("POST / HTTP/1.1\r\nHost: a\r\n{close}"), Reuse::No),
        ("POST / HTTP/1.0\r\n".to_owned(), Reuse::No),
        ("POST / HTTP/1.0\r\nConnection: keep-alive\r\n".to_owned(), Reuse::Yes),
    ] {
        for late in [0, 1, 3] {
            let (mut client, mut requests) = pair();
            client.write_all(format!("{head}Content-Length: 3\r\n\r\n").as_bytes()).await.unwrap();
            client.write_all(&b"abc"[..3 - late]).await.unwrap();
            drop(requests.next().await.unwrap().unwrap());
            client.write_all(&b"abc"[3 - late..]).await.unwrap();
            assert_eq!(requests.settle(10).await.unwrap(), expected, "{head:?}, {late} bytes late");
        }
    }
}

#[tokio::test]
async fn requests_follow_one_another_whatever_becomes_of_their_bodies() {
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
        match n {
            0 => drop(request),
            1 => assert_eq!(request.to_bytes(10).await.unwrap(), ""),
            _ => assert_eq!(request.body_mut().chunk().await.unwrap().unwrap(), "x"),
        }
        assert_eq!(requests.settle(1000).await.unwrap(), Reuse::Yes);
        let mut request = requests.next().await.unwrap().unwrap();
        assert_eq!((request.path(), requests.unread(1000)), ("/length", Unread::Nothing));
        assert_eq!(request.to_bytes(10).await.unwrap(), "12345");
        assert_eq!(requests.settle(1000).await.unwrap(), Reuse::Yes);
    }
    drop(client);
    assert!(requests.next().await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_left_of_a_body_is_known_when_the_reply_begins() {
    let table: [(&str, u64, Unread); 6] = [
        ("Content-Length: 3\r\n\r\nabc", 10, Unread::Nothing),
        ("Content-Length: 10\r\n\r\nabc", 10, Unread::Some),
        ("Content-Length: 11\r\n\r\nabc", 10, Unread::TooMuch),
        ("Transfer-Encoding: chunked\r\n\r\n", 10, Unread::Some),
        ("Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", 10, Unread::TooMuch),
        ("Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", 10, Unread::Nothing),
    ];
    for (rest, limit, expected) in table {
        let (mut client, mut requests) = pair();
        client.write_all(format!("POST / HTTP/1.1\r\nHost: a\r\n{rest}").as_bytes()).await.unwrap();
        let request = requests.next().await.unwrap().unwrap();
        if expected != Unread::Nothing {
            assert_eq!(requests.unread(limit), Unread::Held, "{rest:?}: somebody has it");
        }
        drop(request);
        if !rest.starts_with("Expect") {
            assert_eq!(requests.unread(limit), expected, "{rest:?}");
        }
    }
    // Who holds a body that the client has not been asked for asks for it; who drops it first does not.
    let (mut client, mut requests) = pair();
    client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n").await.unwrap();
    drop(requests.next().await.unwrap().unwrap());
    assert_eq!(requests.unread(10), Unread::TooMuch);
    assert_eq!(requests.settle(10).await.unwrap(), Reuse::Unread);
    let mut seen = [0; 1];
    assert!(timeout(Duration::from_millis(50), client.read(&mut seen)).await.is_err(), "nothing was said");
}

#[tokio::test]
async fn a_connection_is_used_again_only_if_it_is_in_step() {
    let table = [
        ("Content-Length: 3\r\n\r\nabc", Reuse::Yes),
        ("Content-Length: 1000\r\n\r\nabc", Reuse::Unread),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Reuse::Yes),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabcd", Reuse::Unread),
        ("Transfer-Encoding: chunked\r\n\r\n64\r\n", Reuse::Unread),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nno field\r\n\r\n", Reuse::Unread),
    ];
    for (rest, expected) in table {
        let (mut client, mut requests) = pair();
        client.write_all(format!("POST / HTTP/1.1\r\nHost: a\r\n{rest}").as_bytes()).await.unwrap();
        client.write_all(&[b'x'; 200]).await.unwrap();
        client.shutdown().await.unwrap();
        drop(requests.next().await.unwrap().unwrap());
        assert_eq!(requests.settle(100).await.unwrap(), expected, "{rest:?}");
    }
}

#[tokio::test]
async fn a_body_is_thrown_away_while_a_reply_waits_for_its_reader() {
    let (client, server) = duplex(1000);
    let mut requests = Requests::new(Wire::new(server), Arc::new(Limits::default()));
    let (mut reader, mut writer) = tokio::io::split(client);
    let sending = tokio::spawn(async move {
        writer.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n").await.unwrap();
        writer.write_all(&[b'x'; 50_000]).await.unwrap();
        writer
    });
    drop(requests.next().await.unwrap().unwrap());
    requests.wire().output.push(vec![b'y'; 100_000].into());
    let flushing = tokio::spawn(async move {
        std::future::poll_fn(|cx| requests.poll_flush(cx, 60_000)).await.unwrap();
        requests
    });
    // Not one byte of the reply is read before all of the body is sent.
    let _writer = timeout(Duration::from_secs(10), sending).await.expect("each waits for the other").unwrap();
    let mut reply = vec![0; 100_000];
    reader.read_exact(&mut reply).await.unwrap();
    let mut requests = flushing.await.unwrap();
    assert_eq!(requests.settle(60_000).await.unwrap(), Reuse::Yes);
}

#[tokio::test]
async fn what_ends_a_connection_says_what_to_answer() {
    let table: [(&str, Option<Option<u16>>); 6] = [
        ("", None),
        ("GET / HT", Some(Some(400))),
        ("GET / HTTP/2.0\r\n\r\n", Some(Some(505))),
        ("GET / HTTP/1.1\r\n\r\n", Some(Some(400))),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", Some(Some(400))),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", Some(Some(501))),
    ];
    for (bytes, expected) in table {
        let (mut client, mut requests) = pair();
        client.write_all(bytes.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let seen = match requests.next().await {
            Ok(None) => None,
            Ok(Some(request)) => panic!("{request:?}"),
            Err(error) => Some(error.status().map(|status| status.as_u16())),
        };
        assert_eq!(seen, expected, "{bytes:?}");
    }
    let (client, mut requests) = pair();
    drop(client);
    assert!(matches!(requests.next().await, Ok(None)));
    assert_eq!(RequestsError::TimedOut.status(), Some(StatusCode::REQUEST_TIMEOUT));
}

#[tokio::test]
async fn waiting_for_a_request_can_be_given_up_at_any_byte() {
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

/// Heads that are wrong and not whole: the status that they have at once when they come in one piece.
#[test]
fn an_unfinished_head_that_is_wrong_is_refused_for_what_is_wrong_however_it_is_split() {
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
async fn a_whole_head_is_not_lost_to_a_caller_that_waits_for_the_fin_first() {
    let (mut client, mut requests) = pair();
    client.write_all(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    client.shutdown().await.unwrap();
    assert!(requests.readable().await.unwrap());
    assert!(requests.readable().await.unwrap(), "a request is here");
    assert_eq!(requests.try_next().unwrap().unwrap().path(), "/a");
    assert!(!requests.readable().await.unwrap());
}
