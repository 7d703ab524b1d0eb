//! A tool: a client that keeps connections busy, to measure what a server spends.
//!
//! You learn: the client of a benchmark must count, and must wait for every byte of every reply.
//!
//! Run:      `cargo run --release --example load -- --port 8080 --connections 64 --requests 100000`,
//!           beside the example `bench`
//! Try:      `--depth 16` sends 16 requests before it reads their replies (pipelining); `--body 65536` posts to
//!           `/echo`; `--path '/r{}/items/7' --of 100` uses 100 paths in turn; `--fields 12` sends more fields;
//!           `--differ field` never sends the same request twice; `--drip 1` sends a head byte by byte, one per
//!           millisecond
//! You see:  the number of replies, and the time they took.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use anyhow::Context;
use quintet_examples::{arguments, outln};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep},
};

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// Where the server listens, on 127.0.0.1
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// How many connections
    #[arg(long, default_value = "1")]
    connections: NonZeroUsize,
    /// How many requests, all connections together
    #[arg(long, default_value_t = 1)]
    requests: usize,
    /// The path; a `{}` in it becomes a number. [default: /plaintext, or /echo with a body]
    #[arg(long)]
    path: Option<String>,
    /// How many numbers `{}` takes in turn
    #[arg(long, default_value = "1")]
    of: NonZeroUsize,
    /// How many fields
    #[arg(long, default_value_t = 2)]
    fields: usize,
    /// What differs from request to request
    #[arg(long, value_parser = ["field"])]
    differ: Option<String>,
    /// Post a body of this many bytes
    #[arg(long)]
    body: Option<usize>,
    /// How many requests are sent before their replies are read
    #[arg(long, default_value = "1")]
    depth: NonZeroUsize,
    /// Send heads byte by byte, with this many milliseconds between two bytes
    #[arg(long)]
    drip: Option<u64>,
}

struct Plan {
    port: u16,
    path: String,
    /// How many paths, if `path` has a `{}`.
    of: usize,
    fields: usize,
    differ: bool,
    body: Option<usize>,
    depth: usize,
    drip: Option<Duration>,
}

impl Plan {
    /// The `n`th request, without its body.
    fn head(&self, n: usize) -> Vec<u8> {
        let path = self.path.replace("{}", &(n % self.of).to_string());
        let method = if self.body.is_some() { "POST" } else { "GET" };
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", self.port);
        // The field that differs has the same length as the others, so all requests are of one length.
        for i in 1..self.fields {
            let n = if self.differ { n } else { 0 };
            head += &format!("X-Field-{i:02}: text/html,application/xhtml+xml;q=0.9 {n:08}\r\n");
        }
        if let Some(body) = self.body {
            head += &format!("Content-Length: {body}\r\n");
        }
        (head + "\r\n").into_bytes()
    }
}

/// Sends `requests` requests, `depth` at a time, and waits for their replies.
async fn converse(plan: Arc<Plan>, mut stream: TcpStream, requests: usize) -> Result<usize, std::io::Error> {
    let mut seen = Vec::new();
    let mut done = 0;
    while done < requests {
        let batch = plan.depth.min(requests - done);
        if let Some(body) = plan.body {
            let (mut read, mut write) = stream.split();
            let head = plan.head(done);
            let send = async {
                write.write_all(&head).await?;
                let piece = vec![b'x'; body.min(64 * 1024)];
                let mut left = body;
                while left > 0 {
                    left -= write.write(&piece[..left.min(piece.len())]).await?;
                }
                Ok::<(), std::io::Error>(())
            };
            tokio::try_join!(send, replies(&mut read, &mut seen, 1))?;
            done += 1;
            continue;
        }
        let heads: Vec<u8> = (done..done + batch).flat_map(|n| plan.head(n)).collect();
        match plan.drip {
            None => stream.write_all(&heads).await?,
            Some(pause) => {
                for byte in &heads {
                    stream.write_all(std::slice::from_ref(byte)).await?;
                    sleep(pause).await;
                }
            }
        }
        replies(&mut stream, &mut seen, batch).await?;
        done += batch;
    }
    Ok(done)
}

/// Reads this many replies, each with a `Content-Length`. Bytes of the next reply stay in `seen`.
async fn replies(
    stream: &mut (impl AsyncReadExt + Unpin),
    seen: &mut Vec<u8>,
    mut count: usize,
) -> Result<(), std::io::Error> {
    let broken = |what: &str| std::io::Error::other(what.to_owned());
    while count > 0 {
        let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") else {
            if stream.read_buf(seen).await? == 0 {
                return Err(broken("the server closed"));
            }
            continue;
        };
        let head = std::str::from_utf8(&seen[..end]).map_err(|_| broken("a head that is no text"))?;
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(broken(head));
        }
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let mut left: usize = length.and_then(|length| length.parse().ok()).ok_or_else(|| broken("no length"))?;
        let here = left.min(seen.len() - end - 4);
        seen.drain(..end + 4 + here);
        left -= here;
        let mut piece = vec![0; left.min(256 * 1024)];
        while left > 0 {
            let most = left.min(piece.len());
            match stream.read(&mut piece[..most]).await? {
                0 => return Err(broken("the body ended early")),
                n => left -= n,
            }
        }
        count -= 1;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Arguments = arguments(include_str!("load.rs"));
    let Arguments { port, connections, requests, body, .. } = arguments;
    let path = arguments.path.unwrap_or_else(|| if body.is_some() { "/echo" } else { "/plaintext" }.to_owned());
    let plan = Arc::new(Plan {
        port,
        path,
        of: arguments.of.get(),
        fields: arguments.fields,
        differ: arguments.differ.is_some(),
        body,
        depth: arguments.depth.get(),
        drip: arguments.drip.map(Duration::from_millis),
    });

    // All connections are open before the first request is sent.
    let mut streams = Vec::new();
    for _ in 0..connections.get() {
        let stream = TcpStream::connect(("127.0.0.1", port)).await;
        let stream = stream.with_context(|| format!("cannot connect to 127.0.0.1:{port}"))?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for stream in streams {
        tasks.spawn(converse(Arc::clone(&plan), stream, requests.div_ceil(connections.get())));
    }
    let mut total = 0;
    while let Some(done) = tasks.join_next().await {
        total += done??;
    }
    outln!("{total} replies in {:.2} s", begun.elapsed().as_secs_f64());
    Ok(())
}
