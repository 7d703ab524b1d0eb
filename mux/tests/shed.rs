//! `Shed`: which requests are at work, and what the others are answered.

#![allow(missing_docs)]
#![cfg(feature = "io")]

use std::{
    future::{Future, pending},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use http_body::Body as _;
use quintet_mux::{Handler, Response, ServeMux, Shed};
use quintet_request::{Body, Request};
use tokio::sync::Notify;

fn request(path: &str) -> Request {
    Request::parse(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).expect("a request")
}

/// Polls once a future that is not woken.
fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn more_requests_than_the_limit_are_503_with_retry_after() {
    let answer = Arc::new(Notify::new());
    let waits = Arc::clone(&answer);
    let shed = Shed::new(2).retry_after(Duration::from_millis(1500));
    let handler = shed.clone().handler(move |_: Request| {
        let waits = Arc::clone(&waits);
        async move { waits.notified().await }
    });
    let (mut first, mut second) = (pin!(handler.call(request("/"))), pin!(handler.call(request("/"))));
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    for n in 1..=3 {
        let refused = handler.call(request("/")).await;
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.header("retry-after").unwrap(), "2", "rounded up");
        assert_eq!((shed.at_work(), shed.refused()), (2, n));
    }
    answer.notify_waiters();
    assert_eq!(first.await.status(), 200);
    assert_eq!(shed.at_work(), 1);
    let mut third = pin!(handler.call(request("/")));
    assert!(poll(third.as_mut()).is_pending(), "the place is free");
    assert_eq!(second.await.status(), 200);
}

#[tokio::test]
async fn a_dropped_handler_and_a_panic_free_their_place() {
    let shed = Shed::new(1);
    let handler = shed.clone().handler(async |request: Request| match request.path() {
        "/panic" => panic!("as asked"),
        "/never" => pending::<()>().await,
        _ => {}
    });
    {
        let mut never = pin!(handler.call(request("/never")));
        assert!(poll(never.as_mut()).is_pending());
        assert_eq!(shed.at_work(), 1);
    }
    assert_eq!(shed.at_work(), 0);
    let handler = Arc::new(handler);
    let own = Arc::clone(&handler);
    assert!(tokio::spawn(async move { own.call(request("/panic")).await }).await.is_err());
    assert_eq!(shed.at_work(), 0);
    assert_eq!(handler.call(request("/")).await.status(), 200);
}

#[tokio::test]
async fn a_streamed_body_is_at_work_until_it_ends_or_is_dropped() {
    let shed = Shed::new(1);
    let handler = shed.clone().handler(async |request: Request| {
        let fails = request.path() == "/fails";
        Response::new(Body::writer(move |mut w| async move {
            w.write("one").await?;
            w.flush().await?;
            if fails { Err(std::io::ErrorKind::Other.into()) } else { w.write("two").await }
        }))
    });
    for path in ["/", "/fails"] {
        let mut reply = handler.call(request(path)).await;
        assert_eq!((shed.at_work(), handler.call(request("/")).await.status().as_u16()), (1, 503));
        let mut body = reply.take_body();
        assert_eq!(body.chunk().await.unwrap().unwrap(), "one");
        assert_eq!(shed.at_work(), 1);
        assert_eq!(body.to_bytes(100).await.is_ok(), path == "/");
        assert_eq!(shed.at_work(), 0, "{path}");
    }
    let reply = handler.call(request("/")).await;
    assert_eq!(shed.at_work(), 1);
    drop(reply);
    assert_eq!(shed.at_work(), 0);
}

#[tokio::test]
async fn a_reply_in_memory_is_not_at_work_after_its_handler() {
    let shed = Shed::new(1);
    let handler = shed.clone().handler(async |_: Request| "hello\n");
    let first = handler.call(request("/")).await;
    assert_eq!((shed.at_work(), first.body().size_hint().exact()), (0, Some(6)));
    assert_eq!(handler.call(request("/")).await.body().as_bytes(), Some(&b"hello\n"[..]));
}

#[tokio::test]
async fn clones_of_shed_share_their_limit() {
    let (shed, mux) = (Shed::new(1), ServeMux::new());
    mux.handle("/never", shed.clone().handler(async |_: Request| pending::<()>().await));
    mux.handle("/limited", shed.clone().handler(async |_: Request| "hello\n"));
    mux.handle("/free", async |_: Request| "hello\n");
    let mut never = pin!(mux.call(request("/never")));
    assert!(poll(never.as_mut()).is_pending());
    assert_eq!(mux.call(request("/limited")).await.status(), 503);
    assert_eq!(mux.call(request("/free")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_than_the_limit_is_at_work_on_many_threads() {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let shed = Shed::new(3);
    let handler = {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        Arc::new(shed.clone().handler(move |_: Request| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, SeqCst);
            }
        }))
    };
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let handler = Arc::clone(&handler);
            tokio::spawn(async move {
                let mut answered = 0;
                for _ in 0..500 {
                    answered += u64::from(handler.call(request("/")).await.status() == 200);
                }
                answered
            })
        })
        .collect();
    let mut answered = 0;
    for task in tasks {
        answered += task.await.unwrap();
    }
    assert!(most.load(SeqCst) <= 3, "{most:?}");
    assert_eq!((answered + shed.refused(), shed.at_work()), (4000, 0));
}
