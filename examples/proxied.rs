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

use std::{fmt::Write as _, future::poll_fn, io};

use anyhow::Context;
use quintet_examples::{arguments, errln, outln};
use quintet_listener::{Addr, Limit, Listener, Nets, Opened, Proxied, Retry, Stream, listen};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
    let mut listener = Retry::new(proxied).on_error(|error| errln!("{error}"));
    outln!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = tokio::signal::ctrl_c() => break,
        };
        // The header is read here, in the connection's own task: a proxy that is slow holds up nobody else.
        tokio::spawn(async move {
            let _ = serve(stream, &peer).await;
        });
    }
    outln!("\n{:?}", health.snapshot());
    Ok(())
}

/// Answers one request, whatever it asks for, with what is known of the client.
async fn serve(mut stream: impl Stream, peer: &Addr) -> io::Result<()> {
    let opened = poll_fn(|cx| stream.poll_open(cx)).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < 8192 {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let body = describe(&opened, peer);
    let len = body.len();
    let reply = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n{body}");
    stream.write_all(reply.as_bytes()).await?;
    stream.shutdown().await
}

fn describe(opened: &Opened, peer: &Addr) -> String {
    let mut text = format!("client: {}\n", opened.peer.as_ref().unwrap_or(peer));
    if let Some(local) = &opened.local {
        let _ = writeln!(text, "connected to: {local}\nproxy: {peer}");
    }
    if let Some(id) = &opened.unique_id {
        let _ = writeln!(text, "unique id: {}", id.escape_ascii());
    }
    if let Some(tls) = &opened.tls {
        let version = tls.version_name().unwrap_or("TLS of an unknown version");
        let _ = writeln!(text, "{version}, cipher suite {:#06x}", tls.cipher_suite);
        if let Some(name) = &tls.peer_common_name {
            let _ = writeln!(text, "common name: {}", name.escape_debug());
        }
    }
    text
}
