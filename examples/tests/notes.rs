//! The example `notes`, served in memory by the test kit: its page, accounts, notes, pictures, live events and chat.

use example::application;
use futures_util::{SinkExt, StreamExt};
use quintet_server::{
    Handler,
    http::StatusCode,
    httptest::{OpenReply, Recorded, TestClient, TestServer, TestStream, new_request, record},
};
use serde_json::{Value, json};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::frame::coding::CloseCode},
};

#[path = "../notes/main.rs"]
#[allow(dead_code, reason = "its `main` is not called")]
mod example;

const PASSWORD: &str = "open sesame";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\nand so on";

fn start() -> TestServer<impl Handler> {
    TestServer::start(application(PASSWORD))
}

/// A client that has signed in, and the value of its cookie.
async fn signed_in(server: &TestServer<impl Handler>, name: &str) -> (TestClient, String) {
    let mut client = server.client().with_cookies();
    let reply = send(&mut client, "POST", "/api/session", &json!({"name": name, "password": PASSWORD})).await;
    assert_eq!((reply.status, reply.json::<Value>()), (StatusCode::OK, json!({ "name": name })));
    let cookie = reply.set_cookie("session").expect("a cookie");
    (client, format!("session={}", cookie.value()))
}

async fn send(client: &mut TestClient, method: &str, path: &str, body: &Value) -> Recorded {
    client.request(method, path).json(body).send().await
}

/// Sends a picture as a form.
async fn upload(client: &mut TestClient, path: &str, files: &[&[u8]]) -> Recorded {
    let mut body = Vec::new();
    for file in files {
        // The name and the type are lies, as those of a client may be.
        body.extend_from_slice(b"--x\r\nContent-Disposition: form-data; name=picture; filename=\"../a.png\"\r\n");
        body.extend_from_slice(b"Content-Type: image/png\r\n\r\n");
        body.extend_from_slice(file);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--x--\r\n");
    let request = client.request("PUT", path).header("content-type", "multipart/form-data; boundary=x");
    request.body(body).send().await
}

/// The status and the detail of an error, which is a problem.
fn problem(reply: &Recorded) -> (u16, String) {
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{reply:?}");
    let problem: Value = reply.json();
    assert_eq!(problem["status"], reply.status.as_u16());
    (reply.status.as_u16(), problem["detail"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn the_page_is_part_of_the_program_and_has_a_strict_policy() {
    let handler = application(PASSWORD);
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let reply = record(&handler, new_request("GET", path, "")).await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some(kind)), "{path}");
        let policy = reply.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.headers.get_all("x-content-type-options").iter().count(), 1, "{path}");
        // Nothing of it is from elsewhere, or stands in the page where the policy would refuse it.
        for refused in ["http://", "https://", "<style", " style=", " onclick="] {
            assert!(path == "/icon.svg" || !reply.text().contains(refused), "{path} has {refused}");
        }
    }
    assert_eq!(problem(&record(&handler, new_request("GET", "/main.rs", "")).await).0, 404);
}

#[tokio::test]
async fn a_request_without_a_session_is_403() {
    let server = start();
    let mut client = server.client();
    let (_, cookie) = signed_in(&server, "Ann").await;
    let other = TestServer::start(application(PASSWORD));
    let (_, foreign) = signed_in(&other, "Ann").await;
    let changed = cookie.replace("Ann", "Bob");
    assert_ne!(changed, cookie, "the name can be read, and not changed");
    for cookie in ["", "session=", "session=x", &changed, &foreign] {
        client.set_header("cookie", cookie);
        for (method, path) in [
            ("GET", "/api/session"),
            ("GET", "/api/notes"),
            ("POST", "/api/notes"),
            ("DELETE", "/api/notes/1"),
            ("PUT", "/api/notes/1/picture"),
            ("GET", "/api/events"),
            ("GET", "/api/chat"),
            ("GET", "/api/none"),
        ] {
            let reply = client.request(method, path).send().await;
            assert_eq!(problem(&reply), (403, "sign in first".to_owned()), "{cookie} {method} {path}");
        }
    }
    client.set_header("cookie", &cookie);
    assert_eq!(client.get("/api/session").await.text(), r#"{"name":"Ann"}"#);
}

#[tokio::test]
async fn a_session_begins_with_the_password_and_ends_at_the_sign_out() {
    let server = start();
    let mut client = server.client().with_cookies();
    for (name, password, status, detail) in [
        ("Ann", "sesame", 403, "password: this is another one"),
        ("Ann", "", 403, "password: this is another one"),
        (" ", PASSWORD, 422, "name: expected 1 to 20 characters"),
        ("a name of 21 letters.", PASSWORD, 422, "name: expected 1 to 20 characters"),
    ] {
        let reply = send(&mut client, "POST", "/api/session", &json!({"name": name, "password": password})).await;
        assert_eq!(problem(&reply), (status, detail.to_owned()), "{name}");
        assert!(reply.set_cookies().is_empty());
    }
    let reply = send(&mut client, "POST", "/api/session", &json!({"name": "Åsa; Path=/x", "password": PASSWORD})).await;
    let cookie = reply.header("set-cookie").expect("a cookie");
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/; Max-Age=43200"), "{cookie}");
    assert_eq!(client.get("/api/session").await.json::<Value>(), json!({"name": "Åsa; Path=/x"}));
    assert_eq!(client.delete("/api/session").await.status, 204);
    assert_eq!(client.get("/api/session").await.status, 403);
}

#[tokio::test]
async fn the_cookie_of_a_session_over_https_is_secure() {
    let server = TestServer::start_tls(application(PASSWORD));
    let body = json!({"name": "Ann", "password": PASSWORD});
    let reply = send(&mut server.client(), "POST", "/api/session", &body).await;
    assert!(reply.set_cookie("session").is_some_and(|cookie| cookie.is_secure()), "{reply:?}");
}

#[tokio::test]
async fn notes_are_added_found_changed_and_removed() {
    let server = start();
    let (mut ann, _) = signed_in(&server, "Ann").await;
    let (mut bob, _) = signed_in(&server, "Bob").await;
    let reply = send(&mut ann, "POST", "/api/notes", &json!({"title": "Milk", "text": "and oats"})).await;
    assert_eq!((reply.status.as_u16(), reply.header("location")), (201, Some("/api/notes/1")));
    assert_eq!(reply.json::<Value>()["author"], "Ann");
    send(&mut bob, "POST", "/api/notes", &json!({"title": "Bread", "text": "Rye"})).await;
    for (search, found) in
        [("", &["Bread", "Milk"][..]), ("OATS", &["Milk"]), ("bob", &["Bread"]), ("x", &[]), ("r%79e", &["Bread"])]
    {
        let notes: Vec<Value> = bob.get(&format!("/api/notes?search={search}")).await.json();
        let titles: Vec<_> = notes.iter().map(|note| note["title"].as_str().unwrap_or_default()).collect();
        assert_eq!(titles, found, "{search}");
    }
    // Blanks around a text are not counted, and not stored.
    let reply =
        send(&mut bob, "PUT", "/api/notes/1", &json!({"title": format!("Oats{}", " ".repeat(9_000)), "text": ""}))
            .await;
    let note: Value = ann.get("/api/notes/1").await.json();
    assert_eq!(reply.json::<Value>(), note);
    assert_eq!((&note["title"], &note["text"], &note["author"]), (&json!("Oats"), &json!(""), &json!("Ann")));
    assert_eq!(bob.delete("/api/notes/2").await.status, 204);
    assert_eq!(problem(&bob.delete("/api/notes/2").await), (404, "there is no note 2".to_owned()));
    // A number is not used twice, so that a page which still shows the old note changes no other.
    let reply = send(&mut bob, "POST", "/api/notes", &json!({"title": "New", "text": ""})).await;
    assert_eq!(reply.header("location"), Some("/api/notes/3"));
}

#[tokio::test]
async fn a_note_that_is_refused_is_a_problem_that_names_the_field() {
    let server = start();
    let (mut client, _) = signed_in(&server, "Ann").await;
    send(&mut client, "POST", "/api/notes", &json!({"title": "a", "text": ""})).await;
    for (body, status, detail) in [
        (json!({"title": "", "text": ""}), 422, "title: expected 1 to 80 characters"),
        (json!({"title": "\u{3000} ", "text": ""}), 422, "title: expected 1 to 80 characters"),
        (json!({"title": "é".repeat(81), "text": ""}), 422, "title: expected 1 to 80 characters"),
        (json!({"title": "a", "text": "é".repeat(4_001)}), 422, "text: expected 0 to 4000 characters"),
        (json!({"title": 7, "text": ""}), 422, "title: expected a string"),
        (json!({"title": "a", "text": "", "id": 9}), 422, "id"),
        (json!({"title": "a", "text": "a".repeat(33_000)}), 413, "32768 bytes"),
    ] {
        for (method, path) in [("POST", "/api/notes"), ("PUT", "/api/notes/1")] {
            let (seen, told) = problem(&send(&mut client, method, path, &body).await);
            assert!(seen == status && told.contains(detail), "{method} {path}: {seen} {told}");
        }
    }
    let malformed =
        client.request("POST", "/api/notes").header("content-type", "application/json").body("{").send().await;
    assert_eq!(problem(&malformed).0, 400);
    assert_eq!(problem(&client.request("POST", "/api/notes").form([("title", "a")]).send().await).0, 415);
    assert_eq!(problem(&client.get("/api/notes/x").await).0, 400);
    assert_eq!(problem(&client.patch("/api/notes/1", "").await).0, 405);
    assert_eq!(client.get("/api/notes").await.json::<Vec<Value>>().len(), 1);
}

#[tokio::test]
async fn the_number_of_notes_is_limited_and_one_more_is_507() {
    let server = start();
    let (mut client, _) = signed_in(&server, "Ann").await;
    for n in 0..=200 {
        let reply = send(&mut client, "POST", "/api/notes", &json!({"title": "a", "text": ""})).await;
        assert_eq!(reply.status.as_u16(), if n < 200 { 201 } else { 507 }, "{n}");
    }
}

#[tokio::test]
async fn an_upload_is_a_picture_or_has_its_status() {
    let server = start();
    let (mut client, _) = signed_in(&server, "Ann").await;
    let path = "/api/notes/1/picture";
    assert_eq!(problem(&upload(&mut client, path, &[PNG]).await), (404, "there is no note 1".to_owned()));
    send(&mut client, "POST", "/api/notes", &json!({"title": "a", "text": ""})).await;
    assert_eq!(problem(&client.get(path).await), (404, "this note has no picture".to_owned()));
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
    let large = [PNG, &vec![0; 2 << 20]].concat();
    for (files, status) in
        [(&[&svg[..]][..], 415), (&[b"<script>"], 415), (&[b""], 415), (&[&large], 413), (&[PNG, PNG], 413), (&[], 422)]
    {
        assert_eq!(problem(&upload(&mut client, path, files).await).0, status, "{} files", files.len());
    }
    assert_eq!(problem(&client.get(path).await).0, 404, "nothing of a refused upload stays");

    let note: Value = upload(&mut client, path, &[PNG]).await.json();
    let address = note["picture"]["address"].as_str().expect("an address");
    let reply = client.get(address).await;
    assert_eq!((reply.header("content-type"), &reply.body[..]), (Some("image/png"), PNG));
    assert_eq!(reply.header("cache-control"), Some("private, max-age=31536000, immutable"));
    let other: Value = upload(&mut client, path, &[b"GIF89a."]).await.json();
    assert_ne!(other["picture"]["address"], address, "another picture has another address");
}

/// Waits until this many events have come, and returns their names and data.
async fn next_events(stream: &mut OpenReply, count: usize) -> Vec<(String, Value)> {
    let mut events = Vec::new();
    while events.len() < count {
        let event = stream.read_until("\n\n").await;
        // The heartbeat is a comment.
        let Some((name, data)) = event.trim().strip_prefix("event: ").and_then(|event| event.split_once("\ndata: "))
        else {
            continue;
        };
        events.push((name.to_owned(), serde_json::from_str(data).expect("JSON")));
    }
    events
}

#[tokio::test]
async fn each_change_is_an_event_for_every_page_in_its_order() {
    let server = start();
    let (mut ann, cookie) = signed_in(&server, "Ann").await;
    let mut pages = [server.client(), server.http2_client()];
    let [one, two] = &mut pages;
    let mut streams = Vec::new();
    for page in [one, two] {
        streams.push(page.request("GET", "/api/events").header("cookie", &cookie).open().await);
        assert_eq!(streams.last().map(|stream| stream.status.as_u16()), Some(200));
    }
    send(&mut ann, "POST", "/api/notes", &json!({"title": "one\ntwo", "text": "data: x\n\nevent: removed"})).await;
    upload(&mut ann, "/api/notes/1/picture", &[PNG]).await;
    send(&mut ann, "PUT", "/api/notes/1", &json!({"title": "b", "text": ""})).await;
    ann.delete("/api/notes/1").await;
    for stream in &mut streams {
        let events = next_events(stream, 4).await;
        let names: Vec<_> = events.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["saved", "saved", "saved", "removed"]);
        assert_eq!(events[0].1["text"], "data: x\n\nevent: removed", "no text makes an event");
        assert!(events[0].1["picture"].is_null() && events[1].1["picture"]["address"].is_string());
        assert_eq!((&events[2].1["title"], &events[3].1), (&json!("b"), &json!(1)));
    }
}

/// Opens the chat with these fields of the request.
async fn chat(
    server: &TestServer<impl Handler>,
    fields: &[(&'static str, &str)],
) -> Result<WebSocketStream<TestStream>, u16> {
    let mut request = "ws://example.com/api/chat".into_client_request().expect("a request");
    for (name, value) in fields {
        request.headers_mut().insert(*name, value.parse().expect("a value"));
    }
    match client_async(request, server.connect().await).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(reply)) => Err(reply.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_line_of_the_chat_reaches_every_page_with_its_name() {
    let server = start();
    let (_, ann) = signed_in(&server, "Ann").await;
    let (_, bob) = signed_in(&server, "Bob").await;
    let mut ann = chat(&server, &[("cookie", &ann)]).await.expect("a chat");
    // A page hears its own lines from the moment on when it hears the others'.
    ann.send(Message::text("ready")).await.expect("it is sent");
    assert_eq!(next_line(&mut ann).await, r#"{"name":"Ann","text":"ready"}"#);
    let mut bob = chat(&server, &[("cookie", &bob)]).await.expect("a chat");
    for line in ["", " ", &"x".repeat(501), "\"hello\" <b>"] {
        bob.send(Message::text(line)).await.expect("it is sent");
    }
    // Empty and long lines are not passed on.
    for page in [&mut ann, &mut bob] {
        assert_eq!(next_line(page).await, r#"{"name":"Bob","text":"\"hello\" <b>"}"#);
    }
}

async fn next_line(page: &mut WebSocketStream<TestStream>) -> String {
    page.next().await.expect("a message").expect("a frame").into_text().expect("text").to_string()
}

#[tokio::test]
async fn a_page_of_another_site_is_403() {
    let server = start();
    let (mut client, cookie) = signed_in(&server, "Ann").await;
    for (method, path) in [("POST", "/api/notes"), ("DELETE", "/api/session"), ("POST", "/api/session")] {
        let request = client.request(method, path).header("sec-fetch-site", "cross-site");
        assert_eq!(problem(&request.json(&json!({"title": "a", "text": ""})).send().await).0, 403, "{method} {path}");
    }
    let fields = [("cookie", &*cookie), ("origin", "http://attacker.example")];
    assert_eq!(chat(&server, &fields).await.err(), Some(403));
    assert!(chat(&server, &[("cookie", &*cookie), ("origin", "http://example.com")]).await.is_ok());
}

#[tokio::test]
async fn a_shutdown_ends_the_events_and_closes_the_chat() {
    let server = start();
    let (_, cookie) = signed_in(&server, "Ann").await;
    let mut page = server.client();
    let mut stream = page.request("GET", "/api/events").header("cookie", &cookie).open().await;
    let mut socket = chat(&server, &[("cookie", &cookie)]).await.expect("a chat");
    let pages = async move {
        let message = socket.next().await.expect("a message").expect("a frame");
        let Message::Close(Some(close)) = message else { panic!("{message}") };
        assert_eq!(close.code, CloseCode::Away);
        assert!(socket.next().await.is_none_or(|end| end.is_err()));
        while stream.chunk().await.is_some() {}
    };
    let (report, ()) = tokio::join!(server.close(), pages);
    assert!(report.is_clean(), "{report:?}");
}
