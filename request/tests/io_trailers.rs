//! Tests of a request's trailers, for each way to read its body.

#![cfg(feature = "io")]
#![expect(clippy::unwrap_used, reason = "the ways to read are parts of tests")]

mod common;

use std::{pin::Pin, sync::Arc};

use quintet_conn::Wire;
use quintet_request::{Body, Exchange, Limits, Next, Request, Requests};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

const HEAD: &str = "POST /?q=1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n";
const CHUNKS: &str = "Transfer-Encoding: chunked\r\n\r\n2\r\na=\r\n1\r\nb\r\n0\r\n";

/// A way to read a body to its end.
type Read = fn(Request) -> Pin<Box<dyn Future<Output = Request>>>;

const WAYS: [(&str, Read); 8] = [
    ("to_bytes", |mut request| {
        Box::pin(async move {
            assert_eq!(request.to_bytes(3).await.unwrap(), "a=b");
            request
        })
    }),
    ("chunk", |mut request| {
        Box::pin(async move {
            let mut read = Vec::new();
            while let Some(piece) = request.body_mut().chunk().await.unwrap() {
                assert!(request.trailers().is_none() || read.len() + piece.len() == 3, "not before the end");
                read.extend_from_slice(&piece);
            }
            assert_eq!(read, b"a=b");
            request
        })
    }),
    ("form", |mut request| {
        Box::pin(async move {
            assert_eq!(request.form_value("a").await.as_deref(), Some("b"));
            request
        })
    }),
    ("post_form", |mut request| {
        Box::pin(async move {
            assert_eq!(request.post_form().await.unwrap().len(), 1);
            request
        })
    }),
    ("a body that was taken and replaced", |mut request| {
        Box::pin(async move {
            let body = std::mem::replace(request.body_mut(), Body::from("other"));
            assert_eq!(body.to_bytes(3).await.unwrap(), "a=b");
            request
        })
    }),
    ("another task", |mut request| {
        Box::pin(async move {
            let body = request.take_body();
            assert_eq!(tokio::spawn(body.to_bytes(3)).await.unwrap().unwrap(), "a=b");
            request
        })
    }),
    ("limited", |mut request| {
        Box::pin(async move {
            let body = request.take_body().limited(3);
            assert_eq!(body.to_bytes(100).await.unwrap(), "a=b");
            request
        })
    }),
    ("beyond a bridge", |request| {
        Box::pin(async move {
            let (parts, body) = request.into_http().unwrap().into_parts();
            assert_eq!(body.to_bytes(3).await.unwrap(), "a=b");
            Request::try_from(http::Request::from_parts(parts, Body::empty())).unwrap()
        })
    }),
];

fn pair() -> (DuplexStream, Requests<DuplexStream>) {
    let (client, server) = duplex(1 << 16);
    (client, Requests::new(Wire::new(server), Arc::new(Limits::default())))
}

#[tokio::test]
async fn trailers_are_there_after_each_way_to_read_the_body() {
    for (way, read) in WAYS {
        for (trailers, sum) in [
            ("X-Sum: 7\r\nx-sum: 8\r\nHost: b\r\nContent-Length: 9\r\n\r\n", &["7", "8"][..]),
            ("Host: b\r\n\r\n", &[]),
            ("\r\n", &[]),
        ] {
            let (mut client, mut requests) = pair();
            client.write_all(format!("{HEAD}{CHUNKS}{trailers}").as_bytes()).await.unwrap();
            let request = requests.next().await.unwrap().unwrap();
            assert!(request.trailers().is_none(), "{way}: before the end");
            let request = read(request).await;
            match request.trailers() {
                Some(map) => {
                    assert!(map.get_all("x-sum").iter().eq(sum.iter()), "{way}: {map:?}");
                    assert_eq!(map.len(), sum.len(), "{way}: a forbidden trailer is dropped");
                }
                None => assert!(sum.is_empty(), "{way} {trailers:?}"),
            }
        }
    }
}

#[tokio::test]
async fn late_trailers_are_none_until_they_arrive() {
    let text = format!("{HEAD}{CHUNKS}X-Sum: 7\r\n\r\n");
    for at in text.find("\r\n\r\n").unwrap() + 4..text.len() {
        let (mut client, mut requests) = pair();
        client.write_all(&text.as_bytes()[..at]).await.unwrap();
        let mut request = requests.next().await.unwrap().unwrap();
        let body = request.take_body();
        let reader = tokio::spawn(body.to_bytes(3));
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        assert!(request.trailers().is_none(), "{at}: the last bytes are not there");
        client.write_all(&text.as_bytes()[at..]).await.unwrap();
        assert_eq!(reader.await.unwrap().unwrap(), "a=b");
        assert_eq!(request.trailers().unwrap()["x-sum"], "7", "{at}");
    }
}

/// The memory of a request is reused for the next one of the connection, without its trailers.
#[tokio::test]
async fn trailers_are_not_those_of_the_request_before() {
    let (mut client, mut requests) = pair();
    client.write_all(format!("{HEAD}{CHUNKS}X-Sum: 7\r\n\r\n{HEAD}\r\n").as_bytes()).await.unwrap();
    let mut first = requests.next().await.unwrap().unwrap();
    let mut exchange = Exchange::new(first.head());
    first.to_bytes(3).await.unwrap();
    assert!(first.trailers().is_some());
    drop(first);
    assert_eq!(common::io::settle(&mut requests, &mut exchange, 0).await, Next::Continue);
    let second = requests.next().await.unwrap().unwrap();
    assert!(second.trailers().is_none());
}
