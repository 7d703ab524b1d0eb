//! A listener whose temporary errors never surface.
//!
//! Every server writes this loop, and most write it wrong: they spin at EMFILE, sleep on through a shutdown, or stop
//! for good at an error that was about one client.

use super::fd_released::Watch;
use crate::{
    AcceptErrorKind, Addr, FdReleased, Health, Listener, Pressure, PressureGuard, RetryDecision, RetryPolicy, Throttle,
    accept_error_kind::has_run_out, classify,
};

use std::{
    error::Error,
    fmt,
    future::{Future, poll_fn},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// Accepts from `L` and lives through what passes by itself. The runtime needs its timer enabled.
///
/// - An error about one client is followed by the next attempt at once.
/// - When something has run out it waits: 5 ms, doubling, at most 1 s, forgotten at the first success. The wait ends
///   early when a descriptor comes [free](Self::fd_released).
/// - Everything else is given to the caller.
///
/// # Spec
/// Go: the loop of `(*Server).Serve` (server.go:3570-3601), whose sleep nothing ends early and whose log nothing
/// limits.
#[doc(alias = "accept loop")]
#[doc(alias = "backoff")]
#[doc(alias = "EMFILE")]
pub struct Retry<L> {
    listener: L,
    policy: RetryPolicy,
    /// When the next attempt may be made. Kept here and not in the future, so that a wait that was cancelled goes on
    /// where it was and the next accept does not become a hot loop.
    until: Option<Instant>,
    /// From the first error that is waited for to the next success.
    watch: Option<Watch>,
    fd_released: FdReleased,
    pressure: Pressure,
    /// While something has run out: from the error that says so to the next attempt that does not.
    raised: Option<PressureGuard>,
    health: Health,
    throttle: Throttle,
    on_error: Option<OnError>,
}

type OnError = Box<dyn FnMut(&AcceptError<'_>) + Send>;

/// An accept error that is waited for, as a line for the log.
///
/// Prints as Go does: `accept error: Too many open files (os error 24); retrying in 20ms`, and how many like it were
/// not reported. What the listener said is its [`source`](Error::source), and in the line already.
#[derive(Debug)]
#[non_exhaustive]
pub struct AcceptError<'a> {
    /// What the listener said.
    pub error: &'a io::Error,
    /// What it was taken for.
    pub kind: AcceptErrorKind,
    /// How long until the next attempt.
    pub delay: Duration,
    /// How many errors have not been reported since the last one that was.
    pub suppressed: u64,
}

impl fmt::Display for AcceptError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "accept error: {}; retrying in {:?}", self.error, self.delay)?;
        if self.suppressed > 0 {
            write!(f, " ({} more not shown)", self.suppressed)?;
        }
        Ok(())
    }
}

impl Error for AcceptError<'_> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.error)
    }
}

impl<L> Retry<L> {
    /// At most one report an interval.
    const REPORT_EVERY: Duration = Duration::from_secs(1);

    /// Accepts from `listener`. Nothing is logged until [`on_error`](Self::on_error) says where.
    pub fn new(listener: L) -> Retry<L> {
        Retry {
            listener,
            policy: RetryPolicy::new(),
            until: None,
            watch: None,
            fd_released: FdReleased::new(),
            pressure: Pressure::new(),
            raised: None,
            health: Health::default(),
            throttle: Throttle::new(Self::REPORT_EVERY),
            on_error: None,
        }
    }

    /// Reports errors that are waited for, at most once a second, each time with the number left out. Errors about one
    /// client are not reported, only counted in the [`health`](Self::health).
    ///
    /// A panic in `report` is caught and counted, and accepting goes on: `eprintln!` panics where the standard error
    /// cannot be written.
    #[must_use]
    pub fn on_error(mut self, report: impl FnMut(&AcceptError<'_>) + Send + 'static) -> Retry<L> {
        self.on_error = Some(Box::new(report));
        self
    }

    /// Listens to a handle that others share, so that a descriptor freed anywhere in the process serves every listener.
    #[must_use]
    pub fn wake_on(mut self, fd_released: &FdReleased) -> Retry<L> {
        self.watch = None;
        self.fd_released = fd_released.clone();
        self
    }

    /// The handle that ends a back-off early.
    pub fn fd_released(&self) -> FdReleased {
        self.fd_released.clone()
    }

    /// The handle that tells how it has been going.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// The listener inside.
    pub fn get_ref(&self) -> &L {
        &self.listener
    }

    /// The listener inside.
    pub fn into_inner(self) -> L {
        self.listener
    }

    /// Waits until the next attempt may be made.
    async fn sit_out(&mut self) {
        let (Some(until), Some(watch)) = (self.until, &mut self.watch) else { return };
        {
            let (mut sleep, mut fd_released) = (pin!(sleep_until(until)), pin!(watch.fd_released()));
            poll_fn(|cx| match fd_released.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => sleep.as_mut().poll(cx),
            })
            .await;
        }
        watch.mark();
        self.until = None;
    }

    fn succeeded(&mut self) {
        self.health.succeeded();
        if self.policy != RetryPolicy::new() {
            self.policy.succeeded();
            self.health.recovered();
            self.watch = None;
            self.raised = None;
        }
    }

    /// Decides when to try again.
    ///
    /// # Errors
    /// The same error, if never.
    fn failed(&mut self, error: io::Error) -> io::Result<()> {
        let (kind, now) = (classify(&error), Instant::now());
        match self.policy.failed(kind) {
            RetryDecision::Now => self.health.failed(&error, kind, None, now.into_std()),
            RetryDecision::After(delay) => {
                self.health.failed(&error, kind, Some(delay), now.into_std());
                if self.raised.is_none() && has_run_out(&error) {
                    self.raised = Some(self.pressure.raise());
                }
                self.pause(&error, kind, delay);
            }
            RetryDecision::GiveUp => {
                self.health.failed(&error, kind, None, now.into_std());
                return Err(error);
            }
        }
        Ok(())
    }

    /// Makes the next attempt wait, and says so.
    pub(super) fn pause(&mut self, error: &io::Error, kind: AcceptErrorKind, delay: Duration) {
        let now = Instant::now();
        self.until = Some(now + delay);
        if self.watch.is_none() {
            self.watch = Some(self.fd_released.watch());
        }
        let Some(on_error) = &mut self.on_error else { return };
        if let Some(suppressed) = self.throttle.admit(now.into_std()) {
            if contain(|| on_error(&AcceptError { error, kind, delay, suppressed })).is_err() {
                self.health.report_panicked();
            }
        }
    }
}

impl<L: Listener> Listener for Retry<L> {
    type Stream = L::Stream;

    /// # Errors
    /// Only those of kind [`Fatal`](AcceptErrorKind::Fatal).
    ///
    /// # Cancel safety
    /// Nothing is lost and nothing is hurried: a back-off that was cut short goes on in the next call.
    async fn accept(&mut self) -> io::Result<(L::Stream, Addr)> {
        loop {
            if self.until.is_some() {
                self.sit_out().await;
            }
            match attempt(self.listener.accept(), &mut self.raised).await {
                Ok(accepted) => {
                    self.succeeded();
                    return Ok(accepted);
                }
                Err(error) => self.failed(error)?,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Addr> {
        self.listener.local_addr()
    }

    fn set_pressure(&mut self, pressure: &Pressure) {
        self.listener.set_pressure(pressure);
        self.pressure = pressure.clone();
        if let Some(raised) = &mut self.raised {
            *raised = pressure.raise();
        }
    }
}

/// Calls what only observes. A panic in it (a log that cannot be written) ends nothing but the call.
fn contain(observe: impl FnOnce()) -> Result<(), Panicked> {
    catch_unwind(AssertUnwindSafe(observe)).map_err(|payload| {
        // The payload is a value of the user's, whose drop may panic too; that second payload is leaked.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(payload))).map_err(std::mem::forget);
        Panicked
    })
}

/// The call panicked.
struct Panicked;

/// Waits for an accept, and lowers the pressure as soon as it has to wait.
///
/// The system looks for a descriptor and for memory before it looks for a client (Linux: `__sys_accept4_file`). So an
/// attempt that waits has found them: nothing is lacking any more, and no client is kept waiting. Without this a server
/// that is exactly full would close idle connections for nobody.
async fn attempt<T>(accepting: impl Future<Output = T>, raised: &mut Option<PressureGuard>) -> T {
    let mut accepting = pin!(accepting);
    if raised.is_some() {
        let polled = poll_fn(|cx| Poll::Ready(accepting.as_mut().poll(cx))).await;
        match polled {
            Poll::Ready(accepted) => return accepted,
            Poll::Pending => *raised = None,
        }
    }
    accepting.await
}

impl<L: fmt::Debug> fmt::Debug for Retry<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry").field("listener", &self.listener).field("policy", &self.policy).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            HealthSnapshot,
            script::{EBADF, EINTR, EIO, EMFILE, Script, Step, Step::Accept, Step::Fail},
        },
        *,
    };
    use std::sync::{Arc, Mutex};
    use tokio::time::{sleep, timeout};

    fn retry(steps: impl IntoIterator<Item = Step>) -> Retry<Script> {
        Retry::new(Script::new(steps))
    }

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Accepts for so long, and forgets what came.
    async fn accept_for(retry: &mut Retry<Script>, limit: Duration) {
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
        assert_eq!(retry.get_ref().called.len(), 3);
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
        let calls = retry.get_ref().called.len();
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

    #[test]
    fn the_source_of_an_accept_error_is_what_the_listener_said() {
        let error = &io::Error::from_raw_os_error(EMFILE);
        let accept_error =
            AcceptError { error, kind: AcceptErrorKind::Exhausted, delay: Duration::from_millis(5), suppressed: 0 };
        let source = (&accept_error as &dyn Error).source().and_then(|source| source.downcast_ref::<io::Error>());
        assert_eq!(source.and_then(io::Error::raw_os_error), Some(EMFILE));
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
                std::panic::panic_any(PanicsInDrop);
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
        sendable(Retry::new(Script::default()).accept());
    }
}
