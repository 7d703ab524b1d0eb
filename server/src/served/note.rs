//! The note of one request: what its event will tell.

use std::time::SystemTime;

use http::{Method, StatusCode};
use quintet_conn::RequestValues;
use quintet_request::{CloseReason, Head};
use tokio::time::Instant;

use super::outcome::Outcome;

/// The note of one request: what its event will tell. Its memory is used again for later requests.
#[derive(Debug)]
pub(crate) struct Note {
    /// The head, as it arrived; empty if it was refused.
    pub(super) head: Head,
    /// The method of a refused head of HTTP/2.
    pub(super) method: Option<Method>,
    /// What handlers left, with the route.
    pub(super) values: RequestValues,
    pub(super) began: Instant,
    /// The same by the clock of the day.
    pub(super) began_at: SystemTime,
    /// When the first byte of the reply was taken.
    pub(super) first: Option<Instant>,
    /// When the last byte of the reply was taken, or the request was cut.
    pub(super) last: Option<Instant>,
    pub(super) status: Option<StatusCode>,
    /// Bytes of the request's body.
    pub(super) received: u64,
    /// Bytes of the reply's body.
    pub(super) sent: u64,
    pub(super) outcome: Outcome,
    /// Whether the whole reply was sent.
    pub(super) is_whole: bool,
    pub(super) close: Option<CloseReason>,
}

impl Note {
    /// The note of a request that has begun, which is cut if nothing else is noted.
    pub(super) fn new(began: Instant, began_at: SystemTime) -> Self {
        Self {
            head: Head::default(),
            method: None,
            values: RequestValues::new(),
            began,
            began_at,
            first: None,
            last: None,
            status: None,
            received: 0,
            sent: 0,
            outcome: Outcome::Cut,
            is_whole: false,
            close: None,
        }
    }
}
