//! The accept loop alone: each client is greeted and its connection closed.
//!
//! You learn: how to make a listener from an address, and what `accept` returns.
//!
//! Run:      `cargo run --example 01_accept -- 127.0.0.1:9090`
//! Then:     `nc 127.0.0.1 9090` in another terminal; several at once, if you like
//! You see:  the client reads "hello 127.0.0.1:54321, you are number 1" and its connection is closed; this terminal has
//!           a line for each client.
//! Try:      other addresses: `:9090` (IPv4 and IPv6), `localhost:9090`, `[::1]:9090`,
//!           `unix:accept.sock` (and `nc -U accept.sock`)
//! End:      Ctrl-C. The loop ends at once.

use anyhow::Context;
use quintet_examples::{arguments, errln, outln};
use quintet_listener::{Limit, Listener, Retry, listen};
use tokio::io::AsyncWriteExt;

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// Where to listen: `:port`, `host:port` or `unix:path`
    #[arg(default_value = ":9090")]
    addr: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Arguments { addr } = arguments(include_str!("01_accept.rs"));
    let listener = listen(&addr).with_context(|| format!("cannot listen on {addr}"))?;
    let limited = Limit::new(listener, 100);
    let mut listener = Retry::new(limited).on_error(|error| errln!("{error}"));
    outln!("listening on {}", listener.local_addr()?);

    let (health, fd_released) = (listener.health(), listener.fd_released());
    loop {
        // `accept` is cancel safe: a future that is dropped has accepted no connection, so `select!` loses none.
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = tokio::signal::ctrl_c() => break,
        };
        let number = health.snapshot().accepted;
        outln!("{number}: {peer}");

        // When the stream is dropped, its permit returns to `Limit`, and `Retry` learns that a descriptor is free.
        let mut stream = fd_released.on_drop(stream);
        tokio::spawn(async move {
            let hello = format!("hello {peer}, you are number {number}\n");
            if let Err(error) = stream.write_all(hello.as_bytes()).await {
                errln!("{peer}: {error}");
            }
        });
    }
    outln!("\n{} accepted", health.snapshot().accepted);
    Ok(())
}
