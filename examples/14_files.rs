//! A folder as a web site: its files, and pages that list its directories, in place of `python3 -m http.server`.
//!
//! You learn: how files are served with ranges, so that a download is resumed and a video can be sought; with entity tags,
//!           so that a fresh copy is not sent again; and compressed, if a compressed file lies beside.
//!
//! Run:      `cargo run --release --example 14_files -- FOLDER`
//! Then:     open <http://localhost:9090>, or in another terminal:
//!           `curl -I localhost:9090/Cargo.toml`
//!           `curl -r 0-9 localhost:9090/Cargo.toml`
//!           `curl --etag-save tag --etag-compare tag localhost:9090/Cargo.toml` (twice: nothing is sent again)
//! You see:  the folder in the browser; in this terminal, a line for each request. Symlinks that lead out of the folder, and
//!           files whose names begin with a dot, are not served.
//! End:      Ctrl-C. Downloads in progress are given 10 seconds.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use quintet_examples::{MaybeTls, arguments, outln};
use quintet_server::{
    Dir, Handler, Listener, Request, Response, Server, listen,
    mux::{DirOptions, FileOptions, FileServer, Hidden, Listing, Precompressed},
};

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// The folder to serve
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Where to listen; `127.0.0.1:9090` serves this machine alone
    #[arg(long, default_value = ":9090")]
    addr: String,
    /// Serve files and directories whose names begin with a dot, too
    #[arg(long)]
    hidden: bool,
    /// Keep files open so many milliseconds after they were asked for
    #[arg(long)]
    keep_open: Option<u64>,
    #[command(flatten)]
    tls: MaybeTls,
}

/// Middleware that prints a line for each request.
struct Log<H>(H);

impl<H: Handler> Handler for Log<H> {
    async fn call(&self, request: Request) -> Response {
        let line = format!("{} {}", request.method(), request.target().raw());
        let reply = self.0.call(request).await;
        let length = reply.body().len().map_or_else(|| "?".to_owned(), |len| len.to_string());
        outln!("{} {line} {length}", reply.status().as_u16());
        reply
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { folder, addr, hidden, keep_open, tls } = arguments(include_str!("14_files.rs"));
    let descriptor_cache = keep_open.map(Duration::from_millis);
    let dir = Dir::open_with(&folder, DirOptions { descriptor_cache, ..DirOptions::default() });
    let options = FileOptions {
        listing: Some(Listing::default()),
        hidden: if hidden { Hidden::Served } else { Hidden::Refused },
        precompressed: Precompressed::ALL.to_vec(),
        ..FileOptions::default()
    };
    let files = FileServer::with_options(dir.context("cannot open the folder")?, options);

    let listener = listen(&addr).with_context(|| format!("cannot listen on {addr}"))?;
    let (server, grace) = (Server::new(Log(files)), Duration::from_secs(10));
    let local = listener.local_addr()?;
    let report = match tls.config()? {
        Some(config) => {
            outln!("serving {} on https ({local})", folder.display());
            server.serve_until_signal(server.tls_listener(listener, config), grace).await?
        }
        None => {
            outln!("serving {} on http ({local})", folder.display());
            server.serve_until_signal(listener, grace).await?
        }
    };
    outln!("drained {} connections, aborted {}", report.drained, report.aborted);
    Ok(())
}
