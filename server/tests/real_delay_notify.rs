//! A process in its shutdown delay, with a service manager that listens on an abstract socket. A process of its own, because
//! a signal and the environment are for the whole process.

#![cfg(target_os = "linux")]

mod support;

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process::{Child, Command},
    time::Duration,
};

use quintet_server::{Config, Server};
use support::bounded;

fn terminate(child: &Child) {
    let sent = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    assert!(sent.expect("kill is there").success());
}

/// The next message that is not of the watchdog.
fn told(manager: &UnixDatagram) -> String {
    let mut message = [0; 256];
    let n = manager.recv(&mut message).expect("a message within a minute");
    String::from_utf8_lossy(&message[..n]).into_owned()
}

#[test]
fn the_manager_hears_stopping_at_the_beginning_of_the_delay() {
    let name = format!("quintet-delay-{}", std::process::id());
    let addr = SocketAddr::from_abstract_name(&name).expect("a name");
    let manager = UnixDatagram::bind_addr(&addr).expect("a free name");
    manager.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    // A port that is free: `run` does not say which one it found.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    let mut child = Command::new(std::env::current_exe().expect("this file"))
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env("NOTIFY_SOCKET", format!("@{name}"))
        .env("QUINTET_DELAY_PORT", port.to_string())
        .spawn()
        .expect("a process");
    assert_eq!(told(&manager), "READY=1\n");
    terminate(&child);
    assert_eq!(told(&manager), "STOPPING=1\n");
    // It still accepts, and would for an hour.
    let mut client = TcpStream::connect(("127.0.0.1", port)).expect("it accepts");
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it reads");
    let mut reply = String::new();
    client.read_to_string(&mut reply).expect("text");
    assert!(reply.starts_with("HTTP/1.1 200 ") && reply.contains("Connection: close"), "{reply}");
    drop(client);
    assert!(child.try_wait().expect("a child").is_none());
    terminate(&child);
    assert!(child.wait().expect("a child").success());
}

#[tokio::test]
#[ignore = "run by the test above, in a process of its own"]
async fn child() {
    let Ok(port) = std::env::var("QUINTET_DELAY_PORT") else { return };
    bounded(async {
        let config = Config { shutdown_delay: Duration::from_secs(3600), ..Config::default() };
        let server = Server::with_config(async |_| "hello\n", config);
        server.run(&format!("127.0.0.1:{port}"), Duration::from_secs(5)).await.expect("it serves");
    })
    .await;
}
