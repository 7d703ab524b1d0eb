//! Behind a proxy: each request is answered with what is known of its client, from the PROXY header of its connection.
//!
//! You learn: how a server behind a proxy is told who its clients are, and why accepting does not wait for that.
//!
//! Run:      `cargo run --example proxied -- 127.0.0.1:9090 --trusted 127.0.0.1`
//! Then:     `haproxy -f examples/deploy/haproxy.cfg` (or nginx, see `examples/deploy/nginx.conf`) and
//!           `curl http://127.0.0.1:9091/` in other terminals
//! You see:  the client's address and not the proxy's; over TLS also what was agreed on, and the name in the client's
//!           certificate.
//! Try:      `curl http://127.0.0.1:9090/` is closed without an answer, because a header is required, and
//!           `curl --haproxy-protocol http://127.0.0.1:9090/` has one.
//! End:      Ctrl-C. It says how many connections were opened and refused.

use std::{fmt::Write as _, time::Duration};

use anyhow::Context;
use quintet_examples::{arguments, errln, outln};
use quintet_listener::{Limit, Listener, Nets, Proxied, listen};
use quintet_server::{Request, Server};

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// Where to listen: `:port`, `host:port` or `unix:path`
    #[arg(default_value = "127.0.0.1:9090")]
    addr: String,
    /// The proxies that may say who the client is: networks and `unix`
    #[arg(long, default_value = "127.0.0.0/8, ::1, unix")]
    trusted: Nets,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Arguments { addr, trusted } = arguments(include_str!("proxied.rs"));
    let listener = listen(&addr).with_context(|| format!("cannot listen on {addr}"))?;
    let proxied = Proxied::new(Limit::new(listener, 100), trusted).on_error(|error| errln!("{error}"));
    let health = proxied.health();
    outln!("listening on {}", proxied.local_addr()?);
    // Accepting does not wait for a header. The task of the connection reads it: a slow proxy holds up no other client.
    Server::new(describe).serve_until_signal(proxied, Duration::from_secs(5)).await?;
    outln!("\n{:?}", health.snapshot());
    Ok(())
}

/// What is known of the client of a request.
async fn describe(request: Request) -> String {
    let Some(connection) = request.connection() else { return "no connection\n".to_owned() };
    let mut text = format!("client: {}\nproxy: {}\n", connection.peer_addr(), connection.socket_peer_addr());
    if let Some(local) = connection.local_addr() {
        let _ = writeln!(text, "connected to: {local}");
    }
    if let Some(id) = connection.unique_id() {
        let _ = writeln!(text, "unique id: {}", id.escape_ascii());
    }
    if let Some(tls) = connection.tls() {
        let version = tls.version_name().unwrap_or("TLS of an unknown version");
        let _ = writeln!(text, "{version}, cipher suite {:#06x}", tls.cipher_suite);
        if let Some(name) = &tls.peer_common_name {
            let _ = writeln!(text, "common name: {}", name.escape_debug());
        }
    }
    text
}
