//! The example `sessions`, called without a connection, by a client that keeps cookies as a browser does.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use example::application;
use quintet_mux::{Handler, Response};
use quintet_request::Request;

#[path = "../sessions.rs"]
#[allow(dead_code, reason = "its `main` is not called")]
mod example;

/// A browser with at most one cookie.
struct Browser<H> {
    handler: H,
    cookie: Option<String>,
}

impl<H: Handler> Browser<H> {
    fn new(handler: H) -> Self {
        Self { handler, cookie: None }
    }

    async fn send(&mut self, method: &str, path: &str, fields: &str, body: &str) -> (u16, String) {
        let cookie = self.cookie.as_ref().map_or(String::new(), |cookie| format!("Cookie: {cookie}\r\n"));
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: a.example\r\n{fields}{cookie}Content-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut reply = self.handler.call(Request::parse(text.as_bytes()).expect("a request")).await;
        self.keep(&reply);
        let body = reply.take_body().to_bytes(10_000).await.expect("a short body");
        (reply.status().as_u16(), String::from_utf8(body.to_vec()).expect("text"))
    }

    /// Keeps the cookie of a reply, and looks at its attributes.
    fn keep(&mut self, reply: &Response) {
        let Some(set) = reply.header("set-cookie") else { return };
        let set = set.to_str().expect("text");
        for attribute in ["HttpOnly", "Secure", "Path=/"] {
            assert!(set.split("; ").any(|own| own == attribute), "{attribute}: {set}");
        }
        assert!(set.starts_with("__Host-session=") && !set.contains("Domain"), "{set}");
        let removed = set.contains("Max-Age=0");
        assert!(removed || (set.contains("SameSite=Lax") && set.contains("Max-Age=1800")), "{set}");
        self.cookie = (!removed).then(|| set.split(';').next().unwrap_or_default().to_owned());
    }

    async fn log_in(&mut self) {
        assert_eq!(self.send("POST", "/login", "", "user=ann&password=open+sesame").await.0, 303);
    }

    async fn is_known(&mut self) -> bool {
        let (status, page) = self.send("GET", "/", "", "").await;
        assert_eq!(status, 200, "{page}");
        assert_ne!(page.contains("Hello, ann"), page.contains("action=/login"), "{page}");
        page.contains("Hello, ann")
    }
}

/// A clock for each test, because they run in threads of one process.
macro_rules! clock {
    ($name:ident) => {{
        static NOW: AtomicU64 = AtomicU64::new(1_000_000);
        fn $name() -> u64 {
            NOW.load(SeqCst)
        }
        (&NOW, $name as fn() -> u64)
    }};
}

#[tokio::test]
async fn a_login_begins_a_session_and_a_logout_ends_it_everywhere() {
    let (_, now) = clock!(now);
    let mut browser = Browser::new(application("ann", "open sesame", now));
    assert!(!browser.is_known().await);
    for wrong in ["user=ann&password=x", "user=bob&password=open+sesame", "user=ann", ""] {
        let (status, page) = browser.send("POST", "/login", "", wrong).await;
        assert!(status == 403 && page.contains("role=alert") && browser.cookie.is_none(), "{wrong}: {status}");
    }
    browser.log_in().await;
    assert!(browser.is_known().await);
    let copy = browser.cookie.clone();
    assert_eq!(browser.send("POST", "/logout", "", "").await.0, 303);
    assert!(browser.cookie.is_none() && !browser.is_known().await);
    browser.cookie = copy;
    assert!(!browser.is_known().await, "a copy of the cookie is worth nothing after the logout");
}

#[tokio::test]
async fn a_login_in_the_second_of_a_logout_begins_a_session() {
    let (_, now) = clock!(now);
    let mut browser = Browser::new(application("ann", "open sesame", now));
    for _ in 0..3 {
        browser.log_in().await;
        assert!(browser.is_known().await);
        browser.send("POST", "/logout", "", "").await;
    }
}

#[tokio::test]
async fn a_session_is_renewed_in_its_second_half_and_ends_without_requests() {
    let (clock, now) = clock!(now);
    let mut browser = Browser::new(application("ann", "open sesame", now));
    browser.log_in().await;
    let first = browser.cookie.clone();
    clock.fetch_add(900, SeqCst);
    assert!(browser.is_known().await);
    assert_eq!(browser.cookie, first, "half of it is left");
    clock.fetch_add(1, SeqCst);
    assert!(browser.is_known().await);
    assert_ne!(browser.cookie, first);
    clock.fetch_add(1799, SeqCst);
    assert!(browser.is_known().await);
    clock.fetch_add(1800, SeqCst);
    assert!(!browser.is_known().await, "30 minutes without a request");
    browser.cookie = first;
    assert!(!browser.is_known().await, "the server looks at the time, and not the browser alone");
}

#[tokio::test]
async fn a_changed_cookie_is_no_session() {
    let (_, now) = clock!(now);
    let mut browser = Browser::new(application("ann", "open sesame", now));
    browser.log_in().await;
    let cookie = browser.cookie.clone().expect("a session");
    for changed in [
        cookie.replace(".ann", ".bob"),
        cookie.replace(".ann", ""),
        cookie.replacen("=", "=A", 1),
        "__Host-session=1000000.9999999.ann".to_owned(),
        "__Host-session=".to_owned(),
        cookie.replace("__Host-", ""),
    ] {
        assert_ne!(changed, cookie);
        browser.cookie = Some(changed);
        assert!(!browser.is_known().await);
    }
    // Signed by another server, or before a restart.
    let mut other = Browser::new(application("ann", "open sesame", now));
    other.cookie = Some(cookie.clone());
    assert!(!other.is_known().await);
    browser.cookie = Some(cookie);
    assert!(browser.is_known().await);
}

#[tokio::test]
async fn a_form_of_another_site_is_refused_and_guesses_are_limited() {
    let (_, now) = clock!(now);
    let mut browser = Browser::new(application("ann", "open sesame", now));
    let cross = "Sec-Fetch-Site: cross-site\r\nOrigin: https://evil.example\r\n";
    assert_eq!(browser.send("POST", "/login", cross, "user=ann&password=open+sesame").await.0, 403);
    assert!(browser.cookie.is_none());
    let mut seen = Vec::new();
    for _ in 0..6 {
        seen.push(browser.send("POST", "/login", "", "user=ann&password=guess").await.0);
    }
    assert_eq!(seen, [403, 403, 403, 403, 403, 429]);
    assert_eq!(browser.send("POST", "/login", "", "user=ann&password=open+sesame").await.0, 429);
    assert!(!browser.is_known().await, "other pages are served");
}
