//! Sessions by signed cookies, over HTTPS: login, renewal and logout.
//!
//! You learn: sessions are the job of the crate `cookie`, which signs what the browser keeps; a handler in front of the
//!           others reads them, and renews them before they end; which attributes a cookie of a session has; and that forms
//!           of other sites, guesses at passwords, and old cookies after a logout are refused.
//!
//! Run:      `cargo run --example 13_tls -- --make`, once, which makes a certificate; then
//!           `cargo run --example sessions -- --password 'open sesame'`
//! Then:     open <https://localhost:9443> and log in as ann; or
//!           `curl -kc jar -d user=ann -d 'password=open sesame' https://localhost:9443/login`, then
//!           `curl -kb jar https://localhost:9443/`
//! You see:  a page that knows your name. The cookie can be read in the browser, and not changed.
//! End:      Ctrl-C. Requests in progress are answered first.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use cookie::{Cookie, CookieJar, Key, SameSite};
use governor::Quota;
use http::{StatusCode, header::SET_COOKIE};
use quintet_examples::{arguments, outln, rate_limit::rate_limit};
use quintet_mux::{CrossOrigin, CrossOriginProtection, Secret};
use quintet_server::{
    Handler, Html, IntoResponse, Request, Response, ServeMux, Server, escape_html, redirect, with_state,
};

/// A browser takes a cookie with this prefix only over TLS, for this host alone and for every path.
const NAME: &str = "__Host-session";
/// How long a session lasts without a request. After half of it, a request renews the session.
const LASTS: Duration = Duration::from_secs(30 * 60);

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = ":9443")]
    addr: String,
    /// The certificate, in PEM
    #[arg(long, default_value = "target/cert.pem")]
    cert: PathBuf,
    /// The certificate's key, in PEM
    #[arg(long, default_value = "target/key.pem")]
    key: PathBuf,
    /// The password of the user ann
    #[arg(long)]
    password: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { addr, cert, key, password } = arguments(include_str!("sessions.rs"));
    outln!("serving https on {addr}; the user is ann");
    let server = Server::new(application("ann", &password, now));
    let report = server.run_tls(&addr, &cert, &key, Duration::from_secs(10)).await?;
    outln!("drained {}, aborted {}", report.drained, report.aborted);
    Ok(())
}

/// The time, in seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// What the handlers share.
struct Sessions {
    /// Signs the cookies. It is made at the start, so a restart ends all sessions; a file would keep them.
    key: Key,
    user: String,
    password: Secret,
    /// When a user logged out last: sessions that began before are over. One entry for each user that exists.
    logouts: Mutex<HashMap<String, u64>>,
    now: fn() -> u64,
}

/// Who is logged in, for the handlers.
#[derive(Clone, Debug, PartialEq)]
struct Session {
    user: String,
    /// When the user logged in, and when the session ends without another request.
    began: u64,
    ends: u64,
}

/// The whole application: the pages, and what stands in front of them.
pub(crate) fn application(user: &str, password: &str, now: fn() -> u64) -> impl Handler {
    let sessions = Arc::new(Sessions {
        key: Key::generate(),
        user: user.to_owned(),
        password: Secret::new(password),
        logouts: Mutex::default(),
        now,
    });
    let mux = ServeMux::new();
    // Five guesses, then one each ten seconds.
    let guesses = Quota::with_period(Duration::from_secs(10)).expect("not zero").allow_burst(FIVE);
    mux.handle("GET /{$}", home);
    mux.handle("POST /login", with_state(Arc::clone(&sessions), login).with(|login| rate_limit(guesses, login)));
    mux.handle("POST /logout", with_state(Arc::clone(&sessions), logout));
    let in_front = mux.with(|mux| with_session(sessions, mux));
    // The last one is the outermost: a form of another site reaches nothing.
    in_front.with(|handler| CrossOriginProtection::new(CrossOrigin::new()).handler(handler))
}

const FIVE: NonZeroU32 = NonZeroU32::new(5).expect("not zero");

/// Reads the session of a request for the handlers that follow, and renews it in time.
fn with_session(sessions: Arc<Sessions>, handler: impl Handler) -> impl Handler {
    with_state((sessions, Arc::new(handler)), async |(sessions, handler), mut request| {
        let session = sessions.read(&request);
        let Some(session) = session else { return handler.call(request).await };
        request.set_extension(session.clone());
        let reply = handler.call(request).await;
        let is_half_over = session.ends.saturating_sub((sessions.now)()) < LASTS.as_secs() / 2;
        // A login and a logout say what becomes of the session.
        let is_said = reply.headers().is_some_and(|headers| headers.contains_key(SET_COOKIE));
        if is_half_over && !is_said { sessions.begin(reply, &session.user, session.began) } else { reply }
    })
}

impl Sessions {
    /// The session of a request: its cookie is signed by this server, and its time is not over.
    fn read(&self, request: &Request) -> Option<Session> {
        let mut jar = CookieJar::new();
        jar.add_original(Cookie::new(NAME, request.cookies().get(NAME)?.to_owned()));
        let cookie = jar.signed(&self.key).get(NAME)?;
        let mut parts = cookie.value().splitn(3, '.');
        let (began, ends) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let session = Session { user: parts.next()?.to_owned(), began, ends };
        let logouts = self.logouts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_logged_out = logouts.get(&session.user).is_some_and(|at| began <= *at);
        (!is_logged_out && (self.now)() < ends).then_some(session)
    }

    /// The reply with the cookie of a session. The end is in what is signed, and the browser's `Max-Age` is only tidiness.
    fn begin(&self, reply: Response, user: &str, began: u64) -> Response {
        let ends = (self.now)() + LASTS.as_secs();
        let mut jar = CookieJar::new();
        let cookie = Cookie::build((NAME, format!("{began}.{ends}.{user}")))
            .path("/")
            .secure(true)
            .http_only(true)
            .same_site(SameSite::Lax)
            .max_age(cookie::time::Duration::seconds(LASTS.as_secs() as i64));
        jar.signed_mut(&self.key).add(cookie);
        let signed = jar.get(NAME).map(ToString::to_string).unwrap_or_default();
        reply.with_header(SET_COOKIE, signed)
    }
}

async fn login(sessions: Arc<Sessions>, mut request: Request) -> Response {
    let (user, password) = (request.form_value("user").await, request.form_value("password").await);
    let (user, password) = (user.unwrap_or_default(), password.unwrap_or_default());
    // Both are looked at in any case. Many users with stored passwords need a slow hash (the crate `argon2`), in
    // `spawn_blocking`.
    let is_known = sessions.password.is(&password) & (user == sessions.user);
    if !is_known {
        return (StatusCode::FORBIDDEN, page("<p role=alert>No such user, or another password.</p>", true))
            .into_response();
    }
    let began = {
        // A second after a logout of the same second: `read` takes it for over else.
        let logouts = sessions.logouts.lock().unwrap_or_else(PoisonError::into_inner);
        logouts.get(&user).map_or(0, |at| at + 1).max((sessions.now)())
    };
    sessions.begin(redirect(&request, "/", StatusCode::SEE_OTHER), &user, began)
}

/// Removes the cookie, and ends all sessions of the user: a copy of the cookie is worth nothing from now on.
async fn logout(sessions: Arc<Sessions>, request: Request) -> Response {
    if let Some(Session { user, .. }) = request.extension() {
        let mut logouts = sessions.logouts.lock().unwrap_or_else(PoisonError::into_inner);
        logouts.insert(user.clone(), (sessions.now)());
    }
    let removal = Cookie::build((NAME, "")).path("/").secure(true).http_only(true).removal().build();
    redirect(&request, "/", StatusCode::SEE_OTHER).with_header(SET_COOKIE, removal.to_string())
}

async fn home(request: Request) -> Response {
    let page = match request.extension::<Session>() {
        Some(session) => page(&format!("<p>Hello, {}.</p>", escape_html(&session.user)), false),
        None => page("", true),
    };
    // A page about a user is of that user alone, also after the logout.
    page.into_response().with_header("cache-control", "no-store")
}

/// A page with a form to log in, or to log out.
fn page(text: &str, with_login: bool) -> Html<String> {
    let form = if with_login {
        "<form method=post action=/login>\
         <label>User <input name=user autocomplete=username required></label>\
         <label>Password <input name=password type=password autocomplete=current-password required></label>\
         <button>Log in</button></form>"
    } else {
        "<form method=post action=/logout><button>Log out</button></form>"
    };
    Html(format!("{HEAD}<main><h1>Sessions</h1>{text}{form}</main>"))
}

const HEAD: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Sessions</title>
<meta name=viewport content='width=device-width'><link rel=icon href=data:>
<style>:root { color-scheme: light dark } body { font: 1rem/1.5 system-ui; max-width: 24rem; margin: 3rem auto; padding: 0 1rem }
label { display: block; margin-bottom: .75rem } input { display: block; width: 100%; box-sizing: border-box; font: inherit }
button { font: inherit } [role=alert] { border-left: .25rem solid crimson; padding-left: .75rem }</style>
";
