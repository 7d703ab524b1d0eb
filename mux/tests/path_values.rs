//! The values of wildcards are chosen by the client: a value is not a safe file name.

#![cfg(feature = "io")]

use quintet_mux::{Handler, ServeMux};
use quintet_request::Request;

/// The `path_value` of a request for `target` that `pattern` matches; `None` if there is no such value, or the path was
/// redirected.
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
async fn a_path_value_may_be_a_path_traversal_if_escaped() {
    for (target, expected) in [
        ("/files/a/b.txt", Some("a/b.txt")),
        ("/files/%2e%2e/%2e%2e/etc/passwd", Some("../../etc/passwd")),
        ("/files/%2E%2E/etc/passwd", Some("../etc/passwd")),
        ("/files/.%2e/x", Some("../x")),
        ("/files/..%2fx", Some("../x")),
        ("/files/%2Fetc/passwd", Some("/etc/passwd")),
        ("/files/a%5C..%5Cb", Some("a\\..\\b")),
        ("/files/a%00b", Some("a\0b")),
        // Dots and slashes that are not escaped are cleaned before the lookup.
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
