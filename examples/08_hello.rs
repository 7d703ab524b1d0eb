//! A small web site: a page greets you and counts your visits, and the server prints what you send with the form.
//!
//! You learn: how short a whole server is, and how a handler reads a form and a cookie.
//!
//! Run:      `cargo run --release --example 08_hello`
//! Then:     open <http://localhost:9090>, or in another terminal:
//!           `curl 'localhost:9090/?url_long=111&url_long=222'`
//!           `curl -d 'name=Ada&url_long=333' localhost:9090`
//!           `curl -c jar -b jar localhost:9090` (twice, to see your visits counted)
//! You see:  a greeting in the browser; in this terminal, the pairs of the form and a line for each request.
//! End:      Ctrl-C. Requests in progress are answered first.

use std::{
    io::{Write, stdout},
    time::{Duration, Instant},
};

use anyhow::Context;
use quintet_examples::{NoArguments, arguments, outln};
use quintet_server::{
    Handler, Html, IntoResponse, Listener, Request, Response, ServeMux, Server, SetCookie, escape_html, listen,
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
    let form = match request.form().await {
        Ok(form) => form,
        Err(error) => return error.into_response(),
    };
    for (name, value) in form.iter() {
        let _ = writeln!(stdout(), "  {name} = {value}");
    }
    // Escaped, so that a name cannot become a tag or a script of the page.
    let name = escape_html(form.get("name").filter(|name| !name.is_empty()).unwrap_or("stranger"));
    let page = format!(
        "<!doctype html><meta charset=utf-8><title>Hello</title>\n\
         <h1>Hello, {name}!</h1>\n<p id=visits>Visit number {visits}.</p>\n\
         <form method=post><input name=name placeholder='Your name'><input type=hidden name=url_long value=333>\n\
         <button>Greet me</button></form>\n"
    );
    Html(page).into_response().with_cookie(&SetCookie::new("visits", visits.to_string()).path("/").http_only())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let NoArguments {} = arguments(include_str!("08_hello.rs"));
    let mux = ServeMux::new();
    mux.handle("/{$}", hello);

    let listener = listen(":9090").context("cannot listen on :9090")?;
    outln!("listening on http://localhost:9090 ({})", listener.local_addr()?);
    let report = Server::new(Log(mux)).serve_until_signal(listener, Duration::from_secs(10)).await?;
    outln!("drained {} connections, aborted {}", report.drained, report.aborted);
    Ok(())
}
