//! The connections of one accept loop: states, counts, the sweeper, stop and abort.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use State::{Active, Closed, Hijacked, Idle, New};
use common::{Bell, addr, connection_of, connections, ends_after, hooked, limits, piped, poll_once, scripted};
use quintet_conn::{Connections, Counts, Filled, Phase, Retirement, State, StateHook, Timeouts, WireError};
use quintet_listener::{Addr, Stream};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf},
    task::yield_now,
    time::{Instant, advance, sleep, timeout},
};

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

mod states {
    use super::*;

    type Seen = Arc<Mutex<Vec<(State, State)>>>;

    fn recorder() -> (Seen, Option<StateHook>) {
        let seen = Seen::default();
        let hook = Arc::clone(&seen);
        (seen, Some(Box::new(move |_, from, to| hook.lock().unwrap().push((from, to)))))
    }

    /// What the state hook sees of a connection that is set to these states and is then dropped.
    fn told(moves: &[State]) -> Vec<(State, State)> {
        let (seen, hook) = recorder();
        let (connections, _sweeper) = Connections::new(limits(), None, hook);
        let (connection, wire, _peer) = scripted(&connections);
        moves.iter().for_each(|to| connection.set_state(*to));
        drop((connection, wire));
        let seen = seen.lock().unwrap();
        seen.clone()
    }

    #[test]
    fn the_state_hook_sees_the_sequences_of_gos_test() {
        // serve_test.go: TestServerConnState, without what the layers above decide.
        let go: [(&[State], &[State]); 5] = [
            (&[Active, Idle, Active], &[New, Active, Idle, Active, Closed]),
            (&[Active, Idle, Active, Idle], &[New, Active, Idle, Active, Idle, Closed]),
            (&[Active, Hijacked], &[New, Active, Hijacked]),
            (&[Active], &[New, Active, Closed]),
            (&[], &[New, Closed]),
        ];
        for (moves, expected) in go {
            let states: Vec<State> = told(moves).iter().map(|(_, to)| *to).collect();
            assert_eq!(states, expected);
        }
    }

    #[test]
    fn the_state_hook_sees_every_legal_sequence_and_no_other() {
        // All 5^5 sequences of five calls, legal or not: the hook sees the path of those that the table allows.
        for n in 0..5_usize.pow(5) {
            let orders: Vec<State> = (0..5).map(|place| State::ALL[n / 5_usize.pow(place) % 5]).collect();
            let mut expected = vec![(New, New)];
            let mut at = New;
            for to in orders.iter().chain([&Closed]) {
                if at.moves().contains(to) {
                    expected.push((at, *to));
                    at = *to;
                }
            }
            assert_eq!(told(&orders), expected, "{orders:?}");
        }
    }

    #[test]
    fn a_hijacked_connection_is_never_set_to_closed() {
        assert_eq!(told(&[Active, Hijacked]).last(), Some(&(Active, Hijacked)));
    }

    #[test]
    fn the_state_hook_reads_addresses_and_counts() {
        let peers = Arc::new(Mutex::new(Vec::new()));
        let hook = Arc::clone(&peers);
        let among = Arc::new(OnceLock::<Weak<Connections>>::new());
        let all = Arc::clone(&among);
        let (connections, _sweeper) = Connections::new(
            limits(),
            Some("127.0.0.1:80".parse().unwrap()),
            Some(Box::new(move |connection, _, _| {
                hook.lock().unwrap().push((
                    connection.peer_addr().to_string(),
                    connection.local_addr().cloned(),
                    all.get().and_then(Weak::upgrade).expect("they exist").counts(),
                ));
            })),
        );
        among.set(Arc::downgrade(&connections)).expect("set once");
        let (connection, _wire, _peer) = scripted(&connections);
        connection.set_state(Active);
        let local = Some("127.0.0.1:80".parse().unwrap());
        let peer = "192.0.2.1:54321".to_owned();
        let new = Counts { new: 1, ..Counts::default() };
        let active = Counts { active: 1, ..Counts::default() };
        assert_eq!(*peers.lock().unwrap(), [(peer.clone(), local.clone(), new), (peer, local, active)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_in_the_state_hook_ends_nothing() {
        for at in [New, Active, Closed] {
            let connections = hooked(limits(), Some(Box::new(move |_, _, to| assert!(to != at, "on purpose"))));
            let (connection, wire, peer) = scripted(&connections);
            connection.set_state(Active);
            assert_eq!(connections.counts(), Counts { active: 1, ..Counts::default() });
            drop((connection, wire, peer));
            timeout(secs(1), connections.drained()).await.expect("no connection is left");
            assert_eq!(connections.counts(), Counts::default());
        }
    }
}

mod counts {
    use super::*;

    #[test]
    fn counts_has_a_number_for_each_state() {
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        assert_eq!(connections.counts().total(), 0);
        let admitted: Vec<_> = (0..10).map(|_| scripted(&connections)).collect();
        for (connection, _, _) in &admitted[1..] {
            connection.set_state(Active);
        }
        for (connection, _, _) in &admitted[3..] {
            connection.set_state(Idle);
        }
        admitted[1].0.set_state(Hijacked);
        let counts = Counts { new: 1, active: 1, idle: 7, hijacked: 1 };
        assert_eq!(connections.counts(), counts);
        assert_eq!(counts.total(), 10);
        assert_eq!(counts + counts, Counts { new: 2, active: 2, idle: 14, hijacked: 2 });
        drop(admitted);
        assert_eq!(connections.counts(), Counts::default());
    }

    #[test]
    fn requests_are_active_connections_or_their_children() {
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        let admitted: Vec<_> = (0..4).map(|_| scripted(&connections)).collect();
        assert_eq!(connections.requests(), 0);
        admitted[0].0.set_state(Active);
        let clock = admitted[1].0.child().uncounted();
        assert_eq!(connections.requests(), 1);
        admitted[1].0.set_state(Active);
        let children: Vec<_> = (0..3).map(|_| admitted[1].0.child()).collect();
        assert_eq!(connections.requests(), 1 + 3);
        drop(children);
        admitted[1].0.set_state(Idle);
        assert_eq!(connections.requests(), 1);
        drop((admitted, clock));
        assert_eq!(connections.requests(), 0);
    }

    #[test]
    fn a_connection_counts_until_its_guard_and_wire_are_dropped() {
        for wire_first in [true, false] {
            let (connections, _sweeper) = Connections::new(limits(), None, None);
            let (connection, wire, _peer) = scripted(&connections);
            let (known, active) = (connection_of(&connection), connection.active());
            let (mut connection, mut wire) = (Some(connection), Some(wire));
            if wire_first {
                drop(wire.take());
            } else {
                drop(connection.take());
            }
            assert_eq!((connections.counts().new, known.state(), active.is_disconnected()), (1, New, false));
            drop((connection, wire));
            assert_eq!((connections.counts().total(), known.state(), active.is_disconnected()), (0, Closed, true));
        }
    }

    #[test]
    fn slots_are_reused_in_any_order() {
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        let mut placed: Vec<_> = (0..8).map(|_| Some(scripted(&connections))).collect();
        for round in 0..1000_usize {
            let at = round * 5 % 8;
            placed[at] = match placed[at].take() {
                Some(left) => {
                    drop(left);
                    None
                }
                None => Some(scripted(&connections)),
            };
            assert_eq!(connections.counts().total(), placed.iter().flatten().count());
        }
    }
}

mod sweeper {
    use super::*;

    /// A sweeper that is polled by the test, with a waker of its own.
    struct Sweeping(quintet_conn::Sweeper, Arc<Bell>);

    impl Sweeping {
        fn new(timeouts: Timeouts) -> (Arc<Connections>, Self) {
            let (connections, sweeper) = Connections::new(timeouts, None, None);
            (connections, Self(sweeper, Bell::new()))
        }

        fn sweep(&mut self) -> Poll<()> {
            poll_once(&self.1, Pin::new(&mut self.0))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_sweeper_sets_no_timer_without_connections() {
        let (connections, mut sweeper) = Sweeping::new(limits());
        assert!(sweeper.sweep().is_pending());
        advance(secs(3600)).await;
        assert_eq!(sweeper.1.rings(), 0);

        let admitted = scripted(&connections);
        assert_eq!(sweeper.1.rings(), 1, "the first connection wakes it");
        assert!(sweeper.sweep().is_pending());
        advance(secs(1)).await;
        assert_eq!(sweeper.1.rings(), 2, "with a connection it has one timer");
        let second = scripted(&connections);
        assert_eq!(sweeper.1.rings(), 2, "the second needs no other");

        drop((admitted, second));
        assert!(sweeper.sweep().is_pending(), "the permit of a wake-up that came while it was awake");
        let rings = sweeper.1.rings();
        let _ = sweeper.sweep();
        advance(secs(3600)).await;
        assert_eq!(sweeper.1.rings(), rings, "the last connection took the timer with it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_sets_no_timer() {
        // Without a sweeper nothing wakes a task that waits in any phase: it set no timer.
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        for phase in Phase::ALL {
            let (connection, mut wire, peer) = scripted(&connections);
            let bell = Bell::new();
            wire.enter(phase);
            assert!(poll_once(&bell, wire.flush_and_fill(1024)).is_pending());
            peer.deaf();
            wire.output.extend(b"x");
            assert!(poll_once(&bell, wire.flush()).is_pending());
            assert!(poll_once(&bell, poll_fn(|cx| wire.poll_watch(cx, 1024))).is_pending());
            advance(secs(24 * 3600)).await;
            assert_eq!(bell.rings(), 0, "{phase:?}");
            drop(connection);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_sweeper_ends_with_its_connections() {
        let (connections, sweeper) = Connections::new(limits(), None, None);
        let sweeping = tokio::spawn(sweeper);
        sleep(secs(1)).await;
        drop(connections);
        timeout(secs(1), sweeping).await.expect("it ends").unwrap();

        // While it is at work, too; the connections are held by their entries as well.
        let (connections, sweeper) = Connections::new(limits(), None, None);
        let sweeping = tokio::spawn(sweeper);
        let admitted = scripted(&connections);
        drop(connections);
        sleep(secs(1)).await;
        assert!(!sweeping.is_finished());
        drop(admitted);
        timeout(secs(1), sweeping).await.expect("it ends").unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_sweeper_wakes_only_tasks_past_their_deadline() {
        let connections = connections(limits());
        let (_connection, mut wire, _peer) = scripted(&connections);
        let bell = Bell::new();
        assert!(poll_once(&bell, wire.flush_and_fill(1024)).is_pending());
        sleep(millis(9_990)).await;
        assert_eq!(bell.rings(), 0);
        sleep(millis(510)).await;
        assert!(bell.rings() > 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_told_of_its_timeout_is_not_woken_again() {
        let connections = connections(limits());
        let (_connection, mut wire, _peer) = scripted(&connections);
        let bell = Bell::new();
        assert!(poll_once(&bell, wire.flush_and_fill(1024)).is_pending());
        sleep(secs(11)).await;
        assert!(matches!(
            poll_once(&bell, wire.flush_and_fill(1024)),
            Poll::Ready(Err(WireError::TimedOut(Phase::Head)))
        ));
        let rings = bell.rings();
        sleep(secs(60)).await;
        assert_eq!(bell.rings(), rings);
    }

    #[tokio::test(start_paused = true)]
    async fn a_blocked_process_does_not_time_out_its_clients() {
        for stall in [millis(300), secs(5), secs(3600)] {
            let (connections, mut sweeper) = Sweeping::new(Timeouts { read_header: secs(2), ..limits() });
            let (_connection, mut wire, _peer) = scripted(&connections);
            assert!(sweeper.sweep().is_pending());
            advance(stall).await; // without a sweep
            let bell = Bell::new();
            let start = Instant::now();
            while poll_once(&bell, wire.flush_and_fill(1024)).is_pending() {
                assert!(sweeper.sweep().is_pending());
                advance(millis(10)).await;
            }
            let took = start.elapsed();
            assert!(took >= secs(2) && took <= millis(2500), "{took:?} after a stall of {stall:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_hour_without_connections_does_not_time_out_the_next() {
        let connections = connections(limits());
        drop(scripted(&connections));
        sleep(secs(3600)).await;
        let (connection, mut wire, _peer) = scripted(&connections);
        assert_eq!(connection.age(), Duration::ZERO);
        assert!(ends_after(secs(10), wire.flush_and_fill(1024)).await.is_err());
        assert!(connection.age() >= secs(10), "{:?}", connection.age());
    }

    #[tokio::test(start_paused = true)]
    async fn the_wall_clock_is_that_of_the_system() {
        let connections = connections(limits());
        let _admitted = scripted(&connections);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        assert!(connections.unix().abs_diff(now) <= 1);
    }
}

mod ends {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stop_wakes_idle_connections_and_resolves_stopping() {
        let connections = connections(limits());
        let (connection, mut wire, _peer) = scripted(&connections);
        let (reading, handling, loitering) = (Bell::new(), Bell::new(), Bell::new());
        assert!(poll_once(&reading, wire.flush_and_fill(1024)).is_pending());
        let (mut handler, mut accept_loop) = (Box::pin(connection.stopping()), Box::pin(connections.stopping()));
        assert!(poll_once(&handling, handler.as_mut()).is_pending());
        assert!(poll_once(&loitering, accept_loop.as_mut()).is_pending());
        assert!(!connections.is_stopping());

        connections.stop();
        assert_eq!((reading.rings(), handling.rings(), loitering.rings()), (1, 1, 1));
        assert!(poll_once(&handling, handler).is_ready());
        assert!(poll_once(&loitering, accept_loop).is_ready());
        assert!(connections.is_stopping() && connection.is_stopping() && !connections.is_aborted());
        // Once stopped, always.
        connections.stopping().await;
        connection.stopping().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_admitted_after_stop_drains_at_once() {
        let connections = connections(limits());
        connections.stop();
        let (_connection, mut wire, _peer) = scripted(&connections);
        let ended = ends_after(millis(500), wire.flush_and_fill(1024)).await;
        assert!(matches!(ended, Err(WireError::TimedOut(Phase::Drain))), "{ended:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn abort_ends_every_wait_at_once() {
        let connections = connections(limits());
        let mut waiting = Vec::new();
        for phase in Phase::ALL {
            let (connection, mut wire, _client) = piped(&connections, 1024);
            waiting.push(tokio::spawn(async move {
                let _both = (connection, _client);
                wire.enter(phase);
                wire.flush_and_fill(1024).await
            }));
        }
        let (connection, mut wire, peer) = scripted(&connections);
        waiting.push(tokio::spawn(async move {
            let _connection = connection;
            peer.deaf();
            wire.output.extend(b"x");
            wire.flush().await.map(|()| Filled::Full)
        }));
        let (connection, mut wire, peer) = scripted(&connections);
        waiting.push(tokio::spawn(async move {
            let _both = (connection, peer);
            poll_fn(|cx| wire.poll_watch(cx, 1024)).await
        }));
        sleep(millis(100)).await;
        let cutting = Instant::now();
        connections.abort();
        for task in waiting {
            assert!(matches!(task.await.unwrap(), Err(WireError::Aborted)));
        }
        connections.drained().await;
        assert_eq!(cutting.elapsed(), Duration::ZERO);
        assert!(connections.is_aborted() && connections.is_stopping());
    }

    #[tokio::test(start_paused = true)]
    async fn abort_ends_a_linger_too() {
        let connections = connections(limits());
        let (_connection, mut wire, _client) = piped(&connections, 1024);
        let cutting = Arc::clone(&connections);
        tokio::spawn(async move {
            sleep(secs(1)).await;
            cutting.abort();
        });
        let start = Instant::now();
        wire.linger(u64::MAX).await.unwrap();
        assert_eq!(start.elapsed(), secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn drained_resolves_when_the_last_connection_ends() {
        let connections = connections(limits());
        connections.drained().await;
        let admitted: Vec<_> = (0..3).map(|_| scripted(&connections)).collect();
        let mut empty = pin!(connections.drained());
        let bell = Bell::new();
        for (n, left) in admitted.into_iter().enumerate() {
            assert!(poll_once(&bell, empty.as_mut()).is_pending(), "{n} have left");
            drop(left);
            assert!(bell.rings() > n);
        }
        assert!(poll_once(&bell, empty).is_ready());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_task_misses_abort_or_the_last_departure() {
        // Several threads: stop, abort and the ends of connections race with tasks that are about to wait.
        for round in 0..200 {
            let connections = connections(limits());
            for n in 0..8 {
                let (connection, mut wire, client) = piped(&connections, 64);
                tokio::spawn(async move {
                    let _both = (connection, client);
                    for _ in 0..n {
                        yield_now().await;
                    }
                    let _ = wire.flush_and_fill(1024).await;
                });
            }
            let stopping = Arc::clone(&connections);
            let told = tokio::spawn(async move { stopping.stopping().await });
            for _ in 0..round % 7 {
                yield_now().await;
            }
            connections.abort();
            timeout(secs(20), connections.drained()).await.expect("every wait was aborted");
            timeout(secs(20), told).await.expect("stopping resolves").unwrap();
        }
    }
}

mod retire {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn close_if_idle_ends_the_wait_for_a_first_byte_at_once() {
        for phase in [Phase::Idle, Phase::Head, Phase::Drain] {
            for told in [true, false] {
                let connections = connections(limits());
                let (connection, mut wire, _peer) = scripted(&connections);
                let bell = Bell::new();
                wire.enter(phase);
                if told {
                    assert!(poll_once(&bell, wire.flush_and_fill(1024)).is_pending());
                }
                connections.close_if_idle(&connection);
                connections.close_if_idle(&connection);
                assert_eq!(bell.rings(), usize::from(told), "{phase:?}: woken once if it waits");
                let ended = poll_once(&bell, wire.flush_and_fill(1024));
                assert!(matches!(ended, Poll::Ready(Err(WireError::TimedOut(Phase::Drain)))), "{phase:?}: {ended:?}");
                assert!(connection.is_retiring());
                let rings = bell.rings();
                sleep(secs(200)).await;
                assert_eq!(bell.rings(), rings, "a timeout is reported once");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn close_if_idle_loses_no_request_that_has_begun() {
        // The first byte is here, whether or not it was read when the connection was to end.
        for read in [true, false] {
            let connections = connections(limits());
            let (connection, mut wire, peer) = scripted(&connections);
            wire.enter(Phase::Idle);
            assert!(poll_once(&Bell::new(), wire.flush_and_fill(1024)).is_pending());
            peer.sends(*b"G");
            if read {
                assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(1));
                connections.close_if_idle(&connection);
            } else {
                connections.close_if_idle(&connection);
                assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(1));
            }
            wire.enter(Phase::Head);
            assert!(poll_once(&Bell::new(), wire.flush_and_fill(1024)).is_pending());
            peer.sends(*b"ET");
            assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(2));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn close_if_idle_waits_for_a_body_and_for_the_reply() {
        let connections = connections(limits());
        let (connection, mut wire, peer) = scripted(&connections);
        wire.enter(Phase::Body);
        connections.close_if_idle(&connection);
        assert!(poll_once(&Bell::new(), wire.flush_and_fill(1024)).is_pending());
        peer.sends(*b"body");
        assert_eq!(wire.flush_and_fill(1024).await.unwrap(), Filled::Bytes(4));
        wire.input.consume(4);
        wire.output.extend(b"the last reply");
        wire.clear_phase();
        wire.enter(Phase::Idle);
        assert!(matches!(wire.flush_and_fill(1024).await, Err(WireError::TimedOut(Phase::Drain))));
        assert_eq!(peer.written(), b"the last reply");
    }

    #[tokio::test(start_paused = true)]
    async fn retire_alone_ends_no_wait() {
        let connections = connections(limits());
        let (connection, mut wire, _peer) = scripted(&connections);
        wire.enter(Phase::Idle);
        assert!(!connection.is_retiring());
        connections.retire(&connection);
        connections.retire(&connection);
        assert!(connection.is_retiring());
        assert!(matches!(ends_after(secs(75), wire.flush_and_fill(1024)).await, Err(WireError::TimedOut(Phase::Idle))));
        connections.close_if_idle(&connection);
        connections.retire(&connection);
        assert!(
            matches!(wire.flush_and_fill(1024).await, Err(WireError::TimedOut(Phase::Drain))),
            "retiring takes nothing back"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn retire_all_ends_no_wait_and_retires_new_connections_too() {
        let connections = connections(limits());
        let (connection, mut wire, _peer) = scripted(&connections);
        let bell = Bell::new();
        wire.enter(Phase::Idle);
        assert!(poll_once(&bell, wire.flush_and_fill(1024)).is_pending());
        assert_eq!((connection.is_retiring(), connection.retirement()), (false, None));
        connections.retire_all();
        assert_eq!(bell.rings(), 1, "its task may tell the client");
        let (late, _wire, _late_peer) = scripted(&connections);
        for one in [&connection, &late] {
            assert!(one.is_retiring() && !one.is_stopping());
            assert_eq!(one.retirement(), Some(Retirement::Server));
        }
        assert!(matches!(ends_after(secs(75), wire.flush_and_fill(1024)).await, Err(WireError::TimedOut(Phase::Idle))));
        connections.stop();
        assert!(connection.is_stopping() && connection.is_retiring());
        connections.retire_all();
        assert!(connection.is_stopping(), "retiring takes nothing back");
        assert!(matches!(wire.flush_and_fill(1024).await, Err(WireError::TimedOut(Phase::Drain))));
    }

    /// While all retire, an idle one can still make room for another client.
    #[tokio::test(start_paused = true)]
    async fn idlest_returns_connections_after_retire_all() {
        let connections = connections(limits());
        let (connection, _wire, _peer) = scripted(&connections);
        connection.set_state(Active);
        connection.set_state(Idle);
        connections.retire_all();
        assert_eq!(connections.idlest(1).len(), 1);
        connections.retire(&connection);
        assert_eq!(connections.idlest(1).len(), 0);
        assert_eq!(connection.retirement(), Some(Retirement::Server));
    }

    #[tokio::test(start_paused = true)]
    async fn other_connections_cannot_retire_or_close_a_connection() {
        let [own, other] = [connections(limits()), connections(limits())];
        let (connection, mut wire, _peer) = scripted(&own);
        let _among_others = scripted(&other);
        wire.enter(Phase::Idle);
        other.retire(&connection);
        other.close_if_idle(&connection);
        assert!(!connection.is_retiring());
        assert!(matches!(ends_after(secs(75), wire.flush_and_fill(1024)).await, Err(WireError::TimedOut(Phase::Idle))));
        own.close_if_idle(&connection);
        assert!(connection.is_retiring());
    }

    #[tokio::test(start_paused = true)]
    async fn idlest_returns_the_longest_idle_first() {
        let connections = connections(limits());
        let admitted: Vec<_> = (0..10).map(|_| scripted(&connections)).collect();
        assert!(connections.idlest(10).is_empty(), "new ones are not idle");
        admitted.iter().for_each(|(connection, ..)| connection.set_state(Active));
        let order = [3, 9, 0, 4, 1, 8];
        for n in order {
            admitted[n].0.set_state(Idle);
            sleep(secs(1)).await;
        }
        // The longest idle becomes active, and then the last to become idle.
        admitted[3].0.set_state(Active);
        admitted[3].0.set_state(Idle);
        connections.retire(&admitted[4].0);
        let slots =
            |n| -> Vec<usize> { connections.idlest(n).iter().map(|(_, connection)| connection.slot()).collect() };
        let expected: Vec<usize> = [9, 0, 1, 8, 3].iter().map(|n| admitted[*n].0.slot()).collect();
        for n in 0..=6 {
            assert_eq!(slots(n), expected[..n.min(5)], "the first {n}");
        }
        for ((idle, _), exact) in connections.idlest(5).iter().zip([5, 4, 2, 1, 0]) {
            assert!(idle.abs_diff(secs(exact)) <= millis(250), "{idle:?} instead of {exact} s");
        }
    }

    /// A reset discards what the kernel has not delivered yet, and here that is a whole reply.
    #[tokio::test(start_paused = true)]
    async fn abort_resets_only_a_client_that_may_have_half_a_reply() {
        for phase in Phase::ALL.into_iter().map(Some).chain([None]) {
            for unsent in [false, true] {
                let connections = connections(limits());
                let (connection, mut wire, peer) = scripted(&connections);
                wire.clear_phase();
                wire.output.extend(b"a reply");
                wire.flush().await.unwrap();
                if let Some(phase) = phase {
                    wire.enter(phase);
                }
                if unsent {
                    peer.deaf();
                    wire.output.extend(b"another reply");
                }
                connections.abort();
                for _ in 0..2 {
                    assert!(wire.flush_and_fill(1024).await.is_err());
                }
                let between = [Phase::Idle, Phase::Head, Phase::Drain, Phase::Linger];
                let whole = !unsent && phase.is_some_and(|phase| between.contains(&phase));
                assert_eq!(peer.is_aborted(), !whole, "{phase:?}, unsent: {unsent}");
                assert!(!connection.is_lingering());
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn abort_does_not_reset_a_lingering_client() {
        let connections = connections(limits());
        let (connection, mut wire, peer) = scripted(&connections);
        let cutting = Arc::clone(&connections);
        tokio::spawn(async move {
            sleep(secs(1)).await;
            assert_eq!((cutting.lingering(), cutting.counts().total()), (1, 1));
            cutting.abort();
        });
        wire.output.extend(b"a reply");
        wire.linger(u64::MAX).await.unwrap();
        assert!(connection.is_lingering() && !peer.is_aborted());
    }

    #[tokio::test(start_paused = true)]
    async fn abort_reaches_the_stream() {
        let connections = connections(limits());
        let (_connection, mut wire, peer) = scripted(&connections);
        assert!(!peer.is_aborted());
        wire.abort();
        assert!(peer.is_aborted());
    }
}

mod gone {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn disconnected_resolves_for_every_task_also_a_later_one() {
        let connections = connections(limits());
        let (connection, mut wire, client) = piped(&connections, 1024);
        wire.clear_phase();
        let known = connection.active();
        let handler = tokio::spawn(async move { known.disconnected().await });
        yield_now().await;
        assert!(!connection.active().is_disconnected());
        drop(client);
        let watched = timeout(secs(1), poll_fn(|cx| wire.poll_watch(cx, 1024))).await;
        assert!(watched.is_err(), "a client that closed its half may still read: {watched:?}");
        timeout(secs(1), handler).await.expect("told").unwrap();
        connection.active().disconnected().await;
    }

    #[tokio::test(start_paused = true)]
    async fn disconnected_resolves_at_the_end_of_the_connection() {
        let connections = connections(limits());
        let (connection, wire, _peer) = scripted(&connections);
        let known = connection.active();
        let handler = tokio::spawn(async move { known.disconnected().await });
        yield_now().await;
        drop((connection, wire));
        timeout(secs(1), handler).await.expect("told").unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_kept_connection_handle_does_not_keep_the_waker() {
        let connections = connections(limits());
        let (connection, mut wire, peer) = scripted(&connections);
        let bell = Bell::new();
        assert!(poll_once(&bell, wire.flush_and_fill(1024)).is_pending());
        let kept = connection_of(&connection);
        drop((connection, wire, peer));
        assert_eq!(Arc::strong_count(&bell), 1);
        assert_eq!(kept.state(), Closed);
    }
}

mod tasks {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wire_moved_to_another_task_wakes_that_task() {
        let connections = connections(limits());
        let (_connection, mut wire, _peer) = scripted(&connections);
        let first = Bell::new();
        assert!(poll_once(&first, wire.flush_and_fill(1024)).is_pending());
        let moved = tokio::spawn(async move { wire.flush_and_fill(1024).await });
        let ended = timeout(secs(60), moved).await.expect("woken").unwrap();
        assert!(matches!(ended, Err(WireError::TimedOut(Phase::Head))), "{ended:?}");
        assert_eq!(first.rings(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wire_polled_by_many_tasks_wakes_only_the_last() {
        let connections = connections(limits());
        let (_connection, mut wire, _peer) = scripted(&connections);
        let bells = [Bell::new(), Bell::new()];
        for bell in [&bells[0], &bells[1], &bells[0], &bells[1]] {
            assert!(poll_once(bell, wire.flush_and_fill(1024)).is_pending());
        }
        connections.stop();
        assert_eq!([bells[0].rings(), bells[1].rings()], [0, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_noop_waker_with_a_null_address_still_times_out() {
        let connections = connections(limits());
        let (_connection, mut wire, _peer) = scripted(&connections);
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(pin!(wire.flush_and_fill(1024)).poll(cx).is_pending());
        sleep(secs(11)).await;
        assert!(pin!(wire.flush_and_fill(1024)).poll(cx).is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_has_the_addresses_it_was_admitted_with() {
        let (connections, _sweeper) = Connections::new(limits(), Some(addr()), None);
        let (connection, wire, mut client) = piped(&connections, 64);
        assert_eq!((connection.peer_addr(), connection.local_addr()), (&addr(), Some(&addr())));
        assert_eq!(wire.connection().map(Arc::as_ptr), Some(Arc::as_ptr(&connection)));
        assert_eq!(connections.timeouts(), &limits());
        client.write_all(b"x").await.unwrap();
    }

    /// A stream that counts how often it is asked for its address.
    struct Asked(DuplexStream, Option<Addr>, Arc<AtomicUsize>);
    impl AsyncRead for Asked {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, to)
        }
    }
    impl AsyncWrite for Asked {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.0).poll_write(cx, bytes)
        }
        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }
        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }
    impl Stream for Asked {
        fn local_addr(&self) -> Option<Addr> {
            self.2.fetch_add(1, SeqCst);
            self.1.clone()
        }
    }

    #[test]
    fn the_local_addr_is_asked_of_a_stream_only_under_a_wildcard() {
        let own = "192.0.2.7:80";
        let table = [
            // the listener's, the stream's, the connection's, how often the stream was asked
            (Some("127.0.0.1:80"), Some(own), Some("127.0.0.1:80"), 0),
            (Some("[::1]:80"), Some(own), Some("[::1]:80"), 0),
            (Some("unix:/run/a.sock"), Some(own), Some("unix:/run/a.sock"), 0),
            (Some("unix:"), Some(own), Some("unix:"), 0),
            (None, Some(own), None, 0),
            (Some("0.0.0.0:80"), Some(own), Some(own), 1),
            (Some("[::]:80"), Some(own), Some(own), 1),
            (Some("[::]:80"), Some("[2001:db8::1]:80"), Some("[2001:db8::1]:80"), 1),
            (Some("[::ffff:0.0.0.0]:80"), Some(own), Some(own), 1),
            (Some("0.0.0.0:80"), None, Some("0.0.0.0:80"), 1), // it does not know
        ];
        let parsed = |addr: Option<&str>| addr.map(|addr| addr.parse::<Addr>().unwrap());
        for (listeners, streams, expected, times) in table {
            let (connections, _sweeper) = Connections::new(limits(), parsed(listeners), None);
            let asked = Arc::new(AtomicUsize::new(0));
            let stream = Asked(tokio::io::duplex(1).0, parsed(streams), Arc::clone(&asked));
            let (connection, _wire) = connections.admit(stream, addr());
            for _ in 0..3 {
                assert_eq!(connection.local_addr().cloned(), parsed(expected), "{listeners:?} {streams:?}");
                assert_eq!(connection.peer_addr(), &addr());
            }
            assert_eq!(asked.load(SeqCst), times, "{listeners:?} {streams:?}");
            assert_eq!(connections.local_addr().cloned(), parsed(listeners));
        }
    }
}
