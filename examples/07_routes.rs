//! Routing explained: which pattern matches a request, and why that one.
//!
//! You learn: a pattern is a set of requests, the smallest set wins, and two patterns conflict if some request matches
//!           both and neither set contains the other.
//!
//! Run:      with patterns, then with requests after a second `--`:
//!           `cargo run --example 07_routes -- 'GET /items/{id}' '/items/new' '/items/' '/' --
//!           'GET /items/7' 'PUT shop/items'`
//! Then:     type requests, one a line: `GET /items/7`, `HEAD /items/a%2Fb`, `POST /items/7`, `GET //items/../items/`,
//!           `GET /x`
//! You see:  why a pattern is refused, with a request that matches both (here `/items/new`, which has more methods than
//!           `GET /items/{id}` and fewer paths). Then, for each request, every candidate and why it wins or loses.
//! Try:      two patterns in the other order; `shop/items/{id}`; `/items/{$}`; `/items/{rest...}`; `/{x`; no arguments.
//! End:      Ctrl-D.

use std::io::BufRead;

use quintet_examples::{arguments, outln};
use quintet_mux::Mux;

const SAMPLE: [&str; 7] =
    ["GET /items/{id}", "GET /items/new", "POST /items/{id}", "/items/", "/", "shop.example/", "GET /{any}/new"];

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// `[METHOD ][HOST]/[PATH]`; without any, a sample
    patterns: Vec<String>,
    /// `METHOD [HOST]/path[?query]`; without any, they are read from standard input
    #[arg(last = true)]
    requests: Vec<String>,
}

fn main() -> anyhow::Result<()> {
    let Arguments { mut patterns, requests } = arguments(include_str!("07_routes.rs"));
    if patterns.is_empty() {
        patterns.extend(SAMPLE.map(str::to_owned));
    }

    let mut mux = Mux::new();
    for pattern in patterns {
        match mux.insert(&pattern, ()) {
            Ok(()) => outln!("added    {pattern}"),
            Err(error) => outln!("refused  {}", error.to_string().replace('\n', "\n         ")),
        }
    }
    outln!();

    for request in &requests {
        explain(&mux, request);
    }
    if requests.is_empty() {
        outln!("now requests, such as: GET /items/7");
        for line in std::io::stdin().lock().lines() {
            explain(&mux, line?.trim());
        }
    }
    Ok(())
}

/// Explains a request written as `METHOD [HOST]/path[?query]`.
fn explain(mux: &Mux<()>, request: &str) {
    let Some((method, target)) = request.split_once(' ') else {
        outln!("a request is METHOD, a blank, and [HOST]/path\n");
        return;
    };
    let (host, path) = target.split_at(target.find('/').unwrap_or(target.len()));
    let path = path.split('?').next().unwrap_or("");
    outln!("{}\n", mux.explain(method, host, path));
}
