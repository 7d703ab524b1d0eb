//! Removal of a path's prefix before a handler is called.

use std::{borrow::Cow, future::Future};

use quintet_request::Request;

use super::not_found;
use crate::{Handler, Response, prefix::begins_with_dots, strip_path_prefix};

/// Removes `prefix` from the path of a request before `handler` is called; answers 404 if the path does not begin with
/// it. Go: `http.StripPrefix`.
///
/// The values of the wildcards are kept. [`strip_path_prefix`] has the rules of the comparison.
///
/// The new path begins with a slash, which is added if it is missing: with the prefix `/mount/` or `/mount`,
/// `/mount/app.js` becomes `/app.js`, and `/mount` becomes `/`. Go passes `app.js` and an empty path, which its file
/// server corrects; read as a URI, `app.js` is a host. A prefix may end within a segment, as in Go: `/pre` makes `/fix`
/// of `/prefix`. The pattern `/pre/` does not match such a path. If what is left begins with a segment `.` or `..`, as of
/// `/pre../x`, the answer is 404: the client's path had no such segment, and no check of it has seen one.
///
/// # Example
/// ```
/// use quintet_mux::{Handler, ServeMux, strip_prefix};
/// use quintet_request::Request;
///
/// let inner = ServeMux::new();
/// inner.handle("GET /users/{id}", async |request: Request| request.path_value("id").unwrap().into_owned());
/// let outer = ServeMux::new();
/// outer.handle("/api/", strip_prefix("/api", inner));
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let request = Request::parse(b"GET /api/users/7 HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
/// assert_eq!(outer.call(request).await.take_body().to_bytes(10).await.unwrap(), "7");
/// # });
/// ```
#[doc(alias = "middleware")]
#[doc(alias = "StripPrefix")]
#[doc(alias = "nest")]
#[must_use]
pub fn strip_prefix(prefix: impl Into<String>, handler: impl Handler) -> impl Handler {
    StripPrefix { prefix: prefix.into(), handler }
}

struct StripPrefix<H> {
    prefix: String,
    handler: H,
}

impl<H: Handler> Handler for StripPrefix<H> {
    fn call(&self, mut request: Request) -> impl Future<Output = Response> + Send {
        let path = request.path();
        let rest = strip_path_prefix(path, &self.prefix);
        // A cut within a segment, of which dots may be left.
        let rest = rest.filter(|rest| self.prefix.ends_with('/') || !begins_with_dots(rest)).map(|rest| match rest {
            // Without the prefix `/pre`, `/pre*` would be `*`, which is not a path, and `/preapp.js` a host.
            rest if !rest.starts_with('/') && rest.len() < path.len() => format!("/{rest}"),
            rest => rest.to_owned(),
        });
        async move {
            match rest {
                Some(rest) if rest == request.path() => self.handler.call(request).await,
                Some(rest) => {
                    // The values borrow from the path that `set_path` replaces, so they are copied first.
                    let own = |(name, value): (&str, Cow<'_, str>)| (name.to_owned(), value.into_owned());
                    let values: Vec<_> = request.path_values().map(own).collect();
                    request.set_path(rest);
                    for (name, value) in values {
                        request.set_path_value(&name, &value);
                    }
                    self.handler.call(request).await
                }
                None => not_found(request).await,
            }
        }
    }
}
