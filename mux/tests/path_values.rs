//! What the value of a wildcard may be: text of the client's, and no safe file name.

#![cfg(feature = "io")]

use quintet_mux::{Handler, ServeMux};
use quintet_request::Request;

/// What `path_value` says of `target` behind `pattern`; None if there is no such value, or the path was redirected.
async fn value(pattern: &str, name: &'static str, target: &str) -> Option<String> {
    let mux = ServeMux::new();
    mux.handle(pattern, async move |request: Request| {
        request.path_value(name).map_or_else(|| "none".to_owned(), |value| format!("={value}"))
    });
    let request = Request::parse(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).expect("a request");
    let mut reply = mux.call(request).await;
    let body = reply.take_body().to_bytes(1000).await.expect("a body");
    reply
        .status()
        .is_success()
        .then(|| std::str::from_utf8(&body).expect("text").strip_prefix('=').map(str::to_owned))?
}

#[tokio::test]
async fn a_path_value_may_lead_out_of_any_directory_when_its_dots_or_slashes_are_escaped() {
    for (target, expected) in [
        ("/files/a/b.txt", Some("a/b.txt")),
        ("/files/%2e%2e/%2e%2e/etc/passwd", Some("../../etc/passwd")),
        ("/files/%2E%2E/etc/passwd", Some("../etc/passwd")),
        ("/files/.%2e/x", Some("../x")),
        ("/files/..%2fx", Some("../x")),
        ("/files/%2Fetc/passwd", Some("/etc/passwd")),
        ("/files/a%5C..%5Cb", Some("a\\..\\b")),
        ("/files/a%00b", Some("a\0b")),
        // What is not escaped is cleaned before it is routed.
        ("/files/../x", None),
        ("/files/a/../../x", None),
        ("/files//etc/passwd", None),
    ] {
        assert_eq!(value("/files/{path...}", "path", target).await.as_deref(), expected, "{target}");
    }
    for (target, expected) in [("/f/%2e%2e", Some("..")), ("/f/..%2F..%2Fx", Some("../../x")), ("/f/..", None)] {
        assert_eq!(value("/f/{name}", "name", target).await.as_deref(), expected, "{target}");
    }
}
