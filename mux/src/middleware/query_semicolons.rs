//! Support for clients that separate the pairs of a query by semicolons.

use std::future::Future;

use quintet_request::Request;

use crate::{Handler, Response};

/// Replaces each `;` in the query of a request by `&` before `handler` is called. Go: `http.AllowQuerySemicolons`.
///
/// A proxy in front of the server that does not split at semicolons reads other pairs than the handler.
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
