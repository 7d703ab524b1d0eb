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

use quintet_server::{AccessLog, Config, Hooks, Server};
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

/// The key is a pipe that nothing is written to, as a file of another machine is that does not answer.
#[test]
fn a_reload_that_waits_for_a_file_does_not_hold_the_exit() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_with_a_pipe", "--ignored", "--nocapture"])
        .env("QUINTET_RELOAD_CHILD", "1")
        .spawn();
    let mut child = child.unwrap();
    for _ in 0..1500 {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("the process does not end");
}

#[tokio::test]
#[ignore = "run by the test above, in a process of its own"]
async fn child_with_a_pipe() {
    if std::env::var_os("QUINTET_RELOAD_CHILD").is_none() {
        return;
    }
    let site = Site::new();
    let (certificate, key) = (site.path("cert.pem"), site.path("key.pem"));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let addr = format!("127.0.0.1:{port}");
    let (at, pipe) = (addr.clone(), key.clone());
    let running = tokio::spawn(async move {
        Server::new(async |_| "hello").run_tls(&at, certificate, key, Duration::from_secs(1)).await
    });
    while TcpStream::connect(&addr).await.is_err() {
        sleep(Duration::from_millis(10)).await;
    }
    std::fs::remove_file(&pipe).unwrap();
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is there").success());
    signal("HUP");
    // Is opened when the reload has opened it to read, and stays open until the process ends.
    let opened = std::thread::spawn(|| std::mem::forget(std::fs::File::create(pipe).unwrap()));
    eventually("the reload reads the pipe", || opened.is_finished()).await;
    signal("TERM");
    running.await.unwrap().unwrap();
}

#[test]
fn an_expired_certificate_is_a_line_at_the_start_and_at_sighup() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_with_an_expired_certificate", "--ignored", "--nocapture"])
        .env("QUINTET_EXPIRED_CHILD", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{said}");
    let lines: Vec<_> = said.lines().filter(|line| line.starts_with("http: the certificate")).collect();
    let is_the_line = |line: &&str| line.ends_with("cert.pem expired at 2021-01-01 00:00:00 UTC");
    assert!(lines.len() == 2 && lines.iter().all(is_the_line), "{said}");
}

/// Expired, renewed, and expired again.
#[tokio::test]
#[ignore = "run by the test above, in a process of its own"]
async fn child_with_an_expired_certificate() {
    if std::env::var_os("QUINTET_EXPIRED_CHILD").is_none() {
        return;
    }
    bounded(async {
        let site = Site::new();
        site.renew_expired();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let addr = format!("127.0.0.1:{port}");
        let (at, certificate, key) = (addr.clone(), site.path("cert.pem"), site.path("key.pem"));
        let running = tokio::spawn(async move {
            Server::new(async |_| "hello").run_tls(&at, certificate, key, Duration::from_secs(1)).await
        });
        while TcpStream::connect(&addr).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
        let is_trusted =
            async || connect(TcpStream::connect(&addr).await.unwrap(), &site.client(None), "a.example").await.is_ok();
        assert!(!is_trusted().await);
        site.renew();
        signal("HUP");
        eventually_async(&is_trusted).await;
        site.renew_expired();
        signal("HUP");
        eventually_async(async || !is_trusted().await).await;
        // The thread that reloads may be about to write its line.
        sleep(Duration::from_millis(300)).await;
        signal("TERM");
        running.await.unwrap().unwrap();
    })
    .await;
}

#[test]
fn listen_and_serve_tls_reopens_its_log_at_both_signals() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_with_a_log", "--ignored", "--nocapture"])
        .env("QUINTET_LOG_CHILD", "1")
        .output();
    let child = child.unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
}

#[tokio::test]
#[ignore = "run by the test above, in a process of its own"]
async fn child_with_a_log() {
    if std::env::var_os("QUINTET_LOG_CHILD").is_none() {
        return;
    }
    bounded(async {
        let site = Site::new();
        let path = site.path("log");
        let log = AccessLog::open(&path).unwrap();
        let config = Config { access_log: Some(log), ..Config::default() };
        let server = Server::with_config(async |_| "hello", config);
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let addr = format!("127.0.0.1:{port}");
        let (own, at, certificate, key) = (server.clone(), addr.clone(), site.path("cert.pem"), site.path("key.pem"));
        let serving = tokio::spawn(async move { own.listen_and_serve_tls(&at, certificate, key).await });
        while TcpStream::connect(&addr).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
        for name in ["HUP", "USR1"] {
            std::fs::rename(&path, site.path(name)).unwrap();
            signal(name);
            eventually_async(async || path.exists()).await;
        }
        server.close().await;
        assert!(serving.await.unwrap().is_ok());
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
