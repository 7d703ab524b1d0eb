//! A page whose parts are compressed while they are sent: a long list of numbers, and events, one each second.
//!
//! You learn: what compression saves, and that compressed events still come one by one: the encoder is flushed when the
//!           handler waits.
//!
//! Run:      `cargo run --release --example compressed`
//! Then:     open <http://localhost:9090>, or in another terminal:
//!           `curl -so /dev/null -w '%{size_download}\n' localhost:9090/primes`, then the same with `--compressed`
//!           `curl -sN --compressed localhost:9090/events`
//! You see:  56,126 bytes, and less than half as many compressed; an event each second, and none late.
//! End:      Ctrl-C. Requests in progress are answered first.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::Context;
use quintet_examples::{arguments, outln};
use quintet_server::{
    Html, IntoResponse, Listener, Request, Response, ServeMux, Server, listen,
    mux::{Event, EventWriter, compress, events},
};
use tokio::time::sleep;

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// Where to listen
    #[arg(default_value = ":9090")]
    addr: String,
}

/// The primes below 100,000, a line each. Its type is guessed, and text is compressed.
async fn primes(_: Request) -> String {
    let mut is_prime = vec![true; 100_000];
    let mut text = String::new();
    for n in 2..is_prime.len() {
        if is_prime[n] {
            is_prime.iter_mut().skip(n * 2).step_by(n).for_each(|multiple| *multiple = false);
            let _ = writeln!(text, "{n}");
        }
    }
    text
}

/// Server-sent events without end.
async fn seconds(_: Request) -> Response {
    events(async |mut out: EventWriter| {
        let began = Instant::now();
        for n in 0_u64.. {
            out.send(&Event::new(format!("event {n} after {} ms", began.elapsed().as_millis()))).await?;
            sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    })
}

const PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Compressed</title>
<meta name=viewport content='width=device-width'><link rel=icon href=data:>
<style>:root { color-scheme: light dark } body { font: 1rem/1.5 system-ui; max-width: 40rem; margin: 2rem auto; padding: 0 1rem }</style>
<h1>Compressed</h1>
<p id=size>The primes below 100,000 …</p>
<ul id=events></ul>
<script>
fetch('/primes').then(async (reply) => {
    const text = await reply.text();
    const { encodedBodySize } = performance.getEntriesByName(reply.url)[0];
    const coding = reply.headers.get('content-encoding') ?? 'no coding';
    size.textContent = `The primes below 100,000 are ${text.length} bytes, and came as ${encodedBodySize} (${coding}).`;
});
const source = new EventSource('/events');
source.onmessage = ({ data }) => {
    events.append(Object.assign(document.createElement('li'), { textContent: data }));
    if (events.children.length === 10) source.close();
};
</script></html>
";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { addr } = arguments(include_str!("compressed.rs"));
    let mux = ServeMux::new();
    mux.handle("GET /{$}", async |_: Request| Html(PAGE).into_response());
    mux.handle("GET /primes", primes);
    mux.handle("GET /events", seconds);

    let listener = listen(&addr).with_context(|| format!("cannot listen on {addr}"))?;
    outln!("listening on {}", listener.local_addr()?);
    Server::new(compress(mux)).serve_until_signal(listener, Duration::from_secs(1)).await?;
    Ok(())
}
