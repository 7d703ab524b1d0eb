//! Notes as a JSON API: a small REST service with state, validation and errors.
//!
//! You learn: how JSON, a query and a path are read as types; how `?` makes replies of errors, with the status and the text
//!           that the client may know; and how all errors of a service become problem details (RFC 9457) by one wrapper.
//!
//! Run:      `cargo run --example 20_json`
//! Then:     `curl localhost:9090/notes --json '{"text": "buy milk", "tags": ["home"]}'`
//!           `curl localhost:9090/notes/1`, `curl 'localhost:9090/notes?tag=home'`
//!           `curl -X PUT localhost:9090/notes/1 --json '{"text": "buy oats"}'`, `curl -X DELETE localhost:9090/notes/1`
//! You see:  the note with its number, or why not. Try:
//!           `curl localhost:9090/notes --json '{"text": 7}'` (422, with the field), `--json '{"text": '` (400, with the place),
//!           `curl localhost:9090/notes -d text=x` (415), `curl localhost:9090/notes/x` (400), `curl localhost:9090/none` (404)
//! End:      Ctrl-C.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quintet_examples::{arguments, outln};
use quintet_server::{
    Handler, Request, Response, ServeMux, Server, StatusCode,
    mux::{HttpError, IntoResponse, Json, OrStatus, problem_details, with_state},
};

/// The most bytes of a note as JSON.
const MAX_NOTE_BYTES: u64 = 16 * 1024;
/// The most notes.
const MAX_NOTES: usize = 1_000;

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// The address to listen on
    #[arg(long, default_value = ":9090")]
    addr: String,
}

#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
struct Note {
    text: String,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(serde::Serialize)]
struct Numbered {
    id: u64,
    #[serde(flatten)]
    note: Note,
}

#[derive(serde::Deserialize)]
struct Filter {
    tag: Option<String>,
    #[serde(default = "twenty")]
    limit: usize,
}

fn twenty() -> usize {
    20
}

/// The notes by their numbers. A clone is a handle of the same notes.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<BTreeMap<u64, Note>>>);

impl Notes {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Note>> {
        // No code panics in the middle of a change, so a poisoned map is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A note of the body, checked.
async fn read(request: &mut Request) -> Result<Note, HttpError> {
    let note: Note = request.json(MAX_NOTE_BYTES).await?;
    if note.text.trim().is_empty() {
        return Err(HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, "text: expected some words"));
    }
    Ok(note)
}

async fn list(notes: Notes, request: Request) -> Result<Json<Vec<Numbered>>, HttpError> {
    let Filter { tag, limit } = request.query_as()?;
    let notes = notes.lock();
    let found = notes.iter().filter(|(_, note)| tag.as_ref().is_none_or(|tag| note.tags.contains(tag)));
    Ok(Json(found.take(limit).map(|(id, note)| Numbered { id: *id, note: note.clone() }).collect()))
}

async fn add(notes: Notes, mut request: Request) -> Result<Response, HttpError> {
    let note = read(&mut request).await?;
    let mut notes = notes.lock();
    if notes.len() >= MAX_NOTES {
        return Err(HttpError::new(StatusCode::INSUFFICIENT_STORAGE, "there are too many notes"));
    }
    let id = notes.last_key_value().map_or(1, |(last, _)| last + 1);
    notes.insert(id, note.clone());
    Ok((StatusCode::CREATED, [("location", format!("/notes/{id}"))], Json(Numbered { id, note })).into_response())
}

async fn show(notes: Notes, request: Request) -> Result<Json<Numbered>, HttpError> {
    let id = request.path_value_as("id")?;
    let note = notes.lock().get(&id).cloned().or_status(StatusCode::NOT_FOUND, format!("there is no note {id}"))?;
    Ok(Json(Numbered { id, note }))
}

async fn change(notes: Notes, mut request: Request) -> Result<Json<Numbered>, HttpError> {
    let id = request.path_value_as("id")?;
    let note = read(&mut request).await?;
    let mut notes = notes.lock();
    let old = notes.get_mut(&id).or_status(StatusCode::NOT_FOUND, format!("there is no note {id}"))?;
    old.clone_from(&note);
    Ok(Json(Numbered { id, note }))
}

async fn remove(notes: Notes, request: Request) -> Result<StatusCode, HttpError> {
    let id = request.path_value_as("id")?;
    notes.lock().remove(&id).or_status(StatusCode::NOT_FOUND, format!("there is no note {id}"))?;
    Ok(StatusCode::NO_CONTENT)
}

fn routes() -> impl Handler {
    let (mux, notes) = (ServeMux::new(), Notes::default());
    mux.handle("GET /notes", with_state(notes.clone(), list));
    mux.handle("POST /notes", with_state(notes.clone(), add));
    mux.handle("GET /notes/{id}", with_state(notes.clone(), show));
    mux.handle("PUT /notes/{id}", with_state(notes.clone(), change));
    mux.handle("DELETE /notes/{id}", with_state(notes, remove));
    // Also the 404 and the 405 of the mux.
    problem_details(mux)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { addr } = arguments(include_str!("20_json.rs"));
    outln!("notes at {addr}/notes");
    Server::new(routes()).run(&addr, Duration::from_secs(5)).await?;
    Ok(())
}
