//! The timeouts of a connection, and its minimum data rate.
//!
//! A client that sends nothing, sends too slowly or does not read its reply would hold a connection for ever. Each way
//! of being slow has a [`Phase`] with its own limit. A head or an idle wait must *end* within a time. A body or a reply
//! may have any length but must *move*: after a grace period at no less than a minimum rate, and never without any byte
//! for long. Only the time spent waiting for the client counts, and not the time that a handler takes.
//!
//! All times are [`Tick`]s of a clock that only goes forward, and they are arguments.

use std::time::Duration;

use crate::{Phase, Tick};

/// The timeouts of a connection, and its minimum data rate. [`Duration::MAX`] turns a timeout off.
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
    /// How long a head may take, from its first byte, or on a new connection from the accept: 10 s. Go:
    /// `Server.ReadHeaderTimeout`, by default none.
    pub read_header: Duration,
    /// How long a connection may wait between requests: 75 s. Go: `Server.IdleTimeout`, by default none.
    pub idle: Duration,
    /// The minimum rate of a body that arrives and of a reply that is read, in bytes per second: 240. Zero turns it off.
    #[doc(alias = "rate limit")]
    #[doc(alias = "MinDataRate")]
    pub min_rate: u32,
    /// The grace period: how long a body or a reply may be slower than [`min_rate`](Self::min_rate) at first: 5 s.
    pub min_rate_grace: Duration,
    /// How long a body may arrive without any byte, and how long a handler may send nothing to a half-closed client (it
    /// sent FIN and may still read): 30 s.
    pub stall: Duration,
    /// How long a client may take no byte of its reply: 60 s. nginx: `send_timeout`.
    ///
    /// The kernel reports in steps that a client takes its reply: it reports room again when half of the unsent bytes
    /// that it may hold are gone (32 KiB with the listener's default of `TCP_NOTSENT_LOWAT`; a third of up to 4 MiB on
    /// a system without that option). A client slower than one step in this time (550 B/s) may be cut off. What a stream keeps
    /// before the kernel (TLS: records) does not count as taken.
    pub reply_stall: Duration,
    /// How long a connection lingers: after the final reply the server reads and discards what the client still sends,
    /// so that a reset does not destroy the reply: 2 s. Go sleeps 500 ms without reading.
    pub linger: Duration,
    /// How long an idle connection is still read when the server shuts down, for a request that may be on its way:
    /// 500 ms. Go closes at once and loses that request.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
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
    /// No timeouts and no minimum rate, as Go's zero `Server`. [`linger`](Self::linger) and [`drain`](Self::drain) keep
    /// their defaults, so that every close and every shutdown ends.
    pub fn none() -> Self {
        let never = Duration::MAX;
        Self {
            read_header: never,
            idle: never,
            min_rate: 0,
            min_rate_grace: never,
            stall: never,
            reply_stall: never,
            ..Self::default()
        }
    }

    /// The same timeouts, each longer by `by`. Rates are unchanged.
    pub(crate) fn longer(&self, by: Duration) -> Self {
        Self {
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

    /// The deadline of a phase that begins at `now`; `None` is never. For [`Phase::Body`] and [`Phase::Reply`] this is
    /// the time without any byte; for their minimum rate see [`MinRate`](crate::MinRate).
    pub fn end(&self, phase: Phase, now: Tick) -> Option<Tick> {
        now.after(self.limit(phase))
    }

    /// The time limit of a phase; of a body or a reply, the time without any byte.
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
