//! Which time limit, or least data rate, applies now.
//!
//! A client that sends nothing, sends too slowly or does not read what it is sent would hold a connection for ever.
//! Each way of being slow has a [`Phase`] with its own limit. A head or an idle wait must *end* within a time; a body
//! or a reply may be as long as it likes but must *move*: after a grace, at no less than a rate, and never stand
//! still for long. Only the time spent waiting for the client counts: what a handler takes is the handler's.
//!
//! All times here are milliseconds on a clock that only goes forward; nothing here asks what time it is.

use std::time::Duration;

/// A deadline that never comes.
#[cfg(any(feature = "io", test))]
pub(crate) const NEVER: u64 = u64::MAX;

/// What a connection is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The first byte of the next request, on a connection that was used before.
    Idle,
    /// A whole head: from the connection's beginning or from the head's first byte.
    Head,
    /// The next bytes of a body.
    Body,
    /// The client reading its reply.
    Reply,
    /// The rest of what a client sends although its answer is final.
    Linger,
    /// A request that may be on its way although the server is shutting down: idle connections are drained.
    Drain,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Phase; 6] = [Phase::Idle, Phase::Head, Phase::Body, Phase::Reply, Phase::Linger, Phase::Drain];
}

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
    #[cfg(feature = "io")]
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
    /// ([`Phase::Body`], [`Phase::Reply`]) see [`MinRate`].
    pub fn end(&self, phase: Phase, now: u64) -> u64 {
        let limit = match phase {
            Phase::Idle => self.idle,
            Phase::Head => self.read_header,
            Phase::Linger => self.linger,
            Phase::Drain => self.drain,
            Phase::Body => self.stall,
            Phase::Reply => self.reply_stall,
        };
        after(now, limit)
    }
}

/// How long each phase may last, in milliseconds: [`Timeouts`] made ready, since a duration costs a division.
#[derive(Debug)]
#[cfg(feature = "io")]
pub(crate) struct PhaseLimits([u64; Phase::ALL.len()]);

#[cfg(feature = "io")]
impl PhaseLimits {
    pub(crate) fn new(timeouts: &Timeouts) -> Self {
        PhaseLimits(Phase::ALL.map(|phase| timeouts.end(phase, 0)))
    }

    /// As [`Timeouts::end`].
    #[inline]
    pub(crate) fn end(&self, phase: Phase, now: u64) -> u64 {
        now.saturating_add(self.0[phase as usize])
    }
}

/// How a body or a reply moves: how much so far, and how long the other side was waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MinRate {
    moved: u64,
    waited: u64,
    since: Option<u64>,
}

impl MinRate {
    /// Begins, or goes on, to wait for the client, which sends a body or takes a reply.
    ///
    /// Returns the deadline of this wait: the earlier of standing still for [`Timeouts::stall`]
    /// (for [`Phase::Reply`], [`Timeouts::reply_stall`]) and falling behind
    /// [`Timeouts::min_rate`]. At the deadline itself it is late.
    pub fn wait(&mut self, now: u64, phase: Phase, limits: &Timeouts) -> u64 {
        let since = *self.since.get_or_insert(now);
        let still = limits.end(phase, since);
        if limits.min_rate == 0 {
            return still;
        }
        let earned = self.moved.saturating_mul(1000).div_ceil(u64::from(limits.min_rate));
        let allowed = millis(limits.min_rate_grace).saturating_add(earned);
        still.min(since.saturating_add(allowed.saturating_sub(self.waited)))
    }

    /// `n` bytes moved: a wait, if there was one, is over.
    #[inline]
    pub fn moved(&mut self, n: usize, now: u64) {
        self.count(n);
        self.pause(now);
    }

    /// `n` bytes moved at once, while nobody [waited](Self::is_waiting).
    #[inline]
    pub fn count(&mut self, n: usize) {
        self.moved = self.moved.saturating_add(n as u64);
    }

    /// Whether the client is being waited for.
    #[inline]
    pub fn is_waiting(&self) -> bool {
        self.since.is_some()
    }

    /// The client is not waited for any longer, though nothing moved.
    #[inline]
    pub fn pause(&mut self, now: u64) {
        if let Some(since) = self.since.take() {
            self.waited = self.waited.saturating_add(now.saturating_sub(since));
        }
    }
}

fn after(now: u64, limit: Duration) -> u64 {
    now.saturating_add(millis(limit))
}

/// Rounded up, so that no deadline is early; [`NEVER`] if there are too many. (In 64 bits: a division of 128 is a
/// hundred instructions, and this is computed for every request.)
pub(crate) fn millis(d: Duration) -> u64 {
    d.as_secs().saturating_mul(1000).saturating_add(u64::from(d.subsec_nanos().div_ceil(1_000_000)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let limits = Timeouts::default();
        assert_eq!(limits.end(Phase::Head, 1_000), 11_000);
        assert_eq!(limits.end(Phase::Idle, 0), 75_000);
        assert_eq!(limits.end(Phase::Linger, 0), 2_000);
        assert_eq!(limits.end(Phase::Reply, 0), 60_000);
        assert_eq!(
            (limits.min_rate, limits.min_rate_grace, limits.stall),
            (240, Duration::from_secs(5), Duration::from_secs(30))
        );
    }

    #[test]
    fn without_limits_nothing_ends() {
        let limits = Timeouts::none();
        assert_eq!(limits.end(Phase::Head, 5), NEVER);
        assert_eq!(limits.end(Phase::Idle, 5), NEVER);
        assert_eq!(MinRate::default().wait(5, Phase::Body, &limits), NEVER);
    }

    #[test]
    fn a_dribbled_body_falls_behind_its_rate() {
        // One byte a second against 240: the grace of 5 s is used up after five waits of a second.
        let limits = Timeouts::default();
        let (mut meter, mut now) = (MinRate::default(), 0);
        while now < 60_000 {
            let deadline = meter.wait(now, Phase::Body, &limits);
            if deadline < now + 1000 {
                assert!((5_000..5_100).contains(&deadline), "{deadline}");
                return;
            }
            now += 1000;
            meter.moved(1, now);
        }
        panic!("a minute is not late");
    }

    #[test]
    fn what_arrived_quickly_earns_time_but_not_for_ever() {
        let limits = Timeouts::default();
        let mut meter = MinRate::default();
        meter.moved(10 << 20, 0);
        assert_eq!(meter.wait(0, Phase::Body, &limits), 30_000);
    }

    #[test]
    fn the_time_of_a_handler_does_not_count() {
        let limits = Timeouts::default();
        let mut meter = MinRate::default();
        assert_eq!(meter.wait(0, Phase::Body, &limits), 5_000);
        meter.pause(1_000);
        assert_eq!(meter.wait(60_000, Phase::Body, &limits), 64_000);
    }

    proptest! {
        #[test]
        fn a_client_at_the_rate_is_never_late_and_one_below_it_is(
            rate in 1..10_000_u32,
            gaps in proptest::collection::vec(1..20_000_u64, 1..50),
        ) {
            let limits = Timeouts { min_rate: rate, ..Timeouts::default() };
            let (mut meter, mut now) = (MinRate::default(), 0);
            for gap in gaps {
                let deadline = meter.wait(now, Phase::Body, &limits);
                // The definition, computed another way: late at the first moment when waited > grace + moved / rate.
                let earned = (meter.moved * 1000).div_ceil(u64::from(rate));
                let by_rate = (now + 5_000 + earned).checked_sub(meter.waited).expect("was in time so far");
                prop_assert_eq!(deadline, by_rate.min(now + 30_000));
                if now + gap > deadline {
                    return Ok(());
                }
                now += gap;
                // Exactly the rate, rounded up.
                let due = (gap * u64::from(rate)).div_ceil(1000);
                meter.moved(usize::try_from(due).unwrap(), now);
                prop_assert!(meter.wait(now, Phase::Body, &limits) >= now + 4_999, "a client at the rate keeps its grace");
                meter.pause(now);
            }
        }
    }
}
