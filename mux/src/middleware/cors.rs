//! Cross-origin resource sharing for a handler.

use std::{borrow::Cow, future::Future};

use http::{HeaderName, HeaderValue, StatusCode, header};
use quintet_request::Request;

use super::error;
use crate::{Cors, CorsReply, CorsRequest, Handler, Response};

/// Answers preflights by these rules, and adds the fields of cross-origin resource sharing to the replies of `handler`.
///
/// It stands in front of authentication: a preflight has no credentials. Which requests are accepted is another question,
/// which [`CrossOriginProtection`](crate::CrossOriginProtection) decides.
///
/// # Example
/// ```
/// use quintet_mux::{Cors, Handler, cors};
/// use quintet_request::Request;
///
/// let rules = Cors::of_origins(["https://app.example"])?.with_methods(["PUT"])?;
/// let handler = cors(rules, async |_: Request| "saved\n");
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let preflight = b"OPTIONS /a HTTP/1.1\r\nHost: api.example\r\nOrigin: https://app.example\r\n\
///     Access-Control-Request-Method: PUT\r\n\r\n";
/// let reply = handler.call(Request::parse(preflight).unwrap()).await;
/// assert_eq!((reply.status().as_u16(), reply.header("access-control-allow-methods").unwrap()), (204, "PUT".parse().unwrap()));
/// # });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "middleware")]
#[doc(alias = "cross-origin resource sharing")]
#[must_use]
pub fn cors(rules: Cors, handler: impl Handler) -> impl Handler {
    WithCors { rules, handler }
}

struct WithCors<H> {
    rules: Cors,
    handler: H,
}

impl<H> WithCors<H> {
    fn check(&self, request: &Request) -> CorsReply {
        let origin = only(request, "origin");
        let asked_method = only(request, "access-control-request-method");
        let asked_headers = joined(request, "access-control-request-headers");
        let asks_private_network = only(request, "access-control-request-private-network").as_deref() == Some("true");
        self.rules.check(&CorsRequest {
            method: request.method(),
            origin: origin.as_deref(),
            asked_method: asked_method.as_deref(),
            asked_headers: asked_headers.as_deref(),
            asks_private_network,
        })
    }
}

/// The value of a field. If there are several, they are joined, and match nothing.
fn only<'a>(request: &'a Request, name: &'static str) -> Option<Cow<'a, str>> {
    let mut values = request.headers_named(name);
    let first = String::from_utf8_lossy(values.next()?);
    if values.next().is_some() { joined(request, name) } else { Some(first) }
}

fn joined<'a>(request: &'a Request, name: &'static str) -> Option<Cow<'a, str>> {
    let values: Vec<_> = request.headers_named(name).map(String::from_utf8_lossy).collect();
    if values.is_empty() { None } else { Some(values.join(", ").into()) }
}

impl<H: Handler> Handler for WithCors<H> {
    fn call(&self, request: Request) -> impl Future<Output = Response> + Send {
        let checked = self.check(&request);
        async move {
            match checked {
                CorsReply::Handled(fields) => with_fields(self.handler.call(request).await, fields),
                CorsReply::Preflight(fields) => {
                    with_fields(Response::new(()).with_status(StatusCode::NO_CONTENT), fields)
                }
                CorsReply::Refused { reason, fields } => with_fields(error(reason, StatusCode::FORBIDDEN), fields),
            }
        }
    }
}

/// Adds the fields. They replace those of the handler, which may pass on the reply of another server; `Vary` adds up.
fn with_fields(mut reply: Response, fields: Vec<(&'static str, String)>) -> Response {
    if fields.is_empty() {
        return reply;
    }
    for (name, value) in fields {
        let Ok(value) = HeaderValue::try_from(value) else { continue };
        let headers = reply.headers_mut();
        // A full map has no room. A reply without the fields can be read by no page, and one without `Vary` by the cache of
        // a program that sends ten thousands of fields.
        let _ = match HeaderName::from_static(name) {
            header::VARY if headers.get_all(header::VARY).iter().any(varies_by_origin) => Ok(false),
            header::VARY => headers.try_append(header::VARY, value),
            name => headers.try_insert(name, value).map(|replaced| replaced.is_some()),
        };
    }
    reply
}

/// Whether a value of `Vary` has `Origin` or `*`.
fn varies_by_origin(value: &HeaderValue) -> bool {
    let mut names = value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    names.any(|name| name == b"*" || name.eq_ignore_ascii_case(b"origin"))
}
