//! The accept loop: all that a server needs from the layer below.
//!
//! You learn: how a listener is made from an address, and what `accept` gives.
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
        // A future that is dropped has taken no connection: `select!` may race it against anything.
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = tokio::signal::ctrl_c() => break,
        };
        let number = health.snapshot().accepted;
        outln!("{number}: {peer}");

        // When it is dropped its permit goes back, and whoever waits for a descriptor is told.
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
