//! Problem details in place of plain error texts.

use http::header;

use super::{error_pages, error_reply::ErrorReply};
use crate::{Handler, Html, IntoResponse, ProblemDetails, Response, escape_html};

/// Answers the errors of `handler` as `application/problem+json` (RFC 9457), and as a page of HTML to clients that prefer it,
/// such as browsers.
///
/// [`error_pages`](super::error_pages) says which replies are errors. The text of the reply is the detail, and the path is the
/// instance; the cause of an error is not in it. `Vary: Accept` is added.
///
/// # Example
/// ```
/// use quintet_mux::{Handler, ServeMux, problem_details};
/// use quintet_request::Request;
///
/// let mux = ServeMux::new();
/// mux.handle("POST /notes", async |_| "added\n");
/// let handler = problem_details(mux);
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let request = Request::parse(b"GET /notes HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
/// let mut reply = handler.call(request).await;
/// assert_eq!(reply.header("allow").unwrap(), "POST");
/// assert_eq!(reply.header("content-type").unwrap(), "application/problem+json");
/// let json = r#"{"title":"Method Not Allowed","status":405,"instance":"/notes"}"#;
/// assert_eq!(reply.take_body().as_bytes(), Some(json.as_bytes()));
/// # });
/// ```
#[doc(alias = "middleware")]
#[doc(alias = "RFC 9457")]
#[doc(alias = "RFC 7807")]
#[must_use]
pub fn problem_details(handler: impl Handler) -> impl Handler {
    error_pages(problem, handler)
}

fn problem(reply: &ErrorReply<'_>) -> Response {
    let problem = reply.to_problem();
    let page = if reply.prefers_html { html(&problem).into_response() } else { problem.into_response() };
    page.with_header(header::VARY, "Accept")
}

/// A page that says no more than the JSON.
fn html(problem: &ProblemDetails) -> Html<String> {
    let status = problem.status().as_u16();
    let (title, detail) = (escape_html(problem.title()), escape_html(problem.detail().unwrap_or("")));
    Html(format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{status} {title}</title>\n<h1>{status} {title}</h1>\n<p>{detail}</p>\n</html>\n"
    ))
}
