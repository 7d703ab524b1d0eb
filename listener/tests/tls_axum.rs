//! TLS in front of axum: its accept loop must not wait for a handshake, and its time limit is the stream's.
#![cfg(all(feature = "tls", feature = "axum"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod tls_support;

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo, routing::get};
use quintet_listener::{Addr, Limit, Retry, Tls};
use tls_support::{Authority, memory, options};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};

#[tokio::test(start_paused = true)]
async fn axum_serves_https_while_others_say_nothing() {
    let ours = Authority::new("ours");
    let (memory, dial) = memory();
    let tls = Tls::new(Limit::new(memory, 100), ours.issue("a.example", 1).config(options()));
    let health = tls.health();
    let app = Router::new().route("/", get(async |ConnectInfo(peer): ConnectInfo<Addr>| peer.to_string()));
    let app = app.into_make_service_with_connect_info::<Addr>();
    tokio::spawn(axum::serve(Retry::new(tls), app).into_future());

    let start = Instant::now();
    let mut silent: Vec<_> = (0..50).map(|_| dial.connect()).collect();
    let mut client = dial.tls(&Arc::new(ours.client()), "a.example").await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut reply = String::new();
    client.read_to_string(&mut reply).await.unwrap(); // an end with close_notify: else it is an error
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.ends_with("192.0.2.1:4567"), "{reply}");
    assert_eq!(start.elapsed(), Duration::ZERO);

    for silent in &mut silent {
        assert_eq!(silent.read(&mut [0; 16]).await.unwrap(), 0);
    }
    assert_eq!(start.elapsed().as_secs(), 10);
    let health = health.snapshot();
    assert_eq!((health.handshakes, health.timed_out, health.opening), (1, 50, 0));
}
