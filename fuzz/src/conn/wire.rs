//! A wire, its owner, its client and the time, against a model that counts bytes and milliseconds.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use quintet_conn::{ConnGuard, Connections, Filled, Phase, Sweeper, Tick, Timeouts, Wire, WireError};
use quintet_listener::testing::{ScriptedPeer, ScriptedStream};
use tokio::time::Instant;

use super::{bytes, orders, size};

/// How late a deadline may be, in milliseconds.
const LATE: u64 = 500;

/// Nothing is lost, doubled or reordered; a waiting wire holds no memory that it does not need; no wait ends early, and
/// none of a whole phase more than half a second late.
///
/// The first byte says what stream it is, and whether timeouts are off: then everything must get through however long
/// it takes. Then two bytes are an order and its size. The clock moves when it is told.
pub fn wire(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let mut model = Model::new(*kind);
        for (order, arg) in orders(data) {
            model.apply(order, arg).await;
            if model.over {
                return;
            }
        }
        model.finish();
    });
}

struct Model {
    script: ScriptedPeer,
    wire: Wire<ScriptedStream>,
    /// Whether a flush waits, if the stream buffers.
    holds_flush: bool,
    connection: ConnGuard,
    connections: Arc<Connections>,
    sweeper: Sweeper,
    start: Instant,
    sent: usize,
    consumed: usize,
    appended: usize,
    phase: Option<Phase>,
    /// When the client was first waited for in this phase, and how long the process then stood still before the sweeper
    /// looked again: nobody knows how much of that time the client had.
    begun: Option<u64>,
    stood: u64,
    /// When the sweeper looked last.
    looked: u64,
    /// The same of the write that is waiting.
    blocked: Option<u64>,
    /// How many writes have waited.
    blocks: usize,
    /// Whether one of them may have begun since the sweeper looked.
    fresh: bool,
    over: bool,
    /// Only a linger and a drain have limits.
    untimed: bool,
}

fn limits() -> Timeouts {
    Timeouts {
        read_header: Duration::from_millis(1_000),
        idle: Duration::from_millis(3_000),
        min_rate: 240,
        min_rate_grace: Duration::from_millis(500),
        stall: Duration::from_millis(2_000),
        reply_stall: Duration::from_millis(2_000),
        linger: Duration::from_millis(700),
        drain: Duration::from_millis(300),
    }
}

/// The same for what has limits even when all timeouts are off.
fn without_limits() -> Timeouts {
    Timeouts { linger: limits().linger, drain: limits().drain, ..Timeouts::none() }
}

fn limit(phase: Phase) -> u64 {
    limits().end(phase, Tick::START).map_or(u64::MAX, Tick::as_millis)
}

fn poll<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

impl Model {
    fn new(kind: u8) -> Model {
        let (stream, script) = ScriptedStream::new();
        if kind & 1 != 0 {
            script.plain();
        }
        if kind & 2 != 0 {
            script.buffers();
        }
        if kind & 4 != 0 {
            script.takes_at_most(7 + usize::from(kind >> 3) * 301);
        }
        let untimed = kind & 0x80 != 0;
        let timeouts = if untimed { without_limits() } else { limits() };
        let (connections, sweeper) = Connections::new(timeouts, None, None);
        let peer = "192.0.2.1:1".parse().expect("an address");
        let (connection, wire) = connections.admit(stream, peer);
        Model {
            script,
            wire,
            holds_flush: false,
            connection,
            sweeper,
            connections,
            start: Instant::now(),
            sent: 0,
            consumed: 0,
            appended: 0,
            phase: Some(Phase::Head),
            begun: None,
            stood: 0,
            looked: 0,
            blocked: None,
            blocks: 0,
            fresh: false,
            over: false,
            untimed,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).expect("a short test")
    }

    async fn apply(&mut self, order: u8, arg: u8) {
        let n = size(arg);
        match order % 16 {
            0 | 1 if n > 0 => {
                self.script.sends(bytes(self.sent, n));
                self.sent += n;
            }
            2 => _ = self.script.room(Some(n)),
            3 => _ = self.script.room(None),
            4 => {
                self.holds_flush ^= true;
                self.script.holds_flush(self.holds_flush);
            }
            5 | 6 => self.flush_and_fill(n),
            7 => self.fill_into(n),
            8 => self.watch(n),
            9 => self.flush(),
            10 => self.consume(n.min(self.wire.input.len())),
            11 => {
                self.wire.output.extend(&bytes(self.appended, n));
                self.appended += n;
            }
            12 => {
                self.wire.output.push(bytes(self.appended, n).into());
                self.appended += n;
            }
            13 => match Phase::ALL.get(usize::from(arg % 8)) {
                Some(phase) => self.enter(*phase),
                None => {
                    self.wire.clear_phase();
                    (self.phase, self.begun) = (None, None);
                }
            },
            14 => self.pass(u64::from(arg) * 20).await,
            15 if arg >= 0xf0 => self.connections.stop(),
            15 => {
                // The process stands still: nobody looks at the clock. A wait that was under way when somebody looked
                // last is charged with all of it.
                let still = u64::from(arg) * 20;
                tokio::time::advance(Duration::from_millis(still)).await;
                if self.fresh || self.begun.is_none_or(|begun| begun >= self.looked) {
                    self.stood += still;
                }
            }
            _ => {}
        }
    }

    /// Time passes, and the sweeper looks as often as it wants to.
    async fn pass(&mut self, mut millis: u64) {
        while millis > 0 {
            self.look();
            let step = millis.min(50);
            tokio::time::advance(Duration::from_millis(step)).await;
            millis -= step;
        }
        self.look();
    }

    /// The sweeper looks, if it is time to.
    fn look(&mut self) {
        assert!(poll(Pin::new(&mut self.sweeper)).is_pending());
        // The age of a connection is told as of the last look, or of its beginning.
        let looked = u64::try_from(self.connection.age().as_millis()).expect("a short test");
        self.fresh &= looked == self.looked;
        self.looked = looked;
    }

    fn enter(&mut self, phase: Phase) {
        self.wire.enter(phase);
        if self.phase != Some(phase) {
            (self.phase, self.begun, self.stood) = (Some(phase), None, 0);
        }
    }

    fn flush_and_fill(&mut self, limit: usize) {
        let before = self.wire.input.len();
        let polled = poll(self.wire.flush_and_fill(limit));
        self.sent_or_blocked(&polled);
        if let Poll::Ready(Ok(filled)) = &polled {
            match filled {
                Filled::Bytes(n) => assert!(*n > 0 && before + n <= limit && self.wire.input.len() == before + n),
                Filled::Full => assert!(before >= limit),
                Filled::End => panic!("nobody ended it"),
            }
            assert!(self.wire.output.is_empty() && self.is_flushed());
        }
        self.waited(polled);
    }

    fn fill_into(&mut self, limit: usize) {
        self.consume(self.wire.input.len());
        let mut into = bytes::BytesMut::new();
        let polled = poll(poll_fn(|cx| self.wire.poll_fill_into(cx, &mut into, limit)));
        match &polled {
            Poll::Ready(Ok(Filled::Bytes(n))) => assert!(*n > 0 && *n <= limit && *n == into.len()),
            Poll::Ready(Ok(Filled::Full)) => assert!(limit == 0 && into.is_empty()),
            _ => assert!(into.is_empty()),
        }
        self.came(&into);
        // It does not flush: a wait for bytes it is, whatever waits to be sent.
        self.wait_for_bytes(polled);
    }

    fn watch(&mut self, limit: usize) {
        let before = self.wire.input.len();
        let polled = poll(poll_fn(|cx| self.wire.poll_watch(cx, limit)));
        assert!(self.wire.input.len() <= before.max(limit));
        self.sent_or_blocked(&polled);
        match polled {
            Poll::Pending => self.waits_lightly(),
            other => self.late(other),
        }
    }

    fn flush(&mut self) {
        let polled = poll(self.wire.flush());
        self.sent_or_blocked(&polled);
        match polled {
            Poll::Pending => self.waits_lightly(),
            Poll::Ready(Ok(())) => assert!(self.is_flushed() && self.script.written_len() == self.appended),
            Poll::Ready(Err(error)) => self.late(Poll::Ready(Err(error))),
        }
    }

    fn is_flushed(&self) -> bool {
        !self.script.is_holding()
    }

    /// After something was written, or could not be.
    fn sent_or_blocked<T>(&mut self, polled: &Poll<Result<T, WireError>>) {
        let is_blocked = !(self.wire.output.is_empty() && self.is_flushed());
        match polled {
            Poll::Pending if is_blocked => {
                if self.blocked.is_none() {
                    self.blocked = Some(self.now());
                    self.blocks += 1;
                }
                // A connection in which a wait of either direction began is charged with little of the gap. (A write
                // that is continued may have begun another wait: something may have been taken.)
                if !self.fresh {
                    self.stood += self.now() - self.looked;
                    self.fresh = true;
                }
            }
            Poll::Pending | Poll::Ready(Ok(_)) => self.blocked = None,
            // The end of the wait that was under way.
            Poll::Ready(Err(_)) => {}
        }
    }

    fn waited(&mut self, polled: Poll<Result<Filled, WireError>>) {
        if self.blocked.is_some() {
            match polled {
                Poll::Pending => self.waits_lightly(),
                other => self.late(other),
            }
            return;
        }
        self.wait_for_bytes(polled);
    }

    fn wait_for_bytes(&mut self, polled: Poll<Result<Filled, WireError>>) {
        if let Poll::Ready(Ok(_)) = polled {
            return;
        }
        if self.connections.is_stopping()
            && matches!(self.phase, Some(Phase::Idle | Phase::Head))
            && self.wire.input.is_empty()
        {
            (self.phase, self.begun, self.stood) = (Some(Phase::Drain), None, 0);
        }
        let now = self.now();
        let begun = *self.begun.get_or_insert(now);
        match (polled, self.phase) {
            (Poll::Pending, Some(phase)) => {
                self.waits_lightly();
                let unlimited = self.untimed && !matches!(phase, Phase::Linger | Phase::Drain);
                if phase != Phase::Body && phase != Phase::Reply && !unlimited {
                    let most = limit(phase) + LATE + self.stood;
                    // What the sweeper has not seen yet, it will.
                    let seen = now.min(self.looked).saturating_sub(begun);
                    assert!(seen <= most, "{phase:?} lasts since {seen}, at most {most}");
                }
            }
            (Poll::Pending, None) => self.waits_lightly(),
            (polled, _) => self.late(polled),
        }
    }

    /// An end: it must be the clock's, and not early.
    fn late(&mut self, polled: Poll<Result<Filled, WireError>>) {
        let Poll::Ready(Err(WireError::TimedOut(phase))) = polled else { panic!("{polled:?}") };
        self.over = true;
        assert!(!self.untimed || matches!(phase, Phase::Linger | Phase::Drain), "{phase:?} has no limit");
        let waited = |since: Option<u64>| self.now() - since.expect("nobody waited");
        if phase == Phase::Reply && self.phase != Some(phase) {
            // What was taken before, and how fast, is `timeouts`' to say: a write that waited before may have used up
            // the time of this one. The first has a grace.
            let least = limits().min_rate_grace.min(limits().stall);
            let graced = self.blocked.is_some_and(|since| self.now() > since) || least.is_zero();
            assert!(graced || self.blocks > 1 || self.blocks == 1 && self.blocked.is_none(), "late without a wait");
            return;
        }
        if phase == Phase::Reply && self.blocks > 0 {
            return; // reading has that phase as well, and either of the two waits may be over
        }
        assert_eq!(self.phase, Some(phase));
        if phase != Phase::Body {
            assert!(waited(self.begun) >= limit(phase), "{phase:?} ends after {}", waited(self.begun));
        }
    }

    fn waits_lightly(&self) {
        let (input, output) = (&self.wire.input, &self.wire.output);
        assert!(input.capacity() <= if input.is_empty() { 0 } else { input.len() + 4096 });
        assert!(!output.is_empty() || output.capacity() == 0);
    }

    fn came(&mut self, came: &[u8]) {
        assert!(came == bytes(self.consumed, came.len()), "other bytes than were sent");
        self.consumed += came.len();
    }

    fn consume(&mut self, n: usize) {
        let came = self.wire.input.filled()[..n].to_vec();
        self.came(&came);
        self.wire.input.consume(n);
    }

    /// Everything gets through in the end.
    fn finish(mut self) {
        self.script.room(None);
        self.script.holds_flush(false);
        self.wire.clear_phase();
        loop {
            match poll(self.wire.flush_and_fill(usize::MAX)) {
                Poll::Ready(Ok(_)) => self.consume(self.wire.input.len()),
                Poll::Pending => break,
                Poll::Ready(Err(error)) => panic!("{error:?}"),
            }
        }
        self.consume(self.wire.input.len());
        assert_eq!(self.consumed, self.sent);
        assert!(self.script.written() == bytes(0, self.appended));
        assert!(poll(self.wire.flush_and_fill(usize::MAX)).is_pending());
        assert_eq!((self.wire.input.capacity(), self.wire.output.capacity()), (0, 0));
    }
}
