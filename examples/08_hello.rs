//! A small web site: a page greets you and counts your visits, the server prints what you send with the form, and another
//! page draws the server as it runs.
//!
//! You learn: how short a whole server is, and how a handler reads a form and a cookie.
//!
//! Run:      `cargo run --release --example 08_hello`
//! Then:     open <http://localhost:9090> and <http://localhost:9090/live>, or in another terminal:
//!           `curl 'localhost:9090/?url_long=111&url_long=222'`
//!           `curl -d 'name=Ada&url_long=333' localhost:9090`
//!           `curl -c jar -b jar localhost:9090` (twice, to see your visits counted)
//! You see:  a greeting in the browser, and the README of each crate behind a link; in this terminal, the pairs of the form
//!           and a line for each request.
//! End:      Ctrl-C. Requests in progress are answered first.

use std::{
    fmt::Write as _,
    io::{Write, stdout},
    time::{Duration, Instant},
};

use anyhow::Context;
use quintet_examples::{NoArguments, arguments, outln};
use quintet_server::{
    FigureOptions, Handler, Html, IntoResponse, Listener, Request, Response, ServeMux, Server, SetCookie, escape_html,
    figure, listen, mux::Mux,
};

/// Middleware, a handler around a handler: it prints a line for every request, also for a 404.
struct Log<H>(H);

impl<H: Handler> Handler for Log<H> {
    async fn call(&self, request: Request) -> Response {
        let (began, line) = (Instant::now(), format!("{} {}", request.method(), request.target().raw()));
        let peer = request.peer_addr().map(ToString::to_string).unwrap_or_default();
        let reply = self.0.call(request).await;
        // Not `println!`: it panics if the output is closed (`08_hello | head -1`), and each reply would be a 500.
        let _ = writeln!(stdout(), "{peer} {line} {} {:?}", reply.status().as_u16(), began.elapsed());
        reply
    }
}

/// Greets, prints the form to the terminal, and counts visits in a cookie.
async fn hello(mut request: Request) -> Response {
    let visits = 1 + request.cookies().get("visits").and_then(|value| value.parse().ok()).unwrap_or(0_u32);
    let line = format!("{} {}", request.method(), request.target().raw());
    let form = match request.form().await {
        Ok(form) => form,
        Err(error) => return error.into_response(),
    };
    let mut sent = String::new();
    for (name, value) in form.iter() {
        let _ = writeln!(stdout(), "  {name} = {value}");
        let _ = write!(sent, "<dt>{}</dt><dd>{}</dd>", escape_html(name), escape_html(value));
    }
    let known = form.get("name").unwrap_or_default();
    let page = format!(
        include_str!("data/hello.html"),
        style = include_str!("data/hello.css"),
        // Escaped, so that a name cannot become a tag or a script of the page.
        name = escape_html(if known.is_empty() { "stranger" } else { known }),
        known = escape_html(known),
        visits = visits,
        request = escape_html(&line),
        sent = sent,
    );
    Html(page).into_response().with_cookie(&SetCookie::new("visits", visits.to_string()).path("/").http_only())
}

/// What the page links to: the README of each crate, which is its chapter.
const CHAPTERS: [(&str, &str); 5] = [
    ("GET /chapters/listener/README.md", include_str!("../listener/README.md")),
    ("GET /chapters/conn/README.md", include_str!("../conn/README.md")),
    ("GET /chapters/request/README.md", include_str!("../request/README.md")),
    ("GET /chapters/mux/README.md", include_str!("../mux/README.md")),
    ("GET /chapters/server/README.md", include_str!("../server/README.md")),
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let NoArguments {} = arguments(include_str!("08_hello.rs"));
    let mux = ServeMux::new();
    mux.handle("/{$}", hello);
    for (pattern, text) in CHAPTERS {
        mux.handle(pattern, move |_: Request| async move { text });
    }
    // The server, drawn as it runs. Only a browser on this machine may look. Mounted last: the page explains all patterns.
    let (routes, chapters) = (mux.with_routes(Mux::clone), Some("/chapters/".to_owned()));
    mux.handle("/live/", figure(FigureOptions { routes, chapters, ..FigureOptions::default() }));

    let listener = listen(":9090").context("cannot listen on :9090")?;
    outln!("listening on http://localhost:9090 ({}), drawn live at http://localhost:9090/live", listener.local_addr()?);
    let report = Server::new(Log(mux)).serve_until_signal(listener, Duration::from_secs(10)).await?;
    outln!("drained {} connections, aborted {}", report.drained, report.aborted);
    Ok(())
}
