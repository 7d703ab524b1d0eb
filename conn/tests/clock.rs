//! The clock while the sweeper itself is late, on a thread that a handler blocks. The tests advance the time and poll the
//! sweeper by hand.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::{future::poll_fn, pin::Pin, sync::Arc, task::Poll, time::Duration};

use common::{Bell, Peer, Script, Step, limits, poll_once, scripted};
use proptest::{collection::vec, prelude::*};
use quintet_conn::{ConnGuard, Connections, Filled, Phase, Sweeper, Tick, Timeouts, Wire, WireError};
use tokio::time::{Instant, advance};

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A connection whose sweeper is polled by the test.
struct Busy {
    connections: Arc<Connections>,
    sweeper: Sweeper,
    connection: ConnGuard,
    wire: Wire<Script>,
    peer: Peer,
    bell: Arc<Bell>,
    start: Instant,
}

impl Busy {
    fn new(timeouts: Timeouts) -> Self {
        let (connections, mut sweeper) = Connections::new(timeouts, None, None);
        let bell = Bell::new();
        let (connection, wire, peer) = scripted(&connections);
        assert!(poll_once(&bell, Pin::new(&mut sweeper)).is_pending());
        Self { connections, sweeper, connection, wire, peer, bell, start: Instant::now() }
    }

    /// Blocks the thread for this long, and then sweeps.
    async fn busy(&mut self, gap: Duration) {
        advance(gap).await;
        assert!(poll_once(&self.bell, Pin::new(&mut self.sweeper)).is_pending());
    }

    fn flush_and_fill(&mut self) -> Poll<Result<Filled, WireError>> {
        poll_once(&self.bell, self.wire.flush_and_fill(1 << 20))
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Polls after each gap until the wait ends. Returns how long that took.
    async fn ends(
        &mut self,
        gap: Duration,
        mut poll: impl FnMut(&mut Self) -> Option<WireError>,
    ) -> (Duration, WireError) {
        let start = Instant::now();
        while start.elapsed() < secs(3600) {
            if let Some(error) = poll(self) {
                return (start.elapsed(), error);
            }
            self.busy(gap).await;
        }
        panic!("it never ends");
    }
}

fn over<T>(polled: Poll<Result<T, WireError>>) -> Option<WireError> {
    match polled {
        Poll::Ready(Err(error)) => Some(error),
        _ => None,
    }
}

/// When a phase that begins with the clock ends, in milliseconds.
fn end(timeouts: &Timeouts, phase: Phase) -> u64 {
    timeouts.end(phase, Tick::START).unwrap().as_millis()
}

/// Gaps between two sweeps, from the usual one to a handler that blocks for seconds.
const GAPS: [Duration; 6] = [millis(200), millis(251), millis(400), secs(1), secs(3), secs(7)];

#[tokio::test(start_paused = true)]
async fn a_timeout_on_a_busy_thread_is_at_most_one_gap_late() {
    for gap in GAPS {
        for (phase, limit) in [(Phase::Idle, secs(75)), (Phase::Head, secs(10)), (Phase::Linger, secs(2))] {
            let mut busy = Busy::new(limits());
            busy.wire.enter(phase);
            let (took, error) = busy.ends(gap, |busy| over(busy.flush_and_fill())).await;
            assert!(matches!(error, WireError::TimedOut(late) if late == phase), "{error:?}");
            // The first gap is charged with 250 ms, and the last sweep comes up to a gap late.
            assert!(took >= limit && took <= limit + 2 * gap + millis(500), "{phase:?} took {took:?} with {gap:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dribbled_head_on_a_busy_thread_still_times_out() {
    for gap in GAPS {
        let mut busy = Busy::new(limits());
        let (took, error) = busy
            .ends(gap, |busy| {
                busy.wire.enter(Phase::Head);
                busy.peer.sends(*b"x");
                while let Poll::Ready(outcome) = busy.flush_and_fill() {
                    if let Err(error) = outcome {
                        return Some(error);
                    }
                    busy.wire.enter(Phase::Head);
                }
                None
            })
            .await;
        assert!(matches!(error, WireError::TimedOut(Phase::Head)), "{error:?}");
        assert!(took >= secs(10) && took <= secs(10) + 2 * gap + millis(500), "{took:?} with {gap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_reader_on_a_busy_thread_is_at_most_one_gap_late() {
    for gap in GAPS {
        let mut busy = Busy::new(limits());
        busy.wire.clear_phase();
        busy.peer.deaf();
        busy.wire.output.extend(b"a reply");
        let (took, error) =
            busy.ends(gap, |busy| over(poll_once(&busy.bell, poll_fn(|cx| busy.wire.poll_watch(cx, 1024))))).await;
        assert!(matches!(error, WireError::TimedOut(Phase::Reply)), "{error:?}");
        assert!(took >= secs(5) && took <= secs(5) + 2 * gap + millis(500), "{took:?} with {gap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_after_a_blocked_thread_does_not_time_out_early() {
    for blocked in [millis(251), secs(1), secs(30), secs(3600)] {
        for phase in [Phase::Idle, Phase::Head, Phase::Body, Phase::Linger, Phase::Drain] {
            let timeouts = Timeouts {
                idle: secs(2),
                read_header: secs(2),
                min_rate: 0,
                stall: secs(2),
                linger: secs(2),
                drain: secs(2),
                ..limits()
            };
            let mut busy = Busy::new(timeouts);
            busy.wire.enter(phase);
            advance(blocked).await; // without a sweep
            let (took, error) = busy.ends(millis(10), |busy| over(busy.flush_and_fill())).await;
            assert!(matches!(error, WireError::TimedOut(late) if late == phase), "{error:?}");
            assert!(took >= secs(2) && took <= millis(2500), "{phase:?} took {took:?} after {blocked:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_set_after_a_blocked_thread_is_not_early() {
    let mut busy = Busy::new(limits());
    busy.wire.enter(Phase::Body);
    assert!(busy.flush_and_fill().is_pending());
    busy.busy(millis(200)).await;
    // The wait began earlier, and the deadline is new.
    advance(secs(20)).await;
    busy.connection.active().set_read_deadline(secs(2));
    let (took, error) = busy.ends(millis(10), |busy| over(busy.flush_and_fill())).await;
    assert!(matches!(error, WireError::TimedOut(Phase::Body)), "{error:?}");
    assert!(took >= secs(2) && took <= millis(2500), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_blocked_thread_times_out_no_body_or_reply_that_moves() {
    for stall in [secs(10), secs(40), secs(3600)] {
        // An upload at 1,000 B/s: while the server does not read, the kernel holds at most 64 KiB.
        let mut busy = Busy::new(limits());
        busy.wire.enter(Phase::Body);
        for second in 0..120 {
            let gap = if second == 5 { stall } else { secs(1) };
            assert!(over(busy.flush_and_fill()).is_none(), "second {second}, stall of {stall:?}");
            for _ in 0..5 {
                busy.busy(gap / 5).await;
            }
            if second == 5 {
                busy.busy(stall).await;
            }
            busy.peer.sends(vec![b'x'; usize::try_from(gap.as_secs() * 1000).unwrap().min(65_536)]);
            while let Poll::Ready(read) = busy.flush_and_fill() {
                assert!(read.is_ok(), "{read:?} in second {second}, stall of {stall:?}");
                busy.wire.input.consume(busy.wire.input.len());
            }
        }
        // A download by a client that takes 1,000 B/s.
        let mut busy = Busy::new(limits());
        busy.wire.clear_phase();
        busy.peer.deaf();
        busy.wire.output.push(vec![0; 10 << 20].into());
        for second in 0..120 {
            let gap = if second == 5 { stall } else { secs(1) };
            assert!(over(poll_once(&busy.bell, busy.wire.flush())).is_none(), "second {second}, stall of {stall:?}");
            busy.busy(gap / 10).await; // the wait is now in progress, and is charged with all of the next gap
            busy.busy(gap - gap / 10).await;
            let took = usize::try_from(gap.as_secs() * 1000).unwrap().min(65_536);
            busy.peer.writes([Step::Take(took)]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_in_progress_is_charged_with_the_whole_blocked_time() {
    let mut busy = Busy::new(limits());
    busy.wire.enter(Phase::Idle);
    assert!(busy.flush_and_fill().is_pending());
    busy.busy(millis(200)).await;
    assert!(busy.flush_and_fill().is_pending());
    busy.busy(secs(80)).await;
    assert!(matches!(busy.flush_and_fill(), Poll::Ready(Err(WireError::TimedOut(Phase::Idle)))));
    assert_eq!(busy.elapsed(), millis(80_200));
    assert!(busy.connection.age() >= secs(80), "{:?}", busy.connection.age());
    assert_eq!(busy.connections.counts().new, 1);
}

#[tokio::test(start_paused = true)]
async fn bytes_sent_while_a_thread_was_blocked_are_read_before_timeout() {
    let mut busy = Busy::new(limits());
    assert!(busy.flush_and_fill().is_pending());
    busy.busy(millis(200)).await;
    busy.peer.sends(*b"GET / HTTP/1.1\r\n\r\n");
    busy.busy(secs(60)).await;
    assert!(matches!(busy.flush_and_fill(), Poll::Ready(Ok(Filled::Bytes(18)))));
}

#[derive(Clone, Debug)]
enum Op {
    Busy(u64),
    Look,
    Enter(Phase),
    Turn,
    Send,
    Rest,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => prop_oneof![0..300_u64, 0..6_000_u64].prop_map(Op::Busy),
        4 => Just(Op::Look),
        2 => prop_oneof![Just(Phase::Idle), Just(Phase::Head), Just(Phase::Body), Just(Phase::Linger)].prop_map(Op::Enter),
        4 => Just(Op::Turn),
        1 => Just(Op::Send),
        1 => Just(Op::Rest),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever the gaps: no wait ends early, and none outlasts its limit by more than the gap in which it began, the
    /// slack of the clock, and the time since the last sweep.
    #[test]
    fn no_timeout_is_early_and_none_late_by_more_than_one_gap(ops in vec(op(), 1..120)) {
        let timeouts = Timeouts { idle: secs(3), read_header: secs(2), min_rate: 0, stall: secs(4), linger: secs(1), ..limits() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut busy = Busy::new(timeouts.clone());
            let (mut phase, mut begun, mut looked) = (Some(Phase::Head), None::<Duration>, Duration::ZERO);
            // The first sweep after the wait began.
            let mut first = None::<Duration>;
            for op in ops {
                match op {
                    Op::Busy(gap) => advance(millis(gap)).await,
                    Op::Look => {
                        // The sweeper sleeps for 200 ms: a poll before that does not sweep.
                        if busy.elapsed() - looked < millis(200) {
                            continue;
                        }
                        busy.busy(Duration::ZERO).await;
                        looked = busy.elapsed();
                        first = first.or(begun.map(|_| looked));
                    }
                    Op::Enter(to) => {
                        busy.wire.enter(to);
                        if phase != Some(to) {
                            (phase, begun, first) = (Some(to), None, None);
                        }
                    }
                    Op::Send => drop(busy.peer.sends(*b"x")),
                    Op::Rest => {
                        busy.wire.clear_phase();
                        (phase, begun, first) = (None, None, None);
                    }
                    Op::Turn => match busy.flush_and_fill() {
                        Poll::Pending => {
                            let Some(phase) = phase else { continue };
                            let begun = *begun.get_or_insert(busy.elapsed());
                            if let Some(first) = first {
                                let limit = millis(end(&timeouts, phase));
                                let most = limit + millis(251) + (first - begun);
                                assert!(looked - begun < most, "{phase:?} lasts {:?}, at most {most:?}", looked - begun);
                            }
                        }
                        // A body that moves begins another wait; the others go on.
                        Poll::Ready(Ok(_)) if phase == Some(Phase::Body) => (begun, first) = (None, None),
                        Poll::Ready(Ok(_)) => {}
                        Poll::Ready(Err(WireError::TimedOut(late))) => {
                            assert_eq!(Some(late), phase);
                            let waited = busy.elapsed() - begun.expect("a wait began");
                            assert!(waited >= millis(end(&timeouts, late)), "{late:?} ends after {waited:?}");
                            return;
                        }
                        Poll::Ready(Err(error)) => panic!("{error:?}"),
                    },
                }
            }
        });
    }
}
