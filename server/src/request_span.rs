//! The span of a request, with the names of OpenTelemetry.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
};

use http::StatusCode;
use quintet_conn::{ActiveRequest, Connection};
use quintet_mux::canonical_host;
use quintet_request::{HeadRef, Version};
use tracing::{Level, Span, event, field::Empty, span};

use crate::{
    known_method,
    served::{Outcome, Served},
    trace_events::TARGET,
};

/// The span of a request in progress, which is left for the event of the request.
#[derive(Debug)]
pub(crate) struct RequestSpan(Mutex<Option<Span>>);

impl RequestSpan {
    fn take(&self) -> Option<Span> {
        // Taken out, as the memory of the event may be kept until the next request: the span ends now.
        self.0.lock().ok()?.take()
    }
}

/// Leaves the span of a request in progress for [`take`].
pub(crate) fn leave(span: &Span, active: &ActiveRequest) {
    active.set_value(Arc::new(RequestSpan(Mutex::new(Some(span.clone())))));
}

/// The span of a request that is over, which ends when it is dropped. A request that no handler was called for gets its
/// span here; one whose head was refused has none.
pub(crate) fn take(served: &Served<'_>) -> Option<Span> {
    match (served.value::<RequestSpan>(), served.head()) {
        (Some(begun), _) => begun.take(),
        (None, Some(head)) => Some(new(head, served.connection())),
        (None, None) => None,
    }
}

/// Tells the span what became of its request. A refusal is an event, too.
pub(crate) fn finish(span: Option<&Span>, served: &Served<'_>) {
    if let Some(span) = span {
        if let (None, Some(head)) = (served.value::<RequestSpan>(), served.head()) {
            describe(span, head, served.connection());
        }
        record(span, served);
    }
    if let Outcome::Refused(refusal) = served.outcome() {
        event!(
            target: TARGET,
            parent: span.and_then(Span::id),
            Level::INFO,
            client.address = client(served).as_deref(),
            error.type = refusal.as_str(),
            http.response.status_code = served.status().map(|status| u64::from(status.as_u16())),
            "request refused"
        );
    }
}

/// The span of a request, with what its head says. Nothing is done with the span that is made: a subscriber that panics
/// would meet the drop of the span on its way, and a second panic there ends the process.
pub(crate) fn new(head: HeadRef<'_>, connection: &Connection) -> Span {
    let host = head.host();
    span!(
        target: TARGET,
        Level::INFO,
        "HTTP request",
        http.request.method = known_method::label(Some(head.method())),
        http.request.method_original = Empty,
        http.route = Empty,
        http.response.status_code = Empty,
        url.scheme = if connection.tls().is_some() { "https" } else { "http" },
        url.path = head.path(),
        url.query = head.target().query(),
        network.protocol.version = version(head.version()),
        network.peer.address = Empty,
        network.peer.port = connection.peer_addr().port(),
        client.address = Empty,
        server.address = host.map(canonical_host).as_deref(),
        server.port = host.and_then(port),
        "http.request.header.x-request-id" = Empty,
        user_agent.original = head.header_bytes("user-agent").map(String::from_utf8_lossy).as_deref(),
        error.type = Empty,
        otel.kind = "server",
        otel.name = Empty,
        otel.status_code = Empty,
    )
}

/// Records what else the head and the connection say.
pub(crate) fn describe(span: &Span, head: HeadRef<'_>, connection: &Connection) {
    if span.is_disabled() {
        return;
    }
    if let Some(ip) = connection.peer_addr().ip() {
        let ip = ip.to_string();
        span.record("network.peer.address", &*ip);
        span.record("client.address", &*ip);
    }
    if known_method::label(Some(head.method())) == "_OTHER" {
        span.record("http.request.method_original", head.method());
    }
}

/// Records what became of a request.
fn record(span: &Span, served: &Served<'_>) {
    let method = known_method::label(served.method());
    let method = if method == "_OTHER" { "HTTP" } else { method };
    match served.pattern().map(route) {
        Some(route) => {
            span.record("http.route", route);
            span.record("otel.name", &*format!("{method} {route}"));
        }
        None => drop(span.record("otel.name", method)),
    }
    if let Some(ip) = told(served) {
        span.record("client.address", &*ip.to_string());
    }
    if let Some(id) = served.request_id() {
        span.record("http.request.header.x-request-id", id);
    }
    if let Some(status) = served.status() {
        span.record("http.response.status_code", u64::from(status.as_u16()));
    }
    if let Some(error) = error_type(served.outcome(), served.status()) {
        span.record("error.type", &*error);
    }
    if is_failure(served.outcome(), served.status()) {
        span.record("otel.status_code", "ERROR");
    }
}

/// What went wrong: the rule of a refusal, the outcome of a reply that was not sent as a whole, or a status of 5xx.
fn error_type(outcome: Outcome, status: Option<StatusCode>) -> Option<String> {
    match outcome {
        Outcome::Refused(refusal) => Some(refusal.as_str().to_owned()),
        Outcome::Complete => status.filter(StatusCode::is_server_error).map(|status| status.as_str().to_owned()),
        Outcome::TakenOver => None,
        _ => Some(outcome.as_str().to_owned()),
    }
}

/// Whether the server is to blame: OpenTelemetry leaves the status of a span unset for errors of clients.
fn is_failure(outcome: Outcome, status: Option<StatusCode>) -> bool {
    matches!(outcome, Outcome::Panicked | Outcome::Broken) || status.is_some_and(|status| status.is_server_error())
}

/// The part of a pattern that a route has: not the method, and not the host.
fn route(pattern: &str) -> &str {
    pattern.find('/').map_or(pattern, |at| &pattern[at..])
}

/// The port that a host names.
fn port(host: &str) -> Option<u16> {
    let (before, port) = host.rsplit_once(':')?;
    // An IPv6 address without a port has its colons in brackets.
    if before.contains('[') && !before.ends_with(']') { None } else { port.parse().ok() }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::Http10 => "1.0",
        Version::Http11 => "1.1",
        Version::Http2 => "2",
    }
}

/// The address of the client.
fn client(served: &Served<'_>) -> Option<String> {
    told(served).or_else(|| served.connection().peer_addr().ip()).map(|ip| ip.to_string())
}

/// The address of the client, if a trusted proxy told it.
fn told(served: &Served<'_>) -> Option<IpAddr> {
    served.client().filter(|client| client.hops() > 0)?.ip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_the_path_of_its_pattern() {
        for (pattern, expected) in [
            ("GET /users/{id}", "/users/{id}"),
            ("/", "/"),
            ("a.example/b/", "/b/"),
            ("POST a.example:80/{$}", "/{$}"),
            ("CONNECT a.example:443", "CONNECT a.example:443"),
        ] {
            assert_eq!(route(pattern), expected);
        }
    }

    #[test]
    fn a_port_is_that_of_the_host() {
        for (host, expected) in [
            ("a.example", None),
            ("a.example:8080", Some(8080)),
            ("[2001:db8::1]", None),
            ("[2001:db8::1]:443", Some(443)),
            ("a:", None),
            ("a:99999", None),
        ] {
            assert_eq!(port(host), expected, "{host}");
        }
    }

    #[test]
    fn a_client_that_leaves_is_no_error_of_the_server() {
        let status = |code| StatusCode::from_u16(code).ok();
        for (outcome, code, error, failed) in [
            (Outcome::Complete, 200, None, false),
            (Outcome::Complete, 404, None, false),
            (Outcome::Complete, 503, Some("503"), true),
            (Outcome::Panicked, 500, Some("panicked"), true),
            (Outcome::Broken, 200, Some("broken"), true),
            (Outcome::Cut, 0, Some("cut"), false),
            (Outcome::Reset, 200, Some("reset"), false),
            (Outcome::TakenOver, 101, None, false),
        ] {
            assert_eq!(error_type(outcome, status(code)).as_deref(), error, "{outcome} {code}");
            assert_eq!(is_failure(outcome, status(code)), failed, "{outcome} {code}");
        }
    }
}
