//! The sample of one request for the live figure. Without the feature `live` it is nothing, and takes no memory.

use quintet_mux::Response;
use quintet_request::{CloseReason, Next, Request};

#[cfg(feature = "live")]
use crate::figure::OpenSample;
use crate::{
    served::{Outcome, Refusal},
    shared::Shared,
};

/// The sample of one request: off, unless the live figure is watched and wants one.
#[derive(Debug)]
pub(crate) struct Sampling {
    #[cfg(feature = "live")]
    on: Option<Box<OpenSample>>,
}

impl Sampling {
    /// Begins the sample of a request whose head was read.
    #[inline(always)]
    pub(crate) fn begin<H>(server: &Shared<H>, request: &mut Request) -> Self {
        #[cfg(not(feature = "live"))]
        let _ = (server, request);
        Self {
            #[cfg(feature = "live")]
            on: if server.watch.is_watched() && server.watch.begin() {
                OpenSample::begin(&server.watch, &server.limits, request)
            } else {
                None
            },
        }
    }

    /// No sample: the head was refused.
    #[cfg(feature = "http2")]
    pub(crate) fn none() -> Self {
        Self {
            #[cfg(feature = "live")]
            on: None,
        }
    }

    /// The handler has returned this response.
    #[inline(always)]
    pub(crate) fn handled(&mut self, response: &Response) {
        #[cfg(feature = "live")]
        if let Some(on) = &mut self.on {
            on.handled(response);
        }
        #[cfg(not(feature = "live"))]
        let _ = response;
    }

    /// What became of the request. The first outcome that is told stays.
    #[inline(always)]
    pub(crate) fn set_outcome(&mut self, outcome: Outcome) {
        #[cfg(feature = "live")]
        if let Some(on) = &mut self.on {
            on.set_outcome(outcome);
        }
        #[cfg(not(feature = "live"))]
        let _ = outcome;
    }

    /// The handler or the body of the reply panicked.
    #[cfg(feature = "http2")]
    pub(crate) fn panicked(&self) {
        #[cfg(feature = "live")]
        if let Some(on) = &self.on {
            on.panicked();
        }
    }

    /// The request is over: whether the connection goes on, and why not.
    #[inline(always)]
    pub(crate) fn finish(mut self, next: Next, reason: Option<CloseReason>) {
        self.set_outcome(match (next, reason) {
            (_, Some(CloseReason::Panic)) => Outcome::Panicked,
            (Next::TakeOver, _) => Outcome::TakenOver,
            (_, Some(CloseReason::ReplyBroken)) | (Next::Reset, _) => Outcome::Broken,
            (Next::Continue | Next::Linger, _) => Outcome::Complete,
            (_, Some(CloseReason::HandlerAsked)) => Outcome::Broken,
            _ => Outcome::Cut,
        });
    }
}

/// Tells the live figure of a refusal, if it is compiled in.
#[inline(always)]
pub(crate) fn note_refusal<H>(server: &Shared<H>, refusal: Refusal) {
    #[cfg(feature = "live")]
    server.watch.refuse(refusal);
    #[cfg(not(feature = "live"))]
    let _ = (server, refusal);
}
