//! An error reply of a handler that a page is to be made of.

use std::{borrow::Cow, error::Error};

use http::StatusCode;
use quintet_request::Request;

use crate::{ProblemDetails, prefers_html::prefers_html};

/// An error reply of a handler, and what is known of its request. Given to the function of [`error_pages`](super::error_pages).
#[derive(Debug)]
#[non_exhaustive]
pub struct ErrorReply<'a> {
    /// The status: 4xx or 5xx.
    pub status: StatusCode,
    /// The text of the reply, without the line end; it may be empty. It may have words of the client, so it is escaped in a
    /// page.
    pub message: &'a str,
    /// The method of the request.
    pub method: &'a str,
    /// The path of the request, with its percent escapes.
    pub path: &'a str,
    /// Whether the client reads HTML rather than JSON, by its `Accept` field: a browser does.
    pub prefers_html: bool,
    /// The cause, for a log; a page must not have it.
    pub source: Option<&'a (dyn Error + Send + Sync + 'static)>,
}

impl ErrorReply<'_> {
    /// The reply as problem details: the message is the detail, and the path is the instance.
    ///
    /// A message that only repeats the status is left out.
    pub fn to_problem(&self) -> ProblemDetails {
        let problem = ProblemDetails::new(self.status).with_instance(self.path.to_owned());
        let code = format!("{} ", self.status.as_u16());
        let detail = self.message.strip_prefix(&code).unwrap_or(self.message);
        match detail.is_empty() || detail.eq_ignore_ascii_case(problem.title()) {
            true => problem,
            false => problem.with_detail(detail.to_owned()),
        }
    }
}

/// What an [`ErrorReply`] has of its request, which the handler takes.
pub(super) struct Asked {
    method: Cow<'static, str>,
    path: Box<str>,
    prefers_html: bool,
}

impl Asked {
    pub(super) fn new(request: &Request) -> Self {
        let method = match request.method() {
            "GET" => Cow::Borrowed("GET"),
            "POST" => Cow::Borrowed("POST"),
            other => Cow::Owned(other.to_owned()),
        };
        let prefers_html = prefers_html(request.headers_named("accept"));
        Self { method, path: request.path().into(), prefers_html }
    }

    pub(super) fn reply<'a>(
        &'a self,
        status: StatusCode,
        text: &'a str,
        source: Option<&'a (dyn Error + Send + Sync + 'static)>,
    ) -> ErrorReply<'a> {
        let message = text.trim_end_matches(['\r', '\n']);
        ErrorReply { status, message, method: &self.method, path: &self.path, prefers_html: self.prefers_html, source }
    }
}
