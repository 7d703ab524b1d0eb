//! Server-sent events: a reply that goes on while events happen.

mod event_options;
mod event_stream;
mod event_writer;
#[expect(clippy::module_inception, reason = "a file is named after the function in it")]
mod events;

pub use event_options::EventOptions;
pub use event_writer::EventWriter;
pub use events::{events, events_with, last_event_id};
