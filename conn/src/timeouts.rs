//! The time limits of a connection, and its least data rate.
//!
//! A client that sends nothing, sends too slowly or does not read what it is sent would hold a connection for ever.
//! Each way of being slow has a [`Phase`] with its own limit. A head or an idle wait must *end* within a time; a body
//! or a reply may be as long as it likes but must *move*: after a grace, at no less than a rate, and never stand
//! still for long. Only the time spent waiting for the client counts: what a handler takes is the handler's.
//!
//! All times here are [`Tick`]s of a clock that only goes forward; nothing here asks what time it is.

use std::time::Duration;

use crate::{Phase, Tick};

/// The time limits of a connection. [`Duration::MAX`] turns one off.
///
/// # Example
/// ```
/// use quintet_conn::Timeouts;
/// use std::time::Duration;
///
/// let patient = Timeouts { idle: Duration::from_secs(300), ..Timeouts::default() };
/// assert_eq!(patient.read_header, Duration::from_secs(10));
/// ```
#[doc(alias = "deadline")]
#[doc(alias = "slowloris")]
#[doc(alias = "ReadHeaderTimeout")]
#[doc(alias = "IdleTimeout")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// A head must have arrived within this time of its first byte (of the connection's beginning for the first):
    /// 10 s. Go: `Server.ReadHeaderTimeout`, by default none.
    pub read_header: Duration,
    /// How long a connection may wait between requests: 75 s. Go: `Server.IdleTimeout`, by default none.
    pub idle: Duration,
    /// The least rate at which a body arrives and a reply is taken, in bytes per second: 240. Zero turns it off.
    #[doc(alias = "rate limit")]
    #[doc(alias = "MinDataRate")]
    pub min_rate: u32,
    /// How long a body or a reply may be slower than [`min_rate`](Self::min_rate) at its beginning: 5 s.
    pub min_rate_grace: Duration,
    /// How long a body may stand still altogether, and how long a client that sends nothing more (FIN) is assumed to
    /// wait for a reply of which there is nothing to send: 30 s.
    pub stall: Duration,
    /// How long a reply may stand still altogether: 60 s. nginx: `send_timeout`.
    ///
    /// That a client takes a reply is seen in steps: the kernel says that there is room again when half of what it may
    /// hold unsent has gone (32 KiB with the listener's default of `TCP_NOTSENT_LOWAT`, a third of up
    /// to 4 MiB where a system has none). A client slower than such a step in this time (550 B/s) may be cut off.
    pub reply_stall: Duration,
    /// How long a client that is still sending is read and ignored after a final answer, so that the answer is not
    /// lost with the connection: 2 s. Go sleeps 500 ms without reading.
    pub linger: Duration,
    /// How long an idle connection is still read when the server shuts down, for a request that may be on its way:
    /// 500 ms. Go closes at once and loses it.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            read_header: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            min_rate: 240,
            min_rate_grace: Duration::from_secs(5),
            stall: Duration::from_secs(30),
            reply_stall: Duration::from_secs(60),
            linger: Duration::from_secs(2),
            drain: Duration::from_millis(500),
        }
    }
}

impl Timeouts {
    /// No limits while the server runs, as Go's zero `Server`.
    pub fn none() -> Self {
        let never = Duration::MAX;
        Timeouts {
            read_header: never,
            idle: never,
            min_rate: 0,
            min_rate_grace: never,
            stall: never,
            reply_stall: never,
            ..Timeouts::default()
        }
    }

    /// The same limits, each so much longer (rates stay): for a clock that may be so much behind.
    pub(crate) fn longer(&self, by: Duration) -> Self {
        Timeouts {
            read_header: self.read_header.saturating_add(by),
            idle: self.idle.saturating_add(by),
            min_rate: self.min_rate,
            min_rate_grace: self.min_rate_grace.saturating_add(by),
            stall: self.stall.saturating_add(by),
            reply_stall: self.reply_stall.saturating_add(by),
            linger: self.linger.saturating_add(by),
            drain: self.drain.saturating_add(by),
        }
    }

    /// When a phase that began at `now` ends at the latest, if it is one that must end: for a phase that must move
    /// ([`Phase::Body`], [`Phase::Reply`]) see [`MinRate`](crate::MinRate). `None` is never.
    pub fn end(&self, phase: Phase, now: Tick) -> Option<Tick> {
        now.after(self.limit(phase))
    }

    /// How long a phase may last.
    pub(crate) fn limit(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Idle => self.idle,
            Phase::Head => self.read_header,
            Phase::Linger => self.linger,
            Phase::Drain => self.drain,
            Phase::Body => self.stall,
            Phase::Reply => self.reply_stall,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(limits: &Timeouts, phase: Phase, now: u64) -> Option<u64> {
        limits.end(phase, Tick::from_millis(now)).map(Tick::as_millis)
    }

    #[test]
    fn timeouts_default_is_as_documented() {
        let limits = Timeouts::default();
        assert_eq!(end(&limits, Phase::Head, 1_000), Some(11_000));
        assert_eq!(end(&limits, Phase::Idle, 0), Some(75_000));
        assert_eq!(end(&limits, Phase::Linger, 0), Some(2_000));
        assert_eq!(end(&limits, Phase::Reply, 0), Some(60_000));
        assert_eq!(
            (limits.min_rate, limits.min_rate_grace, limits.stall),
            (240, Duration::from_secs(5), Duration::from_secs(30))
        );
    }

    #[test]
    fn timeouts_none_has_no_end() {
        let limits = Timeouts::none();
        assert_eq!(end(&limits, Phase::Head, 5), None);
        assert_eq!(end(&limits, Phase::Idle, 5), None);
    }
}
