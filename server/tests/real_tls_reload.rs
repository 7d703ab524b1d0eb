//! A server over TLS in a process that gets SIGHUP, with a service manager that listens. A process of its own, because a
//! signal and the environment are for the whole process.
#![cfg(all(feature = "ring", unix))]
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;
mod tls_kit;

use std::{
    os::unix::net::UnixDatagram,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use quintet_server::{Config, Hooks, Server};
use rustls::{ClientConfig, client::Resumption};
use support::{bounded, eventually};
use tls_kit::{Site, connect, get};
use tokio::{net::TcpStream, time::sleep};

fn signal(name: &str) {
    let pid = std::process::id().to_string();
    assert!(Command::new("kill").args(["-s", name, &pid]).status().expect("kill is there").success());
}

#[test]
fn sighup_reads_the_certificate_again_and_drops_no_connection() {
    let path = std::env::temp_dir().join(format!("quintet-notify-{}", std::process::id()));
    let manager = UnixDatagram::bind(&path).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env("NOTIFY_SOCKET", &path)
        .output();
    std::fs::remove_file(&path).unwrap();
    let child = child.unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    // What was sent lies in the socket.
    manager.set_nonblocking(true).unwrap();
    let (mut told, mut bytes) = (Vec::new(), [0; 256]);
    while let Ok(n) = manager.recv(&mut bytes) {
        told.extend(String::from_utf8_lossy(&bytes[..n]).lines().next().map(str::to_owned));
    }
    let reload = ["RELOADING=1", "READY=1"];
    assert_eq!(told, [&["READY=1"][..], &reload, &reload, &["STOPPING=1"]].concat());
}

#[tokio::test]
#[ignore = "run by the test above, in a process of its own"]
async fn child() {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    bounded(async {
        let site = Site::new();
        let errors = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&errors);
        let hooks = Hooks {
            reload_error: Some(Arc::new(move |error| log.lock().unwrap().push(error.to_string()))),
            ..Hooks::default()
        };
        let server = Server::with_config(async |_| "hello", Config { hooks, ..Config::default() });
        // A port that is free: `run_tls` does not say which one it found.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let addr = format!("127.0.0.1:{port}");
        let (own, at, certificate, key) = (server.clone(), addr.clone(), site.path("cert.pem"), site.path("key.pem"));
        let running = tokio::spawn(async move { own.run_tls(&at, certificate, key, Duration::from_secs(5)).await });
        while TcpStream::connect(&addr).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }

        // One that remembers no session: a resumed one has the certificate of its first handshake.
        let mut client = ClientConfig::clone(&site.client(None));
        client.resumption = Resumption::disabled();
        let client = Arc::new(client);
        let dial = async || connect(TcpStream::connect(&addr).await.unwrap(), &client, "a.example").await.unwrap();
        let shown = async || dial().await.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        let mut open = dial().await;
        let first = shown().await;
        site.renew();
        signal("HUP");
        eventually_async(async || shown().await != first).await;
        let second = shown().await;
        assert_eq!(get(&mut open, "a.example").await, (200, "hello".to_owned()));

        site.write("key.pem", "");
        signal("HUP");
        eventually("the error is told", || !errors.lock().unwrap().is_empty()).await;
        assert!(errors.lock().unwrap()[0].contains("key.pem has no private key"));
        assert_eq!(shown().await, second, "the last good pair stays");

        drop(open);
        signal("TERM");
        running.await.unwrap().unwrap();
    })
    .await;
}

async fn eventually_async(is: impl AsyncFn() -> bool) {
    for _ in 0..500 {
        if is().await {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("not within five seconds");
}
