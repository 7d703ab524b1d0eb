//! The middleware and the mux of handlers, called without a connection.

#![allow(missing_docs)]
#![cfg(feature = "io")]

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use quintet_mux::{
    Allow, BoxHandler, CrossOrigin, CrossOriginProtection, Handler, InsertError, IntoResponse, Response, ServeMux,
    allow_query_semicolons, default_headers, error, max_bytes, not_found, redirect, redirect_handler, strip_prefix,
    timeout, with_state,
};
use quintet_request::{Body, BodyError, Request};

fn request(line: &str) -> Request {
    request_with(line, "", "")
}

fn request_with(line: &str, fields: &str, body: &str) -> Request {
    let text = format!("{line} HTTP/1.1\r\nHost: h.example:80\r\n{fields}\r\n{body}");
    Request::parse(text.as_bytes()).expect("a request")
}

async fn text(mut response: Response) -> String {
    let body = response.take_body().to_bytes(10_000).await.expect("a short body");
    String::from_utf8(body.to_vec()).expect("text")
}

fn field(response: &Response, name: &str) -> String {
    response.header(name).map_or(String::new(), |value| value.to_str().expect("text").to_owned())
}

/// Answers with the method, the path, the query and the pattern of the request.
async fn echo(request: Request) -> String {
    let query = request.query().map_or(String::new(), |query| format!("?{query}"));
    format!("{} {}{query} by {}", request.method(), request.path(), request.pattern())
}

mod shared_handlers {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Handler for Counter {
        async fn call(&self, _: Request) -> Response {
            self.0.fetch_add(1, Ordering::Relaxed).to_string().into_response()
        }
    }

    #[tokio::test]
    async fn an_arc_of_a_handler_is_a_handler() {
        let counter = Arc::new(Counter::default());
        let mux = ServeMux::new();
        mux.handle("/a", Arc::clone(&counter));
        mux.handle("/b", timeout(Arc::clone(&counter), Duration::from_secs(1), ""));
        for (line, count) in [("GET /a", "0"), ("GET /b", "1"), ("GET /a", "2")] {
            assert_eq!(text(mux.call(request(line)).await).await, count);
        }
        assert_eq!(counter.0.load(Ordering::Relaxed), 3);
        // An `Arc` of a function is a handler, too.
        assert_eq!(text(Arc::new(echo).call(request("GET /c")).await).await, "GET /c by ");
    }

    /// Counts its clones.
    struct State(Arc<AtomicUsize>);

    impl Clone for State {
        fn clone(&self) -> Self {
            self.0.fetch_add(1, Ordering::Relaxed);
            Self(Arc::clone(&self.0))
        }
    }

    #[tokio::test]
    async fn with_state_clones_the_state_once_per_request() {
        async fn path(state: State, request: Request) -> String {
            format!("{} after {} clones", request.path(), state.0.load(Ordering::Relaxed))
        }
        let clones = Arc::new(AtomicUsize::new(0));
        let handler = with_state(State(Arc::clone(&clones)), path);
        for count in 1..4 {
            let reply = handler.call(request("GET /x")).await;
            assert_eq!(text(reply).await, format!("/x after {count} clones"));
        }
        assert_eq!(clones.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn with_state_takes_functions_and_closures_of_both_kinds() {
        async fn function((a, b): (u32, &str), _: Request) -> String {
            format!("{a} {b}")
        }
        let handlers = [
            BoxHandler::new(with_state((7, "x"), function)),
            BoxHandler::new(with_state((7, "x"), async |(a, b): (u32, &str), _| format!("{a} {b}"))),
            BoxHandler::new(with_state((7, "x"), |(a, b), _| async move { format!("{a} {b}") })),
            // A state that owns memory, and a handler that returns a `Result`.
            BoxHandler::new(with_state(Arc::new(String::from("7 x")), async |state: Arc<String>, request: Request| {
                if request.method() == "GET" { Ok(state.to_string()) } else { Err(StatusCode::METHOD_NOT_ALLOWED) }
            })),
        ];
        for (at, handler) in handlers.iter().enumerate() {
            let reply = handler.call(request("GET /")).await;
            assert_eq!((reply.status().as_u16(), text(reply).await.as_str()), (200, "7 x"), "handler {at}");
        }
        assert_eq!(handlers[3].call(request("POST /")).await.status(), 405);
    }
}

mod serve_mux {
    use super::*;

    async fn ask(mux: &ServeMux, line: &str) -> (u16, String) {
        let response = mux.call(request(line)).await;
        (response.status().as_u16(), text(response).await)
    }

    #[tokio::test]
    async fn a_request_has_its_pattern_and_path_values() {
        let mux = ServeMux::new();
        mux.handle("GET /a/{x}/{rest...}", async |request: Request| {
            let value = |name| request.path_value(name).unwrap_or_default().into_owned();
            format!("{} {} {}", request.pattern(), value("x"), value("rest"))
        });
        assert_eq!(ask(&mux, "GET /a/1%2F2/3/4").await, (200, "GET /a/{x}/{rest...} 1/2 3/4".into()));
    }

    #[tokio::test]
    async fn unrouted_requests_are_answered_404_405_or_400_as_in_go() {
        let mux = ServeMux::new();
        mux.handle("GET /a", echo);
        mux.handle("POST /b/", echo);
        assert_eq!(ask(&mux, "GET /x").await, (404, "404 page not found\n".into()));
        let reply = mux.call(request("PUT /a")).await;
        assert_eq!((reply.status(), field(&reply, "allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD".into()));
        assert_eq!(field(&reply, "x-content-type-options"), "nosniff");
        assert_eq!(text(reply).await, "Method Not Allowed\n");
        let reply = mux.call(request("OPTIONS *")).await;
        assert_eq!((reply.status().as_u16(), field(&reply, "connection")), (400, "close".into()));
        assert_eq!(text(reply).await, "");
    }

    /// A CONNECT asks for a tunnel. A handler for every method, which answers 200, must not open one.
    #[tokio::test]
    async fn a_connect_is_routed_by_its_host_and_port() {
        let ask = async |mux: &ServeMux| {
            let request = Request::parse(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n").unwrap();
            let reply = mux.call(request).await;
            (reply.status().as_u16(), field(&reply, "allow"), text(reply).await)
        };
        let tunnel =
            async |request: Request| format!("{} {:?} by {}", request.method(), request.path(), request.pattern());
        let mux = ServeMux::new();
        mux.handle("/", echo);
        mux.handle("GET /{$}", echo);
        assert_eq!(ask(&mux).await, (404, String::new(), "404 page not found\n".into()));
        mux.handle("CONNECT /{rest...}", tunnel);
        assert_eq!(ask(&mux).await, (200, String::new(), "CONNECT \"\" by CONNECT /{rest...}".into()));
        mux.handle("CONNECT A.example:443/", tunnel);
        assert_eq!(ask(&mux).await.2, "CONNECT \"\" by CONNECT A.example:443/");
    }

    #[tokio::test]
    async fn a_host_in_upper_case_does_not_bypass_its_pattern() {
        let mux = ServeMux::new();
        mux.handle("example.com/h", async |_: Request| "host pattern");
        mux.handle("/h", async |_: Request| "any host");
        for host in ["example.com", "Example.COM", "example.com:8080", "example.com.", "EXAMPLE.com.:80"] {
            let request = Request::parse(format!("GET /h HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).unwrap();
            assert_eq!(text(mux.call(request).await).await, "host pattern", "{host}");
        }
        let request = Request::parse(b"GET http://Example.COM/h HTTP/1.1\r\nHost: example.com\r\n\r\n").unwrap();
        assert_eq!(text(mux.call(request).await).await, "host pattern");
        assert!(matches!(mux.try_handle("example.com:80/h", echo), Err(InsertError::Pattern(_))));
    }

    #[tokio::test]
    async fn a_redirect_keeps_the_query() {
        let mux = ServeMux::new();
        mux.handle("/b/", echo);
        for (line, location, body) in [
            ("GET /b?q=1&r", "/b/?q=1&r", "<a href=\"/b/?q=1&amp;r\">Temporary Redirect</a>.\n\n"),
            ("POST /b", "/b/", ""),
            ("GET /b?q=\\\\h", "/b/?q=%5C%5Ch", "<a href=\"/b/?q=%5C%5Ch\">Temporary Redirect</a>.\n\n"),
            ("GET //x/./y?", "/x/y?", "<a href=\"/x/y?\">Temporary Redirect</a>.\n\n"),
        ] {
            let reply = mux.call(request(line)).await;
            assert_eq!((reply.status().as_u16(), field(&reply, "location")), (307, location.into()), "{line}");
            assert_eq!(text(reply).await, body, "{line}");
        }
    }

    #[tokio::test]
    async fn a_nested_mux_sets_its_own_pattern_and_path_values() {
        let inner = ServeMux::new();
        inner.handle("GET /api/{name}/{id}", async |request: Request| {
            format!("{} {}", request.pattern(), request.path_value("id").unwrap_or_default())
        });
        let outer = ServeMux::new();
        outer.handle("/api/{id}/", inner);
        assert_eq!(ask(&outer, "GET /api/users/7").await, (200, "GET /api/{name}/{id} 7".into()));
        assert_eq!(ask(&outer, "GET /api/users/7/8").await.0, 404);
        assert_eq!(ask(&outer, "PUT /api/users/7").await.0, 405);
    }

    #[tokio::test]
    async fn replies_for_404_and_405_can_be_replaced() {
        let mux = ServeMux::new();
        mux.handle("GET /a", echo);
        mux.handle_not_found(async |request: Request| (StatusCode::NOT_FOUND, format!("no {}", request.path())));
        mux.handle_method_not_allowed(async |request: Request| {
            let Allow(allow) = request.extension::<Allow>().expect("the methods").clone();
            (StatusCode::METHOD_NOT_ALLOWED, format!("only {allow}"))
        });
        assert_eq!(ask(&mux, "GET /x").await, (404, "no /x".into()));
        assert_eq!(ask(&mux, "POST /a").await, (405, "only GET, HEAD".into()));
        assert_eq!(field(&mux.call(request("POST /a")).await, "allow"), "GET, HEAD");
    }

    #[tokio::test]
    async fn a_405_always_has_allow() {
        let inner = ServeMux::new();
        inner.handle("GET /x/a", echo);
        let silent = ServeMux::new();
        silent.handle("DELETE /y/a", echo);
        silent.handle_method_not_allowed(async |_: Request| StatusCode::METHOD_NOT_ALLOWED);
        let own = ServeMux::new();
        own.handle("PUT /z/a", echo);
        own.handle_method_not_allowed(async |_: Request| {
            (StatusCode::METHOD_NOT_ALLOWED, [("allow", "PUT, TRACE")], "own")
        });
        let other = ServeMux::new();
        other.handle("PUT /w/a", echo);
        other.handle_method_not_allowed(async |_: Request| StatusCode::NOT_FOUND);
        let mux = ServeMux::new();
        mux.handle("/x/", inner);
        mux.handle("/y/", silent);
        mux.handle("/z/", own);
        mux.handle("/w/", other);
        mux.handle("GET /a", echo);
        mux.handle("/s/", strip_prefix("/s", mux.clone()));
        for (path, status, allow) in [
            ("/a", 405, "GET, HEAD"),
            ("/x/a", 405, "GET, HEAD"),
            ("/s/a", 405, "GET, HEAD"),
            ("/s/y/a", 405, "DELETE"),
            ("/y/a", 405, "DELETE"),
            ("/z/a", 405, "PUT, TRACE"),
            ("/w/a", 404, ""),
        ] {
            let reply = mux.call(request(&format!("POST {path}"))).await;
            assert_eq!((reply.status().as_u16(), field(&reply, "allow")), (status, allow.into()), "{path}");
        }
    }

    #[tokio::test]
    async fn handlers_can_be_added_while_serving() {
        let mux = ServeMux::new();
        let shared = mux.clone();
        let adding = std::thread::spawn(move || {
            for n in 0..500 {
                shared.handle(&format!("/added/{n}"), move |_: Request| async move { n.to_string() });
            }
        });
        while !adding.is_finished() {
            let (status, _) = ask(&mux, "GET /added/0").await;
            assert!(matches!(status, 200 | 404));
        }
        adding.join().expect("no panic");
        for n in [0, 250, 499] {
            assert_eq!(ask(&mux, &format!("GET /added/{n}")).await, (200, n.to_string()));
        }
    }

    #[tokio::test]
    async fn a_conflict_is_an_error_of_try_handle_and_a_panic_of_handle() {
        let mux = ServeMux::new();
        mux.handle("/{x}/b", echo);
        let error = mux.try_handle("/a/{y}", echo).expect_err("a conflict");
        assert!(matches!(error, InsertError::Conflict(_)));
        assert!(error.to_string().contains("middleware.rs"), "{error}");
        let copy = mux.clone();
        let panic = std::thread::spawn(move || copy.handle_func("/a/{y}", echo)).join().expect_err("a panic");
        let panic = panic.downcast_ref::<String>().expect("a text");
        assert!(panic.starts_with("pattern \"/a/{y}\" (registered at mux/tests/middleware.rs:"), "{panic}");
        assert!(matches!(mux.try_handle("/{", echo), Err(InsertError::Pattern(_))));
        assert_eq!(ask(&mux, "GET /a/c").await.0, 404);
    }

    #[tokio::test]
    async fn a_handler_can_be_looked_up_without_a_call() {
        let mux = ServeMux::new();
        mux.handle("/a/{x}", async |_: Request| "a");
        let asked = request("GET /a/1");
        let (handler, pattern) = mux.handler(&asked).expect("a handler");
        assert_eq!((pattern, asked.pattern(), asked.path_value("x")), ("/a/{x}", "", None));
        assert_eq!(text(handler.call(request("GET /")).await).await, "a");
        assert!(mux.handler(&request("GET /b")).is_none());
    }
}

#[tokio::test]
async fn strip_prefix_removes_the_prefix_or_answers_404() {
    let handler = strip_prefix("/pre", echo);
    for (line, expected) in [
        ("GET /pre/a?q", "GET /a?q by "),
        ("GET /pre", "GET / by "),
        ("GET /pre?q", "GET /?q by "),
        ("GET /prefix", "GET /fix by "),
        ("GET /pre//a", "GET //a by "),
        ("GET /pre/*", "GET /* by "),
        ("GET /pre*", "GET /* by "),
        ("GET /%70re/%2Fa", "GET /%2Fa by "),
        ("GET /a", "404 page not found\n"),
        ("GET /%2Fpre", "404 page not found\n"),
        // The client sent no segment of dots, so none is made.
        ("GET /pre../a", "404 page not found\n"),
        ("GET /pre%2e./a", "404 page not found\n"),
        ("GET /pre.", "404 page not found\n"),
        ("GET /pre...", "GET /... by "),
        ("GET /pre/../a", "GET /../a by "),
    ] {
        assert_eq!(text(handler.call(request(line)).await).await, expected, "{line}");
    }
    assert_eq!(text(strip_prefix("", echo).call(request("GET /a")).await).await, "GET /a by ");
}

#[tokio::test]
async fn strip_prefix_keeps_the_values_of_wildcards() {
    let mux = ServeMux::new();
    let show = async |request: Request| {
        let value = |name| request.path_value(name).unwrap_or_default().into_owned();
        format!("{} {} {}", request.path(), value("x"), value("rest"))
    };
    mux.handle("/pre/{x}/{rest...}", strip_prefix("/pre", show));
    assert_eq!(text(mux.call(request("GET /pre/%41/b/c")).await).await, "/%41/b/c A b/c");
}

#[tokio::test]
async fn a_redirect_has_a_location_and_a_link() {
    let to = |line: &str, url: &str| redirect(&request(line), url, StatusCode::FOUND);
    let reply = to("GET /qux/x", "foo?a=1&b=<\">");
    assert_eq!((reply.status().as_u16(), field(&reply, "location")), (302, "/qux/foo?a=1&b=<\">".into()));
    assert_eq!(field(&reply, "content-type"), "text/html; charset=utf-8");
    assert_eq!(text(reply).await, "<a href=\"/qux/foo?a=1&amp;b=&lt;&#34;&gt;\">Found</a>.\n\n");
    let reply = to("GET /red", "\\\\evil.com");
    assert_eq!(field(&reply, "location"), "/%5C%5Cevil.com");
    let reply = redirect_handler("/\\evil.com", StatusCode::FOUND).call(request("GET /red")).await;
    assert_eq!(field(&reply, "location"), "/%5Cevil.com");
    let reply = to("HEAD /x", "/y");
    assert_eq!(field(&reply, "content-type"), "text/html; charset=utf-8");
    assert_eq!(text(reply).await, "");
    let reply = to("POST /x", "/y");
    assert_eq!(reply.header("content-type"), None);
    assert_eq!(text(reply).await, "");
    let handler = redirect_handler("../up", StatusCode::PERMANENT_REDIRECT);
    let reply = handler.call(request("GET /a/b/c")).await;
    assert_eq!((reply.status().as_u16(), field(&reply, "location")), (308, "/a/up".into()));
}

#[tokio::test]
async fn error_is_a_line_of_plain_text() {
    let reply = error("no tea", StatusCode::IM_A_TEAPOT);
    assert_eq!(reply.status(), 418);
    assert_eq!(field(&reply, "content-type"), "text/plain; charset=utf-8");
    assert_eq!(field(&reply, "x-content-type-options"), "nosniff");
    assert_eq!(text(reply).await, "no tea\n");
    let reply = Handler::call(&not_found, request("GET /")).await;
    assert_eq!((reply.status().as_u16(), text(reply).await.as_str()), (404, "404 page not found\n"));
}

mod limits {
    use super::*;

    /// Reads the body piece by piece, and answers with the pieces and with the error that ended it, if any.
    async fn read(mut request: Request) -> Response {
        let mut seen = String::new();
        loop {
            match request.body_mut().chunk().await {
                Ok(Some(piece)) => seen.push_str(&String::from_utf8_lossy(&piece)),
                Ok(None) => return seen.into_response(),
                Err(error) => {
                    let again = request.body_mut().chunk().await.expect_err("it stays an error");
                    assert!(matches!((&error, &again), (BodyError::TooLarge { .. }, BodyError::TooLarge { .. })));
                    return (error.status(), format!("{seen}: {error}")).into_response();
                }
            }
        }
    }

    async fn post(limit: u64, body: Body) -> (u16, String) {
        let mut request = request("POST /");
        *request.body_mut() = body;
        let reply = max_bytes(limit, read).call(request).await;
        (reply.status().as_u16(), text(reply).await)
    }

    fn pieces() -> Body {
        Body::writer(|mut writer| async move {
            for piece in ["abc", "de", "f"] {
                writer.write(piece).await?;
                writer.flush().await?;
            }
            Ok(())
        })
    }

    #[tokio::test]
    async fn max_bytes_allows_a_body_up_to_its_limit_and_then_413() {
        for (limit, expected) in [
            (7, (200, "abcdef")),
            (6, (200, "abcdef")),
            (5, (413, "abcde: the body is larger than 5 bytes")),
            (4, (413, "abcd: the body is larger than 4 bytes")),
            (0, (413, ": the body is larger than 0 bytes")),
        ] {
            let expected = (expected.0, expected.1.to_owned());
            assert_eq!(post(limit, Body::from("abcdef")).await, expected, "whole, {limit}");
            assert_eq!(post(limit, pieces()).await, expected, "in pieces, {limit}");
        }
        assert_eq!(post(0, Body::empty()).await, (200, String::new()));
    }
}

mod time {
    use super::*;

    async fn after(wait: u64, message: &'static str) -> (u16, String) {
        let slow = move |_: Request| async move {
            tokio::time::sleep(Duration::from_secs(wait)).await;
            "done"
        };
        let reply = timeout(slow, Duration::from_secs(5), message).call(request("GET /")).await;
        (reply.status().as_u16(), text(reply).await)
    }

    #[tokio::test(start_paused = true)]
    async fn timeout_answers_503_for_a_late_handler() {
        assert_eq!(after(4, "late").await, (200, "done".into()));
        assert_eq!(after(6, "late").await, (503, "late".into()));
        assert!(after(6, "").await.1.contains("<h1>Timeout</h1>"));
    }

    #[tokio::test(start_paused = true)]
    async fn timeout_does_not_end_a_streamed_body() {
        let stream = async |_: Request| {
            Body::writer(|mut writer| async move {
                for _ in 0..3 {
                    tokio::time::sleep(Duration::from_secs(4)).await;
                    writer.write("tick ").await?;
                    writer.flush().await?;
                }
                Ok(())
            })
        };
        let reply = timeout(stream, Duration::from_secs(5), "late").call(request("GET /")).await;
        assert_eq!(reply.status(), 200);
        assert_eq!(text(reply).await, "tick tick tick ");
    }

    #[tokio::test(start_paused = true)]
    async fn timeout_drops_the_future_of_a_late_handler() {
        let held = Arc::new(());
        let inner = Arc::clone(&held);
        let slow = move |_: Request| {
            let held = Arc::clone(&inner);
            async move {
                tokio::time::sleep(Duration::from_secs(60)).await;
                drop(held);
            }
        };
        let handler = timeout(slow, Duration::from_secs(1), "late");
        assert_eq!(handler.call(request("GET /")).await.status(), 503);
        assert_eq!(Arc::strong_count(&held), 2, "ours and the handler's, none of a future");
    }
}

#[tokio::test]
async fn default_headers_are_added_where_a_reply_has_none() {
    let mux = ServeMux::new();
    mux.handle("/bare", async |_| Response::new(()));
    mux.handle("/own", async |_| Response::new(()).with_header("x-a", "own").with_header("X-A", "too"));
    mux.handle("/text", async |_| "text");
    mux.handle("/failed", async |_| Response::new(()).with_header("x-a", "\n"));
    let fields = [("x-a", "1"), ("x-b", "2"), ("x-b", "3"), ("content-type", "a/b")];
    let handler = default_headers(fields, mux);
    for (line, a, b, content_type) in [
        ("GET /bare", &["1"][..], &["2", "3"][..], "a/b"),
        ("GET /own", &["own", "too"], &["2", "3"], "a/b"),
        ("GET /text", &["1"], &["2", "3"], "text/plain; charset=utf-8"),
        ("GET /none", &["1"], &["2", "3"], "text/plain; charset=utf-8"),
        // What is added after a field that cannot be sent has no effect.
        ("GET /failed", &[], &[], "text/plain; charset=utf-8"),
    ] {
        let mut reply = handler.call(request(line)).await;
        assert_eq!(field(&reply, "content-type"), content_type, "{line}");
        for (name, wanted) in [("x-a", a), ("x-b", b)] {
            let values: Vec<_> = reply.headers_mut().get_all(name).iter().collect();
            assert_eq!(values, wanted, "{line} {name}");
        }
    }
}

#[test]
#[should_panic = "value of x-a has a byte that cannot be sent"]
fn default_headers_panic_at_a_field_that_cannot_be_sent() {
    let _ = default_headers([("x-a", "a\nb")], not_found);
}

#[tokio::test]
async fn semicolons_in_a_query_become_ampersands() {
    for (line, expected) in
        [("GET /?a=1;b=2&c;", "GET /?a=1&b=2&c& by "), ("GET /?a=1&b", "GET /?a=1&b by "), ("GET /", "GET / by ")]
    {
        assert_eq!(text(allow_query_semicolons(echo).call(request(line)).await).await, expected);
    }
}

#[tokio::test]
async fn a_cross_origin_request_is_refused_with_403() {
    let handler = |rules: CrossOrigin| CrossOriginProtection::new(rules).handler(echo);
    let post = |fields: &str| request_with("POST /hook", fields, "");
    for (fields, status) in [
        ("", 200),
        ("Sec-Fetch-Site: same-origin\r\n", 200),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("sec-fetch-site: cross-site\r\nSec-Fetch-Site: same-origin\r\n", 403),
        ("Sec-Fetch-Site: \u{e9}\r\n", 403),
        ("Origin: http://h.example:80\r\n", 200),
        ("Origin: http://h.example\r\n", 403),
        ("Origin: null\r\n", 403),
    ] {
        assert_eq!(handler(CrossOrigin::new()).call(post(fields)).await.status(), status, "{fields:?}");
    }
    let reply = handler(CrossOrigin::new()).call(post("Sec-Fetch-Site: cross-site\r\n")).await;
    assert_eq!(text(reply).await, "cross-origin request detected from Sec-Fetch-Site header\n");
    let mut rules = CrossOrigin::new();
    rules.add_insecure_bypass_pattern("POST h.example/hook").expect("a pattern");
    assert_eq!(handler(rules).call(post("Sec-Fetch-Site: cross-site\r\n")).await.status(), 200);
    let denied = CrossOriginProtection::new(CrossOrigin::new())
        .with_deny_handler(async |_: Request| (StatusCode::IM_A_TEAPOT, "no"))
        .handler(echo);
    assert_eq!(denied.call(post("Sec-Fetch-Site: cross-site\r\n")).await.status(), 418);
}
