//! JSON, typed parameters and errors of handlers behind a server: the same replies on HTTP/1.1, in every split, and on HTTP/2.

#![cfg(feature = "json")]

mod support;

use std::sync::{Arc, Mutex};

#[cfg(feature = "http2")]
use quintet_server::httptest::TestServerOptions;
use quintet_server::{
    Body, Config, Handler, HandlerError, IntoResponse, Request, Response, ServeMux, Server, StatusCode,
    httptest::{TestClient, TestServer},
    mux::{HttpError, Json, OrStatus, problem_details},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use support::{Dial, bounded, in_memory};

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Note {
    text: String,
    #[serde(default)]
    stars: u8,
}

#[derive(Debug, Deserialize, Serialize)]
struct Search {
    q: String,
    page: Option<u32>,
}

async fn add(mut request: Request) -> Result<(StatusCode, Json<Note>), HttpError> {
    let note: Note = request.json(40).await?;
    if note.text.is_empty() {
        return Err(HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, "a note has a text"));
    }
    Ok((StatusCode::CREATED, Json(note)))
}

async fn find(request: Request) -> Result<Json<Search>, HttpError> {
    Ok(Json(request.query_as()?))
}

async fn login(mut request: Request) -> Result<Json<Search>, HttpError> {
    Ok(Json(request.form_as(40).await?))
}

async fn show(request: Request) -> Result<String, HttpError> {
    let id: u32 = request.path_value_as("id")?;
    Some(id).filter(|id| *id < 10).or_status(StatusCode::NOT_FOUND, format!("no note {id}"))?;
    Ok(format!("note {id}\n"))
}

async fn form(mut request: Request) -> Response {
    match request.form().await {
        Ok(form) => form.to_string().into_response(),
        Err(error) => error.into_response(),
    }
}

async fn broken(_: Request) -> Result<String, HttpError> {
    Ok(std::fs::read_to_string("/no/such/secret")?)
}

async fn unreadable(_: Request) -> Result<(), HttpError> {
    "secret".parse::<u8>().map(drop).or_status(StatusCode::CONFLICT, "not now")
}

fn routes() -> ServeMux {
    let mux = ServeMux::new();
    mux.handle("POST /notes", add);
    mux.handle("GET /notes/{id}", show);
    mux.handle("GET /search", find);
    mux.handle("POST /login", login);
    mux.handle("POST /form", form);
    mux.handle("GET /broken", broken);
    mux.handle("GET /unreadable", unreadable);
    mux
}

/// A request for both protocols, and the status and the text of its reply.
#[derive(Clone, Copy)]
struct Case {
    method: &'static str,
    path: &'static str,
    fields: &'static [(&'static str, &'static str)],
    body: &'static [u8],
    status: u16,
    text: &'static str,
    /// A field of the reply.
    field: Option<(&'static str, &'static str)>,
}

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const URLENCODED: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];

const fn case(
    (method, path): (&'static str, &'static str),
    fields: &'static [(&'static str, &'static str)],
    body: &'static [u8],
    status: u16,
    text: &'static str,
) -> Case {
    Case { method, path, fields, body, status, text, field: None }
}

const fn with(field: &'static str, value: &'static str, case: Case) -> Case {
    Case { field: Some((field, value)), ..case }
}

const ADD: (&str, &str) = ("POST", "/notes");

const CASES: [Case; 24] = [
    with(
        "content-type",
        "application/json",
        case(ADD, JSON, br#"{"text": "milk", "stars": 3}"#, 201, r#"{"text":"milk","stars":3}"#),
    ),
    case(
        ADD,
        &[("content-type", "application/a+json; charset=UTF-8")],
        br#"{"text":"a"}"#,
        201,
        "{\"text\":\"a\",\"stars\":0}",
    ),
    case(ADD, JSON, br#"{"text": ""}"#, 422, "a note has a text\n"),
    case(ADD, JSON, br#"{"text": "milk", "stars": 300}"#, 422, "stars: expected u8\n"),
    case(ADD, JSON, br#"{"text": "milk", "id": 1}"#, 422, "field id is unknown\n"),
    case(ADD, JSON, br#"{"stars": 3}"#, 422, "field text is missing\n"),
    case(ADD, JSON, b"{\"text\":\n nul}", 400, "json is malformed at line 2 column 5: expected ident\n"),
    case(ADD, JSON, b"{\"text\": \"\xff\"}", 400, "json is malformed at line 1 column 11: invalid utf-8\n"),
    case(ADD, JSON, b"", 400, "body is empty, not json\n"),
    case(ADD, JSON, br#"{"text": "12345678901234567890123456789"}"#, 413, "the body is larger than 40 bytes\n"),
    with("accept", "application/json", case(ADD, &[], b"{}", 415, "content type is not application/json\n")),
    with(
        "accept",
        "application/json",
        case(ADD, &[("content-type", "text/plain")], b"{}", 415, "content type is not application/json\n"),
    ),
    with(
        "accept-encoding",
        "identity",
        case(
            ADD,
            &[("content-type", "application/json"), ("content-encoding", "gzip")],
            b"\x1f\x8b",
            415,
            "content coding is not identity\n",
        ),
    ),
    case(("GET", "/search?q=a+b&page=2"), &[], b"", 200, r#"{"q":"a b","page":2}"#),
    case(("GET", "/search?q=a&page=two"), &[], b"", 400, "query: page: expected a number\n"),
    case(("GET", "/search?q=%zz"), &[], b"", 400, "form has a malformed percent escape at byte 2\n"),
    case(("POST", "/login"), URLENCODED, b"q=%C3%A9", 200, "{\"q\":\"é\",\"page\":null}"),
    case(("POST", "/login"), URLENCODED, b"page=1", 422, "form: field q is missing\n"),
    with(
        "accept",
        "application/x-www-form-urlencoded",
        case(("POST", "/login"), JSON, b"{}", 415, "body is not application/x-www-form-urlencoded\n"),
    ),
    with(
        "accept-encoding",
        "identity",
        case(
            ("POST", "/form?b=2"),
            &[("content-type", "application/x-www-form-urlencoded"), ("content-encoding", "deflate")],
            b"a=1",
            415,
            "content coding is not identity\n",
        ),
    ),
    case(("GET", "/notes/7"), &[], b"", 200, "note 7\n"),
    case(("GET", "/notes/77"), &[], b"", 404, "no note 77\n"),
    case(("GET", "/notes/seven"), &[], b"", 400, "value id of the path is malformed\n"),
    case(("GET", "/unreadable"), &[], b"", 409, "not now\n"),
];

/// The bytes of a case in HTTP/1.1.
fn bytes(case: &Case) -> Vec<u8> {
    let mut bytes = format!("{} {} HTTP/1.1\r\nHost: a.example\r\n", case.method, case.path);
    for (name, value) in case.fields {
        bytes.push_str(&format!("{name}: {value}\r\n"));
    }
    if case.method == "POST" {
        bytes.push_str(&format!("Content-Length: {}\r\n", case.body.len()));
    }
    [bytes.as_bytes(), b"\r\n", case.body].concat()
}

fn start(handler: impl Handler) -> (Server<impl Handler>, Dial) {
    let server = support::server(handler);
    let (dial, _) = in_memory(&server);
    (server, dial)
}

/// Asks for each case, and checks the reply.
async fn check_cases(client: &mut TestClient) {
    for case in &CASES {
        let mut request = client.request(case.method, case.path);
        for (name, value) in case.fields {
            request = request.header(name, value);
        }
        let request = if case.method == "POST" { request.body(case.body) } else { request };
        let reply = request.send().await;
        assert_eq!((reply.status.as_u16(), reply.text()), (case.status, case.text), "{} {}", case.method, case.path);
        if let Some((name, value)) = case.field {
            assert_eq!(reply.header(name), Some(value), "{}", case.text);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn json_queries_and_errors_have_their_status_and_text() {
    bounded(async {
        let server = TestServer::start(routes());
        check_cases(&mut server.client()).await;
        assert!(server.close().await.is_clean());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn json_split_into_single_bytes_and_chunks_is_read_the_same() {
    bounded(async {
        let (_server, dial) = start(routes());
        let mut client = dial.connect();
        for case in CASES.iter().filter(|case| case.path == "/notes") {
            for byte in bytes(case) {
                client.send([byte]).await;
                tokio::task::yield_now().await;
            }
            let reply = client.reply().await;
            assert_eq!((reply.status, reply.text()), (case.status, case.text));
        }
        let head =
            "POST /notes HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.send(format!("{head}4\r\n{{\"te\r\n6\r\nxt\":\"a\r\n2\r\n\"}}\r\n0\r\n\r\n")).await;
        assert_eq!(client.reply().await.text(), r#"{"text":"a","stars":0}"#);
        // The limit counts the bytes of the body, and a chunked body does not say its length.
        client.send(format!("{head}29\r\n{:41}\r\n0\r\n\r\n", "{}")).await;
        assert_eq!(client.reply().await.status, 413);
    })
    .await;
}

/// A client that waits for 100 Continue does not send a body that is refused by its fields.
#[tokio::test(start_paused = true)]
async fn a_415_is_sent_without_asking_for_the_body() {
    bounded(async {
        let (_server, dial) = start(routes());
        let mut client = dial.connect();
        let fields = "Content-Type: text/plain\r\nExpect: 100-continue\r\nContent-Length: 10\r\n";
        client.send(format!("POST /notes HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).await;
        assert_eq!(client.reply().await.status, 415, "and no 100 before it");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn json_of_a_client_that_breaks_off_or_is_slow_is_400_or_408() {
    bounded(async {
        let told: Arc<Mutex<Vec<u16>>> = Arc::default();
        let statuses = Arc::clone(&told);
        let handler = move |mut request: Request| {
            let statuses = Arc::clone(&statuses);
            async move {
                let error = request.json::<Note>(100).await.unwrap_err();
                statuses.lock().unwrap().push(error.status().as_u16());
                error
            }
        };
        let (_server, dial) = start(handler);
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{";
        let mut cut = dial.connect();
        cut.send(head).await;
        cut.finish().await;
        let _ = cut.rest().await;
        let mut expected = vec![400];
        if !support::without_timeouts() {
            let mut slow = dial.connect();
            slow.send(head).await;
            assert_eq!(slow.reply().await.status, 408);
            expected.push(408);
        }
        assert_eq!(*told.lock().unwrap(), expected);
    })
    .await;
}

/// What the hook is told: status and source.
type Told = Arc<Mutex<Vec<(u16, String)>>>;

fn reporting(config: Config) -> (Config, Told) {
    let (mut config, told) = (config, Told::default());
    let hook = Arc::clone(&told);
    config.hooks.handler_error = Some(Arc::new(move |error: &HandlerError<'_>| {
        assert!(!error.connection.peer_addr().to_string().is_empty());
        hook.lock().expect("no panic").push((error.status.as_u16(), error.source.to_string()));
    }));
    (config, told)
}

const NO_FILE: &str = "No such file or directory (os error 2)";

#[tokio::test(start_paused = true)]
async fn the_cause_of_an_error_is_reported_once_and_not_sent() {
    bounded(async {
        let (config, told) = reporting(support::config());
        let server = Server::with_config(problem_details(routes()), config);
        let (dial, _) = in_memory(&server);
        let mut client = dial.connect();
        for (path, status) in [("/broken", 500), ("/unreadable", 409), ("/notes/1", 200), ("/none", 404)] {
            let reply = client.fetch(path).await;
            assert_eq!(reply.status, status);
            assert!(!format!("{} {}", reply.head, reply.text()).contains("secret"), "{path}");
        }
        let expected = [(500, NO_FILE.to_owned()), (409, "invalid digit found in string".to_owned())];
        assert_eq!(*told.lock().unwrap(), expected);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reply_with_a_cause_may_be_streamed_or_an_abort() {
    bounded(async {
        let (config, told) = reporting(support::config());
        let streamed = async |request: Request| match request.path() {
            "/abort" => Response::abort().with_error_source("gone"),
            _ => Response::new(Body::writer(|mut w| async move { w.write("slow").await })).with_error_source("lost"),
        };
        let server = Server::with_config(streamed, config);
        let (dial, _) = in_memory(&server);
        assert_eq!(dial.connect().fetch("/").await.text(), "slow");
        let mut client = dial.connect();
        client.get("/abort").await;
        assert!(client.ends().await);
        let told: Vec<_> = told.lock().unwrap().iter().map(|(_, source)| source.clone()).collect();
        assert_eq!(told, ["lost", "gone"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn errors_become_problem_details_behind_a_server() {
    bounded(async {
        let (_server, dial) = start(problem_details(routes()));
        let mut client = dial.connect();
        let reply = client.fetch("/notes/77").await;
        assert_eq!((reply.status, reply.field("content-type")), (404, Some("application/problem+json")));
        let expected = json!({"title": "Not Found", "status": 404, "detail": "no note 77", "instance": "/notes/77"});
        assert_eq!(serde_json::from_str::<serde_json::Value>(reply.text()).unwrap(), expected);
        // No body, and the fields of the GET.
        client.send("HEAD /notes/77 HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
        let head = client.try_reply_to("HEAD").await.unwrap();
        assert_eq!((head.status, head.field("content-length")), (404, reply.field("content-length")));
    })
    .await;
}

#[cfg(feature = "http2")]
#[tokio::test(start_paused = true)]
async fn json_queries_and_errors_are_the_same_on_http2() {
    bounded(async {
        let options = TestServerOptions::default();
        let (config, told) = reporting(options.config);
        let server = TestServer::start_with(routes(), TestServerOptions { config, ..TestServerOptions::default() });
        let mut client = server.http2_client();
        check_cases(&mut client).await;
        assert_eq!(client.get("/broken").await.text(), "500 Internal Server Error\n");
        let expected = [(409, "invalid digit found in string".to_owned()), (500, NO_FILE.to_owned())];
        assert_eq!(*told.lock().unwrap(), expected);
        assert!(server.close().await.is_clean());
    })
    .await;
}
