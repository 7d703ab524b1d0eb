//! A handler for clients that separate the pairs of a query by semicolons.

use std::future::Future;

use quintet_request::Request;

use crate::{Handler, Response};

/// Serves requests by `handler` with every `;` in their query made an `&`. Go: `http.AllowQuerySemicolons`.
///
/// A proxy in front that does not know this may see other pairs than the handler.
#[must_use]
pub fn allow_query_semicolons(handler: impl Handler) -> impl Handler {
    AllowQuerySemicolons(handler)
}

struct AllowQuerySemicolons<H>(H);

impl<H: Handler> Handler for AllowQuerySemicolons<H> {
    fn call(&self, mut request: Request) -> impl Future<Output = Response> + Send {
        if let Some(query) = request.query().filter(|query| query.contains(';')) {
            let query = query.replace(';', "&");
            request.set_query(Some(&query));
        }
        self.0.call(request)
    }
}
