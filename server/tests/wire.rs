//! 168 sequences of bytes, with the replies of Go's server and of ours: `data/wire.jsonl`.
//!
//! Each line is a case: its name, the pieces that are sent (with a pause between them; `[text, n]` stands for `n` times
//! the text, `fin` for a half-close at the end, `short` for a body that is not sent) and what Go 1.27 did. Where ours
//! differs there is `ours` (`split` if only when sent byte by byte), and a `why`. `then` says whether the connection is
//! `open` for another request or `closed`.
//!
//! A reply is compared in the parts that are given: its status, its fields (all but the date, sorted), its body, its
//! trailers, and what the handler saw of the request.

mod support;

use std::{fs, future::poll_fn, path::Path, pin::Pin, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::Body as _;
use quintet_server::{Body, BodyError, Form, Request, Response, ServeMux};
use serde_json::{Map, Value, json};
use support::{Client, bounded, in_memory};
use tokio::{
    io::DuplexStream,
    task::yield_now,
    time::{sleep, timeout},
};

/// How the bytes of a case are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Each piece in one write.
    Whole,
    /// With the next request in the same write as the last piece.
    Glued,
    /// Each byte in a write of its own.
    Bytes,
}

/// The request that shows whether the connection is open, and where the server looks for the next request.
const PROBE: &str = "GET /probe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn cases() -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wire.jsonl");
    let text = fs::read_to_string(file).expect("the cases are there");
    text.lines().map(|line| serde_json::from_str(line).expect("a case is JSON")).collect()
}

/// A piece as bytes: every character is one byte.
fn bytes(piece: &Value) -> Vec<u8> {
    match piece {
        Value::String(text) => text.chars().map(|c| u8::try_from(u32::from(c)).expect("a byte")).collect(),
        Value::Array(parts) => match &parts[..] {
            [Value::String(_), Value::Number(times)] => {
                bytes(&parts[0]).repeat(usize::try_from(times.as_u64().expect("a count")).expect("a count"))
            }
            _ => parts.iter().flat_map(bytes).collect(),
        },
        other => panic!("not a piece: {other}"),
    }
}

async fn run(way: Way) {
    let server = support::server(routes());
    let (dial, _) = in_memory(&server);
    let mut wrong = Vec::new();
    for case in cases() {
        let split = case.get("split").filter(|_| way == Way::Bytes);
        let expected = split.or(case.get("ours")).unwrap_or(&case["go"]);
        let seen = seen(&case, dial.connect(), way, expected["then"] == "open").await;
        if let Err(what) = compare(expected, &seen) {
            let short = |value: &Value| value.to_string().chars().take(500).collect::<String>();
            wrong.push(format!(
                "{}: {what}\n  expected {}\n  seen     {}",
                case["name"],
                short(expected),
                short(&seen)
            ));
        }
    }
    assert!(wrong.is_empty(), "{} cases are wrong when sent {way:?}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Sends a case; returns the replies and the end of the connection.
async fn seen(case: &Value, mut client: Client<DuplexStream>, way: Way, stays_open: bool) -> Value {
    let pieces: Vec<_> = case["sent"].as_array().expect("pieces").iter().map(bytes).collect();
    let (fin, short) = (case.get("fin").is_some(), case.get("short").is_some());
    let head = String::from_utf8_lossy(&pieces[0]);
    let mut method = head.split(' ').next().unwrap_or("").to_owned();
    for (at, mut piece) in pieces.iter().cloned().enumerate() {
        if at > 0 {
            sleep(Duration::from_millis(150)).await;
        }
        if way == Way::Glued && !fin && !short && at + 1 == pieces.len() {
            piece.extend_from_slice(PROBE.as_bytes());
        }
        // A case of many equal bytes is not sent byte by byte: it has no boundaries that a split could miss.
        let size = if way == Way::Bytes && piece.len() < 20_000 { 1 } else { piece.len().max(1) };
        for part in piece.chunks(size) {
            if client.try_send(part).await.is_err() {
                break; // refused already
            }
            yield_now().await;
        }
    }
    if fin {
        client.finish().await;
    } else if way != Way::Glued && stays_open {
        sleep(Duration::from_millis(150)).await;
        let _ = client.try_send(PROBE).await;
    }
    let (mut replies, mut then) = (Vec::new(), "closed");
    loop {
        match timeout(Duration::from_secs(5), client.try_reply_to(&method)).await {
            Ok(Some(reply)) if reply.field("x-probe").is_some() => then = "open",
            Ok(Some(reply)) => {
                if reply.status != 100 {
                    method.clear(); // only the first reply may be one to HEAD
                }
                replies.push(normal(&reply));
            }
            Ok(None) => break,
            Err(_) => {
                then = "hanging";
                break;
            }
        }
    }
    json!({ "replies": replies, "then": then })
}

fn normal(reply: &support::Reply) -> Value {
    let lower = |line: &str| {
        let (name, value) = line.split_once(": ").expect("a field");
        format!("{}: {value}", name.to_ascii_lowercase())
    };
    let mut fields: Vec<_> = reply.head.lines().skip(1).map(lower).filter(|line| !line.starts_with("date:")).collect();
    fields.sort();
    let body: String = reply.body.iter().copied().map(char::from).collect();
    let sees = serde_json::from_slice::<Map<String, Value>>(&reply.body).ok();
    json!({
        "status": reply.status,
        "fields": fields,
        "body": body,
        "trailers": reply.trailers,
        "sees": sees,
    })
}

fn compare(expected: &Value, seen: &Value) -> Result<(), String> {
    if expected["then"] != seen["then"] {
        return Err(format!("then {}", seen["then"]));
    }
    let list = |value: &Value| value["replies"].as_array().cloned().expect("replies");
    let (expected, seen) = (list(expected), list(seen));
    if expected.len() != seen.len() {
        return Err(format!("{} replies", seen.len()));
    }
    for (expected, seen) in expected.iter().zip(&seen) {
        for (name, value) in expected.as_object().expect("a reply") {
            let same = match name.as_str() {
                "sees" => value.as_object().expect("facts").iter().all(|(fact, value)| seen["sees"][fact] == *value),
                "body" => bytes(value) == bytes(&seen["body"]),
                "trailers" => value.as_str().expect("text").eq_ignore_ascii_case(seen[name].as_str().unwrap_or("")),
                _ => *value == seen[name],
            };
            if !same {
                return Err(format!("{name} {}", seen[name]));
            }
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_recorded_case_is_answered_as_the_table_says() {
    bounded(run(Way::Whole)).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_after_a_case_is_answered_only_on_keep_alive() {
    bounded(run(Way::Glued)).await;
}

#[tokio::test(start_paused = true)]
async fn a_case_that_arrives_byte_by_byte_is_answered_the_same() {
    bounded(run(Way::Bytes)).await;
}

#[test]
fn where_we_differ_from_go_the_table_says_why() {
    for case in cases() {
        match case.get("ours").or(case.get("split")) {
            Some(ours) => {
                assert!(case["why"].as_str().is_some_and(|why| !why.is_empty()), "{}: no reason", case["name"]);
                assert_ne!(*ours, case["go"], "{}: no difference", case["name"]);
            }
            None => assert!(case.get("why").is_none(), "{}: a reason for nothing", case["name"]),
        }
    }
}

/// The handlers of the Go server that the cases were recorded with.
fn routes() -> ServeMux {
    let mux = ServeMux::new();
    mux.handle("GET /{$}", async |_| "hello\n");
    mux.handle("GET /probe", async |_| ([("x-probe", "1")], ""));
    mux.handle("/inspect", inspect);
    mux.handle("/ignore", async |_| "ok");
    mux.handle("POST /echo", async |request: Request| Response::new(request.into_body()));
    mux.handle("POST /limited", async |mut request: Request| {
        let limit = number(&request, "n");
        request.to_bytes(limit).await.map(|body| format!("{}\n", body.len()))
    });
    mux.handle("GET /bytes", async |request: Request| vec![b'x'; size(&request)]);
    mux.handle("GET /stream", async |request: Request| vec![b'x'; size(&request)]);
    mux.handle("GET /chunked", chunked);
    mux.handle("GET /nobody", async |_| StatusCode::NO_CONTENT);
    mux.handle("GET /status", async |request: Request| {
        let code = u16::try_from(number(&request, "code")).expect("a status");
        (StatusCode::from_u16(code).expect("a status"), "body\n")
    });
    mux.handle("GET /trailers", trailers);
    mux.handle("GET /hints", async |_| ([("link", "</style.css>; rel=preload; as=style")], "done\n"));
    mux.handle("GET /redirect", async |request: Request| {
        let to = Form::parse(request.query().unwrap_or("").as_bytes()).expect("a query");
        quintet_mux::redirect(&request, to.get("to").expect("a place"), StatusCode::FOUND)
    });
    mux.handle("GET /panic", async |_: Request| -> &'static str { panic!("as asked") });
    mux.handle("GET /abort", async |_: Request| -> &'static str { panic!("as asked") });
    mux
}

fn number(request: &Request, name: &str) -> u64 {
    let form = Form::parse(request.query().unwrap_or("").as_bytes()).expect("a query");
    form.get(name).and_then(|n| n.parse().ok()).expect("a number")
}

fn size(request: &Request) -> usize {
    usize::try_from(number(request, "n")).expect("a size")
}

async fn chunked(request: Request) -> Response {
    let n = number(&request, "n");
    let body = Body::writer(move |mut w| async move {
        for i in 0..n {
            w.write(format!("chunk {i}\n")).await?;
            w.flush().await?;
        }
        Ok(())
    });
    Response::new(body).with_content_type("text/plain; charset=utf-8")
}

async fn trailers(_: Request) -> Response {
    let body = Body::writer(|mut w| async move {
        w.trailers(HeaderMap::from_iter([
            (HeaderName::from_static("x-declared"), HeaderValue::from_static("one")),
            (HeaderName::from_static("x-late"), HeaderValue::from_static("two")),
        ]));
        w.write("body\n").await?;
        w.flush().await
    });
    Response::new(body).with_header("trailer", "X-Declared")
}

/// A request as JSON, as Go shows it: names in Go's case and sorted, without what Go moves elsewhere.
async fn inspect(mut request: Request) -> Response {
    let mut body = request.take_body();
    let (mut length, mut error, mut trailers) = (0, None, Vec::new());
    loop {
        match poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await.map(|frame| frame.map(|frame| frame.into_data())) {
            None => break,
            Some(Ok(Ok(data))) => length += data.len(),
            Some(Ok(Err(frame))) => {
                let fields = frame.into_trailers().expect("trailers");
                trailers = fields
                    .iter()
                    .map(|(name, value)| json!([canonical(name.as_str()), text(value.as_bytes())]))
                    .collect();
            }
            Some(Err(failed)) => {
                error = Some(failed);
                break;
            }
        }
    }
    Response::new(seen_by_handler(&request, length, error.as_ref(), &trailers).to_string())
        .with_content_type("application/json")
}

fn seen_by_handler(request: &Request, length: usize, error: Option<&BodyError>, trailers: &[Value]) -> Value {
    let head = request.head();
    let chunked = request.header("transfer-encoding").is_some();
    let declared = request.header("content-length").map_or(0, |length| length.parse::<i64>().expect("a length"));
    let mut headers: Vec<_> = request.headers().map(|(name, value)| (canonical(name), text(value))).collect();
    headers.retain(|(name, _)| match name.as_str() {
        "Host" | "Transfer-Encoding" => false,
        "Trailer" => !chunked,
        _ => true,
    });
    headers.sort_by(|a, b| a.0.cmp(&b.0));
    json!({
        "method": request.method(),
        "target": text(request.target().raw().as_bytes()),
        "proto": format!("{:?}", http::Version::from(request.version())),
        "host": request.host(),
        "headers": headers,
        "content_length": if chunked { -1 } else { declared },
        "transfer_encoding": if chunked { vec!["chunked"] } else { vec![] },
        "close": !head.keep_alive(),
        "body_length": length,
        "body_error": error.is_some(),
        "trailers": trailers,
    })
}

/// Go: `textproto.CanonicalMIMEHeaderKey`.
fn canonical(name: &str) -> String {
    let part = |part: &str| part[..1].to_ascii_uppercase() + &part[1..].to_ascii_lowercase();
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
