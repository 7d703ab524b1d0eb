//! Every errno at every place where an accept can fail, in turn: the next client is served, nothing is held, and the
//! reports come at most once a second.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::{Instant, timeout};

use super::{
    Limit, Listener, Permits, Pressure, Retry,
    lazy::Lazy,
    testing::{
        AcceptStep::{self, Accept},
        ScriptedListener, every_failure,
    },
};
use crate::{AcceptErrorKind, Addr, classify};

/// More in a row than are taken to be about one client.
const IN_A_ROW: usize = 70;

const SECOND: Duration = Duration::from_secs(1);

/// When an error was reported, and as what.
type Reports = Arc<Mutex<Vec<(Instant, AcceptErrorKind)>>>;

fn kind_of(failure: AcceptStep) -> AcceptErrorKind {
    classify(&failure.error().expect("a failure"))
}

/// Accepts as a server would that goes on after a fatal error, too; how many fatal errors there were.
async fn accept<L: Listener>(listener: &mut L, failure: AcceptStep) -> (L::Stream, usize) {
    let mut fatal = 0;
    loop {
        match timeout(200 * SECOND, listener.accept()).await.unwrap_or_else(|_| panic!("{failure:?} ends accepting")) {
            Ok((stream, _)) => return (stream, fatal),
            Err(error) => {
                assert_eq!(classify(&error), AcceptErrorKind::Fatal, "{failure:?} surfaces");
                fatal += 1;
            }
        }
    }
}

/// A listener that fails so many times in a row, then serves two clients.
fn failing(failure: AcceptStep) -> ScriptedListener {
    ScriptedListener::new([failure; IN_A_ROW].into_iter().chain([Accept, Accept]))
}

fn reporting<L: Listener>(listener: L) -> (Retry<L>, Reports) {
    let reports = Reports::default();
    let log = Arc::clone(&reports);
    (Retry::new(listener).on_error(move |error| log.lock().unwrap().push((Instant::now(), error.kind))), reports)
}

fn assert_reports(failure: AcceptStep, reports: &Reports) {
    let reports = reports.lock().unwrap();
    assert!(reports.windows(2).all(|pair| pair[1].0 - pair[0].0 >= SECOND), "{failure:?}: {reports:?}");
    // Fatal errors go to the caller, and 64 errors about one client are only counted.
    assert_eq!(reports.is_empty(), kind_of(failure) == AcceptErrorKind::Fatal, "{failure:?}: {reports:?}");
}

#[tokio::test(start_paused = true)]
async fn after_every_errno_of_accept_the_next_client_is_served_and_nothing_is_held() {
    for failure in every_failure() {
        let (pressure, permits) = (Pressure::new(), Permits::new(2));
        let (mut retry, reports) = reporting(Limit::shared(failing(failure), &permits));
        retry.set_pressure(&pressure);
        let (stream, fatal) = accept(&mut retry, failure).await;
        assert_eq!(fatal, if kind_of(failure) == AcceptErrorKind::Fatal { IN_A_ROW } else { 0 }, "{failure:?}");
        assert_eq!(permits.available(), 1, "{failure:?}");
        assert!(!pressure.is_raised() && retry.fd_released().watching() == 0, "{failure:?}");
        assert!(retry.health().snapshot().is_well(), "{failure:?}");
        let called = Instant::now();
        accept(&mut retry, failure).await;
        assert_eq!(called.elapsed(), Duration::ZERO, "{failure:?}");
        drop(stream);
        assert_eq!(permits.available(), 2, "{failure:?}");
        assert_reports(failure, &reports);
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_around_the_retry_holds_nothing_after_any_errno_either() {
    for failure in every_failure() {
        let (pressure, permits) = (Pressure::new(), Permits::new(2));
        let (retry, reports) = reporting(failing(failure));
        let fd_released = retry.fd_released();
        let mut limit = Limit::shared(retry, &permits);
        limit.set_pressure(&pressure);
        let (stream, _) = accept(&mut limit, failure).await;
        assert_eq!((permits.available(), fd_released.watching()), (1, 0), "{failure:?}");
        assert!(!pressure.is_raised(), "{failure:?}");
        drop(stream);
        assert_eq!(permits.available(), 2, "{failure:?}");
        assert_reports(failure, &reports);
    }
}

/// A listener that cannot join the runtime at first.
struct Joining {
    socket: Lazy<(), ()>,
    failures: usize,
    failure: AcceptStep,
    script: ScriptedListener,
}

impl Listener for Joining {
    type Stream = <ScriptedListener as Listener>::Stream;

    async fn accept(&mut self) -> io::Result<(Self::Stream, Addr)> {
        let (failure, failures) = (self.failure, &mut self.failures);
        self.socket.get(|()| {
            let Some(left) = failures.checked_sub(1) else { return Ok(()) };
            *failures = left;
            Err(failure.error().expect("a failure"))
        })?;
        self.script.accept().await
    }

    fn local_addr(&self) -> io::Result<Addr> {
        self.script.local_addr()
    }
}

#[tokio::test(start_paused = true)]
async fn after_every_errno_of_joining_the_runtime_the_next_client_is_served() {
    for failure in every_failure() {
        let pressure = Pressure::new();
        let script = ScriptedListener::new([Accept; 2]);
        let (mut retry, reports) = reporting(Joining { socket: Lazy::Bound(()), failures: IN_A_ROW, failure, script });
        retry.set_pressure(&pressure);
        accept(&mut retry, failure).await;
        accept(&mut retry, failure).await;
        assert!(!pressure.is_raised() && retry.fd_released().watching() == 0, "{failure:?}");
        assert_reports(failure, &reports);
    }
}
