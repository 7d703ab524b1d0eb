//! Redirects.

use http::StatusCode;
use quintet_request::Request;

use crate::{Handler, Response, escape_html, redirect_location};

/// A reply that redirects a request to `url`, which may be relative to the path of the request. Go: `http.Redirect`.
///
/// [`redirect_location`] has the rules for `Location`. `status` is a 3xx, often [`StatusCode::SEE_OTHER`] after a form.
/// The reply to a GET has a line of HTML with a link, for clients that do not follow redirects.
///
/// # Example
/// ```
/// use http::StatusCode;
/// use quintet_request::Request;
///
/// let request = Request::parse(b"GET /a/b HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
/// let reply = quintet_mux::redirect(&request, "../c?d", StatusCode::SEE_OTHER);
/// assert_eq!(reply.header("location").unwrap(), "/c?d");
/// ```
#[must_use]
pub fn redirect(request: &Request, url: &str, status: StatusCode) -> Response {
    reply(request, &redirect_location(request.path(), url), status)
}

/// A handler that redirects every request. Go: `http.RedirectHandler`.
#[must_use]
pub fn redirect_handler(url: impl Into<String>, status: StatusCode) -> impl Handler {
    let url = url.into();
    move |request: Request| {
        let reply = redirect(&request, &url, status);
        async move { reply }
    }
}

/// A redirect to a location that is escaped already.
pub(crate) fn reply(request: &Request, location: &str, status: StatusCode) -> Response {
    const HTML: &str = "text/html; charset=utf-8";
    let reply = match request.method() {
        "GET" => {
            let (href, reason) = (escape_html(location), status.canonical_reason().unwrap_or(""));
            Response::new(format!("<a href=\"{href}\">{reason}</a>.\n\n")).with_content_type(HTML)
        }
        "HEAD" => Response::new(()).with_content_type(HTML),
        _ => Response::new(()),
    };
    reply.with_status(status).with_header("location", location)
}
