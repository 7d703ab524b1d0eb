//! Requests that no pattern matches, and their replies.

use std::future::ready;

use http::StatusCode;
use quintet_request::Request;

use super::{
    allow::Allow,
    handler::{Answer, BoxHandler},
    response::Response,
};
use crate::{location::sendable, middleware::redirect_reply};

/// The reason why a request has no handler.
pub(super) enum Unrouted {
    /// The target is `*`, which is not a path: 400. Go: `ServeMux.ServeHTTP`.
    Asterisk,
    /// The client is to ask for this path, which is clean or has a slash added: 307.
    Redirect { path: String },
    /// Patterns match the path under these methods alone: 405.
    MethodNotAllowed { allow: String },
    /// No pattern matches the path: 404.
    NotFound,
}

impl Unrouted {
    /// The reply. A 404 or a 405 is made by its handler, if that is set.
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

/// The reply of the handler for 405. `Allow` is added if the reply is a 405 without that field (RFC 9110 §15.5.6).
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

/// A 307 to a path, with the query of the request.
fn moved(path: &str, request: &Request) -> Response {
    let location = match request.query() {
        Some(query) => sendable(&format!("{path}?{query}")),
        None => path.to_owned(),
    };
    redirect_reply(request, &location, StatusCode::TEMPORARY_REDIRECT)
}
