//! The parts of a form, one after the other, as they arrive.

use std::fmt;

use super::{
    event_reader::{Event, EventReader},
    multipart_read_error::MultipartReadError,
    part::Part,
};
use crate::{Body, Boundary, MultipartLimits};

/// The parts of a `multipart/form-data` body, read as they arrive. Made by
/// [`Request::multipart_reader`](crate::Request::multipart_reader). Go: `multipart.Reader`.
///
/// Nothing is read ahead: while no task asks for a part or for its data, the client waits. Dropping this discards the
/// rest of the body.
pub struct Parts {
    reader: EventReader,
}

impl Parts {
    pub(crate) fn new(body: Body, boundary: &Boundary, limits: &MultipartLimits) -> Self {
        Self { reader: EventReader::new(body, boundary, limits) }
    }

    /// Waits for the next part, and skips what is left of the part before. `None` after the last part, when the body has
    /// been read to its end. Go: `Reader.NextPart`.
    ///
    /// # Errors
    /// [`MultipartReadError`]; every further call returns the same error. Parts that were complete before it were of the
    /// form: a handler that must take all of a form or nothing has to undo what it did.
    ///
    /// # Cancel safety
    /// Cancel safe: the next call goes on where this one stopped.
    #[doc(alias = "NextPart")]
    pub async fn next_part(&mut self) -> Result<Option<Part<'_>>, MultipartReadError> {
        loop {
            match self.reader.next().await? {
                Event::Part(header) => return Ok(Some(Part::new(&mut self.reader, header))),
                Event::Data(_) | Event::PartEnd => {}
                Event::End => return Ok(None),
            }
        }
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("body", self.reader.body()).finish_non_exhaustive()
    }
}
