//! The reader of a multipart body: its parser, fed by the body.

use bytes::Bytes;

use super::multipart_read_error::MultipartReadError;
use crate::{Body, Boundary, Multipart, MultipartLimits, MultipartStep, PartHeader};

/// The reader of a multipart body.
pub(super) struct EventReader {
    body: Body,
    /// The bytes of the body that were read and not parsed.
    rest: Bytes,
    multipart: Multipart,
}

/// What comes next in a body.
pub(super) enum Event {
    Part(PartHeader),
    Data(Bytes),
    PartEnd,
    End,
}

impl EventReader {
    pub(super) fn new(body: Body, boundary: &Boundary, limits: &MultipartLimits) -> Self {
        let multipart = Multipart::new(boundary, limits);
        Self { body: body.limited(limits.total), rest: Bytes::new(), multipart }
    }

    pub(super) fn body(&self) -> &Body {
        &self.body
    }

    /// What comes next. Cancel safe: an event is taken only when it is returned.
    pub(super) async fn next(&mut self) -> Result<Event, MultipartReadError> {
        loop {
            while !self.rest.is_empty() {
                let step = self.multipart.next(&self.rest)?;
                let taken = self.rest.split_to(step.len());
                match step {
                    MultipartStep::Framing(_) => {}
                    MultipartStep::Part(_) => {
                        let header = self.multipart.take_part().expect("this step has a header");
                        return Ok(Event::Part(header));
                    }
                    MultipartStep::Kept(_) => return Ok(Event::Data(self.multipart.kept())),
                    MultipartStep::Data(_) => return Ok(Event::Data(taken)),
                    MultipartStep::PartEnd(_) => return Ok(Event::PartEnd),
                }
            }
            match self.body.chunk().await? {
                Some(bytes) => self.rest = bytes,
                None => {
                    self.multipart.finish()?;
                    return Ok(Event::End);
                }
            }
        }
    }

    /// The bytes of the body that were parsed.
    pub(super) fn at(&self) -> u64 {
        self.multipart.at()
    }
}
