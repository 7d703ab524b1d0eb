//! A listener without free file descriptors: how long it waits, and what ends the wait.
//!
//! You learn: the delays of `Retry` (its back-off) double up to one second, and a descriptor that comes free ends a
//!           wait early.
//!
//! Run:      `cargo run --example 02_backoff`
//! Then:     nothing: the listener fails on purpose with EMFILE, as if the limit of `ulimit -n` were reached.
//! You see:  the delays 5 10 20 40 80 160 320 640 1000 1000 ms, one after each failure. Then a connection closes
//!           elsewhere, which ends the second wait of 1 s early. The success that follows resets the delay, so the next
//!           failure waits 5 ms again.

use std::{io, time::Instant};

use quintet_examples::{NoArguments, arguments, outln};
use quintet_listener::{Addr, Listener, Retry, UnixName};
use tokio::{
    io::{DuplexStream, duplex},
    time::{Duration, sleep},
};

/// A listener without a socket, which fails on purpose. Any source of streams can be a listener.
struct OutOfDescriptors {
    attempts: u32,
    last: Instant,
}

impl Listener for OutOfDescriptors {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, Addr)> {
        self.attempts += 1;
        let waited = self.last.elapsed().as_millis();
        self.last = Instant::now();
        if self.attempts == 11 || self.attempts == 14 {
            outln!("attempt {:2} after {waited:4} ms: accepted", self.attempts);
            return Ok((duplex(64).0, Addr::Unix(UnixName::Unnamed)));
        }
        outln!("attempt {:2} after {waited:4} ms: EMFILE", self.attempts);
        Err(io::Error::from_raw_os_error(24))
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Ok(Addr::Unix(UnixName::Unnamed))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let NoArguments {} = arguments(include_str!("02_backoff.rs"));
    let failing = OutOfDescriptors { attempts: 0, last: Instant::now() };
    let mut listener = Retry::new(failing).on_error(|error| outln!("    the log: {error}"));
    let (fd_released, health) = (listener.fd_released(), listener.health());

    tokio::spawn(async move {
        sleep(Duration::from_millis(2600)).await;
        outln!("    a connection of ours closes");
        fd_released.notify();
    });
    for _ in 0..2 {
        listener.accept().await?;
    }
    outln!("{:#?}", health.snapshot());
    Ok(())
}
