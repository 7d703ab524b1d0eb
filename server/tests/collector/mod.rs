//! A subscriber of `tracing` that keeps what it is told by this crate and by the tests.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex, MutexGuard},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// The names and values of a span or an event, as text.
pub type Fields = BTreeMap<String, String>;

/// A span as it was told.
#[derive(Clone, Debug, Default)]
pub struct Span {
    pub name: String,
    pub fields: Fields,
    /// How many handles of it there are; it ends at zero.
    handles: u64,
}

impl Span {
    pub fn has_ended(&self) -> bool {
        self.handles == 0
    }
}

/// An event as it was told.
#[derive(Clone, Debug)]
pub struct Told {
    pub level: Level,
    /// The number of the span that is its parent.
    pub span: Option<u64>,
    pub fields: Fields,
}

#[derive(Default)]
struct State {
    /// The span with the number n is at n - 1.
    spans: Vec<Span>,
    events: Vec<Told>,
    /// The spans that are entered; the tests have one thread.
    entered: Vec<u64>,
}

/// Keeps spans and events; a clone has the same ones.
#[derive(Clone, Default)]
pub struct Collector {
    state: Arc<Mutex<State>>,
}

impl Collector {
    /// Takes what this thread tells, until the result is dropped.
    pub fn listen(&self) -> tracing::subscriber::DefaultGuard {
        tracing::subscriber::set_default(self.clone())
    }

    pub fn spans(&self) -> Vec<Span> {
        self.state().spans.clone()
    }

    pub fn events(&self) -> Vec<Told> {
        self.state().events.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    fn span(&self, id: &Id) -> usize {
        usize::try_from(id.into_u64()).expect("a number") - 1
    }
}

struct Visitor<'a>(&'a mut Fields);

impl Visit for Visitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Not those of tokio, h2 and rustls.
        ["quintet_server", "test"].contains(&metadata.target())
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut span = Span { name: attributes.metadata().name().to_owned(), handles: 1, ..Span::default() };
        attributes.record(&mut Visitor(&mut span.fields));
        let mut state = self.state();
        state.spans.push(span);
        Id::from_u64(state.spans.len() as u64)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        values.record(&mut Visitor(&mut self.state().spans[self.span(id)].fields));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut Visitor(&mut fields));
        let mut state = self.state();
        let current = if event.is_contextual() { state.entered.last().copied() } else { None };
        let span = event.parent().map(Id::into_u64).or(current);
        state.events.push(Told { level: *event.metadata().level(), span, fields });
    }

    fn enter(&self, id: &Id) {
        self.state().entered.push(id.into_u64());
    }

    fn exit(&self, id: &Id) {
        let mut state = self.state();
        let last = state.entered.iter().rposition(|entered| *entered == id.into_u64()).expect("it was entered");
        state.entered.remove(last);
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.state().spans[self.span(id)].handles += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut state = self.state();
        let span = &mut state.spans[self.span(&id)];
        span.handles -= 1;
        span.has_ended()
    }
}
