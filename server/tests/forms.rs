//! Forms behind a server: which methods and content types have one in the body, the order of its pairs, and its largest
//! size. Go: `Request.ParseForm`, `Request.FormValue`.

mod support;

use quintet_server::{IntoResponse, Request, Response};
use support::{Client, bounded, in_memory};
use tokio::io::DuplexStream;

const URLENCODED: &str = "application/x-www-form-urlencoded";

/// A handler that replies with all pairs in order, or with the status of the error.
async fn pairs(mut request: Request) -> Response {
    if request.path() == "/value" {
        let value = request.form_value("a").await;
        // A second call has the same result. The body was read by the first.
        assert_eq!(request.form_value("a").await, value);
        return format!("{value:?}").into_response();
    }
    match request.form().await {
        Ok(form) => {
            let pairs: Vec<_> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
            pairs.join(" ").into_response()
        }
        Err(error) => error.into_response(),
    }
}

fn connect() -> Client<DuplexStream> {
    let (dial, _) = in_memory(&support::server(pairs));
    dial.connect_sized(1 << 20)
}

async fn send(client: &mut Client<DuplexStream>, method: &str, target: &str, content_type: &str, body: &str) {
    let fields = format!("Host: a\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n", body.len());
    client.send(format!("{method} {target} HTTP/1.1\r\n{fields}\r\n{body}")).await;
}

#[tokio::test(start_paused = true)]
async fn a_form_is_in_the_body_of_post_put_patch_and_in_any_query() {
    bounded(async {
        let mut client = connect();
        for (method, seen) in [
            ("POST", "a=body b=2 a=query c=3"),
            ("PUT", "a=body b=2 a=query c=3"),
            ("PATCH", "a=body b=2 a=query c=3"),
            ("GET", "a=query c=3"),
            ("DELETE", "a=query c=3"),
            ("OPTIONS", "a=query c=3"),
            ("post", "a=query c=3"),
        ] {
            send(&mut client, method, "/?a=query&c=3", URLENCODED, "a=body&b=2").await;
            let reply = client.reply().await;
            assert_eq!((reply.status, reply.text()), (200, seen), "{method}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_form_has_its_content_type_in_any_case_and_with_parameters() {
    bounded(async {
        let mut client = connect();
        for (content_type, seen) in [
            (URLENCODED, "a=1 q=0"),
            ("application/x-www-form-urlencoded; charset=utf-8", "a=1 q=0"),
            ("application/x-www-form-urlencoded ;x=\"y;z\"", "a=1 q=0"),
            ("Application/X-WWW-Form-URLencoded", "a=1 q=0"),
            ("text/plain", "q=0"),
            ("application/x-www-form-urlencoded-not", "q=0"),
            ("multipart/form-data; boundary=application/x-www-form-urlencoded", "q=0"),
            ("", "q=0"),
        ] {
            send(&mut client, "POST", "/?q=0", content_type, "a=1").await;
            let reply = client.reply().await;
            assert_eq!((reply.status, reply.text()), (200, seen), "{content_type:?}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn form_value_is_the_first_and_prefers_the_body() {
    bounded(async {
        let mut client = connect();
        for (target, body, seen) in [
            ("/value?a=query", "a=body&a=second", "Some(\"body\")"),
            ("/value?a=query", "b=body", "Some(\"query\")"),
            ("/value?a=%C3%A9+x", "", "Some(\"é x\")"),
            ("/value?b=1", "c=2", "None"),
            ("/value?a", "", "Some(\"\")"),
        ] {
            send(&mut client, "POST", target, URLENCODED, body).await;
            assert_eq!(client.reply().await.text(), seen, "{target} {body}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_form_split_into_packets_is_parsed_the_same() {
    bounded(async {
        let mut client = connect();
        let fields = format!("Host: a\r\nContent-Type: {URLENCODED}\r\nTransfer-Encoding: chunked\r\n");
        let request = format!("POST /?c=3 HTTP/1.1\r\n{fields}\r\n4\r\na=1&\r\n3\r\nb=2\r\n0\r\n\r\n");
        client.send(&request).await;
        assert_eq!(client.reply().await.text(), "a=1 b=2 c=3");
        for byte in request.bytes() {
            client.send([byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(client.reply().await.text(), "a=1 b=2 c=3");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_form_of_more_than_10_mib_is_413() {
    bounded(async {
        const MAX_FORM_BYTES: usize = 10 << 20;
        for (len, status) in [(MAX_FORM_BYTES, 200), (MAX_FORM_BYTES + 1, 413)] {
            let mut client = connect();
            let fields = format!("Host: a\r\nContent-Type: {URLENCODED}\r\nContent-Length: {len}\r\n");
            client.send(format!("POST / HTTP/1.1\r\n{fields}\r\n")).await;
            let (mut reads, mut writes) = tokio::io::split(client.io);
            let sending = tokio::spawn(async move {
                use tokio::io::AsyncWriteExt;
                let body = format!("a={}", "x".repeat(len - 2));
                let _ = writes.write_all(body.as_bytes()).await;
            });
            let mut head = [0; 12];
            tokio::io::AsyncReadExt::read_exact(&mut reads, &mut head).await.expect("a reply");
            assert_eq!(head, format!("HTTP/1.1 {status}").as_bytes(), "{len}");
            sending.abort();
        }
    })
    .await;
}
