//! Thousands of clients that never finish their TLS handshake: each is gone when its time is over, and a good client is
//! served meanwhile.
//!
//! The server, the silent clients and the good one are three processes, so that none waits for the other's work. In the
//! suite a thousand clients have two seconds; `cargo test --release -p quintet-server --features ring --test
//! real_tls_silent -- --ignored` runs ten thousand with the default of ten seconds.
#![cfg(all(feature = "ring", unix))]
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;
mod tls_kit;

use std::{
    env,
    io::{BufRead, BufReader, Lines},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use quintet_server::{Server, listen, load_tls};
use rustls::{ClientConfig, ClientConnection, client::Resumption};
use tls_kit::{Site, connect, get};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Builder,
    sync::{Semaphore, mpsc},
    time::{Instant, sleep},
};

const ROLE: &str = "QUINTET_SILENT_ROLE";
const FOLDER: &str = "QUINTET_SILENT_FOLDER";
const SERVER: &str = "QUINTET_SILENT_SERVER";
const CLIENTS: &str = "QUINTET_SILENT_CLIENTS";
const LIMIT: &str = "QUINTET_SILENT_LIMIT";
/// What a line for another process begins with: the harness prints some of its own.
const MARK: &str = "silent: ";
/// How late the end may be seen.
const LATE: Duration = Duration::from_secs(2);

fn number(name: &str) -> u64 {
    env::var(name).unwrap().parse().unwrap()
}

/// Another process of this program; it ends with this.
struct Process(Child, Lines<BufReader<ChildStdout>>);

impl Process {
    fn start(role: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n 12000 2>/dev/null || ulimit -n $(ulimit -Hn); exec \"$0\" \"$@\""]);
        command.arg(env::current_exe().unwrap()).args(["--exact", "process", "--ignored", "--nocapture"]);
        command.env(ROLE, role).envs(environment.iter().copied()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self(child, lines)
    }

    /// What it says next.
    fn hear(&mut self) -> String {
        let said = self.1.by_ref().find_map(|line| Some(line.unwrap().split_once(MARK)?.1.to_owned()));
        said.expect("it says so before it ends")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "a process of the other tests"]
fn process() {
    match env::var(ROLE).as_deref() {
        Ok("server") => Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(serve()),
        Ok("crowd") => Builder::new_current_thread().enable_all().build().unwrap().block_on(fall_silent()),
        _ => {}
    }
}

async fn serve() {
    let folder = std::path::PathBuf::from(env::var_os(FOLDER).unwrap());
    let config = load_tls(folder.join("cert.pem"), folder.join("key.pem")).unwrap();
    let listener = listen("127.0.0.1:0").unwrap();
    let server = Server::new(async |_| "hello");
    let listener = server.tls_listener(listener, config).handshake_timeout(Duration::from_secs(number(LIMIT)));
    println!("\n{MARK}{}", quintet_server::Listener::local_addr(&listener).unwrap());
    server.serve(listener).await.unwrap();
}

/// A third of the clients says nothing, another half a ClientHello, the last stops after the server's flight. Says when
/// all have come that far, and at the end the shortest and longest time they were kept.
async fn fall_silent() {
    let (clients, addr) = (number(CLIENTS), env::var(SERVER).unwrap().parse().unwrap());
    // Their certificate is never looked at.
    let config = Site::new().client(None);
    // Not more at a time than are queued for being accepted.
    let connecting = Arc::new(Semaphore::new(64));
    let (silent, mut are_silent) = mpsc::unbounded_channel();
    let crowd: Vec<_> = (0..clients)
        .map(|nth| tokio::spawn(one(nth, addr, Arc::clone(&config), Arc::clone(&connecting), silent.clone())))
        .collect();
    drop(silent);
    for _ in 0..clients {
        are_silent.recv().await.expect("all fall silent before their time is over");
    }
    println!("\n{MARK}all are silent");
    let (mut shortest, mut longest) = (Duration::MAX, Duration::ZERO);
    for client in crowd {
        let (at_least, at_most) = client.await.unwrap();
        shortest = shortest.min(at_most);
        longest = longest.max(at_least);
    }
    println!("\n{MARK}{} {}", shortest.as_millis(), longest.as_millis());
}

/// One client; for how long it was kept: from when it was connected, and from when it began to connect. It was accepted
/// in between.
async fn one(
    nth: u64,
    addr: SocketAddr,
    config: Arc<ClientConfig>,
    connecting: Arc<Semaphore>,
    silent: mpsc::UnboundedSender<()>,
) -> (Duration, Duration) {
    let permit = connecting.acquire().await.unwrap();
    let begun = Instant::now();
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let connected = Instant::now();
    drop(permit);
    let mut hello = Vec::new();
    let mut tls = ClientConnection::new(config, "a.example".try_into().unwrap()).unwrap();
    tls.write_tls(&mut hello).unwrap();
    match nth % 3 {
        0 => {}
        1 => stream.write_all(&hello[..hello.len() / 2]).await.unwrap(),
        _ => {
            stream.write_all(&hello).await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), 22, "a record of the handshake");
        }
    }
    silent.send(()).unwrap();
    drop(silent);
    // Closed or reset: both are its end.
    while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {}
    (connected.elapsed(), begun.elapsed())
}

/// Connections with a full handshake and a request each, until told to stop: when each began, and how long it took.
async fn be_good(addr: SocketAddr, client: Arc<ClientConfig>, stop: Arc<Semaphore>) -> Vec<(Instant, Duration)> {
    let mut took = Vec::new();
    while stop.available_permits() == 0 {
        let begun = Instant::now();
        let mut stream = connect(TcpStream::connect(addr).await.unwrap(), &client, "a.example").await.unwrap();
        assert_eq!(get(&mut stream, "a.example").await, (200, "hello".to_owned()));
        took.push((begun, begun.elapsed()));
        sleep(Duration::from_millis(20)).await;
    }
    took
}

fn silent_clients(clients: u64, limit: u64) {
    let site = Site::new();
    let mut client = ClientConfig::clone(&site.client(None));
    client.resumption = Resumption::disabled();
    let folder = site.path("");
    let (clients, limit_text) = (clients.to_string(), limit.to_string());
    let mut server = Process::start("server", &[(FOLDER, folder.to_str().unwrap()), (LIMIT, &limit_text)]);
    let addr = server.hear();
    let stop = Arc::new(Semaphore::new(0));
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let good = runtime.spawn(be_good(addr.parse().unwrap(), Arc::new(client), Arc::clone(&stop)));
    let mut crowd = Process::start("crowd", &[(SERVER, &addr), (CLIENTS, &clients)]);
    assert_eq!(crowd.hear(), "all are silent");
    let all_silent = Instant::now();
    let kept = crowd.hear();
    stop.add_permits(1);
    let took = runtime.block_on(good).unwrap();

    let (shortest, longest) = kept.split_once(' ').unwrap();
    let [shortest, longest] = [shortest, longest].map(|text| Duration::from_millis(text.parse().unwrap()));
    let mut all: Vec<_> = took.iter().map(|(_, took)| *took).collect();
    all.sort();
    let median = all[all.len() / 2];
    let slowest = took.iter().filter(|(begun, _)| *begun > all_silent).map(|(_, took)| *took).max().unwrap();
    println!(
        "{clients} clients were kept for {shortest:?} to {longest:?}; {} good ones: median {median:?}, slowest {:?}, and \
         {slowest:?} when all were silent",
        all.len(),
        all[all.len() - 1],
    );
    let limit = Duration::from_secs(limit);
    assert!(shortest >= limit, "{shortest:?}");
    assert!(longest <= limit + LATE, "{longest:?}");
    assert!(median < Duration::from_millis(50), "{median:?}");
    assert!(slowest <= Duration::from_secs(2), "{slowest:?}");
}

#[test]
fn a_thousand_silent_tls_clients_are_gone_in_time() {
    silent_clients(1000, 2);
}

#[test]
#[ignore = "takes more than ten seconds, and ten thousand descriptors in two processes"]
fn ten_thousand_silent_tls_clients_are_gone_in_time() {
    silent_clients(10_000, 10);
}
