//! Pages of one's own for error replies.

use std::future::Future;

use quintet_request::Request;

use super::error_reply::{Asked, ErrorReply};
use crate::{Handler, IntoResponse, Response};

/// Gives the error replies of `handler` pages of one's own: `page` is called with each, and its body is sent in place of the
/// text.
///
/// An error reply has a status of 4xx or 5xx, and no body or a plain text in memory of at most 4 KiB: those of `?` and of
/// [`error`](super::error), the 404 and 405 of a [`ServeMux`](crate::ServeMux), a bare `StatusCode`. All others pass as
/// they are: HTML, JSON, streams, compressed replies, takeovers.
///
/// The page has the status of the reply, whatever its own is, and the fields of both: of one that both have, other than
/// `Vary` and `Set-Cookie`, that of the page. [`Response::abort`] in place of a page closes the connection.
///
/// The server answers some requests without a handler: a malformed one, or one whose handler panics. The hook `refused` of
/// the server makes pages of the former.
///
/// It costs each request two allocations at most: a page may need the method and the path, which the handler takes.
///
/// # Example
/// ```
/// use quintet_mux::{ErrorReply, Handler, Html, ServeMux, error_pages, escape_html};
/// use quintet_request::Request;
///
/// fn page(reply: &ErrorReply<'_>) -> Html<String> {
///     Html(format!("<h1>{}</h1><p>{}", reply.status, escape_html(reply.message)))
/// }
///
/// let mux = ServeMux::new();
/// mux.handle("GET /{$}", async |_| "hello\n");
/// let handler = error_pages(page, mux);
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let request = Request::parse(b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
/// let mut reply = handler.call(request).await;
/// assert_eq!((reply.status().as_u16(), reply.header("content-type").unwrap().as_bytes()), (404, &b"text/html; charset=utf-8"[..]));
/// assert_eq!(reply.take_body().as_bytes(), Some(&b"<h1>404 Not Found</h1><p>404 page not found"[..]));
/// # });
/// ```
#[doc(alias = "middleware")]
#[doc(alias = "error handler")]
#[must_use]
pub fn error_pages<P, R>(page: P, handler: impl Handler) -> impl Handler
where
    P: Fn(&ErrorReply<'_>) -> R + Send + Sync + 'static,
    R: IntoResponse,
{
    ErrorPages { page: move |reply: &ErrorReply<'_>| page(reply).into_response(), handler }
}

struct ErrorPages<P, H> {
    page: P,
    handler: H,
}

impl<P, H> Handler for ErrorPages<P, H>
where
    P: Fn(&ErrorReply<'_>) -> Response + Send + Sync + 'static,
    H: Handler,
{
    fn call(&self, request: Request) -> impl Future<Output = Response> + Send {
        let asked = Asked::new(&request);
        async move {
            let reply = self.handler.call(request).await;
            let Some(text) = reply.error_text() else { return reply };
            let page = (self.page)(&asked.reply(reply.status(), text, reply.error_source()));
            reply.with_page(page)
        }
    }
}
