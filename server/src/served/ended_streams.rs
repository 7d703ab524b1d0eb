//! The notes of the streams of one connection whose tasks have ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quintet_conn::Connection;

use super::stream_note::StreamNote;
use crate::observe::Observer;

/// The notes of the streams of one connection whose tasks have ended, and whose last frames the connection has not taken
/// yet. `None` after the connection has ended.
#[derive(Debug)]
pub(crate) struct EndedStreams(Mutex<Option<Vec<StreamNote>>>);

impl EndedStreams {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<StreamNote>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The task of a stream has ended. If its connection has, too, the event is fired here.
    pub(crate) fn push(&self, mut note: StreamNote, observer: &Observer, connection: &Arc<Connection>) {
        note.finish();
        if let Some(ended) = &mut *self.lock() {
            ended.push(note);
            return;
        }
        let StreamNote { mut note, .. } = note;
        note.facts.cut(connection.close_reason());
        observer.served(note, connection);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().as_ref().map_or(0, Vec::len)
    }

    /// Takes the first `n` of them.
    pub(crate) fn take(&self, n: usize) -> Vec<StreamNote> {
        self.lock().as_mut().map_or_else(Vec::new, |ended| ended.drain(..n.min(ended.len())).collect())
    }

    /// Takes all of them, as the connection has ended.
    pub(crate) fn close(&self) -> Vec<StreamNote> {
        self.lock().take().unwrap_or_default()
    }
}
