//! Which protocol a connection speaks: by ALPN over TLS, by its first bytes without.

#![cfg(all(feature = "http2", feature = "ring"))]

mod http2_kit;
mod support;
mod tls_kit;

use std::{sync::Arc, time::Duration};

use h2::client::Builder;
use http2_kit::{config, over};
use quintet_server::{Config, Protocols, Request, Server, TlsConfig, request::Preface};
use support::{bounded, in_memory};
use tls_kit::{Kit, Site, serve};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    time::{Instant, sleep},
};
use tokio_rustls::client::TlsStream;

const GET: &str = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

async fn version(request: Request) -> String {
    format!("{:?}", http::Version::from(request.version()))
}

fn speaking([http1, http2, unencrypted_http2]: [bool; 3]) -> Config {
    Config { protocols: Protocols { http1, http2, unencrypted_http2 }, ..support::config() }
}

/// Connects to a server over TLS, offering these by ALPN; `Err` if the handshake failed.
async fn offer<H>(kit: &Kit<H>, site: &Site, offered: &[&str]) -> std::io::Result<TlsStream<DuplexStream>> {
    let mut client = (*site.client(None)).clone();
    client.alpn_protocols = offered.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    kit.connect(&Arc::new(client), "a.example").await
}

fn chosen(client: &TlsStream<DuplexStream>) -> String {
    String::from_utf8_lossy(client.get_ref().1.alpn_protocol().unwrap_or_default()).into_owned()
}

/// What the server sends back until the end of the connection.
async fn exchange(mut client: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> Vec<u8> {
    let _ = client.write_all(bytes).await;
    let _ = client.flush().await;
    let mut seen = Vec::new();
    let _ = client.read_to_end(&mut seen).await;
    seen
}

/// The version that a server answers with to a client of HTTP/2.
async fn get_over_http2<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(io: S) -> String {
    let (send, connection) = Builder::new().handshake::<_, bytes::Bytes>(io).await.expect("a handshake");
    tokio::spawn(connection);
    let mut send = send.ready().await.expect("a connection that takes requests");
    let (reply, _) = send.send_request(http2_kit::request("GET", "/"), true).expect("a request");
    http2_kit::read(reply).await.expect("a reply").text().to_owned()
}

#[tokio::test(start_paused = true)]
async fn alpn_chooses_h2_or_http11() {
    bounded(async {
        let site = Site::new();
        const ON: bool = true;
        const OFF: bool = false;
        for (protocols, offered, expected) in [
            ([ON, ON, OFF], &["h2", "http/1.1"][..], Some("h2")),
            ([ON, ON, OFF], &["http/1.1", "h2"], Some("h2")),
            ([ON, ON, OFF], &["http/1.1"], Some("http/1.1")),
            ([ON, ON, OFF], &[], Some("")),
            ([ON, ON, OFF], &["h3", "spdy/3"], None),
            ([ON, OFF, ON], &["h2", "http/1.1"], Some("http/1.1")),
            ([ON, OFF, ON], &["h2"], None),
            ([OFF, ON, OFF], &["h2", "http/1.1"], Some("h2")),
            ([OFF, ON, OFF], &["http/1.1"], None),
        ] {
            let kit = serve(Server::with_config(version, speaking(protocols)), site.config(None));
            let client = offer(&kit, &site, offered).await;
            let seen = client.as_ref().ok().map(chosen);
            assert_eq!(seen.as_deref(), expected, "{protocols:?} {offered:?}");
            match (client, expected) {
                (Ok(client), Some("h2")) => assert_eq!(get_over_http2(client).await, "HTTP/2.0"),
                (Ok(mut client), Some(_)) => {
                    assert_eq!(tls_kit::get(&mut client, "a.example").await, (200, "HTTP/1.1".to_owned()));
                }
                _ => {}
            }
        }
    })
    .await;
}

/// The preface on a connection of HTTP/1.1 is a request line that is refused; a request on one of HTTP/2 is no frame.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_speak_what_alpn_chose_is_refused() {
    bounded(async {
        let site = Site::new();
        let kit = serve(Server::with_config(version, config()), site.config(None));
        let client = offer(&kit, &site, &["http/1.1"]).await.expect("a handshake");
        let seen = exchange(client, Preface::BYTES).await;
        assert!(seen.starts_with(b"HTTP/1.1 505 "), "{}", seen.escape_ascii());
        let client = offer(&kit, &site, &[]).await.expect("a handshake");
        let seen = exchange(client, Preface::BYTES).await;
        assert!(seen.starts_with(b"HTTP/1.1 505 "), "{}", seen.escape_ascii());
        let client = offer(&kit, &site, &["h2"]).await.expect("a handshake");
        let seen = exchange(client, GET.as_bytes()).await;
        assert!(!seen.windows(5).any(|five| five == b"HTTP/"), "{}", seen.escape_ascii());
        assert_eq!(kit.server.counts().total(), 0);
    })
    .await;
}

/// A configuration may offer what this server does not speak: its bytes are not read as requests.
#[tokio::test(start_paused = true)]
async fn a_protocol_of_alpn_that_is_not_spoken_closes_the_connection() {
    bounded(async {
        let site = Site::new();
        for (alpn, protocols) in
            [("acme-tls/1", [true, true, false]), ("h2", [true, false, false]), ("http/1.1", [false, true, false])]
        {
            let mut tls = site.rustls_config("a.example");
            tls.alpn_protocols = vec![alpn.as_bytes().to_vec()];
            let kit = serve(Server::with_config(version, speaking(protocols)), TlsConfig::from(tls));
            let client = offer(&kit, &site, &[alpn]).await.expect("a handshake");
            assert_eq!(chosen(&client), alpn);
            assert_eq!(exchange(client, GET.as_bytes()).await, b"", "{alpn}");
        }
    })
    .await;
}

/// The preface in two pieces, cut at each byte, and then a request.
#[tokio::test(start_paused = true)]
async fn a_preface_without_tls_is_seen_at_every_split() {
    bounded(async {
        let server = Server::with_config(version, config());
        let (dial, _serving) = in_memory(&server);
        let frames = [Preface::BYTES.as_slice(), b"\0\0\0\x04\0\0\0\0\0"].concat();
        for split in 0..=frames.len() {
            let mut client = dial.connect().io;
            client.write_all(&frames[..split]).await.expect("the server reads");
            sleep(Duration::from_millis(10)).await;
            client.write_all(&frames[split..]).await.expect("the server reads");
            let mut settings = [0; 9];
            client.read_exact(&mut settings).await.expect("a frame");
            assert_eq!(settings[3..5], [4, 0], "SETTINGS, cut at {split}");
        }
        let mut client = over(dial.connect().io, &Builder::new()).await;
        assert_eq!(client.get("/").await.text(), "HTTP/2.0");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn http1_is_served_where_http2_without_tls_is_spoken() {
    bounded(async {
        let server = Server::with_config(version, config());
        let (dial, _serving) = in_memory(&server);
        // Also a request that begins as the preface does.
        for (request, status) in [
            (GET, 200),
            ("PRI * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("PRI * HTTP/2.0\r\nHost: a\r\n\r\n", 505),
            ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", 200),
            ("P", 400),
            ("PRI * HTTP/2.0\r\n\r\n", 505),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r", 505),
        ] {
            for split in 0..=request.len() {
                let mut client = dial.connect();
                client.send(&request[..split]).await;
                sleep(Duration::from_millis(10)).await;
                let _ = client.try_send(&request[split..]).await;
                client.finish().await;
                let reply = client.try_reply().await.map(|reply| reply.status);
                assert_eq!(reply, Some(status), "{request:?} cut at {split}");
            }
        }
        let mut client = dial.connect();
        for _ in 0..2 {
            assert_eq!(client.fetch("/").await.text(), "HTTP/1.1");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_preface_is_answered_505_where_http2_is_not_spoken_without_tls() {
    bounded(async {
        let server = Server::with_config(version, support::config());
        let (dial, _serving) = in_memory(&server);
        let seen = exchange(dial.connect().io, Preface::BYTES).await;
        assert!(seen.starts_with(b"HTTP/1.1 505 "), "{}", seen.escape_ascii());
    })
    .await;
}

/// Without HTTP/1.1 its clients are not answered. Go closes, too.
#[tokio::test(start_paused = true)]
async fn http1_is_not_answered_where_only_http2_is_spoken() {
    bounded(async {
        for protocols in [[false, true, true], [false, true, false], [false, false, true]] {
            let server = Server::with_config(version, speaking(protocols));
            let (dial, _serving) = in_memory(&server);
            assert_eq!(exchange(dial.connect().io, GET.as_bytes()).await, b"", "{protocols:?}");
            if protocols[2] {
                assert_eq!(get_over_http2(dial.connect().io).await, "HTTP/2.0");
            }
        }
    })
    .await;
}

/// A client that begins a preface and says no more has the time of a head, as any other.
#[tokio::test(start_paused = true)]
async fn a_preface_that_is_not_finished_has_the_time_of_a_head() {
    bounded(async {
        if support::without_timeouts() {
            return;
        }
        let server = Server::with_config(version, config());
        let (dial, _serving) = in_memory(&server);
        for sent in ["", "PRI * HTTP/2.0\r\n\r\nSM"] {
            let mut client = dial.connect();
            client.send(sent).await;
            let began = Instant::now();
            let rest = client.rest().await;
            let waited = began.elapsed();
            assert!((Duration::from_secs(10)..Duration::from_secs(11)).contains(&waited), "{sent:?}: {waited:?}");
            let status = if sent.is_empty() { &b""[..] } else { b"HTTP/1.1 505 " };
            assert!(rest.starts_with(status), "{sent:?}: {}", rest.escape_ascii());
        }
    })
    .await;
}

/// The first bytes are read to find out what is spoken, and not by the loop of HTTP/1.1.
#[tokio::test(start_paused = true)]
async fn a_first_request_over_http1_is_active_where_h2c_is_spoken() {
    bounded(async {
        let server = Server::with_config(async |_: Request| sleep(Duration::from_secs(1)).await, config());
        let (dial, _serving) = in_memory(&server);
        for sent in [GET, "GET / HTTP/1.1\r\nHost:", "P"] {
            let mut client = dial.connect();
            client.send(sent).await;
            sleep(Duration::from_millis(100)).await;
            let counts = server.counts();
            // One byte of a preface may still become HTTP/2.
            assert_eq!((counts.new, counts.active), if sent == "P" { (1, 0) } else { (0, 1) }, "{sent:?}");
            drop(client);
            sleep(Duration::from_secs(5)).await;
        }
    })
    .await;
}
