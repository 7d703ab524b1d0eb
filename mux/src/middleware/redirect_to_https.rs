//! The redirect of requests from http to https: of all, or of those in front of a handler.

use http::StatusCode;
use quintet_request::Request;

use super::redirect::reply;
use crate::{Handler, Response, canonical_host, location::sendable};

/// Where [`redirect_to_https`] and [`require_https`] lead. Written with `..HttpsOptions::default()`.
#[derive(Clone, Debug)]
pub struct HttpsOptions {
    /// The hosts that are served over https, without a port. A request by http for another one is answered 421. Empty, the
    /// default: every host.
    pub hosts: Vec<String>,
    /// The port of https. Default: 443, which is not written.
    pub port: u16,
}

impl Default for HttpsOptions {
    fn default() -> Self {
        Self { hosts: Vec::new(), port: 443 }
    }
}

/// A handler for the port of plain http: it redirects every request to the same host, path and query over https. GET and
/// HEAD with 301, all other methods with 308, so that the browser sends the same method and body again.
///
/// The host is that of the request. A client can name any host and is redirected to it; no link can make another client do
/// so. Where a cache stands in front, which could keep such a reply for others, name the [hosts](HttpsOptions::hosts). A
/// request without a host (HTTP/1.0), or with one that is no plain name or address, is answered 400. The path stays one:
/// `//evil.example/` does not lead to another host.
///
/// A request that came by https already ([`Request::scheme`]: by TLS, or as a trusted proxy told
/// [`forwarded`](crate::forwarded())) is answered 421, since a redirect to where it came from would be followed for ever.
/// Where a proxy ends TLS and both schemes arrive at one port, use [`require_https`].
///
/// # Example
/// ```
/// use quintet_mux::{Handler, HttpsOptions, redirect_to_https};
/// use quintet_request::Request;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let handler = redirect_to_https(HttpsOptions { port: 8443, ..HttpsOptions::default() });
/// let request = Request::parse(b"GET /a?b HTTP/1.1\r\nHost: example.com:8080\r\n\r\n").unwrap();
/// let reply = handler.call(request).await;
/// assert_eq!(reply.status(), 301);
/// assert_eq!(reply.header("location").unwrap(), "https://example.com:8443/a?b");
/// # }
/// ```
///
/// # Spec
/// RFC 9110 §15.4.2, §15.4.9. Go has none; its programs call `http.Redirect` with 301, and
/// `autocert.Manager.HTTPHandler` redirects GET and HEAD and answers others 400.
#[doc(alias = "https")]
#[doc(alias = "HTTPHandler")]
#[must_use]
pub fn redirect_to_https(options: HttpsOptions) -> impl Handler {
    require_https(options, async |_: Request| {
        Response::text(StatusCode::MISDIRECTED_REQUEST, "421 Misdirected Request: this port only redirects to https")
    })
}

/// Passes the requests that came by https on to `handler`, and redirects all others as [`redirect_to_https`] does.
///
/// How a request came is [`Request::scheme`]: `https` if it came by TLS, or if a trusted proxy says so. Behind a proxy that
/// ends TLS put [`forwarded`](crate::forwarded()) around it, and name a field that has the scheme: without it every request
/// seems to have come by http, and is redirected for ever. The probes of a balancer come by http, too: give them a route
/// beside it.
///
/// # Example
/// ```
/// use quintet_mux::{Handler, HttpsOptions, forwarded, require_https};
/// use quintet_request::{ForwardedHeader, Request};
///
/// let app = require_https(HttpsOptions::default(), async |_: Request| "by https\n");
/// // nginx: `proxy_set_header X-Forwarded-Proto $scheme;`
/// let handler = forwarded("10.0.0.0/8".parse()?, ForwardedHeader::XForwardedForProto, app);
/// # fn check(_: impl Handler) {}
/// # check(handler);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Spec
/// RFC 9110 §4.2.2, §15.5.20. Go has none.
#[doc(alias = "middleware")]
#[doc(alias = "https")]
#[doc(alias = "force_ssl")]
#[must_use]
pub fn require_https(mut options: HttpsOptions, handler: impl Handler) -> impl Handler {
    for host in &mut options.hosts {
        *host = canonical_host(host).into_owned();
    }
    RequireHttps { options, handler }
}

struct RequireHttps<H> {
    options: HttpsOptions,
    handler: H,
}

impl<H: Handler> Handler for RequireHttps<H> {
    async fn call(&self, request: Request) -> Response {
        match request.scheme() {
            "https" => self.handler.call(request).await,
            _ => answer(&self.options, &request),
        }
    }
}

/// The redirect of a request that came by http, or why there is none.
fn answer(options: &HttpsOptions, request: &Request) -> Response {
    let bad = || Response::text(StatusCode::BAD_REQUEST, "400 Bad Request: no host to redirect to https");
    let Some(host) = request.host().map(canonical_host) else { return bad() };
    // `*` and the target of CONNECT have no path to go to.
    if !is_plain(&host) || !request.path().starts_with('/') {
        return bad();
    }
    if !options.hosts.is_empty() && !options.hosts.iter().any(|own| *own == *host) {
        return Response::text(StatusCode::MISDIRECTED_REQUEST, "421 Misdirected Request: no such host here");
    }
    let mut url = format!("https://{host}");
    if options.port != 443 {
        url = format!("{url}:{}", options.port);
    }
    url += request.path();
    if let Some(query) = request.query() {
        url = format!("{url}?{query}");
    }
    let status = match request.method() {
        "GET" | "HEAD" => StatusCode::MOVED_PERMANENTLY,
        _ => StatusCode::PERMANENT_REDIRECT,
    };
    reply(request, &sendable(&url), status)
}

/// Whether a host is a name or an address in letters that no browser reads in another way.
fn is_plain(host: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'[' | b']' | b':');
    !host.is_empty() && host.bytes().all(is_plain)
}
