//! A server to deploy: a folder over HTTPS, and all that a server in production needs beside its handlers.
//!
//! You learn: which settings a server needs that others depend on, and how it leaves without losing a request: it says
//!           that it is not ready, serves on until the balancer has seen that, and then drains.
//!
//! Run:      `cargo run --release --example service -- --folder FOLDER`
//! Then:     `curl -i localhost:8080/`, `curl -d hello localhost:8080/echo`, `curl localhost:8080/readyz`
//! You see:  the folder's files, and with `--access-log -` a line of JSON for each request. Each option can be a variable
//!           of the environment instead, as in `examples/deploy`: units of systemd, HAProxy, nginx, a Dockerfile and a
//!           manifest of Kubernetes.
//! Try:      `--admin 127.0.0.1:9091` and `curl localhost:9091/metrics`
//! End:      SIGTERM drains after the delay, Ctrl-C drains at once, a second signal ends it. SIGHUP reads the
//!           certificate again, and opens the access log again, which SIGUSR1 does, too.

// Go's servers have pages for profiles (`net/http/pprof`). Nothing of the kind is served here: the README of the server has
// the tools that look into a process from outside (perf, tokio-console, heaptrack, gdb).

use std::{
    convert::Infallible, future::pending, num::NonZeroUsize, path::PathBuf, process::ExitCode, sync::Arc,
    time::Duration,
};

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use quintet_examples::{MaybeTls, arguments, errln};
use quintet_listener::{Addr, AnyListener, Limit, Listener, Nets, Proxied, TlsConfig};
use quintet_server::{
    AccessLog, Config, Dir, Handler, Hooks, IntoResponse, Limits, Metrics, Protocols, ReadyOptions, Request, Response,
    ServeMux, Served, Server, ShutdownReport, Stats, StatusCode, Timeouts,
    access_log::{AccessLogOptions, LogFormat},
    listen, live,
    mux::{
        FileOptions, FileServer, HttpsOptions, Listing, Precompressed, Shed, forwarded, max_bytes, redirect_to_https,
        request_id,
    },
    ready,
    request::ForwardedHeader,
};
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};

/// The command line. Each option can be a variable of the environment instead.
#[derive(clap::Parser)]
#[command(name = "service", version)]
struct Arguments {
    /// Where to listen: `:port`, `host:port`, `unix:path`, or `fd:name` for a socket of systemd
    #[arg(long, env = "SERVICE_ADDR", default_value = ":8080")]
    addr: String,
    /// Where `/metrics`, `/readyz` and `/livez` are answered, for those who run the server. Without it nothing is counted
    #[arg(long, env = "SERVICE_ADMIN", value_name = "ADDR")]
    admin: Option<String>,
    #[command(flatten)]
    content: Content,
    #[command(flatten)]
    https: Https,
    #[command(flatten)]
    bounds: Bounds,
    #[command(flatten)]
    balancer: Balancer,
    #[command(flatten)]
    leaving: Leaving,
}

/// What is served, and what is written down of it.
#[derive(clap::Args)]
#[command(next_help_heading = "Content")]
struct Content {
    /// The folder to serve; without it `/` is a line of text
    #[arg(long, env = "SERVICE_FOLDER")]
    folder: Option<PathBuf>,
    /// List directories that have no index.html
    #[arg(long, env = "SERVICE_LISTING")]
    listing: bool,
    /// The file for the access log; `-` is standard output, and without it there is none. Probes that are answered 200 are
    /// left out
    #[arg(long, env = "SERVICE_ACCESS_LOG", value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// The format of its lines: `json`, `combined` or `common`
    #[arg(long, env = "SERVICE_LOG_FORMAT", value_name = "FORMAT", value_parser = log_format, default_value = "json")]
    log_format: LogFormat,
}

/// The files for TLS.
#[derive(clap::Args)]
#[command(next_help_heading = "HTTPS")]
struct Https {
    /// A chain of certificates in PEM: to speak TLS. Both files are read again at SIGHUP
    #[arg(long, env = "SERVICE_CERT", requires = "key", value_name = "FILE")]
    cert: Option<PathBuf>,
    /// The key of the first certificate, in PEM
    #[arg(long, env = "SERVICE_KEY", requires = "cert", value_name = "FILE")]
    key: Option<PathBuf>,
    /// Where to listen for plain HTTP, to redirect it to HTTPS
    #[arg(long, env = "SERVICE_REDIRECT_FROM", requires = "cert", value_name = "ADDR")]
    redirect_from: Option<String>,
}

/// The limits.
#[derive(clap::Args)]
#[command(next_help_heading = "Limits")]
struct Bounds {
    /// Connections; further clients wait in the kernel's queue
    #[arg(long, env = "SERVICE_MAX_CONNECTIONS", value_name = "N", default_value = "10000")]
    max_connections: NonZeroUsize,
    /// Connections of one client: an IPv4 address, or an IPv6 network of 64 bits. Not behind a balancer that sends no PROXY
    /// header: it is one client
    #[arg(long, env = "SERVICE_MAX_CONNECTIONS_PER_PEER", value_name = "N")]
    max_connections_per_peer: Option<NonZeroUsize>,
    /// Requests at work; further ones are answered 503 with Retry-After. Probes do not count
    #[arg(long, env = "SERVICE_MAX_REQUESTS", value_name = "N", default_value = "10000")]
    max_requests: NonZeroUsize,
    /// Bytes of a request's body
    #[arg(long, env = "SERVICE_MAX_BODY", value_name = "BYTES", default_value_t = 1 << 20)]
    max_body: u64,
    /// Bytes of a request's head
    #[arg(long, env = "SERVICE_MAX_HEAD", value_name = "BYTES", default_value_t = 64 << 10)]
    max_head: usize,
    /// How long an idle connection is kept: longer than the balancer keeps it
    #[arg(long, env = "SERVICE_IDLE", value_name = "SECONDS", value_parser = seconds, default_value = "75")]
    idle: Duration,
    /// The age at which a connection closes behind a reply, so that clients spread over new processes
    #[arg(long, env = "SERVICE_MAX_AGE", value_name = "SECONDS", value_parser = seconds)]
    max_age: Option<Duration>,
}

/// The balancer in front.
#[derive(clap::Args)]
#[command(next_help_heading = "Behind a balancer")]
struct Balancer {
    /// HTTP/2 without TLS, which a balancer begins with (prior knowledge)
    #[arg(long, env = "SERVICE_H2C")]
    h2c: bool,
    /// Balancers that send a PROXY header, as networks (`10.0.0.0/8, unix`). All others are then closed
    #[arg(long, env = "SERVICE_PROXY_PROTOCOL", value_name = "NETS")]
    proxy_protocol: Option<Nets>,
    /// Proxies whose word about the client is taken, as networks, and whose X-Request-Id is. Of all others both are ignored
    #[arg(long, env = "SERVICE_FORWARDED", value_name = "NETS")]
    forwarded: Option<Nets>,
    /// The fields that each of these proxies writes: `x-forwarded-for`, `x-forwarded-for-proto` (that and
    /// X-Forwarded-Proto) or `forwarded`
    #[arg(long, env = "SERVICE_FORWARDED_HEADER", value_name = "NAME", value_parser = forwarded_header,
        default_value = "x-forwarded-for")]
    forwarded_header: ForwardedHeader,
}

/// How the server leaves.
#[derive(clap::Args)]
#[command(next_help_heading = "Leaving")]
struct Leaving {
    /// The time after SIGTERM in which `/readyz` says 503 and all else is served, until the balancer has seen that
    #[arg(long, env = "SERVICE_SHUTDOWN_DELAY", value_name = "SECONDS", value_parser = seconds, default_value = "0")]
    shutdown_delay: Duration,
    /// The time for the requests in progress, after the delay
    #[arg(long, env = "SERVICE_GRACE_PERIOD", value_name = "SECONDS", value_parser = seconds, default_value = "20")]
    grace_period: Duration,
}

/// A number of seconds: `5` or `0.25`.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn log_format(text: &str) -> Result<LogFormat, &'static str> {
    match text {
        "json" => Ok(LogFormat::Json),
        "combined" => Ok(LogFormat::Combined),
        "common" => Ok(LogFormat::Common),
        _ => Err("not json, combined or common"),
    }
}

fn forwarded_header(text: &str) -> Result<ForwardedHeader, &'static str> {
    match text {
        "x-forwarded-for" => Ok(ForwardedHeader::XForwardedFor),
        "x-forwarded-for-proto" => Ok(ForwardedHeader::XForwardedForProto),
        "forwarded" => Ok(ForwardedHeader::Forwarded),
        _ => Err("not x-forwarded-for, x-forwarded-for-proto or forwarded"),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&arguments(include_str!("service.rs"))).await {
        Ok(report) => {
            errln!("service: drained {} connections, aborted {}", report.drained, report.aborted);
            ExitCode::SUCCESS
        }
        Err(error) => {
            errln!("service: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<ShutdownReport> {
    let Arguments { addr, admin, https, bounds, .. } = arguments;
    let tls = MaybeTls { cert: https.cert.clone(), key: https.key.clone() }.config()?;
    // Before anything can tell that the server is there, and send a signal.
    let reloading = reload_at_hangup(tls.clone());
    let metrics = admin.is_some().then(Scrape::new).transpose()?;
    let served = metrics.as_ref().map(|scrape| scrape.metrics.hook());
    let config = Config { hooks: Hooks { served, ..Hooks::default() }, ..config(arguments)? };
    let server = Server::with_config(routes(arguments)?, config);
    // What can fail comes before the first request is answered: files and addresses.
    let listener = Limit::new(listen_on(addr)?, bounds.max_connections.get());
    let local = listener.local_addr()?;
    let mut beside = Vec::new();
    if let (Some(addr), Some(metrics)) = (admin, metrics) {
        beside.push(serve_beside(addr, probes(server.stats(), metrics), bounds)?);
    }
    if let Some(addr) = &https.redirect_from {
        beside.push(serve_beside(addr, to_https(&local), bounds)?);
    }
    errln!("service: serving {} on {local}", if tls.is_some() { "https" } else { "http" });
    let report = tokio::select! {
        report = serve(&server, listener, tls.clone(), arguments) => report?,
        never = reloading => match never {},
        never = tell_of_delay(&server, &arguments.leaving) => match never {},
    };
    // Only now, so that the probes are answered as long as there are requests.
    for server in beside {
        server.shutdown(Duration::from_secs(1)).await;
    }
    Ok(report)
}

/// The settings of the server.
fn config(arguments: &Arguments) -> anyhow::Result<Config> {
    let Arguments { content, bounds, balancer, leaving, .. } = arguments;
    Ok(Config {
        limits: Limits { head: bounds.max_head, ..Limits::default() },
        timeouts: Timeouts { idle: bounds.idle, ..Timeouts::default() },
        protocols: Protocols { unencrypted_http2: balancer.h2c, ..Protocols::default() },
        max_age: bounds.max_age.unwrap_or(Duration::MAX),
        shutdown_delay: leaving.shutdown_delay,
        access_log: access_log(content)?,
        ..Config::default()
    })
}

/// The access log. The server opens it again at SIGHUP and SIGUSR1, and flushes it when it leaves.
fn access_log(content: &Content) -> anyhow::Result<Option<AccessLog>> {
    let Some(path) = &content.access_log else { return Ok(None) };
    let is_logged = |served: &Served<'_>| {
        let is_probe = matches!(served.pattern(), Some("GET /readyz" | "GET /livez"));
        !(is_probe && served.status() == Some(StatusCode::OK))
    };
    let options = AccessLogOptions {
        format: content.log_format,
        filter: Some(Arc::new(is_logged)),
        ..AccessLogOptions::default()
    };
    let log = match path.to_str() {
        Some("-") => AccessLog::stdout(options),
        _ => AccessLog::open_with(path, options),
    };
    log.map(Some).context("cannot open the access log")
}

fn listen_on(addr: &str) -> anyhow::Result<AnyListener> {
    listen(addr).with_context(|| format!("cannot listen on {addr}"))
}

/// Limits who is accepted, and serves until a signal.
async fn serve<H: Handler>(
    server: &Server<H>,
    mut listener: Limit<AnyListener>,
    tls: Option<TlsConfig>,
    arguments: &Arguments,
) -> anyhow::Result<ShutdownReport> {
    let grace_period = arguments.leaving.grace_period;
    let per_peer = arguments.bounds.max_connections_per_peer.map(NonZeroUsize::get);
    let Some(balancers) = &arguments.balancer.proxy_protocol else {
        if let Some(n) = per_peer {
            listener = listener.per_peer(n);
        }
        return serve_tls(server, listener, tls, grace_period).await;
    };
    // The clients of the balancers are counted, by the addresses in their headers, and not the balancers.
    let mut proxied = Proxied::new(listener, balancers.clone()).on_error(|error| errln!("{error}"));
    if let Some(n) = per_peer {
        proxied = proxied.per_peer(n);
    }
    serve_tls(server, proxied, tls, grace_period).await
}

/// Serves until a signal; over TLS, if there is a certificate.
async fn serve_tls<H: Handler, L: Listener>(
    server: &Server<H>,
    listener: L,
    tls: Option<TlsConfig>,
    grace_period: Duration,
) -> anyhow::Result<ShutdownReport> {
    Ok(match tls {
        Some(tls) => server.serve_until_signal(server.tls_listener(listener, tls), grace_period).await?,
        None => server.serve_until_signal(listener, grace_period).await?,
    })
}

/// Says when the delay begins. From then on the balancer should send its requests elsewhere: if it does not, its log and this
/// one are compared from here.
async fn tell_of_delay<H: Handler>(server: &Server<H>, leaving: &Leaving) -> Infallible {
    let Leaving { shutdown_delay, grace_period } = leaving;
    tokio::select! {
        biased; // without a delay both come at once
        () = server.stopping() => {}
        () = server.retiring() => {
            errln!("service: not ready from now on; serves for {shutdown_delay:?} and then drains for at most {grace_period:?}");
        }
    }
    pending().await
}

/// Reads the certificate again at each SIGHUP; one that cannot be used changes nothing. Without a certificate a SIGHUP
/// does nothing; were it not listened to, it would end the process. So would SIGUSR1 without an access log, which some send
/// to all their servers when they rotate logs.
fn reload_at_hangup(tls: Option<TlsConfig>) -> impl Future<Output = Infallible> {
    // From this call on, and not from the first poll.
    #[cfg(unix)]
    let signals = (signal(SignalKind::hangup()), signal(SignalKind::user_defined1()));
    async move {
        #[cfg(unix)]
        if let (Ok(mut hangups), _users) = signals {
            while hangups.recv().await.is_some() {
                let Some(tls) = tls.clone() else { continue };
                // In a thread where it may block: it reads files.
                let reloaded = tokio::task::spawn_blocking(move || tls.reload()).await;
                if let Ok(Err(error)) = reloaded {
                    errln!("the certificate stays as it was: {error:?}");
                }
            }
        }
        let _ = tls;
        pending().await
    }
}

/// Serves something beside the main server, on an address of its own, until it is shut down.
fn serve_beside(addr: &str, mux: ServeMux, bounds: &Bounds) -> anyhow::Result<Server<ServeMux>> {
    let listener = Limit::new(listen_on(addr)?, bounds.max_connections.get());
    let server = Server::new(mux);
    let (serving, addr) = (server.clone(), addr.to_owned());
    tokio::spawn(async move {
        if let Err(error) = serving.serve(listener).await {
            errln!("service: {addr}: {error:?}");
        }
    });
    Ok(server)
}

/// The metrics and the probes of the main server, for those who run it.
fn probes(stats: Stats, scrape: Scrape) -> ServeMux {
    let mux = ServeMux::new();
    let of = stats.clone();
    mux.handle("GET /metrics", move |_| {
        let text = scrape.text(&of);
        async move { text }
    });
    mux.handle("GET /readyz", ready(ReadyOptions { stats: Some(stats), ..ReadyOptions::default() }));
    mux.handle("GET /livez", live);
    mux
}

/// What the server counts, and its text for Prometheus.
struct Scrape {
    recorder: PrometheusHandle,
    metrics: Metrics,
}

impl Scrape {
    fn new() -> anyhow::Result<Self> {
        let seconds = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let bytes = [0.0, 1024.0, 16_384.0, 262_144.0, 4_194_304.0, 67_108_864.0];
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &seconds)?
            .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), &bytes)?;
        // The recorder first: a handle that is made before goes nowhere.
        let recorder = builder.install_recorder()?;
        let upkeep = recorder.clone();
        tokio::spawn(async move {
            // Durations wait in memory until they are put into their buckets: at a scrape, or here if there is none.
            loop {
                tokio::time::sleep(Duration::from_secs(5)).await;
                upkeep.run_upkeep();
            }
        });
        Ok(Self { recorder, metrics: Metrics::new() })
    }

    fn text(&self, stats: &Stats) -> Response {
        self.metrics.update(stats);
        Response::new(self.recorder.render()).with_content_type("text/plain; version=0.0.4; charset=utf-8")
    }
}

/// Redirects everything to the port of the main server.
fn to_https(main: &Addr) -> ServeMux {
    let mux = ServeMux::new();
    let port = main.port().unwrap_or(443);
    mux.handle("/", redirect_to_https(HttpsOptions { port, ..HttpsOptions::default() }));
    mux
}

/// All that is answered: the probes, which no limit stops, and else the application.
fn routes(arguments: &Arguments) -> anyhow::Result<ServeMux> {
    let Arguments { content, bounds, balancer, .. } = arguments;
    let trusted = balancer.forwarded.clone().unwrap_or_default();
    let app = max_bytes(bounds.max_body, application(content)?);
    // In front of the limit: a request that it refuses is in the log with its client and its id, too.
    let app = Shed::new(bounds.max_requests.get()).handler(app);
    let app = forwarded(trusted.clone(), balancer.forwarded_header, request_id(trusted, app));
    let mux = ServeMux::new();
    mux.handle("GET /readyz", ready(ReadyOptions::default()));
    mux.handle("GET /livez", live);
    mux.handle("/", app);
    Ok(mux)
}

/// The application. This is the place for handlers of your own.
fn application(content: &Content) -> anyhow::Result<ServeMux> {
    let mux = ServeMux::new();
    mux.handle("POST /echo", echo);
    match &content.folder {
        Some(folder) => {
            let options = FileOptions {
                listing: content.listing.then(Listing::default),
                precompressed: Precompressed::ALL.to_vec(),
                ..FileOptions::default()
            };
            let dir = Dir::open(folder).context("cannot open the folder")?;
            mux.handle("/", FileServer::with_options(dir, options));
        }
        None => mux.handle("GET /{$}", async |_| "It serves.\n"),
    }
    Ok(mux)
}

/// The body of the request. `max_bytes` limits it.
async fn echo(mut request: Request) -> Response {
    match request.to_bytes(u64::MAX).await {
        Ok(bytes) => Response::new(bytes).with_content_type("application/octet-stream"),
        Err(error) => error.into_response(),
    }
}
