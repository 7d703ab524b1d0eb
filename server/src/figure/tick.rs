//! One tick of the live figure: what has happened since the last one, as JSON.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use quintet_conn::{ConnectionSnapshot, Connections, Counts, Phase, State, Survey};
use quintet_listener::{AcceptErrorKind, AcceptEvent, AcceptEventKind, Health, ListenerHealth};
use tokio::time::Instant;

use super::{
    json::{Object, put_object},
    sample::millis,
};
use crate::stats::Stats;

/// The time between two ticks.
pub(super) const TICK: Duration = Duration::from_millis(250);
/// The most connections that a tick lists.
const MAX_CONNECTIONS: usize = 200;
/// The most connections that a tick of a crowded server lists, and the number of connections above which it is one.
const CROWDED: (usize, usize) = (60, 250);
/// The bytes of a tick that lists no connections, about.
const LEN: usize = 4 * 1024;
/// The most samples of a tick.
const MAX_SAMPLES: u32 = 25;
/// The most samples of a tick of a busy server, and the number of requests of a tick that make it one.
const BUSY: (u32, u64) = (4, 250);
/// The most refusals of a tick.
const MAX_REFUSALS: usize = 10;
/// The most connections that are walked in a second, about: a server with more of them is surveyed less often.
const WALKED_A_SECOND: usize = 500;

/// What makes the ticks of one server, and remembers what it told.
#[derive(Debug)]
pub(super) struct Ticker {
    stats: Stats,
    /// The number of the next sample.
    sample: u64,
    /// The number of the last refusal that was told.
    refusal: u64,
    /// The number of the last event that was told, of each accept loop.
    events: Vec<(u32, u64)>,
    /// `Watch::served` at the last tick.
    served: (u64, u64),
    /// How many ticks are left before the next survey.
    rest: usize,
    /// The last survey.
    counts: Counts,
    requests: usize,
    own: usize,
}

/// The accept loop and its connections, without the lock of the list.
struct Loop {
    connections: Arc<Connections>,
    health: Health,
    listener: ListenerHealth,
    is_open: bool,
}

impl Ticker {
    pub(super) fn new(stats: Stats) -> Self {
        let served = stats.watch().served();
        Self {
            stats,
            sample: 1,
            refusal: 0,
            events: Vec::new(),
            served,
            rest: 0,
            counts: Counts::default(),
            requests: 0,
            own: 0,
        }
    }

    /// The next tick, as one event. `Some` with it, and whether it is the last: the server has drained, but for its viewers.
    pub(super) fn tick(&mut self) -> (Vec<u8>, bool) {
        let (loops, state) = self.loops();
        let mut text = Vec::with_capacity(LEN);
        text.extend_from_slice(b"data: ");
        let mut is_over = false;
        put_object(&mut text, |out| {
            out.number("t", millis(self.stats.watch().began.elapsed()));
            out.name("state", state);
            self.put_connections(out, &loops, state);
            // The connection of a viewer of HTTP/2 is not counted, but may have other requests.
            let is_drained = self.counts.total() == 0 && self.requests == 0;
            is_over = state == "stopping" && loops.iter().all(|one| !one.is_open) && is_drained;
            self.put_samples(out);
            self.put_refusals(out);
            out.object("accept", |out| self.put_accept(out, &loops));
        });
        text.extend_from_slice(b"\n\n");
        (text, is_over)
    }

    /// The accept loops, and the state of the server.
    fn loops(&self) -> (Vec<Loop>, &'static str) {
        let accept_loops = self.stats.accept_loops();
        let state = if accept_loops.stopping {
            "stopping"
        } else if accept_loops.retiring_since.is_some() {
            "retiring"
        } else {
            "serving"
        };
        let loops = accept_loops.loops.iter().map(|one| Loop {
            connections: Arc::clone(&one.connections),
            health: one.health.clone(),
            listener: one.listener.clone(),
            is_open: one.open,
        });
        (loops.collect(), state)
    }

    /// The connections: their counts, and those that have waited for longest. They are walked in this tick unless there are
    /// so many that it would cost the server too much; a drain is always seen.
    fn put_connections(&mut self, out: &mut Object<'_>, loops: &[Loop], state: &str) {
        let is_surveyed = self.rest == 0 || state == "stopping";
        let mut listed = Vec::new();
        if is_surveyed {
            listed = self.survey(loops);
            let ticks_a_second = 1000 / TICK.as_millis() as usize;
            self.rest = self.counts.total() * ticks_a_second / WALKED_A_SECOND;
        } else {
            self.rest -= 1;
        }
        let Counts { new, active, idle, hijacked, .. } = self.counts;
        out.object("counts", |out| {
            out.count("new", new);
            out.count("active", active);
            out.count("idle", idle);
            out.count("hijacked", hijacked);
        });
        out.count("own", self.own);
        out.count("requests", self.requests);
        if !is_surveyed {
            out.null("connections");
        } else {
            out.array("connections", |array| {
                for one in &listed {
                    array.object(|out| put_connection(out, one));
                }
            });
        }
        let more = if is_surveyed { self.counts.total().saturating_sub(listed.len()) } else { self.counts.total() };
        out.count("more_connections", more);
    }

    /// Walks the connections; returns those to be listed. The viewers' own are not among them, and not counted.
    fn survey(&mut self, loops: &[Loop]) -> Vec<ConnectionSnapshot> {
        let (own, viewers) = {
            let mut own = self.stats.watch().room().own.clone();
            let viewers = own.len();
            own.sort_unstable();
            own.dedup();
            (own, viewers)
        };
        // By the survey before: how many there are now is not known until they have been walked.
        let n = max_listed(self.counts.total()) + own.len();
        (self.counts, self.requests, self.own) = (Counts::default(), 0, own.len());
        let mut listed = Vec::new();
        for one in loops {
            let Survey { counts, requests, connections, .. } = one.connections.survey(n);
            self.counts = self.counts + counts;
            self.requests += requests;
            listed.extend(connections);
        }
        // The connection of a viewer is active for as long as it views.
        self.counts.active = self.counts.active.saturating_sub(own.len());
        self.requests = self.requests.saturating_sub(viewers);
        listed.retain(|one| own.binary_search(&one.connection.id()).is_err());
        if loops.len() > 1 {
            listed.sort_by_key(|one| Reverse(one.wait.map(|wait| wait.limit.saturating_sub(wait.left))));
        }
        listed.truncate(max_listed(self.counts.total()));
        listed
    }

    fn put_samples(&mut self, out: &mut Object<'_>) {
        let watch = self.stats.watch();
        let (served, sampled) = watch.served();
        let (before, sampled_before) = std::mem::replace(&mut self.served, (served, sampled));
        let in_tick = served - before;
        let budget = if in_tick > BUSY.1 { BUSY.0 } else { MAX_SAMPLES };
        let samples = watch.take_samples(MAX_SAMPLES as usize, budget);
        out.number("served", served);
        out.array("samples", |array| {
            for sample in &samples {
                array.object(|out| sample.write(out, self.sample, watch.began));
                self.sample += 1;
            }
        });
        out.number("skipped", in_tick.saturating_sub(sampled - sampled_before));
    }

    fn put_refusals(&mut self, out: &mut Object<'_>) {
        let watch = self.stats.watch();
        let (refused, total) = {
            let refusals = watch.refusals();
            (refusals.after(self.refusal, MAX_REFUSALS), refusals.total())
        };
        out.array("refusals", |array| refused.iter().for_each(|one| array.object(|out| one.write(out, watch.began))));
        out.number("refused", total);
        self.refusal = refused.last().map_or(self.refusal, |last| last.seq);
    }

    fn put_accept(&mut self, out: &mut Object<'_>, loops: &[Loop]) {
        let snapshots: Vec<_> = loops.iter().map(|one| one.health.snapshot()).collect();
        let sum = |of: fn(&quintet_listener::HealthSnapshot) -> u64| snapshots.iter().map(of).sum();
        out.number("accepted", sum(|one| one.accepted));
        out.number("transient", sum(|one| one.transient));
        out.number("waited", sum(|one| one.waited));
        out.number("fatal", sum(|one| one.fatal));
        out.number("delay_ms", snapshots.iter().map(|one| millis(one.delay)).max().unwrap_or_default());
        out.flag("open", loops.iter().any(|one| one.is_open));
        put_listeners(out, loops);
        let began = self.stats.watch().began;
        self.events.retain(|(number, _)| loops.iter().any(|one| one.connections.number() == *number));
        out.array("events", |array| {
            for one in loops {
                let number = one.connections.number();
                let told = match self.events.iter_mut().find(|(of, _)| *of == number) {
                    Some((_, told)) => told,
                    None => {
                        self.events.push((number, 0));
                        &mut self.events.last_mut().expect("it was pushed").1
                    }
                };
                for event in one.health.events(*told) {
                    array.object(|out| put_event(out, number, event, began));
                    *told = event.seq;
                }
            }
        });
    }
}

/// How many connections are listed of so many.
fn max_listed(connections: usize) -> usize {
    if connections > CROWDED.1 { CROWDED.0 } else { MAX_CONNECTIONS }
}

/// The limit, TLS and PROXY headers of the first listener that has such a thing.
fn put_listeners(out: &mut Object<'_>, loops: &[Loop]) {
    match loops.iter().find_map(|one| one.listener.limit.as_ref()) {
        Some(limit) => {
            let limit = limit.snapshot();
            out.object("limit", |out| {
                out.count("available", limit.available);
                out.count("max", limit.max);
            });
        }
        None => out.null("limit"),
    }
    #[cfg(feature = "tls")]
    if let Some(tls) = loops.iter().find_map(|one| one.listener.tls.as_ref()) {
        let tls = tls.snapshot();
        out.object("tls", |out| {
            out.number("handshakes", tls.handshakes);
            out.number("failed", failed_handshakes(&tls));
        });
    } else {
        out.null("tls");
    }
    #[cfg(not(feature = "tls"))]
    out.null("tls");
    #[cfg(feature = "proxy")]
    if let Some(proxied) = loops.iter().find_map(|one| one.listener.proxied.as_ref()) {
        let proxied = proxied.snapshot();
        out.object("proxy", |out| {
            out.number("headers", proxied.opened);
            let failed = proxied.untrusted + proxied.invalid + proxied.unexpected_eof + proxied.timed_out;
            out.number("failed", failed);
        });
    } else {
        out.null("proxy");
    }
    #[cfg(not(feature = "proxy"))]
    out.null("proxy");
}

#[cfg(feature = "tls")]
fn failed_handshakes(tls: &quintet_listener::TlsHealthSnapshot) -> u64 {
    tls.plain_http
        + tls.not_tls
        + tls.timed_out
        + tls.disconnected
        + tls.refused_by_client
        + tls.incompatible
        + tls.client_certificate
        + tls.protocol
        + tls.panicked
}

/// One connection. Neither its addresses nor anything that its client sent is told.
fn put_connection(out: &mut Object<'_>, one: &ConnectionSnapshot) {
    let connection = &one.connection;
    let state = connection.state();
    out.number("id", connection.id());
    out.name("state", state_name(state));
    out.number("age_ms", millis(connection.age()));
    let protocol = match connection.negotiated_protocol() {
        Some(b"h2") => Some("h2"),
        _ if connection.is_multiplexed() => Some("h2"),
        _ if state == State::New || state == State::Hijacked => None,
        _ => Some("http/1.1"),
    };
    match protocol {
        Some(protocol) => out.name("protocol", protocol),
        None => out.null("protocol"),
    }
    out.flag("tls", connection.tls().is_some());
    out.flag("proxied", connection.is_proxied());
    out.count("requests", one.requests);
    match one.wait {
        Some(wait) => {
            out.name("phase", phase_name(wait.phase));
            out.number("left_ms", millis(wait.left));
            out.number("limit_ms", millis(wait.limit));
        }
        None => ["phase", "left_ms", "limit_ms"].into_iter().for_each(|key| out.null(key)),
    }
}

fn put_event(out: &mut Object<'_>, number: u32, event: AcceptEvent, began: Instant) {
    // Of several accept loops each has numbers of its own.
    out.number("seq", u64::from(number & 0xff) << 40 | event.seq);
    out.number("at", millis(event.at.saturating_duration_since(began.into_std())));
    match event.kind {
        AcceptEventKind::Failed { errno, kind, delay } => {
            out.name("kind", "error");
            match errno.and_then(errno_name) {
                Some(name) => out.name("errno", name),
                None => out.maybe_text("errno", errno),
            }
            out.name("class", class_name(kind));
            out.number("delay_ms", millis(delay));
        }
        AcceptEventKind::Released => out.name("kind", "released"),
        AcceptEventKind::Recovered => out.name("kind", "recovered"),
        _ => out.null("kind"),
    }
}

fn state_name(state: State) -> &'static str {
    match state {
        State::New => "new",
        State::Active => "active",
        State::Idle => "idle",
        State::Hijacked => "hijacked",
        State::Closed => "closed",
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Idle => "idle",
        Phase::Head => "head",
        Phase::Body => "body",
        Phase::Reply => "reply",
        Phase::Linger => "linger",
        Phase::Drain => "drain",
    }
}

fn class_name(kind: AcceptErrorKind) -> &'static str {
    match kind {
        AcceptErrorKind::Transient => "transient",
        AcceptErrorKind::Exhausted => "exhausted",
        AcceptErrorKind::Fatal => "fatal",
    }
}

/// The name of an errno of accept(2) that says what has run out, where all systems of Unix have the same number.
fn errno_name(errno: i32) -> Option<&'static str> {
    let name = match errno {
        9 => "EBADF",
        12 => "ENOMEM",
        22 => "EINVAL",
        23 => "ENFILE",
        24 => "EMFILE",
        28 => "ENOSPC",
        _ => return None,
    };
    cfg!(unix).then_some(name)
}
