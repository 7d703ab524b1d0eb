//! An instrument: a small httpbin, to see what the server makes of any bytes.
//!
//! You learn: what each part of a request looks like to a handler, and what each limit of the server does.
//!
//! Run:      `cargo run --release --example inspect -- --addr 127.0.0.1:9102 --idle-ms 75000`
//! Then:     `curl -s -d abc 'localhost:9102/inspect?a=1'`, or
//!           `printf 'GET /inspect HTTP/1.1\r\nHost: a\r\n\r\n' | nc localhost 9102`
//! You see:  the request as JSON: method, target, headers in order of arrival, the length of the body, trailers.
//! Flags:    `--addr`, and a limit each: `--head --fields --field --target --method` (bytes, counts),
//!           `--head-ms --idle-ms --stall-ms --grace-ms --linger-ms --last-call-ms --max-age-ms`, `--rate --unread
//!           --linger --max-requests`.

use std::{future::poll_fn, pin::Pin, time::Duration};

use http_body::Body as _;
use quintet_server::{Body, BodyError, Config, Listener, Request, Response, ServeMux, Server, listen};
use serde_json::{Value, json};

async fn inspect(mut request: Request) -> Result<Response, BodyError> {
    let mut body = request.take_body();
    let (mut length, mut trailers) = (0, Vec::new());
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        match frame?.into_data() {
            Ok(data) => length += data.len(),
            Err(frame) => {
                let fields = frame.trailers_ref().into_iter().flatten();
                trailers = pairs(fields.map(|(name, value)| (name.as_str(), value.as_bytes())));
            }
        }
    }
    let seen = json!({
        "method": request.method(),
        "target": request.target().raw(),
        "proto": format!("{:?}", http::Version::from(request.version())),
        "host": request.host(),
        "headers": pairs(request.headers()),
        "content_length": request.header("content-length").and_then(|length| length.parse::<u64>().ok()),
        "transfer_encoding": request.header("transfer-encoding"),
        "body_len": length,
        "trailers": trailers,
    });
    Ok(Response::new(format!("{seen}\n")).with_content_type("application/json"))
}

fn pairs<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<Value> {
    fields.map(|(name, value)| json!([name, String::from_utf8_lossy(value)])).collect()
}

/// A number in the query, or what is usual.
fn number(request: &Request, name: &str, usual: u64) -> u64 {
    let form = quintet_server::Form::parse(request.query().unwrap_or("").as_bytes());
    form.ok().and_then(|form| form.get(name)?.parse().ok()).unwrap_or(usual)
}

async fn chunked(request: Request) -> Response {
    let n = number(&request, "n", 10);
    let body = Body::writer(move |mut w| async move {
        for i in 0..n {
            w.write(format!("chunk {i}\n")).await?;
            w.flush().await?;
        }
        Ok(())
    });
    Response::new(body).with_content_type("text/plain; charset=utf-8")
}

/// `n` bytes with a length, in pieces: however many there are, they are never all in memory.
async fn bytes(request: Request) -> Response {
    let n = number(&request, "n", 1024);
    let body = Body::writer(move |mut w| async move {
        let piece = [b'x'; 32 * 1024];
        let mut left = n;
        while left > 0 {
            let len = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            w.write(&piece[..len]).await?;
            left -= len as u64;
        }
        Ok(())
    });
    Response::new(body).with_content_type("application/octet-stream").with_header("content-length", n.to_string())
}

async fn slow(request: Request) -> &'static str {
    tokio::time::sleep(Duration::from_millis(number(&request, "ms", 1000))).await;
    "slow\n"
}

fn config(args: &mut dyn Iterator<Item = String>) -> Result<(String, Config), Box<dyn std::error::Error>> {
    let (mut addr, mut config) = ("127.0.0.1:9102".to_owned(), Config::default());
    while let Some(flag) = args.next() {
        let value = args.next().ok_or(format!("{flag} needs a value"))?;
        if flag == "--addr" {
            addr = value;
            continue;
        }
        let n: usize = value.parse()?;
        let time = Duration::from_millis(n as u64);
        let (limits, deadlines) = (&mut config.limits, &mut config.deadlines);
        match flag.as_str() {
            "--head" => limits.head = n,
            "--fields" => limits.fields = n,
            "--field" => limits.field = n,
            "--target" => limits.target = n,
            "--method" => limits.method = n,
            "--head-ms" => deadlines.head = time,
            "--idle-ms" => deadlines.idle = time,
            "--stall-ms" => (deadlines.stall, deadlines.reply_stall) = (time, time),
            "--grace-ms" => deadlines.grace = time,
            "--linger-ms" => deadlines.linger = time,
            "--last-call-ms" => deadlines.last_call = time,
            "--rate" => deadlines.rate = u32::try_from(n)?,
            "--max-age-ms" => config.max_age = time,
            "--unread" => config.unread = n as u64,
            "--linger" => config.linger = n as u64,
            "--max-requests" => config.max_requests = n as u64,
            _ => return Err(format!("no such flag: {flag}").into()),
        }
    }
    Ok((addr, config))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (addr, config) = config(&mut std::env::args().skip(1))?;
    let mux = ServeMux::new();
    mux.handle("GET /{$}", async |_| "hello\n");
    mux.handle("POST /echo", async |request: Request| Response::new(request.into_body()));
    mux.handle("/inspect", inspect);
    mux.handle("GET /chunked", chunked);
    mux.handle("GET /bytes", bytes);
    mux.handle("GET /slow", slow);
    mux.handle("GET /panic", async |_: Request| -> &'static str { panic!("as asked") });
    mux.handle("GET /nobody", async |_| http::StatusCode::NO_CONTENT);
    mux.handle("/ignore", async |_| "ok\n");

    let listener = listen(&addr)?;
    println!("listening on {}", listener.local_addr()?);
    let report = Server::with(mux, config).serve_until_signal(listener, Duration::from_secs(10)).await?;
    println!("drained {}, cut {}", report.drained, report.aborted);
    Ok(())
}
