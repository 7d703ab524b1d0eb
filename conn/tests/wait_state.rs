//! The state machine of the timeouts without a connection: events in, deadlines out.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use proptest::{collection::vec, prelude::*};
use quintet_conn::{Phase, Stopping, Tick, Timeouts, WaitLimits, WaitState};

/// By how much the clock of a connection may be behind, and the limits are longer, in milliseconds.
const SLACK: u64 = 251;
/// The time between two sweeps, in milliseconds.
const LOOK: u64 = 200;

fn at(millis: u64) -> Tick {
    Tick::from_millis(millis)
}

fn exact() -> WaitLimits {
    WaitLimits::new(&Timeouts::default(), Duration::ZERO)
}

/// What happens to a wait.
#[derive(Clone, Copy, Debug)]
enum Event {
    Enter(Phase),
    Clear,
    Pause,
    Arrived(usize),
    Taken(usize),
    /// A wait for bytes, with none buffered or with some.
    Bytes(bool),
    Room,
    HalfClosed,
    ClearHalfClosed,
    /// Both deadlines of a handler.
    Moved(Option<u64>, Option<u64>),
}

use Event::{Arrived, Bytes, Clear, ClearHalfClosed, Enter, HalfClosed, Moved, Pause, Room, Taken};

fn apply(waits: &mut WaitState, event: Event, now: u64, limits: &WaitLimits) {
    match event {
        Enter(phase) => waits.enter(phase),
        Clear => waits.clear_phase(),
        Pause => waits.pause(at(now)),
        Arrived(n) => waits.arrived(n, at(now)),
        Taken(n) => waits.taken(n, at(now)),
        Bytes(silent) => waits.wait_for_bytes(silent, at(now), limits),
        Room => waits.wait_for_room(at(now), limits),
        HalfClosed => waits.wait_half_closed(at(now), limits),
        ClearHalfClosed => waits.clear_half_closed(),
        Moved(read, write) => waits.set_moved(read.map(at), write.map(at)),
    }
}

/// What a poll says, in milliseconds.
type Polled = Result<Option<u64>, Phase>;

/// Events and when they happen, in milliseconds.
type Events<'a> = &'a [(u64, Event)];

/// Events at their times, then what a poll says at the time of the last.
fn after(events: Events<'_>) -> (WaitState, Polled) {
    let mut waits = WaitState::new();
    let mut now = 0;
    for (when, event) in events {
        now = *when;
        apply(&mut waits, *event, now, &exact());
    }
    let polled = waits.poll(at(now), Stopping::No, &exact());
    (waits, polled.map(|end| end.map(Tick::as_millis)))
}

#[test]
fn a_wait_ends_with_its_phase() {
    let cases: &[(&str, Events<'_>, Polled)] = &[
        ("nothing is waited for", &[], Ok(None)),
        ("a phase alone has no end", &[(0, Enter(Phase::Head))], Ok(None)),
        ("a head", &[(0, Enter(Phase::Head)), (7, Bytes(true))], Ok(Some(10_007))),
        ("idle", &[(0, Enter(Phase::Idle)), (1, Bytes(true))], Ok(Some(75_001))),
        ("linger", &[(0, Enter(Phase::Linger)), (1, Bytes(true))], Ok(Some(2_001))),
        ("without a phase", &[(0, Bytes(true))], Ok(None)),
        ("bytes end it", &[(0, Enter(Phase::Idle)), (1, Bytes(true)), (9, Arrived(1))], Ok(None)),
        (
            "a head goes on",
            &[(0, Enter(Phase::Head)), (0, Bytes(true)), (9, Arrived(1)), (9, Bytes(false))],
            Ok(Some(10_000)),
        ),
        ("cleared", &[(0, Enter(Phase::Idle)), (1, Bytes(true)), (2, Clear)], Ok(None)),
        (
            "the next head",
            &[(0, Enter(Phase::Head)), (0, Bytes(true)), (2, Clear), (2, Enter(Phase::Head)), (3, Bytes(true))],
            Ok(Some(10_003)),
        ),
        ("a body has its grace", &[(0, Enter(Phase::Body)), (1, Bytes(true))], Ok(Some(5_001))),
        ("a fast body", &[(0, Enter(Phase::Body)), (1, Arrived(1 << 20)), (1, Bytes(true))], Ok(Some(30_001))),
        (
            "a pause does not count",
            &[(0, Enter(Phase::Body)), (0, Bytes(true)), (1_000, Pause), (9_000, Bytes(true))],
            Ok(Some(13_000)),
        ),
        (
            "a paused head runs on",
            &[(0, Enter(Phase::Head)), (0, Bytes(true)), (1_000, Pause), (9_000, Bytes(true))],
            Ok(Some(10_000)),
        ),
        ("a reply has its grace", &[(3, Room)], Ok(Some(5_003))),
        ("a reply that was taken", &[(3, Room), (4, Taken(9))], Ok(None)),
        ("a fast reply", &[(3, Taken(1 << 20)), (4, Room)], Ok(Some(60_004))),
        (
            "a reply that was taken before its moved deadline",
            &[(0, Moved(None, Some(1_000))), (3, Room), (4, Taken(9)), (5, Moved(None, None))],
            Ok(None),
        ),
        (
            "a reply that was taken, whose deadline was moved while it waited",
            &[(3, Room), (3, Moved(None, Some(1_000))), (4, Taken(9)), (5, Moved(None, None))],
            Ok(None),
        ),
        ("the earlier of both", &[(0, Enter(Phase::Head)), (1, Bytes(true)), (2, Room)], Ok(Some(5_002))),
        ("half closed", &[(4, HalfClosed)], Ok(Some(30_004))),
        ("half closed goes on", &[(4, HalfClosed), (9, HalfClosed)], Ok(Some(30_004))),
        ("half closed and sending", &[(4, HalfClosed), (9, ClearHalfClosed)], Ok(None)),
        ("half closed again", &[(4, HalfClosed), (5, ClearHalfClosed), (9, HalfClosed)], Ok(Some(30_009))),
        ("late", &[(0, Enter(Phase::Head)), (0, Bytes(true)), (10_000, Bytes(true))], Err(Phase::Head)),
        ("a late reply", &[(0, Room), (5_000, Room)], Err(Phase::Reply)),
        (
            "of two the first",
            &[(0, Enter(Phase::Head)), (0, Bytes(true)), (6_000, Room), (12_000, Pause)],
            Err(Phase::Reply),
        ),
        (
            "at once that of the phase",
            &[(0, Enter(Phase::Body)), (0, Bytes(true)), (0, Room), (5_000, Room)],
            Err(Phase::Body),
        ),
    ];
    for (name, events, expected) in cases {
        assert_eq!(after(events).1, *expected, "{name}");
    }
}

#[test]
fn a_timeout_is_reported_once() {
    let (mut waits, told) = after(&[(0, Enter(Phase::Head)), (0, Bytes(true)), (10_000, Bytes(true))]);
    assert_eq!(told, Err(Phase::Head));
    for now in [10_000, 10_001, 99_000] {
        assert_eq!(waits.poll(at(now), Stopping::No, &exact()), Ok(None));
    }
}

#[test]
fn moved_deadlines_count_for_a_wait_in_progress() {
    let body = [(0, Enter(Phase::Body)), (0, Bytes(true))];
    let cases: [(Events<'_>, Option<u64>); 6] = [
        (&[(1_000, Moved(Some(90_000), None))], Some(90_000)),
        (&[(1_000, Moved(None, Some(90_000)))], Some(5_000)),
        (&[(1_000, Room), (1_000, Moved(None, Some(2_000)))], Some(2_000)),
        (&[(1_000, Moved(Some(90_000), None)), (1_001, Arrived(1)), (1_001, Bytes(true))], Some(90_000)),
        (&[(1_000, Moved(Some(90_000), None)), (1_001, Moved(None, None)), (1_001, Bytes(true))], Some(5_000)),
        (
            &[(1_000, Clear), (1_000, Moved(Some(2_000), None)), (1_000, Enter(Phase::Head)), (1_000, Bytes(true))],
            Some(11_000),
        ),
    ];
    for (moves, expected) in cases {
        assert_eq!(after(&[&body[..], moves].concat()).1, Ok(expected), "{moves:?}");
    }
    let half_closed = [(0, HalfClosed), (1, Moved(None, Some(700))), (1, HalfClosed)];
    assert_eq!(after(&half_closed).1, Ok(Some(700)));
}

#[test]
fn stopping_drains_a_connection_without_a_request() {
    let limits = exact();
    for (phase, silent, stopping, expected) in [
        (Phase::Idle, true, Stopping::Drain, Ok(Some(at(700)))),
        (Phase::Head, true, Stopping::Drain, Ok(Some(at(700)))),
        (Phase::Head, false, Stopping::Drain, Ok(Some(at(10_000)))),
        (Phase::Linger, true, Stopping::Drain, Ok(Some(at(2_000)))),
        (Phase::Body, true, Stopping::Drain, Ok(Some(at(5_000)))),
        (Phase::Idle, true, Stopping::Now, Err(Phase::Drain)),
        (Phase::Head, true, Stopping::Now, Err(Phase::Drain)),
        (Phase::Head, false, Stopping::Now, Ok(Some(at(10_000)))),
        (Phase::Body, true, Stopping::Now, Ok(Some(at(5_000)))),
    ] {
        let mut waits = WaitState::new();
        waits.enter(phase);
        waits.wait_for_bytes(silent, Tick::START, &limits);
        assert_eq!(waits.poll(at(200), stopping, &limits), expected, "{phase:?} {silent} {stopping:?}");
    }
}

#[test]
fn stopping_does_not_drain_a_client_that_has_a_reply_to_read() {
    let (limits, mut waits) = (exact(), WaitState::new());
    waits.enter(Phase::Head);
    waits.wait_for_bytes(true, Tick::START, &limits);
    waits.wait_for_room(at(100), &limits);
    assert_eq!(waits.poll(at(200), Stopping::Drain, &limits), waits.poll(at(200), Stopping::No, &limits));
    waits.taken(1, at(300));
    waits.wait_for_bytes(true, at(300), &limits);
    assert_eq!(waits.poll(at(300), Stopping::Drain, &limits), Ok(Some(at(800))));
}

#[test]
fn a_drain_begins_once_and_ends_at_once_when_told() {
    let (limits, mut waits) = (exact(), WaitState::new());
    waits.enter(Phase::Idle);
    waits.wait_for_bytes(true, Tick::START, &limits);
    assert_eq!(waits.poll(at(100), Stopping::Drain, &limits), Ok(Some(at(600))));
    waits.wait_for_bytes(true, at(300), &limits);
    assert_eq!(waits.poll(at(300), Stopping::Drain, &limits), Ok(Some(at(600))));
    assert_eq!(waits.poll(at(301), Stopping::Now, &limits), Err(Phase::Drain));
}

#[test]
fn a_blocked_process_is_not_charged_to_the_client() {
    // The deadline was at 5 s, and there was no sweep for an hour: the wait is charged until a step after the deadline.
    let (mut waits, _) = after(&[(0, Enter(Phase::Body)), (0, Bytes(true))]);
    waits.arrived(1200, at(3_600_000));
    waits.wait_for_bytes(true, at(3_600_000), &exact());
    // Grace of 5 s, 5 s more for 1,200 bytes, less the 5.25 s.
    assert_eq!(waits.poll(at(3_600_000), Stopping::No, &exact()), Ok(Some(at(3_604_750))));
}

fn event() -> impl Strategy<Value = Event> {
    let phase = proptest::sample::select(&Phase::ALL[..]);
    let moved = || proptest::option::of(0..100_000_u64);
    prop_oneof![
        phase.prop_map(Enter),
        Just(Clear),
        Just(Pause),
        (1..5000_usize).prop_map(Arrived),
        (0..5000_usize).prop_map(Taken),
        any::<bool>().prop_map(Bytes),
        Just(Room),
        Just(HalfClosed),
        Just(ClearHalfClosed),
        (moved(), moved()).prop_map(|(read, write)| Moved(read, write)),
    ]
}

/// Events with the time until the next.
fn events() -> impl Strategy<Value = Vec<(Event, u64)>> {
    vec((event(), 0..4000_u64), 0..60)
}

proptest! {
    #[test]
    fn entering_the_current_phase_changes_nothing(events in events()) {
        let (mut once, mut twice, mut now) = (WaitState::new(), WaitState::new(), 0);
        for (event, gap) in events {
            apply(&mut once, event, now, &exact());
            apply(&mut twice, event, now, &exact());
            if let Some(phase) = twice.phase() {
                twice.enter(phase);
            }
            prop_assert_eq!(&once, &twice);
            now += gap;
            prop_assert_eq!(
                once.poll(at(now), Stopping::No, &exact()),
                twice.poll(at(now), Stopping::No, &exact())
            );
        }
    }

    #[test]
    fn a_poll_times_out_only_at_the_end_it_returned(events in events()) {
        let (mut waits, mut now) = (WaitState::new(), 0);
        for (event, gap) in events {
            apply(&mut waits, event, now, &exact());
            let first = waits.clone().poll(at(now), Stopping::No, &exact());
            if let Ok(end) = first {
                prop_assert!(end.is_none_or(|end| end > at(now)));
                prop_assert_eq!(waits.poll(at(now), Stopping::No, &exact()), first, "asking changes nothing");
                let asked = end.map_or(now + gap, |end| end.as_millis() - 1).max(now);
                prop_assert_eq!(waits.poll(at(asked), Stopping::No, &exact()), first, "early");
                if let Some(end) = end {
                    prop_assert!(waits.clone().poll(end, Stopping::No, &exact()).is_err(), "late");
                }
                now = (now + gap).min(asked);
            } else {
                let told = (0..3).take_while(|_| waits.poll(at(now), Stopping::No, &exact()).is_err()).count();
                prop_assert!(told <= 2, "each of two waits is reported once");
                now += gap;
            }
        }
    }

    /// By the sweeper's rules: a sweep every 200 ms, a clock as of the last sweep, and limits longer by 251 ms.
    #[test]
    fn no_timeout_is_early_or_half_a_second_late(begin in 0..2000_u64, phase in 0..4_usize) {
        let (phase, limit) =
            [(Phase::Idle, 75_000), (Phase::Head, 10_000), (Phase::Linger, 2_000), (Phase::Body, 5_000)][phase];
        let limits = WaitLimits::new(&Timeouts::default(), Duration::from_millis(SLACK));
        let clock = |now: u64| at(now / LOOK * LOOK);
        let mut waits = WaitState::new();
        waits.enter(phase);
        waits.wait_for_bytes(true, clock(begin), &limits);
        let late = (begin..).find(|now| waits.poll(clock(*now), Stopping::No, &limits).is_err()).unwrap();
        let took = late - begin;
        prop_assert!(took >= limit && took < limit + 500, "{took}");
    }
}
