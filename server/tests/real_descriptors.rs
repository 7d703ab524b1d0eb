//! Idle clients hold every descriptor, or every permit, of a child process that may open 40 files.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use quintet_server::{
    Config, Listener, Request, Server,
    listener::{Limit, TcpListener, TcpOptions},
};

const ROLE: &str = "QUINTET_DESCRIPTORS_CHILD";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// The child: a server with 40 descriptors, or with 30 permits.
fn serve(role: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0", &TcpOptions::default()).unwrap();
        println!("at {}", listener.local_addr().unwrap());
        let mut config = Config::default();
        config.hooks.accept_error = Some(Arc::new(|_| {}));
        let server = Server::with_config(async |_: Request| "hello", config);
        match role {
            "permits" => server.serve(Limit::new(listener, 30)).await.unwrap(),
            _ => server.serve(listener).await.unwrap(),
        }
    });
}

/// Kills the child when the test ends.
struct Server40(Child);

impl Drop for Server40 {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts this test program as the child, in this role; returns the address where it listens.
fn start(test: &str, role: &str) -> (Server40, String) {
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -n 40; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let addr = lines.into_iter().find_map(|line| Some(line.split_once("at 127.0.0.1:")?.1.to_owned()));
    (Server40(child), format!("127.0.0.1:{}", addr.expect("the child says where it listens")))
}

/// Sends a request and reads the reply; returns how long that took.
fn ask(client: &mut TcpStream) -> Duration {
    let start = Instant::now();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    client.write_all(REQUEST).unwrap();
    let (mut reply, mut buffer) = (Vec::new(), [0; 1024]);
    while !reply.ends_with(b"hello") {
        let n = client.read(&mut buffer).expect("a reply within 20 s");
        assert!(n > 0, "the server closed instead of replying");
        reply.extend_from_slice(&buffer[..n]);
    }
    start.elapsed()
}

/// Forty idle clients connect (as many are served as there is room for), and then ten new ones.
fn new_clients_are_served(test: &str, role: &str) {
    if let Ok(role) = std::env::var(ROLE) {
        return serve(&role);
    }
    let (_server, addr) = start(test, role);
    let mut idle = Vec::new();
    for _ in 0..40 {
        let mut client = TcpStream::connect(&addr).unwrap();
        let took = ask(&mut client);
        assert!(took < Duration::from_secs(2), "the {}th idle client waited for {took:?}", idle.len());
        idle.push(client);
    }
    for n in 0..10 {
        let mut new = TcpStream::connect(&addr).unwrap();
        let took = ask(&mut new);
        assert!(took < Duration::from_secs(2), "the {n}th new client waited for {took:?}");
    }
}

#[test]
fn new_clients_are_served_while_idle_ones_hold_all_descriptors() {
    new_clients_are_served("new_clients_are_served_while_idle_ones_hold_all_descriptors", "descriptors");
}

#[test]
fn new_clients_are_served_while_idle_ones_hold_all_permits() {
    new_clients_are_served("new_clients_are_served_while_idle_ones_hold_all_permits", "permits");
}
