//! The notes, and their API. A program with a database has its queries in the place of the map.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    ops::RangeInclusive,
    sync::{Arc, MutexGuard, PoisonError},
};

use quintet_server::{
    IntoResponse, Request, Response, StatusCode,
    mux::{HttpError, Json, OrStatus},
};
use serde::{Deserialize, Serialize};

use super::{App, accounts::User, now, pictures::Picture};

/// The most notes. With a picture each they take 400 MiB.
const MAX_NOTES: usize = 200;
/// The most bytes of a note as JSON.
const MAX_NOTE_BYTES: u64 = 32 * 1024;

/// A note, as the pages get it.
#[derive(Clone, Serialize)]
pub(crate) struct Note {
    id: u64,
    title: String,
    text: String,
    author: String,
    /// When it was changed last, in milliseconds since 1970.
    changed: u128,
    pub(crate) picture: Option<Picture>,
}

/// What a client says of a note.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    title: String,
    text: String,
}

impl Draft {
    async fn read(request: &mut Request) -> Result<Self, HttpError> {
        let draft: Self = request.json(MAX_NOTE_BYTES).await?;
        check("title", &draft.title, 1..=80)?;
        check("text", &draft.text, 0..=4_000)?;
        // Without the blanks that were not counted, or a title of 80 characters could have 30 KiB.
        Ok(Self { title: draft.title.trim().to_owned(), text: draft.text.trim().to_owned() })
    }
}

/// Checks the length of a field, in characters; blanks around it do not count.
pub(crate) fn check(field: &str, text: &str, length: RangeInclusive<usize>) -> Result<(), HttpError> {
    let (from, to) = (length.start(), length.end());
    let fits = length.contains(&text.trim().chars().count()).then_some(());
    fits.or_status(StatusCode::UNPROCESSABLE_ENTITY, format!("{field}: expected {from} to {to} characters"))
}

/// The notes by their numbers.
#[derive(Default)]
pub(crate) struct Notes {
    by_id: BTreeMap<u64, Note>,
    /// The last number that was given: none is given twice, or a page would change another note than the one it shows.
    last_id: u64,
}

impl Notes {
    pub(crate) fn find(&mut self, id: u64) -> Result<&mut Note, HttpError> {
        self.by_id.get_mut(&id).or_status(StatusCode::NOT_FOUND, format!("there is no note {id}"))
    }
}

impl App {
    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        // No code panics in the middle of a change, so poisoned notes are whole.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a note, and tells the pages of it before another change can be made.
    pub(crate) fn change(&self, id: u64, change: impl FnOnce(&mut Note)) -> Result<Json<Note>, HttpError> {
        let mut notes = self.notes();
        let note = notes.find(id)?;
        change(note);
        note.changed = now().as_millis();
        self.live.tell("saved", note)?;
        Ok(Json(note.clone()))
    }
}

#[derive(Deserialize)]
struct Query {
    #[serde(default)]
    search: String,
}

/// The notes that have the text of `search`, the last changed first.
pub(crate) async fn list(app: Arc<App>, request: Request) -> Result<Json<Vec<Note>>, HttpError> {
    let search = request.query_as::<Query>()?.search.to_lowercase();
    let has = |text: &String| text.to_lowercase().contains(&search);
    let is_found = |note: &&Note| has(&note.title) || has(&note.text) || has(&note.author);
    let mut found: Vec<Note> = app.notes().by_id.values().filter(is_found).cloned().collect();
    found.sort_by_key(|note| Reverse((note.changed, note.id)));
    Ok(Json(found))
}

pub(crate) async fn add(app: Arc<App>, mut request: Request) -> Result<Response, HttpError> {
    let Draft { title, text } = Draft::read(&mut request).await?;
    let User { name: author } = request.extension().cloned().or_status(StatusCode::FORBIDDEN, "sign in first")?;
    let mut notes = app.notes();
    if notes.by_id.len() >= MAX_NOTES {
        return Err(HttpError::new(StatusCode::INSUFFICIENT_STORAGE, "there are too many notes"));
    }
    notes.last_id += 1;
    let id = notes.last_id;
    let note = Note { id, title, text, author, changed: now().as_millis(), picture: None };
    notes.by_id.insert(id, note.clone());
    app.live.tell("saved", &note)?;
    Ok((StatusCode::CREATED, [("location", format!("/api/notes/{id}"))], Json(note)).into_response())
}

pub(crate) async fn show(app: Arc<App>, request: Request) -> Result<Json<Note>, HttpError> {
    Ok(Json(app.notes().find(request.path_value_as("id")?)?.clone()))
}

pub(crate) async fn change(app: Arc<App>, mut request: Request) -> Result<Json<Note>, HttpError> {
    let Draft { title, text } = Draft::read(&mut request).await?;
    app.change(request.path_value_as("id")?, |note| (note.title, note.text) = (title, text))
}

pub(crate) async fn remove(app: Arc<App>, request: Request) -> Result<StatusCode, HttpError> {
    let mut notes = app.notes();
    let id = notes.find(request.path_value_as("id")?)?.id;
    notes.by_id.remove(&id);
    app.live.tell("removed", &id)?;
    Ok(StatusCode::NO_CONTENT)
}
