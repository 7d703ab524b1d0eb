//! TLS configurations: files that cannot be used, reloading, replacing, and a choice for each client.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod tls_support;

use std::{
    error::Error,
    fs,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use quintet_listener::{ClientAuth, Listener, Tls, TlsConfig, TlsError, TlsOptions, TlsProvider};
use rustls::ClientConfig;
use tls_support::{Authority, ClientStream, Dial, Folder, Memory, handshake, memory, open, options, serial};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// An error and what it comes from, in one line.
fn chain(error: &TlsError) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line = format!("{line}: {cause}");
        source = cause.source();
    }
    line
}

#[test]
fn files_that_cannot_be_used_are_told_by_name() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (pair, other) = (ours.issue("a.example", 1), theirs.issue("a.example", 2));
    let folder = Folder::new();
    folder.write_pair(&pair);
    folder.write("other-key.pem", &other.key);
    folder.write("empty.pem", "");
    folder.write("text.pem", "this is no certificate\n");
    folder.write("cut.pem", &pair.key[..pair.key.len() / 2]);
    folder.write("garbage.pem", "-----BEGIN CERTIFICATE-----\n!!!secret!!!\n-----END CERTIFICATE-----\n");
    folder.write("no-x509.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    folder.write("no-key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    folder.write("encrypted.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let headers = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n";
    let encrypted = format!("-----BEGIN EC PRIVATE KEY-----\n{headers}AAAA\n-----END EC PRIVATE KEY-----\n");
    folder.write("encrypted-old.pem", encrypted);
    folder.write("binary.pem", [0, 159, 146, 150]);
    for (certificate, key, expected) in [
        ("missing.pem", "key.pem", "cannot read missing.pem: No such file"),
        ("cert.pem", "missing.pem", "cannot read missing.pem: No such file"),
        ("", "key.pem", "cannot read : Is a directory"),
        ("empty.pem", "key.pem", "empty.pem has no certificate in PEM"),
        ("text.pem", "key.pem", "text.pem has no certificate in PEM"),
        ("binary.pem", "key.pem", "binary.pem has no certificate in PEM"),
        ("key.pem", "key.pem", "key.pem has no certificate in PEM"),
        ("garbage.pem", "key.pem", "garbage.pem is malformed PEM"),
        (
            "cert.pem",
            "empty.pem",
            "empty.pem has no private key in PEM, of PKCS #8, PKCS #1 or SEC 1 and not encrypted",
        ),
        ("cert.pem", "cert.pem", "cert.pem has no private key in PEM, of "),
        ("cert.pem", "encrypted.pem", "encrypted.pem has no private key in PEM, of "),
        ("cert.pem", "encrypted-old.pem", "encrypted-old.pem has no private key in PEM, of "),
        ("cert.pem", "cut.pem", "cut.pem is malformed PEM"),
        ("cert.pem", "other-key.pem", "the key in other-key.pem does not belong to the first certificate in cert.pem"),
        ("no-x509.pem", "key.pem", "cannot use the certificate in no-x509.pem with the key in key.pem: "),
        ("cert.pem", "no-key.pem", "cannot use the certificate in cert.pem with the key in no-key.pem: "),
    ] {
        let error = TlsConfig::load_with(folder.path(certificate), folder.path(key), options()).unwrap_err();
        let line = chain(&error).replace(&format!("{}/", folder.as_ref().display()), "");
        assert!(line.starts_with(expected), "{certificate}, {key}: {line}");
        assert!(!line.contains("secret"), "the text of a file is not for the log: {line}");
    }
}

#[test]
fn roots_and_revocation_lists_that_cannot_be_used_are_told_by_name() {
    let ours = Authority::new("ours");
    let pair = ours.issue("a.example", 1);
    let folder = Folder::new();
    folder.write_pair(&pair);
    let (roots, empty) = (folder.write("roots.pem", ours.pem()), folder.write("empty.pem", ""));
    let missing = folder.path("missing.pem");
    let wrong = folder.write("wrong.pem", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
    let no_root = folder.write("no-root.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let lists = |list: &PathBuf| ClientAuth { revocation_lists: vec![list.clone()], ..ClientAuth::required(&roots) };
    for (auth, expected) in [
        (ClientAuth::required(&missing), "cannot read missing.pem"),
        (ClientAuth::optional(&empty), "empty.pem has no certificate"),
        (
            ClientAuth::required(&no_root),
            "cannot use the roots of client certificates or their revocation lists in no-root.pem: ",
        ),
        (lists(&missing), "cannot read missing.pem"),
        (
            lists(&empty),
            "cannot use the roots of client certificates or their revocation lists in empty.pem: there is no revocation list",
        ),
        (lists(&wrong), "cannot use the roots of client certificates or their revocation lists in "),
    ] {
        let options = TlsOptions { client_auth: Some(auth), ..options() };
        let error = TlsConfig::load_with(folder.path("cert.pem"), folder.path("key.pem"), options).unwrap_err();
        let line = chain(&error).replace(&format!("{}/", folder.as_ref().display()), "");
        assert!(line.starts_with(expected), "{line}");
    }
}

/// The only test that installs a provider: nothing else in this process may need that there is none.
#[test]
fn without_a_provider_there_is_an_error_and_no_panic() {
    let pair = Authority::new("ours").issue("a.example", 1);
    let folder = Folder::new();
    folder.write_pair(&pair);
    let load = || TlsConfig::load_x509_key_pair(folder.path("cert.pem"), folder.path("key.pem"));
    assert!(TlsProvider::installed().is_none());
    let error = load().unwrap_err();
    assert!(matches!(error, TlsError::NoProvider), "{error}");
    for word in ["feature ring or aws-lc-rs", "load_tls", "install_default"] {
        assert!(error.to_string().contains(word), "{error}");
    }
    rustls::crypto::ring::default_provider().install_default().unwrap();
    load().unwrap();
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let folder = Folder::new();
    folder.write_pair(&Authority::new("ours").issue("a.example", 1));
    fs::File::create(folder.path("large.pem")).unwrap().set_len(17 << 20).unwrap();
    let error = TlsConfig::load_with(folder.path("large.pem"), folder.path("key.pem"), options()).unwrap_err();
    assert!(chain(&error).ends_with("the file is larger than 16 MiB"), "{error}");
}

#[test]
fn a_certificate_out_of_its_time_loads_and_is_seen_in_the_health() {
    let ours = Authority::new("ours");
    let year = |year: i32| {
        let days = (1970..year).map(|year| if year % 4 == 0 && year % 100 != 0 { 366 } else { 365 }).sum::<u64>();
        // 2000 was a leap year.
        SystemTime::UNIX_EPOCH + Duration::from_secs((days + u64::from(year > 2000)) * 86_400)
    };
    for ((from, to), is_outside) in [((2020, 2100), false), ((2020, 2021), true), ((2090, 2100), true)] {
        let config = ours.issue_valid("a.example", 1, (from, to)).config(options());
        let health = Tls::new(memory().0, config).health().snapshot();
        let validity = health.validity.unwrap();
        assert_eq!((validity.not_before, validity.not_after), (year(from), year(to)));
        assert_eq!(health.is_outside_validity, is_outside, "{from} to {to}");
    }
}

/// The serial number of the certificate that a new client is shown.
async fn shown(tls: &mut Tls<Memory>, dial: &Dial, client: &Arc<ClientConfig>) -> u8 {
    let (_server, opened, client) = handshake(tls, dial, client, "a.example").await;
    opened.unwrap();
    serial(&client.unwrap())
}

/// A client that remembers no session, so that it is shown a certificate each time.
fn forgetful(authority: &Authority) -> Arc<ClientConfig> {
    let mut client = authority.client();
    client.resumption = rustls::client::Resumption::disabled();
    Arc::new(client)
}

#[tokio::test(start_paused = true)]
async fn a_reload_is_seen_by_the_next_connection_and_by_no_other() {
    let ours = Authority::new("ours");
    let folder = Folder::new();
    folder.write_pair(&ours.issue("a.example", 1));
    let config = TlsConfig::load_with(folder.path("cert.pem"), folder.path("key.pem"), options()).unwrap();
    assert!(config.is_from_files());
    let (memory, dial) = memory();
    let (mut tls, client) = (Tls::new(memory, config.clone()), forgetful(&ours));
    let (mut server, opened, first) = handshake(&mut tls, &dial, &client, "a.example").await;
    opened.unwrap();
    // One that has begun its handshake before.
    let early = dial.connect();
    let (mut early_server, _) = tls.accept().await.unwrap();

    folder.write_pair(&ours.issue_valid("a.example", 2, (2021, 2099)));
    assert_eq!(shown(&mut tls, &dial, &client).await, 1, "nothing is reloaded by itself");
    let before = config.validity().unwrap();
    config.reload().unwrap();
    assert!(config.validity().unwrap() != before);
    assert_eq!(shown(&mut tls, &dial, &client).await, 2);
    let (opened, early) = tokio::join!(open(&mut early_server), tls_support::tls_over(early, &client, "a.example"));
    opened.unwrap();
    assert_eq!(serial(&early.unwrap()), 2, "a handshake uses what there is when its ClientHello is whole");

    let mut first = first.unwrap();
    server.write_all(b"!").await.unwrap();
    server.flush().await.unwrap();
    assert_eq!(first.read_u8().await.unwrap(), b'!', "an open connection goes on");
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_fails_changes_nothing() {
    let ours = Authority::new("ours");
    let folder = Folder::new();
    let (first, second) = (ours.issue("a.example", 1), ours.issue("a.example", 2));
    folder.write_pair(&first);
    let config = TlsConfig::load_with(folder.path("cert.pem"), folder.path("key.pem"), options()).unwrap();
    let (memory, dial) = memory();
    let (mut tls, client) = (Tls::new(memory, config.clone()), forgetful(&ours));

    // Half of a replacement: the certificate is new, the key is not.
    folder.write("cert.pem", &second.certificate);
    assert!(matches!(config.reload(), Err(TlsError::KeyMismatch { .. })));
    assert_eq!(shown(&mut tls, &dial, &client).await, 1);
    folder.write("cert.pem", "");
    assert!(matches!(config.reload(), Err(TlsError::NoCertificate { .. })));
    fs::remove_file(folder.path("cert.pem")).unwrap();
    assert!(matches!(config.reload(), Err(TlsError::Read { .. })));
    assert_eq!(shown(&mut tls, &dial, &client).await, 1);
    assert_eq!(tls.health().snapshot().failed_reloads, 3);
    // The other half comes, and all is well.
    folder.write_pair(&second);
    config.reload().unwrap();
    assert_eq!(shown(&mut tls, &dial, &client).await, 2);

    let from_rustls = TlsConfig::from(first.server_config());
    assert!(matches!(from_rustls.reload(), Err(TlsError::NoFiles)));
}

/// The files are read again once if they do not fit: here they are replaced all the time, one after the other.
#[test]
fn a_reload_between_two_renames_reads_them_again() {
    let ours = Authority::new("ours");
    let (one, two) = (ours.issue("a.example", 1), ours.issue("a.example", 2));
    let folder = Folder::new();
    folder.write_pair(&one);
    let config = TlsConfig::load_with(folder.path("cert.pem"), folder.path("key.pem"), options()).unwrap();
    std::thread::scope(|scope| {
        let renaming = scope.spawn(|| {
            for nth in 0..200 {
                folder.write_pair(if nth % 2 == 0 { &two } else { &one });
            }
        });
        while !renaming.is_finished() {
            // Whatever it read, it is a pair, or nothing has changed.
            assert!(matches!(config.reload(), Ok(()) | Err(TlsError::KeyMismatch { .. })));
        }
    });
    config.reload().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_reloads_under_load_fail_no_handshake() {
    let ours = Authority::new("ours");
    let folder = Folder::new();
    folder.write_pair(&ours.issue("a.example", 1));
    let config = TlsConfig::load_with(folder.path("cert.pem"), folder.path("key.pem"), options()).unwrap();
    let (memory, dial) = memory();
    let mut tls = Tls::new(memory, config.clone());
    let health = tls.health();
    let serving = tokio::spawn(async move {
        loop {
            let (mut stream, _) = tls.accept().await.unwrap();
            tokio::spawn(async move {
                open(&mut stream).await.unwrap();
                stream.write_all(b"!").await.unwrap();
                stream.shutdown().await.unwrap();
            });
        }
    });
    async fn get(dial: &Dial, client: &Arc<ClientConfig>) -> u8 {
        let mut stream: ClientStream = dial.tls(client, "a.example").await.unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).await.unwrap();
        assert_eq!(reply, b"!");
        serial(&stream)
    }
    let (done, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
    let load: Vec<_> = [forgetful(&ours), Arc::new(ours.client())]
        .into_iter()
        .map(|client| {
            let (dial, done, requests) = (dial.clone(), Arc::clone(&done), Arc::clone(&requests));
            tokio::spawn(async move {
                while done.load(Relaxed) < 100 {
                    get(&dial, &client).await;
                    requests.fetch_add(1, Relaxed);
                }
            })
        })
        .collect();
    for nth in 0..100 {
        // Each reload falls into handshakes: others have been done since the last one.
        let before = requests.load(Relaxed);
        while requests.load(Relaxed) < before + 2 {
            tokio::task::yield_now().await;
        }
        let new = 2 + nth % 100;
        folder.write_pair(&ours.issue("a.example", new));
        config.reload().unwrap();
        assert_eq!(get(&dial, &forgetful(&ours)).await, new);
        done.fetch_add(1, Relaxed);
    }
    for load in load {
        load.await.unwrap();
    }
    let requests = 100 + requests.load(Relaxed);
    serving.abort();
    let health = health.snapshot();
    assert!(health.handshakes >= requests && requests >= 300, "{requests}");
    let failed = health.protocol + health.disconnected + health.refused_by_client + health.incompatible;
    assert_eq!((failed, health.failed_reloads), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_configuration_is_replaced_without_touching_connections() {
    let ours = Authority::new("ours");
    let config = TlsConfig::from(ours.issue("a.example", 1).server_config());
    let (memory, dial) = memory();
    let (mut tls, client) = (Tls::new(memory, config.clone()), forgetful(&ours));
    let (mut server, _, first) = handshake(&mut tls, &dial, &client, "a.example").await;
    config.replace(Arc::new(ours.issue("a.example", 2).server_config()));
    assert_eq!(shown(&mut tls, &dial, &client).await, 2);
    server.write_all(b"!").await.unwrap();
    server.flush().await.unwrap();
    assert_eq!(first.unwrap().read_u8().await.unwrap(), b'!');
}

/// The key is a pipe, so that the reload waits until it is written to.
#[cfg(unix)]
#[tokio::test]
async fn a_replacement_during_a_reload_stays() {
    let ours = Authority::new("ours");
    let folder = Folder::new();
    let pair = ours.issue("a.example", 1);
    folder.write_pair(&pair);
    let config = TlsConfig::load_with(folder.path("cert.pem"), folder.path("key.pem"), options()).unwrap();
    let key = folder.path("key.pem");
    fs::remove_file(&key).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&key).status().unwrap().success());
    std::thread::scope(|scope| {
        let reload = scope.spawn(|| config.reload());
        // Returns when the reload has opened the pipe to read.
        let mut pipe = fs::File::create(&key).unwrap();
        config.replace(Arc::new(ours.issue("a.example", 2).server_config()));
        std::io::Write::write_all(&mut pipe, pair.key.as_bytes()).unwrap();
        drop(pipe);
        reload.join().unwrap().unwrap();
    });
    let (memory, dial) = memory();
    let mut tls = Tls::new(memory, config.clone());
    assert_eq!(shown(&mut tls, &dial, &forgetful(&ours)).await, 2);
    folder.write_pair(&pair);
    config.reload().unwrap();
    assert_eq!(shown(&mut tls, &dial, &forgetful(&ours)).await, 1);
}

/// One exchange, so that the client has its tickets; whether it was resumed, or the error of the server.
async fn visit(tls: &mut Tls<Memory>, dial: &Dial, client: &Arc<ClientConfig>) -> Result<bool, String> {
    let (mut server, opened, client) = handshake(tls, dial, client, "a.example").await;
    let opened = opened.map_err(|error| error.to_string())?;
    server.write_all(b"!").await.unwrap();
    server.flush().await.unwrap();
    assert_eq!(client.unwrap().read_u8().await.unwrap(), b'!');
    Ok(opened.tls.unwrap().did_resume)
}

/// A ticket stands for a client certificate that was verified. It must not outlive the rules by which it was.
#[tokio::test(start_paused = true)]
async fn a_revoked_authority_with_an_old_ticket_is_refused() {
    let (ours, old, new) = (Authority::new("ours"), Authority::new("old"), Authority::new("new"));
    let folder = Folder::new();
    folder.write_pair(&ours.issue("a.example", 1));
    let roots = folder.write("roots.pem", old.pem());
    let options = TlsOptions { client_auth: Some(ClientAuth::required(roots)), ..options() };
    let load = || TlsConfig::load_with(folder.path("cert.pem"), folder.path("key.pem"), options.clone()).unwrap();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        folder.write("roots.pem", old.pem());
        let config = load();
        let (memory, dial) = memory();
        let mut tls = Tls::new(memory, config.clone());
        let client = Arc::new(ours.client_with(&[version], Some(&old.issue("alice", 7))));
        assert_eq!(visit(&mut tls, &dial, &client).await, Ok(false));
        assert_eq!(visit(&mut tls, &dial, &client).await, Ok(true));
        // A new certificate alone costs nobody a session.
        config.reload().unwrap();
        assert_eq!(visit(&mut tls, &dial, &client).await, Ok(true));

        folder.write("roots.pem", new.pem());
        config.reload().unwrap();
        let error = visit(&mut tls, &dial, &client).await.unwrap_err();
        assert!(error.contains("invalid peer certificate: UnknownIssuer"), "{error}");
        let friend = Arc::new(ours.client_with(&[version], Some(&new.issue("alice", 7))));
        assert_eq!(visit(&mut tls, &dial, &friend).await, Ok(false));
        assert_eq!(visit(&mut tls, &dial, &friend).await, Ok(true));

        // The same by replacing everything.
        let mut replaced = ours.issue("a.example", 2).server_config_for(&new);
        replaced.ticketer = rustls::crypto::ring::Ticketer::new().unwrap();
        config.replace(Arc::new(replaced));
        assert_eq!(visit(&mut tls, &dial, &friend).await, Ok(false), "the keys of tickets belong to a configuration");
        assert_eq!(visit(&mut tls, &dial, &friend).await, Ok(true));
    }
}

#[tokio::test(start_paused = true)]
async fn a_configuration_is_chosen_by_the_name_the_client_says() {
    let ours = Authority::new("ours");
    let public = ours.issue("a.example", 1).config(options());
    let secret = Arc::new(ours.issue("b.example", 2).server_config());
    let chosen = Arc::clone(&secret);
    let config = public.config_for_client(move |hello| match hello.server_name()? {
        "b.example" | "c.example" => Some(Arc::clone(&chosen)),
        _ => None,
    });
    let (memory, dial) = memory();
    let (mut tls, client) = (Tls::new(memory, config), forgetful(&ours));
    for (name, number, covered, not_covered) in [
        ("a.example", 1, ["a.example", "A.example.", "other.example", "192.0.2.1"], ["b.example", "C.EXAMPLE"]),
        ("B.example", 2, ["b.example", "B.Example", "c.example", "c.example."], ["a.example", "192.0.2.1"]),
    ] {
        let (_server, opened, client) = handshake(&mut tls, &dial, &client, name).await;
        assert_eq!(serial(&client.unwrap()), number);
        let hosts = opened.unwrap().hosts.unwrap();
        for host in covered {
            assert!(hosts.covers(host), "{name}: {host}");
        }
        for host in not_covered {
            assert!(!hosts.covers(host), "{name}: {host}");
        }
    }
    // A client that says no name has the configuration of those, and no way to the other.
    let mut nameless = ClientConfig::clone(&client);
    nameless.enable_sni = false;
    let (_server, opened, client) = handshake(&mut tls, &dial, &Arc::new(nameless), "a.example").await;
    assert_eq!(serial(&client.unwrap()), 1);
    let opened = opened.unwrap();
    assert_eq!(opened.tls.unwrap().server_name, None);
    let hosts = opened.hosts.unwrap();
    assert!(hosts.covers("a.example") && hosts.covers("[::1]") && !hosts.covers("b.example"));
}

/// Two pairs of files and a third, and a client that is shown the one of its name, also after each was renewed.
#[tokio::test(start_paused = true)]
async fn a_pair_of_files_is_chosen_by_name_and_each_is_reloaded() {
    let ours = Authority::new("ours");
    let folders = [Folder::new(), Folder::new(), Folder::new()];
    let load =
        |n: usize| TlsConfig::load_with(folders[n].path("cert.pem"), folders[n].path("key.pem"), options()).unwrap();
    let names = ["a.example", "b.example", "any.c.example"];
    let renew = |n: usize, serial: u8| folders[n].write_pair(&ours.issue(names[n], serial));
    let renew_all = |serials: [u8; 3]| serials.into_iter().enumerate().for_each(|(n, serial)| renew(n, serial));
    renew_all([1, 2, 3]);
    let c = load(2);
    let config = load(0)
        .config_for_name("B.example.", load(1))
        .config_for_name("*.c.example", c.clone())
        .config_for_name("c.example", c);
    config.fill_alpn(&[b"http/1.1"]);
    let (memory, dial) = memory();
    let (mut tls, client) = (Tls::new(memory, config.clone()), forgetful(&ours));
    let mut open = Vec::new();
    for (name, number) in names.into_iter().zip([1, 2, 3]) {
        let (_server, opened, client) = handshake(&mut tls, &dial, &client, name).await;
        assert_eq!(serial(&client.unwrap()), number, "{name}");
        open.push(opened.unwrap().hosts.unwrap());
    }
    // The connection of each covers the hosts of its configuration and no others.
    let covered = || {
        let hosts =
            ["a.example", "x.example", "192.0.2.1", "B.example", "any.C.example", "other.c.example.", "c.example"];
        open.iter().map(|scope| hosts.map(|host| u8::from(scope.covers(host)))).collect::<Vec<_>>()
    };
    let expected = [[1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1]];
    assert_eq!(covered(), expected);

    renew_all([11, 12, 13]);
    folders[1].write("key.pem", "");
    assert!(matches!(config.reload(), Err(TlsError::NoKey { .. })));
    assert_eq!(tls.health().snapshot().failed_reloads, 1);
    for (name, number) in names.into_iter().zip([11, 2, 13]) {
        let (_server, opened, client) = handshake(&mut tls, &dial, &client, name).await;
        assert_eq!(serial(&client.unwrap()), number, "the others are renewed: {name}");
        assert!(opened.is_ok());
    }
    renew(1, 22);
    config.reload().unwrap();
    let (_server, _, client) = handshake(&mut tls, &dial, &client, "b.example").await;
    assert_eq!(serial(&client.unwrap()), 22);
    assert_eq!(covered(), expected, "a reload changes nobody's hosts");
}

/// What a function chooses comes before the names; and of a configuration for a name its own names are nothing.
#[tokio::test(start_paused = true)]
async fn a_choice_for_a_client_comes_before_a_name() {
    let ours = Authority::new("ours");
    let by_function = Arc::new(ours.issue("b.example", 9).server_config());
    let config = |serial| ours.issue("b.example", serial).config(options());
    let inner = config(2).config_for_name("b.example", config(3));
    // A circle, which is none: of a configuration for a name only its certificate counts.
    let config = config(1).config_for_name("b.example", inner.clone()).config_for_name("a.example", inner);
    let config = config.clone().config_for_name("own.example", config);
    let (memory, dial) = memory();
    let mut tls = Tls::new(memory, config.clone());
    assert_eq!(serial(&handshake(&mut tls, &dial, &forgetful(&ours), "b.example").await.2.unwrap()), 2);
    let _ = config.config_for_client(move |hello| hello.server_name().map(|_| Arc::clone(&by_function)));
    assert_eq!(serial(&handshake(&mut tls, &dial, &forgetful(&ours), "b.example").await.2.unwrap()), 9);
}

/// A listener, and the lines that it reports about certificates.
fn reporting(config: TlsConfig) -> (Tls<Memory>, impl Fn() -> Vec<String>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&lines);
    let tls = Tls::new(memory().0, config).on_certificate_expired(move |expired| {
        let file = expired.path.file_name().unwrap().to_string_lossy();
        log.lock().unwrap().push(expired.to_string().replace(&*expired.path.to_string_lossy(), &file));
    });
    (tls, move || std::mem::take(&mut *lines.lock().unwrap()))
}

#[test]
fn an_expired_certificate_is_reported_at_the_start_and_at_a_reload() {
    const EXPIRED: &str = "the certificate in cert.pem expired at 2021-01-01 00:00:00 UTC";
    const EARLY: &str = "the certificate in cert.pem is not valid before 2090-01-01 00:00:00 UTC";
    let (ours, folder) = (Authority::new("ours"), Folder::new());
    let write = |from, to| folder.write_pair(&ours.issue_valid("a.example", 1, (from, to)));
    write(2020, 2021);
    let config = TlsConfig::load_with(folder.path("cert.pem"), folder.path("key.pem"), options()).unwrap();
    let (_tls, lines) = reporting(config.clone());
    assert_eq!(lines(), [EXPIRED]);
    let (other, other_lines) = reporting(config.clone());
    assert_eq!((lines(), other_lines()), (vec![], vec![]), "each is reported once");
    for (from, to, expected) in
        [(2020, 2021, &[EXPIRED][..]), (2090, 2091, &[EARLY]), (2020, 2091, &[]), (2020, 2021, &[EXPIRED])]
    {
        write(from, to);
        config.reload().unwrap();
        assert_eq!(lines(), expected, "{from} to {to}");
    }
    folder.write("key.pem", "");
    config.reload().unwrap_err();
    assert_eq!((lines(), other_lines()), (vec![], vec![]), "nothing was loaded");
    assert!(other.health().snapshot().is_outside_validity);
    config.replace(Arc::new(ours.issue_valid("a.example", 1, (2020, 2021)).server_config()));
    assert_eq!(lines(), [""; 0], "nothing is known of what is not from files");
}

#[test]
fn an_expired_certificate_for_a_name_is_reported_and_in_the_health() {
    let ours = Authority::new("ours");
    let expired = ours.issue_valid("b.example", 2, (2020, 2021)).config(options());
    let config = ours.issue("a.example", 1).config(options()).config_for_name("b.example", expired);
    let (tls, lines) = reporting(config);
    assert_eq!(lines().len(), 1);
    assert!(tls.health().snapshot().is_outside_validity);
}

/// A function that reloads because a certificate has expired is not called for ever.
#[test]
fn a_report_of_an_expired_certificate_may_reload_and_panic() {
    let (ours, folder) = (Authority::new("ours"), Folder::new());
    folder.write_pair(&ours.issue_valid("a.example", 1, (2020, 2021)));
    let config = TlsConfig::load_with(folder.path("cert.pem"), folder.path("key.pem"), options()).unwrap();
    let (calls, own) = (Arc::new(AtomicU64::new(0)), config.clone());
    let count = Arc::clone(&calls);
    let tls = Tls::new(memory().0, config.clone()).on_certificate_expired(move |_| {
        count.fetch_add(1, Relaxed);
        own.reload().unwrap();
        panic!("as asked");
    });
    assert_eq!((calls.load(Relaxed), tls.health().snapshot().report_panics), (1, 1));
    config.reload().unwrap();
    assert_eq!((calls.load(Relaxed), tls.health().snapshot().report_panics), (2, 2));
}

/// Whatever else a client says in its handshake, its own name is one it may ask for.
#[tokio::test(start_paused = true)]
async fn a_choice_by_more_than_the_name_covers_the_name() {
    let ours = Authority::new("ours");
    let special = Arc::new(ours.issue("a.example", 2).server_config());
    let config = ours.issue("a.example", 1).config(options()).config_for_client(move |hello| {
        let schemes = hello.rustls()?.signature_schemes();
        (!schemes.is_empty()).then(|| Arc::clone(&special))
    });
    let (memory, dial) = memory();
    let mut tls = Tls::new(memory, config);
    let (_server, opened, client) = handshake(&mut tls, &dial, &forgetful(&ours), "a.example").await;
    assert_eq!(serial(&client.unwrap()), 2);
    let hosts = opened.unwrap().hosts.unwrap();
    assert!(hosts.covers("a.example") && !hosts.covers("b.example"));
}

/// What was agreed on by ALPN with a client that offers these.
async fn agreed(tls: &mut Tls<Memory>, dial: &Dial, ours: &Authority, name: &str, offered: &[&str]) -> String {
    let mut client = ours.client();
    client.alpn_protocols = offered.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let (_server, opened, _) = handshake(tls, dial, &Arc::new(client), name).await;
    opened.map_or_else(
        |error| error.to_string(),
        |opened| String::from_utf8(opened.tls.unwrap().negotiated_protocol.to_vec()).unwrap(),
    )
}

#[tokio::test(start_paused = true)]
async fn alpn_is_filled_in_where_it_is_empty_and_only_there() {
    let ours = Authority::new("ours");
    let chosen = Arc::new(ours.issue("b.example", 2).server_config());
    let mut with_its_own = ours.issue("c.example", 3).server_config();
    with_its_own.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let with_its_own = Arc::new(with_its_own);
    let base = Arc::new(ours.issue("a.example", 1).server_config());
    let (b, c) = (Arc::clone(&chosen), Arc::clone(&with_its_own));
    let config = TlsConfig::from(Arc::clone(&base)).config_for_client(move |hello| match hello.server_name()? {
        "b.example" => Some(Arc::clone(&b)),
        "c.example" => Some(Arc::clone(&c)),
        _ => None,
    });
    let (memory, dial) = memory();
    let mut tls = Tls::new(memory, config.clone());
    let both = ["h2", "http/1.1"];
    assert_eq!(agreed(&mut tls, &dial, &ours, "a.example", &both).await, "", "nothing is offered unless it is said");
    config.fill_alpn(&[b"http/1.1"]);
    for name in ["a.example", "b.example"] {
        assert_eq!(agreed(&mut tls, &dial, &ours, name, &both).await, "http/1.1", "{name}");
        assert_eq!(agreed(&mut tls, &dial, &ours, name, &[]).await, "", "{name}");
    }
    let refused = agreed(&mut tls, &dial, &ours, "c.example", &both).await;
    assert!(refused.contains("peer doesn't support any known protocol"), "{refused}");
    assert_eq!(agreed(&mut tls, &dial, &ours, "c.example", &["acme-tls/1"]).await, "acme-tls/1");
    config.replace(Arc::new(ours.issue("a.example", 4).server_config()));
    assert_eq!(agreed(&mut tls, &dial, &ours, "a.example", &both).await, "http/1.1");
    config.fill_alpn(&[b"h2", b"http/1.1"]);
    assert_eq!(agreed(&mut tls, &dial, &ours, "b.example", &both).await, "h2");
}

/// A file from which nothing is offered by ALPN offers what the server fills in; one that says something, that.
#[tokio::test(start_paused = true)]
async fn alpn_of_the_options_goes_before_what_is_filled_in() {
    let ours = Authority::new("ours");
    let special = TlsOptions { alpn_protocols: vec![b"special".to_vec()], ..options() };
    for (options, expected) in [(options(), "http/1.1"), (special, "special")] {
        let (memory, dial) = memory();
        let mut tls = Tls::new(memory, ours.issue("a.example", 1).config(options));
        tls.config().fill_alpn(&[b"http/1.1"]);
        assert_eq!(agreed(&mut tls, &dial, &ours, "a.example", &["special", "http/1.1"]).await, expected);
    }
}
