//! Behind a proxy, through the façade alone: what a handler is told of its client.
#![cfg(feature = "proxy")]

mod support;

use std::time::Duration;

use quintet_server::{
    Request, Server,
    listener::{Addr, Proxied, ProxyHeader, ProxyHeaderError, UntrustedPolicy, testing::MemoryListener},
};
use support::bounded;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

async fn whoami(request: Request) -> String {
    let connection = request.connection().expect("it came by a server");
    let local = connection.local_addr().map(Addr::to_string).unwrap_or_default();
    format!("{} to {local} by {}", connection.peer_addr(), connection.socket_peer_addr())
}

/// The body of the reply to these bytes, from a proxy in memory; empty if the connection is closed without one.
async fn ask(policy: UntrustedPolicy, trusted: &str, bytes: &str) -> String {
    let (memory, dialer) = MemoryListener::new();
    let proxied = Proxied::new(memory, trusted.parse().expect("networks")).untrusted(policy);
    tokio::spawn(async move { Server::new(whoami).serve(proxied).await });
    let mut client = dialer.connect(64 << 10).0;
    client.write_all(bytes.as_bytes()).await.expect("the pipe holds it");
    let mut reply = String::new();
    let _ = client.read_to_string(&mut reply).await;
    reply.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_handler_is_told_the_client_in_the_proxy_header() {
    bounded(async {
        const HEADER: &str = "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";
        assert!(matches!(ProxyHeader::parse(HEADER.as_bytes()), Ok(Some(_))));
        assert!(matches!(ProxyHeader::parse(REQUEST.as_bytes()), Err(ProxyHeaderError::Signature { at: 0 })));
        let with_header = format!("{HEADER}{REQUEST}");
        let reject = UntrustedPolicy::Reject;
        let reply = ask(reject, "unix", &with_header).await;
        assert!(reply.starts_with("192.0.2.1:56324 to 198.51.100.1:443 by "), "{reply}");
        for (policy, trusted, bytes) in [(reject, "unix", REQUEST), (reject, "10.0.0.0/8", &with_header)] {
            assert_eq!(ask(policy, trusted, bytes).await, "", "{trusted}: {bytes}");
        }
        let skipped = ask(UntrustedPolicy::Skip, "10.0.0.0/8", REQUEST).await;
        assert!(skipped.contains(" by ") && !skipped.contains("192.0.2.1"), "{skipped}");
    })
    .await;
}

/// Not a time limit of HTTP: nothing of HTTP has begun.
#[tokio::test(start_paused = true)]
async fn a_silent_proxy_is_closed_after_five_seconds() {
    bounded(async {
        let start = Instant::now();
        assert_eq!(ask(UntrustedPolicy::Reject, "unix", "").await, "");
        assert_eq!(start.elapsed().as_secs(), Duration::from_secs(5).as_secs());
    })
    .await;
}
