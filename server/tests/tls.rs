//! HTTP over TLS: what a handler learns, hosts that a connection does not cover, and how a connection ends.
#![cfg(feature = "ring")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;
mod tls_kit;

use std::{
    io::ErrorKind,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use quintet_server::{
    Body, Config, Hooks, Request, Response, ServeError, Server, StatusCode, Timeouts, TlsConfig, TlsOptions,
    listener::{ClientAuth, HandshakeErrorKind, TlsError, TlsProvider},
    load_tls, load_tls_with,
    mux::Upgraded,
    tls_provider,
};
use rustls::crypto::CryptoProvider;
use support::bounded;
use tls_kit::{Kit, Site, get, pair, serve, serve_with};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep},
};

async fn whoami(request: Request) -> String {
    let Some(tls) = request.tls() else { return "no TLS".to_owned() };
    let (version, protocol) = (tls.version_name().unwrap(), String::from_utf8_lossy(&tls.negotiated_protocol));
    let name = tls.server_name.as_deref().unwrap_or("-");
    format!("{version} {protocol} {name} {} {}", tls.peer_certificates.len(), tls.did_resume)
}

#[tokio::test(start_paused = true)]
async fn a_handler_learns_what_the_handshake_agreed_on() {
    bounded(async {
        let site = Site::new();
        let roots = site.write("roots.pem", &site.authority_pem());
        let kit = serve(Server::new(whoami), site.config(Some(ClientAuth::optional(roots))));
        for (pair, expected) in [
            (None, "TLSv1.3 http/1.1 a.example 0 false"),
            (Some(site.client_pair()), "TLSv1.3 http/1.1 a.example 1 false"),
        ] {
            let mut client = kit.connect(&site.client(pair), "a.example").await.unwrap();
            for _ in 0..2 {
                assert_eq!(get(&mut client, "a.example").await, (200, expected.to_owned()));
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_tls_there_is_no_state() {
    bounded(async {
        let (memory, dial) = support::memory();
        tokio::spawn(async move { Server::new(whoami).serve(memory).await });
        let mut client = dial.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(client.reply().await.text(), "no TLS");
    })
    .await;
}

/// One configuration asks for client certificates, the other does not: by the one nobody gets at the other's pages.
#[tokio::test(start_paused = true)]
async fn a_request_for_a_host_of_another_configuration_is_answered_421() {
    bounded(async {
        let site = Site::new();
        let secret = Arc::new(site.rustls_config("b.example"));
        let config = site.config(None).config_for_client(move |hello| {
            hello.server_name()?.strip_suffix("b.example").map(|_| Arc::clone(&secret))
        });
        let called = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&called);
        let handler = move |request: Request| {
            log.lock().unwrap().push(request.host().unwrap_or("-").to_owned());
            async { "ok" }
        };
        let kit = serve(Server::new(handler), config);
        let mut public = kit.connect(&site.client(None), "a.example").await.unwrap();
        for (host, status) in [
            ("a.example", 200),
            ("A.EXAMPLE.:443", 200),
            ("c.example", 200), // the same configuration
            ("b.example", 421),
            ("B.example:9443", 421),
            ("b.example.", 421),
            ("[::1]:443", 200),
            ("a.example", 200), // and the connection goes on
        ] {
            assert_eq!(get(&mut public, host).await.0, status, "{host}");
        }
        // The target goes before the field Host.
        public.write_all(b"GET http://b.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n").await.unwrap();
        assert_eq!(tls_kit::reply(&mut public).await.0, 421);
        // A request without a host is for the name that was said.
        public.write_all(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await.unwrap();
        assert_eq!(tls_kit::reply(&mut public).await.0, 200);
        let mut secret = kit.connect(&site.client(None), "b.example").await.unwrap();
        assert_eq!(get(&mut secret, "b.example").await.0, 200);
        assert_eq!(get(&mut secret, "a.example").await.0, 421);
        assert_eq!(
            *called.lock().unwrap(),
            ["a.example", "A.EXAMPLE.:443", "c.example", "[::1]:443", "a.example", "-", "b.example"]
        );
    })
    .await;
}

/// The function that chooses is the program's, and the host is the client's.
#[tokio::test(start_paused = true)]
async fn a_choice_that_panics_at_a_host_ends_no_other_request() {
    bounded(async {
        let site = Site::new();
        let config = site.config(None).config_for_client(|hello| {
            assert_ne!(hello.server_name(), Some("b.example"));
            None
        });
        let kit = serve(Server::new(whoami), config);
        let mut client = kit.connect(&site.client(None), "a.example").await.unwrap();
        let requests =
            ["a.example", "b.example", "c.example"].map(|host| format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        client.write_all(requests.concat().as_bytes()).await.unwrap();
        for status in [200, 421, 200] {
            assert_eq!(tls_kit::reply(&mut client).await.0, status);
        }
    })
    .await;
}

/// A reply whose end is that of the connection.
async fn until_close(request: Request) -> Response {
    let breaks = request.path() == "/breaks";
    Response::new(Body::writer(async move |mut writer| {
        writer.write(b"half").await?;
        writer.flush().await?;
        sleep(Duration::from_secs(1)).await;
        if breaks { Err(std::io::Error::other("broken")) } else { writer.write(b" and half").await }
    }))
}

/// Its absence is the only sign that the body is not whole.
#[tokio::test(start_paused = true)]
async fn close_notify_ends_a_whole_reply_and_no_broken_one() {
    bounded(async {
        let site = Site::new();
        let kit = serve(Server::new(until_close), site.config(None));
        for half_closed in [false, true] {
            for (path, body, end) in
                [("/", "half and half", Ok(())), ("/breaks", "half", Err(ErrorKind::UnexpectedEof))]
            {
                let mut client = kit.connect(&site.client(None), "a.example").await.unwrap();
                client.write_all(format!("GET {path} HTTP/1.0\r\nHost: a.example\r\n\r\n").as_bytes()).await.unwrap();
                if half_closed {
                    client.shutdown().await.unwrap();
                }
                let mut reply = Vec::new();
                let ended = client.read_to_end(&mut reply).await;
                let reply = String::from_utf8(reply).unwrap();
                assert!(reply.ends_with(&format!("\r\n\r\n{body}")), "{reply}");
                assert_eq!(ended.map(drop).map_err(|error| error.kind()), end, "{path}, half-closed: {half_closed}");
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_told_when_it_is_closed() {
    bounded(async {
        let site = Site::new();
        let kit = serve(Server::new(whoami), site.config(None));
        let mut client = kit.connect(&site.client(None), "a.example").await.unwrap();
        get(&mut client, "a.example").await;
        let start = Instant::now();
        assert_eq!(client.read(&mut [0; 16]).await.unwrap(), 0, "with close_notify, else it is an error");
        assert_eq!(start.elapsed().as_secs(), 75);

        let mut client = kit.connect(&site.client(None), "a.example").await.unwrap();
        get(&mut client, "a.example").await;
        let ((), report) = tokio::join!(
            async { assert_eq!(client.read(&mut [0; 16]).await.unwrap(), 0) },
            kit.server.shutdown(Duration::from_secs(10))
        );
        assert_eq!((report.drained, report.aborted), (1, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_without_close_notify_is_an_end_like_any_other() {
    bounded(async {
        let site = Site::new();
        let upload = async |mut request: Request| match request.to_bytes(1024).await {
            Ok(body) => format!("{} bytes", body.len()),
            Err(_) => "cut".to_owned(),
        };
        let kit = serve(Server::new(upload), site.config(None));
        // In the middle of nothing, and in the middle of a body.
        for sent in ["", "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nhalf"] {
            let mut client = kit.connect(&site.client(None), "a.example").await.unwrap();
            client.write_all(sent.as_bytes()).await.unwrap();
            client.flush().await.unwrap();
            drop(client);
            sleep(Duration::from_secs(6)).await;
            assert_eq!(kit.server.counts().total(), 0);
        }
        assert_eq!(kit.server.hook_failures().lost_lines, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn clients_that_stall_in_the_handshake_are_gone_in_time_and_hold_up_nobody() {
    bounded(async {
        let site = Site::new();
        let kit = serve(Server::new(whoami), site.config(None));
        let mut stalled: Vec<_> = (0..300).map(|_| kit.dial()).collect();
        for client in &mut stalled[100..200] {
            client.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
        }
        let start = Instant::now();
        let mut client = kit.connect(&site.client(None), "a.example").await.unwrap();
        assert_eq!(get(&mut client, "a.example").await.0, 200);
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(kit.server.counts().total(), 301);
        for client in &mut stalled {
            client.read_to_end(&mut Vec::new()).await.unwrap();
        }
        assert!((10..12).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
        assert_eq!(kit.server.counts().total(), 1);
    })
    .await;
}

/// The handshake has the time of the first head, too, and whichever is shorter ends it.
#[tokio::test(start_paused = true)]
async fn a_handshake_that_read_header_ends_is_counted() {
    bounded(async {
        let site = Site::new();
        let timeouts = Timeouts { read_header: Duration::from_secs(2), ..Timeouts::default() };
        let server = Server::with_config(whoami, Config { timeouts, ..Config::default() });
        let health = OnceLock::new();
        let kit = serve_with(server, |server, memory| {
            let tls = server.tls_listener(memory, site.config(None));
            health.set(tls.health()).unwrap();
            tls
        });
        let mut silent = kit.dial();
        let start = Instant::now();
        silent.read_to_end(&mut Vec::new()).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 2);
        let health = health.get().unwrap().snapshot();
        assert_eq!((health.dropped, health.timed_out, health.opening), (1, 0, 0));
    })
    .await;
}

/// Those who have not finished their handshake do not hold the exit.
#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_handshakes() {
    bounded(async {
        let site = Site::new();
        let kit = serve(Server::new(whoami), site.config(None));
        let _silent = kit.dial();
        sleep(Duration::from_secs(1)).await;
        let start = Instant::now();
        let report = kit.server.shutdown(Duration::from_secs(10)).await;
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        assert_eq!(report.aborted, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_handshake_is_told_to_its_hook() {
    bounded(async {
        let site = Site::new();
        let kinds = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&kinds);
        let hooks = Hooks {
            handshake_error: Some(Arc::new(move |error| log.lock().unwrap().push(error.kind))),
            ..Hooks::default()
        };
        let server = Server::with_config(whoami, Config { hooks, ..Config::default() });
        let kit = serve(server, site.config(None));
        let mut client = kit.dial();
        client.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await.unwrap();
        let mut reply = String::new();
        client.read_to_string(&mut reply).await.unwrap();
        assert!(reply.ends_with("\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"), "{reply}");
        assert_eq!(*kinds.lock().unwrap(), [HandshakeErrorKind::PlainHttp]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_handshake_hook_is_caught_and_counted() {
    bounded(async {
        let site = Site::new();
        let hooks = Hooks { handshake_error: Some(Arc::new(|_| panic!("as asked"))), ..Hooks::default() };
        let server = Server::with_config(whoami, Config { hooks, ..Config::default() });
        let kit = serve(server, site.config(None));
        let mut client = kit.dial();
        client.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").await.unwrap();
        client.read_to_end(&mut Vec::new()).await.unwrap();
        assert_eq!(kit.server.hook_failures().panics, 1);
    })
    .await;
}

/// The end of what a handler took over is not ours to understand.
#[tokio::test(start_paused = true)]
async fn a_connection_that_was_taken_over_keeps_the_error_of_an_end_without_close_notify() {
    bounded(async {
        let site = Site::new();
        let ends = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&ends);
        let handler = move |_: Request| {
            let log = Arc::clone(&log);
            let response = Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, async move |mut upgraded: Upgraded| {
                let end = upgraded.io.read_to_end(&mut Vec::new()).await;
                log.lock().unwrap().push(end.map_err(|error| error.kind()));
            });
            async { response.with_header("upgrade", "echo") }
        };
        let kit = serve(Server::new(handler), site.config(None));
        for says_so in [true, false] {
            let mut client = kit.connect(&site.client(None), "a.example").await.unwrap();
            let request = b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
            client.write_all(request).await.unwrap();
            assert_eq!(tls_kit::reply(&mut client).await.0, 101);
            client.write_all(b"hello").await.unwrap();
            client.flush().await.unwrap();
            if says_so {
                client.shutdown().await.unwrap();
            }
            drop(client);
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(*ends.lock().unwrap(), [Ok(5), Err(ErrorKind::UnexpectedEof)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_and_large_bodies_go_over_tls() {
    bounded(async {
        let site = Site::new();
        let echo = async |mut request: Request| request.to_bytes(1 << 20).await.unwrap();
        let kit = serve(Server::new(echo), site.config(None));
        let mut client = kit.connect(&site.client(None), "a.example").await.unwrap();
        client
            .write_all(&b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc".repeat(16))
            .await
            .unwrap();
        for _ in 0..16 {
            assert_eq!(tls_kit::reply(&mut client).await, (200, "abc".to_owned()));
        }
        let body = "0123456789".repeat(30_000);
        let head = format!("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: {}\r\n\r\n", body.len());
        client.write_all(head.as_bytes()).await.unwrap();
        client.write_all(body.as_bytes()).await.unwrap();
        assert!(tls_kit::reply(&mut client).await == (200, body));
    })
    .await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_an_error_before_anything_is_listened_on() {
    let server = Server::new(whoami);
    let error = server.listen_and_serve_tls("127.0.0.1:0", "/missing.pem", "/missing.pem").await.unwrap_err();
    assert!(matches!(error, ServeError::Tls(_)), "{error}");
    let site = Site::new();
    let other = site.write("other.pem", &pair().1);
    let error = server.run_tls("127.0.0.1:0", site.path("cert.pem"), other, Duration::ZERO).await.unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("does not belong"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_configuration_may_be_made_by_rustls_alone() {
    bounded(async {
        let site = Site::new();
        let config = TlsConfig::from(site.rustls_config("a.example"));
        let kit: Kit<_> = serve_with(Server::new(whoami), |server, memory| server.tls_listener(memory, config));
        let mut client = kit.connect(&site.client(None), "a.example").await.unwrap();
        assert_eq!(get(&mut client, "a.example").await.1, "TLSv1.3 http/1.1 a.example 0 false");
    })
    .await;
}

#[test]
fn the_provider_is_that_of_the_feature_unless_one_is_installed() {
    let provider = tls_provider().unwrap();
    assert!(provider.ticketer.is_some());
    let site = Site::new();
    let (certificate, key) = (site.path("cert.pem"), site.path("key.pem"));
    load_tls(&certificate, &key).unwrap();
    let own = TlsProvider {
        crypto: Arc::new(CryptoProvider { cipher_suites: vec![], ..(*provider.crypto).clone() }),
        ..provider
    };
    let options = TlsOptions { provider: Some(own), ..TlsOptions::default() };
    let error = load_tls_with(&certificate, &key, options).unwrap_err();
    assert!(matches!(error, TlsError::Provider { .. }), "the provider in the options is used: {error:?}");
    // Of the crate below, which has none.
    let error = TlsConfig::load_x509_key_pair(&certificate, &key).unwrap_err();
    assert!(matches!(error, TlsError::NoProvider), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_session_of_a_loaded_configuration_is_resumed() {
    bounded(async {
        let site = Site::new();
        let kit = serve(Server::new(whoami), load_tls(site.path("cert.pem"), site.path("key.pem")).unwrap());
        let config = site.client(None);
        for resumed in ["false", "true"] {
            let mut client = kit.connect(&config, "a.example").await.unwrap();
            assert_eq!(get(&mut client, "a.example").await.1, format!("TLSv1.3 http/1.1 a.example 0 {resumed}"));
        }
    })
    .await;
}

/// Two pairs of files, of which the second is for one name and asks for client certificates. Also after a reload nobody
/// gets at its pages by the name of the first.
#[tokio::test(start_paused = true)]
async fn a_request_for_a_host_of_another_pair_of_files_is_answered_421() {
    bounded(async {
        let site = Site::new();
        site.renew_other("b.example");
        let roots = site.write("roots.pem", &site.authority_pem());
        let options = TlsOptions { client_auth: Some(ClientAuth::required(roots)), ..TlsOptions::default() };
        let other = load_tls_with(site.path("other.pem"), site.path("other-key.pem"), options).unwrap();
        let config = site.config(None).config_for_name("b.example", other);
        let kit = serve(Server::new(whoami), config.clone());
        let dial = async |pair, name| kit.connect(&site.client(pair), name).await.unwrap();
        let (mut a, mut b) = (dial(None, "a.example").await, dial(Some(site.client_pair()), "b.example").await);
        for reload in [false, true, true] {
            if reload {
                site.renew();
                site.renew_other("b.example");
                config.reload().unwrap();
            }
            assert_eq!(get(&mut a, "a.example").await, (200, "TLSv1.3 http/1.1 a.example 0 false".to_owned()));
            assert_eq!(get(&mut a, "B.example").await.0, 421);
            assert_eq!(get(&mut b, "b.example:443").await, (200, "TLSv1.3 http/1.1 b.example 1 false".to_owned()));
            assert_eq!(get(&mut b, "a.example").await.0, 421);
        }
        let mut stranger = dial(None, "b.example").await;
        assert_eq!(stranger.read_u8().await.unwrap_err().to_string(), "received fatal alert: CertificateRequired");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_certificate_is_told_to_its_hook_once_and_served() {
    bounded(async {
        let site = Site::new();
        site.renew_expired();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&lines);
        let hooks = Hooks {
            certificate_expired: Some(Arc::new(move |expired| log.lock().unwrap().push(expired.to_string()))),
            ..Hooks::default()
        };
        let server = Server::with_config(whoami, Config { hooks, ..Config::default() });
        let config = site.config(None);
        let kit = serve(server.clone(), config.clone());
        let line = format!("the certificate in {} expired at 2021-01-01 00:00:00 UTC", site.path("cert.pem").display());
        assert_eq!(*lines.lock().unwrap(), [&*line], "before anything is accepted");
        let _second = serve(server, config.clone());
        let refused = kit.connect(&site.client(None), "a.example").await.unwrap_err();
        assert!(refused.to_string().contains("certificate expired"), "{refused}");
        assert_eq!(lines.lock().unwrap().len(), 1);
        config.reload().unwrap();
        assert_eq!(*lines.lock().unwrap(), [&*line, &*line]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_hook_of_an_expired_certificate_is_counted() {
    bounded(async {
        let site = Site::new();
        site.renew_expired();
        let hooks = Hooks { certificate_expired: Some(Arc::new(|_| panic!("as asked"))), ..Hooks::default() };
        let server = Server::with_config(whoami, Config { hooks, ..Config::default() });
        let kit = serve(server, site.config(None));
        kit.connect(&site.client(None), "a.example").await.unwrap_err();
        assert_eq!(kit.server.hook_failures().panics, 1);
    })
    .await;
}
