//! A tool: a small httpbin, which answers with what the server read.
//!
//! You learn: what each part of a request looks like to a handler, and what each limit of the server does.
//!
//! Run:      `cargo run --release --example inspect -- --addr 127.0.0.1:9102 --idle-ms 75000`
//!           (an option for each limit; `--help` has the list);
//!           `--tls-port 9443 --cert target/cert.pem --key target/key.pem` adds TLS, with the pair that `13_tls` makes
//! Then:     `curl -s -d abc 'localhost:9102/inspect?a=1'` (`--http2-prior-knowledge` makes it HTTP/2), or
//!           `printf 'GET /inspect HTTP/1.1\r\nHost: a\r\n\r\n' | nc localhost 9102`
//! You see:  the request as JSON: method, target, headers in order of arrival, the length of the body, and trailers
//!           (fields after a chunked body); over TLS also what the handshake agreed on.
//! End:      Ctrl-C. Requests in progress are answered first.

use std::{future::poll_fn, io, path::PathBuf, pin::Pin, time::Duration};

use anyhow::Context;
use http::{HeaderName, HeaderValue};
use http_body::Body as _;
use quintet_examples::{MaybeTls, arguments, errln, outln};
use quintet_server::{
    Body, BodyError, Config, Html, Listener, Request, Response, ServeMux, Server, StatusCode, listen,
    listener::{ClientAuth, ClientAuthMode, TlsState},
};
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
        "tls": request.tls().map(agreed_on),
    });
    Ok(Response::new(format!("{seen}\n")).with_content_type("application/json"))
}

/// What the TLS handshake agreed on. The client's certificates are DER in hexadecimal digits.
fn agreed_on(tls: &TlsState) -> Value {
    let hex = |der: &[u8]| der.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    json!({
        "version": tls.version_name(),
        "cipher_suite": format!("{:#06x}", tls.cipher_suite),
        "negotiated_protocol": String::from_utf8_lossy(&tls.negotiated_protocol),
        "server_name": tls.server_name,
        "peer_certificates": tls.peer_certificates.iter().map(|der| hex(der)).collect::<Vec<_>>(),
        "did_resume": tls.did_resume,
    })
}

fn pairs<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<Value> {
    fields.map(|(name, value)| json!([name, String::from_utf8_lossy(value)])).collect()
}

/// A number in the query, or the default.
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

/// `n` bytes with a length, produced in pieces of 32 KiB: the whole body is never in memory.
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

/// A body with a field after it.
async fn trailers(_: Request) -> Response {
    let body = Body::writer(|mut w| async move {
        w.write("a body, and then its trailer\n").await?;
        w.trailers([(HeaderName::from_static("x-lines"), HeaderValue::from_static("1"))].into_iter().collect());
        Ok(())
    });
    Response::new(body).with_content_type("text/plain; charset=utf-8")
}

/// A body that breaks in the middle: an HTTP/1.0 client, to whom the end of the connection is that of the body, must be
/// able to tell this from the end.
async fn broken(_: Request) -> Response {
    let body = Body::writer(move |mut w| async move {
        w.write("the first part, and no other\n").await?;
        w.flush().await?;
        // Until the first part is on its way: a body that fails before is answered with a 500.
        tokio::time::sleep(Duration::from_millis(100)).await;
        Err(io::Error::other("as asked"))
    });
    Response::new(body).with_content_type("text/plain; charset=utf-8")
}

async fn slow(request: Request) -> &'static str {
    tokio::time::sleep(Duration::from_millis(number(&request, "ms", 1000))).await;
    "slow\n"
}

/// A page whose style is named by an interim reply (103), while the page is made. Browsers load it then, over HTTP/2.
async fn hints(request: Request) -> Html<&'static str> {
    let _ = request.inform(StatusCode::EARLY_HINTS, [("link", "</hints.css>; rel=preload; as=style")]);
    tokio::time::sleep(Duration::from_millis(number(&request, "ms", 300))).await;
    Html(HINTS)
}

const HINTS: &str = "<!doctype html><meta charset=utf-8><title>Early Hints</title><link rel=icon href=data:>
<link rel=stylesheet href=/hints.css>
<p id=said>no script</p>
<script>
onload = () => {
    const [page] = performance.getEntriesByType('navigation');
    const [style] = performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/hints.css'));
    const initiator = style?.initiatorType, hinted = page.firstInterimResponseStart > 0;
    said.textContent = `103 ${hinted ? 'came' : 'did not come'}; the style was loaded by ${initiator}`;
};
</script>
";

/// The command line: an address, and the limits that differ from the default.
#[derive(clap::Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:9102")]
    addr: String,
    /// Where to listen for TLS, on 127.0.0.1
    #[arg(long, requires = "cert")]
    tls_port: Option<u16>,
    #[command(flatten)]
    tls: MaybeTls,
    /// Authorities, in PEM: over TLS a client must have a certificate that one of them signed
    #[arg(long, requires = "tls_port")]
    client_ca: Option<PathBuf>,
    /// A client may also have no certificate
    #[arg(long, requires = "client_ca")]
    client_cert_optional: bool,
    /// The longest head, in bytes
    #[arg(long)]
    head: Option<usize>,
    /// The most fields of a head
    #[arg(long)]
    fields: Option<usize>,
    /// The longest field, in bytes
    #[arg(long)]
    field: Option<usize>,
    /// The longest target, in bytes
    #[arg(long)]
    target: Option<usize>,
    /// The longest method, in bytes
    #[arg(long)]
    method: Option<usize>,
    /// `Timeouts::read_header`, in milliseconds, as every option whose name ends in `-ms`
    #[arg(long)]
    read_header_ms: Option<u64>,
    /// `Timeouts::idle`
    #[arg(long)]
    idle_ms: Option<u64>,
    /// `Timeouts::stall` and `Timeouts::reply_stall`
    #[arg(long)]
    stall_ms: Option<u64>,
    /// `Timeouts::min_rate_grace`
    #[arg(long)]
    min_rate_grace_ms: Option<u64>,
    /// `Timeouts::linger`
    #[arg(long)]
    linger_ms: Option<u64>,
    /// `Timeouts::drain`
    #[arg(long)]
    drain_ms: Option<u64>,
    /// `Config::max_age`
    #[arg(long)]
    max_age_ms: Option<u64>,
    /// `Timeouts::min_rate`, in bytes per second
    #[arg(long)]
    min_rate: Option<u32>,
    /// `Config::max_drain_bytes`, in bytes
    #[arg(long)]
    max_drain_bytes: Option<u64>,
    /// `Config::max_linger_bytes`, in bytes
    #[arg(long)]
    max_linger_bytes: Option<u64>,
    /// `Config::max_requests`
    #[arg(long)]
    max_requests: Option<u64>,
}

impl Arguments {
    fn client_auth(&self) -> Option<ClientAuth> {
        let mode = if self.client_cert_optional { ClientAuthMode::Optional } else { ClientAuthMode::Required };
        self.client_ca.as_ref().map(|roots| ClientAuth { mode, ..ClientAuth::required(roots) })
    }

    fn config(&self) -> Config {
        fn set<T>(place: &mut T, given: Option<T>) {
            if let Some(given) = given {
                *place = given;
            }
        }
        let time = |millis: Option<u64>| millis.map(Duration::from_millis);
        let mut config = Config::default();
        config.protocols.unencrypted_http2 = true;
        let (limits, timeouts) = (&mut config.limits, &mut config.timeouts);
        set(&mut limits.head, self.head);
        set(&mut limits.fields, self.fields);
        set(&mut limits.field, self.field);
        set(&mut limits.target, self.target);
        set(&mut limits.method, self.method);
        set(&mut timeouts.read_header, time(self.read_header_ms));
        set(&mut timeouts.idle, time(self.idle_ms));
        set(&mut timeouts.stall, time(self.stall_ms));
        set(&mut timeouts.reply_stall, time(self.stall_ms));
        set(&mut timeouts.min_rate_grace, time(self.min_rate_grace_ms));
        set(&mut timeouts.linger, time(self.linger_ms));
        set(&mut timeouts.drain, time(self.drain_ms));
        set(&mut timeouts.min_rate, self.min_rate);
        set(&mut config.max_age, time(self.max_age_ms));
        set(&mut config.max_drain_bytes, self.max_drain_bytes);
        set(&mut config.max_linger_bytes, self.max_linger_bytes);
        set(&mut config.max_requests, self.max_requests);
        config
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Arguments = arguments(include_str!("inspect.rs"));
    let (addr, config) = (&arguments.addr, arguments.config());
    let tls = arguments.tls.config_with(arguments.client_auth())?;
    let mux = ServeMux::new();
    mux.handle("GET /{$}", async |_| "hello\n");
    mux.handle("POST /echo", async |request: Request| Response::new(request.into_body()));
    mux.handle("/inspect", inspect);
    mux.handle("GET /chunked", chunked);
    mux.handle("GET /bytes", bytes);
    mux.handle("GET /trailers", trailers);
    mux.handle("GET /broken", broken);
    mux.handle("GET /slow", slow);
    mux.handle("GET /hints", hints);
    mux.handle("GET /hints.css", async |_| Response::new("p { color: green }\n").with_content_type("text/css"));
    mux.handle("GET /panic", async |_: Request| -> &'static str { panic!("as asked") });
    mux.handle("GET /nobody", async |_| StatusCode::NO_CONTENT);
    mux.handle("/ignore", async |_| "ok\n");

    let listener = listen(addr).with_context(|| format!("cannot listen on {addr}"))?;
    outln!("listening on {}", listener.local_addr()?);
    let server = Server::with_config(mux, config);
    if let Some((port, tls)) = arguments.tls_port.zip(tls) {
        let addr = format!("127.0.0.1:{port}");
        let listener = listen(&addr).with_context(|| format!("cannot listen on {addr}"))?;
        let server = server.clone();
        tokio::spawn(async move {
            if let Err(error) = server.serve_tls(listener, tls).await {
                errln!("{addr}: {error}");
            }
        });
    }
    let report = server.serve_until_signal(listener, Duration::from_secs(10)).await?;
    outln!("drained {}, aborted {}", report.drained, report.aborted);
    Ok(())
}
