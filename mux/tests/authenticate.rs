//! Authentication: `basic_auth` and `bearer`.

#![allow(missing_docs)]
#![cfg(feature = "io")]

use std::future::ready;

use quintet_mux::{Handler, Secret, basic_auth, bearer};
use quintet_request::{BasicAuth, Request};

#[derive(Clone)]
struct User(String);

async fn hello(request: Request) -> String {
    format!("hello {}", request.extension::<User>().map_or("?", |user| &user.0))
}

/// The status, the challenge and the body.
async fn ask(handler: &impl Handler, fields: &str) -> (u16, String, String) {
    let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let mut reply = handler.call(Request::parse(text.as_bytes()).expect("a request")).await;
    let body = reply.take_body().to_bytes(100).await.expect("a short body");
    let challenge = reply.header("www-authenticate");
    let challenge = challenge.map_or(String::new(), |value| value.to_str().expect("text").to_owned());
    (reply.status().as_u16(), challenge, String::from_utf8(body.to_vec()).expect("text"))
}

#[tokio::test]
async fn basic_auth_lets_known_users_pass_and_asks_others_401() {
    let password = Secret::new("open sesame");
    let check = move |auth: BasicAuth| {
        let is_known = password.is(&auth.password) && auth.user == "Aladdin";
        ready(is_known.then_some(User(auth.user)))
    };
    let handler = basic_auth("a \"cave\"\\\r\nX: y", check, hello);
    let challenge = r#"Basic realm="a \"cave\"\\  X: y", charset="UTF-8""#;
    let known = "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n";
    assert_eq!(ask(&handler, known).await, (200, String::new(), "hello Aladdin".to_owned()));
    for fields in [
        "",
        "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZT8=\r\n",
        "Authorization: Basic Ym9iOm9wZW4gc2VzYW1l\r\n",
        "Authorization: Basic !!!\r\n",
        "Authorization: Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n",
        "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n",
        // Which of the two would another server take?
        &format!("{known}{known}"),
        &format!("{known}Authorization: Basic Ym9iOmI=\r\n"),
    ] {
        let refused = (401, challenge.to_owned(), "401 Unauthorized\n".to_owned());
        assert_eq!(ask(&handler, fields).await, refused, "{fields}");
    }
}

#[tokio::test]
async fn bearer_lets_known_tokens_pass_and_names_an_invalid_one_401() {
    let key = Secret::new("mF_9.B5f-4.1JqM==");
    // A check that waits, as one that asks a database.
    let check = move |token: String| {
        let is_known = key.is(token);
        async move {
            tokio::task::yield_now().await;
            is_known.then(|| User("the holder".to_owned()))
        }
    };
    let handler = bearer("api", check, hello);
    for (fields, status, challenge) in [
        ("Authorization: Bearer mF_9.B5f-4.1JqM==\r\n", 200, ""),
        ("Authorization: bearer  mF_9.B5f-4.1JqM==\r\n", 200, ""),
        ("Authorization: Bearer mF_9.B5f-4.1JqM=\r\n", 401, r#"Bearer realm="api", error="invalid_token""#),
        ("Authorization: Bearer\r\n", 401, r#"Bearer realm="api""#),
        ("Authorization: Bearer a b\r\n", 401, r#"Bearer realm="api""#),
        ("Authorization: Basic YTpi\r\n", 401, r#"Bearer realm="api""#),
        ("", 401, r#"Bearer realm="api""#),
    ] {
        let (got, said, body) = ask(&handler, fields).await;
        assert_eq!((got, &*said), (status, challenge), "{fields}");
        assert_eq!(body == "hello the holder", status == 200);
    }
}
