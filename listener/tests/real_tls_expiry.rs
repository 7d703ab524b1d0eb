//! A certificate that expires while it is in use, by the clock of the machine.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod tls_support;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use quintet_listener::Tls;
use tls_support::{Authority, handshake, memory, options};

#[tokio::test]
async fn a_certificate_that_expires_while_it_serves_is_reported_once() {
    let ours = Authority::new("ours");
    // A time of a certificate is whole seconds; the last one is in it.
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() + 2;
    let expires = Duration::from_secs(seconds);
    let config = ours.issue_until("a.example", 1, expires).config(options());
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&lines);
    let (memory, dial) = memory();
    let mut tls = Tls::new(memory, config).on_certificate_expired(move |expired| {
        log.lock().unwrap().push(expired.to_string());
    });
    let client = Arc::new(ours.client());
    let (_server, opened, _client) = handshake(&mut tls, &dial, &client, "a.example").await;
    opened.unwrap();
    assert_eq!(lines.lock().unwrap().len(), 0);
    let over = SystemTime::UNIX_EPOCH + expires + Duration::from_millis(1010);
    tokio::time::sleep(over.duration_since(SystemTime::now()).unwrap()).await;
    for _ in 0..2 {
        let (_server, _, client) = handshake(&mut tls, &dial, &client, "a.example").await;
        // A session that is resumed is not asked for its certificate.
        drop(client);
        let lines = lines.lock().unwrap();
        assert!(lines.len() == 1 && lines[0].contains("cert.pem expired at "), "{lines:?}");
    }
}
