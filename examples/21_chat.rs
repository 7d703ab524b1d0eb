//! A chat over WebSocket: what one page writes, all others show.
//!
//! You learn: how a handler waits for messages and for other events at the same time, and which messages, origins and times
//!           a WebSocket is limited to.
//!
//! Run:      `cargo run --example 21_chat`; with `--cert target/cert.pem --key target/key.pem` (the pair that `13_tls`
//!           makes) it speaks TLS
//! Then:     open <http://localhost:9090> in two windows and write; or, in Python with `pip install websockets`:
//!           `python3 -m websockets ws://localhost:9090/echo`
//! You see:  what is written in both windows. `/echo` sends back what it is sent.
//! End:      Ctrl-C. The server closes each WebSocket with a close frame (1001), and the pages connect again.

use std::time::Duration;

use anyhow::Context;
use quintet_examples::{MaybeTls, arguments, outln};
use quintet_server::{
    Html, IntoResponse, Listener, Message, Request, Response, ServeMux, Server, WebSocket, WebSocketError,
    WebSocketOptions, listen, websocket, with_state,
};
use tokio::{
    select,
    sync::broadcast::{self, error::RecvError},
};

/// The messages that a slow page may be behind before it misses some.
const MAX_BEHIND: usize = 64;
/// The longest message of the chat, in bytes.
const MAX_LINE_BYTES: usize = 2000;

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = ":9090")]
    addr: String,
    #[command(flatten)]
    tls: MaybeTls,
}

type Room = broadcast::Sender<String>;

async fn chat(room: Room, request: Request) -> Response {
    let options = WebSocketOptions { max_message_bytes: MAX_LINE_BYTES, ..WebSocketOptions::default() };
    websocket(&request, &options, |socket| talk(socket, room))
}

/// Waits for what this page writes and for what all pages write, whichever comes first.
async fn talk(mut socket: WebSocket, room: Room) -> Result<(), WebSocketError> {
    let mut lines = room.subscribe();
    loop {
        select! {
            message = socket.next() => match message {
                Some(message) => {
                    if let Message::Text(line) = message? {
                        let _ = room.send(line); // this page subscribes, so that it is never refused
                    }
                }
                None => return Ok(()), // the page was closed, or the server stops
            },
            line = lines.recv() => match line {
                Ok(line) => socket.send(line).await?,
                Err(RecvError::Lagged(missed)) => socket.send(format!("({missed} lines are missing)")).await?,
                Err(RecvError::Closed) => return Ok(()),
            },
        }
    }
}

/// Sends back what it is sent, in a subprotocol if the client asks for it.
async fn echo(request: Request) -> Response {
    let options = WebSocketOptions { protocols: vec!["echo".to_owned()], ..WebSocketOptions::default() };
    websocket(&request, &options, async |mut socket| {
        while let Some(message) = socket.next().await {
            socket.send(message?).await?;
        }
        Ok(())
    })
}

const PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Chat</title>
<meta name=viewport content='width=device-width'><link rel=icon href=data:>
<style>
:root { color-scheme: light dark } body { font: 1rem/1.5 system-ui; max-width: 40rem; margin: 2rem auto; padding: 0 1rem }
form { display: flex; gap: .5rem } input { flex: 1 } input, button { font: inherit; padding: .4rem .6rem }
li { overflow-wrap: anywhere } #state { opacity: .7 }
</style>
<h1>Chat</h1>
<p id=state role=status>connecting …</p>
<form><input name=text required maxlength=500 autofocus autocomplete=off aria-label='What to say'><button>Say it</button></form>
<ul id=lines aria-live=polite></ul>
<script>
const form = document.forms[0], state = document.querySelector('#state'), list = document.querySelector('#lines');
let socket;
function connect() {
    socket = new WebSocket(location.href.replace(/^http/, 'ws') + 'chat');
    socket.onopen = () => state.textContent = 'connected';
    socket.onmessage = ({ data }) => list.prepend(Object.assign(document.createElement('li'), { textContent: data }));
    socket.onclose = ({ code }) => { state.textContent = `closed (${code}), connecting again …`; setTimeout(connect, 1000); };
}
connect();
form.onsubmit = (event) => { event.preventDefault(); socket.send(form.text.value); form.reset(); };
</script></html>
";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { addr, tls } = arguments(include_str!("21_chat.rs"));
    let mux = ServeMux::new();
    mux.handle("GET /{$}", async |_: Request| Html(PAGE).into_response());
    mux.handle("GET /chat", with_state(Room::new(MAX_BEHIND), chat));
    mux.handle("GET /echo", echo);

    let listener = listen(&addr).with_context(|| format!("cannot listen on {addr}"))?;
    outln!("listening on {}", listener.local_addr()?);
    let server = Server::new(mux);
    let grace = Duration::from_secs(8);
    let report = match tls.config()? {
        Some(tls) => {
            let listener = server.tls_listener(listener, tls);
            server.serve_until_signal(listener, grace).await?
        }
        None => server.serve_until_signal(listener, grace).await?,
    };
    outln!("drained {} connections, aborted {}", report.drained, report.aborted);
    Ok(())
}
