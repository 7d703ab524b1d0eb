//! The handler of the live figure: a page that draws the running server, and its data.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use quintet_mux::{Handler, IntoResponse, Mux, Response};
use quintet_request::{Body, Limits, Request};

use super::{
    chapters::chapters,
    explain::{explain, relation},
    feed::feed,
    head_spans::{head_spans, request_spans},
    visitor::check_local,
};
use crate::stats::Stats;

/// The files of the page.
const INDEX: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/figure.css");
const SCRIPT: &str = include_str!("page/figure.js");

/// The page loads nothing but its own files, and no other page may show it in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The most bytes that a viewer may type as a head.
const MAX_HEAD_BYTES: u64 = 8 * 1024;

/// Which server the [figure](figure()) shows, and to whom. Written with `..FigureOptions::default()`.
#[derive(Clone, Debug, Default)]
pub struct FigureOptions {
    /// The server that is shown. `None`, the default: the one by which the viewer came. An admin server on another address
    /// shows the main one: `Some(main.stats())`.
    pub stats: Option<Stats>,
    /// The patterns that the page explains: those of the mux, as [`ServeMux::with_routes`](quintet_mux::ServeMux::with_routes)
    /// copies them. Default: none.
    pub routes: Mux<usize>,
    /// The address below which the READMEs of the five crates are served, with a slash at its end: the page links
    /// `listener/README.md` there. `None`, the default: it shows their first paragraphs, without a link.
    pub chapters: Option<String>,
    /// Whether every client may look, and not only one on this machine. Default: `false`.
    pub public: bool,
}

/// A handler that shows the running server as a picture: its connections, a sample of its requests, its refusals and accept
/// errors, as they happen.
///
/// Mount it at a pattern that ends in a slash, after all other patterns, so that the page can explain them.
///
/// Only a client on this machine may look, unless [`FigureOptions::public`] is set: its peer is a loopback address, its
/// `Host` is `localhost` or a loopback address, the request is not of HTTP/1.0, and no field says that a proxy stands between
/// (`Forwarded`, `Via`, `X-Forwarded…`, `X-Real-IP`). Another one gets a 403. A proxy on this machine that sends none of these
/// fields, and `localhost` as `Host`, must not lead here: nginx is one (`proxy_pass http://localhost:9090;`), unless
/// `proxy_set_header` says otherwise.
///
/// No data of a client is shown but the method, if it is a known one, the pattern and the status. While no viewer watches, a
/// request costs a load and a branch. The viewers share their events, which are made four times a second.
///
/// # Example
/// ```
/// use quintet_server::{FigureOptions, ServeMux, figure, mux::Mux};
///
/// let mux = ServeMux::new();
/// mux.handle("GET /hello/{name}", async |_| "hello\n");
/// let routes = mux.with_routes(Mux::clone);
/// mux.handle("/live/", figure(FigureOptions { routes, ..FigureOptions::default() }));
/// ```
#[doc(alias = "status page")]
#[doc(alias = "dashboard")]
#[must_use]
pub fn figure(options: FigureOptions) -> impl Handler {
    let figure = Arc::new(Figure { chapters: chapters(options.chapters.as_deref()).into(), options });
    move |request: Request| {
        let figure = Arc::clone(&figure);
        async move { guarded(figure.answer(request).await) }
    }
}

/// What the handler answers with.
struct Figure {
    options: FigureOptions,
    /// The chapters, which do not change.
    chapters: Bytes,
}

impl Figure {
    async fn answer(&self, request: Request) -> Response {
        if !self.options.public {
            if let Err(reason) = check_local(&request) {
                const REST: &str = "The figure is shown to this machine alone, unless FigureOptions::public is set";
                let status = StatusCode::FORBIDDEN;
                return Response::text(status, format_args!("{status}: {reason}. {REST}"));
            }
        }
        let part = request.path().rsplit('/').next().unwrap_or_default();
        match (part, request.method()) {
            ("head", "POST") => match request.into_body().to_bytes(MAX_HEAD_BYTES).await {
                Ok(bytes) => json(head_spans(&bytes, &Limits::default())),
                Err(error) => error.into_response(),
            },
            (_, "GET" | "HEAD") => self.get(part, &request),
            _ => Response::text(StatusCode::METHOD_NOT_ALLOWED, "405 Method Not Allowed")
                .with_header(header::ALLOW, "GET, HEAD"),
        }
    }

    /// The part of the figure with this name: the last segment of the path, so that it does not matter where it is mounted.
    fn get(&self, part: &str, request: &Request) -> Response {
        let query = |name: &str| request.query_value(name).unwrap_or_default();
        match part {
            "" => file(INDEX, "text/html; charset=utf-8")
                .with_header(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
            "figure.css" => file(STYLE, "text/css; charset=utf-8"),
            "figure.js" => file(SCRIPT, "text/javascript; charset=utf-8"),
            "chapters.json" => json(self.chapters.clone()),
            "explain" => json(explain(&self.options.routes, &query("method"), &query("host"), &query("path"))),
            "relation" => json(relation(&query("a"), &query("b"))),
            // That of the viewer itself. In HTTP/2 it never was a text; this is how it is read.
            "head" => json(request_spans(request.head())),
            "events" => match self.options.stats.clone().or_else(|| Stats::of(request)) {
                Some(stats) => feed(stats, request),
                None => Response::text(StatusCode::SERVICE_UNAVAILABLE, "503 Service Unavailable: no server"),
            },
            _ => Response::text(StatusCode::NOT_FOUND, "404 Not Found: the figure has no such part"),
        }
    }
}

fn json(text: impl Into<Body>) -> Response {
    Response::new(text).with_content_type("application/json")
}

fn file(text: &'static str, content_type: &'static str) -> Response {
    Response::new(text).with_content_type(content_type)
}

/// Adds what keeps a reply to its own page.
fn guarded(response: Response) -> Response {
    response
        .with_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .with_header(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .with_header(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"))
        .with_header(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"))
}
