//! What the server tells the pages: the changes of the notes, by server-sent events, and the chat, by WebSocket.

use std::sync::Arc;

use quintet_server::{
    Message, Request, Response, StatusCode, WebSocket, WebSocketError, WebSocketOptions,
    mux::{Event, HttpError, OrStatus, events},
    websocket,
};
use serde::Serialize;
use tokio::{select, sync::broadcast};

use super::{App, accounts::User, notes::check};

/// The messages that a slow page may be behind. Then its stream ends, and it connects again and gets all notes anew.
const MAX_BEHIND: usize = 64;
/// The most characters of a line of the chat.
const MAX_LINE: usize = 500;

/// What all pages hear.
pub(crate) struct Live {
    changes: broadcast::Sender<Event>,
    lines: broadcast::Sender<String>,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self { changes: broadcast::Sender::new(MAX_BEHIND), lines: broadcast::Sender::new(MAX_BEHIND) }
    }

    /// Sends an event to all pages.
    pub(crate) fn tell(&self, name: &str, data: &impl Serialize) -> Result<(), HttpError> {
        let event = Event::new(serde_json::to_string(data)?).with_name(name)?;
        let _ = self.changes.send(event); // an error is that no page is open
        Ok(())
    }
}

/// The changes from now on. A page lists the notes when the stream is open, so it misses none.
pub(crate) async fn changes(app: Arc<App>, _: Request) -> Response {
    let mut changes = app.live.changes.subscribe();
    events(async move |mut out| {
        while let Ok(event) = changes.recv().await {
            out.send(&event).await?;
        }
        Ok(())
    })
}

/// A line of the chat, as the pages get it.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    text: &'a str,
}

pub(crate) async fn chat(app: Arc<App>, request: Request) -> Result<Response, HttpError> {
    let user: User = request.extension().cloned().or_status(StatusCode::FORBIDDEN, "sign in first")?;
    let options = WebSocketOptions { max_message_bytes: 4 * MAX_LINE, ..WebSocketOptions::default() };
    Ok(websocket(&request, &options, |socket| talk(socket, user, app)))
}

/// Waits for what this page writes and for what all pages write, whichever comes first.
async fn talk(mut socket: WebSocket, user: User, app: Arc<App>) -> Result<(), WebSocketError> {
    let mut lines = app.live.lines.subscribe();
    loop {
        select! {
            // `None`: the page was closed, or the server stops.
            message = socket.next() => match message.transpose()? {
                Some(Message::Text(text)) if check("text", &text, 1..=MAX_LINE).is_ok() => {
                    let line = Line { name: &user.name, text: &text };
                    let _ = app.live.lines.send(serde_json::to_string(&line).unwrap_or_default());
                }
                Some(_) => {}
                None => return Ok(()),
            },
            line = lines.recv() => match line {
                Ok(line) => socket.send(line).await?,
                Err(_) => return Ok(()),
            },
        }
    }
}
