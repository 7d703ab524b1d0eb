//! The test kit for handlers: what a request of a test is, and what is kept of a reply.

#![cfg(feature = "httptest")]

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use quintet_mux::{
    Handler, Response, ServeMux,
    httptest::{RecordError, Recorded, new_request, record, try_record},
    timeout,
};
use quintet_request::{Body, BodyError, Request, Version};

/// Calls a closure with a request for `/`.
async fn answer(handler: impl Handler) -> Recorded {
    record(&handler, new_request("GET", "/", "")).await
}

#[test]
fn a_new_request_is_as_of_go_for_each_form_of_target() {
    // Rows of Go's TestNewRequest.
    for (method, target, host, path, query) in [
        ("GET", "/path", Some("example.com"), "/path", None),
        ("GET", "/path?a=1&b", Some("example.com"), "/path", Some("a=1&b")),
        ("GET", "http://foo.com/bar?q", Some("foo.com"), "/bar", Some("q")),
        ("GET", "http://foo.com:8080", Some("foo.com:8080"), "/", None),
        ("OPTIONS", "*", Some("example.com"), "*", None),
        ("CONNECT", "foo.com:443", Some("foo.com:443"), "", None),
        ("BREW", "/pot", Some("example.com"), "/pot", None),
    ] {
        let request = new_request(method, target, "");
        let seen = (request.method(), request.host(), request.path(), request.query());
        assert_eq!(seen, (method, host, path, query), "{target}");
        assert_eq!(request.peer_addr().unwrap().to_string(), "192.0.2.1:1234");
        assert_eq!((request.version(), request.body().is_empty()), (Version::Http11, true));
    }
}

#[tokio::test]
async fn a_new_request_has_its_body_and_its_fields() {
    let mut request = new_request("POST", "/", "hello");
    request.set_header("x-a", "1").unwrap();
    assert_eq!((request.body().len(), request.header("x-a")), (Some(5), Some("1")));
    assert_eq!(request.to_bytes(5).await.unwrap(), "hello");
}

#[test]
fn a_new_request_that_no_client_could_send_panics() {
    for (method, target) in [("G T", "/"), ("GET", "no-slash here"), ("GET", "/%zz"), ("GET", "")] {
        let made = std::panic::catch_unwind(|| new_request(method, target, "").path().to_owned());
        assert!(made.is_err(), "{method} {target:?}: {made:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_client_of_a_recorded_request_stays_connected() {
    let reply = answer(async |request: Request| {
        let (connection, active) = (request.connection().cloned().unwrap(), request.active().cloned().unwrap());
        let gone = tokio::time::timeout(Duration::from_secs(3600), request.disconnected()).await.is_ok();
        drop(request);
        let body = Body::writer(async move |mut w| {
            let is_here = !active.is_disconnected();
            w.write(format!("{gone} {is_here} {:?}", connection.state())).await
        });
        Response::new(body)
    })
    .await;
    assert_eq!(reply.text(), "false true New");
}

#[tokio::test]
async fn a_reply_of_a_mux_is_recorded_with_its_status_and_fields() {
    let mux = ServeMux::new();
    mux.handle("POST /notes/{id}", async |mut request: Request| -> Result<Response, BodyError> {
        let body = request.to_bytes(10).await?;
        let id = request.path_value("id").unwrap_or_default().into_owned();
        let reply = Response::new([id.as_bytes(), &body].concat()).with_status(StatusCode::CREATED);
        Ok(reply.with_header("location", format!("/notes/{id}")).with_header("x-a", "1").with_header("x-a", "2"))
    });
    let reply = record(&mux, new_request("POST", "/notes/7", " is new")).await;
    assert_eq!((reply.status, reply.text()), (StatusCode::CREATED, "7 is new"));
    assert_eq!((reply.header("Location"), reply.header("x-none")), (Some("/notes/7"), None));
    assert_eq!(reply.headers.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(record(&mux, new_request("POST", "/notes/7", "too many bytes")).await.status, 413);
    assert_eq!(record(&mux, new_request("GET", "/notes/7", "")).await.header("allow"), Some("POST"));
    assert_eq!(record(&mux, new_request("GET", "/", "")).await.status, 404);
}

#[tokio::test]
async fn the_content_type_of_a_recorded_reply_is_as_a_server_sends_it() {
    let html = || Body::from("<html><body>x");
    let streamed = |first: &'static str| {
        Body::writer(async move |mut w| {
            w.write(first).await?;
            w.flush().await?;
            w.write("\0\0\0").await
        })
    };
    for (response, content_type) in [
        (Response::new(html()), Some("text/html; charset=utf-8")),
        (Response::new("text"), Some("text/plain; charset=utf-8")),
        (Response::new(b"\0\x01".to_vec()), Some("application/octet-stream")),
        (Response::new(streamed("%PDF-")), Some("application/pdf")),
        (Response::new(html()).with_content_type("text/x"), Some("text/x")),
        (Response::new(html()).with_header("content-type", "text/y"), Some("text/y")),
        (Response::new(html()).without_content_type(), None),
        (Response::new(html()).with_header("content-encoding", "gzip"), None),
        (Response::new(()), None),
        (Response::new("x").with_status(StatusCode::NO_CONTENT).with_content_type("text/x"), None),
    ] {
        let text = format!("{response:?}");
        let response = std::sync::Mutex::new(Some(response));
        let take = move |_: Request| {
            let response = response.lock().unwrap().take().unwrap();
            async { response }
        };
        assert_eq!(answer(take).await.header("content-type"), content_type, "{text}");
    }
}

#[tokio::test]
async fn a_recorded_reply_has_no_body_where_a_client_sees_none() {
    let page = |status: u16| {
        let status = StatusCode::from_u16(status).unwrap();
        move |_: Request| async move { Response::new("page").with_status(status) }
    };
    for (method, status, body) in [("GET", 200, "page"), ("HEAD", 200, ""), ("GET", 204, ""), ("GET", 304, "")] {
        let reply = record(&page(status), new_request(method, "/", "")).await;
        assert_eq!((reply.status.as_u16(), reply.text()), (status, body), "{method}");
    }
    let head = record(&page(200), new_request("HEAD", "/", "")).await;
    assert_eq!(head.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[tokio::test]
async fn the_trailers_of_a_recorded_reply_are_those_that_are_sent() {
    let reply = answer(async |_: Request| {
        let trailers = HeaderMap::from_iter([
            (http::HeaderName::from_static("x-sum"), HeaderValue::from_static("7")),
            (http::header::CONTENT_LENGTH, HeaderValue::from_static("7")),
        ]);
        let data = http_body_util::Full::new(bytes::Bytes::from_static(b"data"));
        Response::new(Body::new(data.with_trailers(async { Some(Ok(trailers)) })))
    })
    .await;
    assert_eq!((reply.text(), reply.trailers.len()), ("data", 1));
    assert_eq!(reply.trailers["x-sum"], "7");
}

#[tokio::test]
async fn interim_replies_are_recorded() {
    let reply = answer(async |request: Request| {
        request.inform(StatusCode::PROCESSING, [("x-step", "1")]).unwrap();
        request.inform(StatusCode::EARLY_HINTS, [("link", "</a.css>; rel=preload"), ("link", "</b.css>")]).unwrap();
        "page"
    })
    .await;
    let interim: Vec<_> = reply.informational.iter().map(|(status, fields)| (status.as_u16(), fields.len())).collect();
    assert_eq!((interim, reply.text()), (vec![(102, 1), (103, 2)], "page"));
    assert_eq!(reply.informational[1].1.get_all("link").iter().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn middleware_is_recorded_as_any_handler() {
    let slow = timeout(
        async |_: Request| tokio::time::sleep(Duration::from_secs(60)).await,
        Duration::from_secs(1),
        "too slow\n",
    );
    assert_eq!(answer(slow).await.status, 503);
}

#[tokio::test]
async fn a_handler_without_a_reply_is_told_with_the_reason() {
    let fails = async |_: Request| {
        Response::new(Body::writer(async |mut w| {
            w.write("part").await?;
            Err(std::io::Error::other("no more"))
        }))
    };
    let error = try_record(&fails, new_request("GET", "/", "")).await.unwrap_err();
    assert!(matches!(&error, RecordError::Body(BodyError::Source(cause)) if cause.to_string() == "no more"), "{error}");

    let field = async |_: Request| Response::new("x").with_header("x-a", "a\nb");
    let error = try_record(&field, new_request("GET", "/", "")).await.unwrap_err();
    assert!(matches!(error, RecordError::Field(_)), "{error}");

    let abort = async |_: Request| Response::abort();
    let error = try_record(&abort, new_request("GET", "/", "")).await.unwrap_err();
    assert!(matches!(error, RecordError::Aborted), "{error}");

    let upgrade = async |_: Request| Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, async |_| {});
    let error = try_record(&upgrade, new_request("GET", "/", "")).await.unwrap_err();
    assert!(matches!(error, RecordError::Upgrade), "{error}");

    let early = async |_: Request| StatusCode::EARLY_HINTS;
    let error = try_record(&early, new_request("GET", "/", "")).await.unwrap_err();
    assert!(matches!(error, RecordError::Informational(StatusCode::EARLY_HINTS)), "{error}");
}

#[tokio::test]
async fn a_panic_of_a_recorded_handler_is_told_with_its_text() {
    struct Eager;
    impl Handler for Eager {
        fn call(&self, _: Request) -> impl Future<Output = Response> + Send {
            if true {
                panic!("before the future");
            }
            async { Response::new("") }
        }
    }
    let told = |error: RecordError| match error {
        RecordError::Panicked { message } => message,
        error => panic!("{error}"),
    };
    let later = async |request: Request| -> String {
        tokio::task::yield_now().await;
        panic!("{} in the handler", request.path())
    };
    let in_body = async |_: Request| Response::new(Body::writer(async |_| panic!("in the body")));
    let request = || new_request("GET", "/x", "");
    assert_eq!(told(try_record(&Eager, request()).await.unwrap_err()), "before the future");
    assert_eq!(told(try_record(&later, request()).await.unwrap_err()), "/x in the handler");
    assert_eq!(told(try_record(&in_body, request()).await.unwrap_err()), "in the body");
}

#[tokio::test]
#[should_panic(expected = "the handler's own words")]
async fn a_panic_goes_through_record() {
    answer(async |_: Request| -> String { panic!("the handler's own words") }).await;
}

#[tokio::test]
#[should_panic(expected = "the handler aborted the connection")]
async fn an_abort_panics_in_record() {
    answer(async |_: Request| Response::abort()).await;
}

#[tokio::test]
async fn an_endless_body_is_recorded_up_to_64_mib() {
    let endless = async |_: Request| {
        Response::new(Body::writer(async |mut w| {
            loop {
                w.write(vec![b'x'; 1 << 20]).await?;
            }
        }))
    };
    let error = try_record(&endless, new_request("GET", "/", "")).await.unwrap_err();
    assert!(matches!(error, RecordError::Body(BodyError::TooLarge { limit }) if limit == 64 << 20), "{error}");
}

#[tokio::test]
#[should_panic(expected = "set-cookie: a=b;Path=/: the attribute at byte 3 is malformed or unknown")]
async fn a_malformed_set_cookie_panics_in_an_assertion() {
    let _ = answer(async |_: Request| Response::new("").with_header("set-cookie", "a=b;Path=/")).await.set_cookies();
}

#[cfg(feature = "json")]
#[tokio::test]
async fn json_of_a_recorded_reply_is_read() {
    let reply = answer(async |_: Request| quintet_mux::Json(vec![1, 2, 3])).await;
    assert_eq!((reply.json::<Vec<u8>>(), reply.header("content-type")), (vec![1, 2, 3], Some("application/json")));
}
