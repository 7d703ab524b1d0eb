//! Cross-site request forgery protection for a handler.

use std::{borrow::Cow, future::Future};

use http::StatusCode;
use quintet_request::Request;

use super::error;
use crate::{BoxHandler, CrossOrigin, CrossOriginError, Handler, Response, Source};

/// Protection of a handler against cross-site request forgery (CSRF). Requests that can change something and come from
/// another site are refused, unless [`CrossOrigin`] exempts them. Go: `http.CrossOriginProtection`.
///
/// # Example
/// ```
/// use quintet_mux::{CrossOrigin, CrossOriginProtection, Handler};
/// use quintet_request::Request;
///
/// let protection = CrossOriginProtection::new(CrossOrigin::new());
/// let handler = protection.handler(async |_: Request| "changed\n");
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let forged = b"POST / HTTP/1.1\r\nHost: h\r\nSec-Fetch-Site: cross-site\r\nContent-Length: 0\r\n\r\n";
/// assert_eq!(handler.call(Request::parse(forged).unwrap()).await.status(), 403);
/// # });
/// ```
#[doc(alias = "middleware")]
#[doc(alias = "csrf")]
#[derive(Clone, Debug, Default)]
pub struct CrossOriginProtection {
    rules: CrossOrigin,
    deny: Option<BoxHandler>,
}

impl CrossOriginProtection {
    /// Protection by these rules; a request that is refused is answered by a plain 403.
    #[must_use]
    pub fn new(rules: CrossOrigin) -> Self {
        Self { rules, deny: None }
    }

    /// Sets the handler of requests that are refused. Go: `SetDenyHandler`.
    #[must_use]
    pub fn with_deny_handler(mut self, handler: impl Handler) -> Self {
        self.deny = Some(BoxHandler::new(handler));
        self
    }

    /// Accepts a request or refuses it.
    ///
    /// # Errors
    /// [`CrossOriginError`] (403) if the rules refuse the request.
    pub fn check(&self, request: &Request) -> Result<(), CrossOriginError> {
        with_source(request, |source| self.rules.check(source))
    }

    /// Accepts a request or refuses it, whatever its method is; see [`CrossOrigin::check_any_method`].
    ///
    /// # Errors
    /// [`CrossOriginError`] (403) if the rules refuse the request.
    pub fn check_any_method(rules: &CrossOrigin, request: &Request) -> Result<(), CrossOriginError> {
        with_source(request, |source| rules.check_any_method(source))
    }

    /// A handler that gives the requests that pass to `handler`.
    #[must_use]
    pub fn handler(self, handler: impl Handler) -> impl Handler {
        Protected { protection: self, handler }
    }
}

/// Calls a function with the parts of a request that the rules read.
fn with_source<T>(request: &Request, check: impl FnOnce(&Source<'_>) -> T) -> T {
    let [site, origin] = ["sec-fetch-site", "origin"].map(|name| first(request, name));
    check(&Source {
        method: request.method(),
        host: request.host().unwrap_or(""),
        path: request.path(),
        site: site.as_deref(),
        origin: origin.as_deref(),
    })
}

/// The first value of a field, also if it is not UTF-8: a request with such a value must not count as one without.
fn first<'a>(request: &'a Request, wanted: &str) -> Option<Cow<'a, str>> {
    let mut values = request.headers().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
    values.next().map(|(_, value)| String::from_utf8_lossy(value))
}

struct Protected<H> {
    protection: CrossOriginProtection,
    handler: H,
}

impl<H: Handler> Handler for Protected<H> {
    fn call(&self, request: Request) -> impl Future<Output = Response> + Send {
        let refused = self.protection.check(&request).err();
        async move {
            match (refused, &self.protection.deny) {
                (None, _) => self.handler.call(request).await,
                (Some(_), Some(deny)) => deny.call(request).await,
                (Some(refused), None) => error(refused, StatusCode::FORBIDDEN),
            }
        }
    }
}
