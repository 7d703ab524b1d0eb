//! The waits of a connection, against a model that keeps every wait and every byte and computes everything anew.

use std::time::Duration;

use quintet_conn::{Phase, Stopping, Tick, Timeouts, WaitLimits, WaitState};

use super::{orders, size};

/// How much more than its time a wait is charged with whose end nobody told, in milliseconds.
const STEP: u64 = 250;

/// The state polled says late exactly when the definition does, of the right phase, and once.
///
/// The first byte says what limits there are; then two bytes are an event and how long after the last.
pub fn wait_state(data: &[u8]) {
    let Some((kind, events)) = data.split_first() else { return };
    let mut timeouts = if kind & 1 == 0 { Timeouts::default() } else { Timeouts::none() };
    if kind & 2 != 0 {
        timeouts.min_rate = 0;
    }
    let limits = WaitLimits::new(&timeouts, Duration::ZERO);
    let (mut waits, mut model, mut now) = (WaitState::new(), Model::new(timeouts), 0_u64);
    for (event, after) in orders(events) {
        now += u64::from(after) * u64::from(after) / 4;
        let stopping = match event >> 6 {
            2 => Stopping::Drain,
            3 => Stopping::Now,
            _ => Stopping::No,
        };
        apply(&mut waits, &mut model, event & 63, now, &limits);
        assert_eq!(waits.phase(), model.phase);
        assert_eq!(waits.is_between_replies(), model.is_between_replies());
        let (polled, expected) = (waits.poll(Tick::from_millis(now), stopping, &limits), model.poll(now, stopping));
        assert_eq!(polled.map(|end| end.map(Tick::as_millis)), expected, "at {now}");
    }
}

fn apply(waits: &mut WaitState, model: &mut Model, event: u8, now: u64, limits: &WaitLimits) {
    let (at, n) = (Tick::from_millis(now), size(event >> 2));
    match event % 11 {
        0 => {
            let phase = Phase::ALL[usize::from(event / 11)];
            waits.enter(phase);
            model.enter(phase);
        }
        1 => {
            waits.clear_phase();
            model.clear();
        }
        2 => {
            waits.pause(at);
            model.body.stop(now);
            model.read = None;
        }
        3 => {
            waits.arrived(n, at);
            model.arrived(n, now);
        }
        4 => {
            waits.taken(n, at);
            model.taken(n, now);
        }
        5 | 6 => {
            let silent = event % 11 == 5;
            waits.wait_for_bytes(silent, at, limits);
            model.wait_for_bytes(silent, now);
        }
        7 => {
            waits.wait_for_room(at, limits);
            model.wait_for_room(now);
        }
        8 => {
            waits.wait_half_closed(at, limits);
            model.wait_half_closed(now);
        }
        9 => {
            waits.clear_half_closed();
            if model.phase == Some(Phase::Reply) {
                model.clear();
            }
        }
        _ => {
            let moved = |bit: u8, by: u64| (event & bit != 0).then(|| now + by);
            let (read, write) = (moved(16, 3_000), moved(32, 7_000));
            waits.set_moved(read.map(Tick::from_millis), write.map(Tick::from_millis));
            model.set_moved(read, write);
        }
    }
}

/// How a body or a reply moved: every wait and every byte.
#[derive(Default)]
struct Motion {
    waits: Vec<(u64, u64)>,
    pieces: Vec<usize>,
    since: Option<u64>,
}

impl Motion {
    fn stop(&mut self, now: u64) {
        self.waits.extend(self.since.take().map(|since| (since, now)));
    }

    /// The first moment at which the present wait is late.
    fn end(&self, stall: Duration, timeouts: &Timeouts) -> Option<u64> {
        let since = self.since.expect("a wait is under way");
        let still = (stall != Duration::MAX).then(|| since + millis(stall));
        let rate = u64::from(timeouts.min_rate);
        if rate == 0 {
            return still;
        }
        let waited: u64 = self.waits.iter().map(|(from, to)| to - from).sum();
        let moved: u64 = self.pieces.iter().map(|n| *n as u64).sum();
        let allowed = millis(timeouts.min_rate_grace) + (moved * 1000).div_ceil(rate);
        still.into_iter().chain([since + allowed.saturating_sub(waited)]).min()
    }
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).expect("a limit that is not off")
}

/// The wait for bytes that is under way: since when, and with what end.
struct Read {
    silent: bool,
    end: Option<u64>,
}

struct Model {
    timeouts: Timeouts,
    phase: Option<Phase>,
    /// The end of the phase, once it was waited in.
    phase_end: Option<Option<u64>>,
    read: Option<Read>,
    write: Option<Option<u64>>,
    moved: (Option<u64>, Option<u64>),
    body: Motion,
    reply: Motion,
}

impl Model {
    fn new(timeouts: Timeouts) -> Self {
        let (body, reply) = (Motion::default(), Motion::default());
        Model { timeouts, phase: None, phase_end: None, read: None, write: None, moved: (None, None), body, reply }
    }

    fn is_between_replies(&self) -> bool {
        match self.phase {
            None | Some(Phase::Body | Phase::Reply) => false,
            Some(Phase::Idle | Phase::Head | Phase::Linger | Phase::Drain) => true,
        }
    }

    fn enter(&mut self, phase: Phase) {
        if self.phase == Some(phase) {
            return;
        }
        (self.phase, self.phase_end, self.read) = (Some(phase), None, None);
        if phase == Phase::Body {
            self.body = Motion::default();
        }
    }

    fn clear(&mut self) {
        (self.phase, self.read) = (None, None);
    }

    fn phase_limit(&self, phase: Phase, now: u64) -> Option<u64> {
        let limit = match phase {
            Phase::Idle => self.timeouts.idle,
            Phase::Head => self.timeouts.read_header,
            Phase::Linger => self.timeouts.linger,
            Phase::Drain => self.timeouts.drain,
            Phase::Body => self.timeouts.stall,
            Phase::Reply => self.timeouts.reply_stall,
        };
        (limit != Duration::MAX).then(|| now + millis(limit))
    }

    fn arrived(&mut self, n: usize, now: u64) {
        if self.phase == Some(Phase::Body) {
            let end = self.read.as_ref().and_then(|read| read.end);
            self.body.pieces.push(n);
            self.body.stop(end.map_or(now, |end| now.min(end + STEP)).max(self.body.since.unwrap_or(0)));
        }
        self.read = None;
    }

    fn taken(&mut self, n: usize, now: u64) {
        self.reply.pieces.push(n);
        let end = self.write.take().flatten();
        if let Some(since) = self.reply.since {
            self.reply.stop(end.map_or(now, |end| now.min(end + STEP)).max(since));
        }
    }

    fn wait_for_bytes(&mut self, silent: bool, now: u64) {
        let end = match self.phase {
            None => None,
            Some(Phase::Body) if self.moved.0.is_some() => self.moved.0,
            Some(Phase::Body) => {
                self.body.since.get_or_insert(now);
                self.body.end(self.timeouts.stall, &self.timeouts)
            }
            Some(phase) => {
                if self.phase_end.is_none() {
                    self.phase_end = Some(self.phase_limit(phase, now));
                    if self.reply.since.is_none() {
                        self.reply = Motion::default();
                    }
                }
                self.phase_end.flatten()
            }
        };
        self.read = Some(Read { silent, end });
    }

    fn wait_for_room(&mut self, now: u64) {
        if let Some(read) = &mut self.read {
            read.silent = false;
        }
        self.write = Some(self.moved.1.or_else(|| {
            self.reply.since.get_or_insert(now);
            self.reply.end(self.timeouts.reply_stall, &self.timeouts)
        }));
    }

    fn wait_half_closed(&mut self, now: u64) {
        if self.phase != Some(Phase::Reply) || self.phase_end.is_none() {
            self.phase = Some(Phase::Reply);
            self.phase_end = Some(self.phase_limit(Phase::Body, now));
        }
        self.read = Some(Read { silent: false, end: self.moved.1.or(self.phase_end.flatten()) });
    }

    fn set_moved(&mut self, read: Option<u64>, write: Option<u64>) {
        self.moved = (read, write);
        if let (Some(Phase::Body), Some(Read { end: Some(end), .. }), Some(read)) = (self.phase, &mut self.read, read) {
            *end = read;
        }
        if let (Some(Some(end)), Some(write)) = (&mut self.write, write) {
            *end = write;
        }
    }

    fn poll(&mut self, now: u64, stopping: Stopping) -> Result<Option<u64>, Phase> {
        if let (true, Some(read)) = (stopping != Stopping::No, self.read.as_mut().filter(|read| read.silent)) {
            if matches!(self.phase, Some(Phase::Idle | Phase::Head)) {
                let end = Some(now + millis(self.timeouts.drain));
                (self.phase, self.phase_end, read.end) = (Some(Phase::Drain), Some(end), end);
            }
            if stopping == Stopping::Now && self.phase == Some(Phase::Drain) {
                read.end = Some(now);
            }
        }
        let read = self.read.as_ref().and_then(|read| read.end);
        let write = self.write.flatten();
        match (read.filter(|end| *end <= now), write.filter(|end| *end <= now)) {
            (None, None) => Ok(read.into_iter().chain(write).min()),
            (read, Some(write)) if read.is_none_or(|read| write < read) => {
                self.write = None;
                Err(Phase::Reply)
            }
            _ => {
                self.read = None;
                Err(self.phase.unwrap_or(Phase::Head))
            }
        }
    }
}
