//! A server under a service manager: its socket outlives it, it says how it is doing, and no client is refused while it
//! is replaced under load.
#![cfg(all(feature = "activation", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use quintet_server::{Request, Response, Server};

const ROLE: &str = "QUINTET_ACTIVATION_CHILD";
const TEST: &str = "no_request_is_lost_while_the_process_is_replaced";

/// Starts a server process with the socket as its descriptor 3, as a service manager does.
fn start(generation: &str, socket: &TcpListener, manager: &Path) -> Child {
    // Without unsafe code a parent can only place standard input: the shell moves it.
    let script = "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=http WATCHDOG_PID=$$ exec \"$0\" \"$@\" 3<&0 0</dev/null";
    let mut child = Command::new("sh");
    child.args(["-c", script]).arg(std::env::current_exe().unwrap());
    child.args(["--exact", TEST, "--nocapture", "--test-threads=1"]).env(ROLE, generation);
    child.env("NOTIFY_SOCKET", manager).env("WATCHDOG_USEC", "200000");
    child.stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap()))).stdout(Stdio::null());
    child.spawn().unwrap()
}

fn serve(generation: String) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async move {
        let server = Server::new(move |_: Request| {
            let generation = generation.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Response::new(generation)
            }
        });
        server.run("fd:http", Duration::from_secs(10)).await.unwrap();
    });
}

/// One request on a connection of its own; a connection that cannot be opened or answers nothing is a panic.
fn ask(addr: SocketAddr) -> String {
    let mut stream = TcpStream::connect(addr).unwrap_or_else(|error| panic!("refused: {error}"));
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap_or_else(|error| panic!("{error} after {reply:?}"));
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply:?}");
    reply.rsplit("\r\n\r\n").next().unwrap().to_owned()
}

/// What the manager was told until it was told this.
fn hear(manager: &UnixDatagram, until: &str) -> Vec<String> {
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last| last != until) {
        let mut message = [0; 256];
        let len = manager.recv(&mut message).unwrap_or_else(|error| panic!("{error}: only {heard:?}"));
        heard.push(String::from_utf8_lossy(&message[..len]).trim_end().to_owned());
    }
    heard
}

#[test]
fn no_request_is_lost_while_the_process_is_replaced() {
    if let Ok(generation) = std::env::var(ROLE) {
        return serve(generation);
    }
    let path = std::env::temp_dir().join(format!("quintet-manager-{}", std::process::id()));
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = socket.local_addr().unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    // They are there before the first process is: its first clients wait in the queue.
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let ended = Arc::clone(&ended);
            thread::spawn(move || {
                let mut said = Vec::new();
                while !ended.load(Relaxed) {
                    said.push(ask(addr));
                }
                said
            })
        })
        .collect();
    for generation in 0..4 {
        let mut child = start(&generation.to_string(), &socket, &path);
        hear(&manager, "READY=1");
        let ready = Instant::now();
        thread::sleep(Duration::from_millis(500));
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let heard = hear(&manager, "STOPPING=1");
        let alive = heard.iter().filter(|message| *message == "WATCHDOG=1").count();
        let most = 2 + usize::try_from(ready.elapsed().as_millis() / 100).unwrap();
        assert!((3..=most).contains(&alive), "twice in 200 ms, for half a second: {heard:?}");
        assert!(child.wait().unwrap().success());
        manager.set_nonblocking(true).unwrap();
        while manager.recv(&mut [0; 256]).map_err(|error| error.kind()) != Err(ErrorKind::WouldBlock) {}
        manager.set_nonblocking(false).unwrap();
    }
    let mut last = start("last", &socket, &path);
    hear(&manager, "READY=1");
    ended.store(true, Relaxed);
    let said: Vec<String> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    for generation in ["0", "1", "2", "3"] {
        assert!(said.iter().filter(|said| *said == generation).count() > 20, "{generation} served");
    }
    assert!(Command::new("kill").args(["-TERM", &last.id().to_string()]).status().unwrap().success());
    assert!(last.wait().unwrap().success());
    std::fs::remove_file(path).unwrap();
}
