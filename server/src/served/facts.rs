//! The facts of one request: what is noted of it in numbers.

use std::{net::SocketAddr, time::SystemTime};

use http::StatusCode;
use quintet_conn::Connection;
use quintet_listener::Addr;
use quintet_request::CloseReason;
use tokio::time::Instant;

use super::{outcome::Outcome, reply_place::ReplyPlace};

/// The facts of one request: what is noted of it in numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) began: Instant,
    /// Both clocks at a time near the beginning.
    pub(super) clocks: (Instant, SystemTime),
    /// When the first byte of the reply was taken.
    pub(super) first: Option<Instant>,
    /// When the last byte of the reply was taken, or the request was cut.
    pub(super) last: Option<Instant>,
    pub(super) status: Option<StatusCode>,
    /// Whether the request has a body that was not in memory from the beginning.
    pub(super) has_body: bool,
    /// Bytes of the request's body.
    pub(super) received: u64,
    /// Bytes of the reply's body.
    pub(super) sent: u64,
    pub(super) outcome: Outcome,
    /// Whether the whole reply was sent.
    pub(super) is_whole: bool,
    pub(super) close: Option<CloseReason>,
    pub(super) place: ReplyPlace,
    pub(super) peer: Peer,
}

/// The peer of a request: what a line tells of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The address; `None` on a Unix socket.
    pub(crate) addr: Option<SocketAddr>,
    /// The version of TLS.
    pub(crate) tls: Option<&'static str>,
}

impl Peer {
    #[inline]
    pub(crate) fn of(connection: &Connection) -> Self {
        let addr = match connection.peer_addr() {
            Addr::Tcp(addr) => Some(*addr),
            Addr::Unix(_) => None,
        };
        Self { addr, tls: connection.tls().map(|tls| tls.version_name().unwrap_or("unknown")) }
    }
}

impl Facts {
    /// Those of a request that has begun, which is cut if nothing else is noted.
    #[inline]
    pub(super) fn new(began: Instant, clocks: (Instant, SystemTime)) -> Self {
        Self {
            began,
            clocks,
            first: None,
            last: None,
            status: None,
            has_body: false,
            received: 0,
            sent: 0,
            outcome: Outcome::Cut,
            is_whole: false,
            close: None,
            place: ReplyPlace::UNKNOWN,
            peer: Peer::default(),
        }
    }

    /// Makes them those of another request that has begun, as [`new`](Self::new). In place: most of what is not reset here is
    /// written before it is read.
    #[inline]
    pub(super) fn begin(&mut self, began: Instant, clocks: (Instant, SystemTime)) {
        (self.began, self.clocks) = (began, clocks);
        (self.first, self.last, self.status, self.close) = (None, None, None, None);
        (self.has_body, self.received, self.sent) = (false, 0, 0);
        (self.outcome, self.is_whole, self.place) = (Outcome::Cut, false, ReplyPlace::UNKNOWN);
    }

    /// When the request began, by the clock of the day.
    pub(super) fn began_at(&self) -> SystemTime {
        let (instant, wall) = self.clocks;
        // The instant may be a little before the reading of both clocks.
        match self.began.checked_duration_since(instant) {
            Some(after) => wall + after,
            None => wall - instant.duration_since(self.began),
        }
    }

    /// Notes the times of what the stream has sent: all bytes of the connection before `sent`.
    #[inline]
    pub(super) fn sent_until(&mut self, sent: u64, now: Instant) {
        if sent > self.place.begin {
            self.first.get_or_insert(now);
        }
        if sent >= self.place.end {
            self.last.get_or_insert(now);
        }
    }

    /// The connection has ended, for this reason, before the whole reply was sent.
    pub(super) fn cut(&mut self, reason: Option<CloseReason>) {
        self.close = reason.or(self.close);
        self.last.get_or_insert_with(Instant::now);
        if matches!(self.outcome, Outcome::Complete | Outcome::TakenOver) {
            self.outcome = Outcome::Cut;
        }
    }
}
