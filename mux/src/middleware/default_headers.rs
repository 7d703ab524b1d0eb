//! Fields for the replies that do not have them.

use http::HeaderMap;
use quintet_request::Request;

use crate::{Handler, IntoHeaders, Response};

/// Adds these fields to each reply of `handler` that does not have them: a policy for browsers, say. The value that a handler
/// gives a field stays, and no field is there twice because of this.
///
/// It also adds them to errors and to the answer of a takeover. It does not see the replies that the server makes without a
/// handler (a malformed request, a panic).
///
/// # Panics
/// If a field cannot be sent: its name is not a token, or its value has a control character.
///
/// # Example
/// ```
/// use quintet_mux::{Handler, IntoResponse, ServeMux, default_headers};
/// use quintet_request::Request;
///
/// let mux = ServeMux::new();
/// mux.handle("/{$}", async |_| "hello\n");
/// mux.handle("/film", async |_| ([("referrer-policy", "no-referrer")], "a film\n").into_response());
/// let handler = default_headers(
///     [("referrer-policy", "same-origin"), ("strict-transport-security", "max-age=31536000")],
///     mux,
/// );
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// for (line, policy) in [("GET /", "same-origin"), ("GET /film", "no-referrer"), ("GET /none", "same-origin")] {
///     let request = Request::parse(format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
///     assert_eq!(handler.call(request).await.header("referrer-policy").unwrap(), policy);
/// }
/// # });
/// ```
#[doc(alias = "middleware")]
#[doc(alias = "CSP")]
#[doc(alias = "HSTS")]
#[doc(alias = "security headers")]
#[must_use]
#[track_caller]
pub fn default_headers(fields: impl IntoHeaders, handler: impl Handler) -> impl Handler {
    let mut model = Response::new(());
    fields.add_to(&mut model);
    if let Some(error) = model.field_error() {
        panic!("{error}");
    }
    DefaultHeaders { fields: model.take_headers(), handler }
}

struct DefaultHeaders<H> {
    fields: HeaderMap,
    handler: H,
}

impl<H: Handler> Handler for DefaultHeaders<H> {
    async fn call(&self, request: Request) -> Response {
        let mut reply = self.handler.call(request).await;
        for name in self.fields.keys() {
            if reply.header(name.as_str()).is_none() {
                let values = self.fields.get_all(name).iter();
                reply = values.fold(reply, |reply, value| reply.with_header(name, value));
            }
        }
        reply
    }
}
