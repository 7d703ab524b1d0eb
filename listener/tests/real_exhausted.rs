//! Out of descriptors for real: a child process that may open 64 files, and clients that wait in its queue.
#![cfg(all(feature = "io", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek},
    net::TcpStream as Client,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use quintet_listener::{FdReleased, Health, Listener, Retry, TcpListener, TcpOptions};
use tokio::{net::TcpStream, sync::mpsc, time::sleep};

const ROLE: &str = "QUINTET_EXHAUSTED_CHILD";
const TEST: &str = "out_of_descriptors_it_neither_spins_nor_stops";

#[test]
fn out_of_descriptors_it_neither_spins_nor_stops() {
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
    let port =
        lines.find_map(|line| line.split_once("port ")?.1.parse().ok()).expect("the child says where it listens");
    // The kernel lets all of them in; the child can accept about fifty.
    let clients: Vec<Client> = (0..120_u16).map(|_| Client::connect(("127.0.0.1", port)).unwrap()).collect();
    let said: Vec<String> = lines.collect();
    let status = child.wait().unwrap();
    assert!(status.success(), "{said:#?}");
    println!("{said:#?}");
    drop(clients);
}

/// The child: accepts until nothing is left, then proves three things.
async fn serve() {
    // While a descriptor is left: at EMFILE /proc cannot be read any more.
    let mut stat = File::open("/proc/thread-self/schedstat").unwrap();
    let mut retry = Retry::new(TcpListener::bind("127.0.0.1:0", &TcpOptions::default()).unwrap());
    println!("port {}", retry.get_ref().port());
    let (health, fd_released) = (retry.health(), retry.fd_released());
    let (sender, mut accepted) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = retry.accept().await.expect("no temporary error surfaces");
            sender.send(stream).unwrap();
        }
    });
    let mut open: Vec<TcpStream> = Vec::new();
    while health.snapshot().waited == 0 {
        open.push(accepted.recv().await.unwrap());
    }
    open.extend(std::iter::from_fn(|| accepted.try_recv().ok()));
    assert_eq!(health.snapshot().last.unwrap().errno, Some(24));

    let before = cpu(&mut stat);
    sleep(Duration::from_secs(1)).await;
    let used = cpu(&mut stat) - before;
    println!("cpu: {used:?} in a second at EMFILE, {} attempts", health.snapshot().waited);
    assert!(used < Duration::from_millis(50), "{used:?} is more than 5 % of a core");
    assert!(accepted.try_recv().is_err(), "nothing could have been accepted");

    let woken = back_after_closing(&mut open, &mut accepted, &health, Some(&fd_released)).await;
    println!("released: accepted again after {woken:?}");
    assert!(woken < Duration::from_millis(100));

    let alone = back_after_closing(&mut open, &mut accepted, &health, None).await;
    println!("not told: accepted again after {alone:?}");
    assert!(alone < Duration::from_millis(1100));
}

/// How long after a descriptor came free the next client is accepted, at the beginning of a wait of one second.
async fn back_after_closing(
    open: &mut Vec<TcpStream>,
    accepted: &mut mpsc::UnboundedReceiver<TcpStream>,
    health: &Health,
    fd_released: Option<&FdReleased>,
) -> Duration {
    // All delays before that of one second last 1.3 s.
    let began = Instant::now();
    while health.snapshot().delay < Duration::from_secs(1) {
        assert!(began.elapsed() < Duration::from_secs(10), "the delay is still {:?}", health.snapshot().delay);
        sleep(Duration::from_millis(5)).await;
    }
    let waited = health.snapshot().waited;
    while health.snapshot().waited == waited {
        sleep(Duration::from_millis(1)).await;
    }
    let closed = Instant::now();
    drop(open.pop());
    if let Some(fd_released) = fd_released {
        fd_released.notify();
    }
    open.push(accepted.recv().await.unwrap());
    closed.elapsed()
}

/// The processor time of this thread so far, which is the whole runtime.
fn cpu(stat: &mut File) -> Duration {
    let mut text = String::new();
    stat.rewind().unwrap();
    stat.read_to_string(&mut text).unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}
