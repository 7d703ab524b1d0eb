//! Notes that people share: a whole program, with a page, an API, accounts, pictures, live events and a chat.
//!
//! You learn: what a program of this server looks like in full. Each file is one topic: the application and its state are
//!           here, `notes.rs` is the API, `pictures.rs` the uploads, `accounts.rs` who is signed in, `live.rs` what the
//!           server tells the pages; `static` is the page, which is compiled in. `../tests/notes.rs` tests all of it.
//!
//! Run:      `cargo run --example notes -- --password 'open sesame'`; with `--cert target/cert.pem --key target/key.pem`
//!           (the pair that `13_tls` makes) it speaks TLS
//! Then:     open <http://localhost:9090> in two windows, and sign in with any two names; or in another terminal:
//!           `curl -c jar localhost:9090/api/session --json '{"name": "Ann", "password": "open sesame"}'`
//!           `curl -b jar localhost:9090/api/notes --json '{"title": "Milk", "text": "and oats"}'`
//!           `curl -b jar 'localhost:9090/api/notes?search=oats'`, `curl -b jar -N localhost:9090/api/events`
//!           `curl -b jar -X PUT -F picture=@photo.jpg localhost:9090/api/notes/1/picture`
//! You see:  what one window writes, changes or deletes, in the other at once. Or why not: try an empty title, a text file
//!           as a picture, or any of it after signing out.
//! End:      Ctrl-C. Requests in progress are answered. When the server is back, the pages ask to sign in again.

mod accounts;
mod live;
mod notes;
mod pictures;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use anyhow::Context;
use quintet_examples::{MaybeTls, arguments, outln};
use quintet_server::{
    Handler, Listener, ServeMux, Server, file_server, listen,
    mux::{CrossOrigin, CrossOriginProtection, MemoryFiles, default_headers, problem_details},
    with_state,
};

use self::{accounts::Accounts, live::Live, notes::Notes};

/// What a browser is to refuse: code, styles and connections that are not of this site, and frames around the page. So a
/// note that gets past the escaping of the page still runs nothing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// That, no guesses at types, and no addresses of notes for other sites.
const FIELDS: [(&str, &str); 3] =
    [("content-security-policy", POLICY), ("x-content-type-options", "nosniff"), ("referrer-policy", "same-origin")];

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = ":9090")]
    addr: String,
    /// The password of all who take part; without it one is made up and printed
    #[arg(long, env = "NOTES_PASSWORD")]
    password: Option<String>,
    #[command(flatten)]
    tls: MaybeTls,
}

/// What the handlers share.
struct App {
    notes: Mutex<Notes>,
    accounts: Accounts,
    live: Live,
}

/// The whole application: the page, the API, and what stands in front of them.
pub(crate) fn application(password: &str) -> impl Handler {
    let app = Arc::new(App { notes: Mutex::default(), accounts: Accounts::new(password), live: Live::new() });
    let api = ServeMux::new();
    api.handle("GET /api/session", accounts::who);
    api.handle("GET /api/notes", with_state(Arc::clone(&app), notes::list));
    api.handle("POST /api/notes", with_state(Arc::clone(&app), notes::add));
    api.handle("GET /api/notes/{id}", with_state(Arc::clone(&app), notes::show));
    api.handle("PUT /api/notes/{id}", with_state(Arc::clone(&app), notes::change));
    api.handle("DELETE /api/notes/{id}", with_state(Arc::clone(&app), notes::remove));
    api.handle("GET /api/notes/{id}/picture", with_state(Arc::clone(&app), pictures::show));
    api.handle("PUT /api/notes/{id}/picture", with_state(Arc::clone(&app), pictures::upload));
    api.handle("GET /api/events", with_state(Arc::clone(&app), live::changes));
    api.handle("GET /api/chat", with_state(Arc::clone(&app), live::chat));

    let mux = ServeMux::new();
    mux.handle("/", file_server(page()));
    mux.handle("POST /api/session", with_state(Arc::clone(&app), accounts::sign_in));
    mux.handle("DELETE /api/session", accounts::sign_out);
    mux.handle("/api/", accounts::only_users(app, api));
    // The last one is the outermost. No page of another site reaches the API, and all errors are problem details.
    mux.with(|mux| CrossOriginProtection::new(CrossOrigin::new()).handler(mux))
        .with(problem_details)
        .with(|mux| default_headers(FIELDS, mux))
}

/// The files of the page, which are part of the program.
fn page() -> MemoryFiles {
    MemoryFiles::new()
        .with_file("index.html", include_str!("static/index.html"))
        .with_file("style.css", include_str!("static/style.css"))
        .with_file("app.js", include_str!("static/app.js"))
        .with_file("icon.svg", include_str!("static/icon.svg"))
}

/// The time since 1970.
fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { addr, password, tls } = arguments(include_str!("main.rs"));
    let password = password.unwrap_or_else(accounts::random_password);
    let server = Server::new(application(&password));
    let listener = listen(&addr).with_context(|| format!("cannot listen on {addr}"))?;
    let tls = tls.config()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let addr = listener.local_addr()?;
    let port = addr.tcp().map(|tcp| format!(":{}", tcp.port())).unwrap_or_default();
    outln!("notes at {scheme}://localhost{port} ({addr}), the password is {password}");
    let grace = Duration::from_secs(10);
    let report = match tls {
        Some(tls) => server.serve_until_signal(server.tls_listener(listener, tls), grace).await?,
        None => server.serve_until_signal(listener, grace).await?,
    };
    outln!("drained {} connections, aborted {}", report.drained, report.aborted);
    Ok(())
}
