//! Tests of `Retry`: when it tries again, what it reports, and when the pressure is raised.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};

use super::{
    AcceptEventKind, FdReleased, HealthSnapshot, Listener, Pressure, Retry,
    testing::{
        AcceptStep::{self, Accept, Fail},
        EBADF, EINTR, EIO, EMFILE, ScriptedListener,
    },
};
use crate::AcceptErrorKind;

fn retry(steps: impl IntoIterator<Item = AcceptStep>) -> Retry<ScriptedListener> {
    Retry::new(ScriptedListener::new(steps))
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Accepts for so long, and forgets what came.
async fn accept_for(retry: &mut Retry<ScriptedListener>, limit: Duration) {
    let _ = timeout(limit, async { while retry.accept().await.is_ok() {} }).await;
}

#[tokio::test(start_paused = true)]
async fn the_attempts_are_5_10_20_to_640_ms_then_1_s_apart() {
    let mut retry = retry([Fail(EMFILE); 11].into_iter().chain([Accept]));
    retry.accept().await.unwrap();
    assert_eq!(retry.get_ref().gaps(), [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000]);
}

#[tokio::test(start_paused = true)]
async fn a_success_resets_the_delay() {
    let mut retry = retry([Fail(EMFILE), Fail(EMFILE), Fail(EMFILE), Accept, Fail(EMFILE), Fail(EMFILE), Accept]);
    retry.accept().await.unwrap();
    retry.accept().await.unwrap();
    assert_eq!(retry.get_ref().gaps(), [5, 10, 20, 0, 5, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_back_off_ends_at_once() {
    let mut retry = retry([Fail(EMFILE); 20]);
    accept_for(&mut retry, millis(1500)).await; // in the wait of 1 s that began at 1275
    let start = Instant::now();
    tokio::select! {
        biased;
        _ = retry.accept() => panic!("nothing to accept"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_back_off_goes_on_where_it_was() {
    let mut retry = retry([Fail(EMFILE); 11].into_iter().chain([Accept]));
    while timeout(millis(1), retry.accept()).await.is_err() {}
    assert_eq!(retry.get_ref().gaps(), [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000]);
}

#[tokio::test(start_paused = true)]
async fn a_released_descriptor_ends_the_wait_but_keeps_the_delay() {
    let mut retry = retry([Fail(EMFILE); 20]);
    let fd_released = retry.fd_released();
    let (_, ()) = tokio::join!(accept_for(&mut retry, millis(2500)), async {
        sleep(millis(400)).await; // in the wait of 320 ms that began at 315
        fd_released.notify();
    });
    assert_eq!(retry.get_ref().gaps(), [5, 10, 20, 40, 80, 160, 85, 640, 1000]);
}

/// The events of a loop, each as the milliseconds since the first and its kind.
fn events(retry: &Retry<ScriptedListener>) -> Vec<(u128, AcceptEventKind)> {
    let events = retry.health().events(0);
    events.iter().map(|event| (event.at.duration_since(events[0].at).as_millis(), event.kind)).collect()
}

#[tokio::test(start_paused = true)]
async fn the_accept_events_tell_each_back_off_and_its_end() {
    let failed =
        |ms| AcceptEventKind::Failed { errno: Some(EMFILE), kind: AcceptErrorKind::Exhausted, delay: millis(ms) };
    let mut retry = retry([Fail(EINTR), Fail(EMFILE), Fail(EMFILE), Fail(EMFILE), Accept, Accept, Fail(EBADF)]);
    let fd_released = retry.fd_released();
    let (accepted, ()) = tokio::join!(retry.accept(), async {
        sleep(millis(20)).await; // in the wait of 20 ms that began at 15
        fd_released.notify();
    });
    accepted.unwrap();
    let trouble = [
        (0, failed(5)),
        (5, failed(10)),
        (15, failed(20)),
        (20, AcceptEventKind::Released),
        (20, AcceptEventKind::Recovered),
    ];
    assert_eq!(events(&retry), trouble);
    retry.accept().await.unwrap();
    assert_eq!(events(&retry), trouble, "a success after another is no event");
    retry.accept().await.unwrap_err();
    let fatal = AcceptEventKind::Failed { errno: Some(EBADF), kind: AcceptErrorKind::Fatal, delay: millis(0) };
    assert_eq!(events(&retry)[5..], [(20, fatal)]);
}

#[tokio::test(start_paused = true)]
async fn what_was_released_before_the_error_ends_no_wait() {
    let mut retry = retry([Fail(EMFILE), Accept, Fail(EMFILE), Accept]);
    retry.fd_released().notify();
    retry.accept().await.unwrap();
    retry.fd_released().notify();
    retry.accept().await.unwrap();
    assert_eq!(retry.get_ref().gaps(), [5, 0, 5]);
}

#[tokio::test(start_paused = true)]
async fn what_ended_an_earlier_wait_ends_no_later_one() {
    let mut retry = retry([Fail(EMFILE), Accept, Fail(EMFILE), Accept]);
    let fd_released = retry.fd_released();
    let (_, ()) = tokio::join!(retry.accept(), async {
        sleep(millis(2)).await;
        fd_released.notify();
    });
    retry.accept().await.unwrap();
    assert_eq!(retry.get_ref().gaps(), [2, 0, 5]);
}

#[tokio::test(start_paused = true)]
async fn what_was_released_while_the_wait_was_cancelled_is_not_lost() {
    let mut retry = retry([Fail(EMFILE); 20]);
    accept_for(&mut retry, millis(1400)).await; // in the wait of 1 s that began at 1275
    retry.fd_released().notify();
    accept_for(&mut retry, millis(1)).await;
    assert_eq!(retry.get_ref().gaps()[7..], [640, 125]);
}

#[tokio::test(start_paused = true)]
async fn listeners_that_share_a_handle_wake_together() {
    let fd_released = FdReleased::new();
    let mut one = retry([Fail(EMFILE); 20]).wake_on(&fd_released);
    let mut two = retry([Fail(EMFILE); 20]).wake_on(&fd_released);
    tokio::join!(accept_for(&mut one, millis(500)), accept_for(&mut two, millis(500)), async {
        sleep(millis(400)).await;
        fd_released.notify();
    });
    assert_eq!((one.get_ref().gaps()[6], two.get_ref().gaps()[6]), (85, 85));
}

#[tokio::test(start_paused = true)]
async fn the_pressure_is_raised_from_the_first_lack_to_the_next_success() {
    let (pressure, late) = (Pressure::new(), Pressure::new());
    let mut retry = retry([Accept, Fail(EINTR), Fail(EMFILE), Fail(EINTR), Fail(EMFILE), Accept, Fail(EMFILE)]);
    retry.set_pressure(&pressure);
    retry.accept().await.unwrap();
    assert!(!pressure.is_raised());
    for _ in 0..14 {
        accept_for(&mut retry, millis(1)).await; // at 0, 5 and 15 ms
        assert!(pressure.is_raised());
    }
    retry.set_pressure(&late);
    assert!(late.is_raised() && !pressure.is_raised());
    retry.accept().await.unwrap();
    assert!(!late.is_raised());
    accept_for(&mut retry, millis(1)).await;
    assert!(late.is_raised());
    drop(retry);
    assert!(!late.is_raised());
}

#[tokio::test(start_paused = true)]
async fn the_pressure_is_lowered_when_no_client_waits() {
    let pressure = Pressure::new();
    let mut retry = retry([Accept, Fail(EMFILE)]);
    retry.set_pressure(&pressure);
    retry.accept().await.unwrap();
    accept_for(&mut retry, millis(4)).await;
    assert!(pressure.is_raised());
    accept_for(&mut retry, millis(4)).await; // the attempt at 5 ms finds a descriptor and no client
    assert!(!pressure.is_raised());
    assert_eq!(retry.get_ref().calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_pressure_is_not_raised_by_what_no_closing_helps() {
    let pressure = Pressure::new();
    let mut retry = retry([Fail(EIO), Fail(EINTR), Accept]);
    retry.set_pressure(&pressure);
    for _ in 0..4 {
        accept_for(&mut retry, millis(1)).await;
        assert!(!pressure.is_raised());
    }
    retry.accept().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_error_about_one_client_is_retried_at_once() {
    let mut retry = retry([Fail(EINTR), Fail(EINTR), Accept]);
    retry.accept().await.unwrap();
    assert_eq!(retry.get_ref().gaps(), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_transient_errors_neither_spins_nor_starves() {
    let mut retry = retry([Fail(EINTR); 10_000]);
    let others_run = tokio::spawn(async {});
    accept_for(&mut retry, Duration::from_secs(10)).await;
    assert!(others_run.is_finished());
    let calls = retry.get_ref().calls();
    assert!((64..64 + 20).contains(&calls), "{calls} attempts in ten seconds");
}

#[tokio::test(start_paused = true)]
async fn a_fatal_error_is_given_to_the_caller_and_spoils_nothing() {
    let mut retry = retry([Fail(EBADF), Accept]);
    assert_eq!(retry.accept().await.unwrap_err().raw_os_error(), Some(EBADF));
    retry.accept().await.unwrap();
    assert_eq!(retry.health().snapshot().fatal, 1);
}

#[tokio::test(start_paused = true)]
async fn errors_are_reported_once_a_second_with_a_count() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let (log, start) = (lines.clone(), Instant::now());
    let mut retry = retry([Fail(EMFILE); 20]).on_error(move |error| {
        log.lock().unwrap().push((start.elapsed().as_millis(), error.to_string()));
    });
    accept_for(&mut retry, millis(4000)).await;
    let emfile = io::Error::from_raw_os_error(EMFILE);
    // Errors at 0 5 15 35 75 155 315 635 1275 2275 3275 ms.
    assert_eq!(
        *lines.lock().unwrap(),
        [
            (0, format!("accept error: {emfile}; retrying in 5ms")),
            (1275, format!("accept error: {emfile}; retrying in 1s (7 more not shown)")),
            (2275, format!("accept error: {emfile}; retrying in 1s")),
            (3275, format!("accept error: {emfile}; retrying in 1s")),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_on_error_hook_is_caught_and_counted() {
    let mut calls = 0;
    let mut retry = retry([Fail(EMFILE); 10].into_iter().chain([Accept])).on_error(move |_| {
        calls += 1;
        match calls {
            1 => panic!("failed printing to stderr"),
            2 => std::panic::panic_any(PanicsInDrop),
            _ => {}
        }
    });
    retry.accept().await.unwrap();
    assert_eq!(retry.get_ref().gaps(), [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    let snapshot = retry.health().snapshot();
    assert_eq!((snapshot.waited, snapshot.report_panics, snapshot.is_well()), (10, 2, true));
}

/// What a panic may carry.
struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::panic::panic_any(Self);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn health_tells_the_last_error_the_delay_and_the_totals() {
    let start = Instant::now();
    let mut retry = retry([Accept, Fail(EINTR), Fail(EMFILE), Fail(EMFILE), Accept]);
    let health = retry.health();
    assert_eq!(health.snapshot(), HealthSnapshot::default());
    assert!(health.snapshot().is_well());

    let _ = timeout(millis(10), async { while retry.accept().await.is_ok() {} }).await;
    let snapshot = health.snapshot();
    assert_eq!((snapshot.accepted, snapshot.transient, snapshot.waited, snapshot.fatal), (1, 1, 2, 0));
    assert_eq!((snapshot.delay, snapshot.is_well()), (millis(10), false));
    let last = snapshot.last.unwrap();
    assert_eq!((last.errno, last.kind), (Some(EMFILE), AcceptErrorKind::Exhausted));
    assert_eq!(last.at, (start + millis(5)).into_std());

    retry.accept().await.unwrap();
    drop(retry);
    let snapshot = health.snapshot();
    assert_eq!((snapshot.accepted, snapshot.waited, snapshot.delay), (2, 2, Duration::ZERO));
    assert_eq!(snapshot.last, Some(last), "the last error is remembered after it has passed");
}

#[test]
fn a_wait_can_be_sent_between_threads() {
    fn sendable<T: Send>(_: T) {}
    sendable(Retry::new(ScriptedListener::default()).accept());
}
