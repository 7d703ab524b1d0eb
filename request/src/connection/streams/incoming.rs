//! A request of a connection of HTTP/2, or a refused head, with the handle of its reply.

use http::Method;

use super::stream_reply::StreamReply;
use crate::{HeadError, Request};

/// A request of a connection of HTTP/2, or a refused head, with the handle of its reply.
#[derive(Debug)]
pub enum Incoming {
    /// A request.
    Request(Request, StreamReply),
    /// A head that was refused by the rules for any head: answer with the error's status. The connection goes on.
    Refused {
        /// The rule that the head broke.
        error: HeadError,
        /// The method, which decides whether the reply has a body.
        method: Method,
        /// The handle of the reply.
        reply: StreamReply,
    },
}

impl Incoming {
    /// The handle of the reply.
    pub fn reply_mut(&mut self) -> &mut StreamReply {
        match self {
            Self::Request(_, reply) | Self::Refused { reply, .. } => reply,
        }
    }

    /// The handle of the reply, without the request.
    pub fn into_reply(self) -> StreamReply {
        match self {
            Self::Request(_, reply) | Self::Refused { reply, .. } => reply,
        }
    }
}
