//! A notice board: what anyone writes appears in every open page, by server-sent events.
//!
//! You learn: how a reply goes on while something happens, how a client that connects again gets what it has missed, and
//!           how such a reply ends when its client has gone or the server stops.
//!
//! Run:      `cargo run --example 16_events`
//! Then:     open <http://localhost:9090> in two windows, or in other terminals:
//!           `curl -N localhost:9090/events`
//!           `curl -d text=hello localhost:9090/notices`
//!           `curl -N -H 'Last-Event-ID: 1' localhost:9090/events`
//! You see:  each notice in both windows at once, and how many windows are open; with `Last-Event-ID: 1`, what came after
//!           the first notice.
//! End:      Ctrl-C. The streams end at once, and the pages connect again when the server is back.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use quintet_examples::{arguments, outln};
use quintet_server::{
    Html, IntoResponse, Listener, Request, Response, ServeMux, Server, StatusCode, listen,
    mux::{CrossOrigin, CrossOriginProtection, Event, EventOptions, EventWriter, events_with, last_event_id},
    with_state,
};
use tokio::{select, sync::watch};

/// The most notices that the board keeps, for clients that connect again.
const MAX_NOTICES: usize = 100;
/// The most bytes of a notice.
const MAX_NOTICE_BYTES: usize = 500;

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = ":9090")]
    addr: String,
}

/// The notices, each with its number, and how many pages watch. A stream waits for a change, and then sends what it has
/// not sent. So a slow client delays no other, and holds no queue of its own.
struct Board {
    notices: Mutex<VecDeque<(u64, String)>>,
    last: watch::Sender<u64>,
    watchers: watch::Sender<usize>,
}

impl Board {
    fn new() -> Arc<Self> {
        let (last, watchers) = (watch::Sender::new(0), watch::Sender::new(0));
        Arc::new(Self { notices: Mutex::default(), last, watchers })
    }

    fn add(&self, text: &str) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        let number = *self.last.borrow() + 1;
        notices.push_back((number, text.to_owned()));
        if notices.len() > MAX_NOTICES {
            notices.pop_front();
        }
        self.last.send_replace(number);
    }

    /// The notices after this one.
    fn after(&self, number: u64) -> Vec<(u64, String)> {
        let notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.iter().filter(|(at, _)| *at > number).cloned().collect()
    }
}

/// Counts a page that watches, for as long as its stream lives.
struct Watching(Arc<Board>);

impl Watching {
    fn new(board: Arc<Board>) -> Self {
        board.watchers.send_modify(|count| *count += 1);
        Self(board)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.watchers.send_modify(|count| *count -= 1);
    }
}

/// The stream of a page. Nothing here looks for the end of it: when the client has gone or the server stops, the future is
/// dropped, and `watching` with it.
async fn stream(board: Arc<Board>, request: Request) -> Response {
    let sent = last_event_id(&request).and_then(|id| id.parse().ok());
    // A number that this board has not given yet is of a server before this one: the page has none of these notices.
    let sent = sent.filter(|sent| *sent <= *board.last.borrow()).unwrap_or(0);
    let options = EventOptions { retry: Some(Duration::from_secs(1)), ..EventOptions::default() };
    events_with(options, async move |out| {
        let watching = Watching::new(board);
        send_all(&watching.0, sent, out).await
    })
}

async fn send_all(board: &Board, mut sent: u64, mut out: EventWriter) -> std::io::Result<()> {
    let (mut last, mut watchers) = (board.last.subscribe(), board.watchers.subscribe());
    watchers.mark_changed();
    loop {
        for (number, text) in board.after(sent) {
            out.send(&Event::new(text).with_id(number.to_string())?).await?;
            sent = number;
        }
        select! {
            _ = last.changed() => {}
            _ = watchers.changed() => {
                let count = watchers.borrow_and_update().to_string();
                out.send(&Event::new(count).with_name("watchers")?).await?;
            }
        }
    }
}

async fn add(board: Arc<Board>, mut request: Request) -> Response {
    let form = match request.form().await {
        Ok(form) => form,
        Err(error) => return error.into_response(),
    };
    match form.get("text").map(str::trim) {
        None | Some("") => Response::text(StatusCode::UNPROCESSABLE_ENTITY, "a notice has a text"),
        Some(text) if text.len() > MAX_NOTICE_BYTES => {
            Response::text(StatusCode::PAYLOAD_TOO_LARGE, format_args!("a notice has at most {MAX_NOTICE_BYTES} bytes"))
        }
        Some(text) => {
            board.add(text);
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

const PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Notices</title>
<meta name=viewport content='width=device-width'><link rel=icon href=data:>
<style>
:root { color-scheme: light dark } body { font: 1rem/1.5 system-ui; max-width: 40rem; margin: 2rem auto; padding: 0 1rem }
form { display: flex; gap: .5rem } input { flex: 1 } input, button { font: inherit; padding: .4rem .6rem }
li { overflow-wrap: anywhere } #state { opacity: .7 }
</style>
<h1>Notices</h1>
<p id=state role=status>connecting …</p>
<form><input name=text required maxlength=500 autofocus autocomplete=off aria-label='A notice'><button>Pin it up</button></form>
<ul id=notices aria-live=polite></ul>
<script>
const form = document.forms[0], state = document.querySelector('#state'), list = document.querySelector('#notices');
form.onsubmit = async (event) => {
    event.preventDefault();
    const reply = await fetch('/notices', { method: 'POST', body: new URLSearchParams(new FormData(form)) });
    if (reply.ok) form.reset(); else state.textContent = await reply.text();
};
const source = new EventSource('/events');
source.onmessage = ({ data }) => list.prepend(Object.assign(document.createElement('li'), { textContent: data }));
source.addEventListener('watchers', ({ data }) => state.textContent = data === '1' ? 'only this page is open' : `${data} pages are open`);
source.onerror = () => state.textContent = 'connecting again …';
</script></html>
";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { addr } = arguments(include_str!("16_events.rs"));
    let board = Board::new();
    let mux = ServeMux::new();
    mux.handle("GET /{$}", async |_: Request| Html(PAGE).into_response());
    mux.handle("GET /events", with_state(Arc::clone(&board), stream));
    mux.handle("POST /notices", with_state(board, add));
    // No page of another site can make a browser pin up a notice.
    let handler = CrossOriginProtection::new(CrossOrigin::new()).handler(mux);

    let listener = listen(&addr).with_context(|| format!("cannot listen on {addr}"))?;
    outln!("listening on {}", listener.local_addr()?);
    let report = Server::new(handler).serve_until_signal(listener, Duration::from_secs(5)).await?;
    outln!("drained {} connections, aborted {}", report.drained, report.aborted);
    Ok(())
}
