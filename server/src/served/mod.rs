//! One event per request: what became of it.

#[cfg(feature = "http2")]
mod ended_streams;
#[cfg(any(test, feature = "testing"))]
mod example;
mod facts;
mod head_parts;
mod inner_stream;
mod note;
mod notes;
mod observed;
mod outcome;
mod refusal;
mod reply_place;
#[expect(clippy::module_inception, reason = "the type of this name is in it")]
mod served;
#[cfg(feature = "http2")]
mod stream_note;

#[cfg(feature = "http2")]
pub(crate) use ended_streams::EndedStreams;
#[cfg(any(test, feature = "testing"))]
pub use example::ServedExample;
pub(crate) use facts::Peer;
pub(crate) use note::{BoxedNotes, Keep, Note};
pub(crate) use notes::Notes;
pub(crate) use observed::{Observed, begin, finish, finish_wire, is_observed, observe, observe_wire};
pub use outcome::Outcome;
pub use refusal::Refusal;
pub use served::Served;
#[cfg(feature = "http2")]
pub(crate) use stream_note::StreamNote;
