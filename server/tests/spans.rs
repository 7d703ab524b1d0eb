//! What the server tells `tracing`: a span for each request, and events.

#![cfg(feature = "tracing")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use collector::{Collector, Fields, Told};
use quintet_listener::testing::{MemoryListener, MemoryStream};
use quintet_server::{
    Config, Handler, Hooks, Request, Response, ServeMux, Server, ShutdownReport,
    listener::Nets,
    mux::{forwarded, request_id},
    request::ForwardedHeader,
};
use support::{bounded, in_memory};
use tracing::{
    Event, Level, Metadata, Subscriber,
    span::{Attributes, Id, Record},
};

mod collector;
#[cfg(feature = "http2")]
mod http2_kit;
mod support;
#[cfg(feature = "ring")]
mod tls_kit;

fn server<H: Handler>(handler: H) -> Server<H> {
    Server::with_config(handler, Config { tracing: true, ..support::config() })
}

fn mux() -> ServeMux {
    let mux = ServeMux::new();
    mux.handle("GET a.example/users/{id}", async |request: Request| {
        tracing::info!(target: "test", "before");
        tokio::task::yield_now().await;
        tracing::info!(target: "test", "after");
        request.path_value("id").map(|id| id.into_owned()).unwrap_or_default()
    });
    mux.handle("/panic", async |_| -> &'static str { panic!("as asked") });
    mux.handle("/abort", async |_| Response::abort());
    mux.handle("/field", async |_| Response::new("x").with_header("x-a", "\n"));
    mux
}

fn fields<const N: usize>(pairs: [(&str, &str); N]) -> Fields {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The fields of these names.
fn some(all: &Fields, names: &[&str]) -> Vec<Option<String>> {
    names.iter().map(|name| all.get(*name).cloned()).collect()
}

fn message(event: &Told) -> &str {
    event.fields.get("message").map_or("", String::as_str)
}

#[tokio::test(start_paused = true)]
async fn a_span_has_the_names_of_opentelemetry() {
    bounded(async {
        let collector = Collector::default();
        let _listening = collector.listen();
        let (dial, _serving) = in_memory(&server(mux()));
        let mut client = dial.connect();
        let head = "GET /users/7?b=c HTTP/1.1\r\nHost: A.example:8080\r\nUser-Agent: x/1\r\n\r\n";
        client.send(head).await;
        assert_eq!(client.reply().await.body, b"7");
        support::eventually("it is told", || collector.spans().first().is_some_and(|span| span.has_ended())).await;
        let [span] = &*collector.spans() else { panic!("one span") };
        let expected = fields([
            ("http.request.method", "GET"),
            ("http.route", "/users/{id}"),
            ("http.response.status_code", "200"),
            ("url.scheme", if support::over_tls() { "https" } else { "http" }),
            ("url.path", "/users/7"),
            ("url.query", "b=c"),
            ("network.protocol.version", "1.1"),
            ("server.address", "a.example"),
            ("server.port", "8080"),
            ("user_agent.original", "x/1"),
            ("otel.kind", "server"),
            ("otel.name", "GET /users/{id}"),
        ]);
        assert_eq!((span.name.as_str(), &span.fields), ("HTTP request", &expected));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_span_is_the_parent_of_what_its_handler_logs() {
    bounded(async {
        let collector = Collector::default();
        let _listening = collector.listen();
        let (dial, _serving) = in_memory(&server(mux()));
        let (mut one, mut other) = (dial.connect(), dial.connect());
        // Both are in progress at once, on one thread.
        let (one, other) = (one.send(users(1)), other.send(users(2)));
        tokio::join!(one, other);
        support::eventually("it is told", || collector.events().len() == 4).await;
        let spans = collector.spans();
        for event in collector.events() {
            assert!(event.span.is_some_and(|span| span == 1 || span == 2), "{event:?}");
        }
        for n in [1, 2] {
            let own = collector.events();
            let own: Vec<_> = own.iter().filter(|event| event.span == Some(n)).map(message).collect();
            assert_eq!(own, ["before", "after"], "span {n} of {spans:?}");
        }
    })
    .await;
}

fn users(n: u8) -> String {
    format!("GET /users/{n} HTTP/1.1\r\nHost: a.example\r\n\r\n")
}

#[tokio::test(start_paused = true)]
async fn a_span_tells_what_went_wrong() {
    bounded(async {
        for (request, status, error, failed) in [
            ("GET /none HTTP/1.1\r\nHost: a\r\n\r\n", Some("404"), None, false),
            ("BREW /none HTTP/1.1\r\nHost: a\r\n\r\n", Some("404"), None, false),
            ("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n", Some("500"), Some("panicked"), true),
            ("GET /field HTTP/1.1\r\nHost: a\r\n\r\n", Some("500"), Some("500"), true),
            ("GET /abort HTTP/1.1\r\nHost: a\r\n\r\n", None, Some("broken"), true),
            ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", Some("200"), None, false),
        ] {
            let collector = Collector::default();
            let _listening = collector.listen();
            let (dial, _serving) = in_memory(&server(mux()));
            let mut client = dial.connect();
            client.send(request).await;
            client.finish().await;
            client.rest().await;
            support::eventually("it is told", || collector.spans().first().is_some_and(|span| span.has_ended())).await;
            let [span] = &*collector.spans() else { panic!("one span for {request:?}") };
            let names = ["http.response.status_code", "error.type", "otel.status_code", "http.request.method"];
            let method =
                if request.starts_with("BREW") { "_OTHER" } else { request.split(' ').next().expect("a word") };
            let expected = [status, error, failed.then_some("ERROR"), Some(method)];
            assert_eq!(some(&span.fields, &names), expected.map(|value| value.map(str::to_owned)), "{request:?}");
            let original = span.fields.get("http.request.method_original").map(String::as_str);
            assert_eq!(original, (method == "_OTHER").then_some("BREW"));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_head_is_an_event_without_a_span() {
    bounded(async {
        let collector = Collector::default();
        let _listening = collector.listen();
        let (dial, _serving) = in_memory(&server(mux()));
        let mut client = dial.connect();
        client.send("GET / HTTP/1.1\r\n\r\n").await;
        assert_eq!(client.reply().await.status, 400);
        support::eventually("it is told", || !collector.events().is_empty()).await;
        let [event] = &*collector.events() else { panic!("one event") };
        assert_eq!((event.level, message(event), event.span), (Level::INFO, "request refused", None));
        let names = ["http.response.status_code", "error.type"];
        assert_eq!(some(&event.fields, &names), [Some("400".to_owned()), Some("host_missing".to_owned())]);
        assert!(collector.spans().is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn panics_fields_and_the_shutdown_are_events() {
    bounded(async {
        let collector = Collector::default();
        let _listening = collector.listen();
        let server = server(mux());
        let (dial, serving) = in_memory(&server);
        for path in ["/panic", "/field"] {
            assert_eq!(dial.connect().fetch(path).await.status, 500);
        }
        let report = server.shutdown(Duration::from_secs(5)).await;
        assert_eq!(report, ShutdownReport { drained: report.drained, aborted: 0 });
        let _ = serving.await;
        let events = collector.events();
        let told: Vec<_> = events.iter().map(|event| (event.level, message(event))).collect();
        let expected = [
            (Level::ERROR, "a handler panicked"),
            (Level::ERROR, "the reply is a 500"),
            (Level::INFO, "the server shuts down"),
            (Level::INFO, "the server has shut down"),
        ];
        assert_eq!(told, expected);
        assert_eq!(events[0].fields["exception.message"], "as asked");
        assert_eq!(events.iter().map(|event| event.span).collect::<Vec<_>>(), [Some(1), None, None, None]);
        assert_eq!((&*events[2].fields["grace_period"], &*events[3].fields["aborted"]), ("5s", "0"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_behind_a_trusted_proxy_is_that_of_the_span() {
    bounded(async {
        let collector = Collector::default();
        let _listening = collector.listen();
        let trusted: Nets = "unix".parse().expect("nets");
        let handler = forwarded(trusted, ForwardedHeader::XForwardedFor, mux());
        let (dial, _serving) = in_memory(&server(handler));
        let mut client = dial.connect();
        client.send("GET /none HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9, 192.0.2.7\r\n\r\n").await;
        assert_eq!(client.reply().await.status, 404);
        support::eventually("it is told", || collector.spans().first().is_some_and(|span| span.has_ended())).await;
        assert_eq!(collector.spans()[0].fields["client.address"], "192.0.2.7");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_id_of_a_request_is_in_its_span() {
    bounded(async {
        let collector = Collector::default();
        let _listening = collector.listen();
        let trusted: Nets = "unix".parse().expect("nets");
        let (dial, _serving) = in_memory(&server(request_id(trusted, mux())));
        let mut client = dial.connect();
        client.send("GET /none HTTP/1.1\r\nHost: a\r\nX-Request-Id: a-1\r\n\r\n").await;
        assert_eq!(client.reply().await.status, 404);
        support::eventually("it is told", || collector.spans().first().is_some_and(|span| span.has_ended())).await;
        assert_eq!(collector.spans()[0].fields["http.request.header.x-request-id"], "a-1");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_accept_error_is_an_event() {
    bounded(async {
        let collector = Collector::default();
        let _listening = collector.listen();
        let (listener, dialer) = MemoryListener::<MemoryStream>::new();
        let server = server(mux());
        let serving = server.clone();
        tokio::spawn(async move { serving.serve(listener).await });
        assert!(dialer.fail(std::io::Error::other("as asked")));
        support::eventually("it is told", || !collector.events().is_empty()).await;
        let [event] = &*collector.events() else { panic!("one event") };
        assert_eq!(event.level, Level::WARN);
        assert!(message(event).starts_with("accept error: as asked"), "{event:?}");
    })
    .await;
}

#[cfg(feature = "ring")]
#[tokio::test(start_paused = true)]
async fn a_handshake_that_fails_is_an_event() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    bounded(async {
        let collector = Collector::default();
        let _listening = collector.listen();
        let site = tls_kit::Site::new();
        let kit = tls_kit::serve(server(mux()), site.config(None));
        let mut client = kit.dial();
        client.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").await.expect("it reads");
        client.read_to_end(&mut Vec::new()).await.expect("an end");
        let [event] = &*collector.events() else { panic!("one event") };
        assert_eq!((event.level, event.span), (Level::INFO, None));
        assert!(message(event).contains("handshake"), "{event:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_the_setting_nothing_is_told() {
    bounded(async {
        let collector = Collector::default();
        let _listening = collector.listen();
        let server = support::server(mux());
        let (dial, _serving) = in_memory(&server);
        assert_eq!(dial.connect().fetch("/none").await.status, 404);
        server.shutdown(Duration::from_secs(5)).await;
        assert!(collector.spans().is_empty() && collector.events().is_empty());
    })
    .await;
}

#[cfg(feature = "http2")]
#[tokio::test(start_paused = true)]
async fn requests_of_one_http2_connection_have_a_span_each() {
    bounded(async {
        let collector = Collector::default();
        let _listening = collector.listen();
        let config = Config { tracing: true, ..http2_kit::config() };
        let (_server, dial) = http2_kit::start_with(mux(), config);
        let mut client = http2_kit::connect(&dial).await;
        for n in 0..3 {
            assert_eq!(client.get(&format!("/none/{n}")).await.status, 404);
        }
        support::eventually("it is told", || collector.spans().iter().filter(|span| span.has_ended()).count() == 3)
            .await;
        for (n, span) in collector.spans().iter().enumerate() {
            let names = ["url.path", "network.protocol.version", "http.response.status_code"];
            assert_eq!(some(&span.fields, &names), [Some(format!("/none/{n}")), Some("2".into()), Some("404".into())]);
        }
    })
    .await;
}

/// A collector that panics in the named method, after the collector under it was called, as a layer does over a registry.
struct Panicking(Collector, &'static str);

impl Panicking {
    fn panic_in(&self, method: &str) {
        assert!(self.1 != method && self.1 != "all", "the subscriber panics");
    }
}

impl Subscriber for Panicking {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.enabled(metadata)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let id = self.0.new_span(attributes);
        self.panic_in("new_span");
        id
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        self.0.record(id, values);
        self.panic_in("record");
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.0.event(event);
        // Not of those of the handler: they are its own affair.
        if event.metadata().target() != "test" {
            self.panic_in("event");
        }
    }

    fn enter(&self, id: &Id) {
        self.0.enter(id);
        self.panic_in("enter");
    }

    fn exit(&self, id: &Id) {
        self.0.exit(id);
        self.panic_in("exit");
    }

    fn clone_span(&self, id: &Id) -> Id {
        let id = self.0.clone_span(id);
        self.panic_in("clone_span");
        id
    }

    fn try_close(&self, id: Id) -> bool {
        let has_ended = self.0.try_close(id);
        self.panic_in("try_close");
        has_ended
    }
}

/// Each reply is sent, each event is told to the hook, and what is logged later belongs to no request.
#[tokio::test(start_paused = true)]
async fn a_subscriber_that_panics_ends_nothing() {
    bounded(async {
        for method in ["new_span", "record", "event", "enter", "exit", "clone_span", "try_close", "all"] {
            let collector = Collector::default();
            let _listening = tracing::subscriber::set_default(Panicking(collector.clone(), method));
            let count = Arc::new(AtomicU64::new(0));
            let counted = Arc::clone(&count);
            let served: Arc<dyn Fn(&quintet_server::Served<'_>) + Send + Sync> = Arc::new(move |_| {
                counted.fetch_add(1, Relaxed);
            });
            let hooks = Hooks { served: Some(served), ..support::config().hooks };
            let server = Server::with_config(mux(), Config { tracing: true, hooks, ..support::config() });
            let (dial, _serving) = in_memory(&server);
            for (request, status) in [
                (users(7), 200),
                ("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 500),
                ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
                ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 200),
            ] {
                let mut client = dial.connect();
                client.send(&request).await;
                assert_eq!(client.reply().await.status, status, "{method}: {request:?}");
            }
            support::eventually("the hook is called for each", || count.load(Relaxed) == 4).await;
            assert!(server.hook_failures().panics > 0, "{method}");
            tracing::info!(target: "test", "outside");
            let events = collector.events();
            let outside: Vec<_> = events.iter().filter(|event| message(event) == "outside").collect();
            assert!(matches!(outside[..], [Told { span: None, .. }]), "{method}: {outside:?}");
        }
    })
    .await;
}

#[cfg(feature = "http2")]
#[tokio::test(start_paused = true)]
async fn a_subscriber_that_panics_ends_no_http2_stream() {
    bounded(async {
        for method in ["new_span", "record", "enter", "exit", "clone_span", "try_close", "all"] {
            let _listening = tracing::subscriber::set_default(Panicking(Collector::default(), method));
            let (server, dial) = http2_kit::start_with(mux(), Config { tracing: true, ..http2_kit::config() });
            let mut client = http2_kit::connect(&dial).await;
            for (path, status) in [("/none", 404), ("/panic", 500), ("/none", 404)] {
                assert_eq!(client.get(path).await.status, status, "{method}");
            }
            assert!(server.hook_failures().panics > 0, "{method}");
        }
    })
    .await;
}
