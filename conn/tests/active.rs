//! Handles of requests in progress, one at a time or many at once on one connection: deadlines, disconnection, notes and
//! interim replies.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Wake, Waker},
    time::Duration,
};

use common::{Bell, connections, ends_after, limits, piped, poll_once, scripted};
use quintet_conn::{
    ActiveRequest, ConnGuard, Connections, InterimError, Phase, RequestGuard, RequestValues, Timeouts, WaitState, Wire,
    WireError,
};
use quintet_listener::Stream;
use tokio::{
    io::AsyncReadExt,
    task::{JoinHandle, yield_now},
    time::{sleep, timeout},
};

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn told(active: &ActiveRequest) -> JoinHandle<()> {
    let active = active.clone();
    tokio::spawn(async move { active.disconnected().await })
}

mod one_at_a_time {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_kept_handle_moves_no_deadline_of_the_next_request() {
        let connections = connections(limits());
        let (connection, mut wire, _client) = piped(&connections, 1024);
        let kept = connection.active();
        kept.set_read_deadline(secs(1));
        connection.end_request();
        kept.set_read_deadline(Duration::MAX);
        kept.set_write_deadline(Duration::MAX);
        wire.enter(Phase::Body);
        let error = ends_after(secs(5), wire.flush_and_fill(1024)).await.unwrap_err();
        assert!(matches!(error, WireError::TimedOut(Phase::Body)), "{error:?}");
        // The handle of the next request moves it.
        connection.end_request();
        wire.clear_phase();
        connection.active().set_read_deadline(secs(1));
        kept.set_read_deadline(Duration::MAX);
        wire.enter(Phase::Body);
        assert!(ends_after(secs(1), wire.flush_and_fill(1024)).await.is_err());
    }

    /// The client read its reply in time: the deadline is over with the wait, and not a limit of the idle connection.
    #[tokio::test(start_paused = true)]
    async fn a_write_deadline_ends_with_the_wait_for_room() {
        let connections = connections(limits());
        let (connection, mut wire, mut client) = piped(&connections, 16);
        connection.active().set_write_deadline(secs(1));
        wire.clear_phase();
        wire.output.extend(&[b'x'; 64]);
        let mut reply = [0; 64];
        let (sent, read) = tokio::join!(wire.flush(), client.read_exact(&mut reply));
        assert!(sent.is_ok() && read.is_ok());
        connection.end_request();
        wire.enter(Phase::Idle);
        let error = ends_after(secs(75), wire.flush_and_fill(1024)).await.unwrap_err();
        assert!(matches!(error, WireError::TimedOut(Phase::Idle)), "{error:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_handle_of_an_ended_request_says_disconnected() {
        let connections = connections(limits());
        let (connection, _wire, _client) = piped(&connections, 1024);
        let active = connection.active();
        let waiting = told(&active);
        yield_now().await;
        assert!(!active.is_disconnected() && !waiting.is_finished());
        connection.end_request();
        waiting.await.unwrap();
        assert!(active.is_disconnected());
        timeout(secs(1), active.disconnected()).await.expect("told afterwards, too");
        assert!(!connection.active().is_disconnected());
    }

    /// Its last request has no `end_request`: the connection was closed in the middle of it, or after it.
    #[test]
    fn a_handle_does_nothing_after_the_end_of_its_connection() {
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        let (connection, wire, _peer) = scripted(&connections);
        let active = connection.active();
        active.note("GET /");
        drop(connection);
        assert_eq!(active.push_interim(b"x"), Ok(()), "the wire is there");
        drop(wire);
        assert_eq!((active.take_note(), active.push_interim(b"x")), (None, Err(InterimError::Over)));
        assert!(active.is_disconnected());
    }

    #[test]
    fn a_note_is_taken_once_and_ends_with_its_request() {
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        let (connection, _wire, _peer) = scripted(&connections);
        let active = connection.active();
        assert_eq!(active.take_note(), None);
        active.note("GET /");
        active.note("GET /a");
        assert_eq!((connection.take_note().as_deref(), active.take_note()), (Some("GET /a"), None));
        active.note("GET /b");
        connection.end_request();
        active.note("GET /c");
        assert_eq!((connection.take_note(), active.take_note(), connection.active().take_note()), (None, None, None));
    }

    /// The values of a request, as numbers and texts.
    fn taken(connection: &ConnGuard) -> (Vec<u32>, Vec<&'static str>) {
        let mut values = RequestValues::default();
        connection.take_values(&mut values);
        let numbers = values.iter().filter_map(|value| value.downcast_ref().copied());
        (numbers.collect(), values.iter().filter_map(|value| value.downcast_ref().copied()).collect())
    }

    #[test]
    fn one_value_of_each_type_is_kept_for_an_observer() {
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        let (connection, _wire, _peer) = scripted(&connections);
        let active = connection.active();
        active.set_value(Arc::new(1_u32));
        assert_eq!(active.value::<u32>(), None, "nothing observes");
        active.keep_values();
        active.set_value(Arc::new(2_u32));
        active.set_value(Arc::new("two"));
        active.set_value(Arc::new(3_u32));
        assert_eq!((active.value::<u32>().as_deref(), active.value::<u8>()), (Some(&3), None));
        assert_eq!(taken(&connection), (vec![3], vec!["two"]));
        assert_eq!(taken(&connection), (vec![], vec![]), "taken once");
        // A value ends with its request, and a late one is that of none.
        active.set_value(Arc::new(4_u32));
        connection.end_request();
        active.set_value(Arc::new(5_u32));
        assert_eq!((taken(&connection), active.value::<u32>()), ((vec![], vec![]), None));
        connection.active().set_value(Arc::new(6_u32));
        assert_eq!(taken(&connection), (vec![6], vec![]), "later requests are observed too");
    }

    /// A value that uses the handle of its request when it is dropped: no lock may be held then.
    #[test]
    fn a_value_may_be_replaced_whose_drop_sets_another() {
        struct Sets(ActiveRequest);
        impl Drop for Sets {
            fn drop(&mut self) {
                self.0.set_value(Arc::new(7_u32));
            }
        }
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        let (connection, _wire, _peer) = scripted(&connections);
        connection.active().keep_values();
        let sets = || Arc::new(Sets(connection.active()));
        connection.active().set_value(sets());
        connection.active().set_value(sets());
        assert_eq!(connection.active().value::<u32>().as_deref(), Some(&7));
        connection.end_request();
        connection.active().set_value(Arc::new("the place is used for the next request"));
        assert_eq!(connection.active().value::<u32>(), None);
    }

    #[test]
    fn a_note_has_at_most_a_kibibyte() {
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        let (connection, _wire, _peer) = scripted(&connections);
        for (text, kept) in
            [("x".repeat(1024), 1024), ("x".repeat(1025), 1024), ("é".repeat(600), 1024), ("€".repeat(600), 1023)]
        {
            connection.active().note(&text);
            assert_eq!(connection.take_note().as_deref(), Some(&text[..kept]));
        }
    }

    #[test]
    fn interim_replies_are_bounded_and_end_with_the_reply() {
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        let (connection, mut wire, _peer) = scripted(&connections);
        let bell = Bell::new();
        assert!(poll_once(&bell, wire.flush_and_fill(1024)).is_pending());
        let active = connection.active();
        active.push_interim(&[b'x'; 16 * 1024]).unwrap();
        assert_eq!(bell.rings(), 1, "the serving task is woken");
        assert_eq!(active.push_interim(b"x"), Err(InterimError::Full));
        assert_eq!(connection.take_interim().map(|bytes| bytes.len()), Some(16 * 1024));
        assert_eq!(connection.take_interim(), None);
        active.push_interim(b"last").unwrap();
        assert_eq!(connection.end_interim().as_deref(), Some(&b"last"[..]));
        assert_eq!(active.push_interim(b"x"), Err(InterimError::Over));
        assert_eq!((connection.end_interim(), bell.rings()), (None, 2));
        connection.end_request();
        assert_eq!(active.push_interim(b"x"), Err(InterimError::Over));
        connection.active().push_interim(b"the next").unwrap();
        connection.end_request();
        assert_eq!(connection.end_interim(), None, "of a request that is over nothing is sent");
    }

    /// Handles of earlier requests, used by other threads while the connection goes on, change nothing.
    #[test]
    fn kept_handles_on_other_threads_do_nothing() {
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        let (connection, _wire, _peer) = scripted(&connections);
        std::thread::scope(|scope| {
            for round in 0..200 {
                let kept = connection.active();
                scope.spawn(move || {
                    for _ in 0..50 {
                        kept.note("an earlier one");
                        kept.set_read_deadline(Duration::ZERO);
                        let _ = kept.push_interim(b"x");
                    }
                });
                connection.end_request();
                let note = format!("number {round}");
                connection.active().note(&note);
                assert_eq!(connection.take_interim(), None);
                assert_eq!(connection.take_note(), Some(note));
            }
        });
    }
}

mod children {
    use super::*;

    /// Two requests on one connection, each waiting for a body.
    struct Two<S> {
        connections: Arc<Connections>,
        connection: ConnGuard,
        wire: Wire<S>,
        one: Waiting,
        other: Waiting,
    }

    struct Waiting {
        guard: RequestGuard,
        waits: WaitState,
        bell: Arc<Bell>,
    }

    impl Waiting {
        fn new(connection: &ConnGuard, phase: Phase) -> Self {
            let mut waiting = Self { guard: connection.child(), waits: WaitState::new(), bell: Bell::new() };
            waiting.guard.register_waker(&Arc::clone(&waiting.bell).into());
            waiting.waits.enter(phase);
            waiting.waits.wait_for_bytes(true, waiting.guard.begin(), waiting.guard.limits());
            assert!(waiting.wait().is_ok());
            waiting
        }

        fn wait(&mut self) -> Result<(), WireError> {
            self.guard.wait(&mut self.waits)
        }

        /// Polled when it is woken, as its task would be; how long it takes.
        async fn late(&mut self) -> (Duration, WireError) {
            let start = tokio::time::Instant::now();
            let mut rings = self.bell.rings();
            loop {
                sleep(Duration::from_millis(10)).await;
                if self.bell.rings() > rings {
                    rings = self.bell.rings();
                    if let Err(error) = self.wait() {
                        return (start.elapsed(), error);
                    }
                }
                assert!(start.elapsed() < secs(3600), "it is never woken");
            }
        }
    }

    fn two(timeouts: Timeouts) -> Two<impl Stream> {
        let connections = connections(timeouts);
        let (connection, mut wire, client) = piped(&connections, 1024);
        std::mem::forget(client);
        wire.clear_phase();
        let (one, other) = (Waiting::new(&connection, Phase::Body), Waiting::new(&connection, Phase::Idle));
        Two { connections, connection, wire, one, other }
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_children_one_times_out_and_the_other_does_not() {
        let mut two = two(limits());
        let (took, error) = two.one.late().await;
        assert!(matches!(error, WireError::TimedOut(Phase::Body)), "{error:?}");
        assert!(took >= secs(5) && took < Duration::from_millis(5_500), "{took:?}");
        assert_eq!(two.other.bell.rings(), 0);
        assert!(two.other.wait().is_ok() && two.wire.check().is_ok());
        let (took, error) = two.other.late().await;
        assert!(matches!(error, WireError::TimedOut(Phase::Idle)), "{error:?}");
        assert!(took >= secs(69) && took < Duration::from_millis(70_500), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_moved_by_one_child_leaves_the_other_alone() {
        let mut two = two(limits());
        let mut third = Waiting::new(&two.connection, Phase::Body);
        two.one.guard.active().set_read_deadline(secs(20));
        assert_eq!((two.one.bell.rings(), third.bell.rings()), (1, 0), "it counts for a wait in progress");
        assert!(two.one.wait().is_ok());
        let (took, _) = third.late().await;
        assert!(took >= secs(5) && took < Duration::from_millis(5_500), "{took:?}");
        let (took, _) = two.one.late().await;
        assert!(took >= secs(14) && took < Duration::from_millis(15_500), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_disconnected_child_leaves_the_other_connected() {
        let two = two(limits());
        let (one, other) = (two.one.guard.active(), two.other.guard.active());
        let waiting = (told(&one), told(&other), told(&two.connection.active()));
        yield_now().await;
        two.one.guard.set_disconnected();
        waiting.0.await.unwrap();
        yield_now().await;
        assert!(one.is_disconnected() && !other.is_disconnected());
        assert!(!waiting.1.is_finished() && !waiting.2.is_finished());
        two.connection.set_disconnected();
        waiting.1.await.unwrap();
        waiting.2.await.unwrap();
    }

    /// Its frames may still be in the buffer of a connection whose client has sent FIN.
    #[tokio::test(start_paused = true)]
    async fn a_child_of_a_disconnected_connection_is_disconnected() {
        let two = two(limits());
        two.connection.set_disconnected();
        let late = two.connection.child();
        assert!(late.active().is_disconnected());
        timeout(secs(1), late.active().disconnected()).await.expect("told at once");
    }

    /// A task that is dropped as it is woken: its executor is gone.
    struct Gone(Mutex<Option<RequestGuard>>);

    impl Wake for Gone {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            let guard = self.0.lock().unwrap().take();
            drop(guard);
        }
    }

    #[test]
    fn a_child_dropped_as_it_is_woken_is_no_deadlock() {
        for by_client in [true, false] {
            let (connections, _sweeper) = Connections::new(limits(), None, None);
            let (connection, _wire, _peer) = scripted(&connections);
            let child = connection.child();
            let active = child.active();
            let task = Arc::new(Gone(Mutex::new(None)));
            let waker = Waker::from(Arc::clone(&task));
            let mut disconnected = pin!(active.disconnected());
            assert!(disconnected.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            child.register_waker(&waker);
            *task.0.lock().unwrap() = Some(child);
            match by_client {
                true => connection.set_disconnected(),
                false => connections.stop(),
            }
            assert!(task.0.lock().unwrap().is_none() && active.is_disconnected());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn abort_and_stop_reach_every_child() {
        let mut two = two(limits());
        two.connections.stop();
        assert_eq!((two.one.bell.rings(), two.other.bell.rings()), (1, 1));
        assert!(two.one.wait().is_ok(), "a body is waited for to its end");
        let (took, error) = two.other.late_now().await;
        assert!(matches!(error, WireError::TimedOut(Phase::Drain)) && took < secs(1), "{error:?} after {took:?}");
        two.connections.abort();
        assert_eq!(two.one.bell.rings(), 2);
        assert!(matches!(two.one.wait(), Err(WireError::Aborted)));
        assert!(matches!(two.other.wait(), Err(WireError::Aborted)));
    }

    impl Waiting {
        /// As [`late`](Self::late), of one that was woken already.
        async fn late_now(&mut self) -> (Duration, WireError) {
            match self.wait() {
                Ok(()) => self.late().await,
                Err(error) => (Duration::ZERO, error),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_child_leaves_no_entry() {
        let two = two(limits());
        let (one, bell) = (two.one.guard.active(), Arc::clone(&two.one.bell));
        let waiting = told(&one);
        yield_now().await;
        drop(two.one);
        waiting.await.unwrap();
        assert!(one.is_disconnected());
        one.set_read_deadline(Duration::ZERO);
        one.note("too late");
        assert_eq!((one.take_note(), one.push_interim(b"x")), (None, Err(InterimError::Over)));
        assert_eq!((bell.rings(), Arc::strong_count(&bell)), (0, 1), "its task is not kept");
        assert_eq!(two.connections.counts().total(), 1, "children are not connections");
        drop((two.connection, two.wire));
        assert!(two.other.guard.active().is_disconnected(), "the connection's end is that of its children");
        assert_eq!(two.connections.counts().total(), 0);
        sleep(secs(10)).await;
        assert_eq!(two.other.bell.rings(), 0, "no sweeper looks at the child of a connection that has ended");
    }

    #[tokio::test(start_paused = true)]
    async fn each_child_has_its_own_note_and_interim_replies() {
        let two = two(limits());
        let (one, other) = (two.one.guard.active(), two.other.guard.active());
        one.note("GET /1");
        other.note("GET /2");
        one.push_interim(b"103").unwrap();
        assert_eq!(
            (two.one.guard.take_interim().as_deref(), two.other.guard.take_interim()),
            (Some(&b"103"[..]), None)
        );
        assert_eq!(two.one.bell.rings(), 1);
        assert_eq!(two.one.guard.end_interim(), None);
        assert_eq!((one.push_interim(b"x"), other.push_interim(b"x")), (Err(InterimError::Over), Ok(())));
        assert_eq!(two.other.guard.end_interim().as_deref(), Some(&b"x"[..]));
        assert_eq!(one.take_note().as_deref(), Some("GET /1"));
        assert_eq!(other.take_note().as_deref(), Some("GET /2"));
        assert_eq!(two.connection.take_note(), None);
        assert!(Arc::ptr_eq(one.connection(), two.other.guard.connection()));
    }
}
