//! TLS handshakes, the good ones and the others, with clients in memory and paused time.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod tls_support;

use std::{
    io::ErrorKind,
    sync::{Arc, Mutex},
    time::Duration,
};

use quintet_listener::{
    Addr, ClientAuth, HandshakeErrorKind, Limit, Listener, Stream, Tls, TlsConfig, TlsOptions, TlsVersion, listen,
};
use rustls::{ClientConfig, ClientConnection, pki_types::ServerName, version};
use tls_support::{Authority, Dial, Folder, Memory, handshake, memory, open, options, provider, tls_over};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

const HTTPS_EXPECTED: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// A TLS server in memory and a client that trusts it.
struct Kit {
    tls: Tls<Memory>,
    dial: Dial,
    client: Arc<ClientConfig>,
    authority: Authority,
}

fn kit() -> Kit {
    kit_with(options())
}

fn kit_with(options: TlsOptions) -> Kit {
    let authority = Authority::new("ours");
    let config = authority.issue("a.example", 1).config(options);
    let (memory, dial) = memory();
    Kit { tls: Tls::new(memory, config), dial, client: Arc::new(authority.client()), authority }
}

/// What a failed handshake failed of.
fn kind(error: &std::io::Error) -> HandshakeErrorKind {
    *error.get_ref().and_then(|inner| inner.downcast_ref()).unwrap_or_else(|| panic!("{error:?}"))
}

/// The first message of a client, and the client.
fn client_hello(config: &Arc<ClientConfig>) -> (Vec<u8>, ClientConnection) {
    let name = ServerName::try_from("a.example").unwrap();
    let mut client = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut hello = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut hello).unwrap();
    }
    (hello, client)
}

/// Goes on with a handshake whose first message is sent.
async fn finish(client: &mut ClientConnection, stream: &mut DuplexStream) {
    while client.is_handshaking() {
        let mut bytes = vec![0; 4096];
        let n = stream.read(&mut bytes).await.unwrap();
        assert_ne!(n, 0);
        let mut bytes = &bytes[..n];
        while !bytes.is_empty() {
            client.read_tls(&mut bytes).unwrap();
            client.process_new_packets().unwrap();
        }
        let mut answer = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut answer).unwrap();
        }
        stream.write_all(&answer).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn every_split_of_the_client_hello_opens_the_stream() {
    let Kit { mut tls, dial, client, .. } = kit();
    for at in 0..=client_hello(&client).0.len() {
        let (hello, mut client) = client_hello(&client);
        let mut stream = dial.connect();
        let (mut server, _) = tls.accept().await.unwrap();
        let talk = async {
            stream.write_all(&hello[..at]).await.unwrap();
            sleep(Duration::from_millis(1)).await;
            stream.write_all(&hello[at..]).await.unwrap();
            finish(&mut client, &mut stream).await;
        };
        let (opened, ()) = tokio::join!(open(&mut server), talk);
        assert_eq!(opened.unwrap().tls.unwrap().version, 0x0304, "split at {at}");
    }
    assert_eq!(tls.health().snapshot().handshakes, client_hello(&client).0.len() as u64 + 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_hello_byte_by_byte_opens_the_stream() {
    let Kit { mut tls, dial, client, .. } = kit();
    let (hello, mut client) = client_hello(&client);
    let mut stream = dial.connect();
    let (mut server, _) = tls.accept().await.unwrap();
    let talk = async {
        for byte in hello {
            stream.write_all(&[byte]).await.unwrap();
            sleep(Duration::from_millis(1)).await;
        }
        finish(&mut client, &mut stream).await;
    };
    let (opened, ()) = tokio::join!(open(&mut server), talk);
    opened.unwrap();
}

/// Records of one byte each: rustls puts them together, and so must whatever looks at them before.
#[tokio::test(start_paused = true)]
async fn a_client_hello_in_many_records_opens_the_stream() {
    let Kit { mut tls, dial, client, .. } = kit();
    let (hello, mut client) = client_hello(&client);
    let records: Vec<u8> = hello[5..].iter().flat_map(|byte| [22, 3, 1, 0, 1, *byte]).collect();
    let mut stream = dial.connect();
    let (mut server, _) = tls.accept().await.unwrap();
    let talk = async {
        stream.write_all(&records).await.unwrap();
        finish(&mut client, &mut stream).await;
    };
    let (opened, ()) = tokio::join!(open(&mut server), talk);
    opened.unwrap();
}

#[tokio::test(start_paused = true)]
async fn accept_does_not_wait_for_a_handshake() {
    let Kit { mut tls, dial, client, .. } = kit();
    let silent: Vec<_> = (0..100).map(|_| dial.connect()).collect();
    let mut streams = Vec::new();
    for _ in &silent {
        streams.push(tls.accept().await.unwrap().0);
    }
    let start = Instant::now();
    let (_, opened, _) = handshake(&mut tls, &dial, &client, "a.example").await;
    opened.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(tls.health().snapshot().opening, 100);
    drop(streams);
    assert_eq!(tls.health().snapshot().opening, 0);
}

/// What a client that says `bytes` and no more hears, after how long, and what the server says of it.
async fn stalled(tls: &mut Tls<Memory>, dial: &Dial, bytes: &[u8]) -> (Duration, HandshakeErrorKind) {
    let mut client = dial.connect();
    let (mut server, _) = tls.accept().await.unwrap();
    client.write_all(bytes).await.unwrap();
    let start = Instant::now();
    let error = open(&mut server).await.unwrap_err();
    let elapsed = start.elapsed();
    // The client sees the end although the server still has its stream.
    client.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(kind(&open(&mut server).await.unwrap_err()), kind(&error), "and every later call says the same");
    (elapsed, kind(&error))
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_stalls_is_over_after_ten_seconds() {
    let Kit { mut tls, dial, client, .. } = kit();
    let hello = client_hello(&client).0;
    for (said, bytes) in [
        ("nothing", &[][..]),
        ("one byte", &hello[..1]),
        ("half a ClientHello", &hello[..hello.len() / 2]),
        ("a ClientHello, and nothing after the server's flight", &hello),
        ("half a method", b"GE"),
    ] {
        let (elapsed, kind) = stalled(&mut tls, &dial, bytes).await;
        assert_eq!((elapsed.as_secs(), kind), (10, HandshakeErrorKind::TimedOut), "{said}");
    }
    assert_eq!(tls.health().snapshot().timed_out, 5);

    let mut tls = tls.handshake_timeout(Duration::from_secs(2));
    assert_eq!(stalled(&mut tls, &dial, &hello).await.0.as_secs(), 2);
}

/// A byte now and then does not make it longer.
#[tokio::test(start_paused = true)]
async fn a_handshake_that_drips_is_over_after_ten_seconds() {
    let Kit { mut tls, dial, client, .. } = kit();
    let hello = client_hello(&client).0;
    let mut client = dial.connect();
    let (mut server, _) = tls.accept().await.unwrap();
    let start = Instant::now();
    let drip = async {
        for byte in &hello {
            sleep(Duration::from_secs(1)).await;
            if client.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
    };
    let (opened, ()) = tokio::join!(open(&mut server), drip);
    assert_eq!(kind(&opened.unwrap_err()), HandshakeErrorKind::TimedOut);
    assert!(start.elapsed() < Duration::from_secs(12));
}

#[tokio::test(start_paused = true)]
async fn reading_and_writing_do_the_handshake_too() {
    let Kit { mut tls, dial, client, .. } = kit();
    for reads in [true, false] {
        let server = async {
            let (mut stream, _) = tls.accept().await.unwrap();
            if reads {
                assert_eq!(stream.read_u8().await.unwrap(), b'?');
            }
            stream.write_all(b"!").await.unwrap();
            stream.flush().await.unwrap();
            stream
        };
        let client = async {
            let mut stream = dial.tls(&client, "a.example").await.unwrap();
            stream.write_all(b"?").await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), b'!');
            stream
        };
        tokio::join!(server, client);
    }
    // And a client that says nothing ends them in time.
    let _silent = dial.connect();
    let (mut stream, _) = tls.accept().await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(stream.write_all(b"x").await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(stream.flush().await.unwrap_err().kind(), ErrorKind::TimedOut);
    stream.shutdown().await.unwrap();
}

/// The halves of a stream in two tasks: the one that asked last must not keep the other from being woken.
#[tokio::test(start_paused = true)]
async fn both_halves_of_a_stream_hear_of_the_end_of_the_handshake() {
    let Kit { mut tls, dial, client, .. } = kit();
    let stream = dial.connect();
    let client = tokio::spawn(async move {
        sleep(Duration::from_secs(1)).await;
        let mut stream = tls_over(stream, &client, "a.example").await.unwrap();
        stream.write_all(b"?").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'!');
        stream.shutdown().await.unwrap();
        stream
    });
    let (stream, _) = tls.accept().await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let reading = tokio::spawn(async move { reader.read_u8().await });
    tokio::task::yield_now().await;
    // A writer that gives up: the socket knows only its task by now.
    assert!(timeout(Duration::from_millis(1), writer.write_all(b"x")).await.is_err());
    assert_eq!(reading.await.unwrap().unwrap(), b'?');
    writer.write_all(b"!").await.unwrap();
    writer.flush().await.unwrap();
    client.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_handshake_says_what_was_agreed_on() {
    let Kit { mut tls, dial, authority, .. } = kit();
    tls.config().fill_alpn(&[b"http/1.1"]);
    for (version, number, name) in [(&version::TLS13, 0x0304, "TLSv1.3"), (&version::TLS12, 0x0303, "TLSv1.2")] {
        let mut client = authority.client_with(&[version], None);
        client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let (server, opened, client) = handshake(&mut tls, &dial, &Arc::new(client), "A.example").await;
        let client = client.unwrap();
        let opened = opened.unwrap();
        let state = opened.tls.unwrap();
        assert_eq!((state.version, state.version_name()), (number, Some(name)));
        let suite = client.get_ref().1.negotiated_cipher_suite().unwrap().suite();
        assert_eq!(state.cipher_suite, u16::from(suite));
        assert_eq!(&*state.negotiated_protocol, b"http/1.1");
        assert_eq!(state.server_name.as_deref(), Some("a.example"));
        assert!(state.peer_certificates.is_empty() && !state.did_resume);
        assert_eq!((opened.peer, opened.hosts, opened.own_tls), (None, None, true));
        assert!(server.get_ref().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_refuses_the_certificate_is_told_apart() {
    let Kit { mut tls, dial, client, .. } = kit();
    let (_, opened, other) = handshake(&mut tls, &dial, &client, "b.example").await;
    assert!(other.unwrap_err().to_string().contains("not valid for name"));
    opened.unwrap_err();
    let stranger = Arc::new(Authority::new("theirs").client());
    let (_, opened, client) = handshake(&mut tls, &dial, &stranger, "a.example").await;
    client.unwrap_err();
    opened.unwrap_err();
    assert_eq!(tls.health().snapshot().refused_by_client, 2);
}

#[tokio::test(start_paused = true)]
async fn clients_without_a_common_version_or_protocol_are_refused() {
    let Kit { mut tls, dial, authority, .. } = kit_with(TlsOptions { min_version: TlsVersion::V1_3, ..options() });
    tls.config().fill_alpn(&[b"http/1.1"]);
    let old = authority.client_with(&[&version::TLS12], None);
    let mut other = authority.client();
    other.alpn_protocols = vec![b"smtp".to_vec()];
    for client in [old, other] {
        let (_, opened, client) = handshake(&mut tls, &dial, &Arc::new(client), "a.example").await;
        let error = client.unwrap_err();
        assert!(error.to_string().contains("received fatal alert"), "{error}");
        opened.unwrap_err();
    }
    assert_eq!(tls.health().snapshot().incompatible, 2);
}

#[tokio::test(start_paused = true)]
async fn client_certificates_are_asked_for_and_verified() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (good, revoked, strange) = (ours.issue("alice", 7), ours.issue("bob", 8), theirs.issue("alice", 7));
    let folder = Folder::new();
    let roots = folder.write("roots.pem", ours.pem());
    let lists = vec![folder.write("revoked.pem", ours.revoke(&[8]))];
    let required = ClientAuth { revocation_lists: lists, ..ClientAuth::required(roots) };
    let optional = ClientAuth { mode: quintet_listener::ClientAuthMode::Optional, ..required.clone() };
    for (auth, without) in [(required, false), (optional, true)] {
        let auth = TlsOptions { client_auth: Some(auth), ..options() };
        let (memory, dial) = memory();
        let mut tls = Tls::new(memory, ours.issue("a.example", 1).config(auth));
        let clients = [(Some(&good), true), (None, without), (Some(&revoked), false), (Some(&strange), false)];
        for (nth, (pair, accepted)) in clients.into_iter().enumerate() {
            for version in [&version::TLS13, &version::TLS12] {
                let client = Arc::new(ours.client_with(&[version], pair));
                let (_server, opened, client) = handshake(&mut tls, &dial, &client, "a.example").await;
                assert_eq!(opened.is_ok(), accepted, "client {nth}, {version:?}: {opened:?}");
                if let Ok(opened) = opened {
                    let given = pair.map(|pair| Box::from(&*pair.der)).into_iter().collect::<Vec<_>>();
                    assert_eq!(opened.tls.unwrap().peer_certificates, given);
                } else if let Ok(mut client) = client {
                    // In TLS 1.3 the client is done before it hears of it.
                    let error = client.read_u8().await.unwrap_err();
                    assert!(error.to_string().contains("received fatal alert"), "{error}");
                }
            }
        }
        let health = tls.health().snapshot();
        assert_eq!(health.client_certificate, if without { 4 } else { 6 });
        assert_eq!(health.handshakes, if without { 4 } else { 2 });
    }
}

/// One exchange, so that the client has its tickets, and whether the server says that it resumed.
async fn exchange(tls: &mut Tls<Memory>, dial: &Dial, client: &Arc<ClientConfig>) -> bool {
    let (mut server, opened, client) = handshake(tls, dial, client, "a.example").await;
    let mut client = client.unwrap();
    server.write_all(b"!").await.unwrap();
    server.flush().await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'!');
    opened.unwrap().tls.unwrap().did_resume
}

#[tokio::test(start_paused = true)]
async fn a_session_is_resumed_by_its_ticket() {
    let Kit { mut tls, dial, authority, .. } = kit();
    for version in [&version::TLS13, &version::TLS12] {
        let client = Arc::new(authority.client_with(&[version], None));
        assert!(!exchange(&mut tls, &dial, &client).await);
        assert!(exchange(&mut tls, &dial, &client).await, "{version:?}");
    }
    let health = tls.health().snapshot();
    assert_eq!((health.handshakes, health.resumed), (4, 2));
}

#[tokio::test(start_paused = true)]
async fn without_a_ticketer_no_session_is_resumed() {
    let without = quintet_listener::TlsProvider { ticketer: None, ..provider() };
    let Kit { mut tls, dial, authority, .. } = kit_with(TlsOptions { provider: Some(without), ..options() });
    for version in [&version::TLS13, &version::TLS12] {
        let client = Arc::new(authority.client_with(&[version], None));
        assert!(!exchange(&mut tls, &dial, &client).await);
        assert!(!exchange(&mut tls, &dial, &client).await, "{version:?}");
    }
}

/// Whatever a configuration says: data before the end of a handshake can be replayed.
#[tokio::test(start_paused = true)]
async fn early_data_is_never_accepted() {
    let authority = Authority::new("ours");
    let mut config = authority.issue("a.example", 1).server_config();
    config.max_early_data_size = 16384;
    let (memory, dial) = memory();
    let mut tls = Tls::new(memory, config);
    let mut client = authority.client();
    client.enable_early_data = true;
    let client = Arc::new(client);
    assert!(!exchange(&mut tls, &dial, &client).await);
    let name = ServerName::try_from("a.example").unwrap();
    let mut again = ClientConnection::new(Arc::clone(&client), name).unwrap();
    assert!(again.early_data().is_none(), "the ticket does not allow it");
    assert!(exchange(&mut tls, &dial, &client).await, "but it is resumed");
}

#[tokio::test(start_paused = true)]
async fn plain_http_on_a_tls_port_is_answered_in_plain_http() {
    let Kit { mut tls, dial, .. } = kit();
    let request = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
    for at in 0..=request.len() {
        let mut client = dial.connect();
        let (mut server, _) = tls.accept().await.unwrap();
        let talk = async {
            client.write_all(&request[..at]).await.unwrap();
            sleep(Duration::from_millis(1)).await;
            let _ = client.write_all(&request[at..]).await;
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.unwrap();
            drop(client);
            answer
        };
        let (opened, answer) = tokio::join!(open(&mut server), talk);
        assert_eq!(answer, HTTPS_EXPECTED, "split at {at}");
        assert_eq!(kind(&opened.unwrap_err()), HandshakeErrorKind::PlainHttp);
    }
    assert_eq!(tls.health().snapshot().plain_http, request.len() as u64 + 1);
}

/// More than the server reads before it answers lies in the socket then: closing it at once would be a reset, and the
/// client would not see the answer.
#[tokio::test]
async fn plain_http_with_a_large_body_is_answered_over_tcp() {
    let Kit { authority, .. } = kit();
    let config = authority.issue("a.example", 1).config(options());
    let mut tls = Tls::new(Limit::new(listen("127.0.0.1:0").unwrap(), 1), config);
    let addr = tls.local_addr().unwrap().tcp().unwrap();
    let client = async {
        let mut client = TcpStream::connect(addr).await.unwrap();
        let request = [&b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n"[..], &[b'x'; 30_000]].concat();
        client.write_all(&request).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        answer
    };
    let server = async {
        let (mut server, _) = tls.accept().await.unwrap();
        assert!(server.local_addr().is_some_and(|local| local == Addr::Tcp(addr)));
        open(&mut server).await.unwrap_err();
        assert!(server.local_addr().is_none());
        assert_eq!(tls.get_ref().permits().available(), 1, "a failed handshake gives back its permit");
    };
    assert_eq!(tokio::join!(client, server).0, HTTPS_EXPECTED);
}

#[tokio::test(start_paused = true)]
async fn what_is_neither_tls_nor_http_is_refused_with_an_alert() {
    let Kit { mut tls, dial, .. } = kit();
    for (bytes, alert, failed_of) in [
        (&b"SSH-2.0-OpenSSH_9.6\r\n"[..], &[21, 3, 1, 0, 2, 2, 10][..], HandshakeErrorKind::NotTls),
        (b"\x80\x2e\x01\x00\x02\x00\x15", &[21, 3, 1, 0, 2, 2, 10], HandshakeErrorKind::NotTls),
        (b"\x16\x03\x01\x00\x00", &[21, 3, 3, 0, 2, 2, 50], HandshakeErrorKind::Protocol),
        (b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", &[21, 3, 3, 0, 2, 2, 50], HandshakeErrorKind::Protocol),
        (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", &[21, 3, 3, 0, 2, 2, 50], HandshakeErrorKind::Protocol),
    ] {
        let mut client = dial.connect();
        let (mut server, _) = tls.accept().await.unwrap();
        client.write_all(bytes).await.unwrap();
        let talk = async {
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.unwrap();
            drop(client);
            answer
        };
        let (opened, answer) = tokio::join!(open(&mut server), talk);
        assert_eq!(answer, alert, "{}", bytes.escape_ascii());
        opened.unwrap_err();
        assert_eq!(kind(&open(&mut server).await.unwrap_err()), failed_of, "{}", bytes.escape_ascii());
    }
}

/// A client that hears of its refusal and does not go away.
#[tokio::test(start_paused = true)]
async fn a_refused_client_has_a_second_to_go() {
    let Kit { mut tls, dial, .. } = kit();
    let mut client = dial.connect();
    let (mut server, _) = tls.accept().await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let start = Instant::now();
    open(&mut server).await.unwrap_err();
    assert_eq!(start.elapsed().as_secs(), 1);
    assert_eq!(tls.health().snapshot().opening, 0);

    // Nor does one that sends on.
    let mut client = dial.connect();
    let (mut server, _) = tls.accept().await.unwrap();
    let flood = async { while client.write_all(b"GET /").await.is_ok() {} };
    let (opened, ()) = tokio::join!(
        async {
            let opened = open(&mut server).await;
            drop(server);
            opened
        },
        flood
    );
    opened.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn shutting_down_sends_close_notify_and_dropping_does_not() {
    let Kit { mut tls, dial, client, .. } = kit();
    for (end, seen) in
        [("shutdown", Ok(1)), ("drop", Err(ErrorKind::UnexpectedEof)), ("abort", Err(ErrorKind::UnexpectedEof))]
    {
        let (mut server, opened, client) = handshake(&mut tls, &dial, &client, "a.example").await;
        opened.unwrap();
        let mut client = client.unwrap();
        server.write_all(b"!").await.unwrap();
        server.flush().await.unwrap();
        match end {
            "shutdown" => server.shutdown().await.unwrap(),
            "abort" => server.abort(),
            _ => {}
        }
        if end == "shutdown" {
            // It is the half-close: the client may still send.
            client.write_all(b"?").await.unwrap();
            assert_eq!(server.read_u8().await.unwrap(), b'?');
        }
        drop(server);
        assert_eq!(client.read_to_end(&mut Vec::new()).await.map_err(|error| error.kind()), seen, "{end}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_without_close_notify_is_an_error_of_its_own_kind() {
    let Kit { mut tls, dial, client, .. } = kit();
    for says_so in [true, false] {
        let (mut server, opened, client) = handshake(&mut tls, &dial, &client, "a.example").await;
        opened.unwrap();
        let mut client = client.unwrap();
        client.write_all(b"?").await.unwrap();
        client.flush().await.unwrap();
        if says_so {
            client.shutdown().await.unwrap();
        }
        drop(client);
        assert_eq!(server.read_u8().await.unwrap(), b'?');
        let end = server.read(&mut [0; 16]).await.map_err(|error| error.kind());
        assert_eq!(end, if says_so { Ok(0) } else { Err(ErrorKind::UnexpectedEof) });
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_before_the_end_is_counted() {
    let Kit { mut tls, dial, client, .. } = kit();
    let hello = client_hello(&client).0;
    for bytes in [&[][..], b"G", &hello[..9], &hello] {
        let mut client = dial.connect();
        let (mut server, _) = tls.accept().await.unwrap();
        client.write_all(bytes).await.unwrap();
        drop(client);
        open(&mut server).await.unwrap_err();
        let again = open(&mut server).await.unwrap_err();
        assert_eq!(kind(&again), HandshakeErrorKind::Disconnected, "{} bytes", bytes.len());
    }
    assert_eq!(tls.health().snapshot().disconnected, 4);
}

#[tokio::test(start_paused = true)]
async fn handshake_errors_are_reported_once_a_second_with_a_count() {
    let Kit { tls, dial, .. } = kit();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&lines);
    let mut tls = tls.on_error(move |error| to.lock().unwrap().push(error.to_string()));
    for bytes in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"SSH"] {
        let mut client = dial.connect();
        let (mut server, _) = tls.accept().await.unwrap();
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        open(&mut server).await.unwrap_err();
    }
    let health = tls.health().snapshot();
    assert_eq!((health.disconnected, health.plain_http, health.not_tls), (1, 2, 1));
    // A client that said nothing is counted, and not reported. The clock of the throttle is the system's.
    let line = "TLS handshake error from 192.0.2.1:4567: the client sent an HTTP request to an HTTPS server";
    assert_eq!(lines.lock().unwrap()[0], line);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_report_of_a_handshake_error_is_caught() {
    let Kit { tls, dial, .. } = kit();
    let mut tls = tls.on_error(|_| panic!("standard error is closed"));
    let mut client = dial.connect();
    let (mut server, _) = tls.accept().await.unwrap();
    client.write_all(b"SSH").await.unwrap();
    drop(client);
    open(&mut server).await.unwrap_err();
    assert_eq!(tls.health().snapshot().report_panics, 1);
}

#[tokio::test(start_paused = true)]
async fn a_mebibyte_goes_both_ways() {
    let Kit { mut tls, dial, client, .. } = kit();
    let (mut server, opened, client) = handshake(&mut tls, &dial, &client, "a.example").await;
    opened.unwrap();
    let mut client = client.unwrap();
    let sent: Vec<u8> = (0..1 << 20).map(|n| (n % 251) as u8).collect();
    let echo = async {
        let mut received = vec![0; sent.len()];
        server.read_exact(&mut received).await.unwrap();
        server.write_all(&received).await.unwrap();
        server.shutdown().await.unwrap();
    };
    let talk = async {
        client.write_all(&sent).await.unwrap();
        client.flush().await.unwrap();
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.unwrap();
        received
    };
    assert!(tokio::join!(echo, talk).1 == sent);
}

/// A peer that does not read makes rustls keep what one call sends, not sixty-four kibibytes.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_holds_at_most_36_kibibytes() {
    let Kit { mut tls, dial, client, .. } = kit();
    let (mut server, opened, client) = handshake(&mut tls, &dial, &client, "a.example").await;
    opened.unwrap();
    let _client = client.unwrap();
    let mut written = 0;
    while let Ok(n) = timeout(Duration::from_secs(1), server.write(&[0; 8192])).await {
        written += n.unwrap();
    }
    let kept = written - tls_support::PIPE_BYTES;
    assert!(kept <= 36 << 10, "{kept} bytes beyond the pipe");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_shut_down_before_it_is_open_is_closed() {
    let Kit { mut tls, dial, .. } = kit();
    let mut client = dial.connect();
    let (mut server, _) = tls.accept().await.unwrap();
    server.shutdown().await.unwrap();
    assert_eq!(client.read(&mut [0; 16]).await.unwrap(), 0);
    assert_eq!(open(&mut server).await.unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!(tls.health().snapshot().opening, 0);
}

#[tokio::test(start_paused = true)]
async fn a_tls_stream_is_as_large_as_three_pointers() {
    assert!(size_of::<quintet_listener::TlsStream<TcpStream>>() <= 3 * size_of::<usize>());
    let Kit { mut tls, dial, .. } = kit();
    let _client = dial.connect();
    let (server, _) = tls.accept().await.unwrap();
    assert!(format!("{server:?} {tls:?}").contains("Inner"));
}

/// A client that goes on without waiting for the answer to its ClientHello hears that it is wrong, at once.
#[tokio::test(start_paused = true)]
async fn what_follows_a_client_hello_at_once_is_refused_with_an_alert() {
    let Kit { mut tls, dial, client, .. } = kit();
    let (mut hello, mut rest) = client_hello(&client);
    hello.extend_from_slice(b"\x17\x03\x03\x00\x01x");
    let mut stream = dial.connect();
    let (mut server, _) = tls.accept().await.unwrap();
    stream.write_all(&hello).await.unwrap();
    let start = Instant::now();
    let (opened, refused) = tokio::join!(open(&mut server), async {
        let mut answer = [0; 4096];
        let n = stream.read(&mut answer).await.unwrap();
        drop(stream);
        rest.read_tls(&mut &answer[..n]).unwrap();
        rest.process_new_packets()
    });
    opened.unwrap_err();
    assert!(matches!(refused, Err(rustls::Error::AlertReceived(_))), "{refused:?}");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[test]
fn a_config_is_made_of_what_rustls_has() {
    let pair = Authority::new("ours").issue("a.example", 1);
    let config = TlsConfig::from(pair.server_config());
    assert!(config.validity().is_none() && !config.is_from_files());
    assert!(format!("{config:?}").starts_with("TlsConfig"));
}

/// What a client with this first message hears, and what the server says of it.
async fn refused(tls: &mut Tls<Memory>, dial: &Dial, bytes: &[u8]) -> (Vec<u8>, std::io::Error) {
    let mut client = dial.connect();
    let (mut server, _) = tls.accept().await.unwrap();
    let talk = async {
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        answer
    };
    let (opened, answer) = tokio::join!(open(&mut server), talk);
    (answer, opened.unwrap_err())
}

#[tokio::test(start_paused = true)]
async fn a_client_hello_of_more_than_16_kib_is_refused_with_an_alert() {
    let Kit { mut tls, dial, authority, .. } = kit();
    let mut client = authority.client();
    for (protocols, opens) in [(58, true), (62, true), (66, false), (200, false)] {
        client.alpn_protocols = (0..protocols).map(|n| vec![n; 255]).collect();
        let config = Arc::new(client.clone());
        let size = client_hello(&config).0.len();
        assert_eq!(size <= (16 << 10) + 5, opens, "{size} bytes");
        if opens {
            handshake(&mut tls, &dial, &config, "a.example").await.1.unwrap();
        } else {
            let (answer, error) = refused(&mut tls, &dial, &client_hello(&config).0).await;
            assert_eq!(answer, [21, 3, 1, 0, 2, 2, 47], "illegal_parameter");
            assert_eq!(error.kind(), ErrorKind::InvalidData);
        }
    }
    let health = tls.health().snapshot();
    assert_eq!((health.handshakes, health.protocol, health.opening), (2, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_choice_for_a_client_is_a_handshake_error() {
    let Kit { dial, client, authority, tls } = kit();
    let config = tls.config().clone().config_for_client(|hello| {
        assert_ne!(hello.server_name(), Some("a.example"), "as asked");
        None
    });
    let lines = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&lines);
    let mut tls = Tls::new(tls.into_inner(), config).on_error(move |error| to.lock().unwrap().push(error.to_string()));
    let (answer, error) = refused(&mut tls, &dial, &client_hello(&client).0).await;
    assert_eq!(answer, [21, 3, 1, 0, 2, 2, 80], "internal_error");
    assert_eq!(kind(&error), HandshakeErrorKind::Panicked);
    let line = "TLS handshake error from 192.0.2.1:4567: a function of the TLS configuration panicked";
    assert_eq!(*lines.lock().unwrap(), [line]);
    let health = tls.health().snapshot();
    assert_eq!((health.panicked, health.opening, health.dropped), (1, 0, 0));
    // The next client is served.
    let mut other = authority.client();
    other.enable_sni = false;
    let (_, opened, _) = handshake(&mut tls, &dial, &Arc::new(other), "a.example").await;
    opened.unwrap();
}

/// A function that rustls calls: one that looks for the certificate of a name.
#[derive(Debug)]
struct NoCertificate;

impl rustls::server::ResolvesServerCert for NoCertificate {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<rustls::sign::CertifiedKey>> {
        panic!("as asked")
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_function_of_rustls_is_a_handshake_error() {
    let Kit { dial, client, tls, .. } = kit();
    let config = rustls::ServerConfig::builder_with_provider(provider().crypto)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(NoCertificate));
    let mut tls = Tls::new(tls.into_inner(), config);
    let (answer, error) = refused(&mut tls, &dial, &client_hello(&client).0).await;
    assert_eq!((answer, kind(&error)), (Vec::new(), HandshakeErrorKind::Panicked));
    let health = tls.health().snapshot();
    assert_eq!((health.panicked, health.opening, health.dropped), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_is_dropped_is_counted() {
    let Kit { mut tls, dial, client, .. } = kit();
    let hello = client_hello(&client).0;
    for bytes in [&[][..], &hello[..9], &hello] {
        let mut silent = dial.connect();
        let (mut server, _) = tls.accept().await.unwrap();
        silent.write_all(bytes).await.unwrap();
        assert!(timeout(Duration::from_secs(2), open(&mut server)).await.is_err());
        assert_eq!(tls.health().snapshot().opening, 1);
        drop(server);
    }
    let _silent = dial.connect();
    tls.accept().await.unwrap().0.shutdown().await.unwrap();
    let health = tls.health().snapshot();
    assert_eq!((health.dropped, health.opening), (4, 0));
    // One that succeeded or failed is counted as that, and not again.
    drop(handshake(&mut tls, &dial, &client, "a.example").await);
    refused(&mut tls, &dial, b"SSH-2.0").await;
    let health = tls.health().snapshot();
    assert_eq!((health.dropped, health.handshakes, health.not_tls, health.opening), (4, 1, 1, 0));
}
