//! TCP, then a PROXY header, then TLS: a balancer in front that passes bytes on.
#![cfg(all(feature = "tls", feature = "proxy"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod tls_support;

use std::{
    io::ErrorKind,
    sync::{Arc, Mutex},
};

use quintet_listener::{Listener, Proxied, Tls};
use tls_support::{Authority, memory, open, options, tls_over};
use tokio::io::AsyncWriteExt;

#[tokio::test(start_paused = true)]
async fn tls_behind_a_proxy_header_has_the_address_of_the_header() {
    let ours = Authority::new("ours");
    let (memory, dial) = memory();
    let proxied = Proxied::new(memory, "192.0.2.0/24".parse().unwrap());
    let lines = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&lines);
    let mut tls = Tls::new(proxied, ours.issue("a.example", 1).config(options()))
        .on_error(move |error| to.lock().unwrap().push(error.peer.to_string()));

    let mut client = dial.connect();
    let (mut server, peer) = tls.accept().await.unwrap();
    assert_eq!(peer, "192.0.2.1:4567".parse().unwrap());
    client.write_all(b"PROXY TCP4 198.51.100.7 203.0.113.1 1234 443\r\n").await.unwrap();
    let config = Arc::new(ours.client());
    let (opened, client) = tokio::join!(open(&mut server), tls_over(client, &config, "a.example"));
    client.unwrap();
    let opened = opened.unwrap();
    assert_eq!(opened.peer, Some("198.51.100.7:1234".parse().unwrap()));
    assert_eq!(opened.local, Some("203.0.113.1:443".parse().unwrap()));
    assert_eq!(opened.tls.unwrap().server_name.as_deref(), Some("a.example"));

    // What fails behind the header is reported with its address.
    let mut client = dial.connect();
    let (mut server, _) = tls.accept().await.unwrap();
    client.write_all(b"PROXY TCP4 198.51.100.8 203.0.113.1 1234 443\r\nSSH-2.0\r\n").await.unwrap();
    drop(client);
    open(&mut server).await.unwrap_err();
    assert_eq!(*lines.lock().unwrap(), ["198.51.100.8:1234"]);
}

/// A balancer's check may be to connect and close, every few seconds.
#[tokio::test(start_paused = true)]
async fn a_health_check_that_only_connects_is_counted_and_not_reported() {
    let (memory, dial) = memory();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&lines);
    let proxied = Proxied::new(memory, "192.0.2.0/24".parse().unwrap());
    let mut tls = Tls::new(proxied, Authority::new("ours").issue("a.example", 1).config(options()))
        .on_error(move |error| to.lock().unwrap().push(error.to_string()));
    for bytes in [&b""[..], b"PROXY TCP4 198.51"] {
        let mut client = dial.connect();
        let (mut server, _) = tls.accept().await.unwrap();
        client.write_all(bytes).await.unwrap();
        drop(client);
        assert_eq!(open(&mut server).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
    assert_eq!(*lines.lock().unwrap(), [""; 0]);
    assert_eq!((tls.health().snapshot().disconnected, tls.get_ref().health().snapshot().unexpected_eof), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_header_is_reported_by_the_layer_that_reads_it() {
    let (memory, dial) = memory();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let (to, below) = (Arc::clone(&lines), Arc::clone(&lines));
    let proxied = Proxied::new(memory, "192.0.2.0/24".parse().unwrap())
        .on_error(move |error| below.lock().unwrap().push(error.to_string()));
    let mut tls = Tls::new(proxied, Authority::new("ours").issue("a.example", 1).config(options()))
        .on_error(move |error| to.lock().unwrap().push(error.to_string()));
    let mut client = dial.connect();
    let (mut server, _) = tls.accept().await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(open(&mut server).await.unwrap_err().kind(), ErrorKind::InvalidData);
    let line = "PROXY protocol: 192.0.2.1:4567: no PROXY header: the signature is wrong at byte 0";
    assert_eq!(*lines.lock().unwrap(), [line]);
    let (tls, proxied) = (tls.health().snapshot(), tls.get_ref().health().snapshot());
    assert_eq!((tls.protocol, tls.dropped, tls.opening, proxied.invalid), (1, 0, 0, 1));
}
