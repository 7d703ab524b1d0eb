//! Whether new clients are kept waiting because something has run out: descriptors, memory, permits.
//!
//! A listener knows that it cannot accept, and a server knows which connections are idle. The listener raises the
//! pressure, the server closes its longest-idle connections while it is raised, and neither depends on the other.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;

/// A level: how many listeners are kept from accepting at this moment. Clones are the same level.
///
/// It is a level and not an event: it stays raised for as long as a [`PressureGuard`] is alive, so that a server that
/// reads it late still sees it, and sees when it has been relieved.
///
/// ```
/// # use quintet_listener::Pressure;
/// let pressure = Pressure::default();
/// let guard = pressure.raise();
/// assert!(pressure.is_raised());
/// drop(guard);
/// assert!(!pressure.is_raised());
/// ```
#[derive(Clone, Default)]
pub struct Pressure(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// How many [`PressureGuard`] there are.
    level: AtomicUsize,
    /// How many of them only the listener's own connections can relieve.
    own: AtomicUsize,
    wake: Notify,
}

/// Keeps the level of one [`Pressure`] raised until it is dropped.
#[derive(Debug)]
#[must_use = "dropping the guard lowers the pressure"]
pub struct PressureGuard {
    pressure: Pressure,
    own: bool,
}

impl Pressure {
    /// A new level, not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the level by one until the guard is dropped, and wakes the tasks that wait in [`raised`](Self::raised). Any
    /// connection of the process that is closed may help: descriptors or memory have run out, or shared permits.
    pub fn raise(&self) -> PressureGuard {
        self.raise_as(false)
    }

    /// As [`raise`](Self::raise), where only the end of one of this listener's own connections helps.
    pub fn raise_own(&self) -> PressureGuard {
        self.raise_as(true)
    }

    fn raise_as(&self, own: bool) -> PressureGuard {
        self.0.own.fetch_add(own.into(), Ordering::Release);
        if self.0.level.fetch_add(1, Ordering::Release) == 0 {
            self.0.wake.notify_waiters();
        }
        PressureGuard { pressure: self.clone(), own }
    }

    /// Whether the level is above zero.
    pub fn is_raised(&self) -> bool {
        self.0.level.load(Ordering::Acquire) != 0
    }

    /// Whether the level is above zero, and only the end of the listener's [own](Self::raise_own) connections helps.
    pub fn is_own(&self) -> bool {
        let level = self.0.level.load(Ordering::Acquire);
        level != 0 && self.0.own.load(Ordering::Acquire) >= level
    }

    /// Waits until the level is above zero; does not wait if it is already.
    ///
    /// # Cancel safety
    /// Nothing is lost: the level is looked at anew by every call.
    pub async fn raised(&self) {
        loop {
            // Before looking: from here on a call of `notify_waiters` is not missed.
            let woken = self.0.wake.notified();
            if self.is_raised() {
                return;
            }
            woken.await;
        }
    }
}

impl Drop for PressureGuard {
    fn drop(&mut self) {
        let shared = &self.pressure.0;
        shared.level.fetch_sub(1, Ordering::Release);
        shared.own.fetch_sub(self.own.into(), Ordering::Release);
    }
}

impl fmt::Debug for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pressure").field(&self.0.level.load(Ordering::Relaxed)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        pin::{Pin, pin},
        sync::atomic::AtomicBool,
        task::{Context, Wake},
        time::Duration,
    };
    use tokio::time::timeout;

    /// Notices that a task was woken.
    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// One that waits for the pressure, polled by hand.
    struct Waiting<'a> {
        future: Pin<Box<dyn Future<Output = ()> + 'a>>,
        woken: Arc<Woken>,
    }

    impl Waiting<'_> {
        fn on(pressure: &Pressure) -> Waiting<'_> {
            Waiting { future: Box::pin(pressure.raised()), woken: Arc::default() }
        }

        fn is_ready(&mut self) -> bool {
            let waker = Arc::clone(&self.woken).into();
            self.future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
        }

        fn was_woken(&self) -> bool {
            self.woken.0.swap(false, Ordering::Relaxed)
        }
    }

    #[test]
    fn the_level_is_raised_until_the_last_guard_is_dropped() {
        let pressure = Pressure::new();
        let (one, two) = (pressure.raise(), pressure.clone().raise());
        drop(one);
        assert!(pressure.is_raised());
        assert_eq!(format!("{pressure:?}"), "Pressure(1)");
        drop(two);
        assert!(!pressure.is_raised());
    }

    #[test]
    fn the_pressure_is_the_listeners_own_if_nothing_else_would_help() {
        let pressure = Pressure::new();
        assert!(!pressure.is_own());
        let own = pressure.raise_own();
        assert!(pressure.is_own() && pressure.is_raised());
        let any = pressure.raise();
        assert!(!pressure.is_own());
        drop(own);
        assert!(!pressure.is_own() && pressure.is_raised());
        drop(any);
        assert!(!pressure.is_own() && !pressure.is_raised());
    }

    #[test]
    fn raised_is_woken_by_every_rise_from_zero() {
        let pressure = Pressure::new();
        for _ in 0..3 {
            let (mut one, mut two) = (Waiting::on(&pressure), Waiting::on(&pressure));
            assert!(!one.is_ready() && !two.is_ready());
            assert!(!one.was_woken() && !two.was_woken());
            let guard = pressure.raise();
            assert!(one.was_woken() && two.was_woken());
            assert!(one.is_ready() && two.is_ready());
            assert!(Waiting::on(&pressure).is_ready(), "it is raised already");
            drop(guard);
        }
    }

    #[test]
    fn raised_waits_on_if_the_level_fell_before_it_could_look() {
        let pressure = Pressure::new();
        let mut raised = Waiting::on(&pressure);
        assert!(!raised.is_ready());
        drop(pressure.raise());
        assert!(raised.was_woken() && !raised.is_ready());
        let _guard = pressure.raise();
        assert!(raised.was_woken() && raised.is_ready());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_rise_is_missed_between_threads() {
        let (pressure, answered) = (Pressure::new(), Pressure::new());
        let (there, back) = (pressure.clone(), answered.clone());
        let echo = tokio::spawn(async move {
            for _ in 0..300 {
                there.raised().await;
                let _answer = back.raise();
                while there.is_raised() {
                    tokio::task::yield_now().await;
                }
            }
        });
        let all = async {
            for _ in 0..300 {
                let guard = pressure.raise();
                answered.raised().await;
                drop(guard);
                while answered.is_raised() {
                    tokio::task::yield_now().await;
                }
            }
        };
        timeout(Duration::from_secs(20), pin!(all)).await.unwrap();
        echo.await.unwrap();
    }
}
