//! The rule of a refusal as text, and the chapter that explains it.

use std::fmt;

use quintet_request::HeadError;

use crate::served::Refusal;

/// The rule of a refusal: its text has no byte of the client, only positions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule(pub(super) Refusal);

impl Rule {
    /// The chapter that explains the rule: a file of the repository, and a heading in it.
    pub(super) fn chapter(self) -> &'static str {
        match self.0 {
            // What can be read in two ways.
            Refusal::Head(
                HeadError::Framing { .. }
                | HeadError::SpaceBeforeColon { .. }
                | HeadError::BareLf { .. }
                | HeadError::BareCr { .. }
                | HeadError::Fold { .. }
                | HeadError::DuplicateHost { .. }
                | HeadError::HostDisagrees { .. },
            ) => "request/README.md#where-does-a-message-end",
            Refusal::Head(_) | Refusal::UnexpectedEof => "request/README.md#the-rules",
            Refusal::HeadTimeout => "conn/README.md#timeouts",
            Refusal::Misdirected => "server/README.md#the-rules-of-tls",
            Refusal::NoPlace => "server/README.md#http2",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Refusal::Head(error) => error.fmt(f),
            Refusal::HeadTimeout => f.write_str("the head arrived too slowly"),
            Refusal::UnexpectedEof => f.write_str("the head ended early"),
            Refusal::Misdirected => f.write_str("this connection is for another host"),
            Refusal::NoPlace => f.write_str("no handler of the connection ended in time"),
        }
    }
}
