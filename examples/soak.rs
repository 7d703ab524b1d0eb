//! A tool: a server with good and bad clients at once, for as long as you like.
//!
//! You learn: how well the good clients are served while others are silent, send byte by byte, abort, make handlers
//!           panic or never read their replies.
//!
//! Run:      `cargo run --release --example soak -- 60` (seconds)
//! You see:  every five seconds: replies to the good clients per second, the number of bad clients, connections by
//!           state, and the memory of the process (on Linux). It ends with an error if a good client ever got no good
//!           reply.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::bail;
use quintet_examples::{arguments, outln};
use quintet_server::{
    Config, Hooks, Listener, Request, Response, ServeMux, Server, Timeouts,
    listener::{TcpListener, TcpOptions},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[derive(Default)]
struct Tally {
    good: AtomicU64,
    bad: AtomicU64,
    let_down: AtomicU64,
}

/// Sends one request, and returns whether its reply is complete and correct.
async fn ask(stream: &mut TcpStream, request: &[u8], reply_ends: &[u8]) -> io::Result<bool> {
    stream.write_all(request).await?;
    let (mut reply, mut piece) = (Vec::new(), [0; 4096]);
    while !reply.ends_with(reply_ends) {
        match stream.read(&mut piece).await? {
            0 => return Ok(false),
            n => reply.extend_from_slice(&piece[..n]),
        }
    }
    Ok(reply.starts_with(b"HTTP/1.1 200"))
}

async fn good(addr: String, tally: Arc<Tally>) -> io::Result<()> {
    loop {
        let mut stream = TcpStream::connect(&addr).await?;
        for _ in 0..200 {
            let right = tokio::time::timeout(Duration::from_secs(5), ask(&mut stream, GET, b"hello\n")).await;
            match right {
                Ok(Ok(true)) => tally.good.fetch_add(1, Relaxed),
                _ => tally.let_down.fetch_add(1, Relaxed),
            };
        }
    }
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: soak\r\n\r\n";

/// A bad client of one of six kinds, chosen by its number.
async fn bad(addr: &str, number: u64) -> io::Result<()> {
    let mut stream = TcpStream::connect(addr).await?;
    match number % 6 {
        0 => tokio::time::sleep(Duration::from_secs(2)).await, // silent
        1 => {
            for byte in &GET[..20] {
                stream.write_all(&[*byte]).await?; // a head byte by byte
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        2 => {
            stream.write_all(b"POST /echo HTTP/1.1\r\nHost: soak\r\nContent-Length: 100000\r\n\r\nabc").await?;
            stream.set_zero_linger()?; // a reset in the middle of a body
        }
        3 => drop(ask(&mut stream, b"GET /panic HTTP/1.1\r\nHost: soak\r\n\r\n", b"Error\n").await),
        4 => drop(ask(&mut stream, b"GET / HTTP/1.1\nHost: soak\n\n", b"\n").await), // refused
        _ => {
            let mut upload = b"POST /echo HTTP/1.1\r\nHost: soak\r\nContent-Length: 1000000\r\n\r\n".to_vec();
            upload.resize(upload.len() + 1_000_000, b'x');
            stream.write_all(&upload).await?; // never reads its reply
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    Ok(())
}

/// The memory of this process in KiB, from `/proc` if it is there.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// How long
    #[arg(default_value_t = 60)]
    seconds: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { seconds } = arguments(include_str!("soak.rs"));
    std::panic::set_hook(Box::new(|_| {}));
    let mux = ServeMux::new();
    mux.handle("GET /{$}", async |_| "hello\n");
    mux.handle("POST /echo", async |request: Request| Response::new(request.into_body()));
    mux.handle("GET /panic", async |_: Request| -> &'static str { panic!("as asked") });
    let config = Config {
        timeouts: Timeouts { read_header: Duration::from_secs(1), ..Timeouts::default() },
        hooks: Hooks { panicked: Some(Arc::new(|_| {})), ..Hooks::default() },
        ..Config::default()
    };
    let (server, tally) = (Server::with_config(mux, config), Arc::<Tally>::default());
    let listener = TcpListener::bind("127.0.0.1:0", &TcpOptions::default())?;
    let addr = listener.local_addr()?.to_string();
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve(listener).await }
    });
    for _ in 0..16 {
        tokio::spawn(good(addr.clone(), Arc::clone(&tally)));
    }
    for worker in 0..32_u64 {
        let (addr, tally) = (addr.clone(), Arc::clone(&tally));
        tokio::spawn(async move {
            for number in worker.. {
                let _ = bad(&addr, number).await;
                tally.bad.fetch_add(1, Relaxed);
            }
        });
    }
    let (began, mut before) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(seconds) {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let (good, bad) = (tally.good.load(Relaxed), tally.bad.load(Relaxed));
        outln!(
            "{:>4} s: {:>7} good/s, {bad:>7} bad, {:?}, {} KiB, {} let down",
            began.elapsed().as_secs(),
            (good - before) / 5,
            server.counts(),
            memory().unwrap_or(0),
            tally.let_down.load(Relaxed),
        );
        before = good;
    }
    let let_down = tally.let_down.load(Relaxed);
    outln!("{:?}", server.shutdown(Duration::from_secs(3)).await);
    serving.await??;
    if let_down > 0 {
        bail!("{let_down} good requests were let down");
    }
    Ok(())
}
