//! A request that no pattern matches, and its answer.

use std::future::ready;

use http::StatusCode;
use quintet_request::Request;

use super::{
    allow::Allow,
    handler::{Answer, BoxHandler},
    response::Response,
};
use crate::{location::sendable, middleware::redirect_reply};

/// Why no pattern matches a request.
pub(super) enum Unrouted {
    /// The target is `*`, which is no path. Go: `ServeMux.ServeHTTP`.
    Asterisk,
    /// The path, once clean or with a slash, is to be asked for instead.
    Redirect { path: String },
    /// The path is known under other methods.
    MethodNotAllowed { allow: String },
    /// Nothing is known of the path.
    NotFound,
}

impl Unrouted {
    /// The answer; to 404 and 405 by these handlers, if they are set.
    pub(super) fn answer<'h>(
        self,
        request: Request,
        not_found: Option<&'h BoxHandler>,
        method_not_allowed: Option<&'h BoxHandler>,
    ) -> Answer<'h> {
        let reply = match self {
            Self::Asterisk => Response::new(()).with_status(StatusCode::BAD_REQUEST).with_header("connection", "close"),
            Self::Redirect { path } => moved(&path, &request),
            Self::MethodNotAllowed { allow } => {
                if let Some(own) = method_not_allowed {
                    return with_allow(own, request, allow);
                }
                Response::text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed").with_header("allow", allow)
            }
            Self::NotFound => {
                if let Some(own) = not_found {
                    return own.answer(request);
                }
                Response::text(StatusCode::NOT_FOUND, "404 page not found")
            }
        };
        Box::pin(ready(reply))
    }
}

/// The answer of this handler; a 405 without `Allow` is given one (RFC 9110 §15.5.6).
fn with_allow(own: &BoxHandler, mut request: Request, allow: String) -> Answer<'_> {
    request.set_extension(Allow(allow.clone()));
    Box::pin(async move {
        let reply = own.answer(request).await;
        if reply.status() == StatusCode::METHOD_NOT_ALLOWED && reply.header("allow").is_none() {
            return reply.with_header("allow", allow);
        }
        reply
    })
}

/// 307 to a path, with the request's query.
fn moved(path: &str, request: &Request) -> Response {
    let location = match request.query() {
        Some(query) => sendable(&format!("{path}?{query}")),
        None => path.to_owned(),
    };
    redirect_reply(request, &location, StatusCode::TEMPORARY_REDIRECT)
}
