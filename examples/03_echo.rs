//! An echo server without HTTP: each line is sent back, and a client that is too slow is disconnected.
//!
//! You learn: what a wire does (it fills, flushes, has time limits, and is half-closed: the client has closed its side
//!           and may still read), and what enforces the time limits.
//!
//! Run:      `cargo run --example 03_echo`
//! Then:     `nc localhost 9090`, and type; then wait ten seconds, or send a line of more than 1,000 bytes:
//!           `head -c 2000 /dev/zero | tr '\0' x | nc localhost 9090`
//! You see:  every line again in the client; in this terminal, the reason why each connection ended.
//! End:      Ctrl-C. A line that was begun is still echoed.

use anyhow::Context;
use quintet_conn::{ConnGuard, Connections, Filled, Phase, State, Timeouts, Wire, WireError};
use quintet_examples::{NoArguments, arguments, outln};
use quintet_listener::{Listener, Retry, Stream, listen};
use std::time::Duration;

/// The longest line, in bytes.
const LINE: usize = 1000;

/// Sends every line back until the client has closed its side. The connection is closed when both arguments are
/// dropped.
async fn echo<S: Stream>(connection: ConnGuard, mut wire: Wire<S>) -> Result<&'static str, WireError> {
    loop {
        while let Some(end) = wire.input.filled().iter().position(|byte| *byte == b'\n') {
            let (input, output) = (&mut wire.input, &mut wire.output);
            output.extend(&input.filled()[..=end]);
            input.consume(end + 1);
            wire.clear_phase(); // the next line has a time limit of its own
        }
        if wire.input.is_empty() {
            if connection.is_stopping() {
                wire.flush().await?;
                return Ok("was idle when the server stopped");
            }
            connection.set_state(State::Idle); // no move from New: a new client has the time limit of a first line
            wire.enter(if connection.state() == State::New { Phase::Head } else { Phase::Idle });
        } else {
            wire.enter(Phase::Head);
        }
        // Flush before you wait: everything is sent, then something is read.
        match wire.flush_and_fill(LINE).await? {
            Filled::Bytes(_) => connection.set_state(State::Active),
            Filled::End => return Ok("sent everything"),
            Filled::Full => {
                wire.output.extend(b"that line is too long\n");
                // Half-closes and reads on. Closing while the client still sends would be a reset, and the client might
                // not read the reply.
                wire.linger(1 << 20).await?;
                return Ok("sent a line that is too long");
            }
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let NoArguments {} = arguments(include_str!("03_echo.rs"));
    // A line must be complete five seconds after its first byte, and the next one must begin within ten.
    let limits = Timeouts { read_header: Duration::from_secs(5), idle: Duration::from_secs(10), ..Timeouts::default() };
    let mut listener = Retry::new(listen(":9090").context("cannot listen on :9090")?);
    let (connections, sweeper) = Connections::new(limits, listener.local_addr().ok(), None);
    tokio::spawn(sweeper); // the only timer: it wakes the tasks of connections whose time is over
    outln!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = tokio::signal::ctrl_c() => break,
        };
        let (connection, wire) = connections.admit(stream, peer.clone());
        tokio::spawn(async move {
            match echo(connection, wire).await {
                Ok(why) => outln!("{peer} {why}"),
                Err(error) => outln!("{peer}: {error}"),
            }
        });
    }
    drop(listener); // no new clients
    outln!("\n{:?}", connections.counts());
    connections.stop(); // an idle client has half a second left; a client in the middle of a line may finish it
    connections.drained().await;
    Ok(())
}
