//! Requests that an outer handler changed. The inner mux routes by the changed request; the reply is framed for the
//! request that the client sent.

mod support;

use std::sync::Arc;

use quintet_server::{Handler, IntoResponse, Request, Response, ServeMux, request::ChangeError};
use support::{Client, bounded, in_memory};
use tokio::io::DuplexStream;

/// Applies the fields `X-Method` and `X-To`, removes them, and calls a mux with patterns of methods and hosts.
async fn change(mux: &ServeMux, mut request: Request) -> Result<Response, ChangeError> {
    let [method, host] = ["x-method", "x-to"].map(|name| request.header(name).map(str::to_owned));
    if let Some(method) = method {
        request.set_method(&method)?;
    }
    if let Some(host) = host {
        request.set_host(&host)?;
    }
    request.remove_header("x-method")?;
    request.remove_header("x-to")?;
    let target = request.target().raw().to_owned();
    request.set_header("X-Seen", target)?;
    Ok(mux.call(request).await)
}

fn connect() -> Client<DuplexStream> {
    let mux = ServeMux::new();
    let told = |name: &'static str| {
        move |request: Request| async move {
            let fields: Vec<_> = request.headers().map(|(name, _)| name).collect();
            format!("{name}: {} {:?} {}", request.method(), request.host(), fields.join(" "))
        }
    };
    mux.handle("GET /a", told("get"));
    mux.handle("DELETE /a", told("delete"));
    mux.handle("b.example/a", told("host"));
    let mux = Arc::new(mux);
    let handler = move |request: Request| {
        let mux = Arc::clone(&mux);
        async move { change(&mux, request).await.into_response() }
    };
    let (dial, _) = in_memory(&support::server(handler));
    dial.connect_sized(1 << 20)
}

#[tokio::test(start_paused = true)]
async fn a_mux_routes_by_the_method_and_the_host_that_were_set() {
    bounded(async {
        let mut client = connect();
        for (line, fields, status, text) in [
            ("GET /a", "", 200, "get: GET Some(\"a\") Host X-Seen"),
            ("POST /a", "", 405, ""),
            ("POST /a", "X-Method: DELETE\r\n", 200, "delete: DELETE Some(\"a\") Host X-Seen"),
            ("GET /a", "X-To: b.example\r\n", 200, "host: GET Some(\"b.example\") Host X-Seen"),
            ("GET http://a/a", "X-To: b.example\r\n", 200, "host: GET Some(\"b.example\") Host X-Seen"),
            ("GET /a", "X-Method: A B\r\n", 500, "method is not a token"),
            ("GET /a", "X-To: a/b\r\n", 500, "host is malformed"),
        ] {
            client.send(format!("{line} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).await;
            let reply = client.reply().await;
            assert_eq!(reply.status, status, "{line} {fields}");
            assert!(reply.text().trim_end() == text || text.is_empty(), "{line} {fields}: {}", reply.text());
        }
    })
    .await;
}

/// A `HEAD` that is served as a `GET` gets no body, and the next reply begins where the client expects it.
#[tokio::test(start_paused = true)]
async fn a_head_that_became_a_get_is_answered_without_a_body() {
    bounded(async {
        let mut client = connect();
        client.send("HEAD /a HTTP/1.1\r\nHost: a\r\nX-Method: GET\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let head = client.try_reply_to("HEAD").await.expect("a reply");
        assert_eq!((head.status, head.text()), (200, ""));
        let next = client.reply().await;
        assert_eq!((next.status, next.text().starts_with("get: GET")), (200, true));
    })
    .await;
}
