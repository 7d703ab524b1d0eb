//! The first accept registers the listener with the runtime. A child process has no descriptor left at that moment.
#![cfg(all(feature = "io", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    process::{Command, Stdio},
    time::Duration,
};

use quintet_listener::{Listener, Pressure, Retry, TcpListener, TcpOptions};
use tokio::{io::AsyncWriteExt, time::timeout};

const ROLE: &str = "QUINTET_FIRST_ACCEPT_CHILD";
const TEST: &str = "a_first_accept_out_of_descriptors_is_tried_again";

#[test]
fn a_first_accept_out_of_descriptors_is_tried_again() {
    if std::env::var_os(ROLE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(serve());
    }
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture", "--test-threads=1"])
        .env(ROLE, "server")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let port: u16 =
        lines.find_map(|line| line.split_once("port ")?.1.parse().ok()).expect("the child says where it listens");
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut heard = String::new();
    client.read_to_string(&mut heard).unwrap();
    let said: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().success(), "{said:#?}");
    assert_eq!(heard, "served");
}

async fn serve() {
    let pressure = Pressure::new();
    let mut retry = Retry::new(TcpListener::bind("127.0.0.1:0", &TcpOptions::default()).unwrap());
    retry.set_pressure(&pressure);
    let health = retry.health();
    println!("port {}", retry.get_ref().port());
    let files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(files.len() > 10);
    assert!(timeout(Duration::from_millis(50), retry.accept()).await.is_err());
    assert_eq!(health.snapshot().last.unwrap().errno, Some(24));
    assert!(health.snapshot().waited > 1 && pressure.is_raised());
    drop(files);
    let (mut stream, _) = timeout(Duration::from_secs(2), retry.accept()).await.unwrap().unwrap();
    assert!(!pressure.is_raised());
    stream.write_all(b"served").await.unwrap();
}
