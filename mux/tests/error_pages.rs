//! Pages for error replies: which replies get one, what stays of a reply, and problem details (RFC 9457).

#![cfg(feature = "io")]

use std::sync::{Arc, Mutex};

use http::{StatusCode, header};
use quintet_mux::{
    BoxHandler, ErrorReply, Handler, Html, HttpError, IntoResponse, Response, ServeMux, Upgraded, error, error_pages,
    problem_details,
};
use quintet_request::{Body, BodyError, Request};
use serde_json::{Value, json};

/// A page that shows what its function is given.
fn page(reply: &ErrorReply<'_>) -> (StatusCode, [(&'static str, &'static str); 3], Html<String>) {
    let ErrorReply { status, message, method, path, .. } = reply;
    let text = format!("{} {method} {path} [{message}]", status.as_u16());
    // A status of its own, which does not count.
    (StatusCode::OK, [("vary", "Accept"), ("x-both", "page"), ("x-page", "1")], Html(text))
}

async fn get(handler: impl Handler, target: &str, accept: &str) -> Response {
    let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n");
    handler.call(Request::parse(head.as_bytes()).expect("a head")).await
}

/// The status, the content type and the body of a reply to a handler behind `error_pages`.
async fn paged(handler: impl Handler) -> (u16, String, String) {
    seen(get(error_pages(page, handler), "/a%20b?q=secret", "*/*").await).await
}

async fn seen(mut reply: Response) -> (u16, String, String) {
    let content_type = reply.header("content-type").map(|value| value.to_str().expect("text").to_owned());
    let body = reply.take_body().to_bytes(u64::MAX).await.expect("a whole body");
    (reply.status().as_u16(), content_type.unwrap_or_default(), String::from_utf8(body.to_vec()).expect("text"))
}

#[tokio::test]
async fn plain_and_empty_errors_get_a_page() {
    let html = "text/html; charset=utf-8".to_owned();
    let plain: [(BoxHandler, u16, &str); 8] = [
        (BoxHandler::new(async |_| error("no note", StatusCode::NOT_FOUND)), 404, "no note"),
        (BoxHandler::new(async |_| (StatusCode::GONE, "gone")), 410, "gone"),
        (BoxHandler::new(async |_| StatusCode::IM_A_TEAPOT), 418, ""),
        (BoxHandler::new(async |_| BodyError::TooLarge { limit: 5 }), 413, "the body is larger than 5 bytes"),
        (BoxHandler::new(async |_| HttpError::from("secret")), 500, "500 Internal Server Error"),
        // A field that cannot be sent.
        (BoxHandler::new(async |_| Response::new("a").with_header("x", "\n")), 500, "500 Internal Server Error"),
        (BoxHandler::new(ServeMux::new()), 404, "404 page not found"),
        (BoxHandler::new(async |_| http::Response::builder().status(503).body(Body::empty()).unwrap()), 503, ""),
    ];
    for (handler, status, message) in plain {
        let body = format!("{status} GET /a%20b [{message}]");
        assert_eq!(paged(handler).await, (status, html.clone(), body));
    }
}

#[tokio::test]
async fn other_replies_pass_an_error_page_as_they_are() {
    let large = || "x".repeat(4097);
    let streamed = || Body::writer(|mut w| async move { w.write("slow").await });
    let others: [(BoxHandler, u16, &str, String); 8] = [
        (BoxHandler::new(async |_| "hello"), 200, "text/plain; charset=utf-8", "hello".into()),
        (BoxHandler::new(async |_| StatusCode::NOT_MODIFIED), 304, "", String::new()),
        (
            BoxHandler::new(async |_| (StatusCode::NOT_FOUND, Html("own"))),
            404,
            "text/html; charset=utf-8",
            "own".into(),
        ),
        (
            BoxHandler::new(async |_| {
                Response::new("{}").with_status(StatusCode::CONFLICT).with_content_type("application/json")
            }),
            409,
            "application/json",
            "{}".into(),
        ),
        (
            BoxHandler::new(move |_| async move { (StatusCode::NOT_FOUND, large()) }),
            404,
            "text/plain; charset=utf-8",
            "x".repeat(4097),
        ),
        (
            BoxHandler::new(move |_| async move {
                Response::new(streamed()).with_status(StatusCode::BAD_GATEWAY).with_content_type("text/plain")
            }),
            502,
            "text/plain",
            "slow".into(),
        ),
        (BoxHandler::new(async |_| (StatusCode::NOT_FOUND, b"bytes".to_vec())), 404, "", "bytes".into()),
        (
            BoxHandler::new(async |_| (StatusCode::NOT_FOUND, [("content-encoding", "x")], "coded")),
            404,
            "text/plain; charset=utf-8",
            "coded".into(),
        ),
    ];
    for (handler, status, content_type, body) in others {
        assert_eq!(paged(handler).await, (status, content_type.to_owned(), body));
    }
    let abort = get(error_pages(page, async |_| Response::abort()), "/", "*/*").await;
    assert!(abort.is_abort());
    let upgrade = async |_| Response::upgrade(StatusCode::UPGRADE_REQUIRED, async |_: Upgraded| {});
    assert!(get(error_pages(page, upgrade), "/", "*/*").await.take_upgrade().is_some());
}

#[tokio::test]
async fn fields_of_an_error_stay_and_those_of_its_page_are_added() {
    let handler = async |_| {
        error("busy", StatusCode::SERVICE_UNAVAILABLE)
            .with_header(header::RETRY_AFTER, "5")
            .with_header(header::VARY, "Origin")
            .with_header(header::CONTENT_LENGTH, "5")
            .with_header(header::ETAG, "\"a\"")
            .with_header("x-both", "reply")
            .with_error_source("the cause")
    };
    let mut reply = get(error_pages(page, handler), "/", "*/*").await;
    assert_eq!(reply.error_source().unwrap().to_string(), "the cause");
    let fields = reply.headers_mut();
    assert_eq!(fields.get_all("vary").iter().collect::<Vec<_>>(), ["Origin", "Accept"]);
    assert_eq!(fields.get_all("x-both").iter().collect::<Vec<_>>(), ["page"]);
    for (name, value) in [("retry-after", "5"), ("x-page", "1"), ("x-content-type-options", "nosniff")] {
        assert_eq!(fields[name], value);
    }
    assert!(!fields.contains_key("content-length") && !fields.contains_key("etag"));
}

#[tokio::test]
async fn a_page_that_cannot_be_sent_is_a_500_and_an_abort_closes() {
    let bad = |_: &ErrorReply<'_>| Response::new("page").with_header("x", "\n");
    let reply = get(error_pages(bad, async |_| StatusCode::NOT_FOUND), "/", "*/*").await;
    assert!(reply.status() == 500 && reply.field_error().is_some());
    let abort = |_: &ErrorReply<'_>| Response::abort();
    assert!(get(error_pages(abort, async |_| StatusCode::NOT_FOUND), "/", "*/*").await.is_abort());
}

#[tokio::test]
async fn an_error_page_is_given_the_source_and_the_request() {
    let given = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&given);
    let page = move |reply: &ErrorReply<'_>| {
        let source = reply.source.map(ToString::to_string);
        log.lock().unwrap().push(format!("{} {} {source:?} {}", reply.method, reply.path, reply.prefers_html));
    };
    let handler = error_pages(page, async |_| -> Result<(), HttpError> { Err("disk full")? });
    let reply = get(handler, "/x?y", "text/html").await;
    assert_eq!(reply.status(), 500);
    assert_eq!(*given.lock().unwrap(), ["GET /x Some(\"disk full\") true"]);
}

/// The JSON of a problem.
async fn problem(reply: Response) -> Value {
    assert_eq!(reply.header("vary").expect("it depends on Accept"), "Accept");
    let (status, content_type, body) = seen(reply).await;
    assert_eq!(content_type, "application/problem+json");
    let problem: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(problem["status"], status);
    problem
}

#[tokio::test]
async fn problem_details_have_title_status_detail_and_instance() {
    let mux = ServeMux::new();
    mux.handle("GET /gone", async |_| (StatusCode::GONE, "it was \"moved\" <away>"));
    mux.handle("GET /broken", async |_| -> Result<(), HttpError> { Err("secret")? });
    mux.handle("POST /notes", async |_| "");
    let handler = Arc::new(problem_details(mux));
    for (target, expected) in [
        (
            "/none?token=secret",
            json!({"title": "Not Found", "status": 404, "detail": "page not found", "instance": "/none"}),
        ),
        ("/notes", json!({"title": "Method Not Allowed", "status": 405, "instance": "/notes"})),
        ("/broken", json!({"title": "Internal Server Error", "status": 500, "instance": "/broken"})),
        ("/gone", json!({"title": "Gone", "status": 410, "detail": "it was \"moved\" <away>", "instance": "/gone"})),
    ] {
        let reply = get(Arc::clone(&handler), target, "application/json").await;
        assert_eq!(reply.header("allow").is_some(), target == "/notes");
        assert_eq!(problem(reply).await, expected);
    }
}

#[tokio::test]
async fn problem_details_are_html_for_a_browser() {
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let handler = problem_details(async |_| error("<script>", StatusCode::BAD_REQUEST));
    let reply = get(handler, "/", browser).await;
    assert_eq!(reply.header("vary").unwrap(), "Accept");
    let (status, content_type, body) = seen(reply).await;
    assert_eq!((status, &*content_type), (400, "text/html; charset=utf-8"));
    assert!(body.contains("<h1>400 Bad Request</h1>\n<p>&lt;script&gt;</p>") && !body.contains("<script"), "{body}");
}

#[tokio::test]
async fn a_problem_of_a_handler_is_not_made_twice() {
    use quintet_mux::ProblemDetails;
    let own = async |_| Err::<(), _>(ProblemDetails::new(StatusCode::CONFLICT).with_type("urn:conflict"));
    let (status, _, body) = seen(get(problem_details(own), "/", "*/*").await).await;
    assert_eq!((status, &*body), (409, r#"{"type":"urn:conflict","title":"Conflict","status":409}"#));
    assert_eq!(Html("").into_response().status(), 200);
}
